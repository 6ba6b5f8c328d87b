/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/load.h"
#include "base/error.h"
#include "tls/stapler.h"
#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#define FEWEST 32 /* certificates that a thread is worth */
#define MOST_THREADS 64
#define AT_ONCE 16 /* that a thread takes before it comes for more: cores are not equally busy */

struct work {
	clinch_stapler_t *stapler;
	const struct clinch_stapler_pair *pairs;
	struct entry **entries;
	unsigned n;
	atomic_uint next;
	pthread_mutex_t lock;
	unsigned first_failed; /* n: none */
	struct clinch_error err;
};

static void note_failure(struct work *work, unsigned i, const struct clinch_error *err)
{
	pthread_mutex_lock(&work->lock);
	if (i < work->first_failed) {
		work->first_failed = i;
		work->err = *err;
	}
	pthread_mutex_unlock(&work->lock);
	atomic_store(&work->next, work->n); /* what comes after it need not be looked at */
}

static void load_some(struct work *work, unsigned from)
{
	struct clinch_error err;

	for (unsigned i = from; i < work->n && i < from + AT_ONCE; i++) {
		if (stapler_load_entry(work->stapler, &work->pairs[i], &work->entries[i], &err) == 0)
			continue;
		note_failure(work, i, &err);
		return;
	}
}

static void *load(void *data)
{
	struct work *work = data;

	for (;;) {
		unsigned from = atomic_fetch_add(&work->next, AT_ONCE);
		if (from >= work->n)
			return NULL;
		load_some(work, from);
	}
}

static unsigned count_threads(unsigned n)
{
	unsigned threads = uv_available_parallelism();

	if (threads > n / FEWEST)
		threads = n / FEWEST;
	return threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
}

static void load_all(struct work *work)
{
	pthread_t thread[MOST_THREADS];
	unsigned threads = count_threads(work->n), started = 0;

	while (started + 1 < threads && pthread_create(&thread[started], NULL, load, work) == 0)
		started++;
	load(work);
	while (started)
		pthread_join(thread[--started], NULL);
}

int load_pairs(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pairs, unsigned n, struct clinch_error *err)
{
	struct work work = {
		.stapler = stapler, .pairs = pairs, .n = n, .first_failed = n, .lock = PTHREAD_MUTEX_INITIALIZER
	};
	int code = 0;

	work.entries = calloc(n ? n : 1, sizeof(*work.entries));
	if (!work.entries)
		return error_set(err, CLINCH_E_MEMORY, "no memory for %u certificates", n);
	load_all(&work);
	if (work.first_failed < n) {
		code = work.err.code;
		if (err)
			*err = work.err;
	}
	if (code == 0)
		code = stapler_add_entries(stapler, work.entries, n, err);
	for (unsigned i = 0; i < n && code < 0; i++)
		stapler_entry_free(work.entries[i]);
	free(work.entries);
	return code;
}
