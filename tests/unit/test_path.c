/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is made of GnuTLS's word on a path, with a GnuTLS that says whatever a row wants: the four functions that path.c asks
 * are this file's (an executable's own definition comes before a library's). Real handshakes are test_client.c's.
 */
#include "unit.h"
#include "x509/path.h"
#include <stdbool.h>
#include <string.h>

#define VISIBLE __attribute__((visibility("default")))

struct said {
	gnutls_x509_crt_t cert, issuer;
	gnutls_x509_crl_t crl;
	unsigned status;
};

static struct fake {
	gnutls_datum_t peer;
	int rc;
	unsigned status, n;
	gnutls_certificate_type_t type;
	struct said said[70];
	gnutls_verify_output_function *output;
} fake;

VISIBLE const gnutls_datum_t *gnutls_certificate_get_peers(gnutls_session_t session, unsigned *n)
{
	(void)session;
	if (n)
		*n = fake.peer.size ? 1 : 0;
	return fake.peer.size ? &fake.peer : NULL;
}

VISIBLE gnutls_certificate_type_t gnutls_certificate_type_get2(gnutls_session_t session, gnutls_ctype_target_t target)
{
	(void)session;
	(void)target;
	return fake.type;
}

VISIBLE void gnutls_session_set_verify_output_function(gnutls_session_t session, gnutls_verify_output_function *function)
{
	(void)session;
	fake.output = function;
}

VISIBLE int gnutls_certificate_verify_peers(gnutls_session_t session, gnutls_typed_vdata_st *data, unsigned n,
					    unsigned *status)
{
	(void)session;
	(void)data;
	(void)n;
	*status = fake.status;
	for (unsigned i = 0; i < fake.n; i++)
		fake.output(fake.said[i].cert, fake.said[i].issuer, fake.said[i].crl, fake.said[i].status);
	return fake.rc;
}

/* ---- the world: leaf, intermediate, root ---- */

static gnutls_x509_crt_t root, intermediate, leaf;
static struct blob leaf_der;

static struct cert_spec intermediate_spec(void)
{
	struct cert_spec spec = ca_spec();
	spec.serial = blob_hex("44");
	spec.subject = "Test Intermediate";
	spec.key = KEY_DELEGATE;
	return spec;
}

static struct blob leaf_below(struct blob extensions)
{
	struct cert_spec spec = leaf_spec();
	spec.issuer = "Test Intermediate";
	spec.signer = KEY_DELEGATE;
	spec.extensions = extensions;
	return make_cert(&spec);
}

static int make_world(void **state)
{
	const struct cert_spec spec = intermediate_spec();
	forget_blobs(state);
	root = import_cert(world_ca());
	intermediate = import_cert(make_cert(&spec));
	leaf_der = leaf_below(access_info_ocsp("http://ocsp.test/"));
	leaf = import_cert(leaf_der);
	fake = (struct fake){ .peer = blob_datum(leaf_der), .type = GNUTLS_CRT_X509 };
	return 0;
}

static int drop_world(void **state)
{
	(void)state;
	gnutls_x509_crt_deinit(root);
	gnutls_x509_crt_deinit(intermediate);
	gnutls_x509_crt_deinit(leaf);
	return 0;
}

static void say(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer, unsigned status)
{
	fake.said[fake.n++] = (struct said){ cert, issuer, NULL, status };
}

static void say_all_is_well(void)
{
	fake.n = 0;
	say(intermediate, root, 0);
	say(leaf, intermediate, 0);
}

static enum clinch_reason judge(unsigned *n)
{
	struct path path;
	const struct path_wish wish = { .host = NULL, .purpose = GNUTLS_KP_TLS_WWW_SERVER, .now = NOW };
	path_judge(&path, NULL, &wish);
	if (n)
		*n = path.n;
	enum clinch_reason reason = path.reason;
	assert_int_equal(path.status, reason == CLINCH_REASON_NO_CERTIFICATE ? 0 : fake.status);
	path_done(&path);
	return reason;
}

static void expect(const char *row, enum clinch_reason reason)
{
	check_str(row, clinch_reason_name(judge(NULL)), clinch_reason_name(reason));
}

static void a_path_that_nobody_speaks_against_is_good(void **state)
{
	(void)state;
	unsigned n = 0;
	say_all_is_well();
	assert_int_equal(judge(&n), CLINCH_REASON_GOOD);
	assert_int_equal(n, 2);
}

static void without_an_x509_certificate_there_is_no_path(void **state)
{
	(void)state;
	say_all_is_well();
	fake.type = GNUTLS_CRT_RAWPK;
	expect("a raw public key", CLINCH_REASON_NO_CERTIFICATE);
	fake.type = GNUTLS_CRT_X509;
	fake.peer.size = 0;
	expect("nothing", CLINCH_REASON_NO_CERTIFICATE);
}

static void what_gnutls_could_not_do_is_not_good(void **state)
{
	(void)state;
	say_all_is_well();
	fake.rc = GNUTLS_E_MEMORY_ERROR;
	expect("it has no memory", CLINCH_REASON_INTERNAL);
	fake.rc = GNUTLS_E_CONSTRAINT_ERROR;
	expect("it refuses to begin", CLINCH_REASON_PATH_OTHER);
	fake.rc = 0;
	while (fake.n < ROWS(fake.said))
		say(leaf, intermediate, 0);
	expect("more attempts than there is room for", CLINCH_REASON_INTERNAL);
}

#define INVALID GNUTLS_CERT_INVALID

static const struct {
	const char *row;
	unsigned bit;
	enum clinch_reason reason;
} status_bits[] = {
	{ "signer not found", GNUTLS_CERT_SIGNER_NOT_FOUND, CLINCH_REASON_PATH_UNTRUSTED },
	{ "signature failure", GNUTLS_CERT_SIGNATURE_FAILURE, CLINCH_REASON_PATH_SIGNATURE },
	{ "expired", GNUTLS_CERT_EXPIRED, CLINCH_REASON_PATH_EXPIRED },
	{ "not activated", GNUTLS_CERT_NOT_ACTIVATED, CLINCH_REASON_PATH_NOT_YET },
	{ "insecure algorithm", GNUTLS_CERT_INSECURE_ALGORITHM, CLINCH_REASON_PATH_WEAK },
	{ "signer not a CA", GNUTLS_CERT_SIGNER_NOT_CA, CLINCH_REASON_PATH_CONSTRAINT },
	{ "constraints", GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, CLINCH_REASON_PATH_CONSTRAINT },
	{ "unknown critical extension", GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, CLINCH_REASON_PATH_CONSTRAINT },
	{ "purpose", GNUTLS_CERT_PURPOSE_MISMATCH, CLINCH_REASON_PATH_PURPOSE },
	{ "owner", GNUTLS_CERT_UNEXPECTED_OWNER, CLINCH_REASON_PATH_NAME },
	{ "mismatch", GNUTLS_CERT_MISMATCH, CLINCH_REASON_PATH_OTHER },
	{ "a bit that GnuTLS has not given out yet", 1u << 30, CLINCH_REASON_PATH_OTHER },
};

static void each_of_gnutls_bits_refuses_the_whole_path_and_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(status_bits); i++) {
		say_all_is_well();
		fake.status = INVALID | status_bits[i].bit;
		expect(status_bits[i].row, status_bits[i].reason);
		fake.status = status_bits[i].bit;
		expect(status_bits[i].row, status_bits[i].reason);
	}
}

static void each_of_gnutls_bits_refuses_a_link_and_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(status_bits); i++) {
		fake.status = INVALID | status_bits[i].bit;
		fake.n = 0;
		say(intermediate, root, 0);
		say(leaf, intermediate, INVALID | status_bits[i].bit);
		expect(status_bits[i].row, status_bits[i].reason);
		fake.n = 0;
		say(intermediate, root, INVALID | status_bits[i].bit);
		say(leaf, intermediate, 0);
		expect(status_bits[i].row, status_bits[i].reason);
	}
}

/* Whatever the status of the whole says in the end: a link that was refused is refused. */
static void a_refused_link_is_never_forgotten(void **state)
{
	(void)state;
	say(intermediate, root, 0);
	say(leaf, intermediate, INVALID | GNUTLS_CERT_SIGNATURE_FAILURE);
	expect("the whole says nothing", CLINCH_REASON_PATH_OTHER);
	fake.status = INVALID;
	fake.said[1].status = INVALID;
	expect("neither says why", CLINCH_REASON_PATH_OTHER);
	fake.status = INVALID | GNUTLS_CERT_MISSING_OCSP_STATUS;
	expect("the whole speaks of the staple alone", CLINCH_REASON_PATH_OTHER);
}

/* GnuTLS's own staple check is no part of the path: its bits are taken out, and INVALID with them. */
static void gnutls_own_staple_check_does_not_count(void **state)
{
	(void)state;
	static const unsigned rows[] = { GNUTLS_CERT_MISSING_OCSP_STATUS, GNUTLS_CERT_INVALID_OCSP_STATUS,
					 GNUTLS_CERT_REVOKED, GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED };
	for (size_t i = 0; i < ROWS(rows); i++) {
		say_all_is_well();
		fake.status = INVALID | rows[i];
		expect("alone", CLINCH_REASON_GOOD);
		fake.status = INVALID | rows[i] | GNUTLS_CERT_UNEXPECTED_OWNER;
		expect("with another name", CLINCH_REASON_PATH_NAME);
	}
	fake.status = INVALID;
	expect("INVALID without any reason", CLINCH_REASON_PATH_OTHER);
}

static gnutls_x509_crl_t import_crl(const char *next_update)
{
	gnutls_x509_crl_t crl;
	const gnutls_datum_t der = blob_datum(make_crl(next_update, blob_hex("55")));
	assert_int_equal(gnutls_x509_crl_init(&crl), 0);
	assert_int_equal(gnutls_x509_crl_import(crl, &der, GNUTLS_X509_FMT_DER), 0);
	return crl;
}

/* REVOKED is the staple's, unless a callback has it: then it is a CRL's. */
static void a_crl_counts(void **state)
{
	(void)state;
	static const unsigned rows[] = { GNUTLS_CERT_REVOKED, GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED,
					 GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE };
	gnutls_x509_crl_t crl = import_crl("350101000000Z");
	for (size_t i = 0; i < ROWS(rows); i++) {
		say_all_is_well();
		fake.said[fake.n++] = (struct said){ leaf, NULL, crl, INVALID | rows[i] };
		fake.status = INVALID | rows[i];
		expect("it speaks against the leaf", CLINCH_REASON_PATH_CRL);
	}
	say_all_is_well();
	fake.said[fake.n++] = (struct said){ leaf, NULL, crl, 0 };
	fake.status = INVALID | GNUTLS_CERT_REVOKED;
	expect("it has nothing against it, the staple has", CLINCH_REASON_GOOD);
	gnutls_x509_crl_deinit(crl);
}

static void a_crl_is_judged_at_the_same_instant(void **state)
{
	(void)state;
	static const struct {
		const char *next_update; /* NOW is 2026-06-15T12:00:00Z */
		enum clinch_reason reason;
	} rows[] = { { "260615120000Z", CLINCH_REASON_GOOD }, { "260615115959Z", CLINCH_REASON_PATH_CRL } };
	for (size_t i = 0; i < ROWS(rows); i++) {
		gnutls_x509_crl_t crl = import_crl(rows[i].next_update);
		say_all_is_well();
		fake.said[fake.n++] = (struct said){ leaf, NULL, crl, 0 };
		expect(rows[i].next_update, rows[i].reason);
		gnutls_x509_crl_deinit(crl);
	}
}

static void the_last_word_on_a_certificate_counts(void **state)
{
	(void)state;
	say(leaf, NULL, INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND);
	say(intermediate, root, 0);
	say(leaf, intermediate, 0);
	expect("good at last", CLINCH_REASON_GOOD);
	say(leaf, NULL, INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND);
	fake.status = INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND;
	expect("refused at last", CLINCH_REASON_PATH_UNTRUSTED);
}

static void must_staple_of_the_ca_binds_what_is_below_it(void **state)
{
	(void)state;
	struct cert_spec spec = intermediate_spec();
	spec.extensions = CAT(ca_constraints(), must_staple());
	gnutls_x509_crt_t feature = import_cert(make_cert(&spec)), stapled = import_cert(leaf_below(must_staple()));
	fake.status = INVALID | GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE;
	say(feature, root, 0);
	say(leaf, feature, fake.status);
	expect("the leaf has it not", CLINCH_REASON_PATH_MUST_STAPLE);
	struct blob der = leaf_below(must_staple());
	fake.peer = blob_datum(der);
	gnutls_x509_crt_t same_leaf = import_cert(der);
	fake.said[1].cert = same_leaf;
	expect("the leaf has it, and breaks something else", CLINCH_REASON_PATH_CONSTRAINT);
	gnutls_x509_crt_deinit(feature);
	gnutls_x509_crt_deinit(stapled);
	gnutls_x509_crt_deinit(same_leaf);
}

/* A name that is nested deeper than anybody's: GnuTLS does not look into it. */
static struct blob leaf_with_a_bottomless_name(void)
{
	struct blob value = BLOB_NONE,
		    validity = SEQ(tlv(0x17, blob_text("260101000000Z")), tlv(0x17, blob_text("270101000000Z")));
	for (unsigned i = 0; i < 20; i++)
		value = tlv(0x30, value);
	struct blob tbs =
		SEQ(blob_hex("a003020102"), blob_hex("020105"), algorithm_of(ECDSA_SHA256), common_name("Test Intermediate"),
		    validity, SEQ(SET_OF(SEQ(oid(X_MADE_UP), value))), key_spki(KEY_LEAF));
	return SEQ(tbs, algorithm_of(ECDSA_SHA256), bits(sign(KEY_DELEGATE, ECDSA_SHA256, tbs)));
}

/* What GnuTLS reads and we do not is not good on GnuTLS's word alone. */
static void a_certificate_that_we_cannot_read_is_not_good(void **state)
{
	(void)state;
	struct blob der = leaf_with_a_bottomless_name();
	gnutls_x509_crt_t odd = import_cert(der);
	fake.peer = blob_datum(der);
	say(intermediate, root, 0);
	say(odd, intermediate, 0);
	expect("a bottomless name", CLINCH_REASON_ISSUER_UNPREPARED);
	gnutls_x509_crt_deinit(odd);
}

/* GnuTLS calls nobody back for a certificate that is on its list of distrusted ones. */
static void silence_is_not_good(void **state)
{
	(void)state;
	expect("nothing was said of anything", CLINCH_REASON_PATH_OTHER);
	fake.status = INVALID | GNUTLS_CERT_REVOKED;
	expect("a distrusted certificate", CLINCH_REASON_PATH_DISTRUSTED);
	say(intermediate, root, 0);
	fake.status = 0;
	expect("nothing was said of the leaf", CLINCH_REASON_PATH_OTHER);
}

static void a_path_has_sixteen_members_at_most(void **state)
{
	(void)state;
	gnutls_x509_crt_t chain[PATH_MAX_MEMBERS + 2];
	for (unsigned i = 0; i < ROWS(chain); i++) {
		struct cert_spec spec = ca_spec();
		uint8_t serial = (uint8_t)(i + 1);
		spec.serial = blob_of(&serial, 1);
		struct blob der = make_cert(&spec);
		chain[i] = import_cert(der);
		if (i == 0)
			fake.peer = blob_datum(der);
	}
	unsigned n = 0;
	for (unsigned i = 0; i < PATH_MAX_MEMBERS; i++)
		say(chain[i], chain[i + 1], 0);
	assert_int_equal(judge(&n), CLINCH_REASON_GOOD);
	assert_int_equal(n, PATH_MAX_MEMBERS);
	say(chain[PATH_MAX_MEMBERS], chain[PATH_MAX_MEMBERS + 1], 0);
	assert_int_equal(judge(&n), CLINCH_REASON_PATH_OTHER);
	for (unsigned i = 0; i < ROWS(chain); i++)
		gnutls_x509_crt_deinit(chain[i]);
}

#define IN_WORLD(function) cmocka_unit_test_setup_teardown(function, make_world, drop_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_path_that_nobody_speaks_against_is_good),
		IN_WORLD(without_an_x509_certificate_there_is_no_path),
		IN_WORLD(what_gnutls_could_not_do_is_not_good),
		IN_WORLD(each_of_gnutls_bits_refuses_the_whole_path_and_has_its_reason),
		IN_WORLD(each_of_gnutls_bits_refuses_a_link_and_has_its_reason),
		IN_WORLD(a_refused_link_is_never_forgotten),
		IN_WORLD(gnutls_own_staple_check_does_not_count),
		IN_WORLD(a_crl_counts),
		IN_WORLD(a_crl_is_judged_at_the_same_instant),
		IN_WORLD(the_last_word_on_a_certificate_counts),
		IN_WORLD(must_staple_of_the_ca_binds_what_is_below_it),
		IN_WORLD(a_certificate_that_we_cannot_read_is_not_good),
		IN_WORLD(silence_is_not_good),
		IN_WORLD(a_path_has_sixteen_members_at_most),
	};
	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
