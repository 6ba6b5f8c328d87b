/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"
#include <gnutls/gnutls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not realloc(): the old memory may hold a key, and is wiped before it is given back. */
static bool buf_reserve(struct buf *buf, size_t more)
{
	if (more > buf->max || buf->len > buf->max - more)
		return false;
	size_t need = buf->len + more;
	if (need <= buf->cap)
		return true;

	size_t cap = buf->cap ? buf->cap : 256;
	while (cap < need)
		cap = cap > buf->max / 2 ? buf->max : cap * 2;
	uint8_t *data = malloc(cap);
	if (!data)
		return false;
	if (buf->data) {
		memcpy(data, buf->data, buf->len);
		gnutls_memset(buf->data, 0, buf->cap);
		free(buf->data);
	}
	buf->data = data;
	buf->cap = cap;
	return true;
}

bool buf_add(struct buf *buf, const void *bytes, size_t len)
{
	if (!buf_reserve(buf, len))
		return false;
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	return true;
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	/* vsnprintf() writes a NUL behind the text: room for it, but it is not counted. */
	if (len < 0 || !buf_reserve(buf, (size_t)len + 1))
		return false;
	va_start(arguments, format);
	vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, arguments);
	va_end(arguments);
	buf->len += (size_t)len;
	return true;
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
}

void buf_done(struct buf *buf)
{
	if (!buf)
		return;
	if (buf->data)
		gnutls_memset(buf->data, 0, buf->cap);
	free(buf->data);
	*buf = (struct buf){ .max = buf->max };
}
