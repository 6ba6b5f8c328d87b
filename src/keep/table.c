/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/table.h"
#include <stdlib.h>

#define SLOTS_MIN 64

static size_t home_of(const struct keep_table *table, uint64_t hash)
{
	return (size_t)(hash >> (64 - __builtin_ctzll(table->n_slots)));
}

static size_t after_slot(const struct keep_table *table, size_t i)
{
	return (i + 1) & (table->n_slots - 1);
}

void *table_find(const struct keep_table *table, uint64_t hash, bool (*is)(const void *entry, const void *key),
		 const void *key)
{
	if (!table->n)
		return NULL;
	for (size_t i = home_of(table, hash); table->slot[i]; i = after_slot(table, i))
		if (is(table->slot[i], key))
			return table->slot[i];
	return NULL;
}

/* Where it stands, or the gap that ends the search for it. */
static size_t place_of(const struct keep_table *table, const void *entry)
{
	size_t i = home_of(table, table->hash(entry));

	while (table->slot[i] && table->slot[i] != entry)
		i = after_slot(table, i);
	return i;
}

static bool grow(struct keep_table *table)
{
	struct keep_table bigger = *table;

	bigger.n_slots = table->n_slots ? 2 * table->n_slots : SLOTS_MIN;
	bigger.slot = calloc(bigger.n_slots, sizeof(*bigger.slot));
	if (!bigger.slot)
		return false;
	for (size_t i = 0; i < table->n_slots; i++)
		if (table->slot[i])
			bigger.slot[place_of(&bigger, table->slot[i])] = table->slot[i];
	free(table->slot);
	*table = bigger;
	return true;
}

bool table_add(struct keep_table *table, void *entry)
{
	if (table->n + 1 > table->n_slots / 5 * 4 && !grow(table))
		return false;
	table->slot[place_of(table, entry)] = entry;
	table->n++;
	return true;
}

/* Those behind it move up, so that no search ends at the gap. */
void table_remove(struct keep_table *table, const void *entry)
{
	size_t mask = table->n_slots - 1, gap = place_of(table, entry);

	for (size_t i = after_slot(table, gap); table->slot[i]; i = after_slot(table, i)) {
		size_t home = home_of(table, table->hash(table->slot[i]));
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		table->slot[gap] = table->slot[i];
		gap = i;
	}
	table->slot[gap] = NULL;
	table->n--;
}

void table_replace(struct keep_table *table, const void *entry, void *now)
{
	table->slot[place_of(table, entry)] = now;
}

void *table_next(const struct keep_table *table, const void *after)
{
	size_t i = after ? place_of(table, after) + 1 : 0;

	while (i < table->n_slots && !table->slot[i])
		i++;
	return i < table->n_slots ? table->slot[i] : NULL;
}

/* How far behind the slot `begin` it stands; one that found no gap before the last slot stands behind that, at the front. */
static size_t distance(const struct keep_table *table, size_t begin, const void *entry)
{
	size_t home = home_of(table, table->hash(entry));

	return home - begin + ((place_of(table, entry) - home) & (table->n_slots - 1));
}

static bool is_between(const struct keep_table *table, uint64_t first, uint64_t last, const void *entry)
{
	uint64_t hash = table->hash(entry);

	return hash >= first && hash <= last;
}

/* None stands before its home, and there is no gap between the two. */
void *table_next_between(const struct keep_table *table, uint64_t first, uint64_t last, const void *after)
{
	size_t begin, span;

	if (!table->n)
		return NULL;
	begin = home_of(table, first);
	span = home_of(table, last) - begin;
	for (size_t d = after ? distance(table, begin, after) + 1 : 0;; d++) {
		void *entry = table->slot[(begin + d) & (table->n_slots - 1)];
		if (!entry && d >= span)
			return NULL;
		if (entry && is_between(table, first, last, entry) && distance(table, begin, entry) == d)
			return entry;
	}
}

void table_done(struct keep_table *table)
{
	free(table->slot);
	*table = (struct keep_table){ .hash = table->hash };
}
