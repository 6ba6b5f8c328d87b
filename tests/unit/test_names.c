/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the two tables: stable ids, a level, a sentence, a source. */
#include "ocsp/names.h"
#include "unit.h"
#include <ctype.h>
#include <limits.h>
#include <string.h>

static void assert_is_id(const char *name)
{
	check(name, islower((unsigned char)name[0]));
	for (const char *at = name; *at; at++)
		check(name,
		      islower((unsigned char)*at) || isdigit((unsigned char)*at) || (*at == '-' && at[1] && at[1] != '-'));
}

static void assert_is_clause(const char *name, const char *text)
{
	check(name, strlen(text) > 10);
	check(name, text[strlen(text) - 1] != '.');
	check(name, strchr(text, '\n') == NULL);
}

/* Numbers between two groups of rows are nobody's yet. */
static bool is_gap(int reason)
{
	return reason != CLINCH_REASON_UNJUDGED && strcmp(clinch_reason_name(reason), "unjudged") == 0;
}

static void numbers_never_move(void **state)
{
	(void)state;
	assert_int_equal(CLINCH_REASON_UNJUDGED, 0);
	assert_int_equal(CLINCH_REASON_RESPONSE_EMPTY, 1);
	assert_int_equal(CLINCH_REASON_SIGNER_UNKNOWN, 100);
	assert_int_equal(CLINCH_REASON_SIGNATURE_UNKNOWN, 150);
	assert_int_equal(CLINCH_REASON_CRITICAL_EXTENSION, 200);
	assert_int_equal(CLINCH_REASON_NO_ENTRY, 250);
	assert_int_equal(CLINCH_REASON_REVOKED, 300);
	assert_int_equal(CLINCH_REASON_NO_STAPLE, 350);
	assert_int_equal(CLINCH_REASON_NO_CERTIFICATE, 450);
	assert_int_equal(CLINCH_REASON_INTERNAL, 500);
	assert_true(is_gap(99));
}

static void each_reason_has_an_id_of_its_own_a_sentence_and_a_source(void **state)
{
	(void)state;
	for (int i = 0; i < CLINCH_REASON_COUNT; i++) {
		if (is_gap(i))
			continue;
		assert_is_id(clinch_reason_name(i));
		assert_is_clause(clinch_reason_name(i), clinch_reason_text(i));
		check(clinch_reason_name(i), strlen(clinch_reason_source(i)) > 5);
		for (int j = 0; j < i; j++)
			assert_true(is_gap(j) || strcmp(clinch_reason_name(i), clinch_reason_name(j)) != 0);
	}
}

static void each_finding_has_an_id_of_its_own_a_level_a_sentence_and_a_source(void **state)
{
	(void)state;
	for (int i = 0; i < CLINCH_FINDING_COUNT; i++) {
		const char *level = clinch_finding_level(i);
		assert_is_id(clinch_finding_name(i));
		assert_is_clause(clinch_finding_name(i), clinch_finding_text(i));
		check(clinch_finding_name(i), strlen(clinch_finding_source(i)) > 5);
		check(clinch_finding_name(i), strcmp(level, "info") == 0 || strcmp(level, "warning") == 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(clinch_finding_name(i), clinch_finding_name(j));
	}
}

/* Ids are what scripts compare with: these must never change. */
static void ids_that_scripts_know_stay_as_they_are(void **state)
{
	(void)state;
	static const struct {
		int reason;
		const char *name;
	} rows[] = {
		{ CLINCH_REASON_UNJUDGED, "unjudged" },
		{ CLINCH_REASON_GOOD, "good" },
		{ CLINCH_REASON_REVOKED, "revoked" },
		{ CLINCH_REASON_UNKNOWN, "unknown" },
		{ CLINCH_REASON_EXPIRED, "expired" },
		{ CLINCH_REASON_SIGNATURE_BAD, "signature-bad" },
		{ CLINCH_REASON_NO_ENTRY, "no-entry" },
		{ CLINCH_REASON_NO_STAPLE, "no-staple" },
		{ CLINCH_REASON_MISSING_MUST_STAPLE, "missing-must-staple" },
		{ CLINCH_REASON_INTERNAL, "internal" },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_string_equal(clinch_reason_name(rows[i].reason), rows[i].name);
	assert_int_equal(CLINCH_REASON_UNJUDGED, 0);
}

static void a_number_of_no_row_is_not_a_crash(void **state)
{
	(void)state;
	static const int rows[] = { -1, CLINCH_REASON_COUNT, INT_MAX, INT_MIN };
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_string_equal(clinch_reason_name(rows[i]), "unjudged");
		assert_non_null(clinch_reason_text(rows[i]));
		assert_non_null(clinch_reason_source(rows[i]));
		assert_int_equal(reason_status(rows[i]), CLINCH_INVALID);
		int finding = rows[i] == CLINCH_REASON_COUNT ? CLINCH_FINDING_COUNT : rows[i];
		assert_string_equal(clinch_finding_name(finding), "");
		assert_non_null(clinch_finding_level(finding));
		assert_non_null(clinch_finding_text(finding));
		assert_non_null(clinch_finding_source(finding));
	}
}

/* What is not known to be good is not good: one reason alone says so. */
static void one_reason_alone_leads_to_good(void **state)
{
	(void)state;
	for (int i = 0; i < CLINCH_REASON_COUNT; i++) {
		enum clinch_status status = reason_status(i);
		check_int(clinch_reason_name(i), status == CLINCH_GOOD, i == CLINCH_REASON_GOOD);
		check_int(clinch_reason_name(i), status == CLINCH_REVOKED, i == CLINCH_REASON_REVOKED);
		check_int(clinch_reason_name(i), status == CLINCH_UNKNOWN, i == CLINCH_REASON_UNKNOWN);
	}
}

static void statuses_have_the_words_of_the_command(void **state)
{
	(void)state;
	assert_string_equal(clinch_status_name(CLINCH_INVALID), "invalid");
	assert_string_equal(clinch_status_name(CLINCH_MISSING), "missing");
	assert_string_equal(clinch_status_name(CLINCH_UNKNOWN), "unknown");
	assert_string_equal(clinch_status_name(CLINCH_REVOKED), "revoked");
	assert_string_equal(clinch_status_name(CLINCH_GOOD), "good");
	assert_string_equal(clinch_status_name((enum clinch_status)77), "invalid");
	assert_string_equal(clinch_status_name((enum clinch_status) - 1), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(numbers_never_move),
		T(each_reason_has_an_id_of_its_own_a_sentence_and_a_source),
		T(each_finding_has_an_id_of_its_own_a_level_a_sentence_and_a_source),
		T(ids_that_scripts_know_stay_as_they_are),
		T(a_number_of_no_row_is_not_a_crash),
		T(one_reason_alone_leads_to_good),
		T(statuses_have_the_words_of_the_command),
	};
	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
