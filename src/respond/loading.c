/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/loading.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "respond/tell.h"
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct authority *, cleanup_authority, authority_unref)

/* ---- watching ---- */

#define PATHS_MAX 260 /* of one item: CRLs (256 at most), or certificates and keys */

struct paths {
	const char *path[PATHS_MAX];
	size_t n;
};

static void add(struct paths *paths, const char *path)
{
	if (path && strncmp(path, "pkcs11:", 7) != 0 && paths->n < PATHS_MAX)
		paths->path[paths->n++] = path;
}

static struct paths source_paths(const struct source_files *files)
{
	struct paths paths = { .n = 0 };

	if (files->kind == SOURCE_INDEX)
		add(&paths, files->index);
	for (size_t i = 0; files->kind == SOURCE_CRL && i < files->n_crl; i++)
		add(&paths, files->crl[i]);
	add(&paths, files->issued);
	return paths;
}

static struct paths signer_paths(const struct authority_conf *conf)
{
	struct paths paths = { .n = 0 };

	add(&paths, conf->ca);
	for (size_t i = 0; i < conf->n_signers; i++) {
		add(&paths, conf->signers[i].cert);
		add(&paths, conf->signers[i].key);
		add(&paths, conf->signers[i].password_file);
	}
	return paths;
}

int loading_watch_relay(struct watch *watch, const struct respond_conf *conf, int64_t now_ms, struct clinch_error *err)
{
	struct relay_paths paths = { .n = 0 };

	if (!conf->relay.n_chains)
		return 0;
	bool good = relay_paths(&paths, &conf->relay) &&
		    watch_set(watch, loading_item(LOADING_RELAY, 0), (const char *const *)paths.path, paths.n, now_ms);
	relay_paths_done(&paths);
	return good ? 0 : error_set(err, CLINCH_E_MEMORY, "no memory to watch the files of the relay");
}

int loading_watch(struct watch *watch, const struct respond_conf *conf, int64_t now_ms, struct clinch_error *err)
{
	int code = loading_watch_relay(watch, conf, now_ms, err);
	bool good = code == 0;

	for (size_t i = 0; good && i < conf->n_authorities; i++) {
		const struct authority_conf *ca = &conf->authority[i].conf;
		struct paths source = source_paths(&ca->source), signers = signer_paths(ca);
		good = watch_set(watch, loading_item(LOADING_SOURCE, i), source.path, source.n, now_ms) &&
		       watch_set(watch, loading_item(LOADING_SIGNERS, i), signers.path, signers.n, now_ms);
	}
	return good || code < 0 ? code : error_set(err, CLINCH_E_MEMORY, "no memory to watch the files");
}

/* ---- one CA ---- */

struct told {
	const struct respond_hooks *hooks;
	const char *ca; /* its file: it has no name yet */
};

static void on_warning(const char *sentence, void *user)
{
	const struct told *told = user;

	respond_say(told->hooks, RESPOND_NOTICE, RESPOND_WARNING, told->ca, sentence);
}

static int load_authority(struct authority **out, const struct respond_authority *conf, const struct respond_hooks *hooks,
			  int64_t now, struct clinch_error *err)
{
	struct told told = { hooks, conf->conf.ca };

	return authority_load(out, &conf->conf, now, on_warning, &told, err);
}

static int load_source(struct source **out, const struct respond_authority *conf, const struct authority *authority,
		       const struct source *before, int64_t now, struct clinch_error *err)
{
	auto_source *source = NULL;
	const struct source_succession how = { now, authority->archive_cutoff_s, conf->accepted, conf->n_accepted };
	int code = source_load(&source, &conf->conf.source, authority->issuer, now, err);

	if (code == 0 && before)
		code = source_succeeds(before, source, &how, err);
	if (code == 0)
		*out = TAKE(source);
	return code;
}

static void tell_loaded(const struct respond_hooks *hooks, const struct snapshot_ca *ca, const char *what)
{
	respond_tell(hooks, (struct respond_event){ .kind = RESPOND_LOADED,
						    .level = RESPOND_INFO,
						    .authority = ca->authority->name,
						    .text = what,
						    .n = (int64_t)source_size(ca->source) });
}

/* "its source: index.txt"; of CRLs the first. */
static void tell_source(const struct respond_hooks *hooks, const struct snapshot_ca *ca, const struct source_files *files)
{
	char text[512];

	snprintf(text, sizeof(text), "its source: %s%s", files->n_crl ? files->crl[0] : files->index,
		 files->n_crl > 1 ? " and more" : "");
	tell_loaded(hooks, ca, text);
}

static void tell_odd(const struct respond_hooks *hooks, const struct snapshot_ca *ca)
{
	if (source_odd(ca->source))
		respond_say(hooks, RESPOND_NOTICE, RESPOND_WARNING, ca->authority->name, source_odd(ca->source));
}

/* By name and key, as a CertID has it: a certificate that was renewed is the same CA's, and takes no revocation back. */
static bool is_same_ca(const struct authority *a, const struct authority *b)
{
	const struct issuer *one = a->issuer, *other = b->issuer;

	return der_equals(one->view.subject, other->view.subject) && der_equals(one->view.spki, other->view.spki);
}

static const struct source *source_before(const struct snapshot *before, const struct authority *authority)
{
	for (size_t i = 0; before && i < before->n; i++)
		if (is_same_ca(before->ca[i].authority, authority))
			return before->ca[i].source;
	return NULL;
}

/* Beside the source and the authority, which are in `ca` already. */
static void complete(struct snapshot_ca *ca, const struct respond_authority *conf)
{
	ca->id = snapshot_ca_id(ca->authority, conf->refresh_s);
	ca->prepare = conf->prepare;
	ca->refresh_s = conf->refresh_s;
}

/* ---- everything ---- */

struct parts { /* owned */
	size_t n;
	struct snapshot_ca *ca;
	struct relay *relay;
};

static void parts_done(struct parts *parts)
{
	for (size_t i = 0; parts->ca && i < parts->n; i++) {
		authority_unref(parts->ca[i].authority);
		source_unref(parts->ca[i].source);
	}
	free(parts->ca);
	relay_unref(parts->relay);
}

#define auto_parts __attribute__((cleanup(parts_done))) struct parts

static int parts_new(struct parts *parts, size_t n, struct clinch_error *err)
{
	parts->ca = calloc(n + 1, sizeof(*parts->ca));
	parts->n = n;
	return parts->ca ? 0 : error_set(err, CLINCH_E_MEMORY, "no memory for the CAs");
}

static void on_relay_told(const char *sentence, void *user)
{
	respond_say(user, RESPOND_NOTICE, RESPOND_WARNING, NULL, sentence);
}

static int load_relay(struct relay **out, const struct respond_conf *conf, const struct relay *before,
		      const struct respond_hooks *hooks, int64_t now, struct clinch_error *err)
{
	struct relay_hooks told = { on_relay_told, (void *)(uintptr_t)hooks };
	int code = conf->relay.n_chains ? relay_load(out, &conf->relay, before, now, &told, err) : 0;

	if (code == 0 && *out)
		respond_tell(hooks, (struct respond_event){ .kind = RESPOND_RELAYS,
							    .level = before ? RESPOND_DEBUG : RESPOND_INFO,
							    .n = (int64_t)relay_size(*out) });
	return code;
}

int loading_all(struct snapshot **out, const struct respond_conf *conf, const struct snapshot *before,
		const struct respond_hooks *hooks, int64_t now, struct clinch_error *err)
{
	auto_parts parts = { .n = 0 };
	int code = parts_new(&parts, conf->n_authorities, err);

	for (size_t i = 0; i < conf->n_authorities && code == 0; i++) {
		struct snapshot_ca *ca = &parts.ca[i];
		code = load_authority(&ca->authority, &conf->authority[i], hooks, now, err);
		if (code == 0)
			code = load_source(&ca->source, &conf->authority[i], ca->authority,
					   source_before(before, ca->authority), now, err);
		if (code == 0)
			complete(ca, &conf->authority[i]);
	}
	if (code == 0)
		code = load_relay(&parts.relay, conf, before ? before->relay : NULL, hooks, now, err);
	if (code == 0)
		code = snapshot_new(out, conf, parts.ca, parts.n, parts.relay, err);
	for (size_t i = 0; code == 0 && i < (*out)->n; i++) {
		tell_loaded(hooks, &(*out)->ca[i], before ? "all of it, anew" : "");
		tell_odd(hooks, &(*out)->ca[i]);
	}
	return code;
}

static int reload_source(struct snapshot_ca *ca, const struct respond_authority *conf, int64_t now, struct clinch_error *err)
{
	auto_source *source = NULL;
	int code = load_source(&source, conf, ca->authority, ca->source, now, err);

	if (code < 0)
		return code;
	source_unref(ca->source);
	ca->source = TAKE(source);
	return 0;
}

/* Another CA has another source too: what was read was checked with the key before. */
static int reload_signers(struct snapshot_ca *ca, const struct respond_authority *conf, const struct respond_hooks *hooks,
			  int64_t now, struct clinch_error *err)
{
	AUTO(cleanup_authority) struct authority *authority = NULL;
	auto_source *source = NULL;
	int code = load_authority(&authority, conf, hooks, now, err);

	if (code == 0 && !is_same_ca(authority, ca->authority))
		code = load_source(&source, conf, authority, NULL, now, err);
	if (code < 0)
		return code;
	authority_unref(ca->authority);
	ca->authority = TAKE(authority);
	if (source) {
		source_unref(ca->source);
		ca->source = TAKE(source);
	}
	return 0;
}

static int reload_item(struct parts *parts, const struct respond_conf *conf, unsigned item, const struct snapshot *before,
		       const struct respond_hooks *hooks, int64_t now, struct clinch_error *err)
{
	size_t place = loading_ca(item);

	if (loading_kind(item) == LOADING_RELAY)
		return load_relay(&parts->relay, conf, before->relay, hooks, now, err);
	parts->relay = before->relay ? relay_ref(before->relay) : NULL;
	struct snapshot_ca *ca = &parts->ca[place];
	bool is_source = loading_kind(item) == LOADING_SOURCE;
	int code = is_source ? reload_source(ca, &conf->authority[place], now, err)
			     : reload_signers(ca, &conf->authority[place], hooks, now, err);
	if (code < 0)
		return code;
	complete(ca, &conf->authority[place]);
	if (!is_source) {
		tell_loaded(hooks, ca, "its signers");
		return 0;
	}
	tell_source(hooks, ca, &conf->authority[place].conf.source);
	tell_odd(hooks, ca);
	return 0;
}

int loading_one(struct snapshot **out, const struct respond_conf *conf, unsigned item, const struct snapshot *before,
		const struct respond_hooks *hooks, int64_t now, struct clinch_error *err)
{
	auto_parts parts = { .n = 0 };
	int code = parts_new(&parts, before->n, err);

	for (size_t i = 0; i < before->n && code == 0; i++) {
		parts.ca[i] = before->ca[i];
		authority_ref(parts.ca[i].authority);
		source_ref(parts.ca[i].source);
	}
	if (code == 0)
		code = reload_item(&parts, conf, item, before, hooks, now, err);
	return code < 0 ? code : snapshot_new(out, conf, parts.ca, parts.n, parts.relay, err);
}
