/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/marks.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t *fingerprint(uint32_t number, uint8_t first)
{
	static uint8_t out[FINGERPRINT_LEN];

	memset(out, 0, sizeof(out));
	out[0] = first;
	memcpy(out + 8, &number, sizeof(number));
	return out;
}

static void what_is_put_is_found_and_nothing_else(void **state)
{
	(void)state;
	struct marks marks = { 0 };
	assert_null(marks_find(&marks, fingerprint(1, 0)));
	struct mark *mark = marks_put(&marks, fingerprint(1, 0));
	assert_non_null(mark);
	assert_false(mark->pending);
	assert_ptr_equal(marks_put(&marks, fingerprint(1, 0)), mark);
	assert_int_equal(marks.n, 1);
	assert_null(marks_find(&marks, fingerprint(2, 0)));
	marks_done(&marks);
	assert_null(marks_find(&marks, fingerprint(1, 0)));
}

static void pending_ones_are_counted_once_and_taken_once(void **state)
{
	(void)state;
	struct marks marks = { 0 };
	size_t n;
	for (uint32_t i = 0; i < 100; i++) {
		struct mark *mark = marks_put(&marks, fingerprint(i, (uint8_t)i));
		marks_set(&marks, mark, i % 3 == 0);
		marks_set(&marks, mark, i % 3 == 0);
	}
	assert_int_equal(marks.n_pending, 34);
	uint8_t(*taken)[FINGERPRINT_LEN] = marks_take(&marks, &n);
	assert_int_equal(n, 34);
	for (size_t i = 0; i < n; i++) {
		uint32_t number;
		memcpy(&number, taken[i] + 8, sizeof(number));
		assert_int_equal(number % 3, 0);
		assert_false(marks_find(&marks, taken[i])->pending);
	}
	free(taken);
	assert_null(marks_take(&marks, &n));
	assert_int_equal(n, 0);
	assert_int_equal(marks.n, 100);
	marks_done(&marks);
}

/* All with one home: each removal must leave those behind it reachable. */
static void a_removal_hides_none_of_those_behind_it(void **state)
{
	(void)state;
	struct marks marks = { 0 };
	bool there[40];
	for (uint32_t i = 0; i < 40; i++) {
		marks_set(&marks, marks_put(&marks, fingerprint(i, (uint8_t)(13 + i % 3))), true);
		there[i] = true;
	}
	for (uint32_t step = 0; step < 40; step++) {
		uint32_t gone = step * 17 % 40;
		marks_remove(&marks, fingerprint(gone, (uint8_t)(13 + gone % 3)));
		marks_remove(&marks, fingerprint(gone, (uint8_t)(13 + gone % 3)));
		there[gone] = false;
		assert_int_equal(marks.n, 39 - step);
		assert_int_equal(marks.n_pending, 39 - step);
		for (uint32_t i = 0; i < 40; i++)
			assert_int_equal(!!marks_find(&marks, fingerprint(i, (uint8_t)(13 + i % 3))), there[i]);
	}
	marks_done(&marks);
}

static void growing_keeps_what_is_known_of_each(void **state)
{
	(void)state;
	struct marks marks = { 0 };
	for (uint32_t i = 0; i < 5000; i++)
		marks_put(&marks, fingerprint(i, (uint8_t)(i * 7)))->served_until = i;
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(marks_find(&marks, fingerprint(i, (uint8_t)(i * 7)))->served_until, i);
	assert_true(marks.n_slots <= 16384);
	marks_done(&marks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_put_is_found_and_nothing_else),
		T(pending_ones_are_counted_once_and_taken_once),
		T(a_removal_hides_none_of_those_behind_it),
		T(growing_keeps_what_is_known_of_each),
	};
	return cmocka_run_group_tests_name("marks", tests, NULL, NULL);
}
