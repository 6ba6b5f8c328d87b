/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report/embedded.h"
#include "der/oid.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#define SHA1_LEN 20

bool embedded_next(struct der *certs, struct cert_view *out)
{
	struct der content, whole;

	while (der_take_whole(certs, DER_SEQUENCE, &content, &whole))
		if (cert_view_parse(out, whole))
			return true;
	return false;
}

/* RFC 6960 4.2.1: KeyHash is SHA-1 over the bits of the key, without tag, length and count of unused bits */
static bool is_responder(const struct ocsp_response *response, const struct cert_view *cert)
{
	uint8_t hash[SHA1_LEN];

	if (!response->by_key)
		return der_equals(response->responder, cert->subject);
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, cert->key_bits.at, der_len(cert->key_bits), hash))
		return false;
	return der_equals_bytes(response->responder, hash, sizeof(hash));
}

bool embedded_signer(const struct ocsp_response *response, struct cert_view *out)
{
	struct der certs = response->certs;

	while (embedded_next(&certs, out))
		if (is_responder(response, out))
			return true;
	return false;
}

bool cert_view_has_purpose(const struct cert_view *view, const void *oid, size_t oid_len)
{
	struct der_extension extension;
	struct der purposes, purpose;

	if (!cert_view_extension(view, OID_EXTENDED_KEY_USAGE, sizeof(OID_EXTENDED_KEY_USAGE) - 1, &extension))
		return false;
	if (!der_take(&extension.value, DER_SEQUENCE, &purposes))
		return false;
	while (der_take_oid(&purposes, &purpose))
		if (der_equals_bytes(purpose, oid, oid_len))
			return true;
	return false;
}

/* The next arc, seven bits a byte (X.690 8.19.2). */
static bool take_arc(struct der *oid, uint64_t *arc)
{
	for (*arc = 0; oid->at != oid->end;) {
		uint8_t byte = *oid->at++;

		if (*arc >> 57)
			return false;
		*arc = *arc << 7 | (byte & 0x7f);
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

bool report_oid(struct buf *out, struct der oid)
{
	uint64_t arc, first;

	if (!take_arc(&oid, &arc))
		return buf_printf(out, "...");
	first = arc < 80 ? arc / 40 : 2;
	if (!buf_printf(out, "%llu.%llu", (unsigned long long)first, (unsigned long long)(arc - first * 40)))
		return false;
	while (!der_at_end(&oid)) {
		if (!take_arc(&oid, &arc))
			return buf_printf(out, "...");
		if (!buf_printf(out, ".%llu", (unsigned long long)arc))
			return false;
	}
	return true;
}
