/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/job.h"
#include "base/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 15000
#define CONNECT_MS 5000
#define SILENCE_MS 3000
#define MAX_SIZE 65536

static void free_job(uv_handle_t *handle)
{
	struct fetch_job *job = handle->data;

	if (--job->open_handles > 0)
		return;
	free(job->attempt);
	free(job);
}

struct fetch_job *job_new(struct fetch_engine *engine, const struct fetch_options *options, fetch_callback *callback,
			  void *user)
{
	struct fetch_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->engine = engine;
	job->callback = callback;
	job->user = user;
	job->options = *options;
	job->options.urls = NULL;
	job->options.fallback = NULL;
	job->options.timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
	job->options.silence_ms = options->silence_ms ? options->silence_ms : SILENCE_MS;
	job->settings = (struct exchange_settings){
		.connect_ms = options->connect_ms ? options->connect_ms : CONNECT_MS,
		.max_size = options->max_size ? options->max_size : MAX_SIZE,
		.forbid_private = options->forbid_private,
		.ca_file = options->ca_file,
	};
	job->best = (struct fetch_outcome){ .failure = FETCH_NO_URL, .retry_after_s = -1, .max_age_s = -1 };
	uv_timer_init(engine->loop, &job->silence);
	uv_timer_init(engine->loop, &job->deadline);
	job->silence.data = job->deadline.data = job;
	job->open_handles = 2;
	job->next = engine->jobs;
	if (job->next)
		job->next->previous = job;
	engine->jobs = job;
	return job;
}

bool job_add_url(struct fetch_job *job, const void *url, size_t len)
{
	struct fetch_outcome *best = &job->best;
	const char *why;
	struct attempt *at;

	if (job->n == FETCH_URLS_MAX)
		return true;
	at = reallocarray(job->attempt, job->n + 1, sizeof(*at));
	if (!at)
		return false;
	job->attempt = at;
	at += job->n;
	memset(at, 0, sizeof(*at));
	if (!url_vet(&at->url, url, len, &why)) {
		best->failure = FETCH_BAD_URL;
		error_printable(best->url, sizeof(best->url), url, len);
		snprintf(best->text, sizeof(best->text), "%s", why);
		return true;
	}
	at->job = job;
	job->n++;
	return true;
}

/* Out of the engine's list; everything but the handles' own memory is given back. */
static void dismantle(struct fetch_job *job)
{
	if (job->gone)
		return;
	job->gone = true;
	if (job->previous)
		job->previous->next = job->next;
	else
		job->engine->jobs = job->next;
	if (job->next)
		job->next->previous = job->previous;
	for (unsigned i = 0; i < job->n; i++)
		exchange_release(&job->attempt[i].exchange);
	clinch_subject_unref(job->subject);
	clinch_response_unref(job->response);
	gnutls_free(job->request.data);
	gnutls_free(job->cert.data);
	gnutls_free(job->issuer.data);
	buf_done(&job->best_body);
	uv_close((uv_handle_t *)&job->silence, free_job);
	uv_close((uv_handle_t *)&job->deadline, free_job);
}

void fetch_job_cancel(struct fetch_job *job)
{
	if (job)
		dismantle(job);
}

static gnutls_datum_t view(const struct buf *buf)
{
	return (gnutls_datum_t){ buf->data, (unsigned)buf->len };
}

static void finish(struct fetch_job *job, struct fetch_outcome *outcome, const struct clinch_verdict *verdict,
		   gnutls_datum_t body)
{
	struct fetch_event event = { FETCH_DONE, outcome, verdict, job->response, body, job->issuer, job->user };

	for (unsigned i = 0; i < job->n; i++)
		exchange_cancel(&job->attempt[i].exchange);
	uv_update_time(job->engine->loop);
	outcome->took_ms = job->began_ms ? (int64_t)(uv_now(job->engine->loop) - job->began_ms) : 0;
	job->callback(&event);
	dismantle(job);
}

static void finish_failed(struct fetch_job *job)
{
	finish(job, &job->best, &job->best_verdict, view(&job->best_body));
}

/* An old "revoked" outweighs an "unknown", that outweighs whatever was not believed; then the one that came furthest. */
static int weight(const struct fetch_outcome *outcome)
{
	if (outcome->failure == FETCH_STALE_REVOKED)
		return 100;
	if (outcome->failure == FETCH_SAID_UNKNOWN)
		return 99;
	return outcome->failure == FETCH_NO_URL ? -1 : (int)outcome->phase;
}

static void remember(struct fetch_job *job, struct attempt *attempt)
{
	struct exchange *exchange = &attempt->exchange;

	if (job->best.method && weight(&exchange->outcome) <= weight(&job->best))
		return;
	job->best = exchange->outcome;
	job->best_verdict = attempt->verdict;
	buf_done(&job->best_body);
	job->best_body = exchange->body;
	exchange->body = (struct buf){ 0 };
}

/* False: the callback has cancelled the job. Its memory is there until the loop has turned. */
static bool tell(struct fetch_job *job, const struct attempt *attempt)
{
	struct fetch_event event = {
		FETCH_ASKED, &attempt->exchange.outcome, &attempt->verdict, NULL, view(&attempt->exchange.body), { 0 },
		job->user,
	};

	job->callback(&event);
	return !job->gone;
}

/* False: no memory, which is then the attempt's outcome. */
static bool ask(struct attempt *attempt, bool get, bool uncached)
{
	bool first = attempt->job->began_ms == 0;

	attempt->verdict = (struct clinch_verdict){ 0 };
	attempt->state = ATTEMPT_ASKS;
	if (exchange_start(&attempt->exchange, &attempt->url, get, uncached, !first))
		return true;
	attempt->exchange.outcome.failure = FETCH_NO_MEMORY;
	return false;
}

/* The next URL, if there is one. One that cannot even wait for its turn is over. */
static void ask_next(struct fetch_job *job)
{
	for (unsigned i = 0; i < job->n; i++) {
		struct attempt *at = &job->attempt[i];

		if (at->state != ATTEMPT_WAITS)
			continue;
		if (ask(at, true, false))
			return;
		at->state = ATTEMPT_OVER;
		remember(job, at);
	}
}

static bool all_over(const struct fetch_job *job)
{
	for (unsigned i = 0; i < job->n; i++)
		if (job->attempt[i].state != ATTEMPT_OVER)
			return false;
	return true;
}

static void on_silence(uv_timer_t *timer)
{
	ask_next(timer->data);
}

/* The questions that are still open have timed out: each is told, the one that came furthest is the job's. */
static void on_deadline(uv_timer_t *timer)
{
	struct fetch_job *job = timer->data;

	for (unsigned i = 0; i < job->n; i++) {
		struct attempt *at = &job->attempt[i];
		struct fetch_outcome *outcome = &at->exchange.outcome;

		if (at->state != ATTEMPT_ASKS)
			continue;
		exchange_cancel(&at->exchange);
		at->state = ATTEMPT_OVER;
		at->verdict = (struct clinch_verdict){ 0 };
		outcome->failure = FETCH_TIMED_OUT;
		outcome_say_time_out(&at->exchange);
		if (!tell(job, at))
			return;
		remember(job, at);
	}
	finish_failed(job);
}

static void on_started(struct exchange *exchange)
{
	struct attempt *attempt = (struct attempt *)exchange;
	struct fetch_job *job = attempt->job;
	uint64_t now = uv_now(job->engine->loop);

	if (job->began_ms == 0) {
		job->began_ms = now;
		uv_timer_start(&job->deadline, on_deadline, job->options.timeout_ms, 0);
	}
	exchange->deadline_ms = job->began_ms + job->options.timeout_ms;
	uv_timer_start(&job->silence, on_silence, job->options.silence_ms, 0);
}

static void give_up(struct attempt *attempt)
{
	struct fetch_job *job = attempt->job;

	attempt->state = ATTEMPT_OVER;
	remember(job, attempt);
	ask_next(job);
	if (all_over(job))
		finish_failed(job);
}

static void on_answer(struct exchange *exchange)
{
	struct attempt *attempt = (struct attempt *)exchange;
	struct fetch_job *job = attempt->job;
	enum attempt_next next = job->judge(job, attempt);
	bool asks_again = false;

	if (!tell(job, attempt))
		return;
	if (next == NEXT_WON) {
		attempt->state = ATTEMPT_OVER;
		finish(job, &exchange->outcome, &attempt->verdict, view(&exchange->body));
		return;
	}
	if (next == NEXT_BY_POST)
		asks_again = ask(attempt, false, attempt->asked_uncached);
	if (next == NEXT_UNCACHED) {
		remember(job, attempt); /* "expired" says more than whatever comes of asking again */
		attempt->asked_uncached = true;
		asks_again = ask(attempt, !exchange->posts, true);
	}
	if (!asks_again)
		give_up(attempt);
}

static void on_nothing_to_ask(uv_timer_t *timer)
{
	finish_failed(timer->data);
}

void job_go(struct fetch_job *job)
{
	for (unsigned i = 0; i < job->n; i++) {
		struct exchange *exchange = &job->attempt[i].exchange;

		exchange->engine = job->engine;
		exchange->settings = &job->settings;
		exchange->started = on_started;
		exchange->done = on_answer;
	}
	ask_next(job);
	if (job->n == 0 || all_over(job))
		uv_timer_start(&job->deadline, on_nothing_to_ask, 0, 0);
}
