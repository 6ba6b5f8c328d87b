/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A certificate and its issuer, prepared once. */
#include "unit.h"
#include "x509/subject.h"
#include <pthread.h>
#include <string.h>

static int make(clinch_subject_t **out, struct blob cert, struct blob issuer, struct clinch_error *err)
{
	gnutls_x509_crt_t a = import_cert(cert), b = import_cert(issuer);
	int rc = clinch_subject_new(out, a, b, err);
	gnutls_x509_crt_deinit(a);
	gnutls_x509_crt_deinit(b);
	return rc;
}

static void holds_what_a_response_is_matched_with(void **state)
{
	(void)state;
	static const gnutls_digest_algorithm_t hashes[SUBJECT_HASHES] = { GNUTLS_DIG_SHA1, GNUTLS_DIG_SHA256,
									  GNUTLS_DIG_SHA384, GNUTLS_DIG_SHA512 };
	clinch_subject_t *subject = NULL;
	struct blob leaf = world_leaf();
	assert_int_equal(make(&subject, leaf, world_ca(), NULL), 0);
	gnutls_datum_t cert = clinch_subject_cert(subject);
	assert_int_equal(cert.size, leaf.len);
	assert_memory_equal(cert.data, leaf.data, leaf.len);
	assert_memory_equal(clinch_subject_fingerprint(subject), digest(GNUTLS_DIG_SHA256, leaf).data, 32);
	for (int i = 0; i < SUBJECT_HASHES; i++) {
		struct blob name = digest(hashes[i], common_name(CA_NAME)), key = digest(hashes[i], key_bits(KEY_CA));
		assert_int_equal(subject_digests[i].len, name.len);
		assert_memory_equal(subject->name_hash[i], name.data, name.len);
		assert_memory_equal(subject->issuer->key_hash[i], key.data, key.len);
	}
	assert_false(clinch_subject_must_staple(subject));
	assert_false(subject->is_ca);
	assert_false(subject->self_issued);
	clinch_subject_unref(subject);
}

static void a_root_may_be_its_own_issuer(void **state)
{
	(void)state;
	clinch_subject_t *subject = NULL;
	assert_int_equal(make(&subject, world_ca(), world_ca(), NULL), 0);
	assert_true(subject->is_ca);
	assert_true(subject->self_issued);
	clinch_subject_unref(subject);
}

static void says_must_staple_and_its_urls_as_they_are_written(void **state)
{
	(void)state;
	struct cert_spec spec = leaf_spec();
	spec.extensions = CAT(must_staple(), access_info_ocsp("http://ocsp.test/a b\x01"));
	clinch_subject_t *subject = NULL;
	assert_int_equal(make(&subject, make_cert(&spec), world_ca(), NULL), 0);
	assert_true(clinch_subject_must_staple(subject));
	gnutls_datum_t url = { NULL, 0 };
	assert_int_equal(clinch_subject_ocsp_url(subject, 0, &url), 0);
	assert_int_equal(url.size, 21);
	assert_memory_equal(url.data, "http://ocsp.test/a b\x01", 21);
	assert_int_equal(clinch_subject_ocsp_url(subject, 1, &url), CLINCH_E_MISSING);
	assert_int_equal(clinch_subject_ocsp_url(subject, UINT32_MAX, &url), CLINCH_E_MISSING);
	clinch_subject_unref(subject);
}

static struct blob cert_from(const char *issuer, const char *subject, enum key key, enum key signer, enum scheme scheme)
{
	struct cert_spec spec = leaf_spec();
	spec.issuer = issuer;
	spec.subject = subject;
	spec.key = key;
	spec.signer = signer;
	spec.scheme = scheme;
	return make_cert(&spec);
}

static void somebody_else_is_not_the_issuer(void **state)
{
	(void)state;
	const struct {
		const char *row;
		struct blob cert, issuer;
	} rows[] = {
		{ "another name", cert_from("Somebody", LEAF_NAME, KEY_LEAF, KEY_CA, ECDSA_SHA256), world_ca() },
		{ "a namesake's key", cert_from(CA_NAME, LEAF_NAME, KEY_LEAF, KEY_OTHER, ECDSA_SHA256), world_ca() },
		{ "a key of another kind", cert_from(CA_NAME, LEAF_NAME, KEY_LEAF, KEY_RSA, RSA_SHA256), world_ca() },
		{ "the two the wrong way round", world_ca(), world_leaf() },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		clinch_subject_t *subject = NULL;
		struct clinch_error err = { 0 };
		check_int(rows[i].row, make(&subject, rows[i].cert, rows[i].issuer, &err), CLINCH_E_NOT_ISSUER);
		check_int(rows[i].row, err.code, CLINCH_E_NOT_ISSUER);
		check(rows[i].row, err.text[0] != '\0');
		check(rows[i].row, subject == NULL);
		check_int(rows[i].row, make(&subject, rows[i].cert, rows[i].issuer, NULL), CLINCH_E_NOT_ISSUER);
	}
}

static void issuers_of_each_kind_are_taken(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		enum key key;
		enum scheme scheme;
	} rows[] = {
		{ "RSA SHA-256", KEY_RSA, RSA_SHA256 },      { "RSASSA-PSS", KEY_RSA, PSS_SHA256 },
		{ "Ed25519", KEY_ED25519, ED25519_PURE },    { "an old SHA-1 signature", KEY_RSA, RSA_SHA1 },
		{ "a small key", KEY_RSA_1024, RSA_SHA256 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct blob ca = cert_from("Kind", "Kind", rows[i].key, rows[i].key, rows[i].scheme);
		struct blob leaf = cert_from("Kind", LEAF_NAME, KEY_LEAF, rows[i].key, rows[i].scheme);
		clinch_subject_t *subject = NULL;
		check_int(rows[i].row, make(&subject, leaf, ca, NULL), 0);
		clinch_subject_unref(subject);
	}
}

static void a_call_without_a_certificate_is_an_error(void **state)
{
	(void)state;
	clinch_subject_t *subject = NULL;
	gnutls_x509_crt_t ca = import_cert(world_ca());
	assert_int_equal(clinch_subject_new(&subject, ca, NULL, NULL), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_subject_new(&subject, NULL, ca, NULL), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_subject_new(NULL, ca, ca, NULL), CLINCH_E_ARGUMENT);
	assert_null(subject);
	gnutls_x509_crt_deinit(ca);
}

static void bytes_that_are_no_certificate_are_a_format_error(void **state)
{
	(void)state;
	const gnutls_datum_t junk = blob_datum(blob_hex("3003020105")), ca = blob_datum(world_ca());
	struct issuer *issuer = NULL;
	struct clinch_error err = { 0 };
	assert_int_equal(issuer_new(&issuer, &junk, &err), CLINCH_E_FORMAT);
	assert_int_equal(err.code, CLINCH_E_FORMAT);
	assert_null(issuer);
	assert_int_equal(issuer_new(&issuer, &ca, NULL), 0);
	clinch_subject_t *subject = NULL;
	assert_int_equal(subject_new(&subject, &junk, issuer, true, &err), CLINCH_E_FORMAT);
	assert_null(subject);
	issuer_unref(issuer);
}

static void a_key_that_gnutls_cannot_read_is_an_error(void **state)
{
	(void)state;
	struct blob ca = world_ca(), bad = blob_of(ca.data, ca.len), point = key_bits(KEY_CA);
	for (size_t i = 0; i + point.len <= bad.len; i++)
		if (memcmp(bad.data + i, point.data, point.len) == 0)
			((uint8_t *)(uintptr_t)bad.data)[i] = 0x07; /* no form of a point has 7 (SEC 1 2.3.3) */
	const gnutls_datum_t datum = blob_datum(bad);
	struct issuer *issuer = NULL;
	struct clinch_error err = { 0 };
	assert_int_equal(issuer_new(&issuer, &datum, &err), CLINCH_E_GNUTLS);
	assert_true(err.gnutls < 0);
	assert_null(issuer);
}

static void without_a_signature_check_only_the_name_counts(void **state)
{
	(void)state;
	const gnutls_datum_t ca = blob_datum(world_ca());
	const gnutls_datum_t forged = blob_datum(cert_from(CA_NAME, LEAF_NAME, KEY_LEAF, KEY_OTHER, ECDSA_SHA256));
	const gnutls_datum_t foreign = blob_datum(cert_from("Somebody", LEAF_NAME, KEY_LEAF, KEY_CA, ECDSA_SHA256));
	struct issuer *issuer = NULL;
	clinch_subject_t *subject = NULL;
	assert_int_equal(issuer_new(&issuer, &ca, NULL), 0);
	assert_int_equal(subject_new(&subject, &forged, issuer, true, NULL), CLINCH_E_NOT_ISSUER);
	assert_int_equal(subject_new(&subject, &foreign, issuer, false, NULL), CLINCH_E_NOT_ISSUER);
	assert_null(subject);
	assert_int_equal(subject_new(&subject, &forged, issuer, false, NULL), 0);
	issuer_unref(issuer);
	clinch_subject_unref(subject);
}

/* The issuer goes with the last of those who hold it, whatever the order. */
static void references_are_counted(void **state)
{
	(void)state;
	const gnutls_datum_t ca = blob_datum(world_ca()), leaf = blob_datum(world_leaf());
	struct issuer *issuer = NULL;
	clinch_subject_t *one = NULL, *two = NULL;
	assert_int_equal(issuer_new(&issuer, &ca, NULL), 0);
	assert_int_equal(subject_new(&one, &leaf, issuer, true, NULL), 0);
	assert_int_equal(subject_new(&two, &leaf, issuer, true, NULL), 0);
	assert_int_equal(atomic_load(&issuer->refs), 3);
	issuer_unref(issuer);
	assert_ptr_equal(clinch_subject_ref(one), one);
	clinch_subject_unref(one);
	assert_int_equal(atomic_load(&two->issuer->refs), 2);
	clinch_subject_unref(one);
	assert_int_equal(atomic_load(&two->issuer->refs), 1);
	assert_int_equal(two->issuer->key_bits, 256);
	clinch_subject_unref(two);
	clinch_subject_unref(NULL);
	assert_null(clinch_subject_ref(NULL));
	issuer_unref(NULL);
	assert_null(issuer_ref(NULL));
}

static void *ref_and_unref(void *subject)
{
	for (unsigned i = 0; i < 20000; i++) {
		clinch_subject_t *mine = clinch_subject_ref(subject);
		(void)clinch_subject_must_staple(mine);
		clinch_subject_unref(mine);
	}
	clinch_subject_unref(subject);
	return NULL;
}

static void threads_share_one_subject(void **state)
{
	(void)state;
	clinch_subject_t *subject = NULL;
	pthread_t thread[4];
	assert_int_equal(make(&subject, world_leaf(), world_ca(), NULL), 0);
	for (size_t i = 0; i < ROWS(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ref_and_unref, clinch_subject_ref(subject)), 0);
	for (size_t i = 0; i < ROWS(thread); i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(atomic_load(&subject->refs), 1);
	clinch_subject_unref(subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(holds_what_a_response_is_matched_with),
		T(a_root_may_be_its_own_issuer),
		T(says_must_staple_and_its_urls_as_they_are_written),
		T(somebody_else_is_not_the_issuer),
		T(issuers_of_each_kind_are_taken),
		T(a_call_without_a_certificate_is_an_error),
		T(bytes_that_are_no_certificate_are_a_format_error),
		T(a_key_that_gnutls_cannot_read_is_an_error),
		T(without_a_signature_check_only_the_name_counts),
		T(references_are_counted),
		T(threads_share_one_subject),
	};
	return cmocka_run_group_tests_name("subject", tests, NULL, drop_keys);
}
