/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "der/writer.h"
#include "base/time.h"
#include "der/der.h"
#include <string.h>

struct der_writer der_writer_on(void *memory, size_t size)
{
	uint8_t *start = memory;

	return (struct der_writer){ .start = start, .at = start + size, .end = start + size };
}

void der_put_raw(struct der_writer *writer, const void *bytes, size_t len)
{
	if (len > (size_t)(writer->at - writer->start)) {
		writer->overflow = true;
		return;
	}
	writer->at -= len;
	if (len)
		memcpy(writer->at, bytes, len);
}

static void put_header(struct der_writer *writer, uint8_t tag, size_t len)
{
	uint8_t header[2 + sizeof(len)];
	size_t n = sizeof(header);

	if (len < 0x80) {
		header[--n] = (uint8_t)len;
	} else {
		size_t left = len;
		for (; left; left >>= 8)
			header[--n] = (uint8_t)left;
		uint8_t count = (uint8_t)(sizeof(header) - n);
		header[--n] = 0x80 | count;
	}
	header[--n] = tag;
	der_put_raw(writer, header + n, sizeof(header) - n);
}

void der_put(struct der_writer *writer, uint8_t tag, const void *content, size_t len)
{
	der_put_raw(writer, content, len);
	put_header(writer, tag, len);
}

void der_put_time(struct der_writer *writer, int64_t at)
{
	uint8_t text[TIME_COMPACT_LEN];

	if (!time_compact(text, at))
		writer->overflow = true;
	else
		der_put(writer, DER_GENERALIZED_TIME, text, sizeof(text));
}

void der_close(struct der_writer *writer, uint8_t tag, const uint8_t *mark)
{
	put_header(writer, tag, (size_t)(mark - writer->at));
}
