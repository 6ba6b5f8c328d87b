/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificates read in place (RFC 5280 4.1). */
#include "der/oid.h"
#include "unit.h"
#include "x509/cert_view.h"
#include <string.h>

static bool parse(struct cert_view *out, struct blob bytes)
{
	return cert_view_parse(out, der_of(bytes.data, bytes.len));
}

/* The parts of a TBSCertificate, each of which a test may put something else for. */
struct parts {
	struct blob version, serial, algorithm, issuer, validity, subject, spki, ids, extensions;
};

static struct parts right(void)
{
	return (struct parts){ blob_hex("a003020102"),
			       blob_hex("020105"),
			       algorithm_of(ECDSA_SHA256),
			       common_name("Issuer"),
			       SEQ(tlv(0x17, blob_text("260101000000Z")), generalized("20510101000000Z")),
			       common_name("Subject"),
			       key_spki(KEY_LEAF),
			       BLOB_NONE,
			       BLOB_NONE };
}

static struct blob tbs_of(const struct parts *p)
{
	return SEQ(p->version, p->serial, p->algorithm, p->issuer, p->validity, p->subject, p->spki, p->ids, p->extensions);
}

static struct blob cert_of(const struct parts *p)
{
	return SEQ(tbs_of(p), algorithm_of(ECDSA_SHA256), bits(blob_hex("abcd")));
}

static struct blob with_extensions(struct blob content)
{
	struct parts p = right();
	p.extensions = tlv(0xa3, tlv(0x30, content));
	return cert_of(&p);
}

static bool is(struct der view, struct blob want)
{
	return der_equals_bytes(view, want.data, want.len);
}

static void reads_every_field(void **state)
{
	(void)state;
	struct parts p = right();
	struct blob one = extension(X_MADE_UP, 1, blob_hex("0500"));
	p.ids = blob_hex("81020001 82020002");
	p.extensions = tlv(0xa3, SEQ(one));
	struct blob whole = cert_of(&p), tbs = tbs_of(&p);
	struct cert_view view;
	assert_true(parse(&view, whole));
	assert_true(is(view.whole, whole));
	assert_true(is(view.tbs, tbs));
	assert_true(is(view.serial, blob_hex("05")));
	assert_true(is(view.issuer, p.issuer));
	assert_true(is(view.subject, p.subject));
	assert_true(is(view.spki, p.spki));
	assert_true(is(view.key_bits, key_bits(KEY_LEAF)));
	assert_true(is(view.extensions, one));
	assert_true(is(view.signature, blob_hex("abcd")));
	assert_true(is(view.signature_algorithm, blob_hex("06082a8648ce3d040302")));
	assert_int_equal(view.not_before, INT64_C(1767225600));
	assert_int_equal(view.not_after, INT64_C(2556144000));
}

static void the_oldest_kind_has_no_version_and_no_extensions(void **state)
{
	(void)state;
	struct parts p = right();
	p.version = BLOB_NONE;
	struct cert_view view;
	assert_true(parse(&view, cert_of(&p)));
	assert_true(der_at_end(&view.extensions));
	assert_false(cert_view_must_staple(&view));
	assert_false(cert_view_is_ca(&view));
}

static void a_serial_stays_as_it_is_written(void **state)
{
	(void)state;
	static const char *const rows[] = { "00", "0005", "ff", "80", "0080", "0102030405060708090a0b0c0d0e0f101112131415" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct parts p = right();
		p.serial = tlv(0x02, blob_hex(rows[i]));
		struct cert_view view;
		check(rows[i], parse(&view, cert_of(&p)));
		check(rows[i], is(view.serial, blob_hex(rows[i])));
	}
}

static void a_certificate_with_anything_wrong_is_refused(void **state)
{
	(void)state;
	struct blob time = tlv(0x17, blob_text("260101000000Z")), one = extension(X_MADE_UP, -1, BLOB_NONE);
	const struct {
		const char *row;
		size_t part; /* offset in struct parts */
		struct blob instead;
	} rows[] = {
#define PART(name) offsetof(struct parts, name)
		{ "version 4", PART(version), blob_hex("a003020103") },
		{ "version -1", PART(version), blob_hex("a0030201ff") },
		{ "a version without a number", PART(version), blob_hex("a000") },
		{ "two versions", PART(version), blob_hex("a006020102020102") },
		{ "no serial", PART(serial), BLOB_NONE },
		{ "a serial without bytes", PART(serial), blob_hex("0200") },
		{ "another algorithm inside than outside", PART(algorithm), algorithm_of(ECDSA_SHA384) },
		{ "no algorithm", PART(algorithm), BLOB_NONE },
		{ "no issuer", PART(issuer), BLOB_NONE },
		{ "a broken issuer", PART(issuer), blob_hex("30033101ab") },
		{ "a SET as issuer", PART(issuer), tlv(0x31, BLOB_NONE) },
		{ "one time", PART(validity), SEQ(time) },
		{ "three times", PART(validity), SEQ(time, time, time) },
		{ "no date", PART(validity), SEQ(time, tlv(0x17, blob_text("261301000000Z"))) },
		{ "no validity", PART(validity), BLOB_NONE },
		{ "a broken subject", PART(subject), blob_hex("30033101ab") },
		{ "no key", PART(spki), BLOB_NONE },
		{ "a key without bits", PART(spki), SEQ(SEQ(oid("2a8648ce3d0201"))) },
		{ "a key without an algorithm", PART(spki), SEQ(bits(blob_hex("04"))) },
		{ "something behind the key", PART(spki), SEQ(SEQ(oid("2b6570")), bits(blob_hex("04")), null_value()) },
		{ "a key of half a byte", PART(spki), SEQ(SEQ(oid("2b6570")), blob_hex("03020480")) },
		{ "unique identifiers in the wrong order", PART(ids), blob_hex("82020002 81020001") },
		{ "something for extensions", PART(extensions), null_value() },
		{ "no extension in the list", PART(extensions), tlv(0xa3, SEQ(BLOB_NONE)) },
		{ "no list of extensions", PART(extensions), tlv(0xa3, null_value()) },
		{ "something behind the list", PART(extensions), tlv(0xa3, CAT(SEQ(one), null_value())) },
		{ "something behind the extensions", PART(extensions), CAT(tlv(0xa3, SEQ(one)), null_value()) },
		{ "an extension twice", PART(extensions), tlv(0xa3, SEQ(one, one)) },
		{ "a broken extension", PART(extensions), tlv(0xa3, SEQ(null_value())) },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct parts p = right();
		memcpy((uint8_t *)&p + rows[i].part, &rows[i].instead, sizeof(struct blob));
		struct cert_view view;
		check(rows[i].row, !parse(&view, cert_of(&p)));
	}
}

static void the_outer_shell_is_three_things_and_no_more(void **state)
{
	(void)state;
	struct parts p = right();
	struct blob tbs = tbs_of(&p), alg = algorithm_of(ECDSA_SHA256), sig = bits(blob_hex("abcd"));
	const struct {
		const char *row;
		struct blob bytes;
		bool taken;
	} rows[] = {
		{ "right", SEQ(tbs, alg, sig), true },
		{ "nothing", BLOB_NONE, false },
		{ "empty", SEQ(BLOB_NONE), false },
		{ "a SET", tlv(0x31, CAT(tbs, alg, sig)), false },
		{ "no algorithm", SEQ(tbs, sig), false },
		{ "no signature", SEQ(tbs, alg), false },
		{ "a signature of half a byte", SEQ(tbs, alg, blob_hex("03020480")), false },
		{ "something behind the signature", SEQ(tbs, alg, sig, null_value()), false },
		{ "something behind it", CAT(SEQ(tbs, alg, sig), blob_hex("00")), false },
		{ "PEM", blob_text("-----BEGIN CERTIFICATE-----"), false },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cert_view view;
		check_int(rows[i].row, parse(&view, rows[i].bytes), rows[i].taken);
	}
}

static void finds_an_extension_by_its_whole_identifier(void **state)
{
	(void)state;
	struct cert_view view;
	struct der_extension out;
	assert_true(parse(&view, with_extensions(CAT(extension(X_KEY_USAGE, 1, blob_hex("03020780")), eku_ocsp_signing()))));
	assert_true(cert_view_extension(&view, OID_KEY_USAGE, sizeof(OID_KEY_USAGE) - 1, &out));
	assert_true(out.critical);
	assert_true(is(out.value, blob_hex("03020780")));
	assert_true(cert_view_extension(&view, OID_EXTENDED_KEY_USAGE, sizeof(OID_EXTENDED_KEY_USAGE) - 1, &out));
	assert_false(out.critical);
	assert_false(cert_view_extension(&view, OID_BASIC_CONSTRAINTS, sizeof(OID_BASIC_CONSTRAINTS) - 1, &out));
	assert_false(cert_view_extension(&view, OID_KEY_USAGE, 2, &out));
}

/* RFC 7633 4.1: Features ::= SEQUENCE OF INTEGER; status_request is 5 (RFC 6066), status_request_v2 is 17. */
static void must_staple_is_feature_five(void **state)
{
	(void)state;
	static const struct {
		const char *row, *value;
		bool must_staple;
	} rows[] = {
		{ "5", "3003020105", true },
		{ "17 and 5", "3006020111020105", true },
		{ "17", "3003020111", false },
		{ "none", "3000", false },
		/* What cannot be read might have asked for it. */
		{ "5 behind nonsense", "30050500020105", true },
		{ "a bare 5", "020105", true },
		{ "a padded 5", "300402020005", true },
		{ "nothing", "", true },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cert_view view;
		check(rows[i].row, parse(&view, with_extensions(extension(X_TLS_FEATURE, -1, blob_hex(rows[i].value)))));
		check_int(rows[i].row, cert_view_must_staple(&view), rows[i].must_staple);
	}
}

static void a_ca_says_so_in_its_basic_constraints(void **state)
{
	(void)state;
	static const struct {
		const char *row, *value;
		bool is_ca;
	} rows[] = {
		{ "TRUE", "30030101ff", true },   { "TRUE with a path length", "30060101ff020100", true },
		{ "the default", "3000", false }, { "FALSE written out", "3003010100", false },
		{ "01", "3003010101", false },    { "a path length alone", "3003020100", false },
		{ "no list", "0101ff", false },   { "nothing", "", false },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cert_view view;
		check(rows[i].row,
		      parse(&view, with_extensions(extension(X_BASIC_CONSTRAINTS, 1, blob_hex(rows[i].value)))));
		check_int(rows[i].row, cert_view_is_ca(&view), rows[i].is_ca);
	}
}

static void self_issued_is_a_matter_of_names(void **state)
{
	(void)state;
	struct parts p = right();
	struct cert_view view;
	assert_true(parse(&view, cert_of(&p)));
	assert_false(cert_view_self_issued(&view));
	p.subject = p.issuer;
	assert_true(parse(&view, cert_of(&p)));
	assert_true(cert_view_self_issued(&view));
}

#define OCSP(view, i, url) cert_view_access_url(view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, i, url)

/* RFC 5280 4.2.2.1: any number, in any order; a location that is no URI is none of ours. */
static void finds_each_ocsp_url_in_order(void **state)
{
	(void)state;
	struct blob ocsp = oid("2b06010505073001"), issuers = oid("2b06010505073002");
	struct blob all =
		SEQ(SEQ(issuers, tlv(0x86, blob_text("http://ca/"))), SEQ(ocsp, tlv(0x86, blob_text("http://one/"))),
		    SEQ(ocsp, tlv(0xa4, common_name("a directory name"))), SEQ(ocsp, tlv(0x86, blob_text("http://two/"))));
	struct cert_view view;
	struct der url;
	assert_true(parse(&view, with_extensions(extension(X_ACCESS_INFO, -1, all))));
	assert_true(OCSP(&view, 0, &url));
	assert_true(is(url, blob_text("http://one/")));
	assert_true(OCSP(&view, 1, &url));
	assert_true(is(url, blob_text("http://two/")));
	assert_false(OCSP(&view, 2, &url));
	assert_true(cert_view_access_url(&view, OID_AD_CA_ISSUERS, sizeof(OID_AD_CA_ISSUERS) - 1, 0, &url));
	assert_true(is(url, blob_text("http://ca/")));
	assert_false(cert_view_access_url(&view, OID_AD_CA_ISSUERS, sizeof(OID_AD_CA_ISSUERS) - 1, 1, &url));
}

static void an_access_extension_of_nonsense_has_no_url(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "0500", "3000", "30020500", "30023000", "300a 3008 06062b060105050a" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cert_view view;
		struct der url;
		check(rows[i], parse(&view, with_extensions(extension(X_ACCESS_INFO, -1, blob_hex(rows[i])))));
		check(rows[i], !OCSP(&view, 0, &url));
	}
}

/* RFC 5280 4.2.1.6: dNSName is [2] among others. */
static void finds_each_dns_name_in_order(void **state)
{
	(void)state;
	struct blob all =
		SEQ(tlv(0x87, blob_hex("7f000001")), tlv(0x82, blob_text("one.test")), tlv(0xa4, common_name("a name")),
		    tlv(0x82, blob_text("two.test")), tlv(0x86, blob_text("http://x/")));
	struct cert_view view;
	struct der name;
	assert_true(parse(&view, with_extensions(extension("551d11", -1, all))));
	assert_true(cert_view_dns_name(&view, 0, &name));
	assert_true(is(name, blob_text("one.test")));
	assert_true(cert_view_dns_name(&view, 1, &name));
	assert_true(is(name, blob_text("two.test")));
	assert_false(cert_view_dns_name(&view, 2, &name));
}

static void an_alternative_name_of_nonsense_has_no_dns_name(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "0500", "3000", "30028203", "8203616263", "3003870161" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cert_view view;
		struct der name;
		check(rows[i], parse(&view, with_extensions(extension("551d11", -1, blob_hex(rows[i])))));
		check(rows[i], !cert_view_dns_name(&view, 0, &name));
	}
}

/* The first byte of the bits is the low one, as in enum gnutls_key_usage. */
static void key_usage_is_a_number_of_gnutls(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		unsigned usage;
	} rows[] = {
		{ "03020780", 0x80 }, { "030205a0", 0xa0 },      { "03020106", 0x06 }, { "0303070080", 0x8000 },
		{ "030100", 0 },      { "0302078000", 0x00 },    { "0500", 0 },        { "", 0 },
		{ "0300", 0 },        { "0302078003020780", 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct cert_view view;
		check(rows[i].value, parse(&view, with_extensions(extension(X_KEY_USAGE, 1, blob_hex(rows[i].value)))));
		check_int(rows[i].value, cert_view_key_usage(&view), rows[i].usage);
	}
}

/* A week less a second is short; must-staple and a responder from elsewhere each lift one hindrance, and no other. */
static void says_whether_there_is_a_response_to_have(void **state)
{
	(void)state;
	const struct {
		const char *row, *not_after, *subject;
		bool url, must, elsewhere;
		enum cert_response want;
	} rows[] = {
		{ "a year, a URL", "270101000000Z", "Subject", true, false, false, CERT_RESPONSE_TO_HAVE },
		{ "a year, no URL", "270101000000Z", "Subject", false, false, false, CERT_NO_RESPONDER },
		{ "a year, no URL, must-staple", "270101000000Z", "Subject", false, true, false, CERT_NO_RESPONDER },
		{ "a year, another's URL", "270101000000Z", "Subject", false, false, true, CERT_RESPONSE_TO_HAVE },
		{ "a week, a URL", "260108000000Z", "Subject", true, false, false, CERT_RESPONSE_TO_HAVE },
		{ "less than a week", "260107235959Z", "Subject", true, false, false, CERT_SHORT_LIVED },
		{ "less than a week, another's URL", "260107235959Z", "Subject", true, false, true, CERT_SHORT_LIVED },
		{ "less than a week, must-staple", "260107235959Z", "Subject", true, true, false, CERT_RESPONSE_TO_HAVE },
		{ "less than a week, must-staple, no URL", "260107235959Z", "Subject", false, true, false,
		  CERT_NO_RESPONDER },
		{ "of its own issuing", "270101000000Z", "Issuer", true, true, true, CERT_SELF_ISSUED },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct parts p = right();
		struct cert_view view;
		struct blob url = rows[i].url ? access_info_ocsp("http://ocsp.test/") : BLOB_NONE;
		p.validity = SEQ(tlv(0x17, blob_text("260101000000Z")), tlv(0x17, blob_text(rows[i].not_after)));
		p.subject = common_name(rows[i].subject);
		if (rows[i].url || rows[i].must)
			p.extensions = tlv(0xa3, SEQ(url, rows[i].must ? must_staple() : BLOB_NONE));
		check(rows[i].row, parse(&view, cert_of(&p)));
		check_int(rows[i].row, cert_view_response(&view, rows[i].elsewhere), rows[i].want);
	}
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	struct blob whole = world_delegate();
	for (size_t len = 0; len < whole.len; len++) {
		struct cert_view view;
		void *exact = test_malloc(len + 1);
		memcpy(exact, whole.data, len);
		assert_false(cert_view_parse(&view, der_of(exact, len)));
		test_free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_every_field),
		T(the_oldest_kind_has_no_version_and_no_extensions),
		T(a_serial_stays_as_it_is_written),
		T(a_certificate_with_anything_wrong_is_refused),
		T(the_outer_shell_is_three_things_and_no_more),
		T(finds_an_extension_by_its_whole_identifier),
		T(must_staple_is_feature_five),
		T(a_ca_says_so_in_its_basic_constraints),
		T(self_issued_is_a_matter_of_names),
		T(finds_each_ocsp_url_in_order),
		T(an_access_extension_of_nonsense_has_no_url),
		T(finds_each_dns_name_in_order),
		T(an_alternative_name_of_nonsense_has_no_dns_name),
		T(key_usage_is_a_number_of_gnutls),
		T(says_whether_there_is_a_response_to_have),
		T(every_truncation_is_refused),
	};
	return cmocka_run_group_tests_name("cert_view", tests, NULL, NULL);
}
