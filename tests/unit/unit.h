/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmocka, a fresh arena for each test, and what every table needs: which row it was. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maker.h"

static inline int forget_blobs(void **state)
{
	(void)state;
	maker_reset();
	return 0;
}

/* A group's last. */
static inline int drop_keys(void **state)
{
	(void)state;
	maker_done();
	return 0;
}

#define T(function) cmocka_unit_test_setup(function, forget_blobs)
#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Fails with the row's name and the condition as it is written. */
#define check(row, condition)                                                                                               \
	do {                                                                                                                \
		if (!(condition))                                                                                           \
			fail_msg("%s: not true: %s", (row), #condition);                                                    \
	} while (0)

/* Fails with the row's name, what came and what was expected. */
#define check_int(row, got, want)                                                                                           \
	do {                                                                                                                \
		long long got_ = (long long)(got), want_ = (long long)(want);                                               \
		if (got_ != want_)                                                                                          \
			fail_msg("%s: %s is %lld, not %lld", (row), #got, got_, want_);                                     \
	} while (0)

#define check_str(row, got, want)                                                                                           \
	do {                                                                                                                \
		if (strcmp((got), (want)) != 0)                                                                             \
			fail_msg("%s: %s is \"%s\", not \"%s\"", (row), #got, (got), (want));                               \
	} while (0)

#endif
