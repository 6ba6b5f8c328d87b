/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each function of GnuTLS that a verdict needs fails in turn, the n-th time it is called. Without memory the reason is
 * "internal", not a fault of somebody's; after any other failure, whatever it is, nothing is good. The functions are this
 * file's, in front of the library's (an executable's own definition comes first).
 */
#include "unit.h"
#include "x509/subject.h"
#include <dlfcn.h>
#include <string.h>

#define VISIBLE __attribute__((visibility("default")))

static struct {
	const char *function;
	unsigned nth, calls;
	int rc;
	bool failed;
} armed;

static bool fails(const char *function)
{
	if (!armed.function || strcmp(function, armed.function) != 0 || ++armed.calls != armed.nth)
		return false;
	armed.failed = true;
	return true;
}

/* A function of GnuTLS's, which fails when it is its turn and is the library's otherwise. */
#define IN_FRONT_OF(name, parameters, arguments)                                                                            \
	VISIBLE int name parameters                                                                                         \
	{                                                                                                                   \
		static int(*real) parameters;                                                                               \
		if (fails(#name))                                                                                           \
			return armed.rc;                                                                                    \
		if (!real)                                                                                                  \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                                          \
		return real arguments;                                                                                      \
	}

IN_FRONT_OF(gnutls_hash_fast, (gnutls_digest_algorithm_t algorithm, const void *text, size_t len, void *digest),
	    (algorithm, text, len, digest))
IN_FRONT_OF(gnutls_pubkey_init, (gnutls_pubkey_t * key), (key))
IN_FRONT_OF(gnutls_pubkey_import, (gnutls_pubkey_t key, const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format),
	    (key, data, format))
IN_FRONT_OF(gnutls_pubkey_verify_data2,
	    (gnutls_pubkey_t key, gnutls_sign_algorithm_t algorithm, unsigned flags, const gnutls_datum_t *data,
	     const gnutls_datum_t *signature),
	    (key, algorithm, flags, data, signature))
IN_FRONT_OF(gnutls_pubkey_export_rsa_raw2, (gnutls_pubkey_t key, gnutls_datum_t *m, gnutls_datum_t *e, unsigned flags),
	    (key, m, e, flags))
IN_FRONT_OF(gnutls_pubkey_import_rsa_raw, (gnutls_pubkey_t key, const gnutls_datum_t *m, const gnutls_datum_t *e),
	    (key, m, e))
IN_FRONT_OF(gnutls_x509_spki_init, (gnutls_x509_spki_t * spki), (spki))
IN_FRONT_OF(gnutls_pubkey_set_spki, (gnutls_pubkey_t key, const gnutls_x509_spki_t spki, unsigned flags), (key, spki, flags))
IN_FRONT_OF(gnutls_x509_crt_export2, (gnutls_x509_crt_t cert, gnutls_x509_crt_fmt_t format, gnutls_datum_t *out),
	    (cert, format, out))

static const char *const functions[] = { "gnutls_hash_fast",
					 "gnutls_pubkey_init",
					 "gnutls_pubkey_import",
					 "gnutls_pubkey_verify_data2",
					 "gnutls_pubkey_export_rsa_raw2",
					 "gnutls_pubkey_import_rsa_raw",
					 "gnutls_x509_spki_init",
					 "gnutls_pubkey_set_spki",
					 "gnutls_x509_crt_export2" };

static void arm(const char *function, unsigned nth, int rc)
{
	armed.function = function;
	armed.nth = nth;
	armed.calls = 0;
	armed.rc = rc;
	armed.failed = false;
}

static bool disarm(void)
{
	armed.function = NULL;
	return armed.failed;
}

/* ---- what is judged ---- */

static clinch_subject_t *subject_of(enum key key, enum scheme scheme)
{
	struct cert_spec ca = ca_spec(), leaf = leaf_spec();
	clinch_subject_t *subject = NULL;
	ca.key = ca.signer = leaf.signer = key;
	ca.scheme = leaf.scheme = scheme;
	gnutls_x509_crt_t ca_cert = import_cert(make_cert(&ca)), leaf_cert = import_cert(make_cert(&leaf));
	assert_int_equal(clinch_subject_new(&subject, leaf_cert, ca_cert, NULL), 0);
	gnutls_x509_crt_deinit(ca_cert);
	gnutls_x509_crt_deinit(leaf_cert);
	return subject;
}

static struct blob entry_under(enum key key)
{
	struct entry_spec entry = good_entry();
	entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, key, blob_hex(LEAF_SERIAL));
	return make_entry(&entry);
}

static struct blob by_issuer(enum key key, enum scheme scheme)
{
	struct response_spec spec = response_with(entry_under(key));
	spec.signer = key;
	spec.scheme = scheme;
	spec.responder = responder_by_key(key);
	return make_response(&spec);
}

static struct blob by_delegate(enum key issuer, enum scheme scheme)
{
	struct cert_spec cert = delegate_spec();
	struct response_spec spec = delegated_with(entry_under(issuer));
	cert.signer = issuer;
	cert.scheme = scheme;
	spec.certs = make_cert(&cert);
	return make_response(&spec);
}

static enum clinch_reason judge(struct blob response, const clinch_subject_t *subject)
{
	const gnutls_datum_t der = blob_datum(response);
	struct clinch_verdict verdict;
	clinch_verify(NULL, &verdict, &der, subject, NOW, NULL);
	assert_int_equal(verdict.status == CLINCH_GOOD, verdict.reason == CLINCH_REASON_GOOD);
	return verdict.reason;
}

static const struct {
	const char *row;
	enum key key;
	enum scheme scheme;
	bool delegated;
	unsigned least; /* places where something can fail */
} rows[] = {
	{ "ECDSA issuer", KEY_CA, ECDSA_SHA256, false, 1 },
	{ "RSASSA-PSS issuer", KEY_RSA, PSS_SHA256, false, 6 },
	{ "ECDSA delegate", KEY_CA, ECDSA_SHA256, true, 5 },
	{ "ECDSA delegate under RSASSA-PSS", KEY_RSA, PSS_SHA256, true, 10 },
};

static struct blob response_of(size_t i)
{
	return rows[i].delegated ? by_delegate(rows[i].key, rows[i].scheme) : by_issuer(rows[i].key, rows[i].scheme);
}

static unsigned fail_each_call_of(const char *function, struct blob response, const clinch_subject_t *subject, int rc)
{
	for (unsigned nth = 1;; nth++) {
		arm(function, nth, rc);
		enum clinch_reason reason = judge(response, subject);
		if (!disarm()) {
			check_str(function, clinch_reason_name(reason), "good");
			return nth - 1;
		}
		check(function, reason != CLINCH_REASON_GOOD);
		if (rc == GNUTLS_E_MEMORY_ERROR)
			check_str(function, clinch_reason_name(reason), "internal");
	}
}

static void fail_each(int rc)
{
	for (size_t i = 0; i < ROWS(rows); i++) {
		clinch_subject_t *subject = subject_of(rows[i].key, rows[i].scheme);
		struct blob response = response_of(i);
		unsigned places = 0;
		assert_string_equal(clinch_reason_name(judge(response, subject)), "good");
		for (size_t j = 0; j < ROWS(functions); j++)
			places += fail_each_call_of(functions[j], response, subject, rc);
		if (places < rows[i].least)
			fail_msg("%s: failed in %u places, expected %u at least", rows[i].row, places, rows[i].least);
		clinch_subject_unref(subject);
	}
}

static void without_memory_nobody_is_to_blame(void **state)
{
	(void)state;
	fail_each(GNUTLS_E_MEMORY_ERROR);
}

static void after_any_other_failure_nothing_is_good(void **state)
{
	(void)state;
	fail_each(GNUTLS_E_INTERNAL_ERROR);
	fail_each(GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM);
	fail_each(GNUTLS_E_LIB_IN_ERROR_STATE);
}

/* A subject is made whole or not at all, and a failure of memory is said to be one. */
static void a_subject_is_made_whole_or_not_at_all(void **state)
{
	(void)state;
	gnutls_x509_crt_t ca = import_cert(world_ca()), leaf = import_cert(world_leaf());
	for (size_t i = 0; i < ROWS(functions); i++)
		for (unsigned nth = 1, failed = 1; failed; nth++) {
			clinch_subject_t *subject = NULL;
			struct clinch_error err = { 0 };
			arm(functions[i], nth, GNUTLS_E_MEMORY_ERROR);
			int rc = clinch_subject_new(&subject, leaf, ca, &err);
			failed = disarm();
			check_int(functions[i], rc, failed ? CLINCH_E_MEMORY : 0);
			check_int(functions[i], err.code, rc);
			check(functions[i], !subject == !!failed);
			clinch_subject_unref(subject);
		}
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_memory_nobody_is_to_blame),
		T(after_any_other_failure_nothing_is_good),
		T(a_subject_is_made_whole_or_not_at_all),
	};
	return cmocka_run_group_tests_name("gnutls fails", tests, NULL, drop_keys);
}
