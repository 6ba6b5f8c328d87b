/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One configuration in use: what connections need of it. Immutable once published, but for the stapler, which takes care of
 * itself, and the certificates' own rows, which are the main thread's. Connections hold it by reference.
 */
#ifndef SERVE_STATE_H
#define SERVE_STATE_H

#include "daemon/endpoint.h"
#include "serve/serve.h"
#include <clinch/stapler.h>

#define STATE_ALPN_MAX 32
#define STATE_ERROR_SIZE sizeof(((struct clinch_error *)0)->text)

struct certificate {             /* the main thread's: where it is, and what was told of it */
	const char *chain, *key; /* the configuration's */
	const char *responder;   /* that is asked though the certificate names none; NULL: none */
	clinch_stapler_t *where; /* borrowed: the serving one or the waiting one */
	unsigned index;          /* in there */
	bool waits;              /* is in the waiting one; where it stays, unlooked at, once it is served */
	bool seen, told_no_responder, told_revoked;
	bool was_stapled;
	int64_t this_update;
	uint8_t fingerprint[32];
};

struct state {
	atomic_uint refs;
	clinch_stapler_t *stapler;
	clinch_stapler_t *waiting; /* certificates that are not served before they have their staple; NULL: none */
	gnutls_priority_t priority;
	unsigned n_alpn;
	gnutls_datum_t alpn[STATE_ALPN_MAX];
	struct endpoint backend;
	bool proxy_protocol, accept_proxy, tickets;
	unsigned connections;
	uint32_t handshake_ms, connect_ms, idle_ms, drain_ms, ready_timeout_ms;

	struct certificate *certificate; /* the main thread's */
	unsigned n_certificates;
	bool looked; /* at files for changes, since they were read */
	char error_of_served[STATE_ERROR_SIZE], error_of_waiting[STATE_ERROR_SIZE]; /* of the last refresh; "": none */
};

/*
 * Opens and reads every file that `conf` names, but for chains and keys that `before` (NULL: none), the state in use, has
 * read and that have not changed: those it takes over, with their staples. A certificate that was renewed waits for its
 * first staple as it would have there. `conf` must outlive the main thread's use of it.
 */
int state_new(struct state **out, const struct serve_conf *conf, const struct state *before, int64_t now,
	      struct clinch_error *err);
struct state *state_ref(struct state *state);
void state_unref(struct state *state); /* NULL-safe */

/* Whatever of `conf` can be judged without a file. */
int state_check(const struct serve_conf *conf, struct clinch_error *err);

/* ---- the main thread's ---- */

/* Looks for changes of files, and tells what changed. */
void state_refresh(struct state *state, int64_t now, const struct serve_hooks *hooks);
/* After a certificate has ceased to wait. */
void state_number(struct state *state);
/* How many certificates have to have a staple and are without. */
unsigned state_missing(const struct state *state, int64_t now);

#endif
