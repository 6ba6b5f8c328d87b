/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside src/fetch: a job is several URLs, each asked until it is given up, and what the first good answer among them was.
 */
#ifndef FETCH_JOB_H
#define FETCH_JOB_H

#include "fetch/engine.h"

enum attempt_state { ATTEMPT_WAITS, ATTEMPT_ASKS, ATTEMPT_OVER };

enum attempt_next { NEXT_WON, NEXT_BY_POST, NEXT_UNCACHED, NEXT_GIVE_UP };

struct attempt {
	struct exchange exchange; /* first: its callbacks hand it back */
	struct fetch_job *job;
	struct url url;
	enum attempt_state state;
	bool asked_uncached;
	struct clinch_verdict verdict; /* of the last answer */
};

struct fetch_job {
	struct fetch_job *next, *previous;
	struct fetch_engine *engine;
	/* what an exchange's bytes are worth; fills in the outcome, and the job's find when it is NEXT_WON */
	enum attempt_next (*judge)(struct fetch_job *job, struct attempt *attempt);
	fetch_callback *callback;
	void *user;
	struct fetch_options options; /* urls and fallback are not kept */
	struct exchange_settings settings;
	clinch_subject_t *subject; /* NULL: an issuer is looked for */
	gnutls_datum_t request;    /* owned */
	gnutls_datum_t cert;       /* owned; whose issuer is looked for */
	uint8_t nonce[FETCH_NONCE_LEN];
	gnutls_datum_t nonce_view; /* of it; empty: none is sent */

	uv_timer_t silence, deadline;
	unsigned open_handles;
	bool gone;         /* over or cancelled; only its memory is left, for the handles' sake */
	uint64_t began_ms; /* 0: nobody was asked yet */

	unsigned n;
	struct attempt *attempt;

	struct fetch_outcome best; /* the failure that came furthest */
	struct clinch_verdict best_verdict;
	struct buf best_body;

	clinch_response_t *response; /* the find */
	gnutls_datum_t issuer;       /* the find; owned */
};

/* A job without URLs, or NULL: no memory. Adding URLs comes next, then job_go(). */
struct fetch_job *job_new(struct fetch_engine *engine, const struct fetch_options *options, fetch_callback *callback,
			  void *user);
/* False: no memory. A URL that may not be asked is remembered as the outcome, and left out. */
bool job_add_url(struct fetch_job *job, const void *url, size_t len);
void job_go(struct fetch_job *job);

#endif
