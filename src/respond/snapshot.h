/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All that answers depend on, as of one moment: the CAs with their signers and sources, and the relay. Immutable and
 * counted; a change of any file is another state that shares what did not change.
 */
#ifndef RESPOND_SNAPSHOT_H
#define RESPOND_SNAPSHOT_H

#include "respond/respond.h"
#include "tls/counted.h"

struct snapshot_ca {
	struct authority *authority;
	struct source *source;
	uint64_t id; /* of the CA's certificate and what its operator decided: answers that were kept under another are not
			its */
	enum respond_prepare prepare;
	int64_t refresh_s; /* 0: half */
};

struct snapshot {
	struct counted counted;
	uint64_t generation; /* grows with each state of a process */
	struct authority_table *table;
	struct relay *relay; /* NULL: none */
	unsigned ids;        /* CertIDs of one request, at most */
	int64_t max_age_s;   /* what an HTTP cache may hold */
	size_t n;
	struct snapshot_ca ca[]; /* in the order of the configuration, as the table has them */
};

/* References are taken of all that `ca` and `relay` (NULL: none) lead to. */
int snapshot_new(struct snapshot **out, const struct respond_conf *conf, const struct snapshot_ca *ca, size_t n,
		 struct relay *relay, struct clinch_error *err);
struct snapshot *snapshot_ref(struct snapshot *state);
void snapshot_unref(struct snapshot *state); /* NULL-safe */

/* Its name, and where another CA has the same one (which a renewed key often leads to) the beginning of its fingerprint. */
#define SNAPSHOT_NAME_SIZE (sizeof(((struct authority *)NULL)->name) + sizeof(" (01234567)"))
const char *snapshot_ca_name(char out[SNAPSHOT_NAME_SIZE], const struct snapshot *state, size_t ca);

/* The id of a CA as it is configured. */
uint64_t snapshot_ca_id(const struct authority *authority, int64_t refresh_s);

#endif
