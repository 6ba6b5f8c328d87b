/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509/subject.h"
#include "base/error.h"
#include "der/oid.h"
#include "x509/signature.h"
#include <gnutls/crypto.h>
#include <string.h>

#define DIGEST(dig, len, name, text)                                                                                        \
	{                                                                                                                   \
		dig, len, sizeof(OID_##name) - 1, OID_##name, text                                                          \
	}
const struct subject_digest subject_digests[SUBJECT_HASHES] = {
	[HASH_SHA1] = DIGEST(GNUTLS_DIG_SHA1, 20, SHA1, "sha1"),
	[HASH_SHA256] = DIGEST(GNUTLS_DIG_SHA256, 32, SHA256, "sha256"),
	[HASH_SHA384] = DIGEST(GNUTLS_DIG_SHA384, 48, SHA384, "sha384"),
	[HASH_SHA512] = DIGEST(GNUTLS_DIG_SHA512, 64, SHA512, "sha512"),
};

static int hash_each(uint8_t out[SUBJECT_HASHES][64], struct der bytes)
{
	for (int i = 0; i < SUBJECT_HASHES; i++) {
		int rc = gnutls_hash_fast(subject_digests[i].gnutls, bytes.at, der_len(bytes), out[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int prepare_issuer(struct issuer *issuer, struct clinch_error *err)
{
	gnutls_datum_t spki = { (uint8_t *)issuer->view.spki.at, (unsigned)der_len(issuer->view.spki) };
	int rc = gnutls_pubkey_init(&issuer->key);

	if (rc < 0)
		return error_gnutls(err, rc, "the issuer's key");
	rc = gnutls_pubkey_import(issuer->key, &spki, GNUTLS_X509_FMT_DER);
	if (rc < 0)
		return error_gnutls(err, rc, "the issuer's key cannot be read");
	issuer->key_kind = gnutls_pubkey_get_pk_algorithm(issuer->key, &issuer->key_bits);
	rc = hash_each(issuer->key_hash, issuer->view.key_bits);
	if (rc >= 0)
		rc = hash_each(issuer->name_hash, issuer->view.subject);
	if (rc >= 0)
		rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, issuer->view.whole.at, der_len(issuer->view.whole),
				      issuer->fingerprint);
	return rc < 0 ? error_gnutls(err, rc, "the issuer cannot be hashed") : 0;
}

int issuer_new(struct issuer **out, const gnutls_datum_t *der, struct clinch_error *err)
{
	auto_issuer *issuer = calloc(1, sizeof(*issuer) + der->size);

	if (!issuer)
		return error_set(err, CLINCH_E_MEMORY, "no memory for an issuer");
	atomic_init(&issuer->refs, 1);
	memcpy(issuer->der, der->data, der->size);
	if (!cert_view_parse(&issuer->view, der_of(issuer->der, der->size)))
		return error_set(err, CLINCH_E_FORMAT, "the issuer is not a certificate in strict DER");
	int rc = prepare_issuer(issuer, err);
	if (rc < 0)
		return rc;
	*out = TAKE(issuer);
	return 0;
}

struct issuer *issuer_ref(struct issuer *issuer)
{
	if (issuer)
		atomic_fetch_add_explicit(&issuer->refs, 1, memory_order_relaxed);
	return issuer;
}

void issuer_unref(struct issuer *issuer)
{
	if (!issuer || atomic_fetch_sub_explicit(&issuer->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (issuer->key)
		gnutls_pubkey_deinit(issuer->key);
	free(issuer);
}

static int prepare_subject(clinch_subject_t *subject, struct clinch_error *err)
{
	int rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, subject->view.whole.at, der_len(subject->view.whole),
				  subject->fingerprint);

	if (rc < 0)
		return error_gnutls(err, rc, "the certificate cannot be hashed");
	/* The issuer's name stands here with the very same bytes: check_issued(). */
	memcpy(subject->name_hash, subject->issuer->name_hash, sizeof(subject->name_hash));
	subject->must_staple = cert_view_must_staple(&subject->view);
	subject->is_ca = cert_view_is_ca(&subject->view);
	subject->self_issued = cert_view_self_issued(&subject->view);
	return 0;
}

static int check_issued(const struct cert_view *cert, const struct issuer *issuer, bool check_signature,
			struct clinch_error *err)
{
	if (!der_equals(cert->issuer, issuer->view.subject))
		return error_set(err, CLINCH_E_NOT_ISSUER, "the certificate names another issuer than the one given");
	int rc = check_signature ? signature_check_issued(cert, issuer->key, issuer->key_kind) : 0;
	if (rc == CLINCH_E_NOT_ISSUER)
		return error_set(err, rc, "the issuer given has the right name, but its key did not sign the certificate");
	return rc < 0 ? error_set(err, rc, "the certificate's signature cannot be checked: %s", clinch_strerror(rc)) : 0;
}

int subject_new(clinch_subject_t **out, const gnutls_datum_t *cert, struct issuer *issuer, bool check_signature,
		struct clinch_error *err)
{
	auto_subject *subject = calloc(1, sizeof(*subject) + cert->size);

	if (!subject)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a certificate");
	atomic_init(&subject->refs, 1);
	subject->issuer = issuer_ref(issuer);
	memcpy(subject->der, cert->data, cert->size);
	if (!cert_view_parse(&subject->view, der_of(subject->der, cert->size)))
		return error_set(err, CLINCH_E_FORMAT, "the certificate is not in strict DER");
	int rc = check_issued(&subject->view, issuer, check_signature, err);
	if (rc == 0)
		rc = prepare_subject(subject, err);
	if (rc < 0)
		return rc;
	*out = TAKE(subject);
	return 0;
}

int clinch_subject_new(clinch_subject_t **out, gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer, struct clinch_error *err)
{
	auto_datum cert_der = { NULL, 0 };
	auto_datum issuer_der = { NULL, 0 };
	auto_issuer *prepared = NULL;

	if (!out || !cert || !issuer)
		return error_set(err, CLINCH_E_ARGUMENT, "a certificate and its issuer are needed");
	int rc = gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &cert_der);
	if (rc >= 0)
		rc = gnutls_x509_crt_export2(issuer, GNUTLS_X509_FMT_DER, &issuer_der);
	if (rc < 0)
		return error_gnutls(err, rc, "the certificate cannot be exported");
	rc = issuer_new(&prepared, &issuer_der, err);
	return rc < 0 ? rc : subject_new(out, &cert_der, prepared, true, err);
}

clinch_subject_t *clinch_subject_ref(clinch_subject_t *subject)
{
	if (subject)
		atomic_fetch_add_explicit(&subject->refs, 1, memory_order_relaxed);
	return subject;
}

void clinch_subject_unref(clinch_subject_t *subject)
{
	if (!subject || atomic_fetch_sub_explicit(&subject->refs, 1, memory_order_acq_rel) != 1)
		return;
	issuer_unref(subject->issuer);
	free(subject);
}

gnutls_datum_t clinch_subject_cert(const clinch_subject_t *subject)
{
	return (gnutls_datum_t){ (uint8_t *)subject->view.whole.at, (unsigned)der_len(subject->view.whole) };
}

const uint8_t *clinch_subject_fingerprint(const clinch_subject_t *subject)
{
	return subject->fingerprint;
}

bool clinch_subject_must_staple(const clinch_subject_t *subject)
{
	return subject->must_staple;
}

int clinch_subject_ocsp_url(const clinch_subject_t *subject, unsigned i, gnutls_datum_t *url)
{
	struct der found;

	if (!cert_view_access_url(&subject->view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, i, &found))
		return CLINCH_E_MISSING;
	*url = (gnutls_datum_t){ (uint8_t *)found.at, (unsigned)der_len(found) };
	return 0;
}
