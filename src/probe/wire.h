/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A socket that never blocks: connected, talked over in the clear, waited for, all under one deadline. */
#ifndef PROBE_WIRE_H
#define PROBE_WIRE_H

#include "probe/starttls.h"
#include <clinch/error.h>
#include <netdb.h>
#include <sys/socket.h>

/* Why a target could not be judged: a stable id in JSON, as a reason is. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_NO_SUCH_HOST,
	TROUBLE_RESOLVER,
	TROUBLE_REFUSED,
	TROUBLE_UNREACHABLE,
	TROUBLE_TIMEOUT,
	TROUBLE_CLOSED,
	TROUBLE_PROXY,
	TROUBLE_STARTTLS,
	TROUBLE_NOT_TLS,
	TROUBLE_ALERT,
	TROUBLE_TLS,
	TROUBLE_LOCAL, /* memory, descriptors */
	TROUBLES
};
const char *trouble_name(enum trouble trouble); /* "no-such-host"; static */

struct wire {
	int fd; /* -1: none; the caller closes it */
	int64_t deadline;
	const char *name; /* for sentences: "mail.example.org:25" */
	double timeout_s; /* for sentences */
	enum trouble trouble;
	struct clinch_error *err; /* filled when trouble is */
};

#define WIRE_ADDRESS_SIZE 80 /* "[an IPv6 address%a zone]:65535" */
const char *wire_address(char out[WIRE_ADDRESS_SIZE], const struct sockaddr *address, socklen_t len);

/* Each returns false with wire->trouble and a sentence. */
bool wire_fail(struct wire *wire, enum trouble trouble, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool wire_fail_timeout(struct wire *wire, const char *what); /* "did not finish the TLS handshake" */

/*
 * The first of `addresses` that takes the connection; each gets its share of the time that is left. *used is that one. Says
 * what became of each one that did not.
 */
bool wire_connect(struct wire *wire, const struct addrinfo *addresses, const struct addrinfo **used);

/* Until the socket is readable (POLLIN) or writable (POLLOUT), at most `most_ms` (-1: until the deadline). 1, or 0 for
 * time-out or a signal, -1 with errno. */
int wire_wait(const struct wire *wire, short events, int most_ms);

/*
 * The end of a conversation, before close(): says that nothing more is coming, and reads on until the peer has heard it, for
 * a second at most. What is unread at close() resets the connection, and an alert on its way may be lost with it.
 */
void wire_leave(int fd);

/* Goes through `dialogue`, which starttls_begin() began with `step`. Reads no byte that is not the dialogue's. */
bool wire_talk(struct wire *wire, struct starttls *dialogue, enum starttls_step step);

#endif
