/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An outlet whose response cannot be had: keeper_response() fails here, as it does without memory or files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/scratch.h"
#include "keep/inside.h"
#include "keep/outlet.h"
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIFE_S 86400

clinch_response_t *__wrap_keeper_response(const struct keeper *keeper, const struct keep_row *row, int64_t now);
clinch_response_t *__wrap_keeper_response(const struct keeper *keeper, const struct keep_row *row, int64_t now)
{
	(void)keeper, (void)row, (void)now;
	return NULL;
}

static char dir[SCRATCH_SIZE];
static char target[SCRATCH_SIZE + 16];
static struct keeper keeper;
static struct keep_row *row;
static uv_loop_t loop;

static void ignore(enum keep_level level, const char *path, const char *text, void *user)
{
	(void)level, (void)path, (void)text, (void)user;
}

static int set_up(void **state)
{
	const uint8_t fingerprint[FINGERPRINT_LEN] = { 1 };

	(void)state;
	if (!mkdtemp(scratch_template(dir, "outlets")) || uv_loop_init(&loop) != 0)
		return -1;
	snprintf(target, sizeof(target), "%s/{name}", dir);
	keeper = (struct keeper){ .loop = &loop, .scanned = true, .rows = rows_empty() };
	keeper.conf = &keeper.own_conf;
	keeper.own_conf.store = dir;
	row = row_named(fingerprint, "www.example.org");
	if (!row || !table_add(&keeper.rows, row))
		return -1;
	row->state = KEEP_GOOD;
	row->this_update = (uint32_t)time(NULL);
	row->fresh_until = row->this_update + LIFE_S;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rows_done(&keeper.rows);
	return uv_loop_close(&loop) || rmdir(dir);
}

static void a_response_that_cannot_be_had_is_a_failure_and_tried_again(void **state)
{
	struct outlet_conf conf = { .kind = OUTLET_DER, .target = target, .mode = 0644 };
	struct keep_event event = { .kind = KEEP_LOADED, .row = row };
	struct outlets *outlets = NULL;
	struct outlet_state seen;

	(void)state;
	assert_int_equal(outlets_new(&outlets, &loop, &keeper, &conf, 1, ignore, NULL, NULL), 0);
	keeper.listener[0].call(&event, keeper.listener[0].user);
	do
		uv_run(&loop, UV_RUN_ONCE); /* its timer is the only handle */
	while (outlets_state(outlets, 0, &seen) && !outlets_are_idle(outlets));
	assert_int_equal(seen.failures, 1);
	assert_int_equal(seen.pending, 1);
	assert_non_null(strstr(seen.text, "www.example.org"));
	assert_int_equal(seen.last_success, 0);
	outlets_stop(outlets);
	uv_run(&loop, UV_RUN_DEFAULT);
	outlets_free(outlets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_response_that_cannot_be_had_is_a_failure_and_tried_again, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
