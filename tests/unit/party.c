/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "party.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const party_kind_names[PARTY_KINDS] = { "P-256",   "P-384", "P-521", "RSA", "RSA-PSS", "RSA-PSS, SHA-384",
						    "Ed25519", "Ed448" };

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, gnutls_strerror(rc));
	exit(99);
}

static void set_parameters(gnutls_x509_privkey_t key, gnutls_digest_algorithm_t digest, unsigned salt_len)
{
	gnutls_x509_spki_t spki;

	must(gnutls_x509_spki_init(&spki), "parameters");
	gnutls_x509_spki_set_rsa_pss_params(spki, digest, salt_len);
	must(gnutls_x509_privkey_set_spki(key, spki, 0), "a key's parameters");
	gnutls_x509_spki_deinit(spki);
}

static void generate(gnutls_x509_privkey_t key, enum party_kind kind)
{
	static const struct {
		gnutls_pk_algorithm_t algorithm;
		unsigned bits;
	} rows[PARTY_KINDS] = {
		[PARTY_P256] = { GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1) },
		[PARTY_P384] = { GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1) },
		[PARTY_P521] = { GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1) },
		[PARTY_RSA_PSS] = { GNUTLS_PK_RSA_PSS, 2048 },
		[PARTY_RSA_PSS_384] = { GNUTLS_PK_RSA_PSS, 2048 },
		[PARTY_ED25519] = { GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519) },
		[PARTY_ED448] = { GNUTLS_PK_EDDSA_ED448, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED448) },
	};

	must(gnutls_x509_privkey_generate(key, rows[kind].algorithm, rows[kind].bits, 0), "a key is generated");
	if (kind == PARTY_RSA_PSS)
		set_parameters(key, GNUTLS_DIG_SHA256, 32);
	if (kind == PARTY_RSA_PSS_384)
		set_parameters(key, GNUTLS_DIG_SHA384, 64);
}

static void fill(gnutls_x509_crt_t crt, enum party_role role)
{
	static const uint8_t serials[] = { [PARTY_CA] = 1, [PARTY_LEAF] = 0x4c, [PARTY_DELEGATE] = 0x44 };
	static const char *const names[] = {
		[PARTY_CA] = "Party CA", [PARTY_LEAF] = "leaf.party", [PARTY_DELEGATE] = "Party OCSP"
	};
	const char *name = names[role];

	must(gnutls_x509_crt_set_version(crt, 3), "version");
	must(gnutls_x509_crt_set_serial(crt, &serials[role], 1), "serial");
	must(gnutls_x509_crt_set_activation_time(crt, (time_t)(NOW - 30 * DAY)), "notBefore");
	must(gnutls_x509_crt_set_expiration_time(crt, (time_t)(NOW + 30 * DAY)), "notAfter");
	must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)), "subject");
	if (role == PARTY_CA)
		must(gnutls_x509_crt_set_basic_constraints(crt, 1, -1), "basicConstraints");
	if (role == PARTY_DELEGATE)
		must(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_OCSP_SIGNING, 0), "extendedKeyUsage");
}

static gnutls_digest_algorithm_t digest_of(gnutls_x509_privkey_t key)
{
	gnutls_digest_algorithm_t digest = GNUTLS_DIG_UNKNOWN;
	gnutls_privkey_t any;
	gnutls_pubkey_t public;
	unsigned mandatory;

	must(gnutls_privkey_init(&any), "a key");
	must(gnutls_privkey_import_x509(any, key, 0), "a key");
	must(gnutls_pubkey_init(&public), "a public key");
	must(gnutls_pubkey_import_privkey(public, any, 0, 0), "a public key");
	must(gnutls_pubkey_get_preferred_hash_algorithm(public, &digest, &mandatory), "a digest");
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(any);
	return digest;
}

static void make_cert_of(struct party *out, enum party_role role)
{
	const struct party *by = out->issuer ? out->issuer : out;

	must(gnutls_x509_crt_init(&out->crt), "a certificate");
	fill(out->crt, role);
	must(gnutls_x509_crt_set_key(out->crt, out->key), "its key");
	must(gnutls_x509_crt_sign2(out->crt, by->crt, by->key, digest_of(by->key), 0), "signing it");
	must(gnutls_x509_crt_export2(out->crt, GNUTLS_X509_FMT_DER, &out->der), "its bytes");
}

void party_make(struct party *out, enum party_kind kind, enum party_role role, const struct party *issuer)
{
	const gnutls_datum_t rsa = blob_datum(blob_text(maker_key_pem[KEY_RSA]));

	*out = (struct party){ .issuer = issuer };
	must(gnutls_x509_privkey_init(&out->key), "a key");
	if (kind == PARTY_RSA)
		must(gnutls_x509_privkey_import(out->key, &rsa, GNUTLS_X509_FMT_PEM), "the RSA key");
	else
		generate(out->key, kind);
	make_cert_of(out, role);
}

void party_make_pss(struct party *out, gnutls_digest_algorithm_t digest, unsigned salt_len, enum party_role role,
		    const struct party *issuer)
{
	*out = (struct party){ .issuer = issuer };
	must(gnutls_x509_privkey_init(&out->key), "a key");
	must(gnutls_x509_privkey_generate(out->key, GNUTLS_PK_RSA_PSS, 2048, 0), "a key is generated");
	set_parameters(out->key, digest, salt_len);
	make_cert_of(out, role);
}
void party_drop(struct party *party)
{
	gnutls_x509_privkey_deinit(party->key);
	gnutls_x509_crt_deinit(party->crt);
	gnutls_free(party->der.data);
}

gnutls_privkey_t party_key(const struct party *party)
{
	gnutls_privkey_t key;

	must(gnutls_privkey_init(&key), "a key");
	must(gnutls_privkey_import_x509(key, party->key, GNUTLS_PRIVKEY_IMPORT_COPY), "its key");
	return key;
}
