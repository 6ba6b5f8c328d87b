/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/log_line.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 8192

void log_sink_init(struct log_sink *sink)
{
	*sink = (struct log_sink){ .prefixed = getenv("JOURNAL_STREAM"), .lock = PTHREAD_MUTEX_INITIALIZER };
	atomic_init(&sink->level, LOG_LEVEL_INFO);
}

/* ---- members ---- */

void log_line_text(struct log_line *line, const char *key, const char *text)
{
	char printable[LINE_BYTES];
	json_t *value = json_string(text);

	if (!value) /* a path that is not UTF-8 */
		value = json_string(error_printable(printable, sizeof(printable), text, strlen(text)));
	json_object_set_new(line->members, key, value);
}

void log_line_time(struct log_line *line, const char *key, int64_t at)
{
	char text[TIME_TEXT_SIZE];

	if (at)
		log_line_text(line, key, time_format(text, at));
}

void log_line_number(struct log_line *line, const char *key, int64_t number)
{
	json_object_set_new(line->members, key, json_integer(number));
}

void log_line_certificate(struct log_line *line, const char *name, const uint8_t *fingerprint)
{
	char digits[9];

	log_line_text(line, "cert", name);
	if (!fingerprint)
		return;
	for (int i = 0; i < 4; i++)
		snprintf(digits + 2 * i, 3, "%02x", fingerprint[i]);
	log_line_text(line, "fingerprint", digits);
}

/* ---- one of two ways to write them ---- */

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

static void write_text(struct buf *out, json_t *members)
{
	const char *key;
	json_t *value;

	json_object_foreach(members, key, value)
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

static void write_json(struct buf *out, const json_t *members)
{
	char *text = json_dumps(members, JSON_COMPACT);

	if (text)
		buf_add(out, text, strlen(text));
	free(text);
}

/* One write a line, so that lines of two threads or processes on one stderr do not mix. */
void log_line_end(struct log_line *line)
{
	auto_buf text = { .max = LINE_BYTES }, whole = { .max = LINE_BYTES + 16 };

	if (atomic_load(&line->sink->json))
		write_json(&text, line->members);
	else
		write_text(&text, line->members);
	json_decref(line->members);
	if (line->sink->prefixed)
		buf_printf(&whole, "<%d>", line->level);
	if (!text.len || !buf_add(&whole, text.data, text.len) || !buf_add(&whole, "\n", 1))
		return;
	if (write(STDERR_FILENO, whole.data, whole.len) < 0)
		return; /* there is nowhere to say it */
}

/* ---- the beginning, and the rate ---- */

static void start(struct log_line *line, struct log_sink *sink, const char *event, int level, int64_t at)
{
	*line = (struct log_line){ .sink = sink, .level = level, .members = json_object() };
	if (!sink->prefixed)
		log_line_time(line, "at", at);
	log_line_text(line, "level",
		      level == LOG_LEVEL_ERROR     ? "error"
		      : level == LOG_LEVEL_WARNING ? "warning"
		      : level == LOG_LEVEL_INFO    ? "info"
						   : "debug");
	log_line_text(line, "event", event);
}

/* By level too: a thousand pieces of information must not hide one error. `left_out`: to be said of the while before. */
static bool may_write(struct log_sink *sink, unsigned kind, int level, int64_t at, unsigned *left_out)
{
	struct log_rate *rate = &sink->rate[kind][level];

	pthread_mutex_lock(&sink->lock);
	if (at >= rate->since + LOG_WHILE_S || at < rate->since) {
		*left_out = rate->left_out;
		*rate = (struct log_rate){ .since = at };
	}
	bool may = rate->lines++ < LOG_BURST;
	rate->left_out += !may;
	pthread_mutex_unlock(&sink->lock);
	return may;
}

bool log_line_begin(struct log_line *line, struct log_sink *sink, unsigned kind, const char *event, int level, int64_t at)
{
	int loudest = atomic_load_explicit(&sink->level, memory_order_relaxed);
	unsigned left_out = 0;

	if (level > loudest || level < 0 || level > LOG_LEVEL_DEBUG || kind >= LOG_KINDS_MAX)
		return false;
	if (loudest < LOG_LEVEL_DEBUG && !may_write(sink, kind, level, at, &left_out))
		return false;
	if (left_out) {
		start(line, sink, event, level, at);
		log_line_number(line, "left_out", left_out);
		log_line_end(line);
	}
	start(line, sink, event, level, at);
	return true;
}
