/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HTTP in front of the answers: libmicrohttpd's epoll, turned by threads of our own, each with its own listening socket and
 * its own connections. A thread shares with the others what is immutable, the table of prepared answers, and the pool.
 */
#ifndef RESPOND_HTTP_H
#define RESPOND_HTTP_H

#include "respond/pool.h"
#include "respond/prepared.h"

enum http_count {
	HTTP_GOOD,
	HTTP_REVOKED,
	HTTP_UNKNOWN,
	HTTP_SEVERAL, /* an answer about several certificates */
	HTTP_RELAYED, /* another CA's, from the store */
	HTTP_NOT_MODIFIED,
	HTTP_MALFORMED,
	HTTP_TRY_LATER,
	HTTP_UNAUTHORIZED,
	HTTP_INTERNAL,
	HTTP_HEALTH,
	HTTP_FAULT,                /* 4xx and 5xx */
	HTTP_ANSWERS,              /* those above are what a request got */
	HTTP_READY = HTTP_ANSWERS, /* prepared answers that were there */
	HTTP_COUNTS
};
const char *http_count_name(enum http_count count); /* "try_later"; static */

struct http_worker;

struct http_shared { /* of all threads; read-only but for what is atomic */
	struct counted_slot snapshot;
	_Atomic uint64_t generation; /* of the one in `snapshot` */
	struct prepared_table *table;
	struct pool *pool; /* NULL: it has ended, and nothing is signed any more */
	uint32_t request_ms, idle_ms;
	unsigned connections; /* of one thread */
	_Atomic bool draining, stopping;
	_Atomic unsigned open;       /* connections */
	struct http_worker **worker; /* room for all of them, of which so many are there: */
	_Atomic size_t n_workers;
};

/* Publishes it; the caller's reference is taken. */
void http_publish(struct http_shared *shared, struct snapshot *state);

/* Listens on `fd`, which it takes over (also on failure), and begins to answer. */
int http_worker_start(struct http_shared *shared, int fd, struct clinch_error *err);
/* Signatures were made: threads whose connections go on turn. pool_options.ended. */
void http_wake_all(struct http_shared *shared);
/* After shared->stopping was set. */
void http_worker_join(struct http_worker *worker);
/* After the pool has ended. NULL-safe. */
void http_worker_free(struct http_worker *worker);
void http_worker_count(const struct http_worker *worker, uint64_t sum[HTTP_COUNTS]); /* is added */

#endif
