/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/time.h"
#include "unit.h"
#include <string.h>
#include <time.h>

static void knows_days_written_by_hand(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		int64_t at;
		int year, month, day, hour, minute, second;
	} rows[] = {
		{ "the epoch", 0, 1970, 1, 1, 0, 0, 0 },
		{ "a second before it", -1, 1969, 12, 31, 23, 59, 59 },
		{ "the first leap day after it", 68169600, 1972, 2, 29, 0, 0, 0 },
		{ "2000 is a leap year", 951782400, 2000, 2, 29, 0, 0, 0 },
		{ "the day after", 951868800, 2000, 3, 1, 0, 0, 0 },
		{ "the last second of 32 bits", 2147483647, 2038, 1, 19, 3, 14, 7 },
		{ "the one after", 2147483648, 2038, 1, 19, 3, 14, 8 },
		{ "2100 is none", 4107542400, 2100, 3, 1, 0, 0, 0 },
		{ "the last that has four digits", 253402300799, 9999, 12, 31, 23, 59, 59 },
		{ "this project's day", 1795453200, 2026, 11, 23, 17, 0, 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t at = -77;
		check(rows[i].row, time_from_civil(&at, rows[i].year, rows[i].month, rows[i].day, rows[i].hour,
						   rows[i].minute, rows[i].second));
		check_int(rows[i].row, at, rows[i].at);
	}
}

static void refuses_dates_that_do_not_exist(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		int year, month, day, hour, minute, second;
	} rows[] = {
		{ "month 0", 2026, 0, 1, 0, 0, 0 },
		{ "month 13", 2026, 13, 1, 0, 0, 0 },
		{ "day 0", 2026, 1, 0, 0, 0, 0 },
		{ "31 April", 2026, 4, 31, 0, 0, 0 },
		{ "29 February 2026", 2026, 2, 29, 0, 0, 0 },
		{ "29 February 2100", 2100, 2, 29, 0, 0, 0 },
		{ "29 February 1900", 1900, 2, 29, 0, 0, 0 },
		{ "30 February 2024", 2024, 2, 30, 0, 0, 0 },
		{ "32 January", 2026, 1, 32, 0, 0, 0 },
		{ "hour 24", 2026, 1, 1, 24, 0, 0 },
		{ "minute 60", 2026, 1, 1, 0, 60, 0 },
		{ "second 60", 2016, 12, 31, 23, 59, 60 },
		{ "a negative hour", 2026, 1, 1, -1, 0, 0 },
		{ "a negative minute", 2026, 1, 1, 0, -1, 0 },
		{ "a negative second", 2026, 1, 1, 0, 0, -1 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t at = 0;
		check(rows[i].row, !time_from_civil(&at, rows[i].year, rows[i].month, rows[i].day, rows[i].hour,
						    rows[i].minute, rows[i].second));
	}
}

/* One instant every 12 hours and a bit, from 1900 to 2200: each month, leap years and both exceptions to them. */
static void agrees_with_gmtime_for_three_centuries(void **state)
{
	(void)state;
	for (int64_t at = INT64_C(-2208988800); at < INT64_C(7258118400); at += 43201) {
		const time_t instant = (time_t)at;
		struct tm tm;
		assert_non_null(gmtime_r(&instant, &tm));
		int64_t back = 0;
		assert_true(time_from_civil(&back, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
					    tm.tm_sec));
		assert_true(back == at);
	}
}

static void writes_what_strftime_would(void **state)
{
	(void)state;
	for (int64_t at = 0; at < INT64_C(7258118400); at += 9999991) {
		const time_t instant = (time_t)at;
		struct tm tm;
		char expected[32], text[TIME_TEXT_SIZE];
		assert_non_null(gmtime_r(&instant, &tm));
		assert_int_equal(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm), 20);
		assert_string_equal(time_format(text, at), expected);
	}
}

static void reads_what_it_wrote(void **state)
{
	(void)state;
	for (int64_t at = INT64_C(-2208988800); at < INT64_C(7258118400); at += 7654321) {
		char text[TIME_TEXT_SIZE];
		int64_t back = 0;
		assert_true(time_parse(&back, time_format(text, at)));
		assert_true(back == at);
	}
}

static void writes_any_number_within_its_buffer(void **state)
{
	(void)state;
	static const int64_t rows[] = {
		INT64_MIN, INT64_MIN + 1, -1, INT64_C(253402300799), INT64_C(253402300800), INT64_MAX
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[TIME_TEXT_SIZE + 1];
		memset(text, 'x', sizeof(text));
		assert_ptr_equal(time_format(text, rows[i]), text);
		assert_non_null(memchr(text, '\0', TIME_TEXT_SIZE));
		assert_int_equal(text[TIME_TEXT_SIZE], 'x');
	}
}

/* RFC 3339 5.6 */
static void parses_rfc_3339(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t at;
	} rows[] = {
		{ "2026-11-23T17:00:00Z", 1795453200 },
		{ "2026-11-23T18:00:00+01:00", 1795453200 },
		{ "2026-11-23T11:30:00-05:30", 1795453200 },
		{ "2026-11-23T17:00:00.9Z", 1795453200 },
		{ "2026-11-23T17:00:00.000001Z", 1795453200 },
		{ "2026-11-24T00:30:00+07:30", 1795453200 },
		{ "1969-12-31T23:59:59Z", -1 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t at = 1;
		check(rows[i].text, time_parse(&at, rows[i].text));
		check_int(rows[i].text, at, rows[i].at);
	}
}

static void refuses_every_other_text(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"now",
		"2026",
		"2026-11-23",
		"2026-11-23T17:00:00",
		"2026-11-23T17:00Z",
		"2026-11-23 17:00:00",
		"2026-11-23T17:00:00Zx",
		" 2026-11-23T17:00:00Z",
		"2026-11-23T17:00:00Z ",
		"2026-1-23T17:00:00Z",
		"+026-11-23T17:00:00Z",
		"2026-13-23T17:00:00Z",
		"2026-02-29T17:00:00Z",
		"2026-11-23T24:00:00Z",
		"2026-11-23T17:00:60Z",
		"2026-11-23T17:00:00.Z",
		"2026-11-23T17:00:00+1:00",
		"2026-11-23T17:00:00+0100",
		"2026-11-23T17:00:00+24:00",
		"2026-11-23T17:00:00+01:60",
		"2026-11-23T17:00:00+01:00Z",
		"2026/11/23T17:00:00Z",
		"2026-11-23T17-00-00Z",
		"20261123170000Z",
		"1795453200",
		"2026-11-23T17:00:0 Z",
		"2026-11-23T17:00:00+",
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t at = 0;
		check(rows[i], !time_parse(&at, rows[i]));
	}
}

static void says_a_span_in_its_two_largest_units(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{ 0, "0 s" },          { 9, "9 s" },           { 720, "12 min" },
		{ 277200, "3 d 5 h" }, { -277200, "3 d 5 h" }, { 3 * 86400 + 4 * 3600 + 59 * 60, "3 d 4 h" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[TIME_SPAN_SIZE];
		check_str(rows[i].text, time_span(text, rows[i].seconds), rows[i].text);
	}
}

static void says_any_span_within_its_buffer(void **state)
{
	(void)state;
	static const int64_t rows[] = { INT64_MIN, INT64_MAX };
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[TIME_SPAN_SIZE];
		time_span(text, rows[i]);
		assert_non_null(memchr(text, '\0', sizeof(text)));
		assert_non_null(strstr(text, " d"));
		assert_null(strchr(text, '-'));
	}
}

static void writes_a_time_as_der_has_it(void **state)
{
	(void)state;
	static const struct {
		int64_t at;
		const char *text;
	} rows[] = {
		{ 0, "19700101000000Z" },
		{ -1, "19691231235959Z" },
		{ 1795453200, "20261123170000Z" },
		{ 951782400 + 3661, "20000229010101Z" },
		{ 253402300799, "99991231235959Z" },
		{ -62167219200, "00000101000000Z" },
	};
	uint8_t out[TIME_COMPACT_LEN];
	for (size_t i = 0; i < ROWS(rows); i++) {
		check(rows[i].text, time_compact(out, rows[i].at));
		assert_memory_equal(out, rows[i].text, TIME_COMPACT_LEN);
	}
	assert_false(time_compact(out, INT64_C(253402300800)));
	assert_false(time_compact(out, INT64_C(-62167219201)));
	assert_false(time_compact(out, INT64_MAX));
	assert_false(time_compact(out, INT64_MIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(writes_a_time_as_der_has_it),
		T(knows_days_written_by_hand),
		T(refuses_dates_that_do_not_exist),
		T(agrees_with_gmtime_for_three_centuries),
		T(writes_what_strftime_would),
		T(reads_what_it_wrote),
		T(writes_any_number_within_its_buffer),
		T(parses_rfc_3339),
		T(refuses_every_other_text),
		T(says_a_span_in_its_two_largest_units),
		T(says_any_span_within_its_buffer),
	};
	return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
