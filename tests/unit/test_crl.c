/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a CRL is refused: of whom it is, what it leaves out, what cannot be read; and the sentence for it. */
#include "crls.h"
#include "respond/crl_files.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static struct issuer *ca;
static struct clinch_error err;
static char odd[SERIALS_ODD_SIZE]; /* what was noted */

static int check_crl(struct blob bytes)
{
	struct crl_files *files = calloc(1, sizeof(*files));
	struct serials serials = { 0 };
	struct crl_judging judging = { files, &serials };
	int code;

	assert_non_null(files);
	err = (struct clinch_error){ .text = "" };
	code = crl_files_parse(files, bytes.data, bytes.len, "ca.crl", ca, NOW, &err);
	if (code == 0)
		code = crl_files_add(files, &serials, &err);
	if (code == 0)
		assert_true(serials_seal(&serials, crl_files_judge, &judging));
	memcpy(odd, serials.odd, sizeof(odd));
	crl_files_done(files);
	serials_done(&serials);
	free(files);
	return code;
}

static void must_refuse(const char *row, const struct crl_spec *spec, int code, const char *sentence)
{
	check_int(row, check_crl(make_whole_crl(spec)), code);
	if (!strstr(err.text, sentence))
		fail_msg("%s: \"%s\" has not \"%s\"", row, err.text, sentence);
}

static void a_crl_of_somebody_else_is_refused(void **state)
{
	struct crl_spec spec = crl_of(crl_entry("0a"));
	(void)state;
	assert_int_equal(check_crl(make_whole_crl(&spec)), 0); /* near */
	spec.issuer = "Another CA";
	must_refuse("another name", &spec, CLINCH_E_NOT_ISSUER, "ca.crl: is the CRL of another CA");
	spec = crl_of(crl_entry("0a"));
	spec.key = KEY_OTHER;
	must_refuse("another key", &spec, CLINCH_E_NOT_ISSUER, "its signature is not of the CA's key");
	spec.key = KEY_RSA;
	spec.scheme = RSA_SHA256;
	must_refuse("another kind of key", &spec, CLINCH_E_NOT_ISSUER,
		    "its signature is rsa-sha256, and the CA's key is of another kind");
	spec.key = KEY_CA;
	spec.scheme = ECDSA_SHA1;
	must_refuse("SHA-1", &spec, CLINCH_E_UNSUPPORTED, "its signature is ecdsa-sha1, which can be forged");
}

static void a_ca_that_may_not_sign_crls_has_none(void **state)
{
	struct crl_spec crl = crl_of(crl_entry("0a"));
	struct cert_spec spec = ca_spec();
	struct crl_files *files = calloc(1, sizeof(*files));
	struct blob bytes = make_whole_crl(&crl);
	(void)state;
	for (int may = 0; may < 2; may++) {
		struct issuer *issuer = NULL;
		spec.extensions = CAT(ca_constraints(), extension(X_KEY_USAGE, 1, blob_hex(may ? "03020106" : "03020204")));
		const gnutls_datum_t der = blob_datum(make_cert(&spec));
		assert_int_equal(issuer_new(&issuer, &der, NULL), 0);
		files->n = 0;
		check_int(may ? "may" : "may not",
			  crl_files_parse(files, bytes.data, bytes.len, "ca.crl", issuer, NOW, &err),
			  may ? 0 : CLINCH_E_NOT_ISSUER);
		crl_files_done(files);
		issuer_unref(issuer);
	}
	assert_non_null(strstr(err.text, "keyUsage without cRLSign"));
	free(files);
}

static void a_crl_that_does_not_say_all_is_refused(void **state)
{
	static const struct {
		const char *name, *oid, *value;
		int critical, code;
		const char *sentence; /* NULL: taken */
	} rows[] = {
		{ "a CRL number", X_CRL_NUMBER, "020105", -1, 0, NULL },
		{ "a critical CRL number", X_CRL_NUMBER, "020105", 1, 0, NULL },
		{ "a delta", X_DELTA, "020105", 1, CLINCH_E_UNSUPPORTED, "is a delta CRL" },
		{ "a delta, not critical", X_DELTA, "020105", -1, CLINCH_E_UNSUPPORTED, "is a delta CRL" },
		{ "not known", X_MADE_UP, "0500", -1, 0, NULL },
		{ "critical and not known", X_MADE_UP, "0500", 1, CLINCH_E_UNSUPPORTED,
		  "a critical extension that is not known" },
		{ "a distribution point", X_SCOPE, "3009 a007 a005 8603 613a62", 1, 0, NULL },
		{ "for users", X_SCOPE, "3003 8101ff", 1, 0, NULL },
		{ "for CAs", X_SCOPE, "3003 8201ff", 1, 0, NULL },
		{ "some reasons", X_SCOPE, "3004 83020640", 1, CLINCH_E_UNSUPPORTED, "for some reasons only" },
		{ "indirect", X_SCOPE, "3003 8401ff", 1, CLINCH_E_UNSUPPORTED, "is an indirect CRL" },
		{ "said to be direct", X_SCOPE, "3003 840100", 1, 0, NULL },
		{ "attributes", X_SCOPE, "3003 8501ff", 1, CLINCH_E_UNSUPPORTED, "for attribute certificates only" },
		{ "a broken scope", X_SCOPE, "3003 8601ff", 1, CLINCH_E_FORMAT,
		  "issuingDistributionPoint is not well-formed" },
		{ "a scope and more", X_SCOPE, "3000 0500", 1, CLINCH_E_FORMAT,
		  "issuingDistributionPoint is not well-formed" },
		{ "half true", X_SCOPE, "3003 840101", 1, CLINCH_E_FORMAT, "issuingDistributionPoint is not well-formed" },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct crl_spec spec = crl_of(crl_entry("0a"));
		spec.extensions = extension(rows[i].oid, rows[i].critical, blob_hex(rows[i].value));
		if (rows[i].sentence)
			must_refuse(rows[i].name, &spec, rows[i].code, rows[i].sentence);
		else
			check_int(rows[i].name, check_crl(make_whole_crl(&spec)), 0);
	}
}

static void an_entry_that_cannot_be_judged_refuses_the_crl(void **state)
{
	const struct {
		const char *name;
		struct blob entry;
		const char *sentence; /* NULL: taken */
	} rows[] = {
		{ "each reason",
		  CAT(crl_entry_with("01", crl_reason(5)), crl_entry_with("02", crl_reason(9)),
		      crl_entry_with("03", crl_reason(10))),
		  NULL },
		{ "a reason that is none", crl_entry_with("0a", extension(X_REASON_CODE, -1, null_value())),
		  "entry 2: its reasonCode is not well-formed" },
		{ "a certificateIssuer", crl_entry_with("0a", extension(X_CERTIFICATE_ISSUER, 1, SEQ(BLOB_NONE))),
		  "entry 2: has a certificateIssuer" },
		{ "critical and not known", crl_entry_with("0a", extension(X_MADE_UP, 1, null_value())),
		  "entry 2: has a critical" },
		{ "not known", crl_entry_with("0a", extension(X_MADE_UP, -1, null_value())), NULL },
		{ "a reason twice", crl_entry_with("0a", CAT(crl_reason(1), crl_reason(1))),
		  "entry 2: its extensions are not" },
		{ "no serial", SEQ(utc("260601000000Z")), "entry 2: is not well-formed" },
		{ "no time", SEQ(tlv(0x02, blob_hex("0a"))), "entry 2: is not well-formed" },
		{ "a time that is none", SEQ(tlv(0x02, blob_hex("0a")), utc("260631000000Z")),
		  "entry 2: is not well-formed" },
		{ "empty extensions", SEQ(tlv(0x02, blob_hex("0a")), utc("260601000000Z"), SEQ(BLOB_NONE)),
		  "entry 2: is not" },
		{ "an empty serial", crl_entry(""), "entry 2: its serial number has no bytes" },
		{ "a serial of 65 bytes", SEQ(tlv(0x02, blob_fill(0x11, 65)), utc("260601000000Z")),
		  "entry 2: its serial number" },
		{ "the same entry again", crl_entry("0b"), NULL },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct crl_spec spec = crl_of(CAT(crl_entry("0b"), rows[i].entry));
		if (rows[i].sentence)
			must_refuse(rows[i].name, &spec, CLINCH_E_FORMAT, rows[i].sentence);
		else
			check_int(rows[i].name, check_crl(make_whole_crl(&spec)), 0);
	}
}

static void what_is_odd_about_an_entry_is_said(void **state)
{
	const struct {
		const char *name;
		struct blob entry;
		const char *sentence;
	} rows[] = {
		{ "nothing", crl_entry("0a"), "" },
		{ "removeFromCRL", crl_entry_with("0a", crl_reason(8)),
		  "ca.crl: entry 2: removeFromCRL has no place in a complete CRL: it is revoked without a reason" },
		{ "reason 7", crl_entry_with("0a", crl_reason(7)),
		  "ca.crl: entry 2: its reasonCode is not one of RFC 5280 5.3.1" },
		{ "reason 11", crl_entry_with("0a", crl_reason(11)), "ca.crl: entry 2: its reasonCode is not one of" },
		{ "the same serial otherwise", CAT(crl_entry("0c"), crl_entry_with("0b", crl_reason(1))),
		  "ca.crl: entries 1 and 3 say different things of serial 0B: the worse counts" },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct crl_spec spec = crl_of(CAT(crl_entry("0b"), rows[i].entry));
		check_int(rows[i].name, check_crl(make_whole_crl(&spec)), 0);
		check(rows[i].name, strstr(odd, rows[i].sentence) && (odd[0] != 0) == (rows[i].sentence[0] != 0));
	}
}

static void the_whole_has_to_be_right(void **state)
{
	struct crl_spec spec = crl_of(crl_entry("0a"));
	struct blob good = make_whole_crl(&spec);
	(void)state;
	spec.next_update = BLOB_NONE;
	must_refuse("no nextUpdate", &spec, CLINCH_E_UNSUPPORTED, "has no nextUpdate");
	spec = crl_of(crl_entry("0a"));
	spec.version = BLOB_NONE;
	assert_int_equal(check_crl(make_whole_crl(&spec)), 0);
	spec.version = blob_hex("020102");
	must_refuse("version 3", &spec, CLINCH_E_FORMAT, "its version");
	spec = crl_of(crl_entry("0a"));
	spec.this_update = generalized("20260615120500Z");
	assert_int_equal(check_crl(make_whole_crl(&spec)), 0);
	spec.this_update = generalized("20260615120501Z");
	must_refuse("of tomorrow", &spec, CLINCH_E_FORMAT, "its thisUpdate, 2026-06-15T12:05:01Z, is in the future");
	assert_int_equal(check_crl(CAT(good, blob_hex("00"))), CLINCH_E_FORMAT);
	for (size_t len = 0; len < good.len; len++)
		check_int("cut off", check_crl(blob_of(good.data, len)), CLINCH_E_FORMAT);
}

static void no_byte_of_a_crl_can_be_another(void **state)
{
	struct crl_spec spec = crl_of(CAT(crl_entry("0a"), crl_entry_with("0b", crl_reason(1))));
	struct blob good = make_whole_crl(&spec);
	uint8_t bytes[512];
	(void)state;
	assert_true(good.len <= sizeof(bytes));
	for (size_t i = 0; i < good.len; i++) {
		memcpy(bytes, good.data, good.len);
		bytes[i] ^= 0x01;
		check("one byte", check_crl(blob_of(bytes, good.len)) != 0);
	}
}

static int make_world(void **state)
{
	const gnutls_datum_t der = blob_datum(world_ca());
	(void)state;
	return issuer_new(&ca, &der, NULL);
}

static int drop_world(void **state)
{
	(void)state;
	issuer_unref(ca);
	maker_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_crl_of_somebody_else_is_refused),      T(a_ca_that_may_not_sign_crls_has_none),
		T(a_crl_that_does_not_say_all_is_refused), T(an_entry_that_cannot_be_judged_refuses_the_crl),
		T(what_is_odd_about_an_entry_is_said),     T(the_whole_has_to_be_right),
		T(no_byte_of_a_crl_can_be_another),
	};
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
