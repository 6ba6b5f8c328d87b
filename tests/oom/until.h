/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The n-th request fails, for each n until the attempt succeeds. */
#ifndef OOM_UNTIL_H
#define OOM_UNTIL_H

#include "heap.h"
#include "unit.h"

enum outcome { HONEST_FAILURE, SUCCEEDED, WRONG };

/* Runs `attempt` with the n-th request failing until none fails. It gives back all it takes, whatever happens. */
static inline void until_it_succeeds(enum outcome (*attempt)(const void *what), const void *what)
{
	/* What is made once for the life of the process is made now: twice, for what the first one left half made. */
	assert_int_equal(attempt(what), SUCCEEDED);
	assert_int_equal(attempt(what), SUCCEEDED);
	heap_arm(0);
	assert_int_equal(attempt(what), SUCCEEDED);
	heap_disarm();
	unsigned long total = heap_requests();
	assert_true(total > 0);
	for (unsigned long n = 1;; n++) {
		long before = heap_live();
		heap_arm(n);
		enum outcome outcome = attempt(what);
		enum heap_failure failure = heap_disarm();
		if (outcome == WRONG)
			fail_msg("request %lu of %lu failed, and something wrong was believed", n, total);
		/* What gnutls_handshake() loses of its own when its own request fails is GnuTLS's to find. */
		if (failure != HEAP_FAILED_GNUTLS && heap_live() != before)
			fail_msg("request %lu of %lu failed, and %ld allocations leaked", n, total, heap_live() - before);
		if (failure == HEAP_NOT_FAILED) {
			assert_int_equal(outcome, SUCCEEDED);
			break;
		}
	}
	print_message("# each of %lu requests failed\n", total);
}

#endif
