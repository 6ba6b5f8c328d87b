/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store: a directory of believed responses, `<sha256 of the certificate>.der` each. The DER file is the format. Reading
 * is anyone's, writing one process's (flock on the directory and on `.lock`). A file is judged in full each time it is read;
 * one that is damaged, foreign or unreadable is said and passed over. Names that are not ours are left alone. Nothing is
 * ever removed because of the clock.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <clinch/ocsp.h>
#include <limits.h>

struct store;

enum store_answer { STORE_TOOK, STORE_SAME, STORE_OLDER };

/*
 * The store rule. `offered` is of a response that is believed and fresh; `held` of the one that is there, judged at the same
 * instant (NULL: none). A held "good" counts as long as it is fresh, a held "revoked" always, anything else not at all. Then
 * the newer one wins: thisUpdate later, or equal with a later nextUpdate; a "revoked" over a "good" when it is not older.
 */
enum store_answer store_rule(const struct clinch_verdict *offered, const struct clinch_verdict *held);

/*
 * `for_writing` makes the directory (0755: responses are public) and takes its lock: CLINCH_E_ARGUMENT names the pid of a
 * writer that has it. A full or read-only disk is no error: what is there can be loaded, and store_offer() fails until there
 * is room. The lock that root makes in it belongs to the directory's owner. Reading needs the directory to be there.
 * _close() takes NULL.
 */
int store_open(struct store **out, const char *dir, bool for_writing, struct clinch_error *err);
void store_close(struct store *store);

/* For a reader: another directory may have taken the place of the one that was opened (it was removed and made anew). Then
 * that is read from here on; store_load() and store_stat() may run in other threads meanwhile. */
void store_follow(struct store *store);

/*
 * What is held for `subject`, judged at `now`: CLINCH_E_MISSING, or with *verdict filled; *out only when it is believed and
 * fresh, CLINCH_OK also when it is not. Other errors: it cannot be read. `policy` as in clinch_verify(); out may be NULL.
 */
int store_load(const struct store *store, const clinch_subject_t *subject, int64_t now, const struct clinch_policy *policy,
	       clinch_response_t **out, struct clinch_verdict *verdict, struct clinch_error *err);

/*
 * The directory in a store for issuers that a keeper found, of certificates whose files are without: a file each, with the
 * certificate in any form, whatever its name is; names that begin with a dot are none. It need not be there. Nothing
 * vouches for what they are but the signature of the certificate whose issuer is looked for. False: the path is too long.
 */
bool store_issuers_path(const char *store_dir, char out[PATH_MAX]);

/* The path of its file, for messages. */
void store_path(const struct store *store, const clinch_subject_t *subject, char out[PATH_MAX]);

/* What tells that the file of `subject` is another one than before; false when there is none. */
struct stat;
bool store_stat(const struct store *store, const clinch_subject_t *subject, struct stat *out);

/*
 * Offer a response about `subject`, judged at `now`: the rule, then a temporary file, its sync and a rename; the directory
 * is synced by store_sync(), once for many. CLINCH_E_ARGUMENT when it is about another certificate or the store is not open
 * for writing. What is held stays on every failure.
 */
int store_offer(struct store *store, const clinch_subject_t *subject, const clinch_response_t *response, int64_t now,
		const struct clinch_policy *policy, enum store_answer *answer, struct clinch_error *err);

/*
 * The same, where many come at a time: sync and rename too are left to store_sync(), for all of them together. Until then
 * others see the old one, this process the new one. At most STORE_GATHERED_MAX; each more is as by store_offer().
 */
#define STORE_GATHERED_MAX 256
int store_gather(struct store *store, const clinch_subject_t *subject, const clinch_response_t *response, int64_t now,
		 const struct clinch_policy *policy, enum store_answer *answer, struct clinch_error *err);

/* On failure some of what was gathered may be held and some not: each is to be offered again. */
int store_sync(struct store *store, struct clinch_error *err);

#endif
