/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/rows.h"
#include "keep/name.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64

static const struct keep_side nothing; /* at the side of most rows */

_Static_assert(KEEP_STATES <= 4 && CLINCH_GOOD < 8, "they fit into the bits of a row");

/* ---- a row ---- */

struct keep_row *row_named(const uint8_t *fingerprint, const char *name)
{
	size_t size = offsetof(struct keep_row, name) + strlen(name) + 1;
	struct keep_row *row = calloc(1, size < sizeof(*row) ? sizeof(*row) : size);

	if (!row)
		return NULL;
	memcpy(row->fingerprint, fingerprint, FINGERPRINT_LEN);
	memcpy(row->name, name, strlen(name) + 1);
	row->side = &nothing;
	row->life_told = 100;
	row->next_try_ms = INT64_MAX;
	return row;
}

struct keep_row *row_new(const clinch_subject_t *subject)
{
	char name[NAME_TEXT_SIZE];
	struct keep_row *row =
		row_named(subject->fingerprint, name_of_certificate(name, &subject->view, subject->fingerprint));

	if (!row)
		return NULL;
	row->issuer = issuer_ref(subject->issuer);
	row->not_after = subject->view.not_after;
	row->is_ca = subject->is_ca;
	row->must_staple = subject->must_staple;
	row->key_type = (uint8_t)name_key_type(&subject->view) & 7;
	return row;
}

struct keep_side *row_side(struct keep_row *row)
{
	if (row->side == &nothing) {
		struct keep_side *side = calloc(1, sizeof(*side));
		if (!side)
			return NULL;
		side->row = row;
		row->side = side;
	}
	return (struct keep_side *)row->side;
}

static void drop_side(struct keep_row *row)
{
	if (row->side != &nothing)
		free((struct keep_side *)row->side);
	row->side = &nothing;
}

bool row_is_fetching(const struct keep_row *row)
{
	return row->side->item.lane;
}

void row_tidy(struct keep_row *row)
{
	const struct keep_side *side = row->side;

	if (!side->item.lane && !side->subject && !side->held && !side->trouble && !side->revoked_at)
		drop_side(row);
}

void row_free(struct keep_row *row)
{
	if (!row)
		return;
	issuer_unref(row->issuer);
	clinch_subject_unref(row->side->subject);
	clinch_response_unref(row->side->held);
	free(row->side->trouble);
	drop_side(row);
	free(row);
}

static uint32_t short_time(int64_t at)
{
	return at <= 0 ? 0 : at >= UINT32_MAX ? UINT32_MAX : (uint32_t)at;
}

struct schedule_life row_life(const struct keep_row *row)
{
	return (struct schedule_life){ row->this_update, row->fresh_until };
}

void row_set_life(struct keep_row *row, const struct clinch_verdict *verdict)
{
	row->this_update = short_time(verdict->this_update);
	row->fresh_until = short_time(verdict->fresh_until);
	row->next_update = short_time(verdict->next_update);
}

/* ---- the table ---- */

/* A fingerprint is as good as random. */
uint64_t row_hash(const uint8_t *fingerprint)
{
	uint64_t start;

	memcpy(&start, fingerprint, sizeof(start));
	return start;
}

static uint64_t hash(const void *entry)
{
	const struct keep_row *row = entry;

	return row_hash(row->fingerprint);
}

static bool is(const void *entry, const void *fingerprint)
{
	const struct keep_row *row = entry;

	return memcmp(row->fingerprint, fingerprint, FINGERPRINT_LEN) == 0;
}

struct keep_table rows_empty(void)
{
	return (struct keep_table){ .hash = hash };
}

struct keep_row *rows_find(const struct keep_table *rows, const uint8_t *fingerprint)
{
	return table_find(rows, row_hash(fingerprint), is, fingerprint);
}

void rows_done(struct keep_table *rows)
{
	for (size_t i = 0; i < rows->n_slots; i++)
		if (rows->slot[i])
			row_free(rows->slot[i]);
	table_done(rows);
}

/* ---- the heap ---- */

bool heap_make_room(struct keep_heap *heap, size_t n)
{
	size_t size = heap->size ? heap->size : SLOTS_MIN;
	struct keep_row **at;

	while (size < n)
		size *= 2;
	if (size == heap->size)
		return true;
	at = reallocarray(heap->at, size, sizeof(*at));
	if (!at)
		return false;
	heap->at = at;
	heap->size = size;
	return true;
}

static void set(struct keep_heap *heap, size_t i, struct keep_row *row)
{
	heap->at[i] = row;
	row->heap_at = (uint32_t)i + 1;
}

static void rise(struct keep_heap *heap, size_t i, struct keep_row *row)
{
	for (; i > 0 && heap->at[(i - 1) / 2]->due_ms > row->due_ms; i = (i - 1) / 2)
		set(heap, i, heap->at[(i - 1) / 2]);
	set(heap, i, row);
}

static void sink(struct keep_heap *heap, size_t i, struct keep_row *row)
{
	for (size_t child; (child = 2 * i + 1) < heap->n; i = child) {
		if (child + 1 < heap->n && heap->at[child + 1]->due_ms < heap->at[child]->due_ms)
			child++;
		if (heap->at[child]->due_ms >= row->due_ms)
			break;
		set(heap, i, heap->at[child]);
	}
	set(heap, i, row);
}

static void settle(struct keep_heap *heap, size_t i, struct keep_row *row)
{
	if (i > 0 && heap->at[(i - 1) / 2]->due_ms > row->due_ms)
		rise(heap, i, row);
	else
		sink(heap, i, row);
}

void heap_put(struct keep_heap *heap, struct keep_row *row)
{
	if (row->heap_at)
		settle(heap, row->heap_at - 1, row);
	else
		rise(heap, heap->n++, row);
}

void heap_remove(struct keep_heap *heap, struct keep_row *row)
{
	size_t i = row->heap_at - 1;

	if (!row->heap_at)
		return;
	row->heap_at = 0;
	if (i == --heap->n)
		return;
	settle(heap, i, heap->at[heap->n]);
}

struct keep_row *heap_first(const struct keep_heap *heap)
{
	return heap->n ? heap->at[0] : NULL;
}
