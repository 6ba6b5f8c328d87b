/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes from the store, and when: a week of clock_gettime() passes at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/scratch.h"
#include "keep/inside.h"
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600
#define DAY 86400
#define NAME "0101010101010101010101010101010101010101010101010101010101010101.der"

static int64_t since_boot_s;

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	if (clock != CLOCK_BOOTTIME)
		return __real_clock_gettime(clock, out);
	*out = (struct timespec){ .tv_sec = since_boot_s };
	return 0;
}

static char dir[SCRATCH_SIZE];
static struct keeper keeper;
static unsigned notices;

static void on_event(const struct keep_event *event, void *user)
{
	(void)user;
	notices += event->kind == KEEP_NOTICE;
}

static int set_up(void **state)
{
	(void)state;
	keeper = (struct keeper){ .scanned = true, .rows = rows_empty() };
	keeper.conf = &keeper.own_conf;
	keeper.own_conf.store = dir;
	keeper_listen(&keeper, on_event, NULL);
	since_boot_s = 1000;
	notices = 0;
	return mkdtemp(scratch_template(dir, "sweep")) ? chdir(dir) : -1;
}

static int tear_down(void **state)
{
	(void)state;
	sweep_done(&keeper);
	rows_done(&keeper.rows);
	unlink(NAME);
	return chdir("/") < 0 || rmdir(dir) < 0;
}

static void make_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static bool is_there(const char *name)
{
	return access(name, F_OK) == 0;
}

static void pass(int64_t seconds)
{
	for (int64_t end = since_boot_s + seconds; since_boot_s < end; since_boot_s += HOUR)
		sweep_tick(&keeper);
	sweep_tick(&keeper);
}

static void claim(uint8_t byte)
{
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct keep_row *row;

	memset(fingerprint, byte, sizeof(fingerprint));
	row = row_named(fingerprint, "row");
	assert_non_null(row);
	assert_true(table_add(&keeper.rows, row));
}

static void disclaim(uint8_t byte)
{
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct keep_row *row;

	memset(fingerprint, byte, sizeof(fingerprint));
	row = rows_find(&keeper.rows, fingerprint);
	table_remove(&keeper.rows, row);
	row_free(row);
}

static void a_response_goes_when_its_certificate_has_been_gone_for_seven_days(void **state)
{
	(void)state;
	make_file(NAME);
	pass(7 * DAY - 2 * HOUR);
	assert_true(is_there(NAME));
	pass(3 * HOUR);
	assert_false(is_there(NAME));
	assert_int_equal(notices, 1);
}

static void one_whose_certificate_is_there_stays(void **state)
{
	(void)state;
	make_file(NAME);
	claim(1);
	pass(30 * DAY);
	assert_true(is_there(NAME));
}

static void the_days_are_counted_anew_when_the_certificate_comes_back(void **state)
{
	(void)state;
	make_file(NAME);
	pass(6 * DAY);
	claim(1);
	pass(2 * DAY);
	disclaim(1);
	pass(6 * DAY);
	assert_true(is_there(NAME));
	pass(DAY + 2 * HOUR);
	assert_false(is_there(NAME));
}

static void nothing_goes_before_all_files_were_looked_at(void **state)
{
	(void)state;
	make_file(NAME);
	keeper.scanned = false;
	pass(30 * DAY);
	keeper.scanned = true;
	keeper.scanning = true;
	pass(30 * DAY);
	assert_true(is_there(NAME));
}

static void names_that_are_not_ours_stay(void **state)
{
	static const char *const names[] = { "README", "0101.der", NAME ".old", ".lock", ".clinch-x" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		make_file(names[i]);
	pass(30 * DAY);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_true(is_there(names[i]));
		unlink(names[i]);
	}
}

static void temporary_files_of_a_killed_keeper_go_at_once(void **state)
{
	(void)state;
	make_file(".clinch-01234567-99.tmp");
	sweep_tick(&keeper);
	assert_false(is_there(".clinch-01234567-99.tmp"));
}

#define SWEPT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SWEPT(a_response_goes_when_its_certificate_has_been_gone_for_seven_days),
		SWEPT(one_whose_certificate_is_there_stays),
		SWEPT(the_days_are_counted_anew_when_the_certificate_comes_back),
		SWEPT(nothing_goes_before_all_files_were_looked_at),
		SWEPT(names_that_are_not_ours_stay),
		SWEPT(temporary_files_of_a_killed_keeper_go_at_once),
	};

	return cmocka_run_group_tests_name("keep sweep", tests, NULL, NULL);
}
