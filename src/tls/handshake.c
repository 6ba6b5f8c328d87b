/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stapler in a session: which certificate, and which staples with it. No I/O, no lock; the one allocation is at attaching.
 */
#include "tls/attach.h"
#include "tls/stapler.h"
#include <ctype.h>
#include <string.h>
#include <time.h>

struct stapling {
	clinch_stapler_t *stapler; /* references, all three, until gnutls_deinit() */
	struct set *set;
	struct staples *staples; /* NULL until a certificate was chosen */
	bool is_client;
	int sent;
	struct hello hello;
	/* What GnuTLS is given, and goes on pointing to after the handshake (gnutls_certificate_get_ours()). */
	gnutls_ocsp_data_st ocsp[IDENTITY_CHAIN_MAX];
};

static void stapling_free(void *data)
{
	struct stapling *stapling = data;

	if (stapling->staples)
		counted_unref(&stapling->staples->counted);
	counted_unref(&stapling->set->counted);
	stapler_unref(stapling->stapler);
	free(stapling);
}

static int on_client_hello(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			   const gnutls_datum_t *message)
{
	struct stapling *stapling = attach_get(session, ATTACHED_STAPLER);

	(void)type;
	(void)when;
	/* What cannot be parsed here is GnuTLS's to refuse. */
	if (stapling && incoming && message)
		hello_parse(&stapling->hello, message->data, message->size);
	return 0;
}

/* Lower-case; "" when the client named none, or something that is no host name. */
static void host_of(gnutls_session_t session, char host[256])
{
	size_t len = 255;
	unsigned type;

	if (gnutls_server_name_get(session, host, &len, &type, 0) < 0 || type != GNUTLS_NAME_DNS || len > 255) {
		host[0] = '\0';
		return;
	}
	host[len] = '\0';
	for (char *at = host; *at; at++)
		*at = (char)tolower((unsigned char)*at);
}

static struct identity *choose_for_server(const struct stapling *stapling, gnutls_session_t session)
{
	char host[256];
	const struct set_wish wish = {
		.host = host,
		.hello = &stapling->hello,
		.is_tls13 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3,
	};

	host_of(session, host);
	return set_choose(stapling->set, &wish);
}

/* The server has said which keys it takes. */
static struct identity *choose_for_client(const struct stapling *stapling, const struct gnutls_cert_retr_st *info)
{
	const struct set *set = stapling->set;

	for (unsigned i = 0; i < set->n; i++)
		for (unsigned j = 0; j < info->pk_algos_length; j++)
			if ((int)info->pk_algos[j] == gnutls_privkey_get_pk_algorithm(set->identity[i]->key, NULL))
				return set->identity[i];
	return info->pk_algos_length ? NULL : set->identity[0];
}

static bool may_send(const struct stapling *stapling, unsigned place, int64_t now)
{
	const clinch_response_t *response = stapling->staples->response[place];

	if (!response || now >= stapling->staples->until[place])
		return false;
	return !stapling->stapler->drop_revoked || clinch_response_verdict(response)->status != CLINCH_REVOKED;
}

/* Place by place; a missing one stays empty, so that none gets into another's. The number of places to give. */
static unsigned fill(struct stapling *stapling, unsigned places, int64_t now)
{
	unsigned last = 0;

	stapling->sent = 0;
	memset(stapling->ocsp, 0, sizeof(stapling->ocsp));
	for (unsigned i = 0; i < places; i++) {
		if (!may_send(stapling, i, now))
			continue;
		stapling->ocsp[i].response = clinch_response_der(stapling->staples->response[i]);
		stapling->ocsp[i].exptime = (time_t)stapling->staples->until[i];
		stapling->sent++;
		last = i + 1;
	}
	return last;
}

/*
 * RFC 8446 4.4.2.1: a client's staple is an answer to the status_request in the server's CertificateRequest, which TLS 1.2
 * has not; GnuTLS sends it only where the client asked for the server's as well, which clinch_client_attach() does.
 */
static bool may_staple(const struct stapling *stapling, gnutls_session_t session)
{
	return !stapling->is_client ||
	       (gnutls_protocol_get_version(session) == GNUTLS_TLS1_3 && attach_get(session, ATTACHED_CLIENT));
}

static bool is_refused(const struct stapling *stapling, const struct identity *identity)
{
	return stapling->stapler->refuse_unstapled && identity->must_staple && !stapling->is_client &&
	       !stapling->ocsp[0].response.size;
}

int stapler_on_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
			unsigned *n_certs, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key,
			unsigned *flags)
{
	struct stapling *stapling = attach_get(session, ATTACHED_STAPLER);

	if (!stapling)
		return -1;
	struct identity *identity =
		stapling->is_client ? choose_for_client(stapling, info) : choose_for_server(stapling, session);
	*n_certs = 0;
	*n_ocsp = 0;
	*flags = 0;
	if (!identity)
		return 0; /* no certificate; a server without one fails the handshake */
	struct staples *staples = (struct staples *)counted_take(&identity->staples);
	if (stapling->staples)
		counted_unref(&stapling->staples->counted);
	stapling->staples = staples;
	*certs = identity->pcert;
	*n_certs = identity->n;
	*key = identity->key;
	*ocsp = stapling->ocsp;
	*n_ocsp = fill(stapling, may_staple(stapling, session) ? identity->n : 0, (int64_t)time(NULL));
	return is_refused(stapling, identity) ? -1 : 0;
}

/* GnuTLS tells nobody which end a session is; a client is refused the server name it asked for. */
static bool is_client_session(gnutls_session_t session)
{
	char host[256];
	size_t len = sizeof(host);
	unsigned type;

	return gnutls_server_name_get(session, host, &len, &type, 0) == GNUTLS_E_INVALID_REQUEST;
}

int clinch_stapler_attach(clinch_stapler_t *stapler, gnutls_session_t session)
{
	if (attach_get(session, ATTACHED_STAPLER))
		return CLINCH_E_ARGUMENT;
	struct set *set = (struct set *)counted_take(&stapler->set);
	struct stapling *stapling = set->n ? calloc(1, sizeof(*stapling)) : NULL;
	if (!stapling) {
		int code = set->n ? CLINCH_E_MEMORY : CLINCH_E_MISSING;
		counted_unref(&set->counted);
		return code;
	}
	atomic_fetch_add_explicit(&stapler->refs, 1, memory_order_relaxed);
	stapling->stapler = stapler;
	stapling->set = set;
	stapling->sent = -1;
	stapling->is_client = is_client_session(session);
	int code = attach_put(session, ATTACHED_STAPLER, "clinch stapler", stapling, stapling_free);
	if (code < 0) {
		stapling_free(stapling);
		return code;
	}
	if (!stapling->is_client)
		gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE, on_client_hello);
	int rc = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, stapler->credentials);
	return rc == GNUTLS_E_MEMORY_ERROR ? CLINCH_E_MEMORY : rc < 0 ? CLINCH_E_GNUTLS : 0;
}

int clinch_stapler_sent(gnutls_session_t session)
{
	const struct stapling *stapling = attach_get(session, ATTACHED_STAPLER);

	return stapling ? stapling->sent : -1;
}
