/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of a response, and the signature over them. */
#include "base/error.h"
#include "der/oid.h"
#include "der/writer.h"
#include "ocsp/signing.h"
#include <string.h>

#define NONCE_MAX 128 /* RFC 9654 2.1 */

/* Around what varies in length there is less than: three times, a reason, archiveCutoff and their headers; producedAt, the
 * nonce's extension and headers; the headers around the signature and what it signs. */
#define SINGLE_SIZE 160
#define TBS_SIZE 128
#define AROUND_SIZE 64

static void put_status(struct der_writer *writer, const struct ocsp_single *single)
{
	const uint8_t *mark = der_mark(writer), *reason;

	switch (single->status) {
	case CLINCH_REVOKED:
		break;
	case CLINCH_GOOD:
		der_put(writer, DER_CONTEXT_PRIMITIVE(0), NULL, 0);
		return;
	default:
		der_put(writer, DER_CONTEXT_PRIMITIVE(2), NULL, 0);
		return;
	}
	/* RFC 5280 5.3.1: unspecified is left out. */
	if (single->revocation_reason > 0) {
		uint8_t value = (uint8_t)single->revocation_reason;
		reason = der_mark(writer);
		der_put(writer, DER_ENUMERATED, &value, 1);
		der_close(writer, DER_CONTEXT(0), reason);
	}
	der_put_time(writer, single->revoked_at);
	der_close(writer, DER_CONTEXT(1), mark);
}

/* The extension whose value ends at `mark`: its OCTET STRING, its OID, its SEQUENCE, and the list of this one alone. */
static void close_extension(struct der_writer *writer, const char *oid, size_t oid_len, const uint8_t *mark)
{
	der_close(writer, DER_OCTET_STRING, mark);
	der_put(writer, DER_OID, oid, oid_len);
	der_close(writer, DER_SEQUENCE, mark);
	der_close(writer, DER_SEQUENCE, mark);
	der_close(writer, DER_CONTEXT(1), mark);
}

static void put_single(struct der_writer *writer, const struct ocsp_single *single)
{
	const uint8_t *mark = der_mark(writer), *next_update;

	if (single->archive_cutoff) {
		der_put_time(writer, single->archive_cutoff);
		close_extension(writer, OID_OCSP_ARCHIVE_CUTOFF, sizeof(OID_OCSP_ARCHIVE_CUTOFF) - 1, mark);
	}
	next_update = der_mark(writer);
	der_put_time(writer, single->next_update);
	der_close(writer, DER_CONTEXT(0), next_update);
	der_put_time(writer, single->this_update);
	put_status(writer, single);
	der_put_raw(writer, single->cert_id.at, der_len(single->cert_id));
	der_close(writer, DER_SEQUENCE, mark);
}

static void put_tbs(struct der_writer *writer, const struct ocsp_signer *signer, const struct ocsp_single *single, size_t n,
		    int64_t produced_at, const struct der *nonce)
{
	const uint8_t *end = der_mark(writer), *list;

	if (nonce) {
		der_put(writer, DER_OCTET_STRING, nonce->at, der_len(*nonce));
		close_extension(writer, OID_OCSP_NONCE, sizeof(OID_OCSP_NONCE) - 1, end);
	}
	list = der_mark(writer);
	for (size_t i = n; i-- > 0;)
		put_single(writer, &single[i]);
	der_close(writer, DER_SEQUENCE, list);
	der_put_time(writer, produced_at);
	der_put_raw(writer, signer->responder_id.at, der_len(signer->responder_id));
	der_close(writer, DER_SEQUENCE, end);
}

/* What stands behind the signed part. */
static void put_tail(struct der_writer *writer, const struct ocsp_signer *signer, const gnutls_datum_t *signature)
{
	const uint8_t *mark;

	der_put_raw(writer, signer->certs.at, der_len(signer->certs));
	mark = der_mark(writer);
	der_put_raw(writer, signature->data, signature->size);
	der_put_raw(writer, "", 1); /* no unused bits */
	der_close(writer, DER_BIT_STRING, mark);
	der_put_raw(writer, signer->algorithm.at, der_len(signer->algorithm));
}

/* The headers of BasicOCSPResponse and of what it is in, before all the rest. */
static void put_front(struct der_writer *writer, const uint8_t *end)
{
	der_close(writer, DER_SEQUENCE, end);
	der_close(writer, DER_OCTET_STRING, end);
	der_put(writer, DER_OID, OID_OCSP_BASIC, sizeof(OID_OCSP_BASIC) - 1);
	der_close(writer, DER_SEQUENCE, end);
	der_close(writer, DER_CONTEXT(0), end);
	der_put(writer, DER_ENUMERATED, "", 1);
	der_close(writer, DER_SEQUENCE, end);
}

static const char *why_not(const struct ocsp_single *single, size_t n, const struct der *nonce)
{
	if (n < 1)
		return "a response is about one certificate at least";
	if (nonce && (der_len(*nonce) < 1 || der_len(*nonce) > NONCE_MAX))
		return "a nonce has 1 to 128 bytes";
	for (size_t i = 0; i < n; i++) {
		int reason = single[i].status == CLINCH_REVOKED ? single[i].revocation_reason : -1;
		if (single[i].status != CLINCH_GOOD && single[i].status != CLINCH_REVOKED &&
		    single[i].status != CLINCH_UNKNOWN)
			return "a certificate is good, revoked or unknown";
		/* RFC 5280 5.3.1: 7 is not used, and 8, removeFromCRL, is for delta CRLs alone. */
		if (reason > 10 || reason == 7 || reason == 8)
			return "this reason for a revocation cannot stand in a response";
	}
	return NULL;
}

static size_t tbs_size(const struct ocsp_signer *signer, const struct ocsp_single *single, size_t n)
{
	size_t size = der_len(signer->responder_id) + NONCE_MAX + TBS_SIZE;

	for (size_t i = 0; i < n; i++)
		size += der_len(single[i].cert_id) + SINGLE_SIZE;
	return size;
}

/* Any signature is shorter: an ECDSA one of two numbers of the key's length, RSA's as long as its key, EdDSA's two times. */
static size_t signature_max(const struct ocsp_signer *signer)
{
	return 2 * (((size_t)signer->cert.key_bits + 7) / 8) + 16;
}

/* What is signed stands in `tbs`, in the front of `memory`; it is moved to before its signature, and all of it to the front.
 */
static int finish(gnutls_datum_t *out, const struct ocsp_signer *signer, const struct der_writer *tbs, uint8_t *memory,
		  size_t size, struct clinch_error *err)
{
	const gnutls_datum_t data = { tbs->at, (unsigned)(tbs->end - tbs->at) };
	auto_datum signature = { NULL, 0 };
	int rc = gnutls_privkey_sign_data2(signer->key, signer->sign, 0, &data, &signature);

	if (rc < 0)
		return error_gnutls(err, rc, "the key cannot sign");
	struct der_writer whole = der_writer_on(memory, size);
	put_tail(&whole, signer, &signature);
	if (whole.overflow || whole.at < tbs->end)
		return error_set(err, CLINCH_E_TOO_LARGE, "the signature is longer than its key");
	whole.at = memmove(whole.at - data.size, data.data, data.size);
	put_front(&whole, whole.end);
	*out = (gnutls_datum_t){ memory, (unsigned)(whole.end - whole.at) };
	memmove(memory, whole.at, out->size);
	return 0;
}

int ocsp_sign(gnutls_datum_t *out, struct ocsp_signer *signer, const struct ocsp_single *single, size_t n,
	      int64_t produced_at, const struct der *nonce, struct clinch_error *err)
{
	const char *refused = why_not(single, n, nonce);
	if (refused)
		return error_set(err, CLINCH_E_ARGUMENT, "%s", refused);
	size_t before = AROUND_SIZE + tbs_size(signer, single, n),
	       size = before + AROUND_SIZE + der_len(signer->algorithm) + signature_max(signer) + der_len(signer->certs);
	uint8_t *memory = gnutls_malloc(size);
	if (!memory)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a response");
	struct der_writer tbs = der_writer_on(memory, before);
	put_tbs(&tbs, signer, single, n, produced_at, nonce);
	int code = tbs.overflow ? error_set(err, CLINCH_E_ARGUMENT, "a time has a year that cannot be written")
				: finish(out, signer, &tbs, memory, size, err);
	if (code < 0)
		gnutls_free(memory);
	return code;
}

gnutls_datum_t ocsp_refuse(enum ocsp_refusal refusal)
{
	static const uint8_t refusals[][5] = {
		[OCSP_MALFORMED_REQUEST] = { DER_SEQUENCE, 3, DER_ENUMERATED, 1, OCSP_MALFORMED_REQUEST },
		[OCSP_INTERNAL_ERROR] = { DER_SEQUENCE, 3, DER_ENUMERATED, 1, OCSP_INTERNAL_ERROR },
		[OCSP_TRY_LATER] = { DER_SEQUENCE, 3, DER_ENUMERATED, 1, OCSP_TRY_LATER },
		[OCSP_UNAUTHORIZED] = { DER_SEQUENCE, 3, DER_ENUMERATED, 1, OCSP_UNAUTHORIZED },
	};

	return (gnutls_datum_t){ (uint8_t *)refusals[refusal], sizeof(refusals[refusal]) };
}

size_t ocsp_cert_id_write(uint8_t *out, size_t size, const struct issuer *ca, enum subject_hash hash, struct der serial)
{
	const struct subject_digest *digest = &subject_digests[hash];
	struct der_writer writer = der_writer_on(out, size);
	const uint8_t *end = der_mark(&writer), *algorithm;

	der_put(&writer, DER_INTEGER, serial.at, der_len(serial));
	der_put(&writer, DER_OCTET_STRING, ca->key_hash[hash], digest->len);
	der_put(&writer, DER_OCTET_STRING, ca->name_hash[hash], digest->len);
	algorithm = der_mark(&writer);
	der_put(&writer, DER_NULL, NULL, 0);
	der_put(&writer, DER_OID, digest->oid, digest->oid_len);
	der_close(&writer, DER_SEQUENCE, algorithm);
	der_close(&writer, DER_SEQUENCE, end);
	if (writer.overflow)
		return 0;
	memmove(out, writer.at, (size_t)(writer.end - writer.at));
	return (size_t)(writer.end - writer.at);
}
