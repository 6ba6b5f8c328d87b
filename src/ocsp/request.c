/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/request.h"
#include "base/cleanup.h"
#include "der/oid.h"
#include "der/writer.h"
#include <string.h>

#define PUT_OID(writer, name) der_put(writer, DER_OID, OID_##name, sizeof(OID_##name) - 1)

static void put_cert_id(struct der_writer *writer, const clinch_subject_t *subject, enum subject_hash hash)
{
	const struct subject_digest *digest = &subject_digests[hash];
	const uint8_t *mark = der_mark(writer), *algorithm;

	der_put(writer, DER_INTEGER, subject->view.serial.at, der_len(subject->view.serial));
	der_put(writer, DER_OCTET_STRING, subject->issuer->key_hash[hash], digest->len);
	der_put(writer, DER_OCTET_STRING, subject->name_hash[hash], digest->len);
	algorithm = der_mark(writer);
	der_put(writer, DER_NULL, NULL, 0); /* as every client sends it; prepared answers are looked up by these bytes */
	der_put(writer, DER_OID, digest->oid, digest->oid_len);
	der_close(writer, DER_SEQUENCE, algorithm);
	der_close(writer, DER_SEQUENCE, mark);
}

/* RFC 9654 2.1: Nonce ::= OCTET STRING (SIZE (1..128)), in the OCTET STRING of the extension. */
static void put_nonce(struct der_writer *writer, const gnutls_datum_t *nonce)
{
	const uint8_t *mark = der_mark(writer);

	der_put(writer, DER_OCTET_STRING, nonce->data, nonce->size);
	der_close(writer, DER_OCTET_STRING, mark);
	PUT_OID(writer, OCSP_NONCE);
	der_close(writer, DER_SEQUENCE, mark);
	der_close(writer, DER_SEQUENCE, mark);
	der_close(writer, DER_CONTEXT(2), mark);
}

static void put_request(struct der_writer *writer, const clinch_subject_t *subject, enum subject_hash hash,
			const gnutls_datum_t *nonce)
{
	const uint8_t *end = der_mark(writer), *list;

	if (nonce)
		put_nonce(writer, nonce);
	list = der_mark(writer);
	put_cert_id(writer, subject, hash);
	der_close(writer, DER_SEQUENCE, list); /* Request */
	der_close(writer, DER_SEQUENCE, list); /* requestList */
	der_close(writer, DER_SEQUENCE, end);  /* TBSRequest */
	der_close(writer, DER_SEQUENCE, end);  /* OCSPRequest */
}

static enum subject_hash hash_of(gnutls_digest_algorithm_t digest)
{
	int i = 0;

	while (i < SUBJECT_HASHES && subject_digests[i].gnutls != digest)
		i++;
	return (enum subject_hash)i;
}

int clinch_request_build(gnutls_datum_t *out, const clinch_subject_t *subject, gnutls_digest_algorithm_t digest,
			 const gnutls_datum_t *nonce)
{
	enum subject_hash hash = hash_of(digest);

	if (hash == SUBJECT_HASHES || (nonce && (nonce->size < 1 || nonce->size > 128)))
		return CLINCH_E_ARGUMENT;
	/* A request is the serial, two hashes, a nonce, and less than 128 bytes around them. */
	size_t size = der_len(subject->view.serial) + 2 * 64 + (nonce ? nonce->size : 0) + 128;
	uint8_t *memory = gnutls_malloc(size);
	if (!memory)
		return CLINCH_E_MEMORY;
	struct der_writer writer = der_writer_on(memory, size);
	put_request(&writer, subject, hash, nonce);
	if (writer.overflow) {
		gnutls_free(memory);
		return CLINCH_E_TOO_LARGE;
	}
	out->size = (unsigned)(writer.end - writer.at);
	memmove(memory, writer.at, out->size);
	out->data = memory;
	return 0;
}

static bool take_entry(struct der *in, struct ocsp_request_entry *out)
{
	struct der request, whole, content;

	if (!der_take(in, DER_SEQUENCE, &request))
		return false;
	struct der id = request;
	if (!der_take_whole(&request, DER_SEQUENCE, &content, &whole) || !cert_id_take(&id, &out->id))
		return false;
	out->whole_id = whole;
	return der_take_extensions(&request, 0, false, &out->extensions) == DER_LIST_GOOD && der_at_end(&request);
}

bool ocsp_request_next(struct der *requests, struct ocsp_request_entry *out)
{
	return !der_at_end(requests) && take_entry(requests, out);
}

static bool take_nonce(struct ocsp_request *out)
{
	struct der_extension one;

	for (struct der left = out->extensions; der_take_extension(&left, &one);) {
		if (!OID_IS(one.oid, OCSP_NONCE))
			continue;
		if (!der_take_octets(&one.value, &out->nonce) || !der_at_end(&one.value))
			return false;
	}
	return true;
}

static bool take_list(struct der *in, struct ocsp_request *out)
{
	struct ocsp_request_entry entry;

	if (!der_take(in, DER_SEQUENCE, &out->requests) || der_at_end(&out->requests))
		return false;
	for (struct der left = out->requests; !der_at_end(&left); out->n_requests++)
		if (!take_entry(&left, &entry))
			return false;
	return true;
}

static bool parse_tbs(struct ocsp_request *out, struct der tbs)
{
	struct der content;

	/* version [0] has one value, its default v1, which DER leaves out: what stands there is another version or not DER.
	 */
	out->has_requestor = der_next_is(&tbs, DER_CONTEXT(1));
	if (out->has_requestor && (!der_take(&tbs, DER_CONTEXT(1), &content) || !der_is_well_formed(content)))
		return false;
	return take_list(&tbs, out) && der_take_extensions(&tbs, 2, false, &out->extensions) == DER_LIST_GOOD &&
	       der_at_end(&tbs) && take_nonce(out);
}

bool ocsp_request_parse(struct ocsp_request *out, struct der in)
{
	struct der request, tbs, signature, content;

	*out = (struct ocsp_request){ .n_requests = 0 };
	if (!der_take(&in, DER_SEQUENCE, &request) || !der_at_end(&in) || !der_take(&request, DER_SEQUENCE, &tbs))
		return false;
	out->is_signed = !der_at_end(&request);
	if (out->is_signed &&
	    (!der_take(&request, DER_CONTEXT(0), &signature) || !der_is_well_formed(signature) || !der_at_end(&request) ||
	     !der_take(&signature, DER_SEQUENCE, &content) || !der_at_end(&signature)))
		return false;
	return parse_tbs(out, tbs);
}
