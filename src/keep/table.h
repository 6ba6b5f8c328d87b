/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: a set of pointers, each found by a hash of what it leads to. Open addressing, in the order of the
 * hashes, so that a part of it can be walked by what it holds rather than by where that stands at the moment. */
#ifndef KEEP_TABLE_H
#define KEEP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keep_table {                          /* zeroed but for `hash`: empty */
	uint64_t (*hash)(const void *entry); /* its high bits count */
	void **slot;                         /* NULL: none stands there */
	size_t n_slots, n;
};

/* The entry of which is(entry, key) is true; NULL: none. `hash` is that of the key. */
void *table_find(const struct keep_table *table, uint64_t hash, bool (*is)(const void *entry, const void *key),
		 const void *key);
bool table_add(struct keep_table *table, void *entry); /* false: no memory */
/* Of an entry that is in it. Another one comes to stand in its slot, or none. */
void table_remove(struct keep_table *table, const void *entry);
/* `now` takes the place of `entry`, and has its hash. */
void table_replace(struct keep_table *table, const void *entry, void *now);

/* In no order; nothing may be added or removed meanwhile. NULL: from the beginning; no more. */
void *table_next(const struct keep_table *table, const void *after);
/* The next whose hash is between `first` and `last`; the same holds. */
void *table_next_between(const struct keep_table *table, uint64_t first, uint64_t last, const void *after);
void table_done(struct keep_table *table); /* what it leads to is the caller's */

#endif
