/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AlgorithmIdentifiers of signatures, byte by byte from RFC 4055, 5758 and 8410, and what is signed with them. */
#include "unit.h"
#include "x509/signature.h"
#include <clinch/error.h>
#include <stdio.h>
#include <string.h>

static enum signature_parse parse(struct signature_algorithm *out, struct blob content)
{
	return signature_algorithm_parse(out, der_of(content.data, content.len));
}

#define ECDSA_256 "06082a8648ce3d040302"
#define RSA_256 "06092a864886f70d01010b"
#define PSS "06092a864886f70d01010a"
#define SHA256_ALG "300d06096086480165030402010500"
#define MGF1_256 "a11c301a06092a864886f70d010108" SHA256_ALG
#define MGF1_1 "a118301606092a864886f70d010108300906052b0e03021a0500"

static void knows_each_algorithm_and_its_strength(void **state)
{
	(void)state;
	static const struct {
		const char *hex, *name;
		bool weak;
	} rows[] = {
		{ "06082a8648ce3d040301", "ecdsa-sha224", false },
		{ ECDSA_256, "ecdsa-sha256", false },
		{ "06082a8648ce3d040303", "ecdsa-sha384", false },
		{ "06082a8648ce3d040304", "ecdsa-sha512", false },
		{ "06072a8648ce3d0401", "ecdsa-sha1", true },
		{ RSA_256 "0500", "rsa-sha256", false },
		{ RSA_256, "rsa-sha256", false },
		{ "06092a864886f70d01010c0500", "rsa-sha384", false },
		{ "06092a864886f70d01010d0500", "rsa-sha512", false },
		{ "06092a864886f70d01010e0500", "rsa-sha224", false },
		{ "06092a864886f70d0101050500", "rsa-sha1", true },
		{ "06092a864886f70d0101040500", "rsa-md5", true },
		{ "06092a864886f70d0101020500", "rsa-md2", true },
		{ "06032b6570", "ed25519", false },
		{ "06032b6571", "ed448", false },
		{ PSS "3000", "rsa-pss-sha1", true },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct signature_algorithm out;
		check_int(rows[i].hex, parse(&out, blob_hex(rows[i].hex)), SIGNATURE_PARSED);
		check_str(rows[i].hex, out.name, rows[i].name);
		check_int(rows[i].hex, out.weak, rows[i].weak);
	}
}

static void does_not_know_the_others(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "0500", "0600", "06032b6572", "06092a864886f70d010101 0500", "06032a8648" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct signature_algorithm out;
		check_int(rows[i], parse(&out, blob_hex(rows[i])), SIGNATURE_NOT_KNOWN);
	}
}

/* RFC 5758 3.2: ECDSA's shall be absent. RFC 4055 5: RSA's NULL (absent is tolerated). RFC 8410 3: EdDSA's absent. */
static void parameters_are_those_of_the_algorithm(void **state)
{
	(void)state;
	static const char *const rows[] = { ECDSA_256 "0500", "06032b65700500",   RSA_256 "020100", RSA_256 "05000500",
					    RSA_256 "050100", "06032b6571020100", ECDSA_256 "3000" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct signature_algorithm out;
		check_int(rows[i], parse(&out, blob_hex(rows[i])), SIGNATURE_BAD_PARAMETERS);
	}
}

static void reads_the_digest_and_the_salt_of_pss(void **state)
{
	(void)state;
	const struct {
		struct blob content;
		gnutls_digest_algorithm_t digest;
		unsigned salt_len;
	} rows[] = {
		{ blob_hex(PSS "3034a00f" SHA256_ALG MGF1_256 "a203020120"), GNUTLS_DIG_SHA256, 32 },
		{ blob_hex(PSS "3034a00f" SHA256_ALG MGF1_256 "a203020100"), GNUTLS_DIG_SHA256, 0 },
		{ blob_hex(PSS "302fa00f" SHA256_ALG MGF1_256), GNUTLS_DIG_SHA256, 20 },
		{ blob_hex(PSS "3000"), GNUTLS_DIG_SHA1, 20 },
		{ blob_hex(PSS "3005a20302011e"), GNUTLS_DIG_SHA1, 30 },
		{ blob_hex(PSS "301a" MGF1_1), GNUTLS_DIG_SHA1, 20 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct signature_algorithm out = { .salt_len = 77 };
		char row[16];
		snprintf(row, sizeof(row), "row %zu", i);
		check_int(row, parse(&out, rows[i].content), SIGNATURE_PARSED);
		check_int(row, out.digest, rows[i].digest);
		check_int(row, out.salt_len, rows[i].salt_len);
		check_int(row, out.key, GNUTLS_PK_RSA_PSS);
	}
}

/* RFC 4055 3.1; the mask generation function's digest is the signature's, as everybody has it. */
static void parameters_of_pss_with_anything_wrong_are_refused(void **state)
{
	(void)state;
	struct blob sha256 = blob_hex(SHA256_ALG), mgf = blob_hex(MGF1_256), salt = blob_hex("a203020120");
	struct blob hash = tlv(0xa0, sha256);
	const struct {
		const char *row;
		struct blob parameters;
	} rows[] = {
		{ "none", BLOB_NONE },
		{ "NULL", null_value() },
		{ "two", CAT(SEQ(hash, mgf, salt), null_value()) },
		{ "a digest of nothing", SEQ(tlv(0xa0, BLOB_NONE), mgf, salt) },
		{ "behind the digest", SEQ(tlv(0xa0, CAT(sha256, null_value())), mgf, salt) },
		{ "SHA-256 with MGF1 of the default SHA-1", SEQ(hash, salt) },
		{ "SHA-256 with MGF1 of SHA-1 written out", SEQ(hash, blob_hex(MGF1_1), salt) },
		{ "the default SHA-1 with MGF1 of SHA-256", SEQ(mgf, salt) },
		{ "another mask", SEQ(hash, tlv(0xa1, SEQ(oid(X_MADE_UP), sha256)), salt) },
		{ "a mask without its digest", SEQ(hash, tlv(0xa1, SEQ(oid("2a864886f70d010108"))), salt) },
		{ "behind the mask", SEQ(hash, tlv(0xa1, CAT(SEQ(oid("2a864886f70d010108"), sha256), null_value())), salt) },
		{ "a padded salt", SEQ(hash, mgf, blob_hex("a20402020020")) },
		{ "a negative salt", SEQ(hash, mgf, blob_hex("a2030201ff")) },
		{ "a salt of 1025", SEQ(hash, mgf, blob_hex("a20402020401")) },
		{ "two salts", SEQ(hash, mgf, blob_hex("a206020120020120")) },
		{ "another trailer", SEQ(hash, mgf, salt, blob_hex("a303020102")) },
		{ "a trailer that is no INTEGER", SEQ(hash, mgf, salt, blob_hex("a303040101")) },
		{ "two trailers", SEQ(hash, mgf, salt, blob_hex("a306020101020101")) },
		{ "something behind", SEQ(hash, mgf, salt, null_value()) },
		{ "another order", SEQ(mgf, hash, salt) },
		{ "a broken [0]", blob_hex("3003a00530") },
		{ "a broken [1]", blob_hex("3003a10530") },
		{ "a broken [2]", blob_hex("3003a20530") },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct signature_algorithm out;
		check_int(rows[i].row, parse(&out, CAT(blob_hex(PSS), rows[i].parameters)), SIGNATURE_BAD_PARAMETERS);
	}
	struct signature_algorithm out;
	struct blob sha3 = SEQ(oid("608648016503040208"));
	struct blob content = CAT(blob_hex(PSS), SEQ(tlv(0xa0, sha3), tlv(0xa1, SEQ(oid("2a864886f70d010108"), sha3))));
	assert_int_equal(parse(&out, content), SIGNATURE_NOT_KNOWN);
	/* RFC 4055 3.1: a trailerField of 1 must be recognised, there or not. */
	content = CAT(blob_hex(PSS), SEQ(hash, mgf, salt, blob_hex("a303020101")));
	assert_int_equal(parse(&out, content), SIGNATURE_PARSED);
}

struct signed_row {
	const char *row;
	enum key key;
	enum scheme scheme;
};

static const struct signed_row signed_rows[] = {
	{ "ECDSA P-256 SHA-256", KEY_CA, ECDSA_SHA256 },
	{ "ECDSA P-256 SHA-384", KEY_CA, ECDSA_SHA384 },
	{ "ECDSA P-256 SHA-1", KEY_CA, ECDSA_SHA1 },
	{ "RSA SHA-256", KEY_RSA, RSA_SHA256 },
	{ "RSA SHA-1", KEY_RSA, RSA_SHA1 },
	{ "RSASSA-PSS SHA-256", KEY_RSA, PSS_SHA256 },
	{ "RSASSA-PSS SHA-384", KEY_RSA, PSS_SHA384 },
	{ "Ed25519", KEY_ED25519, ED25519_PURE },
};

static gnutls_pubkey_t public_of(enum key key)
{
	gnutls_pubkey_t public;
	assert_int_equal(gnutls_pubkey_init(&public), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(public, maker_key(key), 0, 0), 0);
	return public;
}

static struct der view(struct blob blob)
{
	return der_of(blob.data, blob.len);
}

static void takes_what_the_key_signed_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(signed_rows); i++) {
		const struct signed_row *row = &signed_rows[i];
		struct blob data = blob_text("what is signed"), other = blob_text("what is signes");
		struct blob signature = sign(row->key, row->scheme, data), algorithm = algorithm_of(row->scheme);
		struct blob tampered = blob_of(signature.data, signature.len);
		((uint8_t *)(uintptr_t)tampered.data)[tampered.len / 2] ^= 1;
		gnutls_pubkey_t public = public_of(row->key);
		struct signature_algorithm parsed;
		check_int(row->row, parse(&parsed, blob_of(algorithm.data + 2, algorithm.len - 2)), SIGNATURE_PARSED);
		check(row->row, signature_suits_key(&parsed, public, gnutls_pubkey_get_pk_algorithm(public, NULL)));
		check_int(row->row, signature_verify(&parsed, public, view(data), view(signature)), 0);
		check(row->row, signature_verify(&parsed, public, view(other), view(signature)) < 0);
		check(row->row, signature_verify(&parsed, public, view(data), view(tampered)) < 0);
		check(row->row, signature_verify(&parsed, public, view(data), view(BLOB_NONE)) < 0);
		gnutls_pubkey_deinit(public);
	}
}

/* The salt is what the parameters say, not what the hash has: RFC 4055 3.1. */
static void a_salt_of_another_length_than_the_hash_is_taken_as_written(void **state)
{
	(void)state;
	gnutls_pubkey_t public = public_of(KEY_RSA);
	struct blob data = blob_text("what is signed"), signature = sign(KEY_RSA, PSS_SHA256, data);
	struct signature_algorithm parsed;
	assert_int_equal(parse(&parsed, blob_hex(PSS "3034a00f" SHA256_ALG MGF1_256 "a203020110")), SIGNATURE_PARSED);
	assert_true(signature_verify(&parsed, public, view(data), view(signature)) < 0);
	assert_int_equal(parse(&parsed, blob_hex(PSS "3034a00f" SHA256_ALG MGF1_256 "a203020120")), SIGNATURE_PARSED);
	assert_int_equal(signature_verify(&parsed, public, view(data), view(signature)), 0);
	gnutls_pubkey_deinit(public);
}

static void sha1_with_pss_is_never_computed(void **state)
{
	(void)state;
	gnutls_pubkey_t public = public_of(KEY_RSA);
	struct signature_algorithm parsed;
	assert_int_equal(parse(&parsed, blob_hex(PSS "3000")), SIGNATURE_PARSED);
	assert_true(signature_verify(&parsed, public, view(blob_text("x")), view(blob_fill(1, 256))) < 0);
	gnutls_pubkey_deinit(public);
}

static void a_key_makes_its_own_kind_of_signature(void **state)
{
	(void)state;
	static const struct {
		const char *row, *algorithm;
		enum key key;
		bool suits;
	} rows[] = {
		{ "ECDSA with ECDSA", ECDSA_256, KEY_CA, true },
		{ "ECDSA with RSA", ECDSA_256, KEY_RSA, false },
		{ "RSA with RSA", RSA_256, KEY_RSA, true },
		{ "RSA with ECDSA", RSA_256, KEY_CA, false },
		{ "PSS with RSA", PSS "3000", KEY_RSA, true },
		{ "PSS with ECDSA", PSS "3000", KEY_CA, false },
		{ "Ed25519 with Ed25519", "06032b6570", KEY_ED25519, true },
		{ "Ed25519 with RSA", "06032b6570", KEY_RSA, false },
		{ "Ed448 with Ed25519", "06032b6571", KEY_ED25519, false },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct signature_algorithm parsed;
		gnutls_pubkey_t public = public_of(rows[i].key);
		check_int(rows[i].row, parse(&parsed, blob_hex(rows[i].algorithm)), SIGNATURE_PARSED);
		check_int(rows[i].row, signature_suits_key(&parsed, public, gnutls_pubkey_get_pk_algorithm(public, NULL)),
			  rows[i].suits);
		gnutls_pubkey_deinit(public);
	}
}

/* NIST SP 800-57 part 1, table 2: 112 bits of security. */
static void a_strong_key_has_112_bits_of_security(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		int kind;
		unsigned bits;
		bool strong;
	} rows[] = {
		{ "RSA 2048", GNUTLS_PK_RSA, 2048, true },
		{ "RSA 2047", GNUTLS_PK_RSA, 2047, false },
		{ "RSA 1024", GNUTLS_PK_RSA, 1024, false },
		{ "RSA-PSS 2048", GNUTLS_PK_RSA_PSS, 2048, true },
		{ "RSA-PSS 1024", GNUTLS_PK_RSA_PSS, 1024, false },
		{ "P-256", GNUTLS_PK_ECDSA, 256, true },
		{ "P-224", GNUTLS_PK_ECDSA, 224, true },
		{ "P-192", GNUTLS_PK_ECDSA, 192, false },
		{ "Ed25519", GNUTLS_PK_EDDSA_ED25519, 255, true },
		{ "Ed448", GNUTLS_PK_EDDSA_ED448, 448, true },
		{ "DSA 3072", GNUTLS_PK_DSA, 3072, false },
		{ "none", GNUTLS_PK_UNKNOWN, 4096, false },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		check_int(rows[i].row, signature_key_is_strong(rows[i].kind, rows[i].bits), rows[i].strong);
}

static void tells_who_issued_a_certificate(void **state)
{
	(void)state;
	struct blob leaf = world_leaf(), odd = blob_of(leaf.data, leaf.len);
	struct cert_view parsed;
	gnutls_pubkey_t ca = public_of(KEY_CA), other = public_of(KEY_OTHER), rsa = public_of(KEY_RSA);
	assert_true(cert_view_parse(&parsed, view(leaf)));
	assert_int_equal(signature_check_issued(&parsed, ca, GNUTLS_PK_ECDSA), CLINCH_OK);
	assert_int_equal(signature_check_issued(&parsed, other, GNUTLS_PK_ECDSA), CLINCH_E_NOT_ISSUER);
	assert_int_equal(signature_check_issued(&parsed, rsa, GNUTLS_PK_RSA), CLINCH_E_NOT_ISSUER);
	/* The last arc of both algorithm identifiers made 5, which nobody has given out. */
	for (size_t i = 0; i + 8 <= odd.len; i++)
		if (memcmp(odd.data + i, "\x2a\x86\x48\xce\x3d\x04\x03\x02", 8) == 0)
			((uint8_t *)(uintptr_t)odd.data)[i + 7] = 0x05;
	assert_true(cert_view_parse(&parsed, view(odd)));
	assert_int_equal(signature_check_issued(&parsed, ca, GNUTLS_PK_ECDSA), CLINCH_E_UNSUPPORTED);
	gnutls_pubkey_deinit(ca);
	gnutls_pubkey_deinit(other);
	gnutls_pubkey_deinit(rsa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(knows_each_algorithm_and_its_strength),
		T(does_not_know_the_others),
		T(parameters_are_those_of_the_algorithm),
		T(reads_the_digest_and_the_salt_of_pss),
		T(parameters_of_pss_with_anything_wrong_are_refused),
		T(takes_what_the_key_signed_and_nothing_else),
		T(a_salt_of_another_length_than_the_hash_is_taken_as_written),
		T(sha1_with_pss_is_never_computed),
		T(a_key_makes_its_own_kind_of_signature),
		T(a_strong_key_has_112_bits_of_security),
		T(tells_who_issued_a_certificate),
	};
	return cmocka_run_group_tests_name("signature", tests, NULL, drop_keys);
}
