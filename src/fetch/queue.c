/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/queue.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct queue_lane {
	struct queue_lane *next_in_bucket;
	struct queue_lane *next_ready;
	struct queue_item *first, *last; /* waiting */
	unsigned running;
	bool ready; /* in the list of those */
	char name[];
};

static struct queue_lane **bucket_of(struct queue *queue, const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return &queue->bucket[hash % QUEUE_BUCKETS];
}

static struct queue_lane *lane_for(struct queue *queue, const char *name)
{
	struct queue_lane **bucket = bucket_of(queue, name);
	size_t len = strlen(name);
	struct queue_lane *lane;

	for (lane = *bucket; lane; lane = lane->next_in_bucket)
		if (strcmp(lane->name, name) == 0)
			return lane;
	lane = calloc(1, sizeof(*lane) + len + 1);
	if (!lane)
		return NULL;
	memcpy(lane->name, name, len + 1);
	lane->next_in_bucket = *bucket;
	*bucket = lane;
	return lane;
}

static void make_ready(struct queue *queue, struct queue_lane *lane)
{
	if (lane->ready || !lane->first || lane->running >= queue->per_lane)
		return;
	lane->ready = true;
	lane->next_ready = NULL;
	if (queue->last_ready)
		queue->last_ready->next_ready = lane;
	else
		queue->first_ready = lane;
	queue->last_ready = lane;
}

static void make_unready(struct queue *queue, struct queue_lane *lane)
{
	struct queue_lane *before = NULL, *at = queue->first_ready;

	if (!lane->ready)
		return;
	for (; at != lane; at = at->next_ready)
		before = at;
	if (before)
		before->next_ready = lane->next_ready;
	else
		queue->first_ready = lane->next_ready;
	if (queue->last_ready == lane)
		queue->last_ready = before;
	lane->ready = false;
}

static void drop_if_idle(struct queue *queue, struct queue_lane *lane)
{
	struct queue_lane **at = bucket_of(queue, lane->name);

	if (lane->first || lane->running)
		return;
	make_unready(queue, lane);
	while (*at != lane)
		at = &(*at)->next_in_bucket;
	*at = lane->next_in_bucket;
	free(lane);
}

static void take_out(struct queue_lane *lane, struct queue_item *item)
{
	if (item->previous)
		item->previous->next = item->next;
	else
		lane->first = item->next;
	if (item->next)
		item->next->previous = item->previous;
	else
		lane->last = item->previous;
	item->next = item->previous = NULL;
}

bool queue_add(struct queue *queue, struct queue_item *item, const char *name, bool urgent)
{
	struct queue_lane *lane = lane_for(queue, name);

	if (!lane)
		return false;
	item->lane = lane;
	item->running = false;
	item->previous = urgent ? NULL : lane->last;
	item->next = urgent ? lane->first : NULL;
	if (item->previous)
		item->previous->next = item;
	else
		lane->first = item;
	if (item->next)
		item->next->previous = item;
	else
		lane->last = item;
	make_ready(queue, lane);
	return true;
}

struct queue_item *queue_next(struct queue *queue)
{
	struct queue_lane *lane = queue->first_ready;
	struct queue_item *item;

	if (!lane || queue->running >= queue->total)
		return NULL;
	make_unready(queue, lane);
	item = lane->first;
	take_out(lane, item);
	item->running = true;
	lane->running++;
	queue->running++;
	make_ready(queue, lane);
	return item;
}

void queue_leave(struct queue *queue, struct queue_item *item)
{
	struct queue_lane *lane = item->lane;

	if (!lane)
		return;
	if (item->running) {
		lane->running--;
		queue->running--;
	} else {
		take_out(lane, item);
	}
	if (!lane->first)
		make_unready(queue, lane);
	item->lane = NULL;
	item->running = false;
	make_ready(queue, lane);
	drop_if_idle(queue, lane);
}
