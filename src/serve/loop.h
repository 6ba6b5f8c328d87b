/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The descriptors of one thread, on epoll. libuv asks the kernel four times for each descriptor before it watches it, and
 * once for each change: of a handshake that lasts a quarter of a millisecond that was a fiftieth.
 */
#ifndef SERVE_LOOP_H
#define SERVE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop {
	int epoll;
	uint64_t now_ms; /* of the monotonic clock, when the last turn had its events */
};

struct watch; /* in its owner; .fd, .call and .owner are set by that, the rest is zeroed */
typedef void watch_call(struct watch *watch, uint32_t events);
struct watch {
	int fd;          /* -1: none */
	uint32_t wanted; /* EPOLLIN, EPOLLOUT */
	uint32_t armed;  /* what the kernel was asked for: taken back when something comes that is not wanted any more */
	bool known;      /* to epoll */
	watch_call *call;
	void *owner;
};

int loop_init(struct loop *loop); /* as epoll_create1(2) */
void loop_done(struct loop *loop);
/* Waits at most `timeout_ms` (-1: for ever) and calls. What was forgotten meanwhile is not called, but has to be there yet.
 */
void loop_turn(struct loop *loop, int timeout_ms);

/* `call` comes when one of `events` is possible, or an error or the end was met; 0: it does not come. False: no memory. */
bool loop_want(struct loop *loop, struct watch *watch, uint32_t events);
/* Closes the descriptor. A child that forks meanwhile has a copy, for which epoll would go on: hence not by close() alone.
 */
void loop_forget(struct loop *loop, struct watch *watch);

#endif
