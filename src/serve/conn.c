/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection from accept to the end of its handshake, and its end. */
#include "base/buf.h"
#include "serve/event.h"
#include "serve/worker.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPARE_CONNS 256 /* kept for the next clients, of each thread */
#define SPARE_BUFFERS 256

/* ---- memory ---- */

static struct conn *take_conn(struct worker *worker)
{
	struct conn *conn = TAILQ_FIRST(&worker->spare);

	if (!conn)
		return calloc(1, sizeof(*conn));
	TAILQ_REMOVE(&worker->spare, conn, link);
	worker->n_spare--;
	memset(conn, 0, sizeof(*conn));
	return conn;
}

static void give_conn(struct worker *worker, struct conn *conn)
{
	if (worker->n_spare >= SPARE_CONNS) {
		free(conn);
		return;
	}
	TAILQ_INSERT_HEAD(&worker->spare, conn, link);
	worker->n_spare++;
}

bool conn_take_buffers(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->buffers)
		return true;
	conn->buffers = worker->n_spare_buffers ? worker->spare_buffers[--worker->n_spare_buffers] : malloc(2 * BUFFER_LEN);
	if (!conn->buffers)
		return false;
	conn->up.data = conn->buffers;
	conn->down.data = conn->buffers + BUFFER_LEN;
	return true;
}

static void give_buffers(struct worker *worker, uint8_t *buffers)
{
	if (!worker->spare_buffers)
		worker->spare_buffers = malloc(SPARE_BUFFERS * sizeof(*worker->spare_buffers));
	if (!worker->spare_buffers || worker->n_spare_buffers >= SPARE_BUFFERS) {
		free(buffers);
		return;
	}
	worker->spare_buffers[worker->n_spare_buffers++] = buffers;
}

void conn_free_spares(struct worker *worker)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&worker->spare))) {
		TAILQ_REMOVE(&worker->spare, conn, link);
		free(conn);
	}
	while (worker->n_spare_buffers)
		free(worker->spare_buffers[--worker->n_spare_buffers]);
}

/* ---- the end ---- */

/* Not before the turn of the loop is over: it may have more to say of this one. */
static void release(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->buffers)
		give_buffers(worker, conn->buffers);
	state_unref(conn->state);
	give_conn(worker, conn);
	worker->open--;
	atomic_fetch_sub_explicit(&worker->shared->open, 1, memory_order_relaxed);
}

void conn_release_closed(struct worker *worker)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&worker->closed))) {
		TAILQ_REMOVE(&worker->closed, conn, link);
		release(conn);
	}
}

/* Was the client's stream not brought to its end? A client that has all it was to get may go as it likes. */
static bool is_cut(const struct conn *conn)
{
	return conn->phase == PHASE_RELAY && conn->up.flow != FLOW_ENDED && conn->down.flow != FLOW_ENDED;
}

/* What would be an end to the backend is a reset then. */
static void close_backend(struct conn *conn)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (is_cut(conn))
		setsockopt(conn->backend.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	loop_forget(&conn->worker->loop, &conn->backend);
}

void conn_close(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->client.fd < 0)
		return;
	TAILQ_REMOVE(&worker->list[conn->phase], conn, link);
	TAILQ_INSERT_TAIL(&worker->closed, conn, link);
	gnutls_deinit(conn->session);
	conn->session = NULL;
	loop_forget(&worker->loop, &conn->client);
	if (conn->backend.fd >= 0)
		close_backend(conn);
}

void conn_fail(struct conn *conn, const char *format, ...)
{
	char text[200], peer[ENDPOINT_TEXT_SIZE];
	const struct serve_hooks *hooks = conn->worker->shared->hooks;
	va_list args;

	if (hooks->wants_debug && atomic_load_explicit(hooks->wants_debug, memory_order_relaxed)) {
		va_start(args, format);
		vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		event_tell(hooks, (struct serve_event){ .kind = SERVE_CONNECTION_FAILED,
							.level = SERVE_DEBUG,
							.peer = endpoint_text(peer, &conn->peer),
							.text = text,
							.n = -1 });
	}
	conn_close(conn);
}

void conn_expire(struct conn *conn)
{
	static const char *const what[PHASES] = {
		[PHASE_HANDSHAKE] = "no handshake within limits.handshake",
		[PHASE_FIRST] = "the client said nothing for limits.idle",
		[PHASE_CONNECT] = "the backend did not answer within limits.connect",
		[PHASE_RELAY] = "nothing was sent for limits.idle",
		[PHASE_LINGER] = "the client goes on sending to a backend that is gone",
	};

	if (conn->phase == PHASE_HANDSHAKE)
		counter_add(&conn->worker->counts.failed);
	if (conn->phase == PHASE_CONNECT)
		backend_failed(conn, ETIMEDOUT);
	else
		conn_fail(conn, "%s", what[conn->phase]);
}

/* ---- phases ---- */

void conn_enter(struct conn *conn, enum phase phase)
{
	TAILQ_REMOVE(&conn->worker->list[conn->phase], conn, link);
	conn->phase = phase;
	conn->since = conn->worker->loop.now_ms;
	TAILQ_INSERT_TAIL(&conn->worker->list[phase], conn, link);
}

/* Where the kernel has no memory for it, nothing comes but its deadline. */
void conn_want_client(struct conn *conn, uint32_t events)
{
	loop_want(&conn->worker->loop, &conn->client, events);
}

void conn_want_backend(struct conn *conn, uint32_t events)
{
	loop_want(&conn->worker->loop, &conn->backend, events);
}

/* ---- the handshake ---- */

static bool start_session(struct conn *conn)
{
	const struct state *state = conn->state;
	unsigned flags = GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;

	if (gnutls_init(&conn->session, state->tickets ? flags : flags | GNUTLS_NO_TICKETS) < 0)
		return false;
	const gnutls_datum_t key = { conn->worker->ticket_key, TICKET_KEY_LEN };
	if (gnutls_priority_set(conn->session, state->priority) < 0 ||
	    (state->tickets && gnutls_session_ticket_enable_server(conn->session, &key) < 0) ||
	    clinch_stapler_attach(state->stapler, conn->session) < 0)
		return false;
	/* RFC 7301 3.2: without a protocol in common the handshake fails. */
	if (state->n_alpn && gnutls_alpn_set_protocols(conn->session, state->alpn, state->n_alpn,
						       GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE) < 0)
		return false;
	gnutls_transport_set_int(conn->session, conn->client.fd);
	return true;
}

/* In HTTP the client does. Browsers make connections that they may never use: a backend need not hear of those. */
static bool client_speaks_first(const struct conn *conn)
{
	static const char *const protocols[] = { "h2", "http/1.1", "http/1.0" };
	gnutls_datum_t chosen;

	if (gnutls_alpn_get_selected_protocol(conn->session, &chosen) < 0)
		return false;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (chosen.size == strlen(protocols[i]) && memcmp(chosen.data, protocols[i], chosen.size) == 0)
			return true;
	return false;
}

/* The client has shaken hands. With its first byte, or at once, the backend comes in. */
static void look_for_first(struct conn *conn)
{
	if (!relay_first_look(conn))
		return;
	if (relay_is_over_before_it_began(conn)) { /* it came to shake hands and go */
		gnutls_bye(conn->session, GNUTLS_SHUT_WR);
		conn_close(conn);
	} else if (relay_has_nothing(conn) && client_speaks_first(conn)) {
		if (conn->phase != PHASE_FIRST)
			conn_enter(conn, PHASE_FIRST);
		conn_want_client(conn, EPOLLIN);
	} else {
		backend_connect(conn);
	}
}

static void end_handshake(struct conn *conn)
{
	struct counts *counts = &conn->worker->counts;

	if (gnutls_session_is_resumed(conn->session))
		counter_add(&counts->resumed);
	else
		counter_add(clinch_stapler_sent(conn->session) > 0 ? &counts->stapled : &counts->unstapled);
	if (!conn_take_buffers(conn)) {
		conn_fail(conn, "no memory for its buffers");
		return;
	}
	look_for_first(conn);
}

static void shake_hands(struct conn *conn)
{
	int rc;

	do
		rc = gnutls_handshake(conn->session);
	while (rc < 0 && rc != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(rc));
	if (rc == GNUTLS_E_AGAIN) {
		conn_want_client(conn, gnutls_record_get_direction(conn->session) ? EPOLLOUT : EPOLLIN);
	} else if (rc < 0) {
		counter_add(&conn->worker->counts.failed);
		gnutls_alert_send_appropriate(conn->session, rc);
		conn_fail(conn, "the handshake failed: %s", gnutls_strerror(rc));
	} else {
		end_handshake(conn);
	}
}

static void start_handshake(struct conn *conn)
{
	if (!start_session(conn)) {
		counter_add(&conn->worker->counts.failed);
		conn_fail(conn, "no session could be made: no certificate is ready, or no memory");
		return;
	}
	conn->reads_proxy = false;
	shake_hands(conn);
}

/* ---- the PROXY header in front ---- */

/* Exactly the bytes of the header are read: the next one is TLS's. */
static void read_proxy(struct conn *conn)
{
	struct half *up = &conn->up;
	unsigned want = PROXY_HEAD_LEN;

	for (;;) {
		if (up->to >= PROXY_HEAD_LEN) {
			int len = proxy_body_len(up->data);
			if (len < 0)
				break;
			want = PROXY_HEAD_LEN + (unsigned)len;
		}
		if (up->to == want) {
			up->to = 0;
			if (!proxy_read(up->data, up->data + PROXY_HEAD_LEN, &conn->peer, &conn->local))
				break;
			start_handshake(conn);
			return;
		}
		ssize_t n = recv(conn->client.fd, up->data + up->to, want - up->to, 0);
		if (n < 0 && errno == EAGAIN) {
			conn_want_client(conn, EPOLLIN);
			return;
		}
		if (n <= 0)
			break;
		up->to += (unsigned)n;
	}
	counter_add(&conn->worker->counts.failed);
	conn_fail(conn, "no header of the PROXY protocol, version 2; is accept_proxy right for this listener?");
}

/* Of an error the next call on the socket says which. */
static void on_client(struct watch *watch, uint32_t events)
{
	struct conn *conn = watch->owner;

	(void)events;
	if (conn->reads_proxy)
		read_proxy(conn);
	else if (conn->phase == PHASE_HANDSHAKE)
		shake_hands(conn);
	else if (conn->phase == PHASE_FIRST)
		look_for_first(conn);
	else
		relay_run(conn);
}

/* ---- the beginning ---- */

/* Most clients' first bytes are there already: they are read without waiting for the loop. */
static void begin(struct conn *conn)
{
	if (!conn->reads_proxy)
		start_handshake(conn);
	else if (conn_take_buffers(conn))
		read_proxy(conn);
	else
		conn_fail(conn, "no memory for its buffers");
}

void conn_open(struct worker *worker, int fd, const struct endpoint *peer)
{
	struct conn *conn = take_conn(worker);

	if (!conn) {
		close(fd);
		return;
	}
	conn->worker = worker;
	conn->state = state_ref(worker->state);
	conn->client = (struct watch){ .fd = fd, .call = on_client, .owner = conn };
	conn->backend.fd = -1;
	conn->peer = *peer;
	conn->phase = PHASE_HANDSHAKE;
	conn->reads_proxy = conn->state->accept_proxy;
	conn->since = worker->loop.now_ms;
	TAILQ_INSERT_TAIL(&worker->list[PHASE_HANDSHAKE], conn, link);
	worker->open++;
	atomic_fetch_add_explicit(&worker->shared->open, 1, memory_order_relaxed);
	counter_add(&worker->counts.accepted);
	worker_start_tick(worker);
	begin(conn);
}
