/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The child that fetches: `clinch-keep keep`, without keys. It is told the chain files by a configuration in anonymous
 * memory, so that nothing has to be writable, and started again when it ends. It ends with its parent.
 */
#ifndef SERVE_KEEPER_H
#define SERVE_KEEPER_H

#include "serve/serve.h"
#include <uv.h>

struct keeper_child {
	const struct serve_start *start;
	const struct serve_hooks *hooks;
	uv_timer_t restart;
	int conf_fd;           /* -1: no keeper */
	pid_t pid;             /* 0: not running */
	uint64_t started_ms;   /* on the loop's clock */
	uint64_t next_wait_ms; /* before it is started again */
	bool stopping;
};

/* `start` and `hooks` are borrowed. Starts it, unless the configuration or `start` say that there is none. */
int keeper_child_start(struct keeper_child *child, uv_loop_t *loop, const struct serve_conf *conf,
		       const struct serve_start *start, const struct serve_hooks *hooks, struct clinch_error *err);
/* Other certificates: it reads them without being started again. */
int keeper_child_update(struct keeper_child *child, const struct serve_conf *conf, struct clinch_error *err);
/* After SIGCHLD. */
void keeper_child_reap(struct keeper_child *child);
/* SIGTERM; it is not started again. The timer closes. */
void keeper_child_stop(struct keeper_child *child);
/* Waits a moment for its end, and kills it after that. */
void keeper_child_end(struct keeper_child *child);

/* The child's configuration; at most out->max bytes. */
struct buf;
bool keeper_child_write(struct buf *out, const struct serve_conf *conf);

#endif
