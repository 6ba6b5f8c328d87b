/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"
#include "unit.h"

static void what_is_not_there_is_the_same_as_nothing_else(void **state)
{
	(void)state;
	const char there[] = "a", copy[] = "a";
	assert_true(text_same(NULL, NULL));
	assert_true(text_same(there, copy));
	assert_false(text_same(there, "ab"));
	assert_false(text_same(NULL, ""));
	assert_false(text_same("", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_there_is_the_same_as_nothing_else),
	};
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
