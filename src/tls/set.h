/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The identities a stapler has, as one immutable object with an index of their names; and the choice among them. */
#ifndef TLS_SET_H
#define TLS_SET_H

#include "tls/hello.h"
#include "tls/identity.h"

struct set_name {
	const char *name; /* the identity's */
	unsigned identity;
};

struct set {
	struct counted counted;
	struct identity **identity; /* references; in the order they were added */
	unsigned n;
	struct set_name *names; /* sorted by name, then by identity */
	unsigned n_names;
};

/* Takes its own references. NULL without memory. */
struct set *set_new(struct identity *const *identity, unsigned n);

struct set_wish {
	const char *host; /* lower-case, "": none was asked for */
	const struct hello *hello;
	bool is_tls13;
};

/* Never NULL for a set that is not empty: where nothing fits, the first one, and the handshake says what is wrong. */
struct identity *set_choose(const struct set *set, const struct set_wish *wish);

#endif
