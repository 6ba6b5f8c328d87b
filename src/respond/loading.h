/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a configuration to what is answered from: every file of it, read and checked. From any thread, one at a time. */
#ifndef RESPOND_LOADING_H
#define RESPOND_LOADING_H

#include "respond/snapshot.h"
#include "respond/watch.h"

/* What is watched: the relay, and of each CA its source and its certificates and keys. */
enum { LOADING_RELAY, LOADING_SOURCE, LOADING_SIGNERS, LOADING_KINDS };
static inline unsigned loading_item(unsigned kind, size_t ca)
{
	return kind == LOADING_RELAY ? 0 : (unsigned)ca * 2 + kind;
}
static inline unsigned loading_kind(unsigned item)
{
	return item == 0 ? LOADING_RELAY : item % 2 ? LOADING_SOURCE : LOADING_SIGNERS;
}
static inline size_t loading_ca(unsigned item)
{
	return (item - 1) / 2;
}

/* Watches everything that `conf` names; before it is loaded. */
int loading_watch(struct watch *watch, const struct respond_conf *conf, int64_t now_ms, struct clinch_error *err);
int loading_watch_relay(struct watch *watch, const struct respond_conf *conf, int64_t now_ms, struct clinch_error *err);

/*
 * All of it. What `before` (NULL: nothing) has is what a source must not go back behind. The error names the file; events
 * tell what is odd, and what was loaded.
 */
int loading_all(struct snapshot **out, const struct respond_conf *conf, const struct snapshot *before,
		const struct respond_hooks *hooks, int64_t now, struct clinch_error *err);
/* One item of it, anew; the rest is that of `before`. */
int loading_one(struct snapshot **out, const struct respond_conf *conf, unsigned item, const struct snapshot *before,
		const struct respond_hooks *hooks, int64_t now, struct clinch_error *err);

#endif
