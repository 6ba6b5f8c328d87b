/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/worker.h"
#include "base/error.h"
#include "serve/event.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS 100
#define ACCEPT_BATCH 64 /* of one listener, before the connections that are there have their turn */
#define LINGER_MS 2000

void counter_add(_Atomic uint64_t *counter)
{
	/* One writer: no locked instruction is needed. */
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + 1, memory_order_relaxed);
}

/* ---- accepting ---- */

static void stop_accepting(struct worker *worker)
{
	for (unsigned i = 0; worker->accepting && i < worker->n_listeners; i++)
		loop_want(&worker->loop, &worker->listener[i].watch, 0);
	worker->accepting = false;
}

/* Clients wait in the sockets' queues until the tick finds room again. */
static void pause_accepting(struct worker *worker, const char *why)
{
	struct shared *shared = worker->shared;

	stop_accepting(worker);
	worker->paused = true;
	worker_start_tick(worker);
	if (!atomic_exchange(&shared->limit_reached, true))
		event_say(shared->hooks, SERVE_LIMIT, SERVE_WARNING, "%s: new clients have to wait", why);
}

static bool has_room(const struct worker *worker)
{
	return atomic_load_explicit(&worker->shared->open, memory_order_relaxed) < worker->state->connections;
}

/* False: accept no more. */
static bool accept_one(struct listener *listener)
{
	struct worker *worker = listener->worker;
	struct endpoint peer = { .len = sizeof(struct sockaddr_in6) };

	if (!has_room(worker)) {
		pause_accepting(worker, "limits.connections is reached");
		return false;
	}
	int fd = accept4(listener->watch.fd, &peer.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		conn_open(worker, fd, &peer);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		pause_accepting(worker, "descriptors or memory ran out; raise LimitNOFILE or lower limits.connections");
	return errno == ECONNABORTED || errno == EINTR;
}

static void on_incoming(struct watch *watch, uint32_t events)
{
	struct listener *listener = watch->owner;

	(void)events;
	for (unsigned i = 0; i < ACCEPT_BATCH; i++)
		if (!accept_one(listener))
			return;
}

static void start_accepting(struct worker *worker)
{
	for (unsigned i = 0; i < worker->n_listeners; i++)
		loop_want(&worker->loop, &worker->listener[i].watch, EPOLLIN);
	worker->accepting = true;
	worker->paused = false;
}

/* ---- deadlines ---- */

static uint64_t limit_of(const struct worker *worker, enum phase phase)
{
	switch (phase) {
	case PHASE_HANDSHAKE:
		return worker->state->handshake_ms;
	case PHASE_CONNECT:
		return worker->state->connect_ms;
	case PHASE_FIRST:
	case PHASE_RELAY:
		return worker->state->idle_ms;
	default:
		return LINGER_MS;
	}
}

static void expire(struct worker *worker, enum phase phase)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&worker->list[phase])) && worker->loop.now_ms - conn->since >= limit_of(worker, phase))
		conn_expire(conn); /* it leaves the list */
}

/* A Unix socket whose queue is full says so at once, and nothing tells when that is over. */
static void retry_backends(struct worker *worker)
{
	struct conn *conn = TAILQ_FIRST(&worker->list[PHASE_CONNECT]), *next;

	for (; conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->backend.fd < 0)
			backend_retry(conn);
	}
}

static void tick(struct worker *worker)
{
	retry_backends(worker);
	for (int phase = 0; phase < PHASES; phase++)
		expire(worker, (enum phase)phase);
	if (worker->paused && has_room(worker)) {
		atomic_store(&worker->shared->limit_reached, false);
		start_accepting(worker);
	}
	worker->next_tick_ms = worker->open || worker->paused ? worker->loop.now_ms + TICK_MS : 0;
}

void worker_start_tick(struct worker *worker)
{
	if (!worker->next_tick_ms)
		worker->next_tick_ms = worker->loop.now_ms + TICK_MS;
}

/* ---- messages ---- */

static void close_listeners(struct worker *worker)
{
	for (unsigned i = 0; i < worker->n_listeners; i++)
		loop_forget(&worker->loop, &worker->listener[i].watch);
}

/* Who is in the queue already was told by the kernel that we are there. */
static void drain(struct worker *worker)
{
	if (worker->draining)
		return;
	for (unsigned i = 0; worker->accepting && i < worker->n_listeners; i++)
		while (accept_one(&worker->listener[i]))
			;
	stop_accepting(worker);
	worker->paused = false;
	worker->draining = true;
	close_listeners(worker);
}

static void cut(struct worker *worker)
{
	struct conn *conn;

	for (int phase = 0; phase < PHASES; phase++)
		while ((conn = TAILQ_FIRST(&worker->list[phase])))
			conn_close(conn);
}

static struct message take_message(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	struct message message = worker->message;
	worker->message = (struct message){ .state = NULL };
	pthread_mutex_unlock(&worker->lock);
	return message;
}

static void on_wake(struct watch *wake, uint32_t events)
{
	struct worker *worker = wake->owner;
	eventfd_t count;

	(void)events;
	eventfd_read(wake->fd, &count);
	struct message message = take_message(worker);

	if (message.state) {
		state_unref(worker->state);
		worker->state = message.state;
	}
	if (message.has_ticket_key)
		memcpy(worker->ticket_key, message.ticket_key, sizeof(worker->ticket_key));
	gnutls_memset(message.ticket_key, 0, sizeof(message.ticket_key));
	if (message.listen)
		start_accepting(worker);
	if (message.drain)
		drain(worker);
	if (message.cut)
		cut(worker);
}

/* ---- the thread ---- */

static int until_tick(const struct worker *worker)
{
	if (!worker->next_tick_ms)
		return -1;
	return worker->next_tick_ms > worker->loop.now_ms ? (int)(worker->next_tick_ms - worker->loop.now_ms) : 0;
}

static void *run(void *data)
{
	struct worker *worker = data;

	while (!worker->draining || worker->open > 0) {
		loop_turn(&worker->loop, until_tick(worker));
		if (worker->next_tick_ms && worker->loop.now_ms >= worker->next_tick_ms)
			tick(worker);
		conn_release_closed(worker);
	}
	conn_free_spares(worker);
	free(worker->spare_buffers);
	worker->spare_buffers = NULL;
	state_unref(worker->state);
	worker->state = NULL;
	atomic_store(&worker->ended, true);
	uv_async_send(worker->shared->worker_ended);
	return NULL;
}

static int prepare_listeners(struct worker *worker, const int *fds, unsigned n_fds, struct clinch_error *err)
{
	worker->listener = calloc(n_fds, sizeof(*worker->listener));
	if (!worker->listener)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a thread");
	for (unsigned i = 0; i < n_fds; i++)
		worker->listener[i].worker = worker;
	for (unsigned i = 0; i < n_fds; i++)
		worker->listener[i].watch =
			(struct watch){ .fd = fds[i], .call = on_incoming, .owner = &worker->listener[i] };
	worker->n_listeners = n_fds;
	return 0;
}

static int prepare(struct worker *worker, const int *fds, unsigned n_fds, struct clinch_error *err)
{
	worker->wake = (struct watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .call = on_wake, .owner = worker };
	if (loop_init(&worker->loop) < 0 || worker->wake.fd < 0 || !loop_want(&worker->loop, &worker->wake, EPOLLIN))
		return error_errno(err, "a thread's loop cannot be made");
	for (int phase = 0; phase < PHASES; phase++)
		TAILQ_INIT(&worker->list[phase]);
	TAILQ_INIT(&worker->closed);
	TAILQ_INIT(&worker->spare);
	pthread_mutex_init(&worker->lock, NULL);
	return prepare_listeners(worker, fds, n_fds, err);
}

/* The main thread's loop has the signals. */
static int start_thread(struct worker *worker)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int worker_start(struct worker *worker, struct shared *shared, const int *fds, unsigned n_fds, struct state *state,
		 const uint8_t ticket_key[TICKET_KEY_LEN], struct clinch_error *err)
{
	*worker = (struct worker){ .shared = shared };
	int code = prepare(worker, fds, n_fds, err);

	if (code < 0)
		return code;
	worker->state = state_ref(state);
	memcpy(worker->ticket_key, ticket_key, TICKET_KEY_LEN);
	int rc = start_thread(worker);
	if (rc) {
		errno = rc;
		return error_errno(err, "a thread cannot be started");
	}
	return 0;
}

static void send_message(struct worker *worker)
{
	pthread_mutex_unlock(&worker->lock);
	eventfd_write(worker->wake.fd, 1);
}

void worker_listen(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->message.listen = true;
	send_message(worker);
}

void worker_set_state(struct worker *worker, struct state *state)
{
	pthread_mutex_lock(&worker->lock);
	state_unref(worker->message.state);
	worker->message.state = state;
	send_message(worker);
}

void worker_set_ticket_key(struct worker *worker, const uint8_t ticket_key[TICKET_KEY_LEN])
{
	pthread_mutex_lock(&worker->lock);
	worker->message.has_ticket_key = true;
	memcpy(worker->message.ticket_key, ticket_key, TICKET_KEY_LEN);
	send_message(worker);
}

void worker_drain(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->message.drain = true;
	send_message(worker);
}

void worker_cut(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->message.drain = worker->message.cut = true;
	send_message(worker);
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
	state_unref(worker->message.state);
	gnutls_memset(worker->ticket_key, 0, sizeof(worker->ticket_key));
	loop_forget(&worker->loop, &worker->wake);
	loop_done(&worker->loop);
	pthread_mutex_destroy(&worker->lock);
	free(worker->listener);
}
