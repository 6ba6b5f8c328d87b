/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may sign, and until when. */
#include "base/cleanup.h"
#include "house.h"
#include <string.h>

static gnutls_privkey_t key_of(enum key which)
{
	const gnutls_datum_t pem = blob_datum(blob_text(maker_key_pem[which]));
	gnutls_privkey_t key;

	assert_int_equal(gnutls_privkey_init(&key), 0);
	assert_int_equal(gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0), 0);
	return key;
}

static void check_refused(const char *row, struct blob cert, enum key key, int want, const char *sentence)
{
	struct ocsp_signer *signer = NULL;
	struct clinch_error err = { 0 };
	auto_issuer *issuer = NULL;
	const gnutls_datum_t ca = blob_datum(world_ca()), der = blob_datum(cert);

	assert_int_equal(issuer_new(&issuer, &ca, NULL), 0);
	int code = ocsp_signer_new(&signer, &der, issuer, key_of(key), 0, &err);
	ocsp_signer_unref(signer);
	check_int(row, code, want);
	if (want < 0 && !strstr(err.text, sentence))
		fail_msg("%s: \"%s\" does not say \"%s\"", row, err.text, sentence);
}

static struct blob usage(const char *bits_hex)
{
	return extension(X_KEY_USAGE, 1, tlv(0x03, blob_hex(bits_hex)));
}

static void a_delegate_that_clients_would_refuse_is_refused_with_the_reason(void **state)
{
	(void)state;
	struct cert_spec spec = delegate_spec();
	check_refused("as it should be", make_cert(&spec), KEY_DELEGATE, 0, NULL);
	spec.extensions = CAT(eku_ocsp_signing(), usage("0780"));
	check_refused("digitalSignature", make_cert(&spec), KEY_DELEGATE, 0, NULL);
	spec.extensions = CAT(eku_ocsp_signing(), usage("0520"));
	check_refused("keyEncipherment alone", make_cert(&spec), KEY_DELEGATE, CLINCH_E_ARGUMENT, "lacks digitalSignature");
	spec.extensions = extension(X_NOCHECK, -1, null_value());
	check_refused("no purpose", make_cert(&spec), KEY_DELEGATE, CLINCH_E_ARGUMENT, "lacks OCSPSigning");
	spec.extensions = CAT(eku_ocsp_signing(), extension(X_MADE_UP, 1, null_value()));
	check_refused("a critical extension", make_cert(&spec), KEY_DELEGATE, CLINCH_E_ARGUMENT, "critical extension");
	spec = delegate_spec();
	spec.issuer = "Another CA";
	check_refused("another issuer", make_cert(&spec), KEY_DELEGATE, CLINCH_E_ARGUMENT, "somebody else than this CA");
	spec = delegate_spec();
	spec.signer = KEY_OTHER;
	check_refused("a forged one", make_cert(&spec), KEY_DELEGATE, CLINCH_E_ARGUMENT, "was not signed with its key");
	spec = delegate_spec();
	spec.scheme = ECDSA_SHA1;
	check_refused("signed with SHA-1", make_cert(&spec), KEY_DELEGATE, CLINCH_E_ARGUMENT, "too weak");
	spec = delegate_spec();
	spec.key = KEY_RSA_1024;
	check_refused("RSA of 1024 bits", make_cert(&spec), KEY_RSA_1024, CLINCH_E_ARGUMENT, "a key that is too weak");
	check_refused("no certificate", blob_text("no certificate"), KEY_DELEGATE, CLINCH_E_ARGUMENT, "strict DER");
}

static void a_key_that_does_not_fit_is_refused(void **state)
{
	(void)state;
	check_refused("of the same kind", world_delegate(), KEY_LEAF, CLINCH_E_ARGUMENT, "does not belong");
	check_refused("of another kind", world_delegate(), KEY_RSA, CLINCH_E_ARGUMENT, "another kind");
	check_refused("another CA's", world_ca(), KEY_OTHER, CLINCH_E_ARGUMENT, "does not belong");
	check_refused("its own", world_ca(), KEY_CA, 0, NULL);
}

/* GnuTLS does not make such parameters; nobody checks what a CA itself is signed with. */
static void say_sha224(gnutls_datum_t *cert)
{
	static const uint8_t sha256[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
	unsigned n = 0;

	for (uint8_t *at; (at = memmem(cert->data, cert->size, sha256, sizeof(sha256))); n++)
		at[sizeof(sha256) - 1] = 0x04;
	assert_true(n > 1);
}

static void a_key_whose_parameters_allow_nothing_that_is_known_is_refused(void **state)
{
	(void)state;
	struct party odd;
	struct ocsp_signer *signer = NULL;
	struct clinch_error err = { 0 };
	auto_issuer *issuer = NULL;
	party_make_pss(&odd, GNUTLS_DIG_SHA256, 200, PARTY_DELEGATE, &home.ca); /* two bytes of an INTEGER */
	assert_int_equal(ocsp_signer_new(&signer, &odd.der, home.issuer, party_key(&odd), 0, &err), 0);
	ocsp_signer_unref(signer);
	party_drop(&odd);
	party_make_pss(&odd, GNUTLS_DIG_SHA256, 28, PARTY_CA, NULL);
	say_sha224(&odd.der);
	assert_int_equal(issuer_new(&issuer, &odd.der, NULL), 0);
	assert_int_equal(ocsp_signer_new(&signer, &odd.der, issuer, party_key(&odd), 0, &err), CLINCH_E_UNSUPPORTED);
	assert_non_null(strstr(err.text, "allows no signature that is known here"));
	party_drop(&odd);
}

static void a_second_certificate_of_the_ca_itself_is_no_delegate(void **state)
{
	(void)state;
	struct cert_spec spec = ca_spec();
	spec.issuer = "Cross Signer";
	spec.signer = KEY_OTHER;
	check_refused("cross-signed", make_cert(&spec), KEY_CA, 0, NULL);
	spec.key = KEY_OTHER;
	check_refused("its name with another key", make_cert(&spec), KEY_OTHER, CLINCH_E_ARGUMENT, "somebody else");
}

static void a_signer_signs_while_it_is_valid(void **state)
{
	(void)state;
	struct clinch_error err = { 0 };
	assert_int_equal(ocsp_signer_check(by_delegate, NOW, &err), 0);
	assert_int_equal(ocsp_signer_check(by_delegate, NOW - 30 * DAY, &err), 0);
	assert_int_equal(ocsp_signer_check(by_delegate, NOW + 30 * DAY - 1, &err), 0);
	assert_int_equal(ocsp_signer_check(by_delegate, NOW - 30 * DAY - 1, &err), CLINCH_E_ARGUMENT);
	assert_non_null(strstr(err.text, "2026-05-16T12:00:00Z"));
	assert_int_equal(ocsp_signer_check(by_delegate, NOW + 30 * DAY, &err), CLINCH_E_ARGUMENT);
	assert_non_null(strstr(err.text, "2026-07-15T12:00:00Z"));
	assert_int_equal(ocsp_signer_not_after(by_delegate), NOW + 30 * DAY);
}

static void a_signer_says_what_it_is(void **state)
{
	(void)state;
	struct blob print = digest(GNUTLS_DIG_SHA256, blob_of(home.delegate.der.data, home.delegate.der.size));
	assert_memory_equal(ocsp_signer_fingerprint(by_delegate), print.data, 32);
	assert_true(ocsp_signer_is_delegate(by_delegate));
	assert_false(ocsp_signer_is_delegate(by_ca));
	assert_false(ocsp_signer_has_nocheck(by_delegate));
	struct ocsp_signer *signer = NULL;
	auto_issuer *issuer = NULL;
	const gnutls_datum_t ca = blob_datum(world_ca()), cert = blob_datum(world_delegate());
	assert_int_equal(issuer_new(&issuer, &ca, NULL), 0);
	assert_int_equal(ocsp_signer_new(&signer, &cert, issuer, key_of(KEY_DELEGATE), 0, NULL), 0);
	assert_true(ocsp_signer_has_nocheck(signer));
	ocsp_signer_unref(ocsp_signer_ref(signer));
	ocsp_signer_unref(signer);
	ocsp_signer_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_delegate_that_clients_would_refuse_is_refused_with_the_reason),
		T(a_key_that_does_not_fit_is_refused),
		T(a_key_whose_parameters_allow_nothing_that_is_known_is_refused),
		T(a_second_certificate_of_the_ca_itself_is_no_delegate),
		T(a_signer_signs_while_it_is_valid),
		T(a_signer_says_what_it_is),
	};
	return cmocka_run_group_tests_name("signer", tests, move_in, move_out);
}
