/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes both ways. Each half has one buffer: it is read into when it is empty, and nothing is read while it is not, so that
 * a slow end slows the other one down and memory stays as it is. Each end of a stream is passed on by itself (half-close);
 * one that was cut is passed on as cut, never as an end: close_notify and FIN are said only for what ended well.
 */
#include "serve/worker.h"
#include <errno.h>
#include <sys/socket.h>

#define TURNS 16    /* of one connection, before the others have theirs */
#define WARNINGS 16 /* in a row, without a byte between them: who sends more wants to keep a thread busy */

enum step { STEP_DONE, STEP_BLOCKED, STEP_CLOSED /* the connection is gone */ };

/* What each end is waited for. */
struct wish {
	uint32_t client, backend;
};

static bool is_empty(const struct half *half)
{
	return half->from == half->to;
}

/* The backend is gone. Closing now, with bytes of the client unread, would reset the connection and take from the client
 * what it has not read yet: it gets a moment, in which what it sends is thrown away. */
static enum step linger(struct conn *conn)
{
	conn->down.flow = FLOW_ENDED;
	conn->up.from = conn->up.to = 0;
	if (conn->up.flow == FLOW_ENDING)
		conn->up.flow = FLOW_ENDED;
	if (conn->up.flow == FLOW_OPEN)
		conn->up.flow = FLOW_DISCARD;
	conn_enter(conn, PHASE_LINGER);
	return STEP_DONE;
}

/* ---- up: client to backend ---- */

static enum step client_failed(struct conn *conn, long rc)
{
	if (rc != GNUTLS_E_PREMATURE_TERMINATION && rc != GNUTLS_E_PULL_ERROR)
		gnutls_alert_send_appropriate(conn->session, (int)rc);
	conn_fail(conn, "the client's stream was cut: %s", gnutls_strerror((int)rc));
	return STEP_CLOSED;
}

/* At most `room` bytes. */
static enum step read_client(struct conn *conn, unsigned room, struct wish *wish)
{
	struct half *up = &conn->up;
	unsigned warnings = 0;
	ssize_t n;

	do
		n = gnutls_record_recv(conn->session, up->data, room);
	while (n == GNUTLS_E_INTERRUPTED || (n == GNUTLS_E_WARNING_ALERT_RECEIVED && ++warnings <= WARNINGS));
	if (n == GNUTLS_E_AGAIN) {
		wish->client |= gnutls_record_get_direction(conn->session) ? EPOLLOUT : EPOLLIN;
		return STEP_BLOCKED;
	}
	if (n < 0) /* a renegotiation too: TLS 1.3 has none, and nobody who is serious asks for one */
		return client_failed(conn, n);
	up->from = 0;
	up->to = up->flow == FLOW_DISCARD ? 0 : (unsigned)n;
	if (n == 0)
		up->flow = up->flow == FLOW_DISCARD ? FLOW_ENDED : FLOW_ENDING;
	return STEP_DONE;
}

/* The backend takes no more. What it said before is still passed on. */
static enum step discard_up(struct conn *conn)
{
	if (conn->down.flow == FLOW_ENDED)
		return linger(conn);
	conn->up.from = conn->up.to = 0;
	conn->up.flow = conn->up.flow == FLOW_ENDING ? FLOW_ENDED : FLOW_DISCARD;
	return STEP_DONE;
}

static enum step write_backend(struct conn *conn, struct wish *wish)
{
	struct half *up = &conn->up;
	ssize_t n = send(conn->backend.fd, up->data + up->from, up->to - up->from, MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN) {
		wish->backend |= EPOLLOUT;
		return STEP_BLOCKED;
	}
	if (n < 0) {
		conn->backend_cut |= errno != EPIPE;
		return discard_up(conn);
	}
	up->from += (unsigned)n;
	return STEP_DONE;
}

static enum step step_up(struct conn *conn, struct wish *wish)
{
	struct half *up = &conn->up;

	if (!is_empty(up))
		return write_backend(conn, wish);
	switch (up->flow) {
	case FLOW_ENDING:
		shutdown(conn->backend.fd, SHUT_WR);
		up->flow = FLOW_ENDED;
		return STEP_DONE;
	case FLOW_ENDED:
		return STEP_BLOCKED;
	default:
		return read_client(conn, BUFFER_LEN, wish);
	}
}

/* ---- down: backend to client ---- */

static enum step read_backend(struct conn *conn, struct wish *wish)
{
	struct half *down = &conn->down;
	ssize_t n = recv(conn->backend.fd, down->data, BUFFER_LEN, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		wish->backend |= EPOLLIN;
		return STEP_BLOCKED;
	}
	if (n < 0 || (n == 0 && conn->backend_cut)) {
		shutdown(conn->client.fd, SHUT_WR); /* without close_notify */
		return linger(conn);
	}
	down->from = 0;
	down->to = (unsigned)n;
	if (n == 0)
		down->flow = FLOW_ENDING;
	return STEP_DONE;
}

static enum step write_failed(struct conn *conn, long rc, struct wish *wish)
{
	if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED) {
		wish->client |= EPOLLOUT;
		return STEP_BLOCKED;
	}
	conn_fail(conn, "the client takes no more: %s", gnutls_strerror((int)rc));
	return STEP_CLOSED;
}

static enum step write_client(struct conn *conn, struct wish *wish)
{
	struct half *down = &conn->down;
	ssize_t n = gnutls_record_send(conn->session, down->data + down->from, down->to - down->from);

	if (n < 0)
		return write_failed(conn, n, wish);
	down->from += (unsigned)n;
	return STEP_DONE;
}

static enum step end_client(struct conn *conn, struct wish *wish)
{
	int rc = gnutls_bye(conn->session, GNUTLS_SHUT_WR);

	if (rc < 0)
		return write_failed(conn, rc, wish);
	shutdown(conn->client.fd, SHUT_WR);
	conn->down.flow = FLOW_ENDED;
	return conn->up.flow == FLOW_DISCARD ? linger(conn) : STEP_DONE;
}

static enum step step_down(struct conn *conn, struct wish *wish)
{
	struct half *down = &conn->down;

	if (!is_empty(down))
		return write_client(conn, wish);
	switch (down->flow) {
	case FLOW_ENDING:
		return end_client(conn, wish);
	case FLOW_ENDED:
		return STEP_BLOCKED;
	default:
		return read_backend(conn, wish);
	}
}

/* ---- both ---- */

/* One turn of each half; what stays blocked says in `wish` what it waits for. */
static enum step turn(struct conn *conn, struct wish *wish)
{
	*wish = (struct wish){ 0, 0 };
	enum step up = step_up(conn, wish);
	if (up == STEP_CLOSED)
		return up;
	enum step down = step_down(conn, wish);
	if (down == STEP_CLOSED)
		return down;
	return up == STEP_DONE || down == STEP_DONE ? STEP_DONE : STEP_BLOCKED;
}

static bool is_over(const struct conn *conn)
{
	return conn->up.flow == FLOW_ENDED && conn->down.flow == FLOW_ENDED;
}

/* After the last turn of many the sockets are asked for all that may be wanted; the loop comes back at once. */
static void wait_for_more(struct conn *conn, enum step last, const struct wish *wish)
{
	uint32_t client = wish->client, backend = wish->backend;

	if (last == STEP_DONE) {
		client |= gnutls_record_check_pending(conn->session) ? EPOLLOUT : 0; /* nothing to wait for */
		client |= is_empty(&conn->up) && conn->up.flow != FLOW_ENDED ? EPOLLIN : 0;
		client |= !is_empty(&conn->down) || conn->down.flow == FLOW_ENDING ? EPOLLOUT : 0;
		backend |= is_empty(&conn->down) && conn->down.flow == FLOW_OPEN ? EPOLLIN : 0;
		backend |= !is_empty(&conn->up) || conn->up.flow == FLOW_ENDING ? EPOLLOUT : 0;
	}
	conn_want_client(conn, client);
	conn_want_backend(conn, backend);
}

void relay_run(struct conn *conn)
{
	struct wish wish;
	enum step step = STEP_DONE;
	bool moved = false;

	for (int i = 0; i < TURNS && step == STEP_DONE && !is_over(conn); i++) {
		step = turn(conn, &wish);
		if (step == STEP_CLOSED)
			return;
		moved |= step == STEP_DONE;
	}
	if (is_over(conn)) {
		conn_close(conn);
		return;
	}
	if (moved && conn->phase == PHASE_RELAY)
		conn_enter(conn, PHASE_RELAY);
	wait_for_more(conn, step, &wish);
}

void relay_start(struct conn *conn)
{
	conn_enter(conn, PHASE_RELAY);
	relay_run(conn);
}

bool relay_first_look(struct conn *conn)
{
	struct wish wish = { 0, 0 };
	enum step step = read_client(conn, BUFFER_LEN - PROXY_WRITE_MAX, &wish);

	return step != STEP_CLOSED;
}

bool relay_has_nothing(const struct conn *conn)
{
	return is_empty(&conn->up) && conn->up.flow == FLOW_OPEN;
}

bool relay_is_over_before_it_began(const struct conn *conn)
{
	return is_empty(&conn->up) && conn->up.flow == FLOW_ENDING;
}
