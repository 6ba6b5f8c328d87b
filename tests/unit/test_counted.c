/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is published is never freed under a reader, and always freed in the end. */
#include "tls/counted.h"
#include "unit.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct thing {
	struct counted counted;
	unsigned number;
	unsigned alive; /* a pattern that destroy() takes away */
};

#define ALIVE 0x5ee5f00du

static atomic_uint destroyed, wrong;

static void thing_destroy(struct counted *counted)
{
	struct thing *thing = (struct thing *)counted;
	if (thing->alive != ALIVE)
		atomic_fetch_add(&wrong, 1);
	thing->alive = 0;
	atomic_fetch_add(&destroyed, 1);
	free(thing);
}

static struct thing *thing_new(unsigned number)
{
	struct thing *thing = malloc(sizeof(*thing));
	assert_non_null(thing);
	counted_init(&thing->counted, thing_destroy);
	thing->number = number;
	thing->alive = ALIVE;
	return thing;
}

static void an_object_goes_with_its_last_reference(void **state)
{
	(void)state;
	struct thing *thing = thing_new(1);
	atomic_store(&destroyed, 0);
	counted_ref(&thing->counted);
	counted_unref(&thing->counted);
	assert_int_equal(atomic_load(&destroyed), 0);
	counted_unref(&thing->counted);
	assert_int_equal(atomic_load(&destroyed), 1);
	counted_unref(NULL);
}

static void what_was_taken_outlives_its_place(void **state)
{
	(void)state;
	struct counted_slot slot = { 0 };
	atomic_store(&destroyed, 0);
	counted_publish(&slot, &thing_new(1)->counted);
	struct thing *first = (struct thing *)counted_take(&slot), *again = (struct thing *)counted_take(&slot);
	assert_ptr_equal(first, again);
	counted_publish(&slot, &thing_new(2)->counted);
	assert_int_equal(atomic_load(&destroyed), 0);
	assert_int_equal(first->number, 1);
	counted_unref(&first->counted);
	counted_unref(&again->counted);
	assert_int_equal(atomic_load(&destroyed), 1);
	counted_publish(&slot, NULL);
	assert_int_equal(atomic_load(&destroyed), 2);
}

/* References given back before the object is replaced must not bring its count to zero. */
static void giving_back_at_once_frees_nothing_that_is_published(void **state)
{
	(void)state;
	struct counted_slot slot = { 0 };
	atomic_store(&destroyed, 0);
	counted_publish(&slot, &thing_new(1)->counted);
	for (unsigned i = 0; i < 1000; i++)
		counted_unref(counted_take(&slot));
	assert_int_equal(atomic_load(&destroyed), 0);
	assert_int_equal(((struct thing *)counted_take(&slot))->alive, ALIVE);
	counted_unref(counted_take(&slot));
	struct counted *held = counted_take(&slot);
	counted_unref(held);
	counted_unref(held); /* the one of the assertion above */
	counted_publish(&slot, NULL);
	assert_int_equal(atomic_load(&destroyed), 1);
}

/* The count has 19 bits beside the pointer: more than that many are taken of one object, in several threads. */
static void *take_many(void *argument)
{
	struct counted_slot *slot = argument;
	for (unsigned i = 0; i < 400000; i++) {
		struct thing *thing = (struct thing *)counted_take(slot);
		if (thing->alive != ALIVE)
			atomic_fetch_add(&wrong, 1);
		counted_unref(&thing->counted);
	}
	return NULL;
}

static void the_count_never_runs_into_the_pointer(void **state)
{
	(void)state;
	struct counted_slot slot = { 0 };
	pthread_t thread[3];
	atomic_store(&destroyed, 0);
	counted_publish(&slot, &thing_new(7)->counted);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_many, &slot), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(atomic_load(&destroyed), 0);
	counted_publish(&slot, NULL);
	assert_int_equal(atomic_load(&destroyed), 1);
	assert_int_equal(atomic_load(&wrong), 0);
}

/* ---- readers and a writer ---- */

#define SWAPS 20000

static struct counted_slot shared;
static atomic_bool done;

static void *read_until_done(void *argument)
{
	unsigned last = 0;
	(void)argument;
	while (!atomic_load(&done)) {
		struct thing *thing = (struct thing *)counted_take(&shared);
		/* Never freed, and never older than one seen before. */
		if (thing->alive != ALIVE || thing->number < last)
			atomic_fetch_add(&wrong, 1);
		last = thing->number;
		counted_unref(&thing->counted);
	}
	return NULL;
}

static void readers_never_see_a_freed_one_and_nothing_leaks(void **state)
{
	(void)state;
	pthread_t thread[3];
	atomic_store(&destroyed, 0);
	counted_publish(&shared, &thing_new(0)->counted);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, read_until_done, NULL), 0);
	for (unsigned i = 1; i <= SWAPS; i++)
		counted_publish(&shared, &thing_new(i)->counted);
	atomic_store(&done, true);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	counted_publish(&shared, NULL);
	assert_int_equal(atomic_load(&wrong), 0);
	assert_int_equal(atomic_load(&destroyed), SWAPS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_goes_with_its_last_reference),
		cmocka_unit_test(what_was_taken_outlives_its_place),
		cmocka_unit_test(giving_back_at_once_frees_nothing_that_is_published),
		cmocka_unit_test(the_count_never_runs_into_the_pointer),
		cmocka_unit_test(readers_never_see_a_freed_one_and_nothing_leaks),
	};
	return cmocka_run_group_tests_name("counted", tests, NULL, NULL);
}
