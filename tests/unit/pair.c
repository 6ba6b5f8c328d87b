/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pair.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "pair: %s: %s\n", what, gnutls_strerror(rc));
	abort();
}

static ssize_t push(struct pipe *pipe, const void *bytes, size_t len)
{
	if (len > sizeof(pipe->bytes) - pipe->len) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(pipe->bytes + pipe->len, bytes, len);
	pipe->len += len;
	return (ssize_t)len;
}

static ssize_t pull(struct pipe *pipe, gnutls_session_t session, void *bytes, size_t len)
{
	if (pipe->len == 0) {
		gnutls_transport_set_errno(session, EAGAIN);
		return -1;
	}
	size_t n = len < pipe->len ? len : pipe->len;
	memcpy(bytes, pipe->bytes, n);
	pipe->len -= n;
	memmove(pipe->bytes, pipe->bytes + n, pipe->len);
	return (ssize_t)n;
}

static ssize_t client_push(gnutls_transport_ptr_t pair, const void *bytes, size_t len)
{
	return push(&((struct pair *)pair)->to_server, bytes, len);
}

static ssize_t server_push(gnutls_transport_ptr_t pair, const void *bytes, size_t len)
{
	return push(&((struct pair *)pair)->to_client, bytes, len);
}

static ssize_t client_pull(gnutls_transport_ptr_t pair, void *bytes, size_t len)
{
	return pull(&((struct pair *)pair)->to_client, ((struct pair *)pair)->client, bytes, len);
}

static ssize_t server_pull(gnutls_transport_ptr_t pair, void *bytes, size_t len)
{
	return pull(&((struct pair *)pair)->to_server, ((struct pair *)pair)->server, bytes, len);
}

/* Everything stays the pair's: the flags are 0. */
static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
		    unsigned *n_certs, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
	struct pair *pair = gnutls_session_get_ptr(session);

	(void)info;
	*certs = pair->pcert;
	*n_certs = pair->n_chain;
	*ocsp = pair->ocsp;
	*n_ocsp = pair->n_chain;
	*key = pair->key;
	*flags = 0;
	return 0;
}

static void load_chain(struct pair *pair)
{
	const struct pair_setup *setup = pair->setup;

	for (unsigned i = 0; i < PAIR_CHAIN_MAX && setup->chain[i].len > 0; i++, pair->n_chain++) {
		const gnutls_datum_t der = blob_datum(setup->chain[i]);
		must(gnutls_pcert_import_x509_raw(&pair->pcert[i], &der, GNUTLS_X509_FMT_DER, 0), "certificate");
		pair->ocsp[i].version = 0;
		if (setup->staple[i].data)
			pair->ocsp[i].response = blob_datum(setup->staple[i]);
	}
	pair->key = maker_key(setup->key);
}

static void load_trust(struct pair *pair)
{
	const struct pair_setup *setup = pair->setup;
	const gnutls_datum_t crl = setup->crl.len > 0 ? blob_datum(setup->crl) : (gnutls_datum_t){ NULL, 0 };

	if (setup->trust.len > 0) {
		gnutls_x509_crt_t anchor = import_cert(setup->trust);
		must(gnutls_certificate_set_x509_trust(pair->client_cred, &anchor, 1), "trust");
		gnutls_x509_crt_deinit(anchor);
	}
	if (crl.size > 0)
		must(gnutls_certificate_set_x509_crl_mem(pair->client_cred, &crl, GNUTLS_X509_FMT_DER), "CRL");
}

static void begin_server(struct pair *pair, const gnutls_datum_t *ticket_key)
{
	must(gnutls_certificate_allocate_credentials(&pair->server_cred), "credentials");
	gnutls_certificate_set_retrieve_function3(pair->server_cred, retrieve);
	must(gnutls_init(&pair->server, GNUTLS_SERVER | GNUTLS_NONBLOCK), "server");
	must(gnutls_priority_set_direct(pair->server, pair->setup->priority, NULL), "priority");
	must(gnutls_credentials_set(pair->server, GNUTLS_CRD_CERTIFICATE, pair->server_cred), "server");
	if (pair->setup->tickets)
		must(gnutls_session_ticket_enable_server(pair->server, ticket_key), "tickets");
	gnutls_session_set_ptr(pair->server, pair);
	gnutls_transport_set_ptr(pair->server, pair);
	gnutls_transport_set_push_function(pair->server, server_push);
	gnutls_transport_set_pull_function(pair->server, server_pull);
}

static void begin_client(struct pair *pair)
{
	must(gnutls_certificate_allocate_credentials(&pair->client_cred), "credentials");
	load_trust(pair);
	must(gnutls_init(&pair->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), "client");
	must(gnutls_priority_set_direct(pair->client, pair->setup->priority, NULL), "priority");
	must(gnutls_credentials_set(pair->client, GNUTLS_CRD_CERTIFICATE, pair->client_cred), "client");
	gnutls_transport_set_ptr(pair->client, pair);
	gnutls_transport_set_push_function(pair->client, client_push);
	gnutls_transport_set_pull_function(pair->client, client_pull);
}

void pair_begin(struct pair *pair, const struct pair_setup *setup, const gnutls_datum_t *ticket_key)
{
	memset(pair, 0, sizeof(*pair));
	pair->setup = setup;
	pair->client_rc = pair->server_rc = GNUTLS_E_AGAIN;
	pair->alert_to_server = -1;
	load_chain(pair);
	begin_server(pair, ticket_key);
	begin_client(pair);
}

static bool is_open(int rc)
{
	return rc < 0 && !gnutls_error_is_fatal(rc);
}

static void step_client(struct pair *pair)
{
	if (pair->around_client)
		pair->around_client(true);
	pair->client_rc = gnutls_handshake(pair->client);
	if (pair->around_client)
		pair->around_client(false);
}

static void step_server(struct pair *pair)
{
	pair->server_rc = gnutls_handshake(pair->server);
	if (pair->server_rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
		pair->alert_to_server = (int)gnutls_alert_get(pair->server);
}

/* A TLS 1.3 server is done before it has heard an alert: it reads once more. */
static void hear_alert(struct pair *pair)
{
	char byte;

	if (pair->server_rc == 0 && pair->to_server.len > 0 &&
	    gnutls_record_recv(pair->server, &byte, 1) == GNUTLS_E_FATAL_ALERT_RECEIVED)
		pair->alert_to_server = (int)gnutls_alert_get(pair->server);
}

void pair_handshake(struct pair *pair)
{
	for (unsigned i = 0; i < 100; i++) {
		if (is_open(pair->client_rc))
			step_client(pair);
		if (is_open(pair->server_rc))
			step_server(pair);
		bool failed = (pair->client_rc < 0 && !is_open(pair->client_rc)) ||
			      (pair->server_rc < 0 && !is_open(pair->server_rc));
		if ((failed && pair->to_server.len == 0) || (!is_open(pair->client_rc) && !is_open(pair->server_rc)))
			break;
	}
	hear_alert(pair);
}

void pair_drain_client(struct pair *pair)
{
	char byte;

	while (pair->to_client.len > 0 && gnutls_record_recv(pair->client, &byte, 1) == GNUTLS_E_AGAIN)
		continue;
}

void pair_end(struct pair *pair)
{
	gnutls_deinit(pair->client);
	gnutls_deinit(pair->server);
	gnutls_certificate_free_credentials(pair->client_cred);
	gnutls_certificate_free_credentials(pair->server_cred);
	for (unsigned i = 0; i < pair->n_chain; i++)
		gnutls_pcert_deinit(&pair->pcert[i]);
}
