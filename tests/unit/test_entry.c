/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SingleResponses (RFC 6960 4.2.1): one wrong thing in an otherwise right one, and the reason its structure gives it. */
#include "parsing.h"
#include <string.h>

static struct blob id(void)
{
	return good_entry().cert_id;
}

static struct blob entry_of(struct blob cert_id, struct blob status, struct blob rest)
{
	return SEQ(cert_id, status, rest);
}

static struct blob with_entry(struct blob entry)
{
	const struct response_spec spec = response_with(entry);
	return unsigned_response(make_tbs(&spec));
}

static void reads_every_field_of_an_entry(void **state)
{
	(void)state;
	struct entry_spec spec = good_entry();
	spec.extensions = extension(X_CRL_ID, -1, SEQ(BLOB_NONE));
	struct ocsp_response out;
	assert_int_equal(parse(&out, with_entry(make_entry(&spec))), CLINCH_REASON_GOOD);
	struct ocsp_entry entry;
	assert_true(ocsp_entry_next(&out.entries, &entry));
	assert_int_equal(entry.status, CLINCH_GOOD);
	assert_int_equal(entry.revoked_at, 0);
	assert_int_equal(entry.revocation_reason, -1);
	assert_int_equal(entry.this_update, NOW - DAY);
	assert_int_equal(entry.next_update, NOW + 3 * DAY);
	assert_true(der_equals_bytes(entry.id.serial, "\x0a\x0b\x0c\x0d", 4));
	assert_int_equal(cert_id_hash(entry.id.hash_oid), HASH_SHA1);
	assert_int_equal(der_len(entry.id.name_hash), 20);
	assert_int_equal(der_len(entry.id.key_hash), 20);
	assert_true(entry.id.serial_minimal);
	assert_false(der_at_end(&entry.extensions));
	assert_false(ocsp_entry_next(&out.entries, &entry));
}

static void reads_each_status(void **state)
{
	(void)state;
	const struct {
		const char *row;
		struct blob status;
		enum clinch_status expected;
		int64_t at;
		int reason;
	} rows[] = {
		{ "good", status_good(), CLINCH_GOOD, 0, -1 },
		{ "unknown", status_unknown(), CLINCH_UNKNOWN, 0, -1 },
		{ "revoked", status_revoked("20260601000000Z", -1), CLINCH_REVOKED, INT64_C(1780272000), -1 },
		{ "revoked, unspecified", status_revoked("20260601000000Z", 0), CLINCH_REVOKED, INT64_C(1780272000), 0 },
		{ "revoked, keyCompromise", status_revoked("20260601000000Z", 1), CLINCH_REVOKED, INT64_C(1780272000), 1 },
		{ "revoked, removeFromCRL", status_revoked("20260601000000Z", 8), CLINCH_REVOKED, INT64_C(1780272000), 8 },
		{ "revoked, aACompromise", status_revoked("20260601000000Z", 10), CLINCH_REVOKED, INT64_C(1780272000), 10 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct entry_spec spec = good_entry();
		struct ocsp_response out;
		struct ocsp_entry entry;
		spec.status = rows[i].status;
		check_int(rows[i].row, parse(&out, with_entry(make_entry(&spec))), CLINCH_REASON_GOOD);
		check(rows[i].row, ocsp_entry_next(&out.entries, &entry));
		check_int(rows[i].row, entry.status, rows[i].expected);
		check_int(rows[i].row, entry.revoked_at, rows[i].at);
		check_int(rows[i].row, entry.revocation_reason, rows[i].reason);
	}
}

static void a_cert_id_is_exactly_as_written(void **state)
{
	(void)state;
	struct blob sha1 = SEQ(oid("2b0e03021a"), null_value()), name = OCTETS(blob_fill(1, 20)),
		    key = OCTETS(blob_fill(2, 20));
	struct blob serial = blob_hex("020105"), times = generalized("20260614120000Z");
	const struct {
		const char *row;
		struct blob id;
		enum clinch_reason reason;
	} rows[] = {
		{ "right", SEQ(sha1, name, key, serial), CLINCH_REASON_GOOD },
		{ "no parameters", SEQ(SEQ(oid("2b0e03021a")), name, key, serial), CLINCH_REASON_GOOD },
		{ "a digest of its own", SEQ(SEQ(oid(X_MADE_UP)), name, key, serial), CLINCH_REASON_GOOD },
		{ "a padded serial", SEQ(sha1, name, key, blob_hex("02020005")), CLINCH_REASON_GOOD },
		{ "a negative serial", SEQ(sha1, name, key, blob_hex("0201f5")), CLINCH_REASON_GOOD },
		{ "empty", SEQ(BLOB_NONE), CLINCH_REASON_CERT_ID_MALFORMED },
		{ "a SET", tlv(0x31, CAT(sha1, name, key, serial)), CLINCH_REASON_CERT_ID_MALFORMED },
		{ "other parameters", SEQ(SEQ(oid("2b0e03021a"), serial), name, key, serial),
		  CLINCH_REASON_CERT_ID_MALFORMED },
		{ "behind the parameters", SEQ(SEQ(oid("2b0e03021a"), null_value(), null_value()), name, key, serial),
		  CLINCH_REASON_CERT_ID_MALFORMED },
		{ "no digest", SEQ(SEQ(BLOB_NONE), name, key, serial), CLINCH_REASON_CERT_ID_MALFORMED },
		{ "no key", SEQ(sha1, name, serial), CLINCH_REASON_CERT_ID_MALFORMED },
		{ "no name", SEQ(sha1, serial), CLINCH_REASON_CERT_ID_MALFORMED },
		{ "no serial", SEQ(sha1, name, key), CLINCH_REASON_CERT_ID_MALFORMED },
		{ "a serial without bytes", SEQ(sha1, name, key, blob_hex("0200")), CLINCH_REASON_CERT_ID_MALFORMED },
		{ "behind the serial", SEQ(sha1, name, key, serial, null_value()), CLINCH_REASON_CERT_ID_MALFORMED },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(rows[i].row, with_entry(entry_of(rows[i].id, status_good(), times)), rows[i].reason);
}

static void a_serial_is_minimal_when_it_is_a_positive_integer_as_der_writes_it(void **state)
{
	(void)state;
	static const struct {
		const char *serial;
		bool minimal;
	} rows[] = { { "05", true },     { "7f", true },  { "0080", true },  { "0a0b0c0d", true },
		     { "00ff00", true }, { "00", false }, { "0005", false }, { "000080", false },
		     { "80", false },    { "ff", false }, { "ffff", false }, { "f5", false } };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct ocsp_response out;
		struct ocsp_entry entry;
		struct entry_spec spec = good_entry();
		spec.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(rows[i].serial));
		check_int(rows[i].serial, parse(&out, with_entry(make_entry(&spec))), CLINCH_REASON_GOOD);
		check(rows[i].serial, ocsp_entry_next(&out.entries, &entry));
		check_int(rows[i].serial, entry.id.serial_minimal, rows[i].minimal);
		check_int(rows[i].serial, der_len(entry.id.serial), strlen(rows[i].serial) / 2);
	}
}

static void a_cert_status_with_anything_wrong_is_refused(void **state)
{
	(void)state;
	struct blob when = generalized("20260601000000Z");
	const struct {
		const char *row;
		struct blob status;
	} rows[] = {
		{ "none", BLOB_NONE },
		{ "good with content", blob_hex("80020500") },
		{ "good, explicit", blob_hex("a0020500") },
		{ "unknown with content", blob_hex("82020500") },
		{ "unknown, explicit", blob_hex("a2020500") },
		{ "[3]", blob_hex("8300") },
		{ "revoked without a time", tlv(0xa1, BLOB_NONE) },
		{ "revoked, primitive", blob_hex("8100") },
		{ "revoked at a UTCTime", tlv(0xa1, tlv(0x17, blob_text("260601000000Z"))) },
		{ "revoked at no date", tlv(0xa1, generalized("20260631000000Z")) },
		{ "reason 7, which is not used", tlv(0xa1, CAT(when, tlv(0xa0, enumerated(7)))) },
		{ "reason 11", tlv(0xa1, CAT(when, tlv(0xa0, enumerated(11)))) },
		{ "reason -1", tlv(0xa1, CAT(when, tlv(0xa0, enumerated(255)))) },
		{ "the reason as INTEGER", tlv(0xa1, CAT(when, tlv(0xa0, blob_hex("020101")))) },
		{ "the reason bare", tlv(0xa1, CAT(when, enumerated(1))) },
		{ "the reason under [1]", tlv(0xa1, CAT(when, tlv(0xa1, enumerated(1)))) },
		{ "[0] without a reason", tlv(0xa1, CAT(when, tlv(0xa0, BLOB_NONE))) },
		{ "two reasons", tlv(0xa1, CAT(when, tlv(0xa0, CAT(enumerated(1), enumerated(2))))) },
		{ "behind the reason", tlv(0xa1, CAT(when, tlv(0xa0, enumerated(1)), null_value())) },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(rows[i].row, with_entry(entry_of(id(), rows[i].status, generalized("20260614120000Z"))),
		       CLINCH_REASON_CERT_STATUS_MALFORMED);
}

static void an_entry_ends_where_its_structure_ends(void **state)
{
	(void)state;
	struct blob this = generalized("20260614120000Z"), next = tlv(0xa0, generalized("20260618120000Z"));
	struct blob one = extension(X_MADE_UP, -1, BLOB_NONE);
	const struct {
		const char *row;
		struct blob rest;
		enum clinch_reason reason;
	} rows[] = {
		{ "thisUpdate alone", this, CLINCH_REASON_GOOD },
		{ "everything", CAT(this, next, tlv(0xa1, SEQ(one))), CLINCH_REASON_GOOD },
		{ "extensions without nextUpdate", CAT(this, tlv(0xa1, SEQ(one))), CLINCH_REASON_GOOD },
		{ "nothing", BLOB_NONE, CLINCH_REASON_ENTRY_TIME_MALFORMED },
		{ "a UTCTime", tlv(0x17, blob_text("260614120000Z")), CLINCH_REASON_ENTRY_TIME_MALFORMED },
		{ "no such day", generalized("20260632120000Z"), CLINCH_REASON_ENTRY_TIME_MALFORMED },
		{ "an offset", generalized("20260614120000+0200"), CLINCH_REASON_ENTRY_TIME_MALFORMED },
		{ "an empty nextUpdate", CAT(this, tlv(0xa0, BLOB_NONE)), CLINCH_REASON_ENTRY_TIME_MALFORMED },
		{ "a broken nextUpdate", CAT(this, tlv(0xa0, generalized("2026"))), CLINCH_REASON_ENTRY_TIME_MALFORMED },
		{ "two nextUpdates", CAT(this, tlv(0xa0, CAT(this, this))), CLINCH_REASON_ENTRY_TIME_MALFORMED },
		{ "no extension in the list", CAT(this, tlv(0xa1, SEQ(BLOB_NONE))),
		  CLINCH_REASON_ENTRY_EXTENSIONS_MALFORMED },
		{ "no list", CAT(this, tlv(0xa1, null_value())), CLINCH_REASON_ENTRY_EXTENSIONS_MALFORMED },
		{ "behind the list", CAT(this, tlv(0xa1, CAT(SEQ(one), null_value()))),
		  CLINCH_REASON_ENTRY_EXTENSIONS_MALFORMED },
		{ "a broken extension", CAT(this, tlv(0xa1, SEQ(null_value()))), CLINCH_REASON_ENTRY_EXTENSIONS_MALFORMED },
		{ "FALSE written out", CAT(this, tlv(0xa1, SEQ(extension(X_MADE_UP, 0, BLOB_NONE)))),
		  CLINCH_REASON_ENTRY_EXTENSIONS_MALFORMED },
		{ "twice the same", CAT(this, tlv(0xa1, SEQ(one, one))), CLINCH_REASON_ENTRY_EXTENSION_REPEATED },
		{ "something behind", CAT(this, next, null_value()), CLINCH_REASON_ENTRY_TRAILING },
		{ "behind the extensions", CAT(this, tlv(0xa1, SEQ(one)), null_value()), CLINCH_REASON_ENTRY_TRAILING },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(rows[i].row, with_entry(entry_of(id(), status_good(), rows[i].rest)), rows[i].reason);
}

/* RFC 5280 5.3.1 and RFC 6960 4.4.5 */
static void a_reason_code_in_the_extensions_is_found(void **state)
{
	(void)state;
	const struct {
		const char *row;
		struct blob extensions;
		int code;
	} rows[] = {
		{ "no extensions", BLOB_NONE, -1 },
		{ "others only", extension(X_MADE_UP, -1, enumerated(1)), -1 },
		{ "keyCompromise", extension(X_REASON_CODE, -1, enumerated(1)), 1 },
		{ "removeFromCRL", CAT(extension(X_MADE_UP, -1, BLOB_NONE), extension(X_REASON_CODE, -1, enumerated(8))),
		  8 },
		{ "unspecified", extension(X_REASON_CODE, -1, enumerated(0)), 0 },
		{ "7 is not used", extension(X_REASON_CODE, -1, enumerated(7)), -1 },
		{ "an INTEGER", extension(X_REASON_CODE, -1, blob_hex("020101")), -1 },
		{ "two", extension(X_REASON_CODE, -1, CAT(enumerated(1), enumerated(1))), -1 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct entry_spec spec = good_entry();
		struct ocsp_response out;
		struct ocsp_entry entry;
		spec.extensions = rows[i].extensions;
		check_int(rows[i].row, parse(&out, with_entry(make_entry(&spec))), CLINCH_REASON_GOOD);
		check(rows[i].row, ocsp_entry_next(&out.entries, &entry));
		check_int(rows[i].row, ocsp_entry_reason_code(&entry), rows[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_every_field_of_an_entry),
		T(reads_each_status),
		T(a_cert_id_is_exactly_as_written),
		T(a_serial_is_minimal_when_it_is_a_positive_integer_as_der_writes_it),
		T(a_cert_status_with_anything_wrong_is_refused),
		T(an_entry_ends_where_its_structure_ends),
		T(a_reason_code_in_the_extensions_is_found),
	};
	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
