/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /metrics for Prometheus, /status.json, /livez and /readyz, by libmicrohttpd's epoll on the keeper's loop. GET and HEAD
 * alone; a request has an absolute deadline, and there is a limit on connections.
 */
#ifndef KEEP_METRICS_H
#define KEEP_METRICS_H

#include "keep/outlet.h"

enum metrics_each { METRICS_TROUBLED, METRICS_ALL, METRICS_NONE }; /* which certificates get rows of their own */

struct metrics;

/*
 * Before keeper_start(): it registers itself as a listener of `keeper`. `listen` is "127.0.0.1:9469", "[::1]:9469" or
 * "*:9469"; port 0: any. CLINCH_E_ARGUMENT names the address that cannot be bound. `outlets` may be NULL.
 */
int metrics_new(struct metrics **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
		const char *listen, enum metrics_each each, struct clinch_error *err);
const char *metrics_bound(const struct metrics *metrics); /* "127.0.0.1:9469"; for the log */
/* Closes by way of the loop. NULL-safe. */
void metrics_free(struct metrics *metrics);

#endif
