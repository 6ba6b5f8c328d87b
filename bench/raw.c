/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench-raw FOLDER CALLS: so many raw verifications, in equal parts by one thread a core; prints
 *	<wall time in ns> <CPU time in ns>
 * of all of them together: what the rows that count certificates stand beside.
 */
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 256

struct share {
	pthread_t thread;
	const struct material *material;
	const struct side *side;
	unsigned calls;
	bool right;
};

static int64_t clock_wall(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

static void *work(void *arg)
{
	struct share *share = arg;

	share->right = true;
	for (unsigned i = 0; i < share->calls && share->right; i++)
		share->right = share->side->run(share->material);
	return NULL;
}

static unsigned cores(void)
{
	cpu_set_t allowed;
	int n = sched_getaffinity(0, sizeof(allowed), &allowed) ? 1 : CPU_COUNT(&allowed);

	return n < THREADS_MAX ? (unsigned)n : THREADS_MAX;
}

static bool run_all(const struct material *material, const struct side *side, unsigned calls)
{
	static struct share share[THREADS_MAX];
	unsigned n = cores(), started = 0;
	bool right = true;

	for (; started < n; started++) {
		share[started] = (struct share){ .material = material,
						 .side = side,
						 .calls = calls * (started + 1) / n - calls * started / n };
		if (pthread_create(&share[started].thread, NULL, work, &share[started]))
			break;
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(share[i].thread, NULL);
		right = right && share[i].right;
	}
	return right && started == n;
}

int main(int argc, char **argv)
{
	unsigned long calls = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	const struct side *side = gnutls_sides;
	struct material material = { 0 };

	if (calls < 1 || calls > 1000000) {
		fprintf(stderr, "usage: clinch-bench-raw FOLDER CALLS\n");
		return 2;
	}
	while (side->name && strcmp(side->name, "raw-direct") != 0)
		side++;
	if (!side->name || !material_load(&material, argv[1]))
		return 1;
	int64_t wall = clock_wall(), cpu = clock_cpu();
	if (!run_all(&material, side, (unsigned)calls)) {
		fprintf(stderr, "bench: a raw verification failed\n");
		return 1;
	}
	printf("%lld %lld\n", (long long)(clock_wall() - wall), (long long)(clock_cpu() - cpu));
	return 0;
}
