/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request that waits for its signature. */
#ifndef RESPOND_ASK_H
#define RESPOND_ASK_H

#include "respond/pool.h"
#include "respond/prepared.h"

struct ask {
	struct pool_job job;
	struct snapshot *state; /* a reference */
	const struct snapshot_ca *ca;
	struct prepared_table *table;
	bool is_plain, has_nonce;
	enum subject_hash hash;
	struct der serial;
	void (*done)(struct ask *ask); /* on any thread, once, when the rest is filled */
	void *user;

	/* The outcome: one of these two, or neither and the refusal. */
	struct prepared *answer; /* a reference; it may be given to others with the same question */
	gnutls_datum_t once;     /* for this request alone; gnutls_malloc'ed */
	enum ocsp_refusal refusal;
};

/* Copies what the decision points to. NULL: no memory. `deadline_ms` of CLOCK_MONOTONIC. */
struct ask *ask_new(const struct decision *decision, struct der request, struct snapshot *state,
		    struct prepared_table *table, int64_t now, int64_t deadline_ms);
void ask_free(struct ask *ask); /* NULL-safe */
/* False: there is too much to sign. done() is not called then. */
bool ask_submit(struct ask *ask, struct pool *pool);

#endif
