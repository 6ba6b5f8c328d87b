/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pair.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MAX 2000
#define SHAKE_MS 8000

static void must(int rc, const char *what)
{
	if (rc < 0)
		broken(what, gnutls_strerror(rc));
}

/* ---- what is shown ---- */

void offer_init(struct offer *offer, const struct world *world, const char *key, const char *const *certificates)
{
	memset(offer, 0, sizeof(*offer));
	must(gnutls_privkey_init(&offer->key), "a private key");
	must(gnutls_privkey_import_x509_raw(offer->key, world_item(world, "key", key), GNUTLS_X509_FMT_DER, NULL, 0), key);
	for (; certificates[offer->n]; offer->n++)
		must(gnutls_pcert_import_x509_raw(&offer->chain[offer->n],
						  world_item(world, "certificate", certificates[offer->n]),
						  GNUTLS_X509_FMT_DER, 0),
		     certificates[offer->n]);
}

void offer_raw_key(struct offer *offer, const struct world *world, const char *key)
{
	static const char *const none[] = { NULL };
	gnutls_pubkey_t public;
	gnutls_datum_t spki;

	offer_init(offer, world, key, none);
	must(gnutls_pubkey_init(&public), "a public key");
	must(gnutls_pubkey_import_privkey(public, offer->key, 0, 0), "gnutls_pubkey_import_privkey");
	must(gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &spki), "gnutls_pubkey_export2");
	must(gnutls_pcert_import_rawpk_raw(&offer->chain[0], &spki, GNUTLS_X509_FMT_DER, 0, 0), "a raw public key");
	gnutls_free(spki.data);
	gnutls_pubkey_deinit(public);
	offer->n = 1;
}

void offer_staple(struct offer *offer, unsigned place, const gnutls_datum_t *response)
{
	offer->staple[place].response = *response;
	if (offer->n_staples <= place)
		offer->n_staples = place + 1;
}

void offer_done(struct offer *offer)
{
	for (unsigned i = 0; i < offer->n; i++)
		gnutls_pcert_deinit(&offer->chain[i]);
	gnutls_privkey_deinit(offer->key);
}

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **chain,
		    unsigned *chain_len, gnutls_ocsp_data_st **staples, unsigned *staples_len, gnutls_privkey_t *key,
		    unsigned *flags)
{
	struct offer *offer = gnutls_session_get_ptr(session);

	(void)info;
	*flags = 0;
	*chain_len = *staples_len = 0;
	if (!offer)
		return 0;
	*chain = offer->chain;
	*chain_len = offer->n;
	*staples = offer->staple;
	*staples_len = offer->n_staples;
	*key = offer->key;
	return 0;
}

/* ---- credentials ---- */

void pair_credentials_init(struct pair_credentials *out, const struct world *world, const char *trusted)
{
	gnutls_certificate_credentials_t *both[] = { &out->client, &out->server };

	for (unsigned i = 0; i < 2; i++) {
		must(gnutls_certificate_allocate_credentials(both[i]), "credentials");
		must(gnutls_certificate_set_x509_trust_mem(*both[i], world_item(world, "certificate", trusted),
							   GNUTLS_X509_FMT_DER),
		     "trust");
		gnutls_certificate_set_retrieve_function3(*both[i], retrieve);
	}
	must(gnutls_session_ticket_key_generate(&out->ticket_key), "a ticket key");
}

void pair_credentials_done(struct pair_credentials *credentials)
{
	gnutls_certificate_free_credentials(credentials->client);
	gnutls_certificate_free_credentials(credentials->server);
	gnutls_free(credentials->ticket_key.data);
}

/* ---- two sessions ---- */

static gnutls_session_t session_of(const char *version, unsigned flags, int fd, gnutls_certificate_credentials_t credentials,
				   const struct offer *offer)
{
	gnutls_session_t session;
	char priority[64];
	bool is_datagram = strcmp(version, "dtls") == 0;

	must(gnutls_init(&session, flags | GNUTLS_NONBLOCK | GNUTLS_ENABLE_RAWPK | (is_datagram ? GNUTLS_DATAGRAM : 0)),
	     "a session");
	snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+VERS-%s%s", is_datagram ? "" : "TLS",
		 is_datagram ? "DTLS1.2" : version);
	must(gnutls_priority_set_direct(session, priority, NULL), priority);
	must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), "gnutls_credentials_set");
	gnutls_session_set_ptr(session, (void *)offer);
	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, SHAKE_MS);
	if (is_datagram)
		gnutls_dtls_set_timeouts(session, 1000, SHAKE_MS);
	return session;
}

void pair_init(struct pair *pair, const struct pair_credentials *credentials, const char *version,
	       const struct offer *server, const struct offer *client)
{
	int type = strcmp(version, "dtls") == 0 ? SOCK_DGRAM : SOCK_STREAM;

	*pair = (struct pair){ .server_alert = -1 };
	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fd) < 0)
		broken("socketpair", strerror(errno));
	pair->client = session_of(version, GNUTLS_CLIENT, pair->fd[0], credentials->client, client);
	pair->server = session_of(version, GNUTLS_SERVER, pair->fd[1], credentials->server, server);
	must(gnutls_session_ticket_enable_server(pair->server, &credentials->ticket_key), "tickets");
	if (client)
		gnutls_certificate_server_set_request(pair->server, GNUTLS_CERT_REQUEST);
}

static bool is_over(int rc)
{
	return rc == GNUTLS_E_SUCCESS || (rc < 0 && gnutls_error_is_fatal(rc));
}

/* One after the other until both ended, so nothing ever waits; what cannot go on is ended by the count. */
void pair_shake(struct pair *pair)
{
	pair->client_rc = pair->server_rc = GNUTLS_E_AGAIN;
	for (unsigned i = 0; i < ROUNDS_MAX && !(is_over(pair->client_rc) && is_over(pair->server_rc)); i++) {
		if (!is_over(pair->client_rc))
			pair->client_rc = gnutls_handshake(pair->client);
		if (!is_over(pair->server_rc))
			pair->server_rc = gnutls_handshake(pair->server);
	}
	if (pair->server_rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
		pair->server_alert = (int)gnutls_alert_get(pair->server);
}

static bool carry(gnutls_session_t from, gnutls_session_t to)
{
	char byte = 'x';
	ssize_t rc = gnutls_record_send(from, &byte, 1);

	for (unsigned i = 0; i < ROUNDS_MAX && rc == 1; i++) {
		ssize_t got = gnutls_record_recv(to, &byte, 1);
		if (got == 1 || (got < 0 && gnutls_error_is_fatal((int)got)))
			return got == 1;
	}
	return false;
}

bool pair_transfer(struct pair *pair)
{
	return carry(pair->client, pair->server) && carry(pair->server, pair->client);
}

void pair_done(struct pair *pair)
{
	gnutls_deinit(pair->client);
	gnutls_deinit(pair->server);
	close(pair->fd[0]);
	close(pair->fd[1]);
}
