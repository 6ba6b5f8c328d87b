/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A name's addresses, under a deadline. getaddrinfo() has none, so it runs in one of libuv's threads on a loop of our own;
 * one that is late is left to itself.
 */
#ifndef PROBE_RESOLVE_H
#define PROBE_RESOLVE_H

#include "probe/target.h"
#include <netdb.h>
#include <uv.h>

struct resolver {
	uv_loop_t loop;
	bool started;
	unsigned late; /* lookups that were left to themselves and have not come back */
};

/*
 * `family` AF_UNSPEC, AF_INET or AF_INET6; `type` SOCK_STREAM or SOCK_DGRAM. *out is freeaddrinfo()'s. A literal needs no
 * thread. CLINCH_E_MISSING: there is no such name; CLINCH_E_TIMEOUT; CLINCH_E_NETWORK: the name service failed.
 */
int resolve(struct resolver *resolver, struct addrinfo **out, const struct target *target, int family, int type,
	    int64_t deadline, struct clinch_error *err);

/*
 * False when lookups are still late: libuv would wait for them at exit, so the process should then flush and _exit().
 */
bool resolver_done(struct resolver *resolver);

#endif
