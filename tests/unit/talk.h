/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stapler with certificates and staples made around now, and two sessions on a socket pair: a handshake has the real clock
 * alone.
 */
#ifndef UNIT_TALK_H
#define UNIT_TALK_H

#include "maker.h"
#include <clinch/client.h>
#include <clinch/stapler.h>

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/* GeneralizedTime, so many seconds from now; good for the next seven calls. */
const char *instant(int64_t from_now);

struct made {
	struct blob leaf, chain, key; /* DER; PEM with the CA; PEM */
	const char *serial;
};

struct made make_leaf(enum key key, const char *serial, const char *name, struct blob more);
struct made make_leaf_until(enum key key, const char *serial, const char *name, const char *not_after);
struct blob staple(const struct made *made, int64_t this_update, int64_t next_update, struct blob status);

/* Each fails the test when it cannot. */
clinch_stapler_t *stapler_of(const struct clinch_stapler_options *options);
void stapler_add(clinch_stapler_t *stapler, const struct made *made);
int offer(clinch_stapler_t *stapler, struct blob der);

struct talk {
	gnutls_session_t client, server;
	gnutls_certificate_credentials_t trust;
	int fd[2], client_rc, server_rc;
};

void talk_begin(struct talk *talk, const char *priority, const char *name);
/* Both sides in turn until both are done or one has failed. */
void talk_on(struct talk *talk);
void talk_end(struct talk *talk);

/* A whole handshake with the stapler on one side and the client half on the other; the talk is still to end. */
const struct clinch_report *shake(struct talk *talk, clinch_stapler_t *stapler, const char *priority, const char *name,
				  const struct clinch_policy *policy);
/* What the client said of the leaf's staple. */
enum clinch_reason reason_seen(clinch_stapler_t *stapler, const char *priority, const char *name);

#endif
