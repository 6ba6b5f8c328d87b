/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool: what is signed first, what is turned away, and that each job ends once. */
#include "ocsp/response.h"
#include "watched.h"
#include <pthread.h>

static void what_is_signed_is_a_response_with_its_nonce(void **state)
{
	(void)state;
	struct watched watched;
	sem_t reached;
	struct pool *pool = make_pool(&(struct pool_options){ .threads = 2 }, &reached);
	struct ocsp_response response;
	struct der nonce;
	make_job(&watched, 'a', soon());
	watched.job.nonce = der_of("0123456789abcdef", 16);
	watched.reached = &reached;
	assert_true(pool_submit(pool, POOL_ONCE, &watched.job));
	wait_for(&reached);
	assert_int_equal(watched.job.code, 0);
	assert_true(authority_has_signer(authority, watched.job.signer));
	assert_int_equal(ocsp_response_parse(&response, der_of(watched.job.answer.data, watched.job.answer.size)),
			 CLINCH_REASON_GOOD);
	assert_int_equal(response.produced_at, NOW);
	assert_true(ocsp_response_nonce(&response, &nonce));
	assert_true(der_equals(nonce, watched.job.nonce));
	pool_free(pool);
	pool_free(NULL);
	drop_answers(&watched, 1);
	sem_destroy(&reached);
}

static void answers_that_are_kept_come_first(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched jobs[5];
	stop_pool(&stopped, &(struct pool_options){ .threads = 1 });
	for (size_t i = 0; i < ROWS(jobs); i++)
		make_job(&jobs[i], "abcde"[i], soon());
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[0].job));
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[1].job));
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &jobs[2].job));
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &jobs[3].job));
	jobs[4].reached = &stopped.reached;
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[4].job));
	sem_post(&stopped.go_on);
	wait_for(&stopped.reached);
	assert_string_equal(order, "-cdabe");
	end_pool(&stopped);
	drop_answers(jobs, ROWS(jobs));
}

static void a_full_queue_turns_away_and_the_other_does_not(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched jobs[6];
	struct pool_counts counts;
	stop_pool(&stopped, &(struct pool_options){ .threads = 1, .limit = { [POOL_KEPT] = 3, [POOL_ONCE] = 2 } });
	for (size_t i = 0; i < ROWS(jobs); i++)
		make_job(&jobs[i], "abcdef"[i], soon());
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[0].job));
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[1].job));
	assert_false(pool_submit(stopped.pool, POOL_ONCE, &jobs[2].job));
	assert_true(pool_is_full(stopped.pool, POOL_ONCE)); /* which is one more that was turned away */
	assert_false(pool_is_full(stopped.pool, POOL_KEPT));
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &jobs[2].job));
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &jobs[3].job));
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &jobs[4].job));
	assert_false(pool_submit(stopped.pool, POOL_KEPT, &jobs[5].job));
	pool_counts(stopped.pool, &counts);
	assert_int_equal(counts.waiting[POOL_KEPT], 3);
	assert_int_equal(counts.waiting[POOL_ONCE], 2);
	assert_int_equal(counts.refused[POOL_KEPT], 1);
	assert_int_equal(counts.refused[POOL_ONCE], 2);
	jobs[1].reached = &stopped.reached;
	sem_post(&stopped.go_on);
	wait_for(&stopped.reached);
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[5].job));
	pool_free(stopped.pool);
	stopped.pool = NULL;
	for (size_t i = 0; i < ROWS(jobs); i++) {
		assert_int_equal(atomic_load(&jobs[i].ended), 1);
		drop_answers(&jobs[i], 1);
	}
	end_pool(&stopped);
}

static void what_comes_too_late_is_not_signed(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched late, in_time;
	struct pool_counts counts;
	stop_pool(&stopped, &(struct pool_options){ .threads = 1 });
	make_job(&late, 'a', now_ms());
	make_job(&in_time, 'b', soon());
	in_time.reached = &stopped.reached;
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &late.job));
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &in_time.job));
	sem_post(&stopped.go_on);
	wait_for(&stopped.reached);
	assert_int_equal(late.job.code, CLINCH_E_TIMEOUT);
	assert_null(late.job.answer.data);
	assert_int_equal(in_time.job.code, 0);
	pool_counts(stopped.pool, &counts);
	assert_int_equal(counts.late, 1);
	assert_int_equal(counts.signed_ok, 2);
	assert_int_equal(counts.failed, 0);
	end_pool(&stopped);
	drop_answers(&in_time, 1);
}

static void what_waits_too_long_ends_although_each_thread_is_stuck(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched jobs[3];
	stop_pool(&stopped, &(struct pool_options){ .threads = 1 });
	make_job(&jobs[0], 'a', now_ms());
	make_job(&jobs[1], 'b', now_ms());
	make_job(&jobs[2], 'c', soon());
	assert_true(pool_submit(stopped.pool, POOL_KEPT, &jobs[0].job));
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[1].job));
	assert_true(pool_submit(stopped.pool, POOL_ONCE, &jobs[2].job));
	pool_expire(stopped.pool);
	assert_string_equal(order, "-ab");
	assert_int_equal(jobs[0].job.code, CLINCH_E_TIMEOUT);
	assert_int_equal(jobs[1].job.code, CLINCH_E_TIMEOUT);
	assert_int_equal(atomic_load(&jobs[2].ended), 0);
	jobs[2].reached = &stopped.reached;
	sem_post(&stopped.go_on);
	wait_for(&stopped.reached);
	assert_int_equal(jobs[2].job.code, 0);
	end_pool(&stopped);
	drop_answers(&jobs[2], 1);
}

static void *free_pool(void *pool)
{
	pool_free(pool);
	return NULL;
}

/* It turns away without counting, and not because of a full queue. */
static bool is_ending(struct pool *pool, struct watched *probe)
{
	struct pool_counts before, after;

	pool_counts(pool, &before);
	assert_false(pool_submit(pool, POOL_ONCE, &probe->job));
	pool_counts(pool, &after);
	return after.refused[POOL_ONCE] == before.refused[POOL_ONCE];
}

static void the_end_of_the_pool_is_the_end_of_what_waits(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched jobs[3], probe;
	pthread_t thread;
	int64_t end = soon();
	stop_pool(&stopped, &(struct pool_options){ .threads = 1, .limit = { [POOL_ONCE] = 1 } });
	for (size_t i = 0; i < ROWS(jobs); i++) {
		make_job(&jobs[i], "abc"[i], soon());
		assert_true(pool_submit(stopped.pool, i ? POOL_KEPT : POOL_ONCE, &jobs[i].job));
	}
	make_job(&probe, 'x', soon());
	assert_int_equal(pthread_create(&thread, NULL, free_pool, stopped.pool), 0);
	while (!is_ending(stopped.pool, &probe))
		assert_true(now_ms() < end);
	sem_post(&stopped.go_on);
	pthread_join(thread, NULL);
	stopped.pool = NULL;
	for (size_t i = 0; i < ROWS(jobs); i++) {
		assert_int_equal(atomic_load(&jobs[i].ended), 1);
		assert_int_equal(jobs[i].job.code, CLINCH_E_TIMEOUT);
		assert_null(jobs[i].job.answer.data);
	}
	assert_string_equal(order, "-bca");
	assert_int_equal(atomic_load(&probe.ended), 0);
	end_pool(&stopped);
}

static void a_stuck_thread_is_not_waited_for_longer_than_allowed(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched job;
	stop_pool(&stopped, &(struct pool_options){ .threads = 2 });
	make_job(&job, 'a', soon());
	int64_t before = now_ms();
	assert_false(pool_stop(stopped.pool, 50));
	assert_true(now_ms() - before >= 50);
	assert_false(pool_submit(stopped.pool, POOL_KEPT, &job.job));
	assert_int_equal(atomic_load(&job.ended), 0);
	sem_post(&stopped.go_on);
	assert_true(pool_stop(stopped.pool, PATIENCE_S * 1000));
	end_pool(&stopped);
}

/* ---- who is told ---- */

struct told {
	atomic_int times;
	atomic_uint ended; /* how many jobs had ended when it was told the last time */
	sem_t *reached;
};

static void on_told(void *user)
{
	struct told *told = user;

	atomic_store(&told->ended, atomic_load(&n_order));
	atomic_fetch_add(&told->times, 1);
	sem_post(told->reached);
}

static void it_is_told_once_for_several_and_of_each(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched jobs[4];
	sem_t reached;
	struct told told = { .reached = &reached };
	sem_init(&reached, 0, 0);
	stop_pool(&stopped, &(struct pool_options){ .threads = 1, .ended = on_told, .user = &told });
	for (size_t i = 0; i < ROWS(jobs); i++) {
		make_job(&jobs[i], "abcd"[i], i < 2 ? soon() : now_ms());
		assert_true(pool_submit(stopped.pool, i < 2 ? POOL_KEPT : POOL_ONCE, &jobs[i].job));
	}
	assert_int_equal(atomic_load(&told.times), 0);
	pool_expire(stopped.pool); /* which is the third and the fourth */
	assert_int_equal(atomic_load(&told.times), 1);
	assert_int_equal(atomic_load(&told.ended), 3);
	wait_for(&reached);
	sem_post(&stopped.go_on);
	while (atomic_load(&n_order) < 5 || atomic_load(&told.ended) < 5)
		wait_for(&reached);
	assert_in_range(atomic_load(&told.times), 2, 4); /* it was stopped for longer than nobody is told */
	end_pool(&stopped);
	drop_answers(jobs, ROWS(jobs));
}

/* ---- in the background ---- */

struct chores {
	atomic_int left, asked;
	sem_t *reached; /* when there are none left */
};

static bool do_chore(void *user)
{
	struct chores *chores = user;

	atomic_fetch_add(&chores->asked, 1);
	if (atomic_load(&chores->left) == 0) {
		sem_post(chores->reached);
		return false;
	}
	atomic_fetch_sub(&chores->left, 1);
	write_down('.');
	return true;
}

static void the_background_takes_turns_with_what_is_not_kept(void **state)
{
	(void)state;
	struct stopped stopped;
	struct watched jobs[5];
	sem_t nothing_left;
	struct chores chores = { .reached = &nothing_left };
	sem_init(&nothing_left, 0, 0);
	stop_pool(&stopped, &(struct pool_options){ .threads = 1, .background = do_chore, .user = &chores });
	for (size_t i = 0; i < ROWS(jobs); i++) {
		make_job(&jobs[i], "abcKL"[i], soon());
		assert_true(pool_submit(stopped.pool, i < 3 ? POOL_ONCE : POOL_KEPT, &jobs[i].job));
	}
	while (sem_trywait(&nothing_left) == 0)
		; /* it may have been asked before it was stopped */
	atomic_store(&chores.left, 5);
	pool_wake(stopped.pool);
	sem_post(&stopped.go_on);
	wait_for(&nothing_left);
	order[strlen("-KL")] = '#'; /* whose turn it is at first does not matter */
	if (memcmp(order, "-KL#.b.c...", 11) != 0 && memcmp(order, "-KL#a.b.c..", 11) != 0)
		assert_string_equal(order, "-KL, then in turns");
	end_pool(&stopped);
	drop_answers(jobs, ROWS(jobs));
	sem_destroy(&nothing_left);
}

static void the_background_is_left_alone_until_there_is_work(void **state)
{
	(void)state;
	struct watched job;
	sem_t reached;
	struct chores chores = { .left = 3, .reached = &reached };
	const struct pool_options options = { .threads = 1, .background = do_chore, .user = &chores };
	struct pool *pool = make_pool(&options, &reached);
	wait_for(&reached);
	assert_int_equal(atomic_load(&chores.asked), 4);
	make_job(&job, 'a', soon());
	job.reached = &reached;
	assert_true(pool_submit(pool, POOL_KEPT, &job.job));
	wait_for(&reached);
	assert_int_equal(atomic_load(&chores.asked), 4);
	atomic_store(&chores.left, 2);
	pool_wake(pool);
	wait_for(&reached);
	assert_int_equal(atomic_load(&chores.asked), 7);
	pool_free(pool);
	drop_answers(&job, 1);
	sem_destroy(&reached);
}

static void a_failure_is_counted_as_one(void **state)
{
	(void)state;
	struct watched bad, good;
	struct pool_counts counts;
	sem_t reached;
	struct pool *pool = make_pool(&(struct pool_options){ .threads = 1 }, &reached);
	make_job(&bad, 'a', soon());
	bad.job.produced_at = NOW + 31 * DAY; /* its signer is not valid any more */
	bad.reached = &reached;
	assert_true(pool_submit(pool, POOL_KEPT, &bad.job));
	wait_for(&reached);
	assert_int_equal(bad.job.code, CLINCH_E_MISSING);
	assert_true(strlen(bad.job.err.text) > 0);
	pool_counts(pool, &counts);
	assert_int_equal(counts.failed, 1);
	make_job(&good, 'b', soon());
	good.reached = &reached;
	assert_true(pool_submit(pool, POOL_KEPT, &good.job));
	wait_for(&reached);
	pool_counts(pool, &counts);
	assert_int_equal(counts.failed, 1);
	assert_int_equal(counts.signed_ok, 1);
	pool_free(pool);
	drop_answers(&good, 1);
	sem_destroy(&reached);
}

/* ---- all at once ---- */

enum { SUBMITTERS = 3, JOBS = 400 };

struct crowd {
	struct pool *pool;
	struct watched jobs[JOBS];
	unsigned taken;
	pthread_t thread;
};

/* Most are not content with a full queue. */
static bool submit(struct pool *pool, enum pool_queue queue, struct pool_job *job, bool insists)
{
	bool taken = pool_submit(pool, queue, job);

	for (int64_t end = soon(); insists && !taken && now_ms() < end;) {
		sched_yield();
		taken = pool_submit(pool, queue, job);
	}
	return taken;
}

static void *submit_all(void *data)
{
	struct crowd *crowd = data;

	for (size_t i = 0; i < JOBS; i++) {
		make_job(&crowd->jobs[i], 'x', i % 7 ? soon() : now_ms());
		crowd->taken += submit(crowd->pool, i % 3 ? POOL_ONCE : POOL_KEPT, &crowd->jobs[i].job, i % 5);
		if (i % 16 == 0)
			pool_wake(crowd->pool);
		if (i % 32 == 0)
			pool_expire(crowd->pool);
	}
	return NULL;
}

static bool sign_in_background(void *user)
{
	auto_datum out = { NULL, 0 };
	struct ocsp_single single = { .cert_id = id, .status = CLINCH_GOOD, .this_update = NOW, .next_update = NOW + DAY };

	atomic_fetch_add((atomic_int *)user, 1);
	return authority_sign(&out, authority, &single, 1, NOW, NULL, NULL, NULL) == 0 &&
	       atomic_load((atomic_int *)user) % 5;
}

static void each_job_that_was_taken_ends_once(void **state)
{
	(void)state;
	static struct crowd crowds[SUBMITTERS];
	struct pool *pool;
	atomic_int chores = 0;
	unsigned ended = 0, taken = 0;
	const struct pool_options options = {
		.threads = 4, .limit = { 64, 32 }, .background = sign_in_background, .user = &chores
	};
	assert_int_equal(pool_new(&pool, &options, NULL), 0);
	for (size_t i = 0; i < SUBMITTERS; i++) {
		crowds[i].pool = pool;
		assert_int_equal(pthread_create(&crowds[i].thread, NULL, submit_all, &crowds[i]), 0);
	}
	for (size_t i = 0; i < SUBMITTERS; i++)
		pthread_join(crowds[i].thread, NULL);
	pool_free(pool);
	for (size_t i = 0; i < SUBMITTERS; i++) {
		taken += crowds[i].taken;
		for (size_t j = 0; j < JOBS; j++) {
			struct watched *job = &crowds[i].jobs[j];
			assert_in_range(atomic_load(&job->ended), 0, 1);
			assert_int_equal(job->job.answer.data != NULL, atomic_load(&job->ended) && job->job.code == 0);
			ended += (unsigned)atomic_load(&job->ended);
			drop_answers(job, 1);
		}
	}
	assert_int_equal(ended, taken);
	assert_true(taken > 0);
	assert_true(atomic_load(&chores) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_signed_is_a_response_with_its_nonce),
		T(answers_that_are_kept_come_first),
		T(a_full_queue_turns_away_and_the_other_does_not),
		T(what_comes_too_late_is_not_signed),
		T(what_waits_too_long_ends_although_each_thread_is_stuck),
		T(the_end_of_the_pool_is_the_end_of_what_waits),
		T(a_stuck_thread_is_not_waited_for_longer_than_allowed),
		T(it_is_told_once_for_several_and_of_each),
		T(the_background_takes_turns_with_what_is_not_kept),
		T(the_background_is_left_alone_until_there_is_work),
		T(a_failure_is_counted_as_one),
		T(each_job_that_was_taken_ends_once),
	};
	return cmocka_run_group_tests_name("pool", tests, set_up, tear_down);
}
