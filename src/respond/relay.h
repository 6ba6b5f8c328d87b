/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Relay: what the store holds of other CAs' responses, found by CertID. A snapshot, immutable, counted by reference, shared
 * by all threads; finding takes no lock and allocates nothing. Each response was verified in full when it was read from the
 * store, about the certificate that a chain file says it is about: a name in the store alone says nothing.
 */
#ifndef RESPOND_RELAY_H
#define RESPOND_RELAY_H

#include "ocsp/certid.h"
#include <clinch/ocsp.h>

struct relay;

/* A configuration's, borrowed for the call. */
struct relay_files {
	const char *store;
	const char *const *chain; /* files, directories and patterns as keep.certificates has them */
	size_t n_chains;
	const char *issuers; /* a directory of certificates, for chain files without their issuer; NULL: none */
};

/* A sentence for the log about one file that is passed over; said once, not again as long as the file is the same. */
typedef void relay_told(const char *sentence, void *user);
struct relay_hooks {
	relay_told *told; /* NULL: nobody */
	void *user;
};

/*
 * What is to be watched for it: the store, the chain files that are there and the directories where others may appear, the
 * issuers. To be called before relay_load(), and again before each one. False: no memory. relay_paths_done() frees.
 */
struct relay_paths {
	char **path;
	size_t n, size;
};
bool relay_paths(struct relay_paths *out, const struct relay_files *files);
void relay_paths_done(struct relay_paths *paths);

/*
 * A new snapshot. Of `before` (NULL: none) what has not changed is taken over unread: responses whose file in the store is
 * the same, certificates as long as no chain file is another one. A response that is gone from the store, or whose
 * certificate is gone from the chain files, is dropped; one in whose place something stands that is not believed goes on.
 * CLINCH_E_FILE when the store cannot be read; a chain file that cannot is said and passed over.
 */
int relay_load(struct relay **out, const struct relay_files *files, const struct relay *before, int64_t now,
	       const struct relay_hooks *hooks, struct clinch_error *err);
struct relay *relay_ref(struct relay *relay);
void relay_unref(struct relay *relay);

/*
 * The response to hand on for this CertID at `now`, good or revoked: a reference, for clinch_response_unref(). It answers
 * this very CertID, hash and all. NULL: none does, or none that is fresh by the margin of the serving rule (the smaller of
 * 5 minutes and a tenth of its life before its end).
 */
clinch_response_t *relay_find(const struct relay *relay, const struct cert_id *id, int64_t now);

/* Does the store have a file for it, of whatever age and worth, that does not answer by another hash? Then there may be a
 * better one soon. */
bool relay_knows(const struct relay *relay, const struct cert_id *id);

size_t relay_size(const struct relay *relay); /* responses that were believed when they were read, fresh now or not */

#endif
