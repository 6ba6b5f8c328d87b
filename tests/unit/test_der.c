/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reader against X.690: what each row holds is written by hand, byte for byte. */
#include "der/der.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static struct der view(struct blob blob)
{
	return der_of(blob.data, blob.len);
}

struct row {
	const char *row, *hex;
};

/* X.690 8.1.3, 10.1 */
static void takes_an_element_and_stops_behind_it(void **state)
{
	(void)state;
	struct der in = view(blob_hex("0402abcd 0500")), content;
	const uint8_t *start = in.at;
	assert_true(der_take(&in, DER_OCTET_STRING, &content));
	assert_int_equal(der_len(content), 2);
	assert_ptr_equal(content.at, start + 2);
	assert_ptr_equal(in.at, start + 4);
	assert_true(der_next_is(&in, DER_NULL));
	assert_true(der_take_null(&in));
	assert_true(der_at_end(&in));
	assert_false(der_next_is(&in, DER_NULL));
}

static void takes_lengths_of_each_width(void **state)
{
	(void)state;
	static const size_t rows[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 1000000 };
	for (size_t i = 0; i < ROWS(rows); i++) {
		maker_reset();
		struct der in = view(tlv(0x04, blob_fill(0x61, rows[i]))), content;
		assert_true(der_take(&in, DER_OCTET_STRING, &content));
		assert_int_equal(der_len(content), rows[i]);
		assert_true(der_at_end(&in));
	}
}

static const struct row bad_lengths[] = {
	{ "nothing at all", "" },
	{ "a tag alone", "04" },
	{ "one byte too few", "0402ab" },
	{ "content missing", "0401" },
	{ "the indefinite form", "0480ab0000" },
	{ "the reserved first byte", "04ff" },
	{ "127 in the long form", "04817f" },
	{ "a leading zero", "04820003abcdef" },
	{ "two bytes where one is enough", "048200ff" },
	{ "a width without its bytes", "0482" },
	{ "half a width", "048201" },
	{ "four length bytes", "0484000000 01ab" },
	{ "four honest length bytes", "048401000000" },
	{ "eight length bytes", "0488ffffffffffffffff" },
	{ "far past the end", "0483ffffff" },
	{ "128 claimed, 1 there", "048180ab" },
};

static void refuses_every_length_that_is_not_definite_minimal_and_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(bad_lengths); i++) {
		struct blob bytes = blob_hex(bad_lengths[i].hex);
		struct der in = view(bytes), content, whole;
		uint8_t tag;
		check(bad_lengths[i].row, !der_take(&in, DER_OCTET_STRING, &content));
		in = view(bytes);
		check(bad_lengths[i].row, !der_take_any(&in, &tag, &content, &whole));
		in = view(bytes);
		check(bad_lengths[i].row, !der_take_whole(&in, DER_OCTET_STRING, &content, &whole));
	}
}

static void a_crl_may_be_larger_than_all_else(void **state)
{
	(void)state;
	static const size_t size = (1 << 24) + 5;
	struct blob head = blob_hex("308401000000"), wide = blob_hex("30850001000000");
	uint8_t *bytes = calloc(1, size + 1);
	struct der in = der_of(bytes, size), content, whole;
	assert_non_null(bytes);
	memcpy(bytes, head.data, head.len);
	assert_false(der_take_large(&in, DER_SEQUENCE, &content, &whole)); /* one byte too few */
	in = der_of(bytes, size + 1);
	assert_true(der_take_large(&in, DER_SEQUENCE, &content, &whole));
	assert_int_equal(der_len(content), 1 << 24);
	assert_int_equal(der_len(whole), size + 1);
	assert_true(der_at_end(&in));
	in = der_of(bytes, size + 1);
	assert_false(der_take_large(&in, DER_OCTET_STRING, &content, &whole));
	assert_false(der_take(&in, DER_SEQUENCE, &content));
	memcpy(bytes, wide.data, wide.len);
	in = der_of(bytes, size + 1);
	assert_false(der_take_large(&in, DER_SEQUENCE, &content, &whole));
	free(bytes);
}

static void refuses_another_tag(void **state)
{
	(void)state;
	struct der in = view(blob_hex("0401ab")), content, whole;
	assert_false(der_take(&in, DER_SEQUENCE, &content));
	in = view(blob_hex("0401ab"));
	assert_false(der_take_whole(&in, DER_SEQUENCE, &content, &whole));
	in = view(blob_hex("2401ab")); /* a constructed OCTET STRING is BER, X.690 10.2 */
	assert_false(der_take_octets(&in, &content));
}

/* X.690 8.1.2.4 and 8.1.5 */
static void refuses_tags_of_several_bytes_and_end_of_contents(void **state)
{
	(void)state;
	static const char *const rows[] = { "1f8101 00", "bf1f00", "0000", "3f0100" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct der in = view(blob_hex(rows[i])), content, whole;
		uint8_t tag;
		check(rows[i], !der_take_any(&in, &tag, &content, &whole));
	}
}

static void whole_is_the_header_too(void **state)
{
	(void)state;
	struct der in = view(blob_hex("3003020105 ff")), content, whole;
	const uint8_t *start = in.at;
	uint8_t tag = 0;
	assert_true(der_take_any(&in, &tag, &content, &whole));
	assert_int_equal(tag, DER_SEQUENCE);
	assert_ptr_equal(whole.at, start);
	assert_int_equal(der_len(whole), 5);
	assert_int_equal(der_len(content), 3);
	assert_ptr_equal(in.at, start + 5);
	in = view(blob_hex("3003020105"));
	start = in.at;
	assert_true(der_take_whole(&in, DER_SEQUENCE, &content, &whole));
	assert_ptr_equal(whole.at, start);
	assert_int_equal(der_len(whole), 5);
}

/* X.690 11.1 */
static void a_boolean_is_00_or_ff(void **state)
{
	(void)state;
	bool value = false;
	struct der in = view(blob_hex("0101ff"));
	assert_true(der_take_boolean(&in, &value));
	assert_true(value);
	in = view(blob_hex("010100"));
	assert_true(der_take_boolean(&in, &value));
	assert_false(value);
	static const char *const bad[] = { "010101", "0101fe", "0100", "0102ffff", "0201ff", "01" };
	for (size_t i = 0; i < ROWS(bad); i++) {
		in = view(blob_hex(bad[i]));
		check(bad[i], !der_take_boolean(&in, &value));
	}
}

/* X.690 8.3.2 */
static void an_integer_is_as_short_as_it_can_be(void **state)
{
	(void)state;
	static const char *const good[] = { "020100",   "02017f", "020180",     "02020080",
					    "0202ff7f", "0201ff", "0203008000", "020900ffffffffffffffff" };
	static const char *const bad[] = { "0200",     "02020000",   "0202007f", "0202ff80",
					   "0202ffff", "0203000080", "0a0101",   "02" };
	struct der content;
	for (size_t i = 0; i < ROWS(good); i++) {
		struct der in = view(blob_hex(good[i]));
		check(good[i], der_take_integer(&in, &content));
		check(good[i], der_at_end(&in));
		check_int(good[i], der_len(content), strlen(good[i]) / 2 - 2);
	}
	for (size_t i = 0; i < ROWS(bad); i++) {
		struct der in = view(blob_hex(bad[i]));
		check(bad[i], !der_take_integer(&in, &content));
	}
}

static void small_numbers_are_read_with_their_sign(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		uint8_t tag;
		int64_t value;
	} rows[] = {
		{ "020100", DER_INTEGER, 0 },
		{ "02017f", DER_INTEGER, 127 },
		{ "02020080", DER_INTEGER, 128 },
		{ "020180", DER_INTEGER, -128 },
		{ "0201ff", DER_INTEGER, -1 },
		{ "0202ff7f", DER_INTEGER, -129 },
		{ "0a0106", DER_ENUMERATED, 6 },
		{ "02077fffffffffffff", DER_INTEGER, 0x7fffffffffffff },
		{ "020780000000000000", DER_INTEGER, -0x80000000000000 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct der in = view(blob_hex(rows[i].hex));
		int64_t value = 99;
		check(rows[i].hex, der_take_small(&in, rows[i].tag, &value));
		check_int(rows[i].hex, value, rows[i].value);
	}
	static const char *const bad[] = { "0208007fffffffffffff", "02087fffffffffffffff", "02020001", "0200", "0a0101" };
	for (size_t i = 0; i < ROWS(bad); i++) {
		struct der in = view(blob_hex(bad[i]));
		int64_t value;
		check(bad[i], !der_take_small(&in, DER_INTEGER, &value));
	}
}

/* X.690 8.19 */
static void an_oid_has_whole_minimal_arcs(void **state)
{
	(void)state;
	static const char *const good[] = { "0603550403", "06092b0601050507300101", "060100", "06032a8648",
					    "06068183848586 07" };
	static const char *const bad[] = { "0600",       "060180",    "0602 2a80", "06032a8001",
					   "0603802a01", "0602 2a86", "0403550403" };
	struct der content;
	for (size_t i = 0; i < ROWS(good); i++) {
		struct der in = view(blob_hex(good[i]));
		check(good[i], der_take_oid(&in, &content));
	}
	for (size_t i = 0; i < ROWS(bad); i++) {
		struct der in = view(blob_hex(bad[i]));
		check(bad[i], !der_take_oid(&in, &content));
	}
}

/* X.690 8.6: of what is read here, each is a whole number of bytes. */
static void a_bit_string_has_no_unused_bits(void **state)
{
	(void)state;
	struct der in = view(blob_hex("030300abcd")), content;
	assert_true(der_take_bits(&in, &content));
	assert_int_equal(der_len(content), 2);
	assert_int_equal(content.at[0], 0xab);
	in = view(blob_hex("030100"));
	assert_true(der_take_bits(&in, &content));
	assert_int_equal(der_len(content), 0);
	static const char *const bad[] = { "0300", "030201fe", "030207 80", "030208 00", "0403 00abcd", "230403020000" };
	for (size_t i = 0; i < ROWS(bad); i++) {
		in = view(blob_hex(bad[i]));
		check(bad[i], !der_take_bits(&in, &content));
	}
}

static void a_null_is_empty(void **state)
{
	(void)state;
	struct der in = view(blob_hex("0500"));
	assert_true(der_take_null(&in));
	in = view(blob_hex("050100"));
	assert_false(der_take_null(&in));
	in = view(blob_hex("0400"));
	assert_false(der_take_null(&in));
}

/* RFC 5280 4.1.2.5.2: seconds are there, no fraction, Zulu. */
static void a_generalized_time_has_one_form(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t at;
	} good[] = {
		{ "20260615120000Z", NOW },       { "19700101000000Z", 0 },
		{ "20000229235959Z", 951868799 }, { "99991231235959Z", INT64_C(253402300799) },
		{ "19691231235959Z", -1 },
	};
	for (size_t i = 0; i < ROWS(good); i++) {
		struct der in = view(generalized(good[i].text));
		int64_t at = 77;
		check(good[i].text, der_take_time(&in, &at));
		check_int(good[i].text, at, good[i].at);
	}
	static const char *const bad[] = {
		"",
		"20260615120000",
		"202606151200Z",
		"2026061512Z",
		"20260615120000.0Z",
		"20260615120000.5Z",
		"20260615120000+0000",
		"20260615120000z",
		"20260615120060Z",
		"20260615126000Z",
		"20260615240000Z",
		"20260631120000Z",
		"20260015120000Z",
		"20261315120000Z",
		"20260600120000Z",
		"20260229120000Z",
		"2026061512000 Z",
		"-0260615120000Z",
		"2026 615120000Z",
		"20260615120000ZZ",
		"2O260615120000Z",
		"20260615120000\x80",
		"260615120000Z",
	};
	for (size_t i = 0; i < ROWS(bad); i++) {
		struct der in = view(generalized(bad[i]));
		int64_t at;
		check(bad[i], !der_take_time(&in, &at));
	}
	struct der in = view(tlv(0x17, blob_text("20260615120000Z")));
	int64_t at;
	assert_false(der_take_time(&in, &at));
}

/* RFC 5280 4.1.2.5.1 */
static void a_utc_time_is_of_1950_to_2049(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t at;
	} good[] = {
		{ "260615120000Z", NOW },       { "491231235959Z", INT64_C(2524607999) }, { "500101000000Z", -631152000 },
		{ "991231235959Z", 946684799 }, { "000101000000Z", 946684800 },
	};
	for (size_t i = 0; i < ROWS(good); i++) {
		struct der in = view(tlv(0x17, blob_text(good[i].text)));
		int64_t at = 77;
		check(good[i].text, der_take_validity_time(&in, &at));
		check_int(good[i].text, at, good[i].at);
	}
	static const char *const bad[] = { "",
					   "2606151200Z",
					   "260615120000",
					   "260615120000+0000",
					   "260631120000Z",
					   "2606151200x0Z",
					   "2x0615120000Z",
					   "20260615120000Z" };
	for (size_t i = 0; i < ROWS(bad); i++) {
		struct der in = view(tlv(0x17, blob_text(bad[i])));
		int64_t at;
		check(bad[i], !der_take_validity_time(&in, &at));
	}
	struct der in = view(generalized("20500101000000Z"));
	int64_t at = 0;
	assert_true(der_take_validity_time(&in, &at));
	assert_int_equal(at, INT64_C(2524608000));
	in = view(tlv(0x04, blob_text("260615120000Z")));
	assert_false(der_take_validity_time(&in, &at));
}

static struct blob nested(unsigned depth)
{
	struct blob inner = BLOB_NONE;
	while (depth-- > 0)
		inner = tlv(0x30, inner);
	return inner;
}

static void well_formed_goes_to_the_bottom_but_not_for_ever(void **state)
{
	(void)state;
	assert_true(der_is_well_formed(view(BLOB_NONE)));
	assert_true(der_is_well_formed(view(common_name("a name"))));
	assert_true(der_is_well_formed(view(CAT(common_name("one"), common_name("two")))));
	assert_true(der_is_well_formed(view(nested(16))));
	assert_false(der_is_well_formed(view(nested(17))));
	assert_false(der_is_well_formed(view(nested(1000))));
	static const char *const bad[] = { "30030201", "300304020a", "3080 0000", "30053003040261", "1f0100", "05" };
	for (size_t i = 0; i < ROWS(bad); i++)
		check(bad[i], !der_is_well_formed(view(blob_hex(bad[i]))));
}

/* RFC 5280 4.1, 4.2 */
static void an_extension_is_read_with_and_without_critical(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		int critical;
		bool is_critical, written;
	} rows[] = { { "the default", -1, false, false },
		     { "FALSE written out", 0, false, true },
		     { "TRUE", 1, true, false } };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct der in = view(extension(X_MADE_UP, rows[i].critical, blob_hex("abcd")));
		struct der_extension out;
		check(rows[i].row, der_take_extension(&in, &out));
		check(rows[i].row, der_at_end(&in));
		check_int(rows[i].row, out.critical, rows[i].is_critical);
		check_int(rows[i].row, out.default_written, rows[i].written);
		check_int(rows[i].row, der_len(out.value), 2);
		check_int(rows[i].row, der_len(out.oid), 6);
	}
}

static void an_extension_with_anything_wrong_is_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "no value", "3005 0603550403" },
		{ "no identifier", "3003 0401ab" },
		{ "a value that is no OCTET STRING", "3008 0603550403 020101" },
		{ "a BOOLEAN of 01", "300b 0603550403 010101 0401ab" },
		{ "something behind the value", "300a 0603550403 0401ab 0500" },
		{ "a SET", "3108 0603550403 0401ab" },
		{ "a bad identifier", "3006 060180 0401ab" },
		{ "cut", "3009 0603550403 0401ab" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct der in = view(blob_hex(rows[i].hex));
		struct der_extension out;
		check(rows[i].row, !der_take_extension(&in, &out));
	}
}

static void finds_the_second_extension_of_one_kind(void **state)
{
	(void)state;
	struct blob a = extension(X_MADE_UP, -1, BLOB_NONE), b = extension(X_NONCE, -1, BLOB_NONE);
	struct der all = view(CAT(a, b, a)), in = all;
	struct der_extension out;
	assert_true(der_take_extension(&in, &out));
	assert_false(der_extension_repeats(all, &out));
	assert_true(der_take_extension(&in, &out));
	assert_false(der_extension_repeats(all, &out));
	assert_true(der_take_extension(&in, &out));
	assert_true(der_extension_repeats(all, &out));
}

static void compares_bytes_and_lengths(void **state)
{
	(void)state;
	assert_true(der_equals(view(blob_hex("abcd")), view(blob_hex("abcd"))));
	assert_false(der_equals(view(blob_hex("abcd")), view(blob_hex("abce"))));
	assert_false(der_equals(view(blob_hex("abcd")), view(blob_hex("abcdef"))));
	assert_true(der_equals((struct der){ 0 }, (struct der){ 0 }));
	assert_false(der_equals((struct der){ 0 }, view(blob_hex("ab"))));
	assert_true(der_equals_bytes(view(blob_hex("6162")), "ab", 2));
	assert_false(der_equals_bytes(view(blob_hex("6162")), "abc", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(takes_an_element_and_stops_behind_it),
		T(takes_lengths_of_each_width),
		T(refuses_every_length_that_is_not_definite_minimal_and_there),
		T(a_crl_may_be_larger_than_all_else),
		T(refuses_another_tag),
		T(refuses_tags_of_several_bytes_and_end_of_contents),
		T(whole_is_the_header_too),
		T(a_boolean_is_00_or_ff),
		T(an_integer_is_as_short_as_it_can_be),
		T(small_numbers_are_read_with_their_sign),
		T(an_oid_has_whole_minimal_arcs),
		T(a_bit_string_has_no_unused_bits),
		T(a_null_is_empty),
		T(a_generalized_time_has_one_form),
		T(a_utc_time_is_of_1950_to_2049),
		T(well_formed_goes_to_the_bottom_but_not_for_ever),
		T(an_extension_is_read_with_and_without_critical),
		T(an_extension_with_anything_wrong_is_refused),
		T(finds_the_second_extension_of_one_kind),
		T(compares_bytes_and_lengths),
	};
	return cmocka_run_group_tests_name("der", tests, NULL, NULL);
}
