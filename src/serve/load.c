/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/load.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "tls/stapler.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define FEWEST 32 /* certificates that a thread is worth */
#define MOST_THREADS 64
#define AT_ONCE 16 /* that a thread takes before it comes for more: cores are not equally busy */

struct work {
	clinch_stapler_t *stapler;
	bool same_issuers;
	struct entry **before; /* by the names of their files */
	unsigned n_before;
	int64_t now;
	const struct clinch_stapler_pair *pairs;
	struct entry **entries;
	unsigned n;
	atomic_uint next;
	pthread_mutex_t lock;
	unsigned first_failed; /* n: none */
	struct clinch_error err;
};

/* ---- what is in use ---- */

static int compare_files(const struct entry *entry, const char *chain_file, const char *key_file)
{
	int order = strcmp(entry->chain_file, chain_file);

	return order ? order : strcmp(entry->key_file, key_file);
}

static int by_files(const void *a, const void *b)
{
	const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;

	return compare_files(left, right->chain_file, right->key_file);
}

static int by_pair(const void *pair, const void *entry)
{
	const struct clinch_stapler_pair *wanted = pair;

	return -compare_files(*(struct entry *const *)entry, wanted->chain_pem, wanted->key_pem_or_url);
}

static int sort_before(struct work *work, const clinch_stapler_t *before)
{
	if (!before || before->n == 0)
		return 0;
	work->same_issuers = stapler_same_issuers(work->stapler, before);
	work->before = malloc(before->n * sizeof(*work->before));
	if (!work->before)
		return CLINCH_E_MEMORY;
	memcpy(work->before, before->entry, before->n * sizeof(*work->before));
	work->n_before = before->n;
	qsort(work->before, work->n_before, sizeof(*work->before), by_files);
	return 0;
}

static const struct entry *find_before(const struct work *work, const struct clinch_stapler_pair *pair)
{
	struct entry **found =
		work->n_before ? bsearch(pair, work->before, work->n_before, sizeof(*work->before), by_pair) : NULL;

	return found ? *found : NULL;
}

/* ---- loading ---- */

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

static int load_one(struct work *work, unsigned i, struct clinch_error *err)
{
	const struct clinch_stapler_pair *pair = &work->pairs[i];
	const struct entry *before = find_before(work, pair);

	if (before)
		return stapler_inherit_entry(work->stapler, pair, before, work->same_issuers, work->now, &work->entries[i],
					     err);
	return stapler_load_entry(work->stapler, pair, &work->entries[i], err);
}

static void load_some(struct work *work, unsigned from)
{
	struct clinch_error err;

	for (unsigned i = from; i < work->n && i < from + AT_ONCE; i++) {
		if (load_one(work, i, &err) == 0)
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

static int load_and_add(struct work *work, struct clinch_error *err)
{
	int code = 0;

	load_all(work);
	if (work->first_failed < work->n) {
		code = work->err.code;
		if (err)
			*err = work->err;
	}
	if (code == 0)
		code = stapler_add_entries(work->stapler, work->entries, work->n, err);
	for (unsigned i = 0; i < work->n && code < 0; i++)
		stapler_entry_free(work->entries[i]);
	return code;
}

int load_pairs(clinch_stapler_t *stapler, const clinch_stapler_t *before, const struct clinch_stapler_pair *pairs,
	       unsigned n, int64_t now, struct clinch_error *err)
{
	struct work work = {
		.stapler = stapler, .pairs = pairs, .n = n, .now = now, .first_failed = n, .lock = PTHREAD_MUTEX_INITIALIZER
	};
	int code;

	work.entries = calloc(n ? n : 1, sizeof(*work.entries));
	code = work.entries ? sort_before(&work, before) : CLINCH_E_MEMORY;
	code = code < 0 ? error_set(err, code, "no memory for %u certificates", n) : load_and_add(&work, err);
	free(work.entries);
	free(work.before);
	return code;
}
