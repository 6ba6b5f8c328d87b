/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is said in the clear before TLS begins, as a state machine without I/O: STARTTLS of SMTP (RFC 3207), IMAP (RFC
 * 9051 6.2.1), POP3 (RFC 2595 4) and LDAP (RFC 4511 4.14), PostgreSQL's SSLRequest, and a proxy's answer to HTTP CONNECT
 * (RFC 9110 9.3.6).
 *
 * The peer's bytes go in, one step comes out. Everything is bounded: a line by STARTTLS_LINE_MAX, a dialogue by
 * STARTTLS_TOTAL_MAX bytes. Bytes that the peer sent in the clear behind its permission for TLS are refused: somebody on the
 * way could have put them there, to be taken for the encrypted session's (CVE-2011-0411 is the server's side of it). Behind
 * a proxy's "200" they are the tunnel's own and stay unread.
 */
#ifndef PROBE_STARTTLS_H
#define PROBE_STARTTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STARTTLS_LINE_MAX 4096   /* bytes of a line with its CRLF, and of LDAP's one message */
#define STARTTLS_TOTAL_MAX 32768 /* bytes of a dialogue */
#define STARTTLS_SEND_MAX 640
#define STARTTLS_NAME_MAX 262 /* "[" a name of 253 bytes "]:65535" */

enum starttls_protocol {
	STARTTLS_NONE,
	STARTTLS_SMTP,
	STARTTLS_IMAP,
	STARTTLS_POP3,
	STARTTLS_LDAP,
	STARTTLS_POSTGRES,
	STARTTLS_HTTP_CONNECT, /* not STARTTLS, but the same kind of dialogue */
	STARTTLS_PROTOCOLS
};

enum starttls_step {
	STARTTLS_MORE,    /* feed more */
	STARTTLS_SEND,    /* send send[0..send_len), then feed more */
	STARTTLS_READY,   /* TLS begins with the next byte */
	STARTTLS_REFUSED, /* `refusal` says why, a clause after the peer's name: "does not offer STARTTLS" */
};

struct starttls {
	enum starttls_protocol protocol;
	unsigned state; /* lines and rounds, counted by each protocol for itself */
	bool offered;   /* SMTP: EHLO's reply had STARTTLS */
	char code[4];   /* SMTP: of the reply that is being read */
	size_t total, line_len;
	size_t send_len;
	uint8_t send[STARTTLS_SEND_MAX];
	uint8_t line[STARTTLS_LINE_MAX];
	char refusal[256];
};

/*
 * Begin: SEND where the client speaks first, MORE otherwise. `name`: for SMTP what EHLO says ("[127.0.0.1]"), for
 * HTTP_CONNECT the authority ("example.org:443"); at most STARTTLS_NAME_MAX printable bytes without a space, or the step is
 * REFUSED.
 */
enum starttls_step starttls_begin(struct starttls *dialogue, enum starttls_protocol protocol, const char *name);

/* Feed bytes as they come, in pieces of any size; *used of them were taken. What is left belongs to the next step. Once it
 * has returned READY or REFUSED it must not be fed again. */
enum starttls_step starttls_feed(struct starttls *dialogue, const uint8_t *bytes, size_t len, size_t *used);

const char *starttls_name(enum starttls_protocol protocol); /* "SMTP"; static */
uint16_t starttls_port(enum starttls_protocol protocol);    /* where that is usually spoken; 443 for NONE */

#endif
