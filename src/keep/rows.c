/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/rows.h"
#include "keep/name.h"
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64

/* A fingerprint is as good as random. */
static size_t slot_of(const struct keep_rows *rows, const uint8_t *fingerprint)
{
	uint64_t start;

	memcpy(&start, fingerprint, sizeof(start));
	return (size_t)start & (rows->n_slots - 1);
}

static size_t find_slot(const struct keep_rows *rows, const uint8_t *fingerprint)
{
	size_t i = slot_of(rows, fingerprint);

	while (rows->slot[i] && memcmp(rows->slot[i]->fingerprint, fingerprint, FINGERPRINT_LEN) != 0)
		i = (i + 1) & (rows->n_slots - 1);
	return i;
}

struct keep_row *rows_find(const struct keep_rows *rows, const uint8_t *fingerprint)
{
	return rows->n_slots ? rows->slot[find_slot(rows, fingerprint)] : NULL;
}

static bool grow(struct keep_rows *rows)
{
	struct keep_rows bigger = { .n_slots = rows->n_slots ? rows->n_slots * 2 : SLOTS_MIN, .n = rows->n };

	bigger.slot = calloc(bigger.n_slots, sizeof(struct keep_row *));
	if (!bigger.slot)
		return false;
	for (size_t i = 0; i < rows->n_slots; i++)
		if (rows->slot[i])
			bigger.slot[find_slot(&bigger, rows->slot[i]->fingerprint)] = rows->slot[i];
	free(rows->slot);
	*rows = bigger;
	return true;
}

bool rows_add(struct keep_rows *rows, struct keep_row *row)
{
	if (rows->n + 1 > rows->n_slots / 4 * 3 && !grow(rows))
		return false;
	rows->slot[find_slot(rows, row->fingerprint)] = row;
	rows->n++;
	return true;
}

/* Those behind it move up, so that no search ends at the gap. */
void rows_remove(struct keep_rows *rows, const struct keep_row *row)
{
	size_t mask = rows->n_slots - 1, gap = find_slot(rows, row->fingerprint);

	for (size_t i = (gap + 1) & mask; rows->slot[i]; i = (i + 1) & mask) {
		size_t home = slot_of(rows, rows->slot[i]->fingerprint);
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		rows->slot[gap] = rows->slot[i];
		gap = i;
	}
	rows->slot[gap] = NULL;
	rows->n--;
}

struct keep_row *rows_next(const struct keep_rows *rows, const struct keep_row *after)
{
	size_t i = after ? find_slot(rows, after->fingerprint) + 1 : 0;

	while (i < rows->n_slots && !rows->slot[i])
		i++;
	return i < rows->n_slots ? rows->slot[i] : NULL;
}

void rows_done(struct keep_rows *rows)
{
	for (size_t i = 0; i < rows->n_slots; i++)
		row_free(rows->slot[i]);
	free(rows->slot);
	*rows = (struct keep_rows){ 0 };
}

struct keep_row *row_new(const clinch_subject_t *subject)
{
	struct keep_row *row = calloc(1, sizeof(*row));
	char name[NAME_TEXT_SIZE];

	if (!row)
		return NULL;
	memcpy(row->fingerprint, subject->fingerprint, FINGERPRINT_LEN);
	row->name = strdup(name_of_certificate(name, &subject->view, subject->fingerprint));
	row->issuer = issuer_ref(subject->issuer);
	row->not_after = subject->view.not_after;
	row->is_ca = subject->is_ca;
	row->must_staple = subject->must_staple;
	row->key_type = (uint8_t)name_key_type(&subject->view);
	row->life_told = 100;
	row->next_try_ms = INT64_MAX;
	if (row->name)
		return row;
	row_free(row);
	return NULL;
}

void row_free(struct keep_row *row)
{
	if (!row)
		return;
	issuer_unref(row->issuer);
	clinch_subject_unref(row->subject);
	clinch_response_unref(row->held);
	free(row->name);
	free(row->trouble);
	free(row);
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
