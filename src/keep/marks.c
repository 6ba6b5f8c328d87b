/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/marks.h"
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 16

/* A fingerprint is as good as a hash of itself. */
static size_t home_of(const struct marks *marks, const uint8_t *fingerprint)
{
	uint64_t start;

	memcpy(&start, fingerprint, sizeof(start));
	return (size_t)(start & (marks->n_slots - 1));
}

static size_t find_slot(const struct marks *marks, const uint8_t *fingerprint)
{
	size_t at = home_of(marks, fingerprint);

	while (marks->slot[at].used && memcmp(marks->slot[at].fingerprint, fingerprint, FINGERPRINT_LEN) != 0)
		at = (at + 1) & (marks->n_slots - 1);
	return at;
}

struct mark *marks_find(const struct marks *marks, const uint8_t *fingerprint)
{
	if (!marks->n_slots)
		return NULL;
	struct mark *mark = &marks->slot[find_slot(marks, fingerprint)];
	return mark->used ? mark : NULL;
}

static bool grow(struct marks *marks)
{
	struct marks larger = { .n_slots = marks->n_slots ? marks->n_slots * 2 : SLOTS_MIN };

	larger.slot = calloc(larger.n_slots, sizeof(*larger.slot));
	if (!larger.slot)
		return false;
	for (size_t i = 0; i < marks->n_slots; i++)
		if (marks->slot[i].used)
			larger.slot[find_slot(&larger, marks->slot[i].fingerprint)] = marks->slot[i];
	larger.n = marks->n;
	larger.n_pending = marks->n_pending;
	free(marks->slot);
	*marks = larger;
	return true;
}

struct mark *marks_put(struct marks *marks, const uint8_t *fingerprint)
{
	struct mark *mark = marks_find(marks, fingerprint);

	if (mark)
		return mark;
	if ((marks->n + 1) * 4 > marks->n_slots * 3 && !grow(marks))
		return NULL;
	mark = &marks->slot[find_slot(marks, fingerprint)];
	memcpy(mark->fingerprint, fingerprint, FINGERPRINT_LEN);
	mark->used = true;
	marks->n++;
	return mark;
}

void marks_set(struct marks *marks, struct mark *mark, bool pending)
{
	if (pending && !mark->pending)
		marks->n_pending++;
	if (!pending && mark->pending)
		marks->n_pending--;
	mark->pending = pending;
}

/* What stands behind it moves up, so that every search still ends at a gap. */
void marks_remove(struct marks *marks, const uint8_t *fingerprint)
{
	struct mark *gone = marks_find(marks, fingerprint);

	if (!gone)
		return;
	marks_set(marks, gone, false);
	marks->n--;
	size_t gap = (size_t)(gone - marks->slot), mask = marks->n_slots - 1;
	for (size_t at = (gap + 1) & mask; marks->slot[at].used; at = (at + 1) & mask) {
		size_t home = home_of(marks, marks->slot[at].fingerprint);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		marks->slot[gap] = marks->slot[at];
		gap = at;
	}
	marks->slot[gap] = (struct mark){ 0 };
}

uint8_t (*marks_take(struct marks *marks, size_t *n))[FINGERPRINT_LEN]
{
	uint8_t(*taken)[FINGERPRINT_LEN];
	size_t at = 0;

	*n = marks->n_pending;
	if (!*n)
		return NULL;
	taken = calloc(*n, FINGERPRINT_LEN);
	if (!taken)
		return NULL;
	for (size_t i = 0; i < marks->n_slots && at < *n; i++)
		if (marks->slot[i].pending) {
			memcpy(taken[at++], marks->slot[i].fingerprint, FINGERPRINT_LEN);
			marks_set(marks, &marks->slot[i], false);
		}
	return taken;
}

void marks_done(struct marks *marks)
{
	free(marks->slot);
	*marks = (struct marks){ 0 };
}
