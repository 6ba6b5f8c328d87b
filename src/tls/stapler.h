/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside a stapler. Readers, which are handshakes, touch `set` and `credentials` alone; the rest is behind the writers'
 * lock. */
#ifndef TLS_STAPLER_H
#define TLS_STAPLER_H

#include "store/store.h"
#include "tls/set.h"
#include <pthread.h>
#include <sys/stat.h>

/* What tells one version of a file from another. Zeroed: there is none. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

/* A file of the store. What was not believed may be once the clock was set right: it is judged again after a while. */
struct looked_at {
	struct stamp stamp;
	bool refused;
	int64_t refused_at; /* by the clock of then */
};

struct entry {
	unsigned order, sequence;  /* where it stands in the set */
	struct identity *identity; /* a reference; what the set has */
	struct identity *pending;  /* a renewed pair that waits for its staple; NULL: none */
	int64_t pending_since;
	char *chain_file, *key_file; /* NULL: from memory; key_file may be a URL */
	struct stamp chain_stamp, key_stamp;
	struct stamp kept_stamp; /* of the store's directory of issuers; looked at where its issuer is missing */
	struct looked_at staple_file[2][IDENTITY_CHAIN_MAX]; /* of identity, of pending */
};

struct clinch_stapler {
	atomic_uint refs; /* the caller's, and one a session */
	gnutls_certificate_credentials_t credentials;
	struct counted_slot set;

	pthread_mutex_t lock;
	char *store_dir;
	struct store *store;    /* NULL until the directory is there */
	struct issuers issuers; /* locked inside */
	char *issuers_file;     /* where the extra ones are from; NULL: nowhere */
	struct stamp issuers_stamp;
	enum clinch_chain_staples chain_staples;
	bool drop_revoked, refuse_unstapled;
	struct clinch_policy policy;
	struct entry **entry;
	unsigned n, room, sequence;
};

/* An entry from its files, with what the store holds for it; nobody else's yet: threads may make many at once. On failure
 * too *out is to be given to stapler_entry_free(). */
int stapler_load_entry(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pair, struct entry **out,
		       struct clinch_error *err);
/*
 * The same from an entry of another stapler, which is not refreshed meanwhile: what that one serves is served here too,
 * staples included, and read anew only where a file has changed, or issuers may be others. The new pair then waits for its
 * staple, as with a refresh.
 */
int stapler_inherit_entry(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pair, const struct entry *before,
			  bool same_issuers, int64_t now, struct entry **out, struct clinch_error *err);
/* Would both make the same of a pair? They look for issuers in the same file, which has not changed. */
bool stapler_same_issuers(const clinch_stapler_t *stapler, const clinch_stapler_t *before);
/* All of them or none: on failure they stay the caller's. */
int stapler_add_entries(clinch_stapler_t *stapler, struct entry **entries, unsigned n, struct clinch_error *err);
void stapler_entry_free(struct entry *entry); /* NULL-safe */

/* Reads chain and key; the identity is without staples. */
int stapler_load_pair(clinch_stapler_t *stapler, const char *chain_file, const char *key_file, struct identity **out,
		      struct clinch_error *err);
/* Staples from the store for one identity; `files` are its places'. The lock is held, or the identity nobody else's yet. */
int stapler_load_staples(clinch_stapler_t *stapler, struct identity *identity, struct looked_at *files, int64_t now,
			 struct clinch_error *err);
/* A believed response for one place of an identity, if the store rule takes it. The lock is held. */
int stapler_take(clinch_stapler_t *stapler, struct identity *identity, unsigned place, clinch_response_t *response,
		 int64_t now, enum store_answer *answer);
/* Opens the store once its directory is there. The lock is held. */
bool stapler_has_store(clinch_stapler_t *stapler);
/* Makes the set of what the entries have now. The lock is held. */
int stapler_publish(clinch_stapler_t *stapler);
/* A renewed pair takes the place of the old one once it has its staple, or has waited long enough. True when it did. */
bool stapler_promote_pending(clinch_stapler_t *stapler, struct entry *entry, int64_t now);
bool stapler_is_stapled(const clinch_stapler_t *stapler, struct identity *identity, int64_t now);
struct stamp stamp_of(const char *path);
struct stamp stamp_from(const struct stat *st);
bool stamp_equals(const struct stamp *a, const struct stamp *b);
void stapler_unref(clinch_stapler_t *stapler);

/* What GnuTLS calls for a certificate (handshake.c). */
gnutls_certificate_retrieve_function3 stapler_on_retrieve;

#endif
