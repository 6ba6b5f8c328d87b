/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"
#include "base/time.h"
#include "cli/serve_settings.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVE_LINE_MAX 8192

void serve_log_init(struct serve_log *log)
{
	atomic_init(&log->level, SERVE_INFO);
	atomic_init(&log->json, false);
	log->prefixed = getenv("JOURNAL_STREAM") != NULL;
}

/* ---- a line is an object whose members stay in their order; one of two ways to write it ---- */

/* What is no UTF-8 is shown as far as it can be. */
static void set_text(json_t *line, const char *key, const char *text)
{
	char printable[512];
	json_t *value = json_string(text);

	if (!value) {
		size_t i = 0;
		for (; text[i] && i < sizeof(printable) - 1; i++)
			printable[i] = (text[i] & 0x80) || text[i] < ' ' ? '?' : text[i];
		printable[i] = '\0';
		value = json_string(printable);
	}
	json_object_set_new(line, key, value);
}

static void set_time(json_t *line, const char *key, int64_t at)
{
	char text[TIME_TEXT_SIZE];

	if (at)
		set_text(line, key, time_format(text, at));
}

/* A value goes unquoted where it has nothing that would end it. */
static bool is_plain(const char *text)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || strchr("\"=\\", *at))
			return false;
	return *text;
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
		buf_printf(out, "%s%s=", out->len ? " " : "", key);
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

/* One write a line, so that lines of two threads or processes do not mix. */
static void write_line(struct serve_log *log, enum serve_level level, json_t *line)
{
	auto_buf text = { .max = SERVE_LINE_MAX }, whole = { .max = SERVE_LINE_MAX + 16 };

	if (atomic_load(&log->json))
		write_json(&text, line);
	else
		write_text(&text, line);
	if (log->prefixed)
		buf_printf(&whole, "<%d>", (int)level);
	if (!text.len || !buf_add(&whole, text.data, text.len) || !buf_add(&whole, "\n", 1))
		return;
	if (write(STDERR_FILENO, whole.data, whole.len) < 0)
		return; /* there is nowhere to say it */
}

/* ---- what is said of an event ---- */

static const char *level_name(enum serve_level level)
{
	return level == SERVE_ERROR ? "error" : level == SERVE_WARNING ? "warning" : level == SERVE_INFO ? "info" : "debug";
}

static void add_certificate(json_t *line, const struct serve_event *event)
{
	char digits[9];

	set_text(line, "cert", event->certificate);
	if (!event->fingerprint)
		return;
	for (int i = 0; i < 4; i++)
		snprintf(digits + 2 * i, 3, "%02x", event->fingerprint[i]);
	set_text(line, "fingerprint", digits);
}

static void add_verdict(json_t *line, const struct clinch_verdict *verdict)
{
	if (verdict->status == CLINCH_MISSING)
		return;
	set_text(line, "status", clinch_status_name(verdict->status));
	set_time(line, "this_update", verdict->this_update);
	set_time(line, "next_update", verdict->next_update);
	set_time(line, "revoked_at", verdict->revoked_at);
}

static const char *number_name(enum serve_event_kind kind)
{
	return kind == SERVE_KEEPER_STARTED ? "pid" : "connections";
}

void serve_log_event(struct serve_log *log, const struct serve_event *event)
{
	json_t *line;

	if ((int)event->level > atomic_load(&log->level))
		return;
	line = json_object();
	if (!log->prefixed)
		set_time(line, "at", (int64_t)time(NULL));
	set_text(line, "level", level_name(event->level));
	set_text(line, "event", serve_event_name(event->kind));
	if (event->certificate)
		add_certificate(line, event);
	if (event->verdict)
		add_verdict(line, event->verdict);
	if (event->peer)
		set_text(line, "peer", event->peer);
	if (event->kind == SERVE_LISTENING)
		set_text(line, "address", event->text);
	else if (*event->text)
		set_text(line, "text", event->text);
	if (event->n >= 0)
		json_object_set_new(line, number_name(event->kind), json_integer(event->n));
	write_line(log, event->level, line);
	json_decref(line);
}

/* ---- metrics ---- */

int serve_write_metrics(const char *path, const struct serve_counters *counters, struct clinch_error *err)
{
	char text[2048];
	int len = snprintf(text, sizeof(text),
			   "# HELP clinch_handshakes_total Handshakes, by the staple that was sent.\n"
			   "# TYPE clinch_handshakes_total counter\n"
			   "clinch_handshakes_total{staple=\"sent\"} %llu\n"
			   "clinch_handshakes_total{staple=\"none\"} %llu\n"
			   "clinch_handshakes_total{staple=\"resumed\"} %llu\n"
			   "clinch_handshakes_total{staple=\"failed\"} %llu\n"
			   "# HELP clinch_connections_total Connections that were accepted.\n"
			   "# TYPE clinch_connections_total counter\n"
			   "clinch_connections_total %llu\n"
			   "# HELP clinch_connections Connections that are open.\n"
			   "# TYPE clinch_connections gauge\n"
			   "clinch_connections %llu\n"
			   "# HELP clinch_backend_failures_total Connections to the backend that failed.\n"
			   "# TYPE clinch_backend_failures_total counter\n"
			   "clinch_backend_failures_total %llu\n",
			   (unsigned long long)counters->stapled, (unsigned long long)counters->unstapled,
			   (unsigned long long)counters->resumed, (unsigned long long)counters->failed,
			   (unsigned long long)counters->accepted, (unsigned long long)counters->open,
			   (unsigned long long)counters->backend_failures);

	return file_replace(path, text, (size_t)len, 0644, err);
}
