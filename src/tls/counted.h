/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A published object that readers take a reference to without a lock, in a way that survives a reader stopped at any
 * instruction. The slot is one 64-bit word: the pointer, and how many references were taken through the slot since the
 * object was published. Taking one adds 1 to the word, which reads the pointer in the same instant; whoever publishes
 * another object takes the count out of the word and adds it to the object's own.
 */
#ifndef TLS_COUNTED_H
#define TLS_COUNTED_H

#include <stdatomic.h>
#include <stdint.h>

struct counted { /* the first member of what is published; made by malloc() */
	_Atomic int64_t refs;
	void (*destroy)(struct counted *object); /* with the last reference, on whatever thread that is */
};

struct counted_slot {
	_Atomic uint64_t word;
};

/* One reference, the caller's. */
void counted_init(struct counted *object, void (*destroy)(struct counted *object));
void counted_ref(struct counted *object);
void counted_unref(struct counted *object); /* NULL-safe */

/* Publishes `object`, of which it takes the caller's reference; the one before loses the slot's. An empty slot is zeroed;
 * it must be given an object before anybody reads it. `object` NULL: for the end, when nobody reads any more. */
void counted_publish(struct counted_slot *slot, struct counted *object);

/* A reference to what is published; wait-free but for one fold in 2^18 calls. */
struct counted *counted_take(struct counted_slot *slot);

#endif
