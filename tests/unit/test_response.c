/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a response (RFC 6960 4.2.1), without believing it. Each table puts one wrong thing into an otherwise right
 * response and says which reason the RFC's structure gives it.
 */
#include "parsing.h"
#include <stdio.h>
#include <string.h>

static struct blob good(void)
{
	const struct entry_spec entry = good_entry();
	return make_entry(&entry);
}

static void reads_every_field_of_a_good_response(void **state)
{
	(void)state;
	struct response_spec spec = delegated_with(good());
	spec.extensions = extension(X_NONCE, -1, OCTETS(blob_hex("0102030405060708")));
	struct ocsp_response out;
	struct blob tbs = make_tbs(&spec), bytes = make_response(&spec);
	assert_string_equal(clinch_reason_name(parse(&out, bytes)), "good");
	assert_int_equal(out.status, 0);
	assert_int_equal(der_len(out.tbs), tbs.len);
	assert_memory_equal(out.tbs.at, tbs.data, tbs.len);
	assert_false(out.version_explicit);
	assert_true(out.by_key);
	struct blob key_hash = digest(GNUTLS_DIG_SHA1, key_bits(KEY_DELEGATE));
	assert_true(der_equals_bytes(out.responder, key_hash.data, 20));
	assert_int_equal(out.produced_at, NOW - DAY);
	assert_int_equal(out.n_entries, 1);
	assert_int_equal(out.n_certs, 1);
	assert_true(der_equals_bytes(out.signature_algorithm, "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", 10));
	assert_true(der_len(out.signature) >= 68);
	struct der nonce;
	assert_true(ocsp_response_nonce(&out, &nonce));
	assert_true(der_equals_bytes(nonce, "\1\2\3\4\5\6\7\10", 8));
}

/* RFC 6960 4.2.1: the enumeration has no 4 and ends at 6; 2.3: an error has nothing behind it that counts. */
static void an_error_status_has_its_own_reason_with_and_without_bytes(void **state)
{
	(void)state;
	static const struct {
		uint8_t status;
		enum clinch_reason reason;
	} rows[] = {
		{ 1, CLINCH_REASON_RESPONDER_MALFORMED_REQUEST },
		{ 2, CLINCH_REASON_RESPONDER_INTERNAL_ERROR },
		{ 3, CLINCH_REASON_RESPONDER_TRY_LATER },
		{ 4, CLINCH_REASON_STATUS_UNDEFINED },
		{ 5, CLINCH_REASON_RESPONDER_SIG_REQUIRED },
		{ 6, CLINCH_REASON_RESPONDER_UNAUTHORIZED },
		{ 7, CLINCH_REASON_STATUS_UNDEFINED },
		{ 127, CLINCH_REASON_STATUS_UNDEFINED },
		{ 255, CLINCH_REASON_STATUS_UNDEFINED },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct ocsp_response out;
		assert_int_equal(parse(&out, SEQ(enumerated(rows[i].status))), rows[i].reason);
		assert_int_equal(out.status, (int8_t)rows[i].status);
		struct blob bytes = tlv(0xa0, SEQ(oid("2b0601050507300101"), tlv(0x04, good())));
		assert_int_equal(parse(&out, SEQ(enumerated(rows[i].status), bytes)), rows[i].reason);
	}
}

static void the_outer_shell_is_exactly_as_written(void **state)
{
	(void)state;
	struct blob basic = make_basic(make_tbs(&(struct response_spec){ .responder = responder_by_key(KEY_CA),
									 .produced_at = "20260614120000Z",
									 .entries = good() }),
				       algorithm_of(ECDSA_SHA256), blob_hex("00"), BLOB_NONE);
	struct blob type = oid("2b0601050507300101"), octets = tlv(0x04, basic), ok = enumerated(0);
	const struct {
		const char *row;
		struct blob bytes;
		enum clinch_reason reason;
	} rows[] = {
		{ "right", wrap_basic(basic), CLINCH_REASON_GOOD },
		{ "nothing", BLOB_NONE, CLINCH_REASON_RESPONSE_MALFORMED },
		{ "an empty SEQUENCE", blob_hex("3000"), CLINCH_REASON_RESPONSE_MALFORMED },
		{ "HTML", blob_text("<html><body>OK</body></html>"), CLINCH_REASON_RESPONSE_MALFORMED },
		{ "something behind it", CAT(wrap_basic(basic), blob_hex("00")), CLINCH_REASON_RESPONSE_MALFORMED },
		{ "an INTEGER as status", SEQ(blob_hex("020100")), CLINCH_REASON_RESPONSE_MALFORMED },
		{ "a padded status", SEQ(blob_hex("0a020000")), CLINCH_REASON_RESPONSE_MALFORMED },
		{ "a status of no bytes", SEQ(blob_hex("0a00")), CLINCH_REASON_RESPONSE_MALFORMED },
		{ "the indefinite form", blob_hex("3080 0a0101 0000"), CLINCH_REASON_RESPONSE_MALFORMED },
		{ "success alone", SEQ(ok), CLINCH_REASON_RESPONSE_BYTES_MISSING },
		{ "bytes not under [0]", SEQ(ok, SEQ(type, octets)), CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "[1]", SEQ(ok, tlv(0xa1, SEQ(type, octets))), CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "[0] without anything", SEQ(ok, tlv(0xa0, BLOB_NONE)), CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "behind the bytes", SEQ(ok, tlv(0xa0, CAT(SEQ(type, octets), null_value()))),
		  CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "behind [0]", SEQ(ok, tlv(0xa0, SEQ(type, octets)), null_value()),
		  CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "no type", SEQ(ok, tlv(0xa0, SEQ(octets))), CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "a type alone", SEQ(ok, tlv(0xa0, SEQ(type))), CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "no OCTET STRING", SEQ(ok, tlv(0xa0, SEQ(type, basic))), CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "behind the OCTET STRING", SEQ(ok, tlv(0xa0, SEQ(type, octets, octets))),
		  CLINCH_REASON_RESPONSE_BYTES_MALFORMED },
		{ "another type", SEQ(ok, tlv(0xa0, SEQ(oid("2b0601050507300102"), octets))),
		  CLINCH_REASON_RESPONSE_TYPE_UNKNOWN },
		{ "a longer type", SEQ(ok, tlv(0xa0, SEQ(oid("2b060105050730010101"), octets))),
		  CLINCH_REASON_RESPONSE_TYPE_UNKNOWN },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(rows[i].row, rows[i].bytes, rows[i].reason);
}

static void the_basic_response_is_exactly_as_written(void **state)
{
	(void)state;
	const struct response_spec spec = response_with(good());
	struct blob tbs = make_tbs(&spec), alg = algorithm_of(ECDSA_SHA256), sig = bits(blob_hex("00")),
		    cert = world_delegate();
	const struct {
		const char *row;
		struct blob basic;
		enum clinch_reason reason;
	} rows[] = {
		{ "right", SEQ(tbs, alg, sig), CLINCH_REASON_GOOD },
		{ "with a certificate", SEQ(tbs, alg, sig, tlv(0xa0, SEQ(cert))), CLINCH_REASON_GOOD },
		{ "with an empty list", SEQ(tbs, alg, sig, tlv(0xa0, SEQ(BLOB_NONE))), CLINCH_REASON_GOOD },
		{ "nothing", BLOB_NONE, CLINCH_REASON_BASIC_MALFORMED },
		{ "empty", SEQ(BLOB_NONE), CLINCH_REASON_BASIC_MALFORMED },
		{ "a SET", tlv(0x31, CAT(tbs, alg, sig)), CLINCH_REASON_BASIC_MALFORMED },
		{ "something behind it", CAT(SEQ(tbs, alg, sig), null_value()), CLINCH_REASON_BASIC_MALFORMED },
		{ "no data", SEQ(null_value(), alg, sig), CLINCH_REASON_BASIC_MALFORMED },
		{ "no signature algorithm", SEQ(tbs, sig), CLINCH_REASON_SIGNATURE_MALFORMED },
		{ "no signature", SEQ(tbs, alg), CLINCH_REASON_SIGNATURE_MALFORMED },
		{ "a signature in an OCTET STRING", SEQ(tbs, alg, OCTETS(blob_hex("00"))),
		  CLINCH_REASON_SIGNATURE_MALFORMED },
		{ "a signature of half a byte", SEQ(tbs, alg, blob_hex("030204f0")), CLINCH_REASON_SIGNATURE_MALFORMED },
		{ "certificates under [1]", SEQ(tbs, alg, sig, tlv(0xa1, SEQ(cert))), CLINCH_REASON_CERTS_MALFORMED },
		{ "certificates without a list", SEQ(tbs, alg, sig, tlv(0xa0, CAT(cert, cert))),
		  CLINCH_REASON_CERTS_MALFORMED },
		{ "no SEQUENCE under [0]", SEQ(tbs, alg, sig, tlv(0xa0, null_value())), CLINCH_REASON_CERTS_MALFORMED },
		{ "a NULL in the list", SEQ(tbs, alg, sig, tlv(0xa0, SEQ(cert, null_value()))),
		  CLINCH_REASON_CERTS_MALFORMED },
		{ "behind the list", SEQ(tbs, alg, sig, tlv(0xa0, SEQ(cert)), null_value()), CLINCH_REASON_CERTS_MALFORMED },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(rows[i].row, wrap_basic(rows[i].basic), rows[i].reason);
}

static void the_response_data_is_exactly_as_written(void **state)
{
	(void)state;
	struct blob who = responder_by_key(KEY_CA), at = generalized("20260614120000Z"), list = SEQ(good());
	struct blob one = extension(X_MADE_UP, -1, blob_hex("0500"));
	const struct {
		const char *row;
		struct blob tbs;
		enum clinch_reason reason;
	} rows[] = {
		{ "right", SEQ(who, at, list), CLINCH_REASON_GOOD },
		{ "v1 written out", SEQ(blob_hex("a003020100"), who, at, list), CLINCH_REASON_GOOD },
		{ "v2", SEQ(blob_hex("a003020101"), who, at, list), CLINCH_REASON_VERSION_UNKNOWN },
		{ "a negative version", SEQ(blob_hex("a0030201ff"), who, at, list), CLINCH_REASON_VERSION_UNKNOWN },
		{ "two versions", SEQ(blob_hex("a006020100020100"), who, at, list), CLINCH_REASON_VERSION_UNKNOWN },
		{ "a version that is none", SEQ(blob_hex("a0020500"), who, at, list), CLINCH_REASON_VERSION_UNKNOWN },
		{ "byName", SEQ(responder_by_name(CA_NAME), at, list), CLINCH_REASON_GOOD },
		{ "byName with an empty name", SEQ(tlv(0xa1, SEQ(BLOB_NONE)), at, list), CLINCH_REASON_GOOD },
		{ "no responder", SEQ(at, list), CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "a responder [3]", SEQ(tlv(0xa3, common_name("x")), at, list), CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "byKey of 19 bytes", SEQ(tlv(0xa2, OCTETS(blob_fill(1, 19))), at, list),
		  CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "byKey of 21 bytes", SEQ(tlv(0xa2, OCTETS(blob_fill(1, 21))), at, list),
		  CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "byKey of 32 bytes", SEQ(tlv(0xa2, OCTETS(blob_fill(1, 32))), at, list),
		  CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "byKey, implicit", SEQ(tlv(0x82, blob_fill(1, 20)), at, list), CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "behind the key hash", SEQ(tlv(0xa2, CAT(OCTETS(blob_fill(1, 20)), null_value())), at, list),
		  CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "byName with a broken name", SEQ(tlv(0xa1, SEQ(blob_hex("3105300302"))), at, list),
		  CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "behind the name", SEQ(tlv(0xa1, CAT(common_name("x"), null_value())), at, list),
		  CLINCH_REASON_RESPONDER_ID_MALFORMED },
		{ "no producedAt", SEQ(who, list), CLINCH_REASON_PRODUCED_AT_MALFORMED },
		{ "producedAt with a fraction", SEQ(who, generalized("20260614120000.1Z"), list),
		  CLINCH_REASON_PRODUCED_AT_MALFORMED },
		{ "producedAt as UTCTime", SEQ(who, tlv(0x17, blob_text("260614120000Z")), list),
		  CLINCH_REASON_PRODUCED_AT_MALFORMED },
		{ "no list", SEQ(who, at), CLINCH_REASON_RESPONSE_DATA_MALFORMED },
		{ "a SET of entries", SEQ(who, at, tlv(0x31, good())), CLINCH_REASON_RESPONSE_DATA_MALFORMED },
		{ "an empty list", SEQ(who, at, SEQ(BLOB_NONE)), CLINCH_REASON_NO_ENTRIES },
		{ "a NULL as entry", SEQ(who, at, SEQ(good(), null_value())), CLINCH_REASON_ENTRY_MALFORMED },
		{ "extensions", SEQ(who, at, list, tlv(0xa1, SEQ(one))), CLINCH_REASON_GOOD },
		{ "no extension at all", SEQ(who, at, list, tlv(0xa1, SEQ(BLOB_NONE))), CLINCH_REASON_EXTENSIONS_MALFORMED },
		{ "extensions without a list", SEQ(who, at, list, tlv(0xa1, null_value())),
		  CLINCH_REASON_EXTENSIONS_MALFORMED },
		{ "behind the extensions' list", SEQ(who, at, list, tlv(0xa1, CAT(SEQ(one), null_value()))),
		  CLINCH_REASON_EXTENSIONS_MALFORMED },
		{ "a broken extension", SEQ(who, at, list, tlv(0xa1, SEQ(one, null_value()))),
		  CLINCH_REASON_EXTENSIONS_MALFORMED },
		{ "FALSE written out (X.690 11.5)", SEQ(who, at, list, tlv(0xa1, SEQ(extension(X_MADE_UP, 0, BLOB_NONE)))),
		  CLINCH_REASON_EXTENSIONS_MALFORMED },
		{ "twice the same", SEQ(who, at, list, tlv(0xa1, SEQ(one, one))), CLINCH_REASON_EXTENSION_REPEATED },
		{ "behind everything", SEQ(who, at, list, tlv(0xa1, SEQ(one)), null_value()),
		  CLINCH_REASON_RESPONSE_DATA_TRAILING },
		{ "extensions under [2]", SEQ(who, at, list, tlv(0xa2, SEQ(one))), CLINCH_REASON_RESPONSE_DATA_TRAILING },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(rows[i].row, unsigned_response(rows[i].tbs), rows[i].reason);
}

/* RFC 9654 2.1: the extension's value is an OCTET STRING of its own. */
static void a_nonce_is_an_octet_string_in_an_octet_string(void **state)
{
	(void)state;
	const struct {
		const char *row;
		struct blob extensions;
		bool found;
	} rows[] = {
		{ "none", BLOB_NONE, false },
		{ "another extension", extension(X_MADE_UP, -1, OCTETS(blob_hex("01"))), false },
		{ "bare bytes", extension(X_NONCE, -1, blob_hex("0102")), false },
		{ "something behind", extension(X_NONCE, -1, CAT(OCTETS(blob_hex("01")), null_value())), false },
		{ "right", extension(X_NONCE, -1, OCTETS(blob_hex("01"))), true },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct response_spec spec = response_with(good());
		struct ocsp_response out;
		struct der nonce;
		spec.extensions = rows[i].extensions;
		check_int(rows[i].row, parse(&out, unsigned_response(make_tbs(&spec))), CLINCH_REASON_GOOD);
		check_int(rows[i].row, ocsp_response_nonce(&out, &nonce), rows[i].found);
	}
}

/* The exact length in memory of its own, so that reading one byte too many is seen by valgrind and ASan. */
/* Each is compared with all before it: without a bound a 64 KiB staple costs a third of a second. */
static struct blob many_extensions(unsigned n)
{
	struct blob all = BLOB_NONE;
	for (unsigned i = 0; i < n; i++) {
		char digits[] = "2a030000";
		snprintf(digits + 4, 5, "%02x%02x", 0x81, i);
		all = CAT(all, extension(digits, -1, null_value()));
	}
	return all;
}

static void a_list_of_extensions_has_a_bound(void **state)
{
	(void)state;
	struct entry_spec entry = good_entry();
	struct response_spec spec = response_with(make_entry(&entry));
	spec.extensions = many_extensions(DER_EXTENSIONS_MAX);
	expect("as many as there may be", unsigned_response(make_tbs(&spec)), CLINCH_REASON_GOOD);
	spec.extensions = many_extensions(DER_EXTENSIONS_MAX + 1);
	expect("one more", unsigned_response(make_tbs(&spec)), CLINCH_REASON_EXTENSIONS_MALFORMED);
	entry.extensions = many_extensions(DER_EXTENSIONS_MAX + 1);
	spec = response_with(make_entry(&entry));
	expect("in an entry", unsigned_response(make_tbs(&spec)), CLINCH_REASON_ENTRY_EXTENSIONS_MALFORMED);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	const struct response_spec spec = delegated_with(good());
	struct blob whole = make_response(&spec);
	for (size_t len = 0; len < whole.len; len++) {
		struct ocsp_response out;
		void *exact = test_malloc(len + 1);
		memcpy(exact, whole.data, len);
		assert_int_not_equal(ocsp_response_parse(&out, der_of(exact, len)), CLINCH_REASON_GOOD);
		test_free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_every_field_of_a_good_response),    T(an_error_status_has_its_own_reason_with_and_without_bytes),
		T(the_outer_shell_is_exactly_as_written),   T(the_basic_response_is_exactly_as_written),
		T(the_response_data_is_exactly_as_written), T(a_nonce_is_an_octet_string_in_an_octet_string),
		T(a_list_of_extensions_has_a_bound),        T(every_truncation_is_refused),
	};
	return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
