/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/time.h"
#include "der/oid.h"
#include "der/writer.h"
#include "ocsp/signing.h"
#include <gnutls/crypto.h>
#include <string.h>

#define PREPARED_AROUND 192 /* the algorithm, the key's hash, headers */

DEFINE_CLEANUP(struct ocsp_signer *, cleanup_signer, ocsp_signer_unref)

/* ---- the certificate ---- */

static const char *sentence(enum clinch_reason reason)
{
	switch (reason) {
	case CLINCH_REASON_DELEGATE_ISSUER:
		return "was issued by somebody else than this CA";
	case CLINCH_REASON_DELEGATE_EKU:
		return "may not sign for the CA: its extendedKeyUsage lacks OCSPSigning; have one issued with it";
	case CLINCH_REASON_DELEGATE_KEY_USAGE:
		return "may not sign: its keyUsage lacks digitalSignature; have one issued with it";
	case CLINCH_REASON_DELEGATE_CRITICAL:
		return "has a critical extension that clients do not know: they would refuse it";
	case CLINCH_REASON_DELEGATE_WEAK_KEY:
		return "has a key that is too weak, or of a kind that is not known";
	case CLINCH_REASON_DELEGATE_WEAK_SIGNATURE:
		return "is signed with an algorithm that is too weak, or not known: clients would refuse it";
	case CLINCH_REASON_DELEGATE_SIGNATURE:
		return "has this CA's name for its issuer, and was not signed with its key";
	case CLINCH_REASON_DELEGATE_MALFORMED:
		return "is not a certificate in strict DER";
	default:
		return "cannot be examined";
	}
}

static int refuse(enum clinch_reason reason, struct clinch_error *err)
{
	int code = reason == CLINCH_REASON_INTERNAL ? CLINCH_E_MEMORY : CLINCH_E_ARGUMENT;

	return error_set(err, code, "the signer %s", sentence(reason));
}

/* The CA may have been issued another certificate for the same key since: what it signs is its own all the same. */
static bool is_the_ca(const struct cert_view *cert, const struct issuer *ca)
{
	return der_equals(cert->subject, ca->view.subject) && der_equals(cert->spki, ca->view.spki);
}

static int read_cert(struct ocsp_signer *signer, size_t len, struct clinch_error *err)
{
	struct delegate *cert = &signer->cert;
	enum clinch_reason reason = delegate_read(cert, der_of(signer->der, len));

	if (reason != CLINCH_REASON_GOOD)
		return refuse(reason, err);
	signer->is_delegate = !is_the_ca(&cert->view, signer->ca);
	if (signer->is_delegate) /* at an instant when it is valid: the time is ocsp_signer_check()'s */
		reason = delegate_check(cert, signer->ca, cert->view.not_before);
	if (reason == CLINCH_REASON_GOOD)
		reason = signer->is_delegate ? delegate_meet(cert, signer->ca) : delegate_import_key(cert);
	if (reason != CLINCH_REASON_GOOD)
		return refuse(reason, err);
	int rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, signer->der, len, signer->fingerprint);
	return rc < 0 ? error_gnutls(err, rc, "the signer's certificate cannot be hashed") : 0;
}

/* ---- the signature's algorithm ---- */

#define WITH_NULL "\x05\x00"
#define PLAIN(oid) oid, sizeof(oid) - 1, "", 0
#define RSA(oid) oid, sizeof(oid) - 1, WITH_NULL, 2 /* RFC 4055 5 */

static const struct algorithm_row {
	gnutls_sign_algorithm_t sign;
	const char *oid;
	size_t oid_len;
	const char *parameters;
	size_t parameters_len;
} rows[] = {
	{ GNUTLS_SIGN_ECDSA_SHA256, PLAIN(OID_SHA256_ECDSA) }, { GNUTLS_SIGN_ECDSA_SHA384, PLAIN(OID_SHA384_ECDSA) },
	{ GNUTLS_SIGN_ECDSA_SHA512, PLAIN(OID_SHA512_ECDSA) }, { GNUTLS_SIGN_EDDSA_ED25519, PLAIN(OID_ED25519) },
	{ GNUTLS_SIGN_EDDSA_ED448, PLAIN(OID_ED448) },         { GNUTLS_SIGN_RSA_SHA256, RSA(OID_SHA256_RSA) },
};

/* The digest as strong as the curve (RFC 5480 4). */
static gnutls_sign_algorithm_t of_curve(unsigned bits)
{
	return bits > 384 ? GNUTLS_SIGN_ECDSA_SHA512 : bits > 256 ? GNUTLS_SIGN_ECDSA_SHA384 : GNUTLS_SIGN_ECDSA_SHA256;
}

/* SHA-256, unless the key's own parameters say another (RFC 4055 1.2). */
static gnutls_sign_algorithm_t of_pss_key(gnutls_pubkey_t key, unsigned *salt_len)
{
	auto_spki spki = NULL;
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_SHA256;
	unsigned least = 0;

	if (gnutls_x509_spki_init(&spki) >= 0 && gnutls_pubkey_get_spki(key, spki, 0) >= 0)
		gnutls_x509_spki_get_rsa_pss_params(spki, &digest, &least);
	*salt_len = gnutls_hash_get_len(digest);
	if (*salt_len < least)
		*salt_len = least;
	return digest == GNUTLS_DIG_SHA512   ? GNUTLS_SIGN_RSA_PSS_SHA512
	       : digest == GNUTLS_DIG_SHA384 ? GNUTLS_SIGN_RSA_PSS_SHA384
					     : GNUTLS_SIGN_RSA_PSS_SHA256;
}

static gnutls_sign_algorithm_t choose(const struct delegate *cert, unsigned options, unsigned *salt_len)
{
	switch (cert->key_kind) {
	case GNUTLS_PK_ECDSA:
		return of_curve(cert->key_bits);
	case GNUTLS_PK_EDDSA_ED25519:
		return GNUTLS_SIGN_EDDSA_ED25519;
	case GNUTLS_PK_EDDSA_ED448:
		return GNUTLS_SIGN_EDDSA_ED448;
	case GNUTLS_PK_RSA_PSS:
		return of_pss_key(cert->key, salt_len);
	default:
		*salt_len = 32;
		return options & OCSP_SIGNER_PSS ? GNUTLS_SIGN_RSA_PSS_SHA256 : GNUTLS_SIGN_RSA_SHA256;
	}
}

static void put_digest(struct der_writer *writer, gnutls_digest_algorithm_t digest)
{
	const uint8_t *mark = der_mark(writer);
	int i = 0;

	while (subject_digests[i].gnutls != digest)
		i++;
	der_put(writer, DER_NULL, NULL, 0);
	der_put(writer, DER_OID, subject_digests[i].oid, subject_digests[i].oid_len);
	der_close(writer, DER_SEQUENCE, mark);
}

/* RFC 4055 3.1; trailerField has its default. */
static void put_pss_parameters(struct der_writer *writer, gnutls_digest_algorithm_t digest, unsigned salt_len)
{
	const uint8_t salt[] = { (uint8_t)(salt_len >> 8), (uint8_t)salt_len };
	const uint8_t *end = der_mark(writer), *mark;

	der_put(writer, DER_INTEGER, salt_len < 0x80 ? salt + 1 : salt, salt_len < 0x80 ? 1 : 2);
	der_close(writer, DER_CONTEXT(2), end);
	mark = der_mark(writer);
	put_digest(writer, digest);
	der_put(writer, DER_OID, OID_MGF1, sizeof(OID_MGF1) - 1);
	der_close(writer, DER_SEQUENCE, mark);
	der_close(writer, DER_CONTEXT(1), mark);
	mark = der_mark(writer);
	put_digest(writer, digest);
	der_close(writer, DER_CONTEXT(0), mark);
	der_close(writer, DER_SEQUENCE, end);
}

static void put_algorithm(struct der_writer *writer, gnutls_sign_algorithm_t sign, unsigned salt_len)
{
	const uint8_t *mark = der_mark(writer);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].sign != sign)
			continue;
		der_put_raw(writer, rows[i].parameters, rows[i].parameters_len);
		der_put(writer, DER_OID, rows[i].oid, rows[i].oid_len);
		der_close(writer, DER_SEQUENCE, mark);
		return;
	}
	put_pss_parameters(writer, gnutls_sign_get_hash_algorithm(sign), salt_len);
	der_put(writer, DER_OID, OID_RSA_PSS, sizeof(OID_RSA_PSS) - 1);
	der_close(writer, DER_SEQUENCE, mark);
}

/* ---- what each response has alike ---- */

static void put_responder_id(struct der_writer *writer, const struct ocsp_signer *signer, bool by_name)
{
	const struct der *name = &signer->cert.view.subject;
	const uint8_t *mark = der_mark(writer);

	if (by_name) {
		der_put_raw(writer, name->at, der_len(*name));
		der_close(writer, DER_CONTEXT(1), mark);
	} else {
		der_put(writer, DER_OCTET_STRING, signer->cert.key_hash, sizeof(signer->cert.key_hash));
		der_close(writer, DER_CONTEXT(2), mark);
	}
}

/*
 * The delegate's certificate; and a self-issued CA's own, which RFC 6960 does not ask for: GnuTLS finds no signer in a
 * response for an intermediate whose root was not sent.
 */
static void put_certs(struct der_writer *writer, const struct ocsp_signer *signer)
{
	const uint8_t *mark = der_mark(writer);

	if (!signer->is_delegate && !cert_view_self_issued(&signer->cert.view))
		return;
	der_put_raw(writer, signer->cert.view.whole.at, der_len(signer->cert.view.whole));
	der_close(writer, DER_SEQUENCE, mark);
	der_close(writer, DER_CONTEXT(0), mark);
}

/* All that was written since `mark`. */
static struct der since(const struct der_writer *writer, const uint8_t *mark)
{
	return (struct der){ writer->at, mark };
}

static int prepare(struct ocsp_signer *signer, unsigned options, unsigned salt_len, struct clinch_error *err)
{
	size_t size = der_len(signer->cert.view.whole) + der_len(signer->cert.view.subject) + PREPARED_AROUND;
	signer->prepared = malloc(size);
	if (!signer->prepared)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a signer");
	struct der_writer writer = der_writer_on(signer->prepared, size);
	const uint8_t *mark = der_mark(&writer);
	put_certs(&writer, signer);
	signer->certs = since(&writer, mark);
	mark = der_mark(&writer);
	put_algorithm(&writer, signer->sign, salt_len);
	signer->algorithm = since(&writer, mark);
	mark = der_mark(&writer);
	put_responder_id(&writer, signer, options & OCSP_SIGNER_BY_NAME);
	signer->responder_id = since(&writer, mark);
	return writer.overflow ? error_set(err, CLINCH_E_MEMORY, "too little memory for a signer") : 0;
}

/* ---- the key ---- */

/* Signs once, and verifies as a client will: it tells more than comparing public keys, which a token may not give out. */
static int try_key(const struct ocsp_signer *signer, struct clinch_error *err)
{
	static const uint8_t text[] = "clinch: does the key fit the certificate?";
	const gnutls_datum_t data = { (uint8_t *)text, sizeof(text) };
	struct der whole = signer->algorithm, content;
	struct signature_algorithm algorithm;
	auto_datum signature = { NULL, 0 };

	if (gnutls_privkey_get_pk_algorithm(signer->key, NULL) != signer->cert.key_kind)
		return error_set(err, CLINCH_E_ARGUMENT,
				 "the key is of another kind than the one of the signer's certificate");
	if (!der_take(&whole, DER_SEQUENCE, &content) ||
	    signature_algorithm_parse(&algorithm, content) != SIGNATURE_PARSED ||
	    !signature_suits_key(&algorithm, signer->cert.key, signer->cert.key_kind))
		return error_set(err, CLINCH_E_UNSUPPORTED, "the signer's key allows no signature that is known here");
	int rc = gnutls_privkey_sign_data2(signer->key, signer->sign, 0, &data, &signature);
	if (rc < 0)
		return error_gnutls(err, rc, "the signer's key cannot sign");
	rc = signature_verify(&algorithm, signer->cert.key, der_of(data.data, data.size),
			      der_of(signature.data, signature.size));
	if (rc == GNUTLS_E_PK_SIG_VERIFY_FAILED)
		return error_set(err, CLINCH_E_ARGUMENT, "the key does not belong to the signer's certificate");
	return rc < 0 ? error_gnutls(err, rc, "the signer's key cannot be tried") : 0;
}

int ocsp_signer_new(struct ocsp_signer **out, const gnutls_datum_t *cert, struct issuer *ca, gnutls_privkey_t key,
		    unsigned options, struct clinch_error *err)
{
	AUTO(cleanup_signer) struct ocsp_signer *signer = calloc(1, sizeof(*signer) + cert->size);
	unsigned salt_len = 0;

	if (!signer) {
		gnutls_privkey_deinit(key);
		return error_set(err, CLINCH_E_MEMORY, "no memory for a signer");
	}
	atomic_init(&signer->refs, 1);
	signer->ca = issuer_ref(ca);
	signer->key = key;
	memcpy(signer->der, cert->data, cert->size);
	int code = read_cert(signer, cert->size, err);
	if (code < 0)
		return code;
	signer->sign = choose(&signer->cert, options, &salt_len);
	code = prepare(signer, options, salt_len, err);
	if (code == 0)
		code = try_key(signer, err);
	if (code == 0)
		*out = TAKE(signer);
	return code;
}

struct ocsp_signer *ocsp_signer_ref(struct ocsp_signer *signer)
{
	if (signer)
		atomic_fetch_add_explicit(&signer->refs, 1, memory_order_relaxed);
	return signer;
}

void ocsp_signer_unref(struct ocsp_signer *signer)
{
	if (!signer || atomic_fetch_sub_explicit(&signer->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (signer->cert.key)
		gnutls_pubkey_deinit(signer->cert.key);
	gnutls_privkey_deinit(signer->key);
	issuer_unref(signer->ca);
	free(signer->prepared);
	free(signer);
}

/* ---- what is known of it ---- */

int ocsp_signer_check(const struct ocsp_signer *signer, int64_t now, struct clinch_error *err)
{
	const struct cert_view *cert = &signer->cert.view;
	char text[TIME_TEXT_SIZE];

	if (now < cert->not_before)
		return error_set(err, CLINCH_E_ARGUMENT, "the signer's certificate is valid from %s on: not yet",
				 time_format(text, cert->not_before));
	if (now >= cert->not_after)
		return error_set(err, CLINCH_E_ARGUMENT,
				 "the signer's certificate was valid until %s: have a new one issued",
				 time_format(text, cert->not_after));
	return 0;
}

int64_t ocsp_signer_not_before(const struct ocsp_signer *signer)
{
	return signer->cert.view.not_before;
}

int64_t ocsp_signer_not_after(const struct ocsp_signer *signer)
{
	return signer->cert.view.not_after;
}

bool ocsp_signer_is_delegate(const struct ocsp_signer *signer)
{
	return signer->is_delegate;
}

bool ocsp_signer_has_nocheck(const struct ocsp_signer *signer)
{
	return delegate_has_nocheck(&signer->cert.view);
}

bool ocsp_signer_lacks_usage(const struct ocsp_signer *signer)
{
	unsigned usage = cert_view_key_usage(&signer->cert.view);

	return !signer->is_delegate && usage && !(usage & (GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_NON_REPUDIATION));
}

const uint8_t *ocsp_signer_fingerprint(const struct ocsp_signer *signer)
{
	return signer->fingerprint;
}
