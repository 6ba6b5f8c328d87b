/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two GnuTLS sessions of this process on a pair of sockets: a server that staples what it is told to, and a client. */
#ifndef CASES_PAIR_H
#define CASES_PAIR_H

#include "world.h"
#include <gnutls/abstract.h>
#include <gnutls/dtls.h>
#include <stdbool.h>

#define OFFER_MAX 20

/* What one end shows: certificates and, one each, staples (of no bytes: none). */
struct offer {
	gnutls_pcert_st chain[OFFER_MAX];
	gnutls_ocsp_data_st staple[OFFER_MAX];
	unsigned n, n_staples;
	gnutls_privkey_t key;
};

/* `certificates` are names, ended by NULL; `key` is the name of the first one's. offer_staple() borrows the response. */
void offer_init(struct offer *offer, const struct world *world, const char *key, const char *const *certificates);
void offer_raw_key(struct offer *offer, const struct world *world, const char *key); /* RFC 7250: no certificate at all */
void offer_staple(struct offer *offer, unsigned place, const gnutls_datum_t *response);
void offer_done(struct offer *offer);

/* A world's credentials: the client trusts its root; both show what their session's pointer, an offer, says. */
struct pair_credentials {
	gnutls_certificate_credentials_t client, server;
	gnutls_datum_t ticket_key;
};
void pair_credentials_init(struct pair_credentials *out, const struct world *world, const char *trusted);
void pair_credentials_done(struct pair_credentials *credentials);

struct pair {
	gnutls_session_t client, server;
	int fd[2];
	int client_rc, server_rc; /* what gnutls_handshake() ended with */
	int server_alert;         /* that the server received; -1: none */
};

/* `version`: "1.2", "1.3" or "dtls". Both sessions are ready for more settings, then for pair_shake(). */
void pair_init(struct pair *pair, const struct pair_credentials *credentials, const char *version,
	       const struct offer *server, const struct offer *client);
void pair_shake(struct pair *pair);
bool pair_transfer(struct pair *pair); /* one byte of application data each way, both ends' tickets read */
void pair_done(struct pair *pair);

#endif
