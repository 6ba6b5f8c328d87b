/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may ask now: first come, first served within a lane (one responder), lanes in turn, at most `per_lane` at a time in
 * each and `total` in all. So a responder that hangs holds up nobody but those who wait for it. No I/O, no clock.
 */
#ifndef FETCH_QUEUE_H
#define FETCH_QUEUE_H

#include <stdbool.h>

struct queue_lane;

/* Part of what waits; zeroed before its first use. Its memory stays put until it has left the queue. */
struct queue_item {
	struct queue_lane *lane; /* NULL: not in the queue */
	struct queue_item *next, *previous;
	bool running;
};

#define QUEUE_BUCKETS 64

struct queue {
	unsigned per_lane, total; /* at least 1 each */
	unsigned running;
	struct queue_lane *bucket[QUEUE_BUCKETS];
	struct queue_lane *first_ready, *last_ready; /* lanes with somebody waiting and a free place */
};

/* At the lane's end, or at its front when `urgent`. False: no memory. The name is copied. */
bool queue_add(struct queue *queue, struct queue_item *item, const char *lane, bool urgent);

/* Who goes next, now running; NULL: nobody may. */
struct queue_item *queue_next(struct queue *queue);

/* It has finished, or waits no longer; nothing happens when it is not in the queue. */
void queue_leave(struct queue *queue, struct queue_item *item);

#endif
