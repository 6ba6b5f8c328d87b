/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fetching by schedule: rows that are due wait for their responder's turn, are asked for, and are planned anew. */
#include "base/cleanup.h"
#include "base/error.h"
#include "keep/inside.h"
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#define PULSE_ROWS 1000      /* handled in one turn of the loop */
#define FILE_CHANGES_MS 2000 /* a row whose file holds another certificate at present */
#define URGENT_S 900         /* of life left */
#define JOBS_TOTAL 256       /* a job holds buffers; a row that waits for its turn holds none */
#define JOBS_PER_RESPONDER 8

static uint32_t random_number(void)
{
	uint32_t random = 0;

	if (gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof(random)) < 0)
		return UINT32_MAX / 2; /* the middle: no jitter */
	return random;
}

/* ---- planning ---- */

/* When something is to be done about it: a try, or the telling that less of its life is left. */
static int64_t due_ms(const struct keeper *keeper, const struct keep_row *row)
{
	int64_t now = keeper_now(), mark = schedule_next_mark(row_life(row), now),
		due = row_is_fetching(row) ? INT64_MAX : row->next_try_ms;

	if (row->recall)
		return keeper_mono_ms(keeper);
	if (row->state == KEEP_MISSING || mark == INT64_MAX)
		return due;
	mark = keeper_mono_ms(keeper) + (mark - now) * 1000;
	return mark < due ? mark : due;
}

static void put_in_heap(struct keeper *keeper, struct keep_row *row)
{
	row->due_ms = due_ms(keeper, row);
	heap_put(&keeper->due, row);
}

static void on_pulse(uv_timer_t *timer)
{
	attempts_pulse(timer->data);
}

static void arm(struct keeper *keeper)
{
	const struct keep_row *first = heap_first(&keeper->due);
	int64_t now = keeper_mono_ms(keeper);

	if (!keeper->scanned || !first || first->due_ms == INT64_MAX)
		return;
	keeper_timer(keeper, TIMER_PULSE, first->due_ms > now ? first->due_ms - now : 0, on_pulse);
}

void attempts_plan(struct keeper *keeper, struct keep_row *row, int64_t wait_ms)
{
	row->next_try_ms = wait_ms == INT64_MAX ? INT64_MAX : keeper_mono_ms(keeper) + wait_ms;
	put_in_heap(keeper, row);
	arm(keeper);
}

/* A responder answers for a certificate until its end, and nothing it says after that is believed. */
static bool has_ended(struct keeper *keeper, struct keep_row *row)
{
	bool ended = keeper_now() > row->not_after;

	if (ended && !row->past_end)
		tell_notice(keeper, KEEP_WARNING, row, row->places ? file_path(place_file(row->places)) : NULL,
			    "the certificate has expired; its responder is not asked any more");
	row->past_end = ended;
	return ended;
}

static bool counts(const struct keep_row *row)
{
	return row->state == KEEP_GOOD || row->state == KEEP_REVOKED;
}

void attempts_plan_loaded(struct keeper *keeper, struct keep_row *row)
{
	if (has_ended(keeper, row))
		attempts_plan(keeper, row, INT64_MAX);
	else
		attempts_plan(keeper, row,
			      counts(row) ? schedule_after_load(row_life(row), keeper_now(), random_number()) : 0);
}

/* What the store has of it may have been passed over under the old clock, as not valid yet or as over. */
static void judge_anew(struct keeper *keeper, struct keep_row *row)
{
	bool counted = counts(row);

	holding_judge_state(keeper, row, keeper_now());
	row->recall = row->this_update == 0 || (counts(row) && !counted);
}

void attempts_replan_all(struct keeper *keeper)
{
	for (struct keep_row *row = NULL; (row = table_next(&keeper->rows, row));) {
		judge_anew(keeper, row);
		row->life_told = 100;
		attempts_plan_loaded(keeper, row);
	}
}

/* ---- what is left of a life ---- */

/* Half of the life passes before each refresh: that is told only when the responder was asked, and gave nothing newer. */
static void tell_life(struct keeper *keeper, struct keep_row *row)
{
	int left = schedule_life_left(row_life(row), keeper_now());
	enum keep_event_kind kind;

	if (row->this_update == 0 || left >= row->life_told)
		return;
	if (left == 0) {
		holding_judge_state(keeper, row, keeper_now());
		kind = KEEP_EXPIRED_NOW;
	} else if (!row->asked) {
		return;
	} else {
		kind = left == 50 ? KEEP_LIFE_50 : left == 25 ? KEEP_LIFE_25 : KEEP_LIFE_10;
	}
	row->life_told = (uint8_t)left;
	tell_row(keeper, kind, row);
}

/* ---- what came of it ---- */

static void forget_trouble(struct keep_row *row)
{
	row->failures = 0;
	if (!row->side->trouble)
		return;
	free(TAKE(row_side(row)->trouble));
	row_tidy(row);
}

static struct schedule_failure failure_of(const struct keeper *keeper, const struct keep_row *row,
					  const struct fetch_event *event)
{
	int reason = event->verdict->reason;

	return (struct schedule_failure){
		.failures = row->failures,
		.retry_after_s = event->outcome->retry_after_s,
		.not_known_yet = reason == CLINCH_REASON_RESPONDER_UNAUTHORIZED || reason == CLINCH_REASON_UNKNOWN,
		.seen_for_s = keeper_mono_ms(keeper) / 1000 - row->found_s,
	};
}

static void remember_trouble(struct keep_row *row, const struct fetch_event *event)
{
	const struct fetch_outcome *outcome = event->outcome;
	size_t url_len = strlen(outcome->url) + 1, text_len = strlen(outcome->text) + 1;
	struct keep_side *side = row_side(row);
	struct keep_trouble *trouble = side ? malloc(sizeof(*trouble) + url_len + text_len) : NULL;
	char *strings = (char *)(trouble + 1);

	if (row->failures < UINT16_MAX)
		row->failures++;
	if (side)
		free(TAKE(side->trouble));
	if (!trouble)
		return;
	*trouble = (struct keep_trouble){
		.at = keeper_now(),
		.phase = outcome->phase,
		.failure = outcome->failure,
		.reason = event->verdict->reason,
		.http_status = outcome->http_status,
		.url = memcpy(strings, outcome->url, url_len),
		.text = memcpy(strings + url_len, outcome->text, text_len),
	};
	side->trouble = trouble;
}

static void failed(struct keeper *keeper, struct keep_row *row, const struct fetch_event *event)
{
	struct keep_event told = { .kind = KEEP_FAILED, .row = row, .outcome = event->outcome, .verdict = event->verdict };
	struct schedule_failure failure;

	remember_trouble(row, event);
	failure = failure_of(keeper, row, event);
	row->asked = true;
	attempts_plan(keeper, row, schedule_after_failure(row_life(row), keeper_now(), &failure, random_number()));
	tell(keeper, &told);
	tell_life(keeper, row);
}

void attempts_await(struct keeper *keeper, struct keep_row *row)
{
	if (row->state != KEEP_MISSING || row->next_try_ms == INT64_MAX)
		return;
	row->awaited = true;
	keeper->awaited++;
}

static void await_no_more(struct keeper *keeper, struct keep_row *row)
{
	if (row->awaited)
		keeper->awaited--;
	row->awaited = false;
}

static void took(struct keeper *keeper, struct keep_row *row, struct keep_event *told, enum keep_state before)
{
	int64_t now = keeper_now(), max_age = told->outcome ? told->outcome->max_age_s : -1, wait;
	bool is_newer = told->answer == STORE_TOOK, recovered = told->outcome && row->failures > 0;

	wait = is_newer ? schedule_after_success(row_life(row), now, max_age, random_number())
			: schedule_after_unchanged(row_life(row), now, max_age, random_number());
	if (told->outcome)
		forget_trouble(row);
	row->asked = !is_newer;
	attempts_plan(keeper, row, has_ended(keeper, row) ? INT64_MAX : wait);
	tell(keeper, told);
	if (recovered)
		tell_row(keeper, KEEP_RECOVERED, row);
	if (row->state == KEEP_REVOKED && before != KEEP_REVOKED)
		tell_row(keeper, KEEP_REVOKED_NOW, row);
	tell_life(keeper, row);
}

int attempts_take(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject,
		  const struct attempts_arrival *arrival, enum store_answer *answer, struct clinch_error *err)
{
	struct keep_event told = { .row = row, .outcome = arrival->outcome, .by_hand = !arrival->outcome };
	enum keep_state before = row->state;
	bool had_one = row->this_update != 0;
	int rc = holding_offer(keeper, row, subject, arrival->response, answer, err);

	if (rc < 0)
		return rc;
	told.verdict = clinch_response_verdict(arrival->response);
	told.answer = *answer;
	told.response = *answer == STORE_TOOK ? arrival->response : NULL;
	told.kind = *answer != STORE_TOOK ? KEEP_UNCHANGED : had_one ? KEEP_REFRESHED : KEEP_FIRST_STAPLE;
	took(keeper, row, &told, before);
	return 0;
}

static void drop_fetch(struct keeper *keeper, struct keep_row *row)
{
	struct keep_side *side = row_side(row);

	queue_leave(&keeper->queue, &side->item);
	keeper->fetching--;
	side->job = NULL;
	clinch_subject_unref(TAKE(side->job_subject));
	row_tidy(row);
	keeper->work_since_trim++;
}

static void succeeded(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject,
		      const struct fetch_event *event)
{
	const struct attempts_arrival arrival = { event->response, event->outcome };
	enum store_answer answer;
	struct clinch_error err = { 0 };

	if (attempts_take(keeper, row, subject, &arrival, &answer, &err) == 0)
		return;
	tell_notice(keeper, KEEP_WARNING, row, NULL, "what was fetched cannot be kept: %s", err.text);
	attempts_plan(keeper, row, FILE_CHANGES_MS);
}

static void pump(struct keeper *keeper);

static void on_fetch(const struct fetch_event *event)
{
	struct keep_side *side = event->user;
	struct keeper *keeper = side->keeper;
	struct keep_row *row = side->row;
	auto_subject *subject = NULL;

	if (event->kind == FETCH_ASKED) {
		struct keep_event told = {
			.kind = KEEP_ATTEMPT, .row = row, .outcome = event->outcome, .verdict = event->verdict
		};
		tell(keeper, &told);
		return;
	}
	subject = TAKE(side->job_subject);
	drop_fetch(keeper, row);
	if (event->outcome->http_status)
		row->latency_ms = event->outcome->took_ms < UINT16_MAX ? (uint16_t)event->outcome->took_ms : UINT16_MAX;
	if (event->response)
		succeeded(keeper, row, subject, event);
	else
		failed(keeper, row, event);
	row->tried = true;
	await_no_more(keeper, row);
	pump(keeper);
	keeper_check_ready(keeper);
	if (keeper->fetching == 0)
		keeper_trim(keeper);
}

static bool start_job(struct keeper *keeper, struct keep_row *row)
{
	const struct keep_source *source = row_source(keeper, row);
	struct keep_side *side = row_side(row);
	struct fetch_options options = keeper->conf->fetch;
	struct clinch_error err = { 0 };

	options.policy = keeper->policy;
	/* a configuration goes when another is loaded, and jobs run on */
	if (options.ca_file)
		options.ca_file = keeper_intern(keeper, options.ca_file);
	options.fallback = keeper->conf->fallback;
	options.urls = NULL;
	options.n_urls = 0;
	if (source && source->responder && row->places->at == 0) {
		options.urls = &source->responder;
		options.n_urls = 1;
	}
	return examine_subject(row, &side->job_subject, &err) == 0 &&
	       fetch_job_start(&side->job, keeper->engine, side->job_subject, &options, on_fetch, side, &err) == 0;
}

/* Those whose turn has come. One whose file has just changed is looked for in a scan. */
static void pump(struct keeper *keeper)
{
	struct queue_item *item;

	while (!keeper->stopped && (item = queue_next(&keeper->queue))) {
		struct keep_row *row = ((struct keep_side *)item)->row;
		if (start_job(keeper, row))
			continue;
		drop_fetch(keeper, row);
		if (row->places && !place_file(row->places)->is_bad)
			scan_soon(keeper);
		attempts_plan(keeper, row, FILE_CHANGES_MS);
	}
}

/* First go a certificate that has nothing yet and one whose life ends soon, the latest of them before the others. */
static bool is_urgent(const struct keep_row *row)
{
	if (row->state == KEEP_MISSING)
		return !row->tried;
	return row->fresh_until - keeper_now() < URGENT_S;
}

/* Into the queue of its responder. */
static void enqueue(struct keeper *keeper, struct keep_row *row)
{
	struct keep_side *side = row_side(row);

	if (!side || !queue_add(&keeper->queue, &side->item, row->lane, is_urgent(row))) {
		row_tidy(row);
		attempts_plan(keeper, row, FILE_CHANGES_MS);
		return;
	}
	side->keeper = keeper;
	keeper->fetching++;
}

static void handle_due(struct keeper *keeper, struct keep_row *row)
{
	if (row->recall) {
		holding_recall(keeper, row);
		attempts_plan_loaded(keeper, row);
		if (row->failures && !row->past_end) /* it may have been the clock */
			attempts_plan(keeper, row, 0);
		return;
	}
	tell_life(keeper, row);
	if (!row_is_fetching(row) && row->next_try_ms <= keeper_mono_ms(keeper)) {
		if (has_ended(keeper, row))
			row->next_try_ms = INT64_MAX;
		else
			enqueue(keeper, row);
	}
	put_in_heap(keeper, row);
}

void attempts_pulse(struct keeper *keeper)
{
	int64_t now = keeper_mono_ms(keeper);
	struct keep_row *row;

	if (keeper->stopped || !keeper->scanned)
		return;
	for (int i = 0; i < PULSE_ROWS && (row = heap_first(&keeper->due)) && row->due_ms <= now; i++)
		handle_due(keeper, row);
	pump(keeper);
	arm(keeper);
}

void attempts_forget(struct keeper *keeper, struct keep_row *row)
{
	if (row_is_fetching(row)) {
		fetch_job_cancel(row->side->job);
		drop_fetch(keeper, row);
	}
	await_no_more(keeper, row);
	heap_remove(&keeper->due, row);
}

int attempts_open(struct keeper *keeper, struct clinch_error *err)
{
	struct fetch_limits limits = keeper->conf->limits;
	const char **strings[] = { &limits.proxies.http, &limits.proxies.https, &limits.proxies.all,
				   &limits.proxies.except };

	/* twice as many as the engine asks at a time, so that it always has one that waits */
	keeper->queue.per_lane = limits.per_responder ? 2 * limits.per_responder : JOBS_PER_RESPONDER;
	keeper->queue.total = JOBS_TOTAL;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		if (*strings[i] && !(*strings[i] = keeper_intern(keeper, *strings[i])))
			return error_set(err, CLINCH_E_MEMORY, "no memory for fetching");
	return fetch_engine_new(&keeper->engine, keeper->loop, &limits, err);
}

void attempts_stop(struct keeper *keeper)
{
	for (struct keep_row *row = NULL; (row = table_next(&keeper->rows, row));)
		if (row_is_fetching(row)) {
			fetch_job_cancel(row->side->job);
			drop_fetch(keeper, row);
		}
	fetch_engine_free(TAKE(keeper->engine));
}
