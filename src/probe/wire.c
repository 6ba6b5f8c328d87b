/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/wire.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "probe/deadline.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LEAVE_MS 1000
#define LEAVE_BYTES (1024 * 1024)

const char *trouble_name(enum trouble trouble)
{
	static const char *const names[TROUBLES] = {
		[TROUBLE_NONE] = "none",
		[TROUBLE_NO_SUCH_HOST] = "no-such-host",
		[TROUBLE_RESOLVER] = "name-service",
		[TROUBLE_REFUSED] = "connection-refused",
		[TROUBLE_UNREACHABLE] = "unreachable",
		[TROUBLE_TIMEOUT] = "timeout",
		[TROUBLE_CLOSED] = "closed",
		[TROUBLE_PROXY] = "proxy",
		[TROUBLE_STARTTLS] = "starttls",
		[TROUBLE_NOT_TLS] = "not-tls",
		[TROUBLE_ALERT] = "tls-alert",
		[TROUBLE_TLS] = "tls",
		[TROUBLE_LOCAL] = "local",
	};

	return names[trouble];
}

bool wire_fail(struct wire *wire, enum trouble trouble, int code, const char *format, ...)
{
	char text[sizeof(wire->err->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	wire->trouble = trouble;
	error_set(wire->err, code, "%s", text);
	return false;
}

bool wire_fail_timeout(struct wire *wire, const char *what)
{
	return wire_fail(wire, TROUBLE_TIMEOUT, CLINCH_E_TIMEOUT, "%s %s within %g s; raise --timeout if it is only slow",
			 wire->name, what, wire->timeout_s);
}

const char *wire_address(char out[WIRE_ADDRESS_SIZE], const struct sockaddr *address, socklen_t len)
{
	char host[64], port[8];

	if (getnameinfo(address, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(out, WIRE_ADDRESS_SIZE, "an unknown address");
	else
		snprintf(out, WIRE_ADDRESS_SIZE, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return out;
}

int wire_wait(const struct wire *wire, short events, int most_ms)
{
	struct pollfd pollfd = { .fd = wire->fd, .events = events };
	int left = deadline_left(wire->deadline);
	int rc = poll(&pollfd, 1, most_ms >= 0 && most_ms < left ? most_ms : left);

	return rc < 0 && errno == EINTR ? 0 : rc;
}

static bool is_over(const struct wire *wire)
{
	return !deadline_left(wire->deadline);
}

/* ---- connecting ---- */

/* One address until `deadline`: a connected socket, or -1 with errno. */
static int connect_one(const struct addrinfo *address, int64_t deadline)
{
	auto_fd fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
	int error = 0, rc, on = 1, taken;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return -1;
	if (address->ai_socktype == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	rc = connect(fd, address->ai_addr, address->ai_addrlen);
	if (rc < 0 && errno != EINPROGRESS)
		return -1;
	while (rc < 0 && deadline_left(deadline)) {
		struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

		if (poll(&pollfd, 1, deadline_left(deadline)) > 0)
			rc = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	}
	errno = rc < 0 ? ETIMEDOUT : error;
	if (errno)
		return -1;
	taken = fd;
	fd = -1;
	return taken;
}

static unsigned count(const struct addrinfo *addresses)
{
	unsigned n = 0;

	for (; addresses; addresses = addresses->ai_next)
		n++;
	return n;
}

static enum trouble trouble_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return TROUBLE_REFUSED;
	case ETIMEDOUT:
		return TROUBLE_TIMEOUT;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return TROUBLE_LOCAL;
	default:
		return TROUBLE_UNREACHABLE;
	}
}

/* The target with the address that it led to, where that says more. */
static void say_whom(struct buf *out, const struct wire *wire, const struct addrinfo *last, unsigned tried)
{
	char address[WIRE_ADDRESS_SIZE];

	wire_address(address, last->ai_addr, last->ai_addrlen);
	if (strncmp(address, wire->name, strlen(wire->name)) != 0)
		buf_printf(out, "%s: ", wire->name);
	buf_printf(out, "%s", address);
	if (tried > 1)
		buf_printf(out, " (the last of %u addresses)", tried);
}

static bool fail_connect(struct wire *wire, const struct addrinfo *last, unsigned tried, int error)
{
	auto_buf text = { .max = sizeof(wire->err->text) };
	char reason[64];
	const char *whom;

	say_whom(&text, wire, last, tried);
	whom = text.len ? (const char *)text.data : wire->name;
	if (error == ETIMEDOUT)
		return wire_fail(wire, TROUBLE_TIMEOUT, CLINCH_E_TIMEOUT,
				 "%s does not answer within %g s; is a firewall in between? Or raise --timeout", whom,
				 wire->timeout_s);
	if (error == ECONNREFUSED)
		return wire_fail(wire, TROUBLE_REFUSED, CLINCH_E_NETWORK,
				 "%s refuses the connection; is the server running, is the port right?", whom);
	return wire_fail(wire, trouble_of(error), error == ENOMEM ? CLINCH_E_MEMORY : CLINCH_E_NETWORK,
			 "%s cannot be connected to: %s", whom, strerror_r(error, reason, sizeof(reason)));
}

bool wire_connect(struct wire *wire, const struct addrinfo *addresses, const struct addrinfo **used)
{
	unsigned left = count(addresses), tried = 0;
	const struct addrinfo *last = addresses;
	int error = ETIMEDOUT;

	if (!addresses)
		return wire_fail(wire, TROUBLE_NO_SUCH_HOST, CLINCH_E_MISSING, "%s has no address", wire->name);
	for (const struct addrinfo *address = addresses; address && (!tried || !is_over(wire)); address = address->ai_next) {
		int64_t now = deadline_now();

		wire->fd = connect_one(address, now + (wire->deadline - now) / left--);
		if (wire->fd >= 0) {
			*used = address;
			return true;
		}
		error = errno;
		last = address;
		tried++;
	}
	return fail_connect(wire, last, tried, error);
}

void wire_leave(int fd)
{
	int64_t end = deadline_now() + LEAVE_MS;
	uint8_t bytes[4096];
	size_t read = 0;

	shutdown(fd, SHUT_WR);
	while (read < LEAVE_BYTES && deadline_left(end)) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		ssize_t n = poll(&pollfd, 1, deadline_left(end)) > 0 ? recv(fd, bytes, sizeof(bytes), 0) : -1;

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
		read += n > 0 ? (size_t)n : 0;
	}
}

/* ---- talking in the clear ---- */

static bool fail_talk(struct wire *wire, const struct starttls *dialogue, const char *what)
{
	bool proxy = dialogue->protocol == STARTTLS_HTTP_CONNECT;

	return wire_fail(wire, proxy ? TROUBLE_PROXY : TROUBLE_STARTTLS, CLINCH_E_NETWORK, "%s %s%s", wire->name, what,
			 proxy ? " (as an HTTP proxy; look at --proxy)" : "");
}

static bool fail_talk_errno(struct wire *wire, const struct starttls *dialogue)
{
	char reason[64], text[128];

	snprintf(text, sizeof(text), "broke off during %s: %s", starttls_name(dialogue->protocol),
		 strerror_r(errno, reason, sizeof(reason)));
	return fail_talk(wire, dialogue, text);
}

static bool fail_talk_timeout(struct wire *wire, const struct starttls *dialogue)
{
	const char *protocol = starttls_name(dialogue->protocol);
	char text[64];

	if (!dialogue->total && dialogue->protocol != STARTTLS_HTTP_CONNECT)
		return wire_fail(wire, TROUBLE_TIMEOUT, CLINCH_E_TIMEOUT,
				 "%s says nothing in %s within %g s; if it expects TLS at once, leave --starttls away",
				 wire->name, protocol, wire->timeout_s);
	snprintf(text, sizeof(text), "did not come to the end of %s", protocol);
	return wire_fail_timeout(wire, text);
}

static bool send_all(struct wire *wire, const struct starttls *dialogue)
{
	size_t sent = 0;

	while (sent < dialogue->send_len) {
		ssize_t n = send(wire->fd, dialogue->send + sent, dialogue->send_len - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return fail_talk_errno(wire, dialogue);
		else if (is_over(wire))
			return fail_talk_timeout(wire, dialogue);
		else
			wire_wait(wire, POLLOUT, -1);
	}
	return true;
}

/* Peeked at first, and only what the dialogue used is taken: what follows belongs to TLS. */
static bool feed(struct wire *wire, struct starttls *dialogue, enum starttls_step *step)
{
	uint8_t bytes[1024];
	ssize_t n = recv(wire->fd, bytes, sizeof(bytes), MSG_PEEK);
	size_t used;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		wire_wait(wire, POLLIN, -1);
		return true;
	}
	if (n < 0)
		return fail_talk_errno(wire, dialogue);
	if (n == 0)
		return fail_talk(wire, dialogue, "closed the connection before TLS could begin");
	*step = starttls_feed(dialogue, bytes, (size_t)n, &used);
	if (recv(wire->fd, bytes, used, 0) < 0)
		return fail_talk_errno(wire, dialogue);
	return true;
}

bool wire_talk(struct wire *wire, struct starttls *dialogue, enum starttls_step step)
{
	while (step != STARTTLS_READY) {
		if (step == STARTTLS_REFUSED)
			return fail_talk(wire, dialogue, dialogue->refusal);
		if (step == STARTTLS_SEND && !send_all(wire, dialogue))
			return false;
		step = STARTTLS_MORE;
		if (is_over(wire))
			return fail_talk_timeout(wire, dialogue);
		if (!feed(wire, dialogue, &step))
			return false;
	}
	return true;
}
