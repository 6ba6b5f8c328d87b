/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/page.h"
#include "base/cleanup.h"
#include "base/time.h"
#include <string.h>

const char page_style[] =
	":root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}"
	"body{margin:2rem auto;max-width:76rem;padding:0 1rem}"
	"h1{font-size:1.3rem;margin:0 0 .2rem}p{margin:.2rem 0 1rem}"
	"table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-top:1px solid color-mix(in srgb,currentColor 18%,transparent)}"
	"th,td{white-space:nowrap}th{font-size:.8rem;font-weight:600;opacity:.7}"
	"td:nth-child(2),td:nth-child(5){white-space:normal;overflow-wrap:anywhere}th:nth-child(2){width:33%}"
	"small{display:block;opacity:.7;font-size:.85em}"
	"meter{width:9rem;height:1rem;vertical-align:-.15rem}"
	"@media(max-width:52rem){table,tbody,tr,td{display:block}thead{display:none}td{border:0;padding:0}"
	"tr{border-top:1px solid color-mix(in srgb,currentColor 18%,transparent);padding:.5rem 0}"
	"td:nth-child(3)::before{content:'next try '}td:nth-child(4)::before{content:'life '}}"
	".bad{color:light-dark(#b00020,#ff8a80);font-weight:600}.doubtful{color:light-dark(#8a5a00,#ffcc66);font-weight:600}"
	".fine{color:light-dark(#0b6b2e,#7ddc9a)}";

struct line {
	const struct keep_row *row;
	struct keep_view view;
};

/* Names, paths and what responders say are other people's text. */
static bool put_text(struct buf *out, const char *text)
{
	bool fits = true;

	for (; *text && fits; text++) {
		unsigned char c = (unsigned char)*text;
		const char *entity = c == '<'               ? "&lt;"
				     : c == '>'             ? "&gt;"
				     : c == '&'             ? "&amp;"
				     : c == '"'             ? "&quot;"
				     : c == '\''            ? "&#39;"
				     : c < ' ' || c == 0x7f ? "?"
							    : NULL;
		fits = entity ? buf_printf(out, "%s", entity) : buf_add(out, text, 1);
	}
	return fits;
}

/* ---- which certificates ---- */

static int rank_of(const struct keep_view *view)
{
	if (view->state == KEEP_REVOKED)
		return 0;
	if (view->state != KEEP_GOOD)
		return 1;
	return view->failures ? 2 : 3;
}

static int by_trouble(const void *a, const void *b)
{
	const struct keep_view *one = &((const struct line *)a)->view, *other = &((const struct line *)b)->view;

	if (rank_of(one) != rank_of(other))
		return rank_of(one) - rank_of(other);
	if (one->fresh_until != other->fresh_until)
		return one->fresh_until < other->fresh_until ? -1 : 1;
	return strcmp(one->name, other->name);
}

static size_t pick(struct line *line, const struct keeper *keeper)
{
	size_t n = 0;

	for (int rank = 0; rank < 4; rank++)
		for (const struct keep_row *row = NULL; n < PAGE_ROWS && (row = keeper_next(keeper, row));) {
			keep_row_view(keeper, row, &line[n].view);
			if (rank_of(&line[n].view) == rank)
				line[n++].row = row;
		}
	qsort(line, n, sizeof(*line), by_trouble);
	return n;
}

/* ---- the table ---- */

static bool put_time(struct buf *out, int64_t at)
{
	char text[TIME_TEXT_SIZE];

	time_format(text, at);
	return buf_printf(out, "<time datetime=\"%s\">%s</time>", text, text);
}

static bool put_state(struct buf *out, const struct keep_view *view)
{
	const char *tone = view->state != KEEP_GOOD ? "bad" : view->failures ? "doubtful" : "fine";

	return buf_printf(out, "<td class=\"%s\">%s", tone, keep_state_name(view->state));
}

static bool put_name(struct buf *out, const struct keep_view *view)
{
	return buf_printf(out, "<td>") && put_text(out, view->name) && buf_printf(out, " (%s)<small>", view->key_type) &&
	       put_text(out, *view->path ? view->path : "no file names it any more") && buf_printf(out, "</small>");
}

static bool put_life(struct buf *out, const struct keep_view *view, int64_t now)
{
	int64_t life = view->fresh_until - view->this_update, left = view->fresh_until - now;
	char span[TIME_SPAN_SIZE];

	if (!view->fresh_until || life <= 0)
		return buf_printf(out, "<td>none");
	int percent = left <= 0 ? 0 : left >= life ? 100 : (int)((double)left / (double)life * 100);
	buf_printf(out,
		   "<td><meter min=\"0\" low=\"10\" high=\"50\" optimum=\"100\" max=\"100\" value=\"%d\">%d %%</meter> ",
		   percent, percent);
	buf_printf(out, left > 0 ? "%s left<small>until " : "over for %s<small>since ",
		   time_span(span, left > 0 ? left : -left));
	return put_time(out, view->fresh_until) && buf_printf(out, "</small>");
}

static bool put_next_try(struct buf *out, const struct keep_view *view, int64_t now)
{
	char span[TIME_SPAN_SIZE];

	if (view->next_try == INT64_MAX)
		return buf_printf(out, "<td>never");
	if (view->fetching || view->next_try <= now)
		return buf_printf(out, "<td>now");
	return buf_printf(out, "<td>in %s", time_span(span, view->next_try - now));
}

static bool put_trouble(struct buf *out, const struct keep_view *view)
{
	const struct keep_trouble *trouble = view->trouble;

	if (!trouble)
		return buf_printf(out, "<td>");
	return buf_printf(out, "<td>%u failure%s in a row: %s: ", view->failures, view->failures == 1 ? "" : "s",
			  fetch_phase_name(trouble->phase)) &&
	       put_text(out, trouble->text) && buf_printf(out, "<small>") && put_text(out, trouble->url) &&
	       buf_printf(out, "</small>");
}

static bool put_table(struct buf *out, const struct line *line, size_t n, size_t n_all, int64_t now)
{
	bool fits = buf_printf(out, "<table><thead><tr><th>State<th>Certificate<th>Next try<th>Life<th>Last error<tbody>");

	for (size_t i = 0; i < n && fits; i++)
		fits = buf_printf(out, "<tr>") && put_state(out, &line[i].view) && put_name(out, &line[i].view) &&
		       put_next_try(out, &line[i].view, now) && put_life(out, &line[i].view, now) &&
		       put_trouble(out, &line[i].view) && buf_add(out, "\n", 1);
	if (n < n_all)
		fits = fits && buf_printf(out,
					  "<tr><td><td colspan=\"4\">and %zu more: <code>clinch status</code> and "
					  "<a href=\"/status.json\">status.json</a> have all",
					  n_all - n);
	return fits && buf_printf(out, "</table>\n");
}

/* ---- what stands above it ---- */

static bool put_totals(struct buf *out, const struct keeper *keeper, const struct keep_totals *totals)
{
	static const enum keep_state order[] = { KEEP_GOOD, KEEP_MISSING, KEEP_EXPIRED, KEEP_REVOKED };
	const char *comma = ": ";

	buf_printf(out, "<h1>%zu certificate%s", totals->rows, totals->rows == 1 ? "" : "s");
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (totals->by_state[order[i]]) {
			buf_printf(out, "%s%zu %s", comma, totals->by_state[order[i]], keep_state_name(order[i]));
			comma = ", ";
		}
	buf_printf(out, "</h1>\n<p>%s", keeper_is_ready(keeper) ? "ready" : "not ready yet");
	if (totals->failing)
		buf_printf(out, "; %zu whose last fetch failed", totals->failing);
	if (totals->bad_files)
		buf_printf(out, "; %zu file%s that cannot be used", totals->bad_files, totals->bad_files == 1 ? "" : "s");
	if (totals->without_issuer)
		buf_printf(out, "; %zu without an issuer", totals->without_issuer);
	return buf_printf(out, "\n");
}

static bool put_outputs(struct buf *out, const struct outlets *outlets)
{
	struct outlet_state state;
	bool fits = true;

	for (size_t i = 0; fits && outlets && outlets_state(outlets, i, &state); i++) {
		const struct outlet_conf *conf = state.conf;
		if (!state.failures)
			continue;
		fits = buf_printf(out, "<p><span class=\"bad\">fails</span>: %s ", outlet_kind_name(conf->kind)) &&
		       put_text(out, conf->kind == OUTLET_RUN ? conf->argv[0] : conf->target) && buf_printf(out, ": ") &&
		       put_text(out, state.text);
	}
	return fits;
}

bool page_html(struct buf *out, const struct keeper *keeper, const struct outlets *outlets, int64_t now)
{
	auto_free struct line *line = calloc(PAGE_ROWS + 1, sizeof(*line));
	struct keep_totals totals;

	if (!line)
		return false;
	keeper_totals(keeper, &totals);
	return buf_printf(out,
			  "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
			  "content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"60\">"
			  "<title>clinch: %zu certificate%s</title><style>%s</style>\n",
			  totals.rows, totals.rows == 1 ? "" : "s", page_style) &&
	       put_totals(out, keeper, &totals) && buf_printf(out, "<p>as of ") && put_time(out, now) &&
	       (totals.store_works || buf_printf(out, "<p class=\"bad\">the store cannot be written")) &&
	       put_outputs(out, outlets) && put_table(out, line, pick(line, keeper), totals.rows, now);
}
