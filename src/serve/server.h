/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The main thread: it has the signals, the certificates' files, the child and the timers, and no connection. */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include "daemon/sockets.h"
#include "serve/keeper.h"
#include "serve/worker.h"

struct candidate {                     /* a configuration and what was made of it */
	const struct serve_conf *conf; /* borrowed from the caller of serve_run(), or from the hook `reload` */
	struct state *state;           /* NULL: none */
};

struct server {
	const struct serve_start *start;
	const struct serve_hooks *hooks;
	struct serve_hooks quiet;       /* tells nobody */
	struct candidate now, next;     /* next: a reload that waits for its staples */
	const struct serve_conf *first; /* the caller's: never given to the hook `release` */
	bool trims;                     /* a state went: its memory is given back with the next look */
	uint64_t next_until_ms;

	uv_loop_t loop;
	uv_signal_t on_hup, on_term, on_int, on_chld;
	uv_async_t worker_ended;
	uv_timer_t refresh, second, ticket, deadline; /* deadline: of the drain */
	struct keeper_child keeper;
	struct sockets sockets;
	struct shared shared;
	struct worker *worker;
	unsigned n_workers;
	uint64_t ready_until_ms;
	bool ready, stopping;
	bool reload_later; /* SIGHUP came before it was ready */
	uint64_t cut;      /* connections that were */
};

/* ---- reload.c ---- */

void reload_begin(struct server *server);
/* With each look at the files: is the next configuration complete, or its time over? Then it takes over. */
void reload_look(struct server *server, int64_t now);
void reload_abandon(struct server *server); /* the next one, where there is one */
void reload_end(struct server *server);     /* the one in use */

/* ---- server.c ---- */

void server_look_soon(struct server *server);

#endif
