/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A DER writer that fills its memory from the end to the front, so that each length is known when its header is written:
 * write the last element first, then close it with the tag of what encloses it. An overflow is remembered: check once, at
 * the end.
 */
#ifndef DER_WRITER_H
#define DER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct der_writer {
	uint8_t *start, *at, *end;
	bool overflow;
};

struct der_writer der_writer_on(void *memory, size_t size);
void der_put_raw(struct der_writer *writer, const void *bytes, size_t len);
void der_put(struct der_writer *writer, uint8_t tag, const void *content, size_t len);
/* A time (TIME_COMPACT_LEN bytes of content); one that cannot be written is an overflow. */
void der_put_time(struct der_writer *writer, int64_t at);

/* A place to close back to: all that is written after der_mark() becomes the content of der_close()'s element. */
static inline const uint8_t *der_mark(const struct der_writer *writer)
{
	return writer->at;
}
void der_close(struct der_writer *writer, uint8_t tag, const uint8_t *mark);

#endif
