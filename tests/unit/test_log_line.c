/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sink's lines are what the process writes to stderr: that is a file here while a line is written. */
#include "daemon/log_line.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT 1800000000 /* 2027-01-15T08:00:00Z */

enum { APPLE, PEAR };

static struct log_sink sink;
static int real_stderr = -1;
static FILE *written;
static char text[1024 * 1024];

static int start_sink(void **state)
{
	unsetenv("JOURNAL_STREAM");
	log_sink_init(&sink);
	written = tmpfile();
	return forget_blobs(state);
}

static int close_file(void **state)
{
	(void)state;
	return fclose(written);
}

static void divert(void)
{
	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(written), STDERR_FILENO);
}

static void restore(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
}

/* All that was written since the start of the test. */
static const char *all_lines(void)
{
	ssize_t n = pread(fileno(written), text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static unsigned count_lines(void)
{
	unsigned n = 0;

	for (const char *at = all_lines(); *at; at++)
		n += *at == '\n';
	return n;
}

static bool say(unsigned kind, int level, int64_t at, const char *key, const char *value)
{
	struct log_line line;

	divert();
	bool good = log_line_begin(&line, &sink, kind, kind == APPLE ? "apple" : "pear", level, at);
	if (good && key)
		log_line_text(&line, key, value);
	if (good)
		log_line_end(&line);
	restore();
	return good;
}

static void members_stay_in_their_order(void **state)
{
	static const uint8_t fingerprint[32] = { 0x0a, 0xff, 0x01, 0x80, 0x55 };
	struct log_line line;

	(void)state;
	divert();
	bool good = log_line_begin(&line, &sink, APPLE, "apple", LOG_LEVEL_WARNING, AT);
	if (good) {
		log_line_certificate(&line, "mail.pem", fingerprint);
		log_line_number(&line, "n", -7);
		log_line_time(&line, "next", AT + 1);
		log_line_time(&line, "never", 0);
		log_line_end(&line);
	}
	restore();
	assert_true(good);
	assert_string_equal(all_lines(),
			    "at=2027-01-15T08:00:00Z level=warning event=apple cert=mail.pem fingerprint=0aff0180 "
			    "n=-7 next=2027-01-15T08:00:01Z\n");
}

static void what_would_end_a_value_is_quoted_and_a_line_stays_a_line(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "plain", "x=plain" },
		{ "", "x=\"\"" },
		{ "two words", "x=\"two words\"" },
		{ "a=b", "x=\"a=b\"" },
		{ "a\"b", "x=\"a\\\"b\"" },
		{ "a\\b", "x=\"a\\\\b\"" },
		{ "a\nlevel=error", "x=\"a?level=error\"" },
		{ "a\x1b[2J", "x=\"a?[2J\"" },
		{ "\xc3\xa4pfel", "x=\"\xc3\xa4pfel\"" },
		{ "\xff\xfe", "x=??" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(ftruncate(fileno(written), 0), 0);
		assert_int_equal(lseek(fileno(written), 0, SEEK_SET), 0);
		assert_true(say(APPLE, LOG_LEVEL_INFO, AT, "x", rows[i].value));
		check(rows[i].want, strstr(all_lines(), rows[i].want));
		check_int(rows[i].want, count_lines(), 1);
	}
}

static void json_is_one_object_a_line(void **state)
{
	json_error_t error;

	(void)state;
	atomic_store(&sink.json, true);
	assert_true(say(APPLE, LOG_LEVEL_ERROR, AT, "x", "a\n\"b\""));
	json_t *object = json_loads(all_lines(), 0, &error);
	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "x")), "a\n\"b\"");
	assert_string_equal(json_string_value(json_object_get(object, "level")), "error");
	json_decref(object);
	assert_int_equal(count_lines(), 1);
}

static void the_journal_gets_the_level_before_the_line_and_no_time(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_sink_init(&sink);
	assert_true(say(PEAR, LOG_LEVEL_ERROR, AT, NULL, NULL));
	assert_string_equal(all_lines(), "<3>level=error event=pear\n");
}

static void what_is_quieter_than_the_level_is_not_written(void **state)
{
	(void)state;
	atomic_store(&sink.level, LOG_LEVEL_WARNING);
	assert_false(say(APPLE, LOG_LEVEL_INFO, AT, NULL, NULL));
	assert_true(say(APPLE, LOG_LEVEL_WARNING, AT, NULL, NULL));
	assert_int_equal(count_lines(), 1);
}

static void too_many_of_a_kind_are_counted_and_hide_no_other(void **state)
{
	(void)state;
	for (int i = 0; i < LOG_BURST; i++)
		assert_true(say(APPLE, LOG_LEVEL_INFO, AT + i % LOG_WHILE_S, NULL, NULL));
	for (int i = 0; i < 3; i++)
		assert_false(say(APPLE, LOG_LEVEL_INFO, AT + LOG_WHILE_S - 1, NULL, NULL));
	assert_true(say(APPLE, LOG_LEVEL_ERROR, AT, NULL, NULL));
	assert_true(say(PEAR, LOG_LEVEL_INFO, AT, NULL, NULL));
	assert_int_equal(count_lines(), LOG_BURST + 2);
	assert_true(say(APPLE, LOG_LEVEL_INFO, AT + LOG_WHILE_S, NULL, NULL));
	assert_int_equal(count_lines(), LOG_BURST + 4);
	assert_non_null(strstr(all_lines(), "event=apple left_out=3\n"));
}

static void a_clock_that_goes_back_silences_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < LOG_BURST; i++)
		assert_true(say(APPLE, LOG_LEVEL_INFO, AT, NULL, NULL));
	assert_false(say(APPLE, LOG_LEVEL_INFO, AT, NULL, NULL));
	assert_true(say(APPLE, LOG_LEVEL_INFO, AT - 1000000, NULL, NULL));
}

static void at_debug_all_is_written(void **state)
{
	(void)state;
	atomic_store(&sink.level, LOG_LEVEL_DEBUG);
	for (int i = 0; i < 2 * LOG_BURST; i++)
		assert_true(say(APPLE, LOG_LEVEL_DEBUG, AT, NULL, NULL));
	assert_int_equal(count_lines(), 2 * LOG_BURST);
}

#define IN_FILE(function) cmocka_unit_test_setup_teardown(function, start_sink, close_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FILE(members_stay_in_their_order),
		IN_FILE(what_would_end_a_value_is_quoted_and_a_line_stays_a_line),
		IN_FILE(json_is_one_object_a_line),
		IN_FILE(the_journal_gets_the_level_before_the_line_and_no_time),
		IN_FILE(what_is_quieter_than_the_level_is_not_written),
		IN_FILE(too_many_of_a_kind_are_counted_and_hide_no_other),
		IN_FILE(a_clock_that_goes_back_silences_nothing),
		IN_FILE(at_debug_all_is_written),
	};
	return cmocka_run_group_tests_name("log line", tests, NULL, NULL);
}
