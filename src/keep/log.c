/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/log.h"
#include <time.h>

_Static_assert(KEEP_EVENT_KINDS <= LOG_KINDS_MAX, "each kind has its rate");

void keep_log_init(struct keep_log *log, const struct keeper *keeper)
{
	log->keeper = keeper;
	log_sink_init(&log->sink);
}

/* ---- what of an event is said, and how loudly ---- */

/* A mistake, unlike certificates that need no response. */
static bool found_no_certificate(const struct keeper *keeper)
{
	struct keep_totals totals;

	keeper_totals(keeper, &totals);
	return !totals.rows && !totals.without_url;
}

static enum keep_level level_of(const struct keep_event *event, const struct keep_view *view, const struct keeper *keeper)
{
	switch (event->kind) {
	case KEEP_FIRST_STAPLE:
	case KEEP_REFRESHED:
	case KEEP_RECOVERED:
	case KEEP_GONE:
	case KEEP_LIFE_50:
		return KEEP_INFO;
	case KEEP_READY:
		return found_no_certificate(keeper) ? KEEP_WARNING : KEEP_INFO;
	case KEEP_UNCHANGED:
		return event->answer == STORE_OLDER ? KEEP_INFO : KEEP_DEBUG;
	case KEEP_FAILED:
		return view->failures <= 1 ? KEEP_WARNING : KEEP_DEBUG;
	case KEEP_LIFE_25:
	case KEEP_LIFE_10:
		return KEEP_WARNING;
	case KEEP_EXPIRED_NOW:
	case KEEP_REVOKED_NOW:
		return KEEP_ERROR;
	case KEEP_NOTICE:
		return event->level;
	default:
		return KEEP_DEBUG;
	}
}

static void add_life(struct log_line *line, const struct keep_view *view)
{
	if (view->state == KEEP_MISSING)
		return;
	log_line_text(line, "status", keep_state_name(view->state));
	log_line_time(line, "this_update", view->this_update);
	log_line_time(line, "next_update", view->next_update);
	log_line_time(line, "revoked_at", view->revoked_at);
}

static void add_next_try(struct log_line *line, const struct keep_event *event, const struct keep_view *view)
{
	if (view->next_try == INT64_MAX)
		log_line_text(line, "next_try", "never");
	else
		log_line_time(line, "next_try", view->next_try ? view->next_try : event->at);
}

static void add_outcome(struct log_line *line, const struct keep_event *event)
{
	const struct fetch_outcome *outcome = event->outcome;

	if (outcome->failure != FETCH_OK) {
		log_line_text(line, "phase", fetch_phase_name(outcome->phase));
		log_line_text(line, "failure", fetch_failure_name(outcome->failure));
		if (event->verdict && event->verdict->reason)
			log_line_text(line, "reason", clinch_reason_name(event->verdict->reason));
		log_line_text(line, "detail", outcome->text);
	}
	if (outcome->http_status && outcome->http_status != 200)
		log_line_number(line, "http_status", outcome->http_status);
	if (*outcome->url)
		log_line_text(line, "url", outcome->url);
	log_line_number(line, "took_ms", outcome->took_ms);
	if (outcome->has_date && (outcome->skew_s > 60 || outcome->skew_s < -60))
		log_line_number(line, "skew_s", outcome->skew_s);
}

static void add_details(struct log_line *line, const struct keep_event *event, const struct keep_view *view)
{
	if (event->kind != KEEP_ATTEMPT && event->kind != KEEP_NOTICE)
		add_life(line, view);
	if (event->kind == KEEP_UNCHANGED)
		log_line_text(line, "answer", event->answer == STORE_OLDER ? "older" : "same");
	if (event->by_hand)
		log_line_text(line, "by", "hand");
	if (event->kind == KEEP_FAILED)
		log_line_number(line, "failures", view->failures);
	if (event->outcome)
		add_outcome(line, event);
	if (event->kind == KEEP_FAILED || event->kind == KEEP_FIRST_STAPLE || event->kind == KEEP_REFRESHED ||
	    event->kind == KEEP_UNCHANGED)
		add_next_try(line, event, view);
	if (event->kind == KEEP_FOUND)
		log_line_text(line, "file", view->path);
}

static void add_totals(struct log_line *line, const struct keeper *keeper)
{
	struct keep_totals totals;

	keeper_totals(keeper, &totals);
	log_line_number(line, "certificates", (int64_t)totals.rows);
	for (int i = 0; i < KEEP_STATES; i++)
		if (totals.by_state[i])
			log_line_number(line, keep_state_name(i), (int64_t)totals.by_state[i]);
	log_line_number(line, "files", (int64_t)totals.files);
	if (totals.bad_files)
		log_line_number(line, "bad_files", (int64_t)totals.bad_files);
	if (totals.without_issuer)
		log_line_number(line, "without_issuer", (int64_t)totals.without_issuer);
	if (totals.without_url)
		log_line_number(line, "without_responder", (int64_t)totals.without_url);
}

void keep_log_event(const struct keep_event *event, void *user)
{
	struct keep_log *log = user;
	struct keep_view view = { .name = "" };
	struct log_line line;

	if (event->kind == KEEP_BATCH_END)
		return;
	if (event->row)
		keep_row_view(log->keeper, event->row, &view);
	if (!log_line_begin(&line, &log->sink, event->kind, keep_event_name(event->kind),
			    level_of(event, &view, log->keeper), event->at))
		return;
	if (event->row) {
		log_line_certificate(&line, view.name, view.fingerprint);
		add_details(&line, event, &view);
	}
	if (event->path)
		log_line_text(&line, "path", event->path);
	if (event->text)
		log_line_text(&line, "text", event->text);
	if (event->kind == KEEP_READY)
		add_totals(&line, log->keeper);
	log_line_end(&line);
}

void keep_log_say(struct keep_log *log, enum keep_level level, const char *path, const char *text)
{
	struct keep_event event = { .kind = KEEP_NOTICE, .at = time(NULL), .level = level, .path = path, .text = text };

	keep_log_event(&event, log);
}
