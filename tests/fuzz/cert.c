/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates and their files. The first byte of an input says what the rest is: a file (PEM or DER), or a tbsCertificate,
 * which the CA signs here, to be made a subject and an issuer of.
 */
#include "der/oid.h"
#include "fuzz.h"
#include "maker.h"
#include "ocsp/request.h"
#include "x509/chain.h"
#include "x509/subject.h"
#include <string.h>

static void look_at(struct der der)
{
	struct cert_view view;
	struct der url;

	if (!cert_view_parse(&view, der))
		return;
	(void)cert_view_must_staple(&view);
	(void)cert_view_is_ca(&view);
	(void)cert_view_self_issued(&view);
	for (unsigned i = 0; i < 8 && cert_view_access_url(&view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, i, &url); i++)
		MUST(url.at >= der.at && url.end <= der.end);
	(void)cert_view_access_url(&view, OID_AD_CA_ISSUERS, sizeof(OID_AD_CA_ISSUERS) - 1, 0, &url);
}

static void a_file(const uint8_t *data, size_t size)
{
	struct clinch_error err;
	auto_chain chain = { .n = 0 };
	int rc = chain_parse(&chain, data, size, "file", &err);

	if (rc < 0) {
		MUST(chain.n == 0 && err.code == rc && strncmp(err.text, "file: ", 6) == 0);
		return;
	}
	MUST(chain.n > 0 && chain.n <= CHAIN_MAX);
	for (unsigned i = 0; i < chain.n; i++) {
		look_at(der_of(chain.cert[i].data, chain.cert[i].size));
		(void)chain_find_issuer(&chain, &chain.cert[i]);
	}
}

static void a_certificate(struct blob tbs)
{
	struct blob cert = SEQ(tbs, algorithm_of(ECDSA_SHA256), bits(sign(KEY_CA, ECDSA_SHA256, tbs)));
	const gnutls_datum_t der = blob_datum(cert), ca = blob_datum(world_ca());
	auto_issuer *issuer = NULL, *self = NULL;
	auto_subject *subject = NULL;
	static const gnutls_datum_t nonce = { (unsigned char *)(uintptr_t) "0123456789abcdef", 16 };
	struct ocsp_request parsed;
	gnutls_datum_t url;

	look_at(der_of(cert.data, cert.len));
	MUST(issuer_new(&issuer, &ca, NULL) == 0);
	(void)issuer_new(&self, &der, NULL);
	if (subject_new(&subject, &der, issuer, true, NULL) < 0)
		return;
	for (unsigned i = 0; i < 8 && clinch_subject_ocsp_url(subject, i, &url) == 0; i++)
		MUST(url.size <= der.size);
	gnutls_datum_t request = { NULL, 0 };
	MUST(clinch_request_build(&request, subject, GNUTLS_DIG_SHA256, &nonce) == 0);
	MUST(ocsp_request_parse(&parsed, der_of(request.data, request.size)));
	gnutls_free(request.data);
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	maker_reset();
	if (data[0] % 2)
		a_certificate(blob_of(data + 1, size - 1));
	else
		a_file(data + 1, size - 1);
	return 0;
}

FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate_behind(1, data, size, max_size, seed);
}
