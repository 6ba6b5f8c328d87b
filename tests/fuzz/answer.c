/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is signed for a request of a stranger's: a response that our own parser takes, with each CertID byte for byte as it
 * was asked, in the same order, and the nonce. */
#include "fuzz.h"
#include "maker.h"
#include "ocsp/request.h"
#include "ocsp/response.h"
#include "ocsp/signer.h"
#include <stdlib.h>

#define MOST 32

static struct ocsp_signer *signer;

static void clear(void)
{
	ocsp_signer_unref(signer);
	maker_done();
}

static void make_signer(void)
{
	const gnutls_datum_t ca = blob_datum(world_ca()), pem = blob_datum(blob_text(maker_key_pem[KEY_CA]));
	struct issuer *issuer = NULL;
	gnutls_privkey_t key = NULL;

	MUST(issuer_new(&issuer, &ca, NULL) == 0 && gnutls_privkey_init(&key) == 0);
	MUST(gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) == 0);
	MUST(ocsp_signer_new(&signer, &ca, issuer, key, 0, NULL) == 0);
	issuer_unref(issuer);
	MUST(atexit(clear) == 0);
}

/* Each status in turn, so that a mistake of one is no mistake of the next. */
static size_t answer_each(struct ocsp_single single[MOST], struct der requests)
{
	static const enum clinch_status statuses[] = { CLINCH_GOOD, CLINCH_REVOKED, CLINCH_UNKNOWN };
	struct ocsp_request_entry entry;
	size_t n = 0;

	for (; n < MOST && ocsp_request_next(&requests, &entry); n++)
		single[n] = (struct ocsp_single){ .cert_id = entry.whole_id,
						  .status = statuses[n % 3],
						  .revoked_at = NOW - DAY,
						  .revocation_reason = (int)(n % 6),
						  .this_update = NOW,
						  .next_update = NOW + DAY,
						  .archive_cutoff = n % 2 ? NOW - DAY : 0 };
	return n;
}

static void must_say(struct der entries, const struct ocsp_single *single, size_t n)
{
	struct der content, inside, whole;
	struct ocsp_entry entry;

	for (size_t i = 0; i < n; i++) {
		struct der same = entries;
		MUST(der_take(&same, DER_SEQUENCE, &content) && der_take_whole(&content, DER_SEQUENCE, &inside, &whole));
		MUST(der_equals(whole, single[i].cert_id));
		MUST(ocsp_entry_next(&entries, &entry) && entry.status == single[i].status);
		MUST(entry.this_update == NOW && entry.has_next_update && entry.next_update == NOW + DAY);
	}
	MUST(der_at_end(&entries));
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ocsp_request request;
	struct ocsp_response response;
	struct ocsp_single single[MOST];
	gnutls_datum_t out = { NULL, 0 };
	struct der nonce;

	if (!signer)
		make_signer();
	if (!ocsp_request_parse(&request, der_of(data, size)))
		return 0;
	size_t n = answer_each(single, request.requests), nonce_len = der_len(request.nonce);
	bool has_nonce = request.nonce.at != NULL, fits = !has_nonce || (nonce_len >= 1 && nonce_len <= 128);
	int code = ocsp_sign(&out, signer, single, n, NOW, has_nonce ? &request.nonce : NULL, NULL);
	MUST((code == 0) == fits && (out.data != NULL) == fits);
	if (!fits)
		return 0;
	MUST(ocsp_response_parse(&response, der_of(out.data, out.size)) == CLINCH_REASON_GOOD);
	must_say(response.entries, single, n);
	MUST(ocsp_response_has_nonce(&response) == has_nonce);
	MUST(!has_nonce || (ocsp_response_nonce(&response, &nonce) && der_equals(nonce, request.nonce)));
	gnutls_free(out.data);
	return 0;
}

FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate_behind(0, data, size, max_size, seed);
}
