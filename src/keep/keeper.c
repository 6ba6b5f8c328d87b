/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/keeper.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "keep/inside.h"
#include "keep/paths.h"
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define READY_MS 10000
#define TICK_MS 2000
#define SIGNERS 1024
#define WORK_TO_TRIM 1000

int64_t keeper_now(void)
{
	return time(NULL);
}

int64_t keeper_mono_ms(const struct keeper *keeper)
{
	return (int64_t)uv_now(keeper->loop);
}

void tell(struct keeper *keeper, struct keep_event *event)
{
	event->at = keeper_now();
	for (unsigned i = 0; i < keeper->n_listeners; i++)
		keeper->listener[i].call(event, keeper->listener[i].user);
}

void tell_row(struct keeper *keeper, enum keep_event_kind kind, struct keep_row *row)
{
	struct keep_event event = { .kind = kind, .row = row };

	tell(keeper, &event);
}

void tell_notice(struct keeper *keeper, enum keep_level level, const struct keep_row *row, const char *path,
		 const char *format, ...)
{
	char text[1024];
	struct keep_event event = { .kind = KEEP_NOTICE, .row = row, .level = level, .text = text, .path = path };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	tell(keeper, &event);
}

void keeper_timer(struct keeper *keeper, enum keep_timer which, int64_t in_ms, uv_timer_cb call)
{
	if (!keeper->stopped)
		uv_timer_start(&keeper->timer[which], call, in_ms > 0 ? (uint64_t)in_ms : 0, 0);
}

/* A hundred thousand fetches leave holes between the rows, of several times their size. */
void keeper_trim(struct keeper *keeper)
{
	if (keeper->work_since_trim < WORK_TO_TRIM)
		return;
	keeper->work_since_trim = 0;
	malloc_trim(0);
}

/* ---- READY ---- */

static void say_ready(struct keeper *keeper)
{
	struct keep_event event = { .kind = KEEP_READY };

	if (keeper->ready || keeper->stopped)
		return;
	keeper->ready = true;
	uv_timer_stop(&keeper->timer[TIMER_READY]);
	holding_sync(keeper);
	keeper_trim(keeper);
	tell(keeper, &event);
}

void keeper_check_ready(struct keeper *keeper)
{
	if (keeper->scanned && !keeper->scanning && !keeper->scan_wanted && keeper->awaited == 0 &&
	    keeper->quests_running == 0)
		say_ready(keeper);
}

static void on_ready_timeout(uv_timer_t *timer)
{
	say_ready(timer->data);
}

const char *keeper_store(const struct keeper *keeper)
{
	return keeper->conf->store;
}

bool keeper_is_ready(const struct keeper *keeper)
{
	return keeper->ready;
}

bool keeper_is_idle(const struct keeper *keeper)
{
	const struct keep_row *first = heap_first(&keeper->due);

	return keeper->scanned && !keeper->scanning && !keeper->scan_wanted && keeper->quests_running == 0 &&
	       keeper->fetching == 0 && !keeper->unsynced && (!first || first->due_ms > keeper_mono_ms(keeper));
}

/* ---- the tick ---- */

static void check_clock(struct keeper *keeper)
{
	int64_t wall = keeper_now(), mono = keeper_mono_ms(keeper);

	if (schedule_clock_jumped(keeper->wall_then, keeper->mono_then_ms, wall, mono)) {
		tell_notice(keeper, KEEP_WARNING, NULL, NULL, "the clock was set by %+lld s: everything is planned anew",
			    (long long)(wall - keeper->wall_then - (mono - keeper->mono_then_ms) / 1000));
		attempts_replan_all(keeper);
	}
	keeper->wall_then = wall;
	keeper->mono_then_ms = mono;
}

static void on_tick(uv_timer_t *timer)
{
	struct keeper *keeper = timer->data;

	check_clock(keeper);
	holding_tick(keeper);
	quests_tick(keeper);
	sweep_tick(keeper);
	keeper_timer(keeper, TIMER_TICK, TICK_MS, on_tick);
}

/* ---- from outside ---- */

static void use_policy(struct keeper *keeper, const struct keep_conf *conf)
{
	keeper->policy = conf->policy;
	keeper->policy.signers = keeper->signers;
	keeper->policy.max_len = conf->fetch.max_size ? conf->fetch.max_size : conf->policy.max_len;
	keeper->policy.nonce = NULL;
	keeper->policy.at = 0;
}

static int open_all(struct keeper *keeper, struct clinch_error *err)
{
	if (clinch_signers_new(&keeper->signers, SIGNERS) < 0)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the keeper");
	use_policy(keeper, keeper->conf);
	return holding_open(keeper, err);
}

int keeper_new(struct keeper **out, uv_loop_t *loop, const struct keep_conf *conf, struct clinch_error *err)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int rc;

	if (!keeper)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the keeper");
	keeper->loop = loop;
	keeper->own_conf = *conf;
	keeper->conf = &keeper->own_conf;
	keeper->rows = rows_empty();
	rc = open_all(keeper, err);
	if (rc < 0) {
		keeper->stopped = true;
		keeper_free(keeper);
		return rc;
	}
	*out = keeper;
	return 0;
}

void keeper_listen(struct keeper *keeper, keep_listener *listener, void *user)
{
	if (keeper->n_listeners == LISTENERS_MAX)
		abort(); /* they are ours, and counted */
	keeper->listener[keeper->n_listeners].call = listener;
	keeper->listener[keeper->n_listeners++].user = user;
}

static void on_issuers_file(const char *path, void *user)
{
	struct keeper *keeper = user;
	auto_chain chain = { .n = 0 };
	struct clinch_error err = { 0 };

	if (chain_read(&chain, path, &err) < 0)
		tell_notice(keeper, KEEP_WARNING, NULL, path, "%s (keep.issuers)", err.text);
	for (unsigned i = 0; i < chain.n; i++)
		issuers_add(&keeper->issuers, &chain.cert[i]);
}

static void ignore_dir(const char *path, void *user)
{
	(void)path, (void)user;
}

void keeper_read_issuers(struct keeper *keeper)
{
	const struct paths_taker taker = { .file = on_issuers_file, .dir = ignore_dir, .user = keeper };

	if (keeper->conf->issuers && !paths_expand(keeper->conf->issuers, &taker))
		tell_notice(keeper, KEEP_WARNING, NULL, keeper->conf->issuers, "cannot be looked into (keep.issuers)");
}

int keeper_start(struct keeper *keeper, struct clinch_error *err)
{
	uint32_t ready_ms = keeper->conf->ready_timeout_ms ? keeper->conf->ready_timeout_ms : READY_MS;
	int rc = attempts_open(keeper, err);

	if (rc < 0)
		return rc;
	for (int i = 0; i < TIMERS; i++) {
		uv_timer_init(keeper->loop, &keeper->timer[i]);
		keeper->timer[i].data = keeper;
	}
	keeper->started = true;
	uv_update_time(keeper->loop);
	keeper->wall_then = keeper_now();
	keeper->mono_then_ms = keeper_mono_ms(keeper);
	holding_watch(keeper);
	quests_load(keeper);
	keeper_read_issuers(keeper);
	scan_open(keeper);
	keeper_timer(keeper, TIMER_READY, ready_ms, on_ready_timeout);
	keeper_timer(keeper, TIMER_TICK, TICK_MS, on_tick);
	return 0;
}

int keeper_reload(struct keeper *keeper, const struct keep_conf *conf, struct clinch_error *err)
{
	if (strcmp(conf->store, keeper->conf->store) != 0)
		return error_set(err, CLINCH_E_ARGUMENT, "store: %s is in use; another one, %s, takes a restart",
				 keeper->conf->store, conf->store);
	keeper->own_conf = *conf;
	use_policy(keeper, conf);
	keeper_read_issuers(keeper);
	scan_close(keeper);
	scan_restart(keeper);
	return 0;
}

void keeper_rescan(struct keeper *keeper, bool fetch)
{
	for (struct keep_row *row = NULL; fetch && (row = table_next(&keeper->rows, row));)
		if (!row_is_fetching(row) && !row->past_end)
			attempts_plan(keeper, row, 0);
	scan_all_anew(keeper);
}

int keeper_offer(struct keeper *keeper, const uint8_t *fingerprint, const gnutls_datum_t *der, enum store_answer *answer,
		 struct clinch_verdict *verdict, struct clinch_error *err)
{
	struct keep_row *row = rows_find(&keeper->rows, fingerprint);
	clinch_response_t *response = NULL;
	auto_subject *subject = NULL;
	int rc;

	*verdict = (struct clinch_verdict){ .revocation_reason = -1 };
	if (!row)
		return error_set(err, CLINCH_E_MISSING,
				 "this keeper has no such certificate; add its file to keep.certificates");
	rc = examine_subject(row, &subject, err);
	if (rc < 0)
		return rc;
	clinch_verify(&response, verdict, der, subject, keeper_now(), &keeper->policy);
	if (!response)
		return error_set(err, CLINCH_E_FORMAT, "%s: %s", row->name, clinch_reason_text(verdict->reason));
	rc = attempts_take(keeper, row, subject, &(struct attempts_arrival){ .response = response }, answer, err);
	clinch_response_unref(response);
	holding_sync(keeper);
	return rc;
}

void keeper_stop(struct keeper *keeper)
{
	if (keeper->stopped)
		return;
	if (keeper->started)
		holding_sync(keeper);
	keeper->stopped = true;
	keeper->n_listeners = 0;
	if (!keeper->started)
		return;
	quests_done(keeper);
	attempts_stop(keeper);
	scan_close(keeper);
	holding_stop(keeper);
	for (int i = 0; i < TIMERS; i++)
		uv_close((uv_handle_t *)&keeper->timer[i], NULL);
}

static void free_lanes(struct keeper *keeper)
{
	for (int i = 0; i < LANES; i++)
		while (keeper->lane[i]) {
			struct keep_lane *lane = keeper->lane[i];
			keeper->lane[i] = lane->next;
			free(lane);
		}
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	scan_done(keeper);
	rows_done(&keeper->rows);
	free(keeper->due.at);
	issuers_done(&keeper->issuers);
	free_lanes(keeper);
	sweep_done(keeper);
	holding_close(keeper);
	clinch_signers_unref(keeper->signers);
	free(keeper);
}
