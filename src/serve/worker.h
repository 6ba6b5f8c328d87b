/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread with its own listening sockets, loop and connections. Nothing of a connection is touched by another thread. */
#ifndef SERVE_WORKER_H
#define SERVE_WORKER_H

#include "serve/loop.h"
#include "serve/proxy.h"
#include "serve/serve.h"
#include "serve/state.h"
#include <pthread.h>
#include <sys/queue.h>
#include <uv.h>

#define TICKET_KEY_LEN 64 /* gnutls_session_ticket_key_generate() */
#define BUFFER_LEN 16384  /* a record of TLS is never larger, so that none is left half read in GnuTLS */

/* What all threads share. */
struct shared {
	const struct serve_hooks *hooks;
	atomic_uint open;          /* connections, of all threads */
	atomic_bool backend_down;  /* told */
	atomic_bool limit_reached; /* told */
	uv_async_t *worker_ended;  /* the main loop's */
};

/* Written by one thread, read by the main one. */
struct counts {
	_Atomic uint64_t stapled, unstapled, resumed, failed, accepted, backend_failures;
};

/* ---- connections ---- */

enum phase {
	PHASE_HANDSHAKE, /* with the PROXY header before it; the deadline counts from accept */
	PHASE_FIRST,     /* waiting for the client's first byte, where the protocol lets it speak first */
	PHASE_CONNECT,   /* to the backend */
	PHASE_RELAY,     /* the deadline moves with each byte */
	PHASE_LINGER,    /* the backend is gone, the client has its answer: a short time to read it */
	PHASES
};

enum flow {
	FLOW_OPEN,
	FLOW_ENDING, /* the source has ended; what is in the buffer, then the end, is still to be passed on */
	FLOW_ENDED,
	FLOW_DISCARD, /* the sink is gone: what comes is thrown away, until the source ends */
};

struct half {
	uint8_t *data; /* BUFFER_LEN bytes */
	unsigned from, to;
	enum flow flow;
};

struct conn {
	TAILQ_ENTRY(conn) link; /* in the list of its phase, the oldest first */
	struct worker *worker;
	struct state *state; /* a reference */
	uint64_t since;      /* ms on the loop's clock */
	enum phase phase;
	struct watch client, backend; /* client.fd -1: it is closed */
	bool reads_proxy;             /* the PROXY header in front is not complete yet */
	bool backend_cut;             /* it was reset; what it sent before can still be read */
	gnutls_session_t session;
	struct endpoint peer, local; /* local.len 0: not asked for yet */
	struct half up, down;        /* to the backend, to the client */
	uint8_t *buffers;            /* both halves'; NULL while there is nothing to hold */
};
TAILQ_HEAD(conn_list, conn);

/* ---- the thread ---- */

struct listener {
	struct watch watch;
	struct worker *worker;
};

struct message {             /* from the main thread; under the lock */
	struct state *state; /* a reference; NULL: no other one */
	bool listen, drain, cut;
	bool has_ticket_key;
	uint8_t ticket_key[TICKET_KEY_LEN];
};

struct worker {
	struct shared *shared;
	pthread_t thread;
	struct loop loop;
	struct watch wake;     /* an eventfd: there is a message */
	uint64_t next_tick_ms; /* 0: there is nothing to wait for */
	pthread_mutex_t lock;
	struct message message;

	struct listener *listener;
	unsigned n_listeners;
	bool accepting, paused, draining;
	struct state *state;
	uint8_t ticket_key[TICKET_KEY_LEN];
	struct conn_list list[PHASES];
	unsigned open;           /* connections that are not freed yet */
	struct conn_list closed; /* in this turn of the loop */
	struct conn_list spare;
	unsigned n_spare;
	uint8_t **spare_buffers;
	unsigned n_spare_buffers;
	struct counts counts;
	atomic_bool ended;
};

/* The listeners' descriptors become the worker's. The thread starts, and does not listen before it is told to. */
int worker_start(struct worker *worker, struct shared *shared, const int *fds, unsigned n_fds, struct state *state,
		 const uint8_t ticket_key[TICKET_KEY_LEN], struct clinch_error *err);
/* Each of these is a message; `state` is a reference of the caller's, taken. */
void worker_listen(struct worker *worker);
void worker_set_state(struct worker *worker, struct state *state);
void worker_set_ticket_key(struct worker *worker, const uint8_t ticket_key[TICKET_KEY_LEN]);
void worker_drain(struct worker *worker); /* no more connections; it ends with the last one */
void worker_cut(struct worker *worker);   /* ... and those that are open are closed */
/* Waits for the end of the thread. */
void worker_join(struct worker *worker);

/* Deadlines are looked at while there are connections. The thread's own. */
void worker_start_tick(struct worker *worker);

/* ---- conn.c, for worker.c ---- */

void conn_open(struct worker *worker, int fd, const struct endpoint *peer);
void conn_close(struct conn *conn);
/* The deadline of its phase is over. */
void conn_expire(struct conn *conn);
void conn_release_closed(struct worker *worker); /* after a turn of the loop */
void conn_free_spares(struct worker *worker);

/* ---- between conn.c, backend.c and relay.c ---- */

void conn_enter(struct conn *conn, enum phase phase);      /* at the end of that phase's list, its time starting now */
void conn_want_client(struct conn *conn, uint32_t events); /* EPOLLIN, EPOLLOUT */
void conn_want_backend(struct conn *conn, uint32_t events);
bool conn_take_buffers(struct conn *conn);
void conn_fail(struct conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
void counter_add(_Atomic uint64_t *counter);

void backend_connect(struct conn *conn);
void backend_retry(struct conn *conn);
void backend_failed(struct conn *conn, int error); /* tells it, and closes the connection */

void relay_start(struct conn *conn); /* the backend is connected */
void relay_run(struct conn *conn);
/* One look at the client before the backend is bothered: what it has sent is in conn->up; false when it is gone already. */
bool relay_first_look(struct conn *conn);
bool relay_has_nothing(const struct conn *conn);             /* of the client, neither bytes nor their end */
bool relay_is_over_before_it_began(const struct conn *conn); /* ... their end and no byte: no backend need hear of it */

#endif
