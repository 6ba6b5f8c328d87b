/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A growing buffer that has a maximum. Zeroed memory with `max` set is an empty one. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap, max;
};

/* False when it would pass `max` or memory is short; the buffer is then as before. */
bool buf_add(struct buf *buf, const void *bytes, size_t len);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_reset(struct buf *buf); /* empty, memory kept */
void buf_done(struct buf *buf);  /* wiped and freed, NULL-safe */

#define auto_buf __attribute__((cleanup(buf_done))) struct buf

#endif
