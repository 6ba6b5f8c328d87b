/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A chain with its key, made ready for handshakes: beside what GnuTLS itself makes of the same certificate. */
#include "talk.h"
#include "tls/identity.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static gnutls_privkey_t new_key(enum key key)
{
	gnutls_datum_t pem = { (uint8_t *)(uintptr_t)maker_key_pem[key], (unsigned)strlen(maker_key_pem[key]) };
	gnutls_privkey_t out;

	assert_int_equal(gnutls_privkey_init(&out), 0);
	assert_int_equal(gnutls_privkey_import_x509_raw(out, &pem, GNUTLS_X509_FMT_PEM, NULL, 0), 0);
	return out;
}

/* 0, or what identity_new() refused it with. */
static int make(struct identity **out, struct blob cert, enum key key, struct clinch_error *err)
{
	auto_chain chain = { .n = 0 };
	struct issuers issuers = { .extra.n = 0 };
	gnutls_privkey_t private = new_key(key);

	assert_int_equal(chain_parse(&chain, cert.data, cert.len, "chain", err), 0);
	assert_int_equal(known_init(&issuers.known), 0);
	int code = identity_new(out, &chain, private, &issuers, "chain", err);
	if (code < 0)
		gnutls_privkey_deinit(private);
	known_done(&issuers.known);
	return code;
}

static struct blob leaf_with(enum key key, struct blob extensions)
{
	struct cert_spec spec = leaf_spec();

	spec.key = key;
	spec.extensions = extensions;
	return make_cert(&spec);
}

static const enum key keys[] = { KEY_LEAF, KEY_OTHER, KEY_ED25519, KEY_RSA };

static void a_key_fits_its_own_certificate_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(keys); i++) {
		for (size_t j = 0; j < ROWS(keys); j++) {
			struct clinch_error err = { .text = "" };
			struct identity *identity;
			int code = make(&identity, leaf_with(keys[i], BLOB_NONE), keys[j], &err);

			check_int(maker_key_pem[keys[i]], code, i == j ? 0 : CLINCH_E_FORMAT);
			check(err.text,
			      i == j || strstr(err.text, "the private key does not belong to the first certificate"));
			if (code == 0)
				counted_unref(&identity->counted);
		}
	}
}

static void check_like_gnutls(const char *row, const gnutls_pcert_st *ours, struct blob cert)
{
	gnutls_datum_t der = blob_datum(cert);
	unsigned char id[2][32];
	size_t len[2] = { 32, 32 };
	unsigned usage[2] = { 0, 0 };
	gnutls_pcert_st theirs;

	assert_int_equal(gnutls_pcert_import_x509_raw(&theirs, &der, GNUTLS_X509_FMT_DER, 0), 0);
	check_int(row, ours->type, theirs.type);
	check(row, ours->cert.size == theirs.cert.size && !memcmp(ours->cert.data, theirs.cert.data, theirs.cert.size));
	gnutls_pubkey_get_key_usage(ours->pubkey, &usage[0]);
	gnutls_pubkey_get_key_usage(theirs.pubkey, &usage[1]);
	check_int(row, usage[0], usage[1]);
	check_int(row, gnutls_pubkey_get_key_id(ours->pubkey, GNUTLS_KEYID_USE_SHA256, id[0], &len[0]), 0);
	check_int(row, gnutls_pubkey_get_key_id(theirs.pubkey, GNUTLS_KEYID_USE_SHA256, id[1], &len[1]), 0);
	check(row, !memcmp(id[0], id[1], 32));
	gnutls_pcert_deinit(&theirs);
}

static void what_gnutls_is_given_is_what_it_would_make_itself(void **state)
{
	static const char *const usages[] = { "03020780", "030205a0", "03020106", "0303070080", "030100", "0500", NULL };

	(void)state;
	for (size_t i = 0; i < ROWS(keys); i++) {
		for (size_t j = 0; j < ROWS(usages); j++) {
			struct blob more = usages[j] ? extension(X_KEY_USAGE, 1, blob_hex(usages[j])) : BLOB_NONE;
			struct blob cert = leaf_with(keys[i], more);
			struct clinch_error err;
			struct identity *identity;

			check_int(usages[j] ? usages[j] : "none", make(&identity, cert, keys[i], &err), 0);
			check_like_gnutls(usages[j] ? usages[j] : "none", &identity->pcert[0], cert);
			counted_unref(&identity->counted);
		}
	}
}

static struct blob dns(const char *text)
{
	return tlv(0x82, blob_text(text));
}

static void names_are_those_of_the_alternative_name_or_the_common_one(void **state)
{
	const struct {
		const char *row;
		struct blob names; /* GeneralNames */
		unsigned n;
		const char *first, *last;
	} rows[] = {
		{ "two", CAT(dns("a.test"), dns("*.B.test")), 2, "a.test", "*.b.test" },
		{ "others between", CAT(tlv(0x87, blob_hex("7f000001")), dns("a.test"), tlv(0x81, blob_text("x@y"))), 1,
		  "a.test", "a.test" },
		{ "none of DNS", tlv(0x87, blob_hex("7f000001")), 1, LEAF_NAME, LEAF_NAME },
		{ "a byte of zero", CAT(tlv(0x82, blob_hex("612e00622e74657374")), dns("a.test")), 1, "a.test", "a.test" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct clinch_error err;
		struct identity *identity;
		struct blob cert = leaf_with(KEY_LEAF, extension("551d11", -1, tlv(0x30, rows[i].names)));

		check_int(rows[i].row, make(&identity, cert, KEY_LEAF, &err), 0);
		check_int(rows[i].row, identity->n_names, rows[i].n);
		check_str(rows[i].row, identity->name[0], rows[i].first);
		check_str(rows[i].row, identity->name[identity->n_names - 1], rows[i].last);
		counted_unref(&identity->counted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key_fits_its_own_certificate_alone),
		T(what_gnutls_is_given_is_what_it_would_make_itself),
		T(names_are_those_of_the_alternative_name_or_the_common_one),
	};
	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
