/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of a file, one after the other, in one pass and one buffer; nothing is allocated for a line. */
#ifndef RESPOND_LINES_H
#define RESPOND_LINES_H

#include <clinch/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_LEN 65536 /* bytes, without the end */

/* The line is without its "\n" or "\r\n", not ended by a NUL, and good for the call. Less than 0 ends the reading. */
struct line {
	const char *text;
	size_t len;
	uint32_t number; /* from 1 */
};
typedef int lines_take(const struct line *line, void *user, struct clinch_error *err);

/*
 * A regular file. CLINCH_E_FORMAT for a last line without its end: somebody is writing it, or was cut off; and for a line
 * that is too long. CLINCH_E_FILE, also when the file changed meanwhile; what was only appended does not
 * count, and is not read. *modified_at is its mtime.
 */
int lines_read(const char *path, lines_take *take, void *user, int64_t *modified_at, struct clinch_error *err);
/* The same of bytes; `name` is for messages. */
int lines_parse(const void *bytes, size_t len, const char *name, lines_take *take, void *user, struct clinch_error *err);

#endif
