/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The schedule against rows that were worked out by hand from its rules. */
#include "keep/schedule.h"
#include "unit.h"

#define START INT64_C(1781524800)
#define S INT64_C(1000) /* a second, in milliseconds */
#define LOW 0u
#define MIDDLE 0x7fffffffu
#define HIGH UINT32_MAX
#define NOT_SAID -1

static const struct schedule_life four_days = { START, START + 4 * 86400 }, nothing = { 0, 0 },
				  minute = { START, START + 60 };

/* MIDDLE is half a step under the middle: a wait may be a millisecond short. */
static void assert_about(int64_t got, int64_t wanted, const char *what)
{
	if (got < wanted - 1 || got > wanted + 1)
		fail_msg("%s: expected %lld ms, got %lld ms", what, (long long)wanted, (long long)got);
}

struct success_row {
	const char *what;
	struct schedule_life life;
	int64_t age_s, max_age_s;
	uint32_t random;
	int64_t wait_ms;
};

static void asks_again_at_half_of_the_validity(void **state)
{
	static const struct success_row rows[] = {
		{ "fresh, in the middle", { START, START + 345600 }, 0, NOT_SAID, MIDDLE, 172800 * S },
		{ "10 % early", { START, START + 345600 }, 0, NOT_SAID, LOW, 155520 * S },
		{ "10 % late", { START, START + 345600 }, 0, NOT_SAID, HIGH, 190080 * S },
		{ "a day old when it came", { START, START + 345600 }, 86400, NOT_SAID, MIDDLE, 86400 * S },
		{ "max-age shorter than that", { START, START + 345600 }, 0, 3600, MIDDLE, 172800 * S },
		{ "max-age longer: 60 h", { START, START + 345600 }, 0, 216000, MIDDLE, 216000 * S },
		{ "max-age beyond 3/4 of the life", { START, START + 345600 }, 0, 300000, MIDDLE, 259200 * S },
		{ "max-age beyond 3/4, a day old", { START, START + 345600 }, 86400, 300000, MIDDLE, 172800 * S },
		{ "half gone when it came: 1/12 of 36 h", { START, START + 345600 }, 216000, NOT_SAID, MIDDLE, 10800 * S },
		{ "a life of ten seconds", { START, START + 10 }, 0, NOT_SAID, MIDDLE, 5 * S },
		{ "a life of one second is still a second", { START, START + 1 }, 0, NOT_SAID, MIDDLE, 1 * S },
		{ "a max-age that overflows", { START, START + 345600 }, 0, INT64_MAX, MIDDLE, 259200 * S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_about(schedule_after_success(rows[i].life, START + rows[i].age_s, rows[i].max_age_s, rows[i].random),
			     rows[i].wait_ms, rows[i].what);
}

static void asks_at_once_for_what_was_loaded_past_its_half(void **state)
{
	(void)state;
	assert_about(schedule_after_load(four_days, START + 86400, MIDDLE), 86400 * S, "a day old");
	assert_int_equal(schedule_after_load(four_days, START + 200000, MIDDLE), 0);
	assert_int_equal(schedule_after_load(four_days, START + 345600 + 1, MIDDLE), 0);
}

static void asks_again_after_a_twelfth_of_what_is_left_when_nothing_changed(void **state)
{
	static const struct success_row rows[] = {
		{ "two days left", { START, START + 345600 }, 172800, NOT_SAID, MIDDLE, 14400 * S },
		{ "10 % early", { START, START + 345600 }, 172800, NOT_SAID, LOW, 12960 * S },
		{ "10 % late", { START, START + 345600 }, 172800, NOT_SAID, HIGH, 15840 * S },
		{ "max-age of a day: until 3/4 of the life", { START, START + 345600 }, 172800, 86400, MIDDLE, 86400 * S },
		{ "max-age of two days: 3/4 all the same", { START, START + 345600 }, 172800, 172800, MIDDLE, 86400 * S },
		{ "past 3/4 max-age counts no more", { START, START + 345600 }, 302400, 86400, MIDDLE, 3600 * S },
		{ "a minute left", { START, START + 345600 }, 345540, NOT_SAID, MIDDLE, 5 * S },
		{ "three seconds left: not more than once a second",
		  { START, START + 345600 },
		  345597,
		  NOT_SAID,
		  MIDDLE,
		  1 * S },
		{ "nothing left", { START, START + 345600 }, 345600, NOT_SAID, MIDDLE, 30 * S },
		{ "ended long ago", { START, START + 345600 }, 945600, 86400, MIDDLE, 30 * S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_about(
			schedule_after_unchanged(rows[i].life, START + rows[i].age_s, rows[i].max_age_s, rows[i].random),
			rows[i].wait_ms, rows[i].what);
}

struct failure_row {
	const char *what;
	struct schedule_life life;
	int64_t age_s;
	struct schedule_failure failure;
	uint32_t random;
	int64_t wait_ms;
};

static void backs_off_after_errors(void **state)
{
	static const struct failure_row rows[] = {
		{ "first", { 0, 0 }, 0, { 1, NOT_SAID, false, 0 }, MIDDLE, 30 * S },
		{ "first, 20 % early", { 0, 0 }, 0, { 1, NOT_SAID, false, 0 }, LOW, 24 * S },
		{ "first, 20 % late", { 0, 0 }, 0, { 1, NOT_SAID, false, 0 }, HIGH, 36 * S },
		{ "second", { 0, 0 }, 0, { 2, NOT_SAID, false, 0 }, MIDDLE, 60 * S },
		{ "seventh", { 0, 0 }, 0, { 7, NOT_SAID, false, 0 }, MIDDLE, 1920 * S },
		{ "eighth: an hour is the cap", { 0, 0 }, 0, { 8, NOT_SAID, false, 0 }, MIDDLE, 3600 * S },
		{ "the cap is not passed by jitter", { 0, 0 }, 0, { 8, NOT_SAID, false, 0 }, HIGH, 2880 * S },
		{ "a million", { 0, 0 }, 0, { 1000000, NOT_SAID, false, 0 }, MIDDLE, 3600 * S },
		{ "two days left", { START, START + 345600 }, 172800, { 9, NOT_SAID, false, 0 }, MIDDLE, 3600 * S },
		{ "40 min left: 1/8 is 5 min",
		  { START, START + 345600 },
		  343200,
		  { 9, NOT_SAID, false, 0 },
		  MIDDLE,
		  300 * S },
		{ "a minute left, first", { START, START + 60 }, 0, { 1, NOT_SAID, false, 0 }, MIDDLE, 7500 },
		{ "four seconds left", { START, START + 60 }, 56, { 1, NOT_SAID, false, 0 }, MIDDLE, 1 * S },
		{ "ended just now", { START, START + 60 }, 60, { 9, NOT_SAID, false, 0 }, MIDDLE, 30 * S },
		{ "ended 8 min ago: 1/8 is a minute",
		  { START, START + 60 },
		  540,
		  { 9, NOT_SAID, false, 0 },
		  MIDDLE,
		  60 * S },
		{ "ended a week ago", { START, START + 60 }, 604860, { 9, NOT_SAID, false, 0 }, MIDDLE, 3600 * S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_about(schedule_after_failure(rows[i].life, START + rows[i].age_s, &rows[i].failure, rows[i].random),
			     rows[i].wait_ms, rows[i].what);
}

static void honours_retry_after_up_to_the_cap(void **state)
{
	static const struct failure_row rows[] = {
		{ "longer than ours", { 0, 0 }, 0, { 1, 120, false, 0 }, MIDDLE, 120 * S },
		{ "shorter than ours", { 0, 0 }, 0, { 3, 5, false, 0 }, MIDDLE, 120 * S },
		{ "a day", { 0, 0 }, 0, { 1, 86400, false, 0 }, MIDDLE, 3600 * S },
		{ "so long that it overflows", { 0, 0 }, 0, { 1, INT64_MAX, false, 0 }, MIDDLE, 3600 * S },
		{ "zero", { 0, 0 }, 0, { 1, 0, false, 0 }, MIDDLE, 30 * S },
		{ "a life that ends before", { START, START + 60 }, 0, { 1, 600, false, 0 }, MIDDLE, 7500 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_about(schedule_after_failure(rows[i].life, START + rows[i].age_s, &rows[i].failure, rows[i].random),
			     rows[i].wait_ms, rows[i].what);
}

static void asks_often_for_a_certificate_the_responder_does_not_know_yet(void **state)
{
	static const struct failure_row rows[] = {
		{ "ninth time, 14 min after", { 0, 0 }, 0, { 9, NOT_SAID, true, 840 }, MIDDLE, 30 * S },
		{ "after 15 min it is an error as any", { 0, 0 }, 0, { 9, NOT_SAID, true, 900 }, MIDDLE, 3600 * S },
		{ "another error", { 0, 0 }, 0, { 9, NOT_SAID, false, 10 }, MIDDLE, 3600 * S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_about(schedule_after_failure(rows[i].life, START + rows[i].age_s, &rows[i].failure, rows[i].random),
			     rows[i].wait_ms, rows[i].what);
}

static void knows_what_is_left_of_a_life(void **state)
{
	static const struct {
		int64_t age_s;
		int left;
		int64_t next_age_s;
	} rows[] = {
		{ 0, 100, 30 },
		{ 29, 100, 30 },
		{ 30, 50, 45 },
		{ 44, 50, 45 },
		{ 45, 25, 54 },
		{ 53, 25, 54 },
		{ 54, 10, 60 },
		{ 59, 10, 60 },
		{ 60, 0, INT64_MAX - START },
		{ 900, 0, INT64_MAX - START },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(schedule_life_left(minute, START + rows[i].age_s), rows[i].left);
		assert_int_equal(schedule_next_mark(minute, START + rows[i].age_s), START + rows[i].next_age_s);
	}
}

static void staples_until_a_margin_before_the_end(void **state)
{
	(void)state;
	assert_int_equal(schedule_staple_until(four_days), START + 345600 - 300);
	assert_int_equal(schedule_staple_until(minute), START + 54);
	assert_int_equal(schedule_staple_until(nothing), 0);
}

static void notices_that_the_wall_clock_jumped(void **state)
{
	(void)state;
	assert_false(schedule_clock_jumped(START, 5000, START + 10, 15000));
	assert_false(schedule_clock_jumped(START, 5000, START + 60, 5000));
	assert_true(schedule_clock_jumped(START, 5000, START + 62, 5000));
	assert_true(schedule_clock_jumped(START, 5000, START - 51, 15000));
	assert_false(schedule_clock_jumped(START, 5000, START + 86400, 5000 + 86400000));
	assert_true(schedule_clock_jumped(0, 0, START, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_again_at_half_of_the_validity),
		cmocka_unit_test(asks_at_once_for_what_was_loaded_past_its_half),
		cmocka_unit_test(asks_again_after_a_twelfth_of_what_is_left_when_nothing_changed),
		cmocka_unit_test(backs_off_after_errors),
		cmocka_unit_test(honours_retry_after_up_to_the_cap),
		cmocka_unit_test(asks_often_for_a_certificate_the_responder_does_not_know_yet),
		cmocka_unit_test(knows_what_is_left_of_a_life),
		cmocka_unit_test(staples_until_a_margin_before_the_end),
		cmocka_unit_test(notices_that_the_wall_clock_jumped),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
