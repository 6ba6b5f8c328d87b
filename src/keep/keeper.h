/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: finds certificates, watches their files, and has a fresh response for each in the store. One thread, on the
 * caller's loop; nothing here logs, reads the environment or handles signals: that is the daemon's, which is thin.
 */
#ifndef KEEP_KEEPER_H
#define KEEP_KEEPER_H

#include "keep/event.h"

struct keep_source { /* one entry of keep.certificates */
	const char *
		path; /* a file, a pattern as glob(7), or a directory: each file in it whose name ends in .pem, .crt, .cer */
	const char *responder; /* asked instead of the certificate's own URLs; NULL: those */
	bool drop_revoked;     /* on_revoked: drop */
};

/* Filled by src/conf. {0} is the default of each field but `store` and `sources`. */
struct keep_conf {
	const char *store;   /* directory */
	const char *issuers; /* a file, or a directory as above, of issuers that chain files are without; NULL: none */
	const struct keep_source *source;
	size_t n_sources;
	uint32_t rescan_ms;          /* 0: 600000 */
	uint32_t ready_timeout_ms;   /* 0: 10000 */
	struct fetch_limits limits;  /* per_responder, total, proxies. Read once: a reload does not change it */
	struct fetch_options fetch;  /* timeout_ms, connect_ms, max_size, hash, ca_file; the rest is the keeper's */
	const char *fallback;        /* a responder to ask after all others; NULL: none */
	struct clinch_policy policy; /* skew_s, undated_age_s, max_len, allow_sha1_signature */
};

/*
 * What `conf` leads to must live until keeper_free(), or until keeper_reload() has taken another one. Opens the store
 * for writing: CLINCH_E_ARGUMENT names the pid of a keeper that has it. No event yet.
 */
int keeper_new(struct keeper **out, uv_loop_t *loop, const struct keep_conf *conf, struct clinch_error *err);

/* Before keeper_start(): in the order of registration, each gets every event. At most 8. A listener may read rows and start
 * timers; it must not call keeper_stop(), keeper_reload() or keeper_offer() from within. */
void keeper_listen(struct keeper *keeper, keep_listener *listener, void *user);

/* Watches, looks for certificates, loads the store, fetches: by events, from the loop's next turn on. */
int keeper_start(struct keeper *keeper, struct clinch_error *err);

/* All or nothing: on failure the old configuration stays in use. The store and the limits cannot change in a running
 * keeper (CLINCH_E_ARGUMENT says so). On success files are looked at again. */
int keeper_reload(struct keeper *keeper, const struct keep_conf *conf, struct clinch_error *err);

/* No more events; fetches are cut off, what was taken is synced. The loop then runs out by itself. _free() comes after the
 * loop has run out, takes NULL, and closes the store. */
void keeper_stop(struct keeper *keeper);
void keeper_free(struct keeper *keeper);

/* Look at all files again, now; fetch every row now that is not being fetched, when `fetch`. */
void keeper_rescan(struct keeper *keeper, bool fetch);

const char *keeper_store(const struct keeper *keeper); /* its directory; borrowed until the loop goes on */
bool keeper_is_ready(const struct keeper *keeper);     /* KEEP_READY was told */
bool keeper_is_idle(const struct keeper *keeper);      /* all files looked at, nothing being fetched or due */

/* ---- rows, for views ---- */

const struct keep_row *keeper_next(const struct keeper *keeper, const struct keep_row *after); /* NULL: first; none left */
const struct keep_row *keeper_find(const struct keeper *keeper, const uint8_t *fingerprint);
/* The next row after `after` that `text` means: keep_row_is(). */
const struct keep_row *keeper_match(const struct keeper *keeper, const char *text, const struct keep_row *after);

/*
 * A part of all rows, some 64 of them; false: there are no more. `walked` is the walk's, 0 at its beginning. The loop may go
 * on between two parts: each row that is there from the first to the last is met once.
 */
bool keeper_walk(const struct keeper *keeper, uint64_t *walked, void (*take)(const struct keep_row *row, void *user),
		 void *user);

/* What is held, judged at `now`: from memory, or from the store. NULL when there is nothing that is believed and fresh. The
 * caller's. */
clinch_response_t *keeper_response(const struct keeper *keeper, const struct keep_row *row, int64_t now);
/* The certificate and its issuer, read anew from its file; CLINCH_E_MISSING when that has changed meanwhile. */
int keeper_subject(const struct keeper *keeper, const struct keep_row *row, clinch_subject_t **out,
		   struct clinch_error *err);

struct keep_totals {
	size_t rows, by_state[KEEP_STATES];
	size_t failing;                     /* rows with failures in a row */
	size_t fetching;                    /* now */
	size_t unsaved;                     /* held in memory alone */
	size_t files, bad_files;            /* looked at; that could not be read or understood */
	size_t without_issuer, without_url; /* certificates that are no rows */
	int64_t soonest_expiry;             /* of what is held; 0: nothing is held */
	bool store_works;                   /* the last write to the store succeeded */
};
void keeper_totals(const struct keeper *keeper, struct keep_totals *out);

/* ---- by hand ---- */

/*
 * A response somebody brings (`clinch put`): judged like all, for the row with this fingerprint. 0 with *answer when the
 * store rule has spoken: STORE_TOOK, STORE_SAME, STORE_OLDER. CLINCH_E_MISSING: no such row; CLINCH_E_FORMAT: not to be
 * believed; *verdict says why. When the store cannot be written it is kept in memory, and 0 is returned.
 */
int keeper_offer(struct keeper *keeper, const uint8_t *fingerprint, const gnutls_datum_t *der, enum store_answer *answer,
		 struct clinch_verdict *verdict, struct clinch_error *err);

#endif
