/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/loop.h"
#include <time.h>
#include <unistd.h>

#define BATCH 256

static uint64_t monotonic_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

int loop_init(struct loop *loop)
{
	*loop = (struct loop){ .epoll = epoll_create1(EPOLL_CLOEXEC), .now_ms = monotonic_ms() };
	return loop->epoll;
}

void loop_done(struct loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	loop->epoll = -1;
}

static bool arm(struct loop *loop, struct watch *watch)
{
	struct epoll_event event = { .events = watch->wanted, .data.ptr = watch };
	int op = !watch->known ? EPOLL_CTL_ADD : watch->wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
	bool good = epoll_ctl(loop->epoll, op, watch->fd, &event) == 0;

	if (good) {
		watch->armed = watch->wanted;
		watch->known = op != EPOLL_CTL_DEL;
	}
	return good;
}

bool loop_want(struct loop *loop, struct watch *watch, uint32_t events)
{
	watch->wanted = events;
	return (events & ~watch->armed) == 0 || arm(loop, watch);
}

void loop_forget(struct loop *loop, struct watch *watch)
{
	watch->wanted = 0;
	if (watch->known)
		arm(loop, watch);
	close(watch->fd);
	watch->fd = -1;
}

static void deliver(struct loop *loop, const struct epoll_event *event)
{
	struct watch *watch = event->data.ptr;

	if (watch->fd < 0)
		return;
	if (watch->wanted && (event->events & (watch->wanted | EPOLLERR | EPOLLHUP)))
		watch->call(watch, event->events);
	else if (watch->known)
		arm(loop, watch);
}

void loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[BATCH];
	int n = epoll_wait(loop->epoll, events, BATCH, timeout_ms);

	loop->now_ms = monotonic_ms();
	for (int i = 0; i < n; i++)
		deliver(loop, &events[i]);
}
