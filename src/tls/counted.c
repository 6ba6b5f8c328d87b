/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls/counted.h"
#include <stddef.h>

/* malloc() aligns to 8 at least and user space ends below 2^48: 45 bits of pointer, 19 of count. */
#define COUNT_BITS 19
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define FOLD_AT (UINT64_C(1) << (COUNT_BITS - 1))

/*
 * While an object is published its own count is so much higher: references given back are subtracted from it at once, those
 * taken are added only when the count leaves the word. Without it, it could pass zero in between.
 */
#define PUBLISHED (INT64_C(1) << 40)

static struct counted *object_of(uint64_t word)
{
	return (struct counted *)(uintptr_t)(word >> COUNT_BITS << 3);
}

static uint64_t word_of(const struct counted *object)
{
	return (uint64_t)(uintptr_t)object >> 3 << COUNT_BITS;
}

static void add(struct counted *object, int64_t n)
{
	if (atomic_fetch_add_explicit(&object->refs, n, memory_order_acq_rel) + n == 0)
		object->destroy(object);
}

void counted_init(struct counted *object, void (*destroy)(struct counted *object))
{
	atomic_init(&object->refs, 1);
	object->destroy = destroy;
}

void counted_ref(struct counted *object)
{
	atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
}

void counted_unref(struct counted *object)
{
	if (object)
		add(object, -1);
}

void counted_publish(struct counted_slot *slot, struct counted *object)
{
	if (object)
		atomic_fetch_add_explicit(&object->refs, PUBLISHED, memory_order_relaxed);
	uint64_t before = atomic_exchange_explicit(&slot->word, word_of(object), memory_order_acq_rel);
	if (object_of(before))
		add(object_of(before), (int64_t)(before & COUNT_MASK) - PUBLISHED - 1);
}

/* Moves the count out of the word before it runs into the pointer. The caller holds a reference: the object stays. */
static void fold(struct counted_slot *slot, struct counted *object)
{
	uint64_t seen = atomic_load_explicit(&slot->word, memory_order_relaxed);

	while (object_of(seen) == object && (seen & COUNT_MASK) >= FOLD_AT) {
		int64_t n = (int64_t)(seen & COUNT_MASK);
		atomic_fetch_add_explicit(&object->refs, n, memory_order_relaxed);
		if (atomic_compare_exchange_weak_explicit(&slot->word, &seen, seen & ~COUNT_MASK, memory_order_acq_rel,
							  memory_order_relaxed))
			return;
		add(object, -n);
	}
}

struct counted *counted_take(struct counted_slot *slot)
{
	uint64_t before = atomic_fetch_add_explicit(&slot->word, 1, memory_order_acq_rel);
	struct counted *object = object_of(before);

	if ((before & COUNT_MASK) >= FOLD_AT)
		fold(slot, object);
	return object;
}
