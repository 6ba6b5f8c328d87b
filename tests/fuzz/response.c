/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Responses, up to the verdict and its description. The first byte of an input says what the rest is: a whole response as it
 * came, or tbsResponseData, which is signed here (by the issuer, by its delegate with ECDSA, RSA or Ed25519, by a signer
 * that the policy trusts), or the tbsCertificate of a delegate, which the issuer signs. So what is changed gets past the
 * signatures. The keys are the tests'.
 */
#include "base/cleanup.h"
#include "fuzz.h"
#include "maker.h"
#include "ocsp/describe.h"
#include "ocsp/names.h"
#include "x509/subject.h"
#include <string.h>

enum form { WHOLE, BY_ISSUER, BY_DELEGATE, BY_RSA, BY_ED25519, DELEGATE, BY_TRUSTED, FORMS };

static clinch_subject_t *subject;
static clinch_signers_t *signers;

static void begin(void)
{
	if (subject)
		return;
	gnutls_x509_crt_t ca = import_cert(world_ca()), leaf = import_cert(world_leaf());
	MUST(clinch_subject_new(&subject, leaf, ca, NULL) == 0);
	MUST(clinch_signers_new(&signers, 4) == 0);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(leaf);
}

static struct blob signed_by(enum key key, enum scheme scheme, struct blob tbs)
{
	struct cert_spec cert = delegate_spec();
	cert.key = key;
	struct blob certs = key == KEY_CA ? BLOB_NONE : make_cert(&cert);
	return wrap_basic(make_basic(tbs, algorithm_of(scheme), sign(key, scheme, tbs), certs));
}

static struct blob own_certificate(void)
{
	struct cert_spec spec = delegate_spec();
	spec.key = spec.signer = KEY_OTHER;
	spec.issuer = spec.subject = "Own";
	return make_cert(&spec);
}

static struct blob by_certificate(struct blob tbs)
{
	const struct entry_spec entry = good_entry();
	struct response_spec spec = delegated_with(make_entry(&entry));
	spec.certs = SEQ(tbs, algorithm_of(ECDSA_SHA256), bits(sign(KEY_CA, ECDSA_SHA256, tbs)));
	return make_response(&spec);
}

static struct blob response_of(enum form form, struct blob rest)
{
	switch (form) {
	case BY_ISSUER:
		return signed_by(KEY_CA, ECDSA_SHA256, rest);
	case BY_DELEGATE:
		return signed_by(KEY_DELEGATE, ECDSA_SHA256, rest);
	case BY_RSA:
		return signed_by(KEY_RSA, PSS_SHA256, rest);
	case BY_ED25519:
		return signed_by(KEY_ED25519, ED25519_PURE, rest);
	case DELEGATE:
		return by_certificate(rest);
	case BY_TRUSTED:
		return wrap_basic(
			make_basic(rest, algorithm_of(ECDSA_SHA256), sign(KEY_OTHER, ECDSA_SHA256, rest), BLOB_NONE));
	default:
		return rest;
	}
}

static void describe(struct blob response)
{
	struct ocsp_response parsed;
	struct ocsp_description description;
	auto_datum text = { NULL, 0 };

	if (ocsp_response_parse(&parsed, der_of(response.data, response.len)) != CLINCH_REASON_GOOD)
		return;
	ocsp_describe(&description, &parsed, subject);
	ocsp_describe(&description, &parsed, NULL);
	MUST(description.signature && description.cert_id_hash);
	if (description.signer_name.at && ocsp_name_text(&text, description.signer_name))
		MUST(text.data || text.size == 0); /* a name may be empty */
}

static void put_into_words(const struct clinch_verdict *verdict)
{
	MUST(*clinch_status_name(verdict->status) && *clinch_reason_name(verdict->reason));
	MUST(*clinch_reason_text(verdict->reason) && *clinch_reason_source(verdict->reason));
	for (int i = 0; i < 64; i++) {
		bool said = verdict->findings >> i & 1;
		MUST(!said || (*clinch_finding_name(i) && *clinch_finding_text(i)));
		MUST(!said || (*clinch_finding_level(i) && *clinch_finding_source(i)));
	}
}

static struct clinch_verdict judge(const gnutls_datum_t *der, int64_t now, const struct clinch_policy *policy)
{
	struct clinch_verdict verdict;
	clinch_response_t *out = NULL;

	clinch_verify(&out, &verdict, der, subject, now, policy);
	MUST(verdict.status == reason_status(verdict.reason));
	MUST((verdict.status == CLINCH_GOOD) == (verdict.reason == CLINCH_REASON_GOOD));
	MUST(verdict.status != CLINCH_GOOD || verdict.fresh);
	MUST(!out == !(verdict.fresh && (verdict.status == CLINCH_GOOD || verdict.status == CLINCH_REVOKED)));
	MUST(verdict.reason != CLINCH_REASON_INTERNAL);
	if (verdict.status == CLINCH_GOOD)
		MUST(memmem(der->data, der->size, "\x02\x04\x0a\x0b\x0c\x0d", 6)); /* it names our serial number */
	if (out) {
		clinch_response_t *again = clinch_response_ref(out);
		MUST(clinch_response_der(again).size == der->size);
		MUST(memcmp(clinch_response_verdict(again), &verdict, sizeof(verdict)) == 0);
		clinch_response_unref(again);
	}
	clinch_response_unref(out);
	put_into_words(&verdict);
	return verdict;
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 66000)
		return 0;
	maker_reset();
	begin();
	enum form form = data[0] % FORMS;
	struct blob response = response_of(form, blob_of(data + 1, size - 1));
	const gnutls_datum_t der = blob_datum(response), nonce = { (unsigned char *)(uintptr_t) "nonce", 5 };
	const gnutls_datum_t own = blob_datum(own_certificate());
	const struct clinch_policy remembering = { .signers = signers }, strict = {
		.nonce = &nonce, .max_age_s = DAY, .allow_sha1_signature = true, .skew_s = 1, .trusted = &own
	};
	const struct clinch_verdict one = judge(&der, NOW, NULL), two = judge(&der, NOW, &remembering);
	MUST(memcmp(&one, &two, sizeof(one)) == 0);
	judge(&der, NOW + 4 * DAY, &strict);
	clinch_signers_t *one_place = NULL;
	MUST(clinch_signers_new(&one_place, 1) == 0);
	const struct clinch_policy forgetful = { .signers = clinch_signers_ref(one_place) };
	clinch_signers_unref(one_place);
	judge(&der, NOW, &forgetful);
	clinch_signers_unref(one_place);
	describe(response);
	return 0;
}

FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate_behind(1, data, size, max_size, seed);
}
