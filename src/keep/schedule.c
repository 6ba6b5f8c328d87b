/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/schedule.h"

#define HOUR_MS 3600000
#define MARGIN_S 300
#define JUMP_MS 60000

static int64_t min_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* From value - spread to value + spread. */
static int64_t jittered(int64_t value, int64_t spread, uint32_t random)
{
	return value - spread + (int64_t)((double)(2 * spread) * ((double)random / UINT32_MAX));
}

static int64_t length_ms(struct schedule_life life)
{
	return (life.fresh_until - life.this_update) * 1000;
}

static int64_t gone_ms(struct schedule_life life, int64_t now)
{
	return (now - life.this_update) * 1000;
}

/* Longer when a cache would only give the old one again, but not beyond 3/4 of the life, where that is still to come. */
static int64_t not_before_max_age(int64_t wait, struct schedule_life life, int64_t now, int64_t max_age_s)
{
	int64_t latest = length_ms(life) / 4 * 3 - gone_ms(life, now);

	if (max_age_s > 0 && latest > 0)
		wait = max_of(wait, min_of(min_of(max_age_s, INT32_MAX) * 1000, latest));
	return wait;
}

static int64_t wait_for_half(struct schedule_life life, int64_t now, uint32_t random)
{
	int64_t half = length_ms(life) / 2;

	return jittered(half, half / 10, random) - gone_ms(life, now);
}

int64_t schedule_after_load(struct schedule_life life, int64_t now, uint32_t random)
{
	return max_of(wait_for_half(life, now, random), 0);
}

int64_t schedule_after_success(struct schedule_life life, int64_t now, int64_t max_age_s, uint32_t random)
{
	int64_t wait = wait_for_half(life, now, random);

	if (wait <= 0)
		return schedule_after_unchanged(life, now, max_age_s, random);
	return max_of(not_before_max_age(wait, life, now, max_age_s), SCHEDULE_SHORTEST_MS);
}

int64_t schedule_after_unchanged(struct schedule_life life, int64_t now, int64_t max_age_s, uint32_t random)
{
	int64_t left = (life.fresh_until - now) * 1000, wait = left / 12;

	if (left <= 0)
		return SCHEDULE_FIRST_MS;
	wait = not_before_max_age(jittered(wait, wait / 10, random), life, now, max_age_s);
	return max_of(wait, SCHEDULE_SHORTEST_MS);
}

static int64_t failure_cap(struct schedule_life life, int64_t now)
{
	int64_t left = (life.fresh_until - now) * 1000;

	if (life.this_update == 0)
		return HOUR_MS;
	if (left <= 0)
		return min_of(max_of(-left / 8, SCHEDULE_FIRST_MS), HOUR_MS);
	return max_of(min_of(left / 8, HOUR_MS), SCHEDULE_SHORTEST_MS);
}

static int64_t doubled(unsigned failures)
{
	int64_t wait = SCHEDULE_FIRST_MS;

	for (unsigned i = 1; i < failures && wait < HOUR_MS; i++)
		wait *= 2;
	return wait;
}

int64_t schedule_after_failure(struct schedule_life life, int64_t now, const struct schedule_failure *failure,
			       uint32_t random)
{
	int64_t cap = failure_cap(life, now), wait = doubled(failure->failures), asked = 0;

	if (failure->not_known_yet && failure->seen_for_s < SCHEDULE_NEW_S)
		wait = SCHEDULE_FIRST_MS;
	wait = min_of(wait, cap);
	wait = jittered(wait, wait / 5, random);
	if (wait > cap)
		wait = 2 * cap - wait; /* under the cap there is jitter too */
	if (failure->retry_after_s > 0)
		asked = min_of(min_of(failure->retry_after_s, INT32_MAX) * 1000, cap);
	return max_of(max_of(wait, asked), SCHEDULE_SHORTEST_MS);
}

static const int marks[] = { 50, 25, 10, 0 };
#define MARKS (sizeof(marks) / sizeof(*marks))

/* Unix seconds at which `percent` of the life are left. Rounded up: what is asked at that second has passed it. */
static int64_t mark_at(struct schedule_life life, int percent)
{
	return life.fresh_until - (life.fresh_until - life.this_update) * percent / 100;
}

int schedule_life_left(struct schedule_life life, int64_t now)
{
	int left = 100;

	for (unsigned i = 0; i < MARKS; i++)
		if (now >= mark_at(life, marks[i]))
			left = marks[i];
	return left;
}

int64_t schedule_next_mark(struct schedule_life life, int64_t now)
{
	for (unsigned i = 0; i < MARKS; i++)
		if (mark_at(life, marks[i]) > now)
			return mark_at(life, marks[i]);
	return INT64_MAX;
}

int64_t schedule_staple_until(struct schedule_life life)
{
	return life.fresh_until - min_of(MARGIN_S, (life.fresh_until - life.this_update) / 10);
}

bool schedule_clock_jumped(int64_t wall_then, int64_t mono_then_ms, int64_t wall_now, int64_t mono_now_ms)
{
	int64_t apart = (wall_now - wall_then) * 1000 - (mono_now_ms - mono_then_ms);

	return apart > JUMP_MS || apart < -JUMP_MS;
}
