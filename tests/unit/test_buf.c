/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"
#include "unit.h"
#include <string.h>

static void an_empty_one_needs_nothing_but_a_maximum(void **state)
{
	(void)state;
	auto_buf buf = { .max = 4 };
	assert_true(buf_add(&buf, "abcd", 4));
	assert_int_equal(buf.len, 4);
	assert_memory_equal(buf.data, "abcd", 4);
}

static void never_passes_its_maximum_and_is_then_as_before(void **state)
{
	(void)state;
	auto_buf buf = { .max = 5 };
	assert_true(buf_add(&buf, "abc", 3));
	assert_false(buf_add(&buf, "def", 3));
	assert_int_equal(buf.len, 3);
	assert_memory_equal(buf.data, "abc", 3);
	assert_true(buf_add(&buf, "de", 2));
	assert_false(buf_add(&buf, "f", 1));
	assert_int_equal(buf.len, 5);
	assert_memory_equal(buf.data, "abcde", 5);
}

static void a_length_that_would_wrap_around_is_refused(void **state)
{
	(void)state;
	auto_buf buf = { .max = SIZE_MAX };
	assert_true(buf_add(&buf, "abc", 3));
	assert_false(buf_add(&buf, "abc", SIZE_MAX - 1));
	assert_int_equal(buf.len, 3);
}

static void adding_nothing_always_works(void **state)
{
	(void)state;
	auto_buf buf = { 0 };
	assert_true(buf_add(&buf, NULL, 0));
	assert_true(buf_add(&buf, "", 0));
	assert_int_equal(buf.len, 0);
}

static void grows_byte_by_byte_without_losing_one(void **state)
{
	(void)state;
	auto_buf buf = { .max = 100000 };
	for (unsigned i = 0; i < 100000; i++) {
		uint8_t byte = (uint8_t)(i * 7);
		assert_true(buf_add(&buf, &byte, 1));
	}
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(buf.data[i], (uint8_t)(i * 7));
	assert_true(buf.cap <= 2 * 100000);
}

static void prints_behind_what_is_there(void **state)
{
	(void)state;
	auto_buf buf = { .max = 64 };
	assert_true(buf_printf(&buf, "%d %s", 7, "apples"));
	assert_true(buf_printf(&buf, ", %d", 8));
	assert_int_equal(buf.len, 11);
	assert_memory_equal(buf.data, "7 apples, 8", 11);
}

static void a_print_that_does_not_fit_leaves_no_part_of_it(void **state)
{
	(void)state;
	auto_buf buf = { .max = 6 };
	assert_true(buf_printf(&buf, "ab"));
	assert_false(buf_printf(&buf, "%s", "cdefg"));
	assert_int_equal(buf.len, 2);
	assert_memory_equal(buf.data, "ab", 2);
}

static void a_reset_keeps_the_memory(void **state)
{
	(void)state;
	auto_buf buf = { .max = 64 };
	assert_true(buf_add(&buf, "abcdef", 6));
	const uint8_t *before = buf.data;
	buf_reset(&buf);
	assert_int_equal(buf.len, 0);
	assert_true(buf_add(&buf, "xyz", 3));
	assert_ptr_equal(buf.data, before);
	assert_memory_equal(buf.data, "xyz", 3);
}

static void done_may_be_called_on_anything(void **state)
{
	(void)state;
	struct buf buf = { .max = 64 };
	buf_done(NULL);
	buf_done(&buf);
	assert_true(buf_add(&buf, "abc", 3));
	buf_done(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.len, 0);
	buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_empty_one_needs_nothing_but_a_maximum),
		T(never_passes_its_maximum_and_is_then_as_before),
		T(a_length_that_would_wrap_around_is_refused),
		T(adding_nothing_always_works),
		T(grows_byte_by_byte_without_losing_one),
		T(prints_behind_what_is_there),
		T(a_print_that_does_not_fit_leaves_no_part_of_it),
		T(a_reset_keeps_the_memory),
		T(done_may_be_called_on_anything),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
