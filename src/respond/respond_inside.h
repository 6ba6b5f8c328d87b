/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the responder: what its main thread has. Files are read on a thread of libuv's, one load at a time. */
#ifndef RESPOND_RESPOND_INSIDE_H
#define RESPOND_RESPOND_INSIDE_H

#include "daemon/metrics_http.h"
#include "daemon/sockets.h"
#include "respond/ahead.h"
#include "respond/http.h"
#include "respond/loading.h"
#include "respond/tell.h"

struct load { /* under way, or over */
	uv_work_t work;
	struct responder *responder;
	bool is_busy, is_all;
	unsigned item;                   /* unless is_all */
	const struct respond_conf *conf; /* what is loaded; a new one where is_all */
	struct watch *watch;             /* is_all: of the new one */
	struct snapshot *before, *made;
	int code;
	struct clinch_error err;
};

typedef char refusal[sizeof(((struct clinch_error *)NULL)->text)]; /* the sentence; "": nothing is refused */

struct ca_told { /* of one CA, so that it is told once */
	bool source_over, signer_over, signing_fails;
	refusal refused[LOADING_KINDS]; /* as it is now */
};

struct responder {
	const struct respond_conf *first, *conf;
	const struct respond_hooks *hooks;
	uv_loop_t loop;
	uv_signal_t on_hup, on_term, on_int;
	uv_timer_t second, look, drain;
	uv_poll_t *watched; /* NULL: there is no descriptor to watch */
	struct sockets sockets;
	struct http_shared shared;
	struct prepared_table *table;
	struct ahead *ahead;
	struct pool *pool;
	struct metrics_http *metrics;
	struct watch *watch;
	struct snapshot *now; /* a reference to what is published */
	struct load load;
	bool reload_wanted;
	struct ca_told *told;  /* of each CA of `now` */
	refusal relay_refused; /* as of a CA */
	bool is_ready, is_stopping;
	int64_t clock_ahead_s; /* of the monotonic one */
	uint64_t drain_until_ms;
	/* What was told of the pool. */
	uint64_t refused;
	int64_t shed_told_s;
};

/* ---- renew.c: files that changed, and SIGHUP ---- */

/* Publishes it, and takes the caller's reference. False: no memory, and nothing has changed. */
bool renew_publish(struct responder *responder, struct snapshot *snapshot);
void renew_watch(struct responder *responder, struct watch *watch); /* instead of the one before */
void renew_unwatch(struct responder *responder);                    /* for the end */
void renew_look(struct responder *responder);                       /* what has changed is loaded */
void renew_clock(struct responder *responder, int64_t now);         /* once a second: has the clock been set? */
void renew_all(struct responder *responder);                        /* SIGHUP */
void renew_end(struct responder *responder);                        /* the last configuration is released */

/* ---- status.c ---- */

void status_look(struct responder *responder, int64_t now); /* once a second: what is told when it changes */
extern const struct metrics_pages status_pages;             /* user: the responder */

#endif
