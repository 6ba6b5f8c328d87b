/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two GnuTLS sessions that talk to each other in memory: a server with the certificates and staples of maker.h, and a client
 * for clinch to be attached to. No sockets, no threads, no waiting.
 */
#ifndef UNIT_PAIR_H
#define UNIT_PAIR_H

#include "maker.h"
#include <stdbool.h>

#define PAIR_CHAIN_MAX 4
#define PAIR_PIPE_SIZE (128 * 1024)
#define PAIR_TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define PAIR_TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

struct pair_setup {
	const char *priority;
	struct blob
		chain[PAIR_CHAIN_MAX]; /* as the server sends it, its own certificate first; the first empty one ends it */
	enum key key;                  /* of chain[0] */
	struct blob staple[PAIR_CHAIN_MAX]; /* empty: none */
	struct blob trust;                  /* the client's anchor; empty: none */
	struct blob crl;                    /* in the client's credentials; empty: none */
	bool tickets;                       /* the server resumes */
};

struct pipe {
	uint8_t bytes[PAIR_PIPE_SIZE];
	size_t len;
};

struct pair {
	const struct pair_setup *setup;
	gnutls_session_t client, server;
	gnutls_certificate_credentials_t client_cred, server_cred;
	gnutls_pcert_st pcert[PAIR_CHAIN_MAX];
	gnutls_ocsp_data_st ocsp[PAIR_CHAIN_MAX];
	unsigned n_chain;
	gnutls_privkey_t key;
	struct pipe to_client, to_server;
	int client_rc, server_rc;
	int alert_to_server;                  /* the last one that the server received; -1: none */
	void (*around_client)(bool entering); /* called before and after the client's every step; NULL: nothing */
};

/* The pair must stay where it is, and the setup too. `ticket_key` may be shared between pairs (setup->tickets). */
void pair_begin(struct pair *pair, const struct pair_setup *setup, const gnutls_datum_t *ticket_key);
/* Both sides in turn until both are done or one has failed: client_rc and server_rc are 0 or the error. */
void pair_handshake(struct pair *pair);
/* Lets the client read what came after the handshake (TLS 1.3 sends its tickets there). */
void pair_drain_client(struct pair *pair);
void pair_end(struct pair *pair);

#endif
