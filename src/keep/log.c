/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/log.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/time.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 8192

void keep_log_init(struct keep_log *log, const struct keeper *keeper)
{
	*log = (struct keep_log){ .keeper = keeper, .level = KEEP_INFO };
	log->prefixed = getenv("JOURNAL_STREAM");
}

/* ---- a line is an object, whose members stay in their order; one of two ways to write it ---- */

static void set_text(json_t *line, const char *key, const char *text)
{
	char printable[LINE_BYTES];
	json_t *value = json_string(text);

	if (!value) /* a path that is not UTF-8 */
		value = json_string(error_printable(printable, sizeof(printable), text, strlen(text)));
	json_object_set_new(line, key, value);
}

static void set_time(json_t *line, const char *key, int64_t at)
{
	char text[TIME_TEXT_SIZE];

	if (at)
		set_text(line, key, time_format(text, at));
}

static void set_number(json_t *line, const char *key, int64_t number)
{
	json_object_set_new(line, key, json_integer(number));
}

/* A value goes unquoted where it has nothing that would end it. */
static bool is_plain(const char *text)
{
	const char *at = text;

	while (*at > ' ' && *at < 0x7f && !strchr("\"=\\", *at))
		at++;
	return at > text && !*at;
}

static void write_quoted(struct buf *out, const char *text)
{
	buf_add(out, "\"", 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, c < ' ' || c == 0x7f ? "?" : text, 1);
	}
	buf_add(out, "\"", 1);
}

static void write_text(struct buf *out, json_t *line)
{
	const char *key;
	json_t *value;

	json_object_foreach(line, key, value)
	{
		if (out->len > 0)
			buf_add(out, " ", 1);
		buf_printf(out, "%s=", key);
		if (json_is_integer(value))
			buf_printf(out, "%lld", (long long)json_integer_value(value));
		else if (is_plain(json_string_value(value)))
			buf_printf(out, "%s", json_string_value(value));
		else
			write_quoted(out, json_string_value(value));
	}
}

static void write_json(struct buf *out, const json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);

	if (text)
		buf_add(out, text, strlen(text));
	free(text);
}

/* One write a line, so that lines of two processes on one stderr do not mix. */
static void write_line(const struct keep_log *log, enum keep_level level, json_t *line)
{
	auto_buf text = { .max = LINE_BYTES }, whole = { .max = LINE_BYTES + 16 };

	if (log->json)
		write_json(&text, line);
	else
		write_text(&text, line);
	if (log->prefixed)
		buf_printf(&whole, "<%d>", (int)level);
	buf_add(&whole, text.data, text.len);
	buf_add(&whole, "\n", 1);
	if (whole.len > 0 && write(STDERR_FILENO, whole.data, whole.len) < 0)
		return; /* there is nowhere to say it */
}

static json_t *new_line(const struct keep_log *log, int64_t at, enum keep_level level, const char *event)
{
	json_t *line = json_object();

	if (!log->prefixed)
		set_time(line, "at", at);
	set_text(line, "level",
		 level == KEEP_ERROR     ? "error"
		 : level == KEEP_WARNING ? "warning"
		 : level == KEEP_INFO    ? "info"
					 : "debug");
	set_text(line, "event", event);
	return line;
}

/* ---- what of an event is said, and how loudly ---- */

static enum keep_level level_of(const struct keep_event *event, const struct keep_view *view)
{
	switch (event->kind) {
	case KEEP_FIRST_STAPLE:
	case KEEP_REFRESHED:
	case KEEP_RECOVERED:
	case KEEP_GONE:
	case KEEP_READY:
	case KEEP_LIFE_50:
		return KEEP_INFO;
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

static void add_row(json_t *line, const struct keep_view *view)
{
	char digits[9];

	for (int i = 0; i < 4; i++)
		snprintf(digits + 2 * i, 3, "%02x", view->fingerprint[i]);
	set_text(line, "cert", view->name);
	set_text(line, "fingerprint", digits);
}

static void add_life(json_t *line, const struct keep_view *view)
{
	if (view->state == KEEP_MISSING)
		return;
	set_text(line, "status", keep_state_name(view->state));
	set_time(line, "this_update", view->this_update);
	set_time(line, "next_update", view->next_update);
	set_time(line, "revoked_at", view->revoked_at);
}

static void add_next_try(json_t *line, const struct keep_event *event, const struct keep_view *view)
{
	if (view->next_try == INT64_MAX)
		set_text(line, "next_try", "never");
	else
		set_time(line, "next_try", view->next_try ? view->next_try : event->at);
}

static void add_outcome(json_t *line, const struct keep_event *event)
{
	const struct fetch_outcome *outcome = event->outcome;

	if (outcome->failure != FETCH_OK) {
		set_text(line, "phase", fetch_phase_name(outcome->phase));
		set_text(line, "failure", fetch_failure_name(outcome->failure));
		if (event->verdict && event->verdict->reason)
			set_text(line, "reason", clinch_reason_name(event->verdict->reason));
		set_text(line, "detail", outcome->text);
	}
	if (outcome->http_status && outcome->http_status != 200)
		set_number(line, "http_status", outcome->http_status);
	if (*outcome->url)
		set_text(line, "url", outcome->url);
	set_number(line, "took_ms", outcome->took_ms);
	if (outcome->has_date && (outcome->skew_s > 60 || outcome->skew_s < -60))
		set_number(line, "skew_s", outcome->skew_s);
}

static void add_details(json_t *line, const struct keep_event *event, const struct keep_view *view)
{
	if (event->kind != KEEP_ATTEMPT && event->kind != KEEP_NOTICE)
		add_life(line, view);
	if (event->kind == KEEP_UNCHANGED)
		set_text(line, "answer", event->answer == STORE_OLDER ? "older" : "same");
	if (event->by_hand)
		set_text(line, "by", "hand");
	if (event->kind == KEEP_FAILED)
		set_number(line, "failures", view->failures);
	if (event->outcome)
		add_outcome(line, event);
	if (event->kind == KEEP_FAILED || event->kind == KEEP_FIRST_STAPLE || event->kind == KEEP_REFRESHED ||
	    event->kind == KEEP_UNCHANGED)
		add_next_try(line, event, view);
	if (event->kind == KEEP_FOUND)
		set_text(line, "file", view->path);
}

static void add_totals(json_t *line, const struct keeper *keeper)
{
	struct keep_totals totals;

	keeper_totals(keeper, &totals);
	set_number(line, "certificates", (int64_t)totals.rows);
	for (int i = 0; i < KEEP_STATES; i++)
		if (totals.by_state[i])
			set_number(line, keep_state_name(i), (int64_t)totals.by_state[i]);
	set_number(line, "files", (int64_t)totals.files);
	if (totals.bad_files)
		set_number(line, "bad_files", (int64_t)totals.bad_files);
	if (totals.without_issuer)
		set_number(line, "without_issuer", (int64_t)totals.without_issuer);
	if (totals.without_url)
		set_number(line, "without_responder", (int64_t)totals.without_url);
}

/* ---- the rate ---- */

static void say_left_out(struct keep_log *log, enum keep_event_kind kind, enum keep_level level, int64_t at)
{
	json_t *line = new_line(log, at, level, keep_event_name(kind));

	set_number(line, "left_out", log->rate[kind][level].left_out);
	write_line(log, level, line);
	json_decref(line);
}

/* By level too: a thousand pieces of information must not hide one error. */
static bool may_write(struct keep_log *log, enum keep_event_kind kind, enum keep_level level, int64_t at)
{
	struct keep_log_rate *rate = &log->rate[kind][level];

	if (log->level >= KEEP_DEBUG)
		return true;
	if (at >= rate->since + LOG_WHILE_S || at < rate->since) {
		if (rate->left_out)
			say_left_out(log, kind, level, at);
		*rate = (struct keep_log_rate){ .since = at };
	}
	if (rate->lines++ < LOG_BURST)
		return true;
	rate->left_out++;
	return false;
}

void keep_log_event(const struct keep_event *event, void *user)
{
	struct keep_log *log = user;
	struct keep_view view = { .name = "" };
	enum keep_level level;
	json_t *line;

	if (event->kind == KEEP_BATCH_END)
		return;
	if (event->row)
		keep_row_view(log->keeper, event->row, &view);
	level = level_of(event, &view);
	if (level > log->level || !may_write(log, event->kind, level, event->at))
		return;
	line = new_line(log, event->at, level, keep_event_name(event->kind));
	if (event->row) {
		add_row(line, &view);
		add_details(line, event, &view);
	}
	if (event->path)
		set_text(line, "path", event->path);
	if (event->text)
		set_text(line, "text", event->text);
	if (event->kind == KEEP_READY)
		add_totals(line, log->keeper);
	write_line(log, level, line);
	json_decref(line);
}

void keep_log_say(struct keep_log *log, enum keep_level level, const char *path, const char *text)
{
	struct keep_event event = { .kind = KEEP_NOTICE, .at = time(NULL), .level = level, .path = path, .text = text };

	keep_log_event(&event, log);
}
