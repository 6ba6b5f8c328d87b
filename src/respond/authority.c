/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/authority.h"
#include "base/error.h"
#include "base/time.h"
#include "ocsp/describe.h"
#include "respond/token.h"
#include "x509/chain.h"
#include "x509/private_key.h"
#include <stdio.h>
#include <string.h>

struct authority_signer {
	struct ocsp_signer *signer;
	signer_id id;
	int64_t not_before, not_after;
	char *name; /* for messages */
};

struct load {
	struct authority *authority;
	const struct authority_conf *conf;
	int64_t now;
	void (*warn)(const char *sentence, void *user);
	void *user;
};

/* ---- one signer ---- */

/* The sentence of `code`, with the name of what it is about in front. */
static int about(struct clinch_error *err, int code, const char *name)
{
	if (!err)
		return code;
	const struct clinch_error cause = *err;
	error_set(err, code, "%s: %s", name, cause.text);
	err->gnutls = cause.gnutls;
	err->sys_errno = cause.sys_errno;
	return code;
}

static int load_key(gnutls_privkey_t *out, const struct signer_conf *conf, struct clinch_error *err)
{
	if (private_key_is_url(conf->key) && !conf->password_file) /* both: it says why not */
		return token_key_open(out, conf->key, err);
	return private_key_load(out, conf->key, conf->password_file, err);
}

/* "ocsp.pem with the key ocsp.key"; of a URL no attribute of its query, where a PIN may stand. */
static char *name_signer(const struct signer_conf *conf)
{
	size_t key_len = private_key_is_url(conf->key) ? strcspn(conf->key, "?") : strlen(conf->key);
	char *name = NULL;

	return asprintf(&name, "%s with the key %.*s", conf->cert, (int)key_len, conf->key) < 0 ? NULL : name;
}

/* Signed the other way it is another signer: what was kept of it goes, as what another certificate signed. */
static signer_id id_of(const struct ocsp_signer *signer, bool pss)
{
	signer_id id;

	memcpy(&id, ocsp_signer_fingerprint(signer), sizeof(id));
	id ^= pss;
	return id ? id : 2;
}

static int load_signer(struct authority_signer *signer, const struct signer_conf *conf, const struct load *load,
		       struct clinch_error *err)
{
	auto_chain chain = { .n = 0 };
	gnutls_privkey_t key = NULL;
	unsigned options = (conf->pss ? OCSP_SIGNER_PSS : 0u) | (load->conf->by_name ? OCSP_SIGNER_BY_NAME : 0u);
	int code = chain_read(&chain, conf->cert, err);

	if (code < 0)
		return code;
	signer->name = name_signer(conf);
	if (!signer->name)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a signer");
	code = load_key(&key, conf, err);
	if (code < 0)
		return code; /* its sentence names the key */
	code = ocsp_signer_new(&signer->signer, &chain.cert[0], load->authority->issuer, key, options, err);
	if (code < 0)
		return about(err, code, signer->name);
	signer->id = id_of(signer->signer, conf->pss);
	signer->not_before = ocsp_signer_not_before(signer->signer);
	signer->not_after = ocsp_signer_not_after(signer->signer);
	return 0;
}

/* In its last second it could only sign what is over at once. */
static bool is_valid(const struct authority_signer *signer, int64_t now)
{
	return now >= signer->not_before && now < signer->not_after;
}

static void drop_signer(struct authority_signer *signer)
{
	ocsp_signer_unref(signer->signer);
	free(signer->name);
}

/* ---- loading ---- */

static void warn(const struct load *load, const char *name, const char *what)
{
	char sentence[400];

	if (!load->warn)
		return;
	snprintf(sentence, sizeof(sentence), "%s: %s", name, what);
	load->warn(sentence, load->user);
}

static void warn_of_signer(const struct load *load, const struct authority_signer *signer)
{
	struct clinch_error err = { 0 };

	if (ocsp_signer_check(signer->signer, load->now, &err) < 0)
		warn(load, signer->name, err.text);
	if (ocsp_signer_is_delegate(signer->signer) && !ocsp_signer_has_nocheck(signer->signer))
		warn(load, signer->name,
		     "the signer has no id-pkix-ocsp-nocheck: some clients would ask for its own status");
	if (ocsp_signer_lacks_usage(signer->signer))
		warn(load, signer->name,
		     "the CA signs itself, and its keyUsage lacks digitalSignature: some clients refuse its answers");
}

/* At least one must be able to sign now; the others may come later, or be left over. */
static int check_validity(const struct load *load, struct clinch_error *err)
{
	const struct authority *authority = load->authority;
	const struct authority_signer *first = &authority->signer[0];

	if (authority_signs_until(authority, load->now) == INT64_MIN)
		return about(err, ocsp_signer_check(first->signer, load->now, err), first->name);
	for (size_t i = 0; i < authority->n_signers; i++)
		warn_of_signer(load, &authority->signer[i]);
	return 0;
}

static int load_signers(const struct load *load, struct clinch_error *err)
{
	struct authority *authority = load->authority;
	const struct authority_conf *conf = load->conf;

	if (conf->n_signers < 1 || conf->n_signers > AUTHORITY_SIGNERS_MAX)
		return error_set(err, CLINCH_E_ARGUMENT, "%s: a CA has 1 to %d signers", conf->ca, AUTHORITY_SIGNERS_MAX);
	authority->signer = calloc(conf->n_signers, sizeof(*authority->signer));
	if (!authority->signer)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a signer");
	for (; authority->n_signers < conf->n_signers; authority->n_signers++) {
		struct authority_signer *signer = &authority->signer[authority->n_signers];
		int code = load_signer(signer, &conf->signers[authority->n_signers], load, err);
		if (code < 0) {
			drop_signer(signer);
			return code;
		}
	}
	return check_validity(load, err);
}

/* A root of before version 3 has no extension that could say that it is one. */
static bool is_ca(const struct cert_view *view)
{
	return cert_view_is_ca(view) || (der_at_end(&view->extensions) && cert_view_self_issued(view));
}

static int load_ca(const struct load *load, struct clinch_error *err)
{
	auto_chain chain = { .n = 0 };
	struct authority *authority = load->authority;
	const char *path = load->conf->ca;
	char text[TIME_TEXT_SIZE], sentence[100];
	int code = chain_read(&chain, path, err);

	if (code < 0)
		return code;
	code = issuer_new(&authority->issuer, &chain.cert[0], err);
	if (code < 0)
		return about(err, code, path);
	const struct cert_view *view = &authority->issuer->view;
	if (!is_ca(view))
		return error_set(err, CLINCH_E_ARGUMENT, "%s: is not the certificate of a CA: its basicConstraints say so",
				 path);
	if (load->now > view->not_after) {
		snprintf(sentence, sizeof(sentence), "the CA's certificate was valid until %s",
			 time_format(text, view->not_after));
		warn(load, path, sentence);
	}
	return 0;
}

static void name_authority(struct authority *authority, const char *path)
{
	auto_datum text = { NULL, 0 };

	if (ocsp_name_text(&text, authority->issuer->view.subject) && text.size > 0)
		error_printable(authority->name, sizeof(authority->name), text.data, text.size);
	else
		error_printable(authority->name, sizeof(authority->name), path, strlen(path));
}

static int check_times(const struct authority_conf *conf, struct clinch_error *err)
{
	if (conf->validity_s < 1)
		return error_set(err, CLINCH_E_ARGUMENT, "%s: an answer is valid for one second at least", conf->ca);
	return conf->archive_cutoff_s < 0 ? error_set(err, CLINCH_E_ARGUMENT, "%s: an archive begins in the past", conf->ca)
					  : 0;
}

int authority_load(struct authority **out, const struct authority_conf *conf, int64_t now,
		   void (*tell)(const char *sentence, void *user), void *user, struct clinch_error *err)
{
	struct load load = { .conf = conf, .now = now, .warn = tell, .user = user };
	int code = check_times(conf, err);

	if (code < 0)
		return code;
	struct authority *authority = calloc(1, sizeof(*authority));
	if (!authority)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a CA");
	atomic_init(&authority->refs, 1);
	pthread_mutex_init(&authority->fault_lock, NULL);
	authority->never_issued = conf->never_issued;
	authority->nonce = conf->nonce;
	authority->validity_s = conf->validity_s;
	authority->archive_cutoff_s = conf->archive_cutoff_s;
	authority->by_name = conf->by_name;
	load.authority = authority;
	code = load_ca(&load, err);
	if (code == 0)
		code = load_signers(&load, err);
	if (code < 0) {
		authority_unref(authority);
		return code;
	}
	name_authority(authority, conf->ca);
	*out = authority;
	return 0;
}

struct authority *authority_ref(struct authority *authority)
{
	if (authority)
		atomic_fetch_add_explicit(&authority->refs, 1, memory_order_relaxed);
	return authority;
}

void authority_unref(struct authority *authority)
{
	if (!authority || atomic_fetch_sub_explicit(&authority->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < authority->n_signers; i++)
		drop_signer(&authority->signer[i]);
	free(authority->signer);
	issuer_unref(authority->issuer);
	pthread_mutex_destroy(&authority->fault_lock);
	free(authority);
}

/* ---- signing ---- */

int64_t authority_signs_until(const struct authority *authority, int64_t now)
{
	for (size_t i = 0; i < authority->n_signers; i++)
		if (is_valid(&authority->signer[i], now))
			return authority->signer[i].not_after;
	return INT64_MIN;
}

bool authority_has_signer(const struct authority *authority, signer_id id)
{
	for (size_t i = 0; i < authority->n_signers; i++)
		if (authority->signer[i].id == id)
			return true;
	return false;
}

static int sign_with(gnutls_datum_t *out, const struct authority_signer *signer, struct ocsp_single *single, size_t n,
		     int64_t now, const struct der *nonce, struct clinch_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (single[i].next_update > signer->not_after)
			single[i].next_update = signer->not_after;
	int code = ocsp_sign(out, signer->signer, single, n, now, nonce, err);
	return code < 0 ? about(err, code, signer->name) : 0;
}

static int sign_with_any(gnutls_datum_t *out, struct authority *authority, struct ocsp_single *single, size_t n, int64_t now,
			 const struct der *nonce, signer_id *id, struct clinch_error *err)
{
	int code = error_set(err, CLINCH_E_MISSING, "%s: none of its signers is valid now", authority->name);

	for (size_t i = 0; i < authority->n_signers; i++) {
		const struct authority_signer *signer = &authority->signer[i];
		if (!is_valid(signer, now))
			continue;
		code = sign_with(out, signer, single, n, now, nonce, err);
		if (code == 0 && id)
			*id = signer->id;
		if (code != CLINCH_E_GNUTLS)
			return code;
	}
	return code;
}

/* Whoever signs takes no lock while all is well. */
static void note(struct authority *authority, int code, const char *why)
{
	if (code == 0 ? !atomic_load_explicit(&authority->fails, memory_order_relaxed) : code != CLINCH_E_GNUTLS)
		return;
	pthread_mutex_lock(&authority->fault_lock);
	snprintf(authority->fault, sizeof(authority->fault), "%s", code < 0 ? why : "");
	atomic_store_explicit(&authority->fails, code < 0, memory_order_relaxed);
	pthread_mutex_unlock(&authority->fault_lock);
}

int authority_sign(gnutls_datum_t *out, struct authority *authority, struct ocsp_single *single, size_t n, int64_t now,
		   const struct der *nonce, signer_id *id, struct clinch_error *err)
{
	struct clinch_error own = { .code = 0 };

	if (!err)
		err = &own;
	int code = sign_with_any(out, authority, single, n, now, nonce, id, err);
	note(authority, code, err->text);
	return code;
}

bool authority_fails(struct authority *authority, char *why, size_t size)
{
	pthread_mutex_lock(&authority->fault_lock);
	bool fails = atomic_load_explicit(&authority->fails, memory_order_relaxed);
	snprintf(why, size, "%s", authority->fault);
	pthread_mutex_unlock(&authority->fault_lock);
	return fails;
}
