/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the metrics: what is counted, and Prometheus' text format of it. */
#ifndef KEEP_METRICS_TEXT_H
#define KEEP_METRICS_TEXT_H

#include "base/buf.h"
#include "keep/metrics.h"

#define METRICS_PHASES (FETCH_VERIFY + 1)
#define METRICS_BUCKETS 12
#define METRICS_ROWS_MAX 10000 /* certificates with rows of their own */

struct metrics_counters {
	uint64_t fetches[FETCH_FAILURES][METRICS_PHASES];
	uint64_t bucket[METRICS_BUCKETS + 1]; /* not cumulative; the last: all that took longer */
	uint64_t took_ms;
};

void metrics_count(struct metrics_counters *counters, const struct keep_event *event);
bool metrics_text(struct buf *out, const struct metrics_counters *counters, const struct keeper *keeper,
		  enum metrics_each each);

#endif
