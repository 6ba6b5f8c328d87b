/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connections of `check`: what all targets share is loaded once (trust, client certificate, priorities, signers
 * seen), then each target is connected to, led to TLS and judged by clinch/client.h, under one deadline.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "base/buf.h"
#include "probe/resolve.h"
#include "probe/target.h"
#include "probe/wire.h"
#include <clinch/client.h>

struct probe_options {
	struct clinch_policy policy; /* `signers`, `nonce` and `trusted` stay NULL */
	enum starttls_protocol starttls;
	bool udp;                                  /* DTLS */
	int tls;                                   /* 12, 13; 0: what both can */
	int family;                                /* AF_UNSPEC, AF_INET, AF_INET6 */
	int64_t timeout_ms;                        /* one for all waits of a target */
	const char *servername;                    /* SNI and the name checked; NULL: the target's own */
	const struct target *connect;              /* where to connect instead of the target; NULL: there */
	const struct target *proxy;                /* NULL: none */
	const char *ca_file;                       /* the only trust; NULL: the system's */
	const char *cert_file, *key_file;          /* of the client; NULL: none; a key in the certificate's file */
	const char *keep_path;                     /* clinch-keep, to ask responders with; NULL: they are not asked */
	bool allow_private;                        /* a responder may have a private address wherever the target is */
	void (*say)(void *user, const char *line); /* progress; NULL: none */
	void *say_user;
};

struct probe {
	struct probe_options options; /* what its pointers lead to stays the caller's */
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

/* CLINCH_E_... with a sentence that names the file. _done takes a zeroed probe too. */
int probe_init(struct probe *out, const struct probe_options *options, struct clinch_error *err);
void probe_done(struct probe *probe);

/* What a responder said when it was asked for a member of the path. */
struct probe_answer {
	bool asked;
	bool unnamed;                  /* it was to be asked, and the certificate names none */
	struct buf der;                /* empty: no answer that clinch-keep believed */
	struct clinch_verdict verdict; /* of der; MISSING without; UNKNOWN: the responder said so */
	char detail[360];              /* why der is empty */
};

#define PROBE_MEMBERS_MAX 16

/* What the peer's first record, or what came in its place, begins with. */
struct first_bytes {
	uint8_t bytes[64];
	size_t len;
};

/* GnuTLS holds a pointer to it: it stays where it is until probe_result_done(). */
struct probe_result {
	const struct probe *probe;
	const char *shown;               /* the target as it was written; the caller's */
	char name[TARGET_HOST_MAX + 1];  /* whom the certificate has to be for */
	char address[WIRE_ADDRESS_SIZE]; /* where it connected; "": nowhere */
	bool is_private;                 /* that address is not one of the public Internet */
	int fd;
	int64_t deadline;
	struct first_bytes first;
	gnutls_session_t session;           /* NULL: it did not come to TLS */
	const struct clinch_report *report; /* the session's; NULL: no certificate came */
	enum trouble trouble;               /* not NONE: it could not be judged, and err says why */
	struct clinch_error err;
	bool accepted;                                 /* the report's, responders' answers considered */
	int reason;                                    /* enum clinch_reason, of that */
	unsigned blamed;                               /* which member `reason` is about, when it is about a staple */
	bool by_answer;                                /* `reason` is about the answer of the responder of `blamed` */
	struct probe_answer answer[PROBE_MEMBERS_MAX]; /* by member */
};

/* Always fills *out, which probe_result_done() closes and frees. */
void probe_run(struct probe *probe, const struct target *target, const char *shown, struct probe_result *out);
void probe_result_done(struct probe_result *result);

/* ---- its parts ---- */

int probe_load(struct probe *probe, struct clinch_error *err);        /* credentials.c */
bool probe_handshake(struct probe_result *result, struct wire *wire); /* handshake.c */
void probe_ask(struct probe_result *result);                          /* answer.c: asks the responders and reconsiders */
void probe_say(const struct probe *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
