/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The request in a GET's path (RFC 6960 A.1): base64 of it, as clients and proxies leave it: percent-encoded in either case
 * or raw, base64url, without padding, with doubled slashes, behind a prefix, before a query, in a whole URL.
 */
#ifndef RESPOND_PATH_H
#define RESPOND_PATH_H

#include "der/der.h"

enum path_kind {
	PATH_REQUEST, /* bytes that begin as a request does */
	PATH_EMPTY,   /* "/": nobody's question */
	PATH_BAD,     /* a percent sign without two digits, or no base64 */
};

/* At most `size` bytes are written to `out`, their number to *len; base64 that would be longer is PATH_BAD. */
enum path_kind path_decode(uint8_t *out, size_t size, size_t *len, const char *path, size_t path_len);

#endif
