/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration made into what connections need. */
#include "serve/state.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "serve/load.h"
#include <string.h>

/* TLS 1.2 and 1.3, with forward secrecy. */
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA"

DEFINE_CLEANUP(struct state *, cleanup_state, state_unref)
#define auto_state AUTO(cleanup_state) struct state *

struct state *state_ref(struct state *state)
{
	atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
	return state;
}

void state_unref(struct state *state)
{
	if (!state || atomic_fetch_sub_explicit(&state->refs, 1, memory_order_acq_rel) != 1)
		return;
	clinch_stapler_free(state->stapler);
	clinch_stapler_free(state->waiting);
	if (state->priority)
		gnutls_priority_deinit(state->priority);
	for (unsigned i = 0; i < state->n_alpn; i++)
		free(state->alpn[i].data);
	free(state->certificate);
	free(state);
}

/* ---- judging by the text alone ---- */

static int check_alpn(const struct serve_conf *conf, struct clinch_error *err)
{
	if (conf->n_alpn > STATE_ALPN_MAX)
		return error_set(err, CLINCH_E_ARGUMENT, "alpn: at most %d protocols, not %zu", STATE_ALPN_MAX,
				 conf->n_alpn);
	for (size_t i = 0; i < conf->n_alpn; i++)
		if (!*conf->alpn[i] || strlen(conf->alpn[i]) > 255)
			return error_set(err, CLINCH_E_ARGUMENT,
					 "alpn: the name of a protocol has 1 to 255 bytes (RFC 7301)");
	return 0;
}

static int check_certificates(const struct serve_conf *conf, struct clinch_error *err)
{
	if (conf->n_certificates == 0)
		return error_set(err, CLINCH_E_ARGUMENT, "certificates: there is none; a server needs a chain and its key");
	for (size_t i = 0; i < conf->n_certificates; i++)
		if (!conf->certificate[i].chain || !conf->certificate[i].key)
			return error_set(err, CLINCH_E_ARGUMENT, "certificates: the %s of certificate %zu is missing",
					 conf->certificate[i].chain ? "key" : "chain", i + 1);
	return 0;
}

int state_check(const struct serve_conf *conf, struct clinch_error *err)
{
	struct endpoint address;
	int code = 0;

	if (conf->n_listen == 0)
		return error_set(err, CLINCH_E_ARGUMENT, "listen: there is no address to listen on");
	for (size_t i = 0; i < conf->n_listen && code == 0; i++)
		code = endpoint_parse(&address, conf->listen[i], false, "listen", err);
	if (code < 0)
		return code;
	if (!conf->backend)
		return error_set(err, CLINCH_E_ARGUMENT, "backend: it is missing; bytes have to go somewhere");
	if (!conf->store)
		return error_set(err, CLINCH_E_ARGUMENT, "store: the directory is missing");
	code = endpoint_parse(&address, conf->backend, true, "backend", err);
	code = code < 0 ? code : check_alpn(conf, err);
	return code < 0 ? code : check_certificates(conf, err);
}

/* ---- making ---- */

static int new_stapler(clinch_stapler_t **out, const struct serve_conf *conf, struct clinch_error *err)
{
	const struct clinch_stapler_options options = {
		.store_dir = conf->store,
		.issuers_file = conf->issuers,
		.drop_revoked = conf->drop_revoked,
		.refuse_unstapled = conf->refuse_unstapled,
	};

	return clinch_stapler_new(out, &options, err);
}

static int copy_alpn(struct state *state, const struct serve_conf *conf, struct clinch_error *err)
{
	for (size_t i = 0; i < conf->n_alpn; i++) {
		char *name = strdup(conf->alpn[i]);

		if (!name)
			return error_set(err, CLINCH_E_MEMORY, "no memory for the configuration");
		state->alpn[state->n_alpn++] = (gnutls_datum_t){ (unsigned char *)name, (unsigned)strlen(name) };
	}
	return 0;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static void copy_limits(struct state *state, const struct serve_conf *conf)
{
	state->proxy_protocol = conf->proxy_protocol;
	state->accept_proxy = conf->accept_proxy;
	state->tickets = !conf->no_tickets;
	state->connections = or_default(conf->connections, 20000);
	state->handshake_ms = or_default(conf->handshake_ms, 10000);
	state->connect_ms = or_default(conf->connect_ms, 5000);
	state->idle_ms = or_default(conf->idle_ms, 300000);
	state->drain_ms = or_default(conf->drain_ms, 30000);
	state->ready_timeout_ms = or_default(conf->ready_timeout_ms, 10000);
}

static int make_priority(struct state *state, const struct serve_conf *conf, struct clinch_error *err)
{
	const char *text = conf->priority ? conf->priority : PRIORITY, *at = text;
	int rc = gnutls_priority_init(&state->priority, text, &at);

	if (rc < 0)
		return error_set(err, CLINCH_E_ARGUMENT, "priority: GnuTLS does not understand \"%.100s\" at \"%.40s\"",
				 text, at);
	return 0;
}

void state_number(struct state *state)
{
	unsigned served = 0;

	for (unsigned i = 0; i < state->n_certificates; i++)
		if (!state->certificate[i].waits)
			state->certificate[i].index = served++;
}

/* Into the serving stapler or the waiting one; those of one stapler are numbered in the order of the configuration. */
static int load_certificates(struct state *state, const struct state *before, bool waiting, int64_t now,
			     struct clinch_error *err)
{
	auto_free struct clinch_stapler_pair *pairs = calloc(state->n_certificates, sizeof(*pairs));
	clinch_stapler_t *where = waiting ? state->waiting : state->stapler;
	unsigned n = 0;

	if (!pairs)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the certificates");
	for (unsigned i = 0; i < state->n_certificates; i++) {
		struct certificate *certificate = &state->certificate[i];

		if (certificate->waits != waiting)
			continue;
		certificate->where = where;
		certificate->index = n;
		pairs[n++] = (struct clinch_stapler_pair){ certificate->chain, certificate->key, i };
	}
	return n ? load_pairs(where, before ? before->stapler : NULL, pairs, n, now, err) : 0;
}

static int add_certificates(struct state *state, const struct serve_conf *conf, const struct state *before, int64_t now,
			    struct clinch_error *err)
{
	bool any_waits = false;

	state->certificate = calloc(conf->n_certificates, sizeof(*state->certificate));
	if (!state->certificate)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the certificates");
	for (size_t i = 0; i < conf->n_certificates; i++) {
		const struct serve_certificate *from = &conf->certificate[i];

		state->certificate[state->n_certificates++] =
			(struct certificate){ .chain = from->chain,
					      .key = from->key,
					      .responder = from->responder ? from->responder : conf->fallback,
					      .waits = from->wait };
		any_waits |= from->wait;
	}
	int code = new_stapler(&state->stapler, conf, err);
	if (code == 0 && any_waits)
		code = new_stapler(&state->waiting, conf, err);
	code = code < 0 ? code : load_certificates(state, before, false, now, err);
	return code < 0 || !any_waits ? code : load_certificates(state, before, true, now, err);
}

int state_new(struct state **out, const struct serve_conf *conf, const struct state *before, int64_t now,
	      struct clinch_error *err)
{
	auto_state state = calloc(1, sizeof(*state));
	int code = state_check(conf, err);

	if (code < 0)
		return code;
	if (!state)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the configuration");
	atomic_init(&state->refs, 1);
	copy_limits(state, conf);
	code = endpoint_parse(&state->backend, conf->backend, true, "backend", err);
	code = code < 0 ? code : make_priority(state, conf, err);
	code = code < 0 ? code : copy_alpn(state, conf, err);
	code = code < 0 ? code : add_certificates(state, conf, before, now, err);
	if (code < 0)
		return code;
	*out = TAKE(state);
	return 0;
}
