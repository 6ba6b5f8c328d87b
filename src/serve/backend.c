/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To the backend, once the handshake is done: what it does has no part in the handshake. */
#include "serve/event.h"
#include "serve/worker.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

void backend_failed(struct conn *conn, int error)
{
	struct shared *shared = conn->worker->shared;
	char address[ENDPOINT_TEXT_SIZE];

	counter_add(&conn->worker->counts.backend_failures);
	if (!atomic_exchange(&shared->backend_down, true))
		event_say(shared->hooks, SERVE_BACKEND_DOWN, SERVE_ERROR,
			  "backend %s: %s; clients are turned away after their handshake",
			  endpoint_text(address, &conn->state->backend), strerror(error));
	/* No close_notify: this is not the end of what the backend had to say. */
	gnutls_alert_send(conn->session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
	conn_fail(conn, "the backend cannot be reached: %s", strerror(error));
}

/* As OpenSSL has them: the names that readers of the header know. */
static const char *version_name(gnutls_protocol_t version)
{
	switch (version) {
	case GNUTLS_TLS1_3:
		return "TLSv1.3";
	case GNUTLS_TLS1_2:
		return "TLSv1.2";
	case GNUTLS_TLS1_1:
		return "TLSv1.1";
	case GNUTLS_TLS1_0:
		return "TLSv1";
	default:
		return "unknown";
	}
}

/* The header goes in front of what the client has sent already. */
static bool put_proxy_header(struct conn *conn)
{
	struct half *up = &conn->up;
	uint8_t header[PROXY_WRITE_MAX];
	char host[256] = "";
	size_t host_len = sizeof(host) - 1;
	unsigned type;
	struct proxy_client client = { .source = &conn->peer, .destination = &conn->local, .server_name = host };

	if (conn->local.len == 0) {
		conn->local.len = sizeof(struct sockaddr_in6);
		if (getsockname(conn->client.fd, &conn->local.any, &conn->local.len) < 0)
			return false;
	}
	if (gnutls_server_name_get(conn->session, host, &host_len, &type, 0) < 0)
		host[0] = '\0';
	if (gnutls_alpn_get_selected_protocol(conn->session, &client.alpn) < 0)
		client.alpn.size = 0;
	client.tls_version = version_name(gnutls_protocol_get_version(conn->session));
	client.cipher_suite = gnutls_ciphersuite_get(conn->session);
	size_t len = proxy_write(header, sizeof(header), &client);
	if (len == 0)
		return false;
	/* relay_first_look() has left room for it. */
	memmove(up->data + len, up->data + up->from, up->to - up->from);
	memcpy(up->data, header, len);
	up->to = (unsigned)len + up->to - up->from;
	up->from = 0;
	return true;
}

static void connected(struct conn *conn)
{
	struct shared *shared = conn->worker->shared;
	char address[ENDPOINT_TEXT_SIZE];

	if (atomic_load_explicit(&shared->backend_down, memory_order_relaxed) &&
	    atomic_exchange(&shared->backend_down, false))
		event_say(shared->hooks, SERVE_BACKEND_UP, SERVE_INFO, "backend %s answers again",
			  endpoint_text(address, &conn->state->backend));
	if (conn->state->proxy_protocol && !put_proxy_header(conn))
		conn_fail(conn, "no PROXY header could be made");
	else
		relay_start(conn);
}

static int open_socket(struct conn *conn)
{
	int on = 1;
	int family = conn->state->backend.any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int error_of(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static void on_event(struct watch *watch, uint32_t events)
{
	struct conn *conn = watch->owner;
	int error = conn->phase == PHASE_CONNECT || (events & EPOLLERR) ? error_of(watch->fd) : 0;

	if (conn->phase == PHASE_CONNECT) {
		if (error)
			backend_failed(conn, error);
		else
			connected(conn);
		return;
	}
	/* EPIPE: it had said its end before, and only takes no more. */
	conn->backend_cut |= error != 0 && error != EPIPE;
	relay_run(conn);
}

static void try_connect(struct conn *conn)
{
	int fd = open_socket(conn);
	int rc = fd < 0 ? -1 : connect(fd, &conn->state->backend.any, conn->state->backend.len), error = errno;

	/* A Unix socket's queue is full: no use in keeping this one, the tick tries another. */
	if (rc < 0 && fd >= 0 && error == EAGAIN) {
		close(fd);
		return;
	}
	if (fd >= 0)
		conn->backend = (struct watch){ .fd = fd, .call = on_event, .owner = conn };
	if (fd < 0 || (rc < 0 && error != EINPROGRESS))
		backend_failed(conn, error);
	else if (rc < 0)
		conn_want_backend(conn, EPOLLOUT);
	else
		connected(conn);
}

void backend_connect(struct conn *conn)
{
	conn_enter(conn, PHASE_CONNECT);
	conn_want_client(conn, 0);
	try_connect(conn);
}

void backend_retry(struct conn *conn)
{
	try_connect(conn);
}
