/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/load.h"
#include <pthread.h>
#include <uv.h>

#define FEWEST 32 /* certificates that a thread is worth */
#define MOST_THREADS 64

struct share {
	clinch_stapler_t *stapler;
	const struct clinch_stapler_pair *pairs;
	unsigned n;
	int code;
	struct clinch_error err;
	pthread_t thread;
	bool started;
};

static void *load(void *data)
{
	struct share *share = data;

	share->code = clinch_stapler_add_files(share->stapler, share->pairs, share->n, &share->err);
	return NULL;
}

static unsigned count_threads(unsigned n)
{
	unsigned threads = uv_available_parallelism();

	if (threads > n / FEWEST)
		threads = n / FEWEST;
	return threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
}

int load_pairs(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pairs, unsigned n, struct clinch_error *err)
{
	struct share shares[MOST_THREADS];
	unsigned threads = count_threads(n), done = 0;

	for (unsigned i = 0; i < threads; i++) {
		unsigned end = (unsigned)((uint64_t)n * (i + 1) / threads);

		shares[i] = (struct share){ .stapler = stapler, .pairs = pairs + done, .n = end - done };
		done = end;
		/* The last share is ours; so is one that no thread could be had for. */
		shares[i].started = i + 1 < threads && pthread_create(&shares[i].thread, NULL, load, &shares[i]) == 0;
		if (!shares[i].started)
			load(&shares[i]);
	}
	for (unsigned i = 0; i < threads; i++)
		if (shares[i].started)
			pthread_join(shares[i].thread, NULL);
	for (unsigned i = 0; i < threads; i++) {
		if (shares[i].code < 0) {
			*err = shares[i].err;
			return shares[i].code;
		}
	}
	return 0;
}
