/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"
#include <sched.h>
#include <time.h>

int64_t clock_cpu(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

double clock_batch(const struct side *side, const struct material *material, unsigned calls)
{
	int64_t began = clock_cpu();

	for (unsigned i = 0; i < calls; i++)
		if (!side->run(material))
			return -1;
	return (double)(clock_cpu() - began) / calls;
}

unsigned clock_calibrate(const struct side *side, const struct material *material, int64_t batch_ns)
{
	for (unsigned calls = 1; calls < 1U << 24; calls *= 2) {
		double each = clock_batch(side, material, calls);

		if (each < 0)
			return 0;
		if (each * calls >= (double)batch_ns / 4)
			return (unsigned)((double)batch_ns / each) + 1;
	}
	return 1U << 24;
}

void clock_pin(void)
{
	cpu_set_t allowed;
	cpu_set_t one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}
