/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HOST[:PORT] as a person writes it: a name, an IDN name, an IPv4 or IPv6 literal. */
#ifndef PROBE_TARGET_H
#define PROBE_TARGET_H

#include <clinch/error.h>
#include <stdbool.h>
#include <stdint.h>

#define TARGET_HOST_MAX 254 /* bytes of a name with a full stop at its end; a literal with its zone is shorter */

struct target {
	char host[TARGET_HOST_MAX + 1]; /* ASCII (IDNA 2008), without brackets; what is resolved */
	uint16_t port;
	bool literal; /* an address: nothing to resolve, no SNI */
};

/* CLINCH_E_ARGUMENT with a sentence that names `text`. `port` is what it is when it is not given; 0: it must be given. */
int target_parse(struct target *out, const char *text, uint16_t port, struct clinch_error *err);

/* The name that a certificate has to be for: the host without a full stop at its end and without a zone. */
const char *target_name(char out[TARGET_HOST_MAX + 1], const struct target *target);

#endif
