/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the reports say, for every reason there is and for bytes of every kind. */
#include "ocsp/names.h"
#include "report/embedded.h"
#include "report/exit.h"
#include "report/json.h"
#include "report/report.h"
#include "report/sniff.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1795000000)
#define HOUR 3600

static const char *const keys[] = {
	"present",     "verdict",     "fresh",       "reason",       "detail",
	"produced_at", "this_update", "next_update", "revoked_at",   "revocation_reason",
	"signer",      "signer_name", "signature",   "cert_id_hash", "size",
	"age_s",       "remaining_s", "findings",
};

static enum clinch_status status_of(int reason)
{
	static const enum clinch_status statuses[] = {
#define REASON(id, name, status, text, source) [CLINCH_REASON_##id] = CLINCH_##status,
#include <clinch/reasons.def>
#undef REASON
	};

	return statuses[reason];
}

/* With every number set, so that a sentence has all it could name. */
static struct clinch_verdict verdict_of(int reason)
{
	return (struct clinch_verdict){
		.status = status_of(reason),
		.fresh = reason == CLINCH_REASON_GOOD,
		.reason = reason,
		.produced_at = NOW - 2 * HOUR,
		.this_update = NOW - 3 * HOUR,
		.next_update = NOW + HOUR,
		.fresh_until = NOW + HOUR,
		.revoked_at = status_of(reason) == CLINCH_REVOKED ? NOW - 9 * HOUR : 0,
		.revocation_reason = status_of(reason) == CLINCH_REVOKED ? 1 : -1,
		.findings = (UINT64_C(1) << CLINCH_FINDING_COUNT) - 1,
	};
}

static const gnutls_datum_t samples[] = {
	{ (unsigned char *)"", 0 },
	{ (unsigned char *)"\x30", 1 },
	{ (unsigned char *)"\x30\x03\x0a\x01\x03", 5 },
	{ (unsigned char *)"<html>\x1b[31m</html>", 18 },
	{ (unsigned char *)"\x30\x84\xff\xff\xff\xff\x0a\x01\x00", 9 },
	{ (unsigned char *)"-----BEGIN ", 11 },
};
#define SAMPLES (sizeof(samples) / sizeof(*samples))

static bool is_printable_utf8(const struct buf *text)
{
	auto_buf again = { .max = 1 << 20 };

	assert_true(report_printable(&again, text->data, text->len));
	return again.len == text->len && !memcmp(again.data, text->data, text->len);
}

/* ---- every reason ---- */

/* Numbers between two groups of rows are nobody's yet. */
static bool is_gap(int reason)
{
	return reason != CLINCH_REASON_UNJUDGED && !strcmp(clinch_reason_name(reason), "unjudged");
}

static void every_reason_but_acceptance_has_a_next_step(void **state)
{
	(void)state;
	for (int reason = 0; reason < CLINCH_REASON_COUNT; reason++) {
		if (is_gap(reason))
			continue;
		bool accepted = reason == CLINCH_REASON_GOOD || reason == CLINCH_REASON_NO_STAPLE;

		if ((report_next_step(reason) == NULL) != accepted)
			fail_msg("%s: %s", clinch_reason_name(reason), accepted ? "a next step" : "no next step");
	}
	assert_null(report_next_step(-1));
	assert_null(report_next_step(CLINCH_REASON_COUNT));
}

/* The same table serves commands that have the option and commands that have not. */
static void an_option_in_a_next_step_comes_with_its_command(void **state)
{
	(void)state;
	for (int reason = 0; reason < CLINCH_REASON_COUNT; reason++) {
		const char *step = report_next_step(reason), *option = step ? strstr(step, " --") : NULL;

		if (!option)
			continue;
		while (option > step && option[-1] >= 'a' && option[-1] <= 'z')
			option--;
		if (option - step < 7 || strncmp(option - 7, "clinch ", 7) != 0)
			fail_msg("%s: \"%s\"", clinch_reason_name(reason), step);
	}
}

static void every_reason_has_a_detail_for_bytes_of_every_kind(void **state)
{
	(void)state;
	for (int reason = 0; reason < CLINCH_REASON_COUNT; reason++) {
		if (is_gap(reason))
			continue;
		for (unsigned i = 0; i < SAMPLES; i++) {
			struct clinch_verdict verdict = verdict_of(reason), bare = { .reason = reason };
			auto_buf detail = { .max = 4096 };
			auto_buf less = { .max = 4096 };

			report_detail(&detail, &verdict, samples[i], NOW);
			report_detail(&less, &bare, samples[i], NOW);
			assert_true(detail.len > 10 && less.len > 10);
			assert_true(is_printable_utf8(&detail) && is_printable_utf8(&less));
		}
	}
}

static void every_reason_has_the_same_members_in_json(void **state)
{
	(void)state;
	for (int reason = 0; reason < CLINCH_REASON_COUNT; reason++) {
		if (is_gap(reason))
			continue;
		struct clinch_verdict verdict = verdict_of(reason);
		json_t *json = report_staple_json(samples[2], NULL, &verdict, NOW);
		const char *key;
		json_t *value;
		unsigned n = 0;

		assert_non_null(json);
		json_object_foreach(json, key, value) assert_string_equal(key, keys[n++]);
		assert_int_equal(n, sizeof(keys) / sizeof(*keys));
		assert_string_equal(json_string_value(json_object_get(json, "reason")), clinch_reason_name(reason));
		assert_int_equal(json_is_true(json_object_get(json, "present")), status_of(reason) != CLINCH_MISSING);
		assert_int_equal(json_array_size(json_object_get(json, "findings")), CLINCH_FINDING_COUNT);
		json_decref(json);
	}
}

static void every_reason_has_a_text_within_the_terminal(void **state)
{
	struct report_style style = { .width = 80 };

	(void)state;
	for (int reason = 0; reason < CLINCH_REASON_COUNT; reason++) {
		if (is_gap(reason))
			continue;
		struct clinch_verdict verdict = verdict_of(reason);
		auto_buf text = { .max = 1 << 16 };

		verdict.findings = 0;
		assert_true(report_staple_text(&text, &style, samples[2], NULL, &verdict, NOW));
		for (size_t at = 0, column = 0; at < text.len; at++) {
			column = text.data[at] == '\n' ? 0 : column + 1;
			if (column > 80)
				fail_msg("%s: a line of more than 80 columns", clinch_reason_name(reason));
		}
		assert_memory_equal(text.data, clinch_status_name(verdict.status),
				    strlen(clinch_status_name(verdict.status)));
	}
}

/* What a text calls "signed by", and not "claims to be". */
static void a_signer_is_named_as_far_as_it_was_verified(void **state)
{
	static const struct {
		int reason;
		bool is_signed;
	} rows[] = {
		{ CLINCH_REASON_UNJUDGED, false },
		{ CLINCH_REASON_SIGNATURE_BAD, false },
		{ CLINCH_REASON_SIGNER_EXPIRED, true },
		{ CLINCH_REASON_CRITICAL_EXTENSION, true },
		{ CLINCH_REASON_EXPIRED, true },
		{ CLINCH_REASON_REVOKED, true },
		{ CLINCH_REASON_GOOD, true },
		{ CLINCH_REASON_NO_STAPLE, false },
		{ CLINCH_REASON_ISSUER_UNPREPARED, false },
		{ CLINCH_REASON_ISSUER_UNKNOWN, false },
		{ CLINCH_REASON_PATH_NAME, false },
		{ CLINCH_REASON_INTERNAL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (reason_is_of_signed(rows[i].reason) != rows[i].is_signed)
			fail_msg("%s", clinch_reason_name(rows[i].reason));
}

static void an_exit_status_is_what_the_table_says(void **state)
{
	(void)state;
	assert_int_equal(report_exit(true, CLINCH_REASON_GOOD, CLINCH_GOOD), 0);
	assert_int_equal(report_exit(true, CLINCH_REASON_NO_STAPLE, CLINCH_MISSING), 0);
	assert_int_equal(report_exit(false, CLINCH_REASON_INTERNAL, CLINCH_INVALID), 1);
	assert_int_equal(report_exit(false, CLINCH_REASON_UNJUDGED, CLINCH_INVALID), 1);
	assert_int_equal(report_exit(false, CLINCH_REASON_REVOKED, CLINCH_REVOKED), 3);
	assert_int_equal(report_exit(false, CLINCH_REASON_EXPIRED, CLINCH_INVALID), 4);
	assert_int_equal(report_exit(false, CLINCH_REASON_GOOD, CLINCH_GOOD), 4); /* not accepted, whatever it says */
	assert_int_equal(report_exit(false, CLINCH_REASON_MISSING_MUST_STAPLE, CLINCH_MISSING), 5);
	assert_int_equal(report_exit(false, CLINCH_REASON_UNKNOWN, CLINCH_UNKNOWN), 6);
}

/* ---- strangers' text ---- */

static void what_a_terminal_would_obey_is_replaced(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "plain", "plain" },
		{ "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x94\x92", "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x94\x92" },
		{ "\x1b[31m", "\xef\xbf\xbd[31m" },
		{ "a\nb\tc\x7f", "a\xef\xbf\xbd"
				 "b\xef\xbf\xbd"
				 "c\xef\xbf\xbd" },
		{ "\xc2\x9b"
		  "31m",
		  "\xef\xbf\xbd"
		  "31m" },                                                                  /* CSI as C1 */
		{ "\xe2\x80\xaegpj.exe", "\xef\xbf\xbdgpj.exe" },                           /* right to left */
		{ "\xe2\x80\xa8", "\xef\xbf\xbd" },                                         /* line separator */
		{ "\xef\xbb\xbf", "\xef\xbf\xbd" },                                         /* byte order mark */
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },                                 /* overlong */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },                 /* surrogate */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* beyond U+10FFFF */
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },                                 /* cut off */
		{ "\xff", "\xef\xbf\xbd" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_buf out = { .max = 256 };

		assert_true(report_printable(&out, rows[i].in, strlen(rows[i].in)));
		assert_int_equal(out.len, strlen(rows[i].out));
		assert_memory_equal(out.data, rows[i].out, out.len);
		assert_true(is_printable_utf8(&out));
	}
}

static void every_byte_and_pair_of_bytes_becomes_valid_json(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			char pair[2] = { (char)first, (char)second };
			auto_buf out = { .max = 16 };
			json_t *json;

			assert_true(report_printable(&out, pair, 2));
			json = json_stringn((const char *)out.data, out.len);
			assert_non_null(json);
			json_decref(json);
		}
	}
}

static void text_stops_where_there_is_no_room(void **state)
{
	auto_buf out = { .max = 5 };

	(void)state;
	assert_false(report_printable(&out, "abcdef", 6));
	assert_true(out.len <= 5);
}

static void long_numbers_are_cut_and_say_so(void **state)
{
	auto_buf out = { .max = 1024 };
	uint8_t bytes[100] = { 0 };

	(void)state;
	assert_true(report_hex(&out, bytes, sizeof(bytes)));
	assert_int_equal(out.len, 128 + strlen("... (100 bytes)"));
	assert_memory_equal(out.data + 128, "... (100 bytes)", 15);
}

static void object_identifiers_are_written_with_dots(void **state)
{
	static const struct {
		const char *content, *text;
	} rows[] = {
		{ "\x2b\x06\x01\x05\x05\x07\x30\x01\x02", "1.3.6.1.5.5.7.48.1.2" },
		{ "\x55\x1d\x0f", "2.5.29.15" },
		{ "\x88\x37\x03", "2.999.3" },
		{ "\x27", "0.39" },
		{ "\x28", "1.0" },
		{ "\x2a\x86\x48\x86\xf7\x0d", "1.2.840.113549" },
		{ "\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "1.2..." },
		{ "", "..." },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_buf out = { .max = 256 };

		assert_true(report_oid(&out, der_of(rows[i].content, strlen(rows[i].content))));
		assert_int_equal(out.len, strlen(rows[i].text));
		assert_memory_equal(out.data, rows[i].text, out.len);
	}
}

/* ---- the bar ---- */

static void the_bar_shows_how_much_is_gone(void **state)
{
	static const struct {
		int64_t began, until;
		const char *text;
	} rows[] = {
		{ -10, 90, "[##------------------] 10 % gone, 1 min 30 s left" },
		{ -50, 50, "[##########----------] 50 % gone, 50 s left" },
		{ -99, 1, "[###################-] 99 % gone, 1 s left" },
		{ -100, 0, "[####################] over for 0 s" },
		{ -100, -50, "[####################] over for 50 s" },
		{ 60, 100, "[--------------------] begins in 1 min" },
		{ 100, 60, "" },
	};
	struct report_style style = { .width = 80 };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct clinch_verdict verdict = { .this_update = NOW + rows[i].began, .fresh_until = NOW + rows[i].until };
		auto_buf out = { .max = 256 };

		report_life_bar(&out, &style, &verdict, NOW);
		assert_int_equal(out.len, strlen(rows[i].text));
		assert_memory_equal(out.len ? out.data : (uint8_t *)"", rows[i].text, out.len);
	}
}

static void times_at_the_ends_of_their_range_are_shown(void **state)
{
	static const int64_t ends[] = { INT64_MIN / 4, -1, 1, INT64_MAX / 4 };
	struct report_style style = { .width = 80, .colour = true, .utf8 = true };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct clinch_verdict verdict = { .this_update = ends[i],
						  .fresh_until = ends[3 - i],
						  .next_update = ends[i] };
		auto_buf out = { .max = 4096 };

		assert_true(report_staple_text(&out, &style, samples[0], NULL, &verdict, ends[3 - i]));
	}
}

/* ---- what bytes are ---- */

static void bytes_are_told_apart(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum sniffed kind;
		bool faulty;
		size_t fault;
	} rows[] = {
		{ "", 0, SNIFF_NOTHING, true, 0 },
		{ "\x30\x03\x0a\x01\x03", 5, SNIFF_RESPONSE, false, 0 },
		{ "\x30\x03\x0a\x01\x03\x00", 6, SNIFF_BINARY, true, 5 },
		{ "\x30\x82\x01\x00\x0a\x01\x00\xa0\x03", 9, SNIFF_RESPONSE, true, 9 },
		{ "\x30\x04\x30\x02\x02\x05", 6, SNIFF_DER, true, 6 },
		{ "\x30\x05\x02\x01\x00\x02\x00", 7, SNIFF_PRIVATE_KEY, false, 0 },
		{ "\x30\x80\x00\x00", 4, SNIFF_BINARY, true, 0 },
		{ "<p>Bad gateway</p>", 18, SNIFF_HTML, true, 0 },
		{ "<3", 2, SNIFF_TEXT, true, 0 },
		{ "MIIBCgoBAKCCAQMwggEABgkrBgEFBQcwAQE=", 36, SNIFF_BASE64, true, 36 },
		{ "-----BEGIN EC PRIVATE KEY-----", 30, SNIFF_PRIVATE_KEY, true, 0 },
		{ "-----BEGIN CERTIFICATE-----", 27, SNIFF_CERTIFICATE, true, 0 },
		{ "-----BEGIN ", 11, SNIFF_PEM, true, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t at;

		if (sniff(rows[i].bytes, rows[i].len) != rows[i].kind)
			fail_msg("row %u is %s", i, sniff_name(sniff(rows[i].bytes, rows[i].len)));
		assert_int_equal(sniff_fault(rows[i].bytes, rows[i].len, &at), rows[i].faulty);
		if (rows[i].len && rows[i].bytes[0] == DER_SEQUENCE && rows[i].faulty)
			assert_int_equal(at, rows[i].fault);
	}
}

/* ---- no memory ---- */

static long allocations_left;

static void *failing_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

/* The n-th allocation fails, until it works without. */
static void without_memory_there_is_no_json_and_no_leak(void **state)
{
	struct clinch_verdict verdict = verdict_of(CLINCH_REASON_EXPIRED);
	json_t *json = NULL;
	long n = 0;

	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	for (; !json && n < 10000; n++) {
		allocations_left = n;
		json = report_staple_json(samples[2], NULL, &verdict, NOW);
	}
	json_set_alloc_funcs(malloc, free);
	assert_non_null(json);
	assert_true(n > 20);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_but_acceptance_has_a_next_step),
		cmocka_unit_test(an_option_in_a_next_step_comes_with_its_command),
		cmocka_unit_test(every_reason_has_a_detail_for_bytes_of_every_kind),
		cmocka_unit_test(every_reason_has_the_same_members_in_json),
		cmocka_unit_test(every_reason_has_a_text_within_the_terminal),
		cmocka_unit_test(a_signer_is_named_as_far_as_it_was_verified),
		cmocka_unit_test(an_exit_status_is_what_the_table_says),
		cmocka_unit_test(what_a_terminal_would_obey_is_replaced),
		cmocka_unit_test(every_byte_and_pair_of_bytes_becomes_valid_json),
		cmocka_unit_test(text_stops_where_there_is_no_room),
		cmocka_unit_test(long_numbers_are_cut_and_say_so),
		cmocka_unit_test(object_identifiers_are_written_with_dots),
		cmocka_unit_test(the_bar_shows_how_much_is_gone),
		cmocka_unit_test(times_at_the_ends_of_their_range_are_shown),
		cmocka_unit_test(bytes_are_told_apart),
		cmocka_unit_test(without_memory_there_is_no_json_and_no_leak),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
