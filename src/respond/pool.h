/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads that sign. Two queues, both bounded: answers that will be kept come first; those for one request alone (a
 * nonce, several CertIDs, an unusual form) are the ones that are turned away when there is more to sign than can be signed.
 * Where both have nothing, or in turn with the second, work in the background is done: preparing ahead, refreshing. The
 * threads are nicer to the processor than those that serve what is ready.
 */
#ifndef RESPOND_POOL_H
#define RESPOND_POOL_H

#include "respond/authority.h"

struct pool;

enum pool_queue { POOL_KEPT, POOL_ONCE, POOL_QUEUES };

/*
 * The caller's memory, until done() is called. All that its pointers lead to stays until then, a reference of `authority`
 * included. After done() is called the pool does not touch it again: done() may free it.
 */
struct pool_job {
	struct authority *authority;
	struct ocsp_single *single; /* next_update may be cut: authority_sign() */
	size_t n;
	int64_t produced_at;
	struct der nonce;    /* .at NULL: none */
	int64_t deadline_ms; /* CLOCK_MONOTONIC; what is still waiting by then is not signed */
	/*
	 * Once for each job that was taken: on a thread of the pool, or on one in pool_expire() or pool_free(). `answer`
	 * is its own (gnutls_free) when `code` is 0. CLINCH_E_TIMEOUT: the deadline passed, or the pool ended; else
	 * authority_sign()'s.
	 */
	void (*done)(struct pool_job *job);

	int code;
	gnutls_datum_t answer;
	signer_id signer;
	struct clinch_error err;

	struct pool_job *next; /* the pool's */
};

struct pool_options {
	unsigned threads;          /* 0: one a processor */
	size_t limit[POOL_QUEUES]; /* jobs that wait; 0: 4096 and 1024 */
	/*
	 * One piece of work in the background, on a thread of the pool; false: there is none now, and it is not asked again
	 * before pool_wake(). Called by several threads at a time. NULL: none.
	 */
	bool (*background)(void *user);
	/*
	 * Jobs have ended: after the last of several, and at most half a millisecond after the first of them, on the thread
	 * that called done(). Who has to be woken by an answer is better woken once for several. NULL: none.
	 */
	void (*ended)(void *user);
	void *user;
};

struct pool_counts {
	size_t waiting[POOL_QUEUES];
	uint64_t signed_ok, failed, late, refused[POOL_QUEUES]; /* since the start; failed: the key could not */
};

int pool_new(struct pool **out, const struct pool_options *options, struct clinch_error *err);
/* False: the queue is full (or the pool is at its end), and the job stays the caller's: done() is not called. */
bool pool_submit(struct pool *pool, enum pool_queue queue, struct pool_job *job);
/* True: a job would be refused now. It counts as refused then: there need not be one. */
bool pool_is_full(struct pool *pool, enum pool_queue queue);
/* There is work in the background. */
void pool_wake(struct pool *pool);
/*
 * Ends the jobs that wait and whose deadline has passed, should all threads be busy or stuck in a token: to be called now
 * and then, from any thread. A job that is being signed ends when its key comes back, and not before.
 */
void pool_expire(struct pool *pool);
void pool_counts(struct pool *pool, struct pool_counts *out);
/* Takes nothing more, and lets signatures under way end for so long. False: some have not, they may be stuck in a token. */
bool pool_stop(struct pool *pool, unsigned wait_ms);
/* Lets signatures under way end, then ends the jobs that wait. NULL-safe. Not from done(), and when nobody submits any more.
 */
void pool_free(struct pool *pool);

#endif
