/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs of the pool that are watched. done() is on the pool's own thread: a test that stops there has stopped the pool, and
 * says what comes next.
 */
#ifndef UNIT_WATCHED_H
#define UNIT_WATCHED_H

#include "base/cleanup.h"
#include "desk.h"
#include "respond/pool.h"
#include <semaphore.h>
#include <time.h>

#define PATIENCE_S 20 /* a wait that takes so long has failed */

static struct authority *authority;
static uint8_t id_bytes[256];
static struct der id;

static inline int set_up(void **state)
{
	(void)state;
	struct party ca;
	desk_open("pool");
	party_make(&ca, PARTY_P256, PARTY_CA, NULL);
	desk_write_party("ca", &ca);
	party_drop(&ca);
	const struct signer_conf signer = { .cert = desk_path("ca.pem"), .key = desk_path("ca.key") };
	const struct authority_conf conf = { .ca = signer.cert, .signers = &signer, .n_signers = 1, .validity_s = DAY };
	assert_int_equal(authority_load(&authority, &conf, NOW, NULL, NULL, NULL), 0);
	id = der_of(id_bytes,
		    ocsp_cert_id_write(id_bytes, sizeof(id_bytes), authority->issuer, HASH_SHA1, der_of("\x01", 1)));
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	authority_unref(authority);
	desk_close();
	maker_done();
	return 0;
}

static inline int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void wait_for(sem_t *what)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	assert_int_equal(sem_timedwait(what, &end), 0);
}

/* ---- a job that is watched ---- */

struct watched {
	struct pool_job job;
	struct ocsp_single single;
	char letter;
	sem_t *reached, *go_on; /* done() says that it was reached, and stops until it may go on; NULL: neither */
	atomic_int ended;
};

static char order[32];
static atomic_uint n_order;

static inline void write_down(char letter)
{
	unsigned at = atomic_fetch_add(&n_order, 1);

	if (at < sizeof(order) - 1)
		order[at] = letter;
}

static inline void on_done(struct pool_job *job)
{
	struct watched *watched = (struct watched *)job;

	atomic_fetch_add(&watched->ended, 1);
	write_down(watched->letter);
	if (watched->reached)
		sem_post(watched->reached);
	if (watched->go_on)
		sem_wait(watched->go_on);
}

static inline void make_job(struct watched *out, char letter, int64_t deadline_ms)
{
	*out = (struct watched){ .letter = letter };
	out->single =
		(struct ocsp_single){ .cert_id = id, .status = CLINCH_GOOD, .this_update = NOW, .next_update = NOW + DAY };
	out->job = (struct pool_job){ .authority = authority,
				      .single = &out->single,
				      .n = 1,
				      .produced_at = NOW,
				      .deadline_ms = deadline_ms,
				      .done = on_done };
}

static inline int64_t soon(void)
{
	return now_ms() + PATIENCE_S * 1000;
}

static inline void drop_answers(struct watched *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		gnutls_free(jobs[i].job.answer.data);
}

static inline struct pool *make_pool(const struct pool_options *options, sem_t *reached)
{
	struct pool *pool = NULL;

	sem_init(reached, 0, 0);
	assert_int_equal(pool_new(&pool, options, NULL), 0);
	return pool;
}

/* ---- a pool of one thread, which is stopped ---- */

struct stopped {
	struct pool *pool;
	struct watched stopper;
	sem_t reached, go_on;
};

static inline void stop_pool(struct stopped *out, const struct pool_options *options)
{
	atomic_store(&n_order, 0);
	memset(order, 0, sizeof(order));
	sem_init(&out->go_on, 0, 0);
	out->pool = make_pool(options, &out->reached);
	make_job(&out->stopper, '-', soon());
	out->stopper.reached = &out->reached;
	out->stopper.go_on = &out->go_on;
	assert_true(pool_submit(out->pool, POOL_KEPT, &out->stopper.job));
	wait_for(&out->reached);
}

static inline void end_pool(struct stopped *stopped)
{
	pool_free(stopped->pool);
	drop_answers(&stopped->stopper, 1);
	sem_destroy(&stopped->reached);
	sem_destroy(&stopped->go_on);
}

#endif
