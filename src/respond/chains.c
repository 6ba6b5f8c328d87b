/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/chains.h"
#include "base/error.h"
#include "keep/issuers.h"
#include "keep/paths.h"
#include "respond/watch.h"
#include "x509/chain.h"
#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>
#include <time.h>

struct place {
	uint8_t fingerprint[FINGERPRINT_LEN];
	uint32_t path;
};

struct chains {
	atomic_uint refs;
	struct relay_paths paths; /* of chain files */
	struct place *place;      /* sorted */
	size_t n, size;
	struct issuers issuers;
	uint64_t *unknown; /* hashes of issuers' names that the system's trust does not have: asking it takes long */
	size_t n_unknown;
	uint64_t identity; /* of all files, as they were before they were read; 0: to be read again */
};

/* ---- paths ---- */

struct taking {
	struct relay_paths *files, *dirs;
	bool failed;
};

static bool add_path(struct relay_paths *paths, const char *path)
{
	if (paths->n == paths->size) {
		size_t size = paths->size ? 2 * paths->size : 64;
		char **grown = reallocarray(paths->path, size, sizeof(*grown));
		if (!grown)
			return false;
		paths->path = grown;
		paths->size = size;
	}
	paths->path[paths->n] = strdup(path);
	return paths->path[paths->n] && ++paths->n;
}

static void take_file(const char *path, void *user)
{
	struct taking *taking = user;

	taking->failed |= !add_path(taking->files, path);
}

static void take_dir(const char *path, void *user)
{
	struct taking *taking = user;

	taking->failed |= taking->dirs && !add_path(taking->dirs, path);
}

/* A directory that cannot be read now may be so later: it is watched, and passed over. */
static bool expand(struct relay_paths *files, struct relay_paths *dirs, const char *source)
{
	struct taking taking = { files, dirs, false };
	const struct paths_taker taker = { take_file, take_dir, &taking };

	(void)paths_expand(source, &taker);
	return !taking.failed;
}

static bool expand_chains(struct relay_paths *out, struct relay_paths *dirs, const struct relay_files *files)
{
	for (size_t i = 0; i < files->n_chains; i++)
		if (!expand(out, dirs, files->chain[i]))
			return false;
	return true;
}

bool relay_paths(struct relay_paths *out, const struct relay_files *files)
{
	*out = (struct relay_paths){ 0 };
	if (add_path(out, files->store) && expand_chains(out, out, files) &&
	    (!files->issuers || expand(out, out, files->issuers)))
		return true;
	relay_paths_done(out);
	return false;
}

void relay_paths_done(struct relay_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->path[i]);
	free(paths->path);
	*paths = (struct relay_paths){ 0 };
}

#define auto_paths __attribute__((cleanup(relay_paths_done))) struct relay_paths

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	for (const uint8_t *at = bytes, *end = at + len; at < end; at++)
		hash = (hash ^ *at) * UINT64_C(1099511628211);
	return hash;
}

static uint64_t identity_of(const struct relay_paths *paths, uint64_t hash)
{
	struct timespec now;
	struct stat st;

	for (size_t i = 0; i < paths->n && hash; i++) {
		bool there = stat(paths->path[i], &st) == 0;
		clock_gettime(CLOCK_REALTIME, &now);
		struct watch_stamp stamp = watch_stamp_of(there ? &st : NULL, now);
		hash = hash_bytes(hash, paths->path[i], strlen(paths->path[i]) + 1);
		hash = stamp.young ? 0 : hash_bytes(hash, &stamp.identity, sizeof(stamp.identity)) | 1;
	}
	return hash;
}

#define SEED UINT64_C(14695981039346656037)

/* ---- reading ---- */

static void say(const struct relay_hooks *hooks, const char *sentence)
{
	if (hooks && hooks->told)
		hooks->told(sentence, hooks->user);
}

static bool add_place(struct chains *chains, const gnutls_datum_t *cert, uint32_t path)
{
	struct place place = { .path = path };

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, cert->data, cert->size, place.fingerprint) < 0)
		return false;
	if (chains->n == chains->size) {
		size_t size = chains->size ? 2 * chains->size : 64;
		struct place *grown = reallocarray(chains->place, size, sizeof(*grown));
		if (!grown)
			return false;
		chains->place = grown;
		chains->size = size;
	}
	chains->place[chains->n++] = place;
	return true;
}

static bool read_file(struct chains *chains, uint32_t path, const struct relay_hooks *hooks)
{
	auto_chain chain = { .n = 0 };
	struct clinch_error err;

	if (chain_read(&chain, chains->paths.path[path], &err) < 0) {
		say(hooks, err.text);
		return err.code != CLINCH_E_MEMORY;
	}
	for (unsigned i = 0; i < chain.n; i++)
		if (!add_place(chains, &chain.cert[i], path))
			return false;
	return true;
}

/* The fingerprint alone orders them: of a certificate that is in many files, any will do. */
static int compare_places(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_LEN);
}

static void read_issuers(struct chains *chains, const struct relay_paths *paths, const struct relay_hooks *hooks)
{
	struct clinch_error err;

	for (size_t i = 0; i < paths->n; i++) {
		auto_chain chain = { .n = 0 };
		if (chain_read(&chain, paths->path[i], &err) < 0)
			say(hooks, err.text);
		for (unsigned j = 0; j < chain.n; j++)
			issuers_add(&chains->issuers, &chain.cert[j]); /* one with a key of no use issued nothing here */
	}
}

static bool read_all(struct chains *chains, const struct relay_files *files, const struct relay_hooks *hooks)
{
	auto_paths issuers = { 0 };

	if (!expand_chains(&chains->paths, NULL, files) || (files->issuers && !expand(&issuers, NULL, files->issuers)))
		return false;
	chains->identity = identity_of(&issuers, identity_of(&chains->paths, SEED));
	for (size_t i = 0; i < chains->paths.n; i++)
		if (!read_file(chains, (uint32_t)i, hooks))
			return false;
	errno = 0;
	read_issuers(chains, &issuers, hooks);
	if (errno == ENOMEM)
		chains->identity = 0;
	if (chains->n)
		qsort(chains->place, chains->n, sizeof(*chains->place), compare_places);
	return true;
}

struct chains *chains_read(const struct relay_files *files, const struct relay_hooks *hooks)
{
	struct chains *chains = calloc(1, sizeof(*chains));

	if (!chains)
		return NULL;
	atomic_init(&chains->refs, 1);
	if (read_all(chains, files, hooks))
		return chains;
	chains_unref(chains);
	return NULL;
}

bool chains_are_current(const struct chains *chains, const struct relay_files *files)
{
	auto_paths paths = { 0 };
	auto_paths issuers = { 0 };

	return chains->identity != 0 && expand_chains(&paths, NULL, files) &&
	       (!files->issuers || expand(&issuers, NULL, files->issuers)) &&
	       identity_of(&issuers, identity_of(&paths, SEED)) == chains->identity;
}

/* ---- finding ---- */

static const struct place *find(const struct chains *chains, const uint8_t *fingerprint)
{
	return chains->n ? bsearch(fingerprint, chains->place, chains->n, sizeof(*chains->place), compare_places) : NULL;
}

bool chains_has(const struct chains *chains, const uint8_t fingerprint[FINGERPRINT_LEN])
{
	return find(chains, fingerprint) != NULL;
}

static const gnutls_datum_t *cert_of(const struct chain *chain, const uint8_t *fingerprint)
{
	uint8_t found[FINGERPRINT_LEN];

	for (unsigned i = 0; i < chain->n; i++)
		if (gnutls_hash_fast(GNUTLS_DIG_SHA256, chain->cert[i].data, chain->cert[i].size, found) == 0 &&
		    memcmp(found, fingerprint, FINGERPRINT_LEN) == 0)
			return &chain->cert[i];
	return NULL;
}

static bool is_unknown(const struct chains *chains, uint64_t name)
{
	for (size_t i = 0; i < chains->n_unknown; i++)
		if (chains->unknown[i] == name)
			return true;
	return false;
}

static void add_unknown(struct chains *chains, uint64_t name)
{
	uint64_t *grown = reallocarray(chains->unknown, chains->n_unknown + 1, sizeof(*grown));

	if (!grown)
		return;
	chains->unknown = grown;
	grown[chains->n_unknown++] = name;
}

static struct issuer *find_in_system(struct chains *chains, const gnutls_datum_t *cert, const struct cert_view *view)
{
	uint64_t name = hash_bytes(SEED, view->issuer.at, der_len(view->issuer));

	if (is_unknown(chains, name))
		return NULL;
	if (issuers_add_from_system(&chains->issuers, cert))
		return issuers_find(&chains->issuers, view);
	add_unknown(chains, name);
	return NULL;
}

/* Without memory none is found that may be there: then all is read again at the next occasion. */
static struct issuer *find_issuer(struct chains *chains, const struct chain *chain, const gnutls_datum_t *cert)
{
	struct issuer *issuer;
	struct cert_view view;

	if (!cert_view_parse(&view, der_of(cert->data, cert->size)))
		return NULL;
	errno = 0;
	issuers_add_from_chain(&chains->issuers, chain, &view);
	issuer = issuers_find(&chains->issuers, &view);
	if (!issuer)
		issuer = find_in_system(chains, cert, &view);
	if (!issuer && errno == ENOMEM)
		chains->identity = 0;
	return issuer;
}

int chains_subject(struct chains *chains, const uint8_t fingerprint[FINGERPRINT_LEN], clinch_subject_t **out,
		   struct clinch_error *err)
{
	const struct place *place = find(chains, fingerprint);
	auto_chain chain = { .n = 0 };
	const gnutls_datum_t *cert;
	struct issuer *issuer;
	const char *path;
	int code;

	if (!place)
		return error_set(err, CLINCH_E_MISSING, "no chain file holds the certificate");
	path = chains->paths.path[place->path];
	code = chain_read(&chain, path, err);
	if (code == CLINCH_E_MEMORY)
		chains->identity = 0;
	if (code < 0)
		return code;
	cert = cert_of(&chain, fingerprint);
	if (!cert)
		return error_set(err, CLINCH_E_MISSING, "%s: does not hold the certificate any more", path);
	issuer = find_issuer(chains, &chain, cert);
	if (!issuer)
		return error_set(
			err, CLINCH_E_MISSING,
			"%s: holds a certificate whose issuer is not known; put the issuer into the file, or into the "
			"directory of issuers",
			path);
	code = subject_new(out, cert, issuer, false, err);
	if (code == CLINCH_E_MEMORY)
		chains->identity = 0;
	return code;
}

struct chains *chains_ref(struct chains *chains)
{
	if (chains)
		atomic_fetch_add_explicit(&chains->refs, 1, memory_order_relaxed);
	return chains;
}

void chains_unref(struct chains *chains)
{
	if (!chains || atomic_fetch_sub_explicit(&chains->refs, 1, memory_order_acq_rel) != 1)
		return;
	relay_paths_done(&chains->paths);
	free(chains->place);
	free(chains->unknown);
	issuers_done(&chains->issuers);
	free(chains);
}
