/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/metrics_text.h"
#include "daemon/metrics_http.h"
#include <gnutls/gnutls.h>
#include <string.h>

static const unsigned bounds_ms[METRICS_BUCKETS] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 15000 };

/* A fetch has one of these at its end; attempts are its questions, and what was put by hand was not fetched. */
static bool is_end_of_fetch(const struct keep_event *event)
{
	return event->outcome && !event->by_hand &&
	       (event->kind == KEEP_FIRST_STAPLE || event->kind == KEEP_REFRESHED || event->kind == KEEP_UNCHANGED ||
		event->kind == KEEP_FAILED);
}

void metrics_count(struct metrics_counters *counters, const struct keep_event *event)
{
	unsigned bucket = 0;

	if (!is_end_of_fetch(event) || event->outcome->failure >= FETCH_FAILURES || event->outcome->phase >= METRICS_PHASES)
		return;
	counters->fetches[event->outcome->failure][event->outcome->phase]++;
	while (bucket < METRICS_BUCKETS && event->outcome->took_ms > bounds_ms[bucket])
		bucket++;
	counters->bucket[bucket]++;
	counters->took_ms += (uint64_t)event->outcome->took_ms;
}

static bool put_fetches(struct buf *out, const struct metrics_counters *counters)
{
	bool fits = metrics_head(out, "clinch_fetch_total", "counter", "Fetches, by how they ended and how far they came.");

	for (int failure = 0; failure < FETCH_FAILURES; failure++)
		for (int phase = 0; phase < METRICS_PHASES; phase++)
			if (counters->fetches[failure][phase])
				fits = buf_printf(out, "clinch_fetch_total{outcome=\"%s\",phase=\"%s\"} %llu\n",
						  failure ? fetch_failure_name(failure) : "ok", fetch_phase_name(phase),
						  (unsigned long long)counters->fetches[failure][phase]);
	return fits;
}

static bool put_seconds(struct buf *out, const struct metrics_counters *counters)
{
	unsigned long long n = 0;

	metrics_head(out, "clinch_fetch_seconds", "histogram", "How long a fetch took, all its questions together.");
	for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
		n += counters->bucket[i];
		buf_printf(out, "clinch_fetch_seconds_bucket{le=\"%u.%03u\"} %llu\n", bounds_ms[i] / 1000,
			   bounds_ms[i] % 1000, n);
	}
	n += counters->bucket[METRICS_BUCKETS];
	return buf_printf(out,
			  "clinch_fetch_seconds_bucket{le=\"+Inf\"} %llu\nclinch_fetch_seconds_sum %llu.%03llu\n"
			  "clinch_fetch_seconds_count %llu\n",
			  n, (unsigned long long)counters->took_ms / 1000, (unsigned long long)counters->took_ms % 1000, n);
}

static bool put_totals(struct buf *out, const struct keeper *keeper)
{
	struct keep_totals totals;
	bool fits;

	keeper_totals(keeper, &totals);
	metrics_head(out, "clinch_build_info", "gauge", "Versions.");
	buf_printf(out, "clinch_build_info{version=\"%s\",gnutls=\"%s\"} 1\n", CLINCH_VERSION, gnutls_check_version(NULL));
	fits = metrics_head(out, "clinch_certificates", "gauge", "Certificates, by the state of what is held for them.");
	for (int state = 0; state < KEEP_STATES; state++)
		fits = buf_printf(out, "clinch_certificates{state=\"%s\"} %zu\n", keep_state_name(state),
				  totals.by_state[state]);
	if (!totals.soonest_expiry)
		return fits;
	metrics_head(out, "clinch_staple_soonest_expiry_timestamp_seconds", "gauge", "When the first of what is held ends.");
	return buf_printf(out, "clinch_staple_soonest_expiry_timestamp_seconds %lld\n", (long long)totals.soonest_expiry);
}

/* ---- rows of single certificates ---- */

static bool is_shown(const struct keep_view *view, enum metrics_each each)
{
	return each == METRICS_ALL || view->state != KEEP_GOOD || view->failures;
}

/* certificate="...",fingerprint="...": the name alone may belong to several. */
static bool put_labels(struct buf *out, const struct keep_view *view)
{
	bool fits = buf_add(out, "certificate=\"", 13);

	for (const char *at = view->name; *at; at++)
		fits = (*at != '"' && *at != '\\') || buf_add(out, "\\", 1) ? buf_add(out, at, 1) : false;
	fits = fits && buf_printf(out, "\",fingerprint=\"");
	for (unsigned i = 0; i < 8; i++)
		fits = fits && buf_printf(out, "%02x", view->fingerprint[i]);
	return fits && buf_add(out, "\"", 1);
}

enum row_metric { ROW_EXPIRY, ROW_THIS_UPDATE, ROW_FAILURES, ROW_STATE, ROW_METRICS };

static const struct {
	const char *name, *help;
} row_metrics[ROW_METRICS] = {
	[ROW_EXPIRY] = { "clinch_staple_expiry_timestamp_seconds", "When what is held for a certificate ends." },
	[ROW_THIS_UPDATE] = { "clinch_staple_this_update_timestamp_seconds", "The thisUpdate of what is held." },
	[ROW_FAILURES] = { "clinch_fetch_failures_in_a_row", "Failed fetches since the last success." },
	[ROW_STATE] = { "clinch_certificate_state", "1 for the state that a certificate is in." },
};

static bool put_value(struct buf *out, enum row_metric metric, const struct keep_view *view, int64_t value)
{
	return buf_printf(out, "%s{", row_metrics[metric].name) && put_labels(out, view) &&
	       buf_printf(out, "} %lld\n", (long long)value);
}

static bool put_state(struct buf *out, const struct keep_view *view)
{
	bool fits = true;

	for (int state = 0; state < KEEP_STATES && fits; state++)
		fits = buf_printf(out, "%s{", row_metrics[ROW_STATE].name) && put_labels(out, view) &&
		       buf_printf(out, ",state=\"%s\"} %d\n", keep_state_name(state), (int)view->state == state);
	return fits;
}

static bool put_row(struct buf *out, enum row_metric metric, const struct keep_view *view)
{
	switch (metric) {
	case ROW_EXPIRY:
		return !view->fresh_until || put_value(out, metric, view, view->fresh_until);
	case ROW_THIS_UPDATE:
		return !view->this_update || put_value(out, metric, view, view->this_update);
	case ROW_FAILURES:
		return put_value(out, metric, view, view->failures);
	default:
		return put_state(out, view);
	}
}

static bool put_rows(struct buf *out, enum row_metric metric, const struct keeper *keeper, enum metrics_each each)
{
	const struct keep_row *row = NULL;
	struct keep_view view;
	unsigned n = 0;
	bool fits = metrics_head(out, row_metrics[metric].name, "gauge", row_metrics[metric].help);

	while (fits && n < METRICS_ROWS_MAX && (row = keeper_next(keeper, row))) {
		keep_row_view(keeper, row, &view);
		if (!is_shown(&view, each))
			continue;
		n++;
		fits = put_row(out, metric, &view);
	}
	return fits;
}

bool metrics_text(struct buf *out, const struct metrics_counters *counters, const struct keeper *keeper,
		  enum metrics_each each)
{
	bool fits = put_totals(out, keeper) && put_fetches(out, counters) && put_seconds(out, counters);

	for (int metric = 0; each != METRICS_NONE && metric < ROW_METRICS && fits; metric++)
		fits = put_rows(out, metric, keeper, each);
	return fits;
}
