/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509/signature.h"
#include "base/cleanup.h"
#include "der/oid.h"
#include <clinch/error.h>

enum parameters { ABSENT, NULL_OR_ABSENT };

#define ROW(oid, sign, key, digest, weak, parameters, name)                                                                 \
	{                                                                                                                   \
		OID_##oid, sizeof(OID_##oid) - 1, parameters,                                                               \
		{                                                                                                           \
			GNUTLS_SIGN_##sign, GNUTLS_PK_##key, GNUTLS_DIG_##digest, 0, weak, name                             \
		}                                                                                                           \
	}

static const struct row {
	const char *oid;
	size_t oid_len;
	enum parameters parameters;
	struct signature_algorithm algorithm;
} rows[] = {
	ROW(SHA256_ECDSA, ECDSA_SHA256, ECDSA, SHA256, false, ABSENT, "ecdsa-sha256"),
	ROW(SHA256_RSA, RSA_SHA256, RSA, SHA256, false, NULL_OR_ABSENT, "rsa-sha256"),
	ROW(SHA384_ECDSA, ECDSA_SHA384, ECDSA, SHA384, false, ABSENT, "ecdsa-sha384"),
	ROW(SHA512_ECDSA, ECDSA_SHA512, ECDSA, SHA512, false, ABSENT, "ecdsa-sha512"),
	ROW(SHA224_ECDSA, ECDSA_SHA224, ECDSA, SHA224, false, ABSENT, "ecdsa-sha224"),
	ROW(SHA384_RSA, RSA_SHA384, RSA, SHA384, false, NULL_OR_ABSENT, "rsa-sha384"),
	ROW(SHA512_RSA, RSA_SHA512, RSA, SHA512, false, NULL_OR_ABSENT, "rsa-sha512"),
	ROW(SHA224_RSA, RSA_SHA224, RSA, SHA224, false, NULL_OR_ABSENT, "rsa-sha224"),
	ROW(ED25519, EDDSA_ED25519, EDDSA_ED25519, SHA512, false, ABSENT, "ed25519"),
	ROW(ED448, EDDSA_ED448, EDDSA_ED448, SHAKE_256, false, ABSENT, "ed448"),
	ROW(SHA1_ECDSA, ECDSA_SHA1, ECDSA, SHA1, true, ABSENT, "ecdsa-sha1"),
	ROW(SHA1_RSA, RSA_SHA1, RSA, SHA1, true, NULL_OR_ABSENT, "rsa-sha1"),
	ROW(MD5_RSA, RSA_MD5, RSA, MD5, true, NULL_OR_ABSENT, "rsa-md5"),
	ROW(MD2_RSA, RSA_MD2, RSA, MD2, true, NULL_OR_ABSENT, "rsa-md2"),
};

static const struct pss_row {
	const char *oid;
	size_t oid_len;
	struct signature_algorithm algorithm;
} pss_rows[] = {
#define PSS(oid, sign, weak, name)                                                                                          \
	{                                                                                                                   \
		OID_##oid, sizeof(OID_##oid) - 1,                                                                           \
		{                                                                                                           \
			GNUTLS_SIGN_##sign, GNUTLS_PK_RSA_PSS, GNUTLS_DIG_##oid, 0, weak, name                              \
		}                                                                                                           \
	}
	PSS(SHA256, RSA_PSS_SHA256, false, "rsa-pss-sha256"),
	PSS(SHA384, RSA_PSS_SHA384, false, "rsa-pss-sha384"),
	PSS(SHA512, RSA_PSS_SHA512, false, "rsa-pss-sha512"),
	/* GnuTLS has no name for it, so it is never computed: weak is refused first, and so it is where SHA-1 is allowed. */
	PSS(SHA1, UNKNOWN, true, "rsa-pss-sha1"),
};

bool signature_take_digest(struct der *in, struct der *oid)
{
	struct der algorithm;

	if (!der_take(in, DER_SEQUENCE, &algorithm) || !der_take_oid(&algorithm, oid))
		return false;
	return der_at_end(&algorithm) || (der_take_null(&algorithm) && der_at_end(&algorithm));
}

/* [n] EXPLICIT; absent leaves `content` as it was. */
static bool take_optional(struct der *in, unsigned n, struct der *content, bool *present)
{
	*present = der_next_is(in, (uint8_t)DER_CONTEXT(n));
	return !*present || der_take(in, (uint8_t)DER_CONTEXT(n), content);
}

/* RFC 4055 3.1: MGF1 with the same digest is the only one in use, and the one taken here. */
static bool take_mgf(struct der content, struct der digest)
{
	struct der algorithm, oid, inner;

	return der_take(&content, DER_SEQUENCE, &algorithm) && der_at_end(&content) && der_take_oid(&algorithm, &oid) &&
	       OID_IS(oid, MGF1) && signature_take_digest(&algorithm, &inner) && der_at_end(&algorithm) &&
	       der_equals(inner, digest);
}

/* RFC 4055 3.1: "MUST recognize both a present trailerField field with value 1 and an absent trailerField field". */
static bool take_trailer(struct der *in)
{
	struct der content;
	int64_t trailer;

	if (!der_next_is(in, DER_CONTEXT(3)))
		return true;
	return der_take(in, DER_CONTEXT(3), &content) && der_take_small(&content, DER_INTEGER, &trailer) && trailer == 1 &&
	       der_at_end(&content);
}

static bool take_pss(struct der in, struct der *digest, int64_t *salt_len)
{
	struct der parameters, content = in;
	bool given;

	*digest = der_of(OID_SHA1, sizeof(OID_SHA1) - 1);
	*salt_len = 20;
	if (!der_take(&in, DER_SEQUENCE, &parameters) || !der_at_end(&in))
		return false;
	if (!take_optional(&parameters, 0, &content, &given))
		return false;
	if (given && (!signature_take_digest(&content, digest) || !der_at_end(&content)))
		return false;
	if (!take_optional(&parameters, 1, &content, &given))
		return false;
	if (given ? !take_mgf(content, *digest) : !OID_IS(*digest, SHA1))
		return false;
	if (!take_optional(&parameters, 2, &content, &given))
		return false;
	if (given && (!der_take_small(&content, DER_INTEGER, salt_len) || !der_at_end(&content)))
		return false;
	return take_trailer(&parameters) && der_at_end(&parameters) && *salt_len >= 0 && *salt_len <= 1024;
}

static enum signature_parse parse_pss(struct signature_algorithm *out, struct der parameters)
{
	struct der digest;
	int64_t salt_len;

	if (!take_pss(parameters, &digest, &salt_len))
		return SIGNATURE_BAD_PARAMETERS;
	for (size_t i = 0; i < sizeof(pss_rows) / sizeof(*pss_rows); i++) {
		if (!der_equals_bytes(digest, pss_rows[i].oid, pss_rows[i].oid_len))
			continue;
		*out = pss_rows[i].algorithm;
		out->salt_len = (unsigned)salt_len;
		return SIGNATURE_PARSED;
	}
	return SIGNATURE_NOT_KNOWN;
}

static bool parameters_fit(enum parameters wanted, struct der parameters)
{
	if (der_at_end(&parameters))
		return true;
	return wanted == NULL_OR_ABSENT && der_take_null(&parameters) && der_at_end(&parameters);
}

enum signature_parse signature_algorithm_parse(struct signature_algorithm *out, struct der algorithm)
{
	struct der oid;

	if (!der_take_oid(&algorithm, &oid))
		return SIGNATURE_NOT_KNOWN;
	if (OID_IS(oid, RSA_PSS))
		return parse_pss(out, algorithm);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!der_equals_bytes(oid, rows[i].oid, rows[i].oid_len))
			continue;
		*out = rows[i].algorithm;
		return parameters_fit(rows[i].parameters, algorithm) ? SIGNATURE_PARSED : SIGNATURE_BAD_PARAMETERS;
	}
	return SIGNATURE_NOT_KNOWN;
}

static bool suits_pss_key(const struct signature_algorithm *algorithm, gnutls_pubkey_t key)
{
	auto_spki spki = NULL;
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_UNKNOWN;
	unsigned salt_len = 0;

	if (gnutls_x509_spki_init(&spki) < 0)
		return false;
	int rc = gnutls_pubkey_get_spki(key, spki, 0);
	if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return true; /* RFC 4055 3.3: a key without parameters restricts nothing */
	if (rc < 0 || gnutls_x509_spki_get_rsa_pss_params(spki, &digest, &salt_len) < 0)
		return false;
	return algorithm->digest == digest && algorithm->salt_len >= salt_len;
}

bool signature_suits_key(const struct signature_algorithm *algorithm, gnutls_pubkey_t key, int kind)
{
	if (algorithm->key != GNUTLS_PK_RSA_PSS)
		return algorithm->key == (gnutls_pk_algorithm_t)kind;
	return kind == GNUTLS_PK_RSA || (kind == GNUTLS_PK_RSA_PSS && suits_pss_key(algorithm, key));
}

static int verify_with(gnutls_pubkey_t key, gnutls_sign_algorithm_t sign, struct der data, struct der signature)
{
	const gnutls_datum_t data_view = { (uint8_t *)data.at, (unsigned)der_len(data) };
	const gnutls_datum_t signature_view = { (uint8_t *)signature.at, (unsigned)der_len(signature) };
	/* Strength was judged by name before; GnuTLS's configuration must not refuse what a policy here allows. */
	unsigned flags = GNUTLS_VERIFY_ALLOW_BROKEN | GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1;
	int rc = gnutls_pubkey_verify_data2(key, sign, flags, &data_view, &signature_view);

	return rc < 0 ? rc : 0;
}

/* The salt length is the key's in GnuTLS: a copy of the key takes the signature's. */
static int verify_pss(const struct signature_algorithm *algorithm, gnutls_pubkey_t key, struct der data,
		      struct der signature)
{
	auto_datum modulus = { NULL, 0 };
	auto_datum exponent = { NULL, 0 };
	auto_pubkey copy = NULL;
	auto_spki spki = NULL;
	int rc = gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, 0);

	if (rc >= 0)
		rc = gnutls_pubkey_init(&copy);
	if (rc >= 0)
		rc = gnutls_pubkey_import_rsa_raw(copy, &modulus, &exponent);
	if (rc >= 0)
		rc = gnutls_x509_spki_init(&spki);
	if (rc < 0)
		return rc;
	gnutls_x509_spki_set_rsa_pss_params(spki, algorithm->digest, algorithm->salt_len);
	rc = gnutls_pubkey_set_spki(copy, spki, 0);
	return rc < 0 ? rc : verify_with(copy, algorithm->sign, data, signature);
}

int signature_verify(const struct signature_algorithm *algorithm, gnutls_pubkey_t key, struct der data, struct der signature)
{
	if (algorithm->sign == GNUTLS_SIGN_UNKNOWN)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	if (algorithm->key == GNUTLS_PK_RSA_PSS)
		return verify_pss(algorithm, key, data, signature);
	return verify_with(key, algorithm->sign, data, signature);
}

bool signature_key_is_strong(int kind, unsigned bits)
{
	switch (kind) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return bits >= 2048;
	case GNUTLS_PK_ECDSA:
		return bits >= 224;
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return true;
	default:
		return false;
	}
}

int signature_check_issued(const struct cert_view *cert, gnutls_pubkey_t key, int kind)
{
	struct signature_algorithm algorithm;

	if (signature_algorithm_parse(&algorithm, cert->signature_algorithm) != SIGNATURE_PARSED)
		return CLINCH_E_UNSUPPORTED;
	if (!signature_suits_key(&algorithm, key, kind))
		return CLINCH_E_NOT_ISSUER;
	int rc = signature_verify(&algorithm, key, cert->tbs, cert->signature);
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return CLINCH_E_MEMORY;
	if (rc == GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM)
		return CLINCH_E_UNSUPPORTED;
	return rc < 0 ? CLINCH_E_NOT_ISSUER : CLINCH_OK;
}
