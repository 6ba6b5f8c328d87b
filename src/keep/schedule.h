/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When to try next: pure arithmetic, no clock, no random numbers of its own. Waits are milliseconds from `now`; validity is
 * on the wall clock (Unix seconds), so a wait is counted on the monotonic clock and planned anew when the wall clock jumps.
 */
#ifndef KEEP_SCHEDULE_H
#define KEEP_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_NEW_S 900 /* a new certificate's "unauthorized" or "unknown" is asked again often for so long */

/* What is held. this_update 0: nothing. */
struct schedule_life {
	int64_t this_update;
	int64_t fresh_until;
};

/*
 * `random` is uniform over all of uint32_t. Jitter is theirs: ten thousand certificates of one day must not be asked for in
 * one second.
 */

/* When one was loaded: the half of its validity, +-10 %; 0 when that has passed. */
int64_t schedule_after_load(struct schedule_life life, int64_t now, uint32_t random);

/*
 * After a newer response: the same; not before the responder's max-age is over (max_age_s, -1: not said), but never later
 * than 3/4 of the life. A response whose half had passed when it came: as one that is unchanged.
 */
int64_t schedule_after_success(struct schedule_life life, int64_t now, int64_t max_age_s, uint32_t random);

/* After the same one again, or an older one: 1/12 of what is left, +-10 %; not before max-age, as above. Once nothing is
 * left: SCHEDULE_FIRST_MS. */
int64_t schedule_after_unchanged(struct schedule_life life, int64_t now, int64_t max_age_s, uint32_t random);

struct schedule_failure {
	unsigned failures;     /* in a row, this one included: 1 and above */
	int64_t retry_after_s; /* -1: not said */
	bool not_known_yet;    /* "unauthorized" or "unknown" */
	int64_t seen_for_s;    /* since the certificate was found */
};

/*
 * After an error: 30 s, doubling, +-20 %, at most one hour and 1/8 of the remaining life, whichever is less; not before
 * Retry-After, which is capped the same way. Where nothing is held the hour alone is the cap; where what is held has ended,
 * 1/8 of the time since then, at least SCHEDULE_FIRST_MS: a responder that comes back soon is asked soon. A certificate
 * found less than SCHEDULE_NEW_S ago that is not known yet is asked for every 30 s.
 */
int64_t schedule_after_failure(struct schedule_life life, int64_t now, const struct schedule_failure *failure,
			       uint32_t random);
#define SCHEDULE_FIRST_MS 30000
#define SCHEDULE_SHORTEST_MS 1000 /* of any wait but schedule_after_load() */

/* Which threshold has been passed: 100 (none), 50, 25, 10 or 0 (expired) per cent of the life are left, or less. */
int schedule_life_left(struct schedule_life life, int64_t now);
/* Unix seconds at which the next threshold is passed; INT64_MAX: none is left. */
int64_t schedule_next_mark(struct schedule_life life, int64_t now);

/* Staple while now < this: fresh_until less the smaller of 5 minutes and a tenth of the life. */
int64_t schedule_staple_until(struct schedule_life life);

/* Have the two clocks drifted apart by more than a minute between two looks? Then every wait is planned anew. */
bool schedule_clock_jumped(int64_t wall_then, int64_t mono_then_ms, int64_t wall_now, int64_t mono_now_ms);

#endif
