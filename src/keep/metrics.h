/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the keeper has to say at /metrics, /status.json, /livez and /readyz. */
#ifndef KEEP_METRICS_H
#define KEEP_METRICS_H

#include "keep/outlet.h"

enum metrics_each { METRICS_TROUBLED, METRICS_ALL, METRICS_NONE }; /* which certificates get rows of their own */

struct metrics;

/*
 * Before keeper_start(): it registers itself as a listener of `keeper`. `listen` and errors as with
 * metrics_http_new(). `outlets` may be NULL.
 */
int metrics_new(struct metrics **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
		const char *listen, enum metrics_each each, struct clinch_error *err);
const char *metrics_bound(const struct metrics *metrics); /* "127.0.0.1:9469"; for the log */
/* Closes by way of the loop. It stays the keeper's listener, so that it is freed when that is stopped. Both NULL-safe. */
void metrics_stop(struct metrics *metrics);
void metrics_free(struct metrics *metrics);

#endif
