/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BASE_DATUM_H
#define BASE_DATUM_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <string.h>

/* A copy of the bytes, for gnutls_free(); not NULL for none. False, and *out as it was: no memory. */
static inline bool datum_copy(gnutls_datum_t *out, const gnutls_datum_t *from)
{
	unsigned char *data = gnutls_malloc(from->size ? from->size : 1);

	if (!data)
		return false;
	if (from->size)
		memcpy(data, from->data, from->size);
	*out = (gnutls_datum_t){ data, from->size };
	return true;
}

#endif
