/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/status_text.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "cli/ask_keeper.h"
#include <stdlib.h>
#include <string.h>

#define NAME_MIN 11 /* "CERTIFICATE" */
#define NAME_MAX_WIDTH 48

static int64_t time_of(const json_t *object, const char *key)
{
	int64_t at = 0;

	return time_parse(&at, ask_text(object, key)) ? at : 0;
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool put_text(struct buf *out, const char *text)
{
	return report_printable(out, text, strlen(text));
}

static bool put_padding(struct buf *out, size_t used, size_t width)
{
	return buf_printf(out, "%*s", used < width ? (int)(width - used) : 0, "");
}

static enum report_tone tone_of(const json_t *row)
{
	const char *state = ask_text(row, "state");

	if (strcmp(state, "good") != 0)
		return REPORT_BAD;
	return number_of(row, "failures") ? REPORT_DOUBTFUL : REPORT_FINE;
}

static void put_when(struct buf *out, const json_t *row, int64_t now)
{
	int64_t at = time_of(row, "next_try");
	char span[TIME_SPAN_SIZE];

	if (json_is_true(json_object_get(row, "fetching")))
		buf_printf(out, "now");
	else if (!at)
		buf_printf(out, "never");
	else if (at <= now)
		buf_printf(out, "now");
	else
		buf_printf(out, "in %s", time_span(span, at - now));
}

static void put_life(struct buf *out, const struct report_style *style, const json_t *row, int64_t now)
{
	const struct clinch_verdict verdict = {
		.this_update = time_of(row, "this_update"),
		.fresh_until = time_of(row, "fresh_until"),
	};
	size_t before = out->len;

	report_life_bar(out, style, &verdict, now);
	if (out->len == before)
		buf_printf(out, "-");
}

/* "3 failures: http: HTTP 500 (http://...)" */
static bool put_trouble(struct buf *out, const json_t *row)
{
	const json_t *trouble = json_object_get(row, "trouble");
	int64_t n = number_of(row, "failures");

	return buf_printf(out, "%lld failure%s in a row: %s: ", (long long)n, n == 1 ? "" : "s",
			  ask_text(trouble, "phase")) &&
	       put_text(out, ask_text(trouble, "text")) &&
	       (!*ask_text(trouble, "url") ||
		(buf_printf(out, " (") && put_text(out, ask_text(trouble, "url")) && buf_printf(out, ")")));
}

/* ---- the table ---- */

static int rank_of(const json_t *row)
{
	const char *state = ask_text(row, "state");

	if (!strcmp(state, "revoked"))
		return 0;
	if (strcmp(state, "good") != 0)
		return 1;
	return number_of(row, "failures") ? 2 : 3;
}

static int by_trouble(const void *a, const void *b)
{
	const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
	int rank = rank_of(one) - rank_of(other);
	/* RFC 3339 of one zone sorts as text */
	int end = rank ? rank : strcmp(ask_text(one, "fresh_until"), ask_text(other, "fresh_until"));

	return end ? end : strcmp(ask_text(one, "name"), ask_text(other, "name"));
}

static size_t name_width(const json_t *row)
{
	size_t len = strlen(ask_text(row, "name")) + strlen(ask_text(row, "key_type")) + 3;

	return len < NAME_MAX_WIDTH ? len : NAME_MAX_WIDTH;
}

static bool put_row(struct buf *out, const struct report_style *style, const json_t *row, size_t width, int64_t now)
{
	const char *state = ask_text(row, "state");
	auto_buf when = { .max = 256 };

	report_tone(out, style, tone_of(row), state);
	put_padding(out, strlen(state), 9);
	put_text(out, ask_text(row, "name"));
	buf_printf(out, " (%s)", ask_text(row, "key_type"));
	put_padding(out, strlen(ask_text(row, "name")) + strlen(ask_text(row, "key_type")) + 3, width + 2);
	put_when(&when, row, now);
	buf_add(out, when.data, when.len);
	put_padding(out, when.len, 17);
	put_life(out, style, row, now);
	buf_printf(out, "\n");
	if (!json_is_object(json_object_get(row, "trouble")))
		return true;
	return buf_printf(out, "         ") && put_trouble(out, row) && buf_printf(out, "\n");
}

static bool put_totals(struct buf *out, const json_t *status)
{
	static const char *const states[] = { "good", "missing", "expired", "revoked" };
	const json_t *totals = json_object_get(status, "totals");
	int64_t n = number_of(totals, "certificates");
	const char *comma = ": ";

	buf_printf(out, "%lld certificate%s", (long long)n, n == 1 ? "" : "s");
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (number_of(totals, states[i])) {
			buf_printf(out, "%s%lld %s", comma, (long long)number_of(totals, states[i]), states[i]);
			comma = ", ";
		}
	if (!json_is_true(json_object_get(status, "ready")))
		buf_printf(out, "; not ready yet");
	if (number_of(totals, "bad_files"))
		buf_printf(out, "; %lld files cannot be used", (long long)number_of(totals, "bad_files"));
	return buf_printf(out, "\n");
}

static bool put_outputs(struct buf *out, const struct report_style *style, const json_t *status)
{
	size_t i;
	json_t *row;

	if (!json_is_true(json_object_get(status, "store_works"))) {
		report_tone(out, style, REPORT_BAD, "the store cannot be written");
		buf_printf(out, "\n");
	}
	json_array_foreach(json_object_get(status, "outputs"), i, row)
	{
		if (!number_of(row, "failures"))
			continue;
		report_tone(out, style, REPORT_BAD, "fails");
		buf_printf(out, "    %s ", ask_text(row, "kind"));
		put_text(out, ask_text(row, "target"));
		buf_printf(out, ": ");
		put_text(out, ask_text(row, "text"));
		buf_printf(out, "\n");
	}
	return true;
}

bool status_table(struct buf *out, const struct report_style *style, const json_t *status, int64_t now)
{
	const json_t *rows = json_object_get(status, "certificates");
	size_t n = json_array_size(rows), width = NAME_MIN;
	auto_free json_t **sorted = calloc(n ? n : 1, sizeof(json_t *));
	bool fits = sorted && put_totals(out, status);

	for (size_t i = 0; fits && i < n; i++) {
		sorted[i] = json_array_get(rows, i);
		width = name_width(sorted[i]) > width ? name_width(sorted[i]) : width;
	}
	if (fits && n) {
		qsort(sorted, n, sizeof(json_t *), by_trouble);
		fits = buf_printf(out, "\n%-9s%-*s%-17s%s\n", "STATE", (int)width + 2, "CERTIFICATE", "NEXT TRY", "LIFE");
	}
	for (size_t i = 0; fits && i < n; i++)
		fits = put_row(out, style, sorted[i], width, now);
	return fits && put_outputs(out, style, status);
}

/* ---- all of one ---- */

static bool put_label(struct buf *out, const char *label)
{
	return buf_printf(out, "  %-13s", label);
}

static bool put_field(struct buf *out, const char *label, const char *text)
{
	return !*text || (put_label(out, label) && put_text(out, text) && buf_printf(out, "\n"));
}

static bool put_time(struct buf *out, const char *label, const json_t *row, const char *key, int64_t now)
{
	int64_t at = time_of(row, key);
	char span[TIME_SPAN_SIZE];

	return !at || (put_label(out, label) && put_text(out, ask_text(row, key)) &&
		       buf_printf(out, at > now ? ", in %s\n" : ", %s ago\n", time_span(span, at - now)));
}

static bool put_details(struct buf *out, const struct report_style *style, const json_t *row, int64_t now)
{
	size_t i;
	json_t *path;

	report_tone(out, style, tone_of(row), ask_text(row, "state"));
	buf_printf(out, "  ");
	put_text(out, ask_text(row, "name"));
	buf_printf(out, "\n");
	put_label(out, "life");
	put_life(out, style, row, now);
	buf_printf(out, "\n");
	put_field(out, "stapled", json_is_true(json_object_get(row, "stapled")) ? "yes" : "no");
	put_field(out, "fingerprint", ask_text(row, "fingerprint"));
	put_field(out, "key", ask_text(row, "key_type"));
	json_array_foreach(json_object_get(row, "paths"), i, path) put_field(out, i ? "" : "file", json_string_value(path));
	put_time(out, "thisUpdate", row, "this_update", now);
	put_time(out, "nextUpdate", row, "next_update", now);
	put_time(out, "revoked", row, "revoked_at", now);
	put_time(out, "certificate", row, "not_after", now);
	if (json_is_true(json_object_get(row, "must_staple")))
		put_field(out, "must-staple", "yes");
	put_label(out, "next try");
	put_when(out, row, now);
	buf_printf(out, "\n");
	if (number_of(row, "latency_ms"))
		buf_printf(out, "  %-13s%lld ms\n", "responder", (long long)number_of(row, "latency_ms"));
	if (!json_is_true(json_object_get(row, "in_store")) && strcmp(ask_text(row, "state"), "missing") != 0)
		put_field(out, "store", "in memory alone: the store does not take it");
	if (!json_is_object(json_object_get(row, "trouble")))
		return true;
	return put_label(out, "last error") && put_trouble(out, row) && buf_printf(out, "\n") &&
	       put_time(out, "", json_object_get(row, "trouble"), "at", now);
}

bool status_details(struct buf *out, const struct report_style *style, const json_t *status, int64_t now)
{
	size_t i;
	json_t *row;
	bool fits = true;

	json_array_foreach(json_object_get(status, "certificates"), i, row) fits =
		fits && (!i || buf_printf(out, "\n")) && put_details(out, style, row, now);
	return fits;
}
