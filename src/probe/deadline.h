/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One instant for all waits of a target, in milliseconds of the monotonic clock. */
#ifndef PROBE_DEADLINE_H
#define PROBE_DEADLINE_H

#include <stdint.h>
#include <time.h>

static inline int64_t deadline_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is left, at least 0: a time-out for poll(). */
static inline int deadline_left(int64_t deadline)
{
	int64_t left = deadline - deadline_now();

	if (left <= 0)
		return 0;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

#endif
