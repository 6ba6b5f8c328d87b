/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stapler as an object: made, given certificates, asked about them. */
#include "tls/stapler.h"
#include "base/error.h"
#include "x509/private_key.h"
#include <gnutls/crypto.h>
#include <string.h>
#include <time.h>

void stapler_entry_free(struct entry *entry)
{
	if (!entry)
		return;
	counted_unref(entry->identity ? &entry->identity->counted : NULL);
	counted_unref(entry->pending ? &entry->pending->counted : NULL);
	free(entry->chain_file);
	free(entry->key_file);
	free(entry);
}

void stapler_unref(clinch_stapler_t *stapler)
{
	if (!stapler || atomic_fetch_sub_explicit(&stapler->refs, 1, memory_order_acq_rel) != 1)
		return;
	counted_publish(&stapler->set, NULL);
	for (unsigned i = 0; i < stapler->n; i++)
		stapler_entry_free(stapler->entry[i]);
	free(stapler->entry);
	free(stapler->store_dir);
	free(stapler->issuers_file);
	store_close(stapler->store);
	chain_done(&stapler->issuers.extra);
	known_done(&stapler->issuers.known);
	clinch_signers_unref(stapler->policy.signers);
	if (stapler->credentials)
		gnutls_certificate_free_credentials(stapler->credentials);
	pthread_mutex_destroy(&stapler->lock);
	free(stapler);
}

DEFINE_CLEANUP(clinch_stapler_t *, cleanup_stapler, stapler_unref)

static int copy_options(clinch_stapler_t *stapler, const struct clinch_stapler_options *options, struct clinch_error *err)
{
	static const struct clinch_stapler_options none;

	if (memcmp(options->reserved, none.reserved, sizeof(none.reserved)) != 0)
		return error_set(err, CLINCH_E_ARGUMENT,
				 "the options have fields that this version of libclinch does not know");
	if (options->store_dir) {
		stapler->store_dir = strdup(options->store_dir);
		if (!stapler->store_dir)
			return error_set(err, CLINCH_E_MEMORY, "no memory for a stapler");
	}
	stapler->issuers.store_dir = stapler->store_dir;
	stapler->chain_staples = options->chain_staples;
	stapler->drop_revoked = options->drop_revoked;
	stapler->refuse_unstapled = options->refuse_unstapled;
	stapler->policy = (struct clinch_policy){ .skew_s = options->policy.skew_s,
						  .undated_age_s = options->policy.undated_age_s,
						  .max_len = options->policy.max_len,
						  .allow_sha1_signature = options->policy.allow_sha1_signature };
	if (!options->issuers_file)
		return 0;
	stapler->issuers_file = strdup(options->issuers_file);
	if (!stapler->issuers_file)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a stapler");
	stapler->issuers_stamp = stamp_of(options->issuers_file);
	return chain_read(&stapler->issuers.extra, options->issuers_file, err);
}

int clinch_stapler_new(clinch_stapler_t **out, const struct clinch_stapler_options *options, struct clinch_error *err)
{
	clinch_stapler_t *memory = calloc(1, sizeof(*memory));

	if (!memory || pthread_mutex_init(&memory->lock, NULL) != 0) {
		free(memory);
		return error_set(err, CLINCH_E_MEMORY, "no memory for a stapler");
	}
	if (known_init(&memory->issuers.known) < 0) {
		pthread_mutex_destroy(&memory->lock);
		free(memory);
		return error_set(err, CLINCH_E_MEMORY, "no memory for a stapler");
	}
	AUTO(cleanup_stapler) clinch_stapler_t *stapler = memory;
	atomic_init(&stapler->refs, 1);
	int code = options ? copy_options(stapler, options, err) : 0;
	if (code == 0 && clinch_signers_new(&stapler->policy.signers, 0) < 0)
		code = error_set(err, CLINCH_E_MEMORY, "no memory for a stapler");
	if (code < 0)
		return code;
	int rc = gnutls_certificate_allocate_credentials(&stapler->credentials);
	if (rc < 0)
		return error_gnutls(err, rc, "credentials");
	gnutls_certificate_set_retrieve_function3(stapler->credentials, stapler_on_retrieve);
	code = stapler_publish(stapler);
	if (code < 0)
		return error_set(err, code, "no memory for a stapler");
	*out = TAKE(stapler);
	return 0;
}

void clinch_stapler_free(clinch_stapler_t *stapler)
{
	stapler_unref(stapler);
}

gnutls_certificate_credentials_t clinch_stapler_credentials(clinch_stapler_t *stapler)
{
	return stapler->credentials;
}

static int by_order(const void *a, const void *b)
{
	const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;

	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
	return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

int stapler_publish(clinch_stapler_t *stapler)
{
	struct identity **identity = malloc((stapler->n ? stapler->n : 1) * sizeof(struct identity *));

	if (!identity)
		return CLINCH_E_MEMORY;
	if (stapler->n)
		qsort(stapler->entry, stapler->n, sizeof(struct entry *), by_order);
	for (unsigned i = 0; i < stapler->n; i++)
		identity[i] = stapler->entry[i]->identity;
	struct set *set = set_new(identity, stapler->n);
	free(identity);
	if (!set)
		return CLINCH_E_MEMORY;
	counted_publish(&stapler->set, &set->counted);
	return 0;
}

/* ---- pairs ---- */

static int make_identity(clinch_stapler_t *stapler, const struct chain *chain, gnutls_privkey_t key, const char *name,
			 struct identity **out, struct clinch_error *err)
{
	int code = identity_new(out, chain, key, &stapler->issuers, name, err);

	if (code < 0)
		gnutls_privkey_deinit(key);
	return code;
}

int stapler_load_pair(clinch_stapler_t *stapler, const char *chain_file, const char *key_file, struct identity **out,
		      struct clinch_error *err)
{
	auto_chain chain = { .n = 0 };
	gnutls_privkey_t key;
	int code = chain_read(&chain, chain_file, err);

	if (code < 0)
		return code;
	code = private_key_load(&key, key_file, NULL, err);
	return code < 0 ? code : make_identity(stapler, &chain, key, chain_file, out, err);
}

static bool make_room(clinch_stapler_t *stapler, unsigned n)
{
	unsigned room = stapler->room ? stapler->room : 8;

	if (n > UINT32_MAX / 4 - stapler->n)
		return false;
	while (room < stapler->n + n)
		room *= 2;
	struct entry **grown = realloc(stapler->entry, room * sizeof(struct entry *));
	if (!grown)
		return false;
	stapler->entry = grown;
	stapler->room = room;
	return true;
}

static void take_out(clinch_stapler_t *stapler, unsigned from_sequence)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < stapler->n; i++)
		if (stapler->entry[i]->sequence < from_sequence)
			stapler->entry[kept++] = stapler->entry[i];
	stapler->n = kept;
}

int stapler_add_entries(clinch_stapler_t *stapler, struct entry **entries, unsigned n, struct clinch_error *err)
{
	pthread_mutex_lock(&stapler->lock);
	unsigned first = stapler->sequence;
	int code = make_room(stapler, n) ? 0 : CLINCH_E_MEMORY;
	if (code == 0) {
		for (unsigned i = 0; i < n; i++) {
			entries[i]->sequence = stapler->sequence++;
			stapler->entry[stapler->n++] = entries[i];
		}
		code = stapler_publish(stapler);
		if (code < 0)
			take_out(stapler, first);
	}
	pthread_mutex_unlock(&stapler->lock);
	return code < 0 ? error_set(err, code, "no memory for another certificate") : 0;
}

/* Nobody else has the entry yet, so its staples are judged without the lock. One that cannot be loaded is the next refresh's
 * to say; the certificate is served. */
static void load_first_staples(clinch_stapler_t *stapler, struct identity *identity, struct looked_at *files)
{
	pthread_mutex_lock(&stapler->lock);
	bool has_store = stapler_has_store(stapler);
	pthread_mutex_unlock(&stapler->lock);
	if (has_store && stapler_load_staples(stapler, identity, files, (int64_t)time(NULL), NULL) < 0)
		memset(files, 0, IDENTITY_CHAIN_MAX * sizeof(*files));
}

static struct entry *new_entry(const struct clinch_stapler_pair *pair)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->order = pair->order;
	entry->chain_file = strdup(pair->chain_pem);
	entry->key_file = strdup(pair->key_pem_or_url);
	/* Stamped before they are read: what changes in between is seen as a change. */
	entry->chain_stamp = stamp_of(pair->chain_pem);
	entry->key_stamp = stamp_of(pair->key_pem_or_url);
	if (entry->chain_file && entry->key_file)
		return entry;
	stapler_entry_free(entry);
	return NULL;
}

int stapler_load_entry(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pair, struct entry **out,
		       struct clinch_error *err)
{
	struct entry *entry = *out = new_entry(pair);

	if (!entry)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory", pair->chain_pem);
	int code = stapler_load_pair(stapler, pair->chain_pem, pair->key_pem_or_url, &entry->identity, err);
	if (code == 0)
		load_first_staples(stapler, entry->identity, entry->staple_file[0]);
	return code;
}

/* ---- from another stapler ---- */

bool stapler_same_issuers(const clinch_stapler_t *stapler, const clinch_stapler_t *before)
{
	if (!stapler->issuers_file || !before->issuers_file)
		return stapler->issuers_file == before->issuers_file;
	return strcmp(stapler->issuers_file, before->issuers_file) == 0 &&
	       stamp_equals(&stapler->issuers_stamp, &before->issuers_stamp);
}

static struct identity *share(struct identity *identity)
{
	if (identity)
		counted_ref(&identity->counted);
	return identity;
}

int stapler_inherit_entry(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pair, const struct entry *before,
			  bool same_issuers, int64_t now, struct entry **out, struct clinch_error *err)
{
	struct entry *entry = *out = new_entry(pair);

	if (!entry)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory", pair->chain_pem);
	entry->identity = share(before->identity);
	memcpy(entry->staple_file, before->staple_file, sizeof(entry->staple_file));
	entry->pending_since = before->pending_since;
	if (same_issuers && stamp_equals(&entry->chain_stamp, &before->chain_stamp) &&
	    stamp_equals(&entry->key_stamp, &before->key_stamp)) {
		entry->pending = share(before->pending);
		return 0;
	}
	memset(entry->staple_file[1], 0, sizeof(entry->staple_file[1]));
	int code = stapler_load_pair(stapler, pair->chain_pem, pair->key_pem_or_url, &entry->pending, err);
	if (code < 0)
		return code;
	entry->pending_since = now;
	load_first_staples(stapler, entry->pending, entry->staple_file[1]);
	(void)stapler_promote_pending(stapler, entry, now);
	return 0;
}

int clinch_stapler_add_files(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pairs, unsigned n,
			     struct clinch_error *err)
{
	struct entry **entries = calloc(n ? n : 1, sizeof(struct entry *));
	int code = entries ? 0 : error_set(err, CLINCH_E_MEMORY, "no memory for %u certificates", n);

	for (unsigned i = 0; i < n && code == 0; i++)
		code = stapler_load_entry(stapler, &pairs[i], &entries[i], err);
	if (code == 0)
		code = stapler_add_entries(stapler, entries, n, err);
	for (unsigned i = 0; i < n && entries && code < 0; i++)
		stapler_entry_free(entries[i]);
	free(entries);
	return code;
}

int clinch_stapler_add_file(clinch_stapler_t *stapler, const char *chain_pem, const char *key_pem_or_url,
			    struct clinch_error *err)
{
	const struct clinch_stapler_pair pair = { chain_pem, key_pem_or_url, 0 };

	return clinch_stapler_add_files(stapler, &pair, 1, err);
}

static int identity_from_memory(clinch_stapler_t *stapler, const gnutls_datum_t *chain_pem, const gnutls_datum_t *key_pem,
				struct identity **out, struct clinch_error *err)
{
	auto_chain chain = { .n = 0 };
	gnutls_privkey_t key;
	int code = chain_parse(&chain, chain_pem->data, chain_pem->size, "the chain", err);

	if (code < 0)
		return code;
	int rc = gnutls_privkey_init(&key);
	if (rc < 0)
		return error_gnutls(err, rc, "the private key");
	rc = gnutls_privkey_import_x509_raw(key, key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0) {
		gnutls_privkey_deinit(key);
		return error_gnutls(err, rc, "the private key cannot be used");
	}
	return make_identity(stapler, &chain, key, "the chain", out, err);
}

int clinch_stapler_add_mem(clinch_stapler_t *stapler, const gnutls_datum_t *chain_pem, const gnutls_datum_t *key_pem,
			   struct clinch_error *err)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return error_set(err, CLINCH_E_MEMORY, "no memory for another certificate");
	int code = identity_from_memory(stapler, chain_pem, key_pem, &entry->identity, err);
	if (code == 0) {
		load_first_staples(stapler, entry->identity, entry->staple_file[0]);
		code = stapler_add_entries(stapler, &entry, 1, err);
	}
	if (code < 0)
		stapler_entry_free(entry);
	return code;
}

/* ---- telling ---- */

bool stapler_is_stapled(const clinch_stapler_t *stapler, struct identity *identity, int64_t now)
{
	struct staples *staples = (struct staples *)counted_take(&identity->staples);
	bool revoked = staples->response[0] && clinch_response_verdict(staples->response[0])->status == CLINCH_REVOKED;
	bool stapled = staples->response[0] && now < staples->until[0] && !(revoked && stapler->drop_revoked);

	counted_unref(&staples->counted);
	return stapled;
}

static void describe(const clinch_stapler_t *stapler, const struct entry *entry, int64_t now,
		     struct clinch_stapler_state *out)
{
	struct identity *identity = entry->identity;
	struct staples *staples = (struct staples *)counted_take(&identity->staples);

	*out = (struct clinch_stapler_state){ .chain_file = entry->chain_file ? entry->chain_file : "",
					      .must_staple = identity->must_staple,
					      .wants_staple = identity->wants_staple,
					      .is_stapled = stapler_is_stapled(stapler, identity, now) };
	memcpy(out->fingerprint, identity->fingerprint, sizeof(out->fingerprint));
	if (staples->response[0])
		out->verdict = *clinch_response_verdict(staples->response[0]);
	else
		out->verdict = (struct clinch_verdict){ .status = CLINCH_MISSING,
							.reason = CLINCH_REASON_NO_STAPLE,
							.revocation_reason = -1 };
	counted_unref(&staples->counted);
}

int clinch_stapler_state(clinch_stapler_t *stapler, unsigned i, int64_t now, struct clinch_stapler_state *out)
{
	pthread_mutex_lock(&stapler->lock);
	bool found = i < stapler->n;
	if (found)
		describe(stapler, stapler->entry[i], now, out);
	pthread_mutex_unlock(&stapler->lock);
	return found ? 0 : CLINCH_E_MISSING;
}
