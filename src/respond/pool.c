/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/pool.h"
#include "base/error.h"
#include <errno.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define MOST_THREADS 256
#define TELL_US 500 /* until it is told that jobs have ended */
#define NICER 10    /* than the threads that serve what is ready */

static const size_t usual_limit[POOL_QUEUES] = { [POOL_KEPT] = 4096, [POOL_ONCE] = 1024 };

struct queue {
	struct pool_job *first, **last;
	size_t n, limit;
};

struct pool {
	struct pool_options options;
	pthread_mutex_t lock; /* of all that follows, up to `ending` */
	pthread_cond_t work;
	struct queue queue[POOL_QUEUES];
	bool background_turn; /* it is not POOL_ONCE's */
	bool idle;            /* nothing in the background since `wakes` was as it is */
	unsigned long wakes;
	struct pool_counts counts;
	_Atomic size_t waiting; /* in both queues: to be looked at without the lock */
	atomic_bool ending;
	unsigned n_threads;
	pthread_t thread[];
};

/* A thread's own. */
struct hand {
	struct pool *pool;
	int64_t untold_us; /* when the first job ended of which nobody was told; 0: there is none */
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t now_ms(void)
{
	return now_us() / 1000;
}

/* ---- the queues, under the lock ---- */

static bool push(struct pool *pool, enum pool_queue which, struct pool_job *job)
{
	struct queue *queue = &pool->queue[which];

	if (queue->n >= queue->limit) {
		pool->counts.refused[which]++;
		return false;
	}
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
	queue->n++;
	atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_relaxed);
	return true;
}

static struct pool_job *pop(struct pool *pool, enum pool_queue which)
{
	struct queue *queue = &pool->queue[which];
	struct pool_job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->n--;
	atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_relaxed);
	return job;
}

static void count(struct pool *pool, int code)
{
	struct pool_counts *counts = &pool->counts;

	if (code == 0)
		counts->signed_ok++;
	else if (code == CLINCH_E_TIMEOUT)
		counts->late++;
	else
		counts->failed++;
}

/* ---- work ---- */

static void end(struct pool_job *job, int code)
{
	job->code = code;
	job->done(job);
}

/* Nobody holds the lock. */
static void tell(struct pool *pool)
{
	if (pool->options.ended)
		pool->options.ended(pool->options.user);
}

static void tell_in_time(struct hand *hand)
{
	int64_t now = now_us();

	if (!hand->untold_us)
		hand->untold_us = now;
	if (atomic_load_explicit(&hand->pool->waiting, memory_order_relaxed) && now - hand->untold_us < TELL_US)
		return;
	hand->untold_us = 0;
	tell(hand->pool);
}

static void do_job(struct hand *hand, struct pool_job *job)
{
	struct pool *pool = hand->pool;
	int code = CLINCH_E_TIMEOUT;

	pthread_mutex_unlock(&pool->lock);
	if (now_ms() < job->deadline_ms)
		code = authority_sign(&job->answer, job->authority, job->single, job->n, job->produced_at,
				      job->nonce.at ? &job->nonce : NULL, &job->signer, &job->err);
	else
		error_set(&job->err, code, "it waited for a signature for too long");
	pthread_mutex_lock(&pool->lock);
	count(pool, code);
	pthread_mutex_unlock(&pool->lock);
	end(job, code);
	tell_in_time(hand);
	pthread_mutex_lock(&pool->lock);
}

/* The lock is left alone until a job waits: with many processors it would be what they wait for. */
static void do_background(struct pool *pool)
{
	unsigned long wakes = pool->wakes;
	bool more;

	pool->background_turn = false;
	pthread_mutex_unlock(&pool->lock);
	do
		more = pool->options.background(pool->options.user);
	while (more && !atomic_load_explicit(&pool->waiting, memory_order_relaxed) && !atomic_load(&pool->ending));
	pthread_mutex_lock(&pool->lock);
	if (!more && wakes == pool->wakes)
		pool->idle = true;
}

/* Other hands have taken what was waiting. */
static void tell_now(struct hand *hand)
{
	hand->untold_us = 0;
	pthread_mutex_unlock(&hand->pool->lock);
	tell(hand->pool);
	pthread_mutex_lock(&hand->pool->lock);
}

static void work_once(struct hand *hand)
{
	struct pool *pool = hand->pool;
	bool background = pool->options.background && !pool->idle;
	struct pool_job *job = pop(pool, POOL_KEPT);

	if (!job && !(background && pool->background_turn)) {
		job = pop(pool, POOL_ONCE);
		pool->background_turn |= job != NULL;
	}
	if (job)
		do_job(hand, job);
	else if (hand->untold_us)
		tell_now(hand);
	else if (background)
		do_background(pool);
	else
		pthread_cond_wait(&pool->work, &pool->lock);
}

static void *work(void *data)
{
	struct pool *pool = data;
	struct hand hand = { .pool = pool };
	uint8_t byte;

	/* GnuTLS prepares random numbers for each thread when it first wants some, and is at its end when there is no memory
	 * for that: better now. */
	gnutls_rnd(GNUTLS_RND_NONCE, &byte, sizeof(byte));
	/* It may be forbidden, and is then no worse than without. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICER);
	pthread_mutex_lock(&pool->lock);
	while (!atomic_load(&pool->ending))
		work_once(&hand);
	if (hand.untold_us)
		tell_now(&hand);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* ---- the pool ---- */

static unsigned count_processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : (unsigned)n;
}

/* Signals are for the threads that wait for them. */
static int start_threads(struct pool *pool, unsigned threads, struct clinch_error *err)
{
	sigset_t all, before;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (rc == 0 && pool->n_threads < threads) {
		rc = pthread_create(&pool->thread[pool->n_threads], NULL, work, pool);
		pool->n_threads += rc == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		return 0;
	errno = rc;
	return error_errno(err, "no thread can be started to sign");
}

int pool_new(struct pool **out, const struct pool_options *options, struct clinch_error *err)
{
	unsigned threads = options->threads ? options->threads : count_processors();

	if (threads > MOST_THREADS)
		threads = MOST_THREADS;
	struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pthread_t));
	if (!pool)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a pool of threads");
	pool->options = *options;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	for (int i = 0; i < POOL_QUEUES; i++) {
		pool->queue[i].last = &pool->queue[i].first;
		pool->queue[i].limit = options->limit[i] ? options->limit[i] : usual_limit[i];
	}
	int code = start_threads(pool, threads, err);
	if (code < 0)
		pool_free(pool);
	else
		*out = pool;
	return code;
}

bool pool_submit(struct pool *pool, enum pool_queue queue, struct pool_job *job)
{
	pthread_mutex_lock(&pool->lock);
	bool taken = !atomic_load(&pool->ending) && push(pool, queue, job);
	if (taken)
		pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

bool pool_is_full(struct pool *pool, enum pool_queue queue)
{
	pthread_mutex_lock(&pool->lock);
	bool full = pool->queue[queue].n >= pool->queue[queue].limit;
	if (full)
		pool->counts.refused[queue]++;
	pthread_mutex_unlock(&pool->lock);
	return full;
}

void pool_wake(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->wakes++;
	pool->idle = false;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

/* Those of one queue have come in about the order in which they end: none is looked for behind one that still waits. */
static struct pool_job *pop_late(struct pool *pool, int64_t now)
{
	for (int i = 0; i < POOL_QUEUES; i++)
		if (pool->queue[i].first && pool->queue[i].first->deadline_ms <= now)
			return pop(pool, i);
	return NULL;
}

static bool expire_one(struct pool *pool, int64_t now)
{
	pthread_mutex_lock(&pool->lock);
	struct pool_job *job = pop_late(pool, now);
	if (job)
		count(pool, CLINCH_E_TIMEOUT);
	pthread_mutex_unlock(&pool->lock);
	if (!job)
		return false;
	error_set(&job->err, CLINCH_E_TIMEOUT, "it waited for a signature for too long");
	end(job, CLINCH_E_TIMEOUT);
	return true;
}

void pool_expire(struct pool *pool)
{
	int64_t now = now_ms();
	bool any = false;

	while (expire_one(pool, now))
		any = true;
	if (any)
		tell(pool);
}

void pool_counts(struct pool *pool, struct pool_counts *out)
{
	pthread_mutex_lock(&pool->lock);
	*out = pool->counts;
	for (int i = 0; i < POOL_QUEUES; i++)
		out->waiting[i] = pool->queue[i].n;
	pthread_mutex_unlock(&pool->lock);
}

static void end_all(struct pool *pool)
{
	bool any = false;

	for (int i = 0; i < POOL_QUEUES; i++) {
		for (struct pool_job *job; (job = pop(pool, i)); any = true) {
			error_set(&job->err, CLINCH_E_TIMEOUT, "signing has come to its end");
			end(job, CLINCH_E_TIMEOUT);
		}
	}
	if (any)
		tell(pool);
}

static void begin_end(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	atomic_store(&pool->ending, true);
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

bool pool_stop(struct pool *pool, unsigned wait_ms)
{
	const struct timespec look = { .tv_nsec = 2000000 };
	int64_t until = now_ms() + wait_ms;

	begin_end(pool);
	while (pool->n_threads > 0 && now_ms() < until) {
		if (pthread_tryjoin_np(pool->thread[pool->n_threads - 1], NULL) == 0)
			pool->n_threads--;
		else
			nanosleep(&look, NULL);
	}
	return pool->n_threads == 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	begin_end(pool);
	for (unsigned i = 0; i < pool->n_threads; i++)
		pthread_join(pool->thread[i], NULL);
	end_all(pool);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
