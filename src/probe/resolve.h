/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A name's addresses, under a deadline. getaddrinfo() has none, so each lookup has a thread of its own; one that is late is
 * left to itself, keeps no other from its answer, and ends with the process.
 */
#ifndef PROBE_RESOLVE_H
#define PROBE_RESOLVE_H

#include "probe/target.h"
#include <netdb.h>

/*
 * `family` AF_UNSPEC, AF_INET or AF_INET6; `type` SOCK_STREAM or SOCK_DGRAM. *out is freeaddrinfo()'s. A literal needs no
 * thread. CLINCH_E_MISSING: there is no such name; CLINCH_E_TIMEOUT; CLINCH_E_MEMORY: no memory or thread;
 * CLINCH_E_NETWORK: the name service failed.
 */
int resolve(struct addrinfo **out, const struct target *target, int family, int type, int64_t deadline,
	    struct clinch_error *err);

#endif
