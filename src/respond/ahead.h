/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers signed before they are asked for: those of a source that is to be prepared, and those whose refresh is due. */
#ifndef RESPOND_AHEAD_H
#define RESPOND_AHEAD_H

#include "respond/prepared.h"

struct ahead;

/* `state`: where the current one is published, before ahead_work() is called. Both are borrowed. NULL: no memory. */
struct ahead *ahead_new(struct prepared_table *table, struct counted_slot *state);
void ahead_free(struct ahead *ahead); /* NULL-safe; nobody works any more */

/* What is published now is to be prepared, where its configuration says so; what was being prepared is given up. */
void ahead_prepare(struct ahead *ahead);
/* Once a second, or oftener: finds what is due. True: there is work (pool_wake()). One thread. */
bool ahead_look(struct ahead *ahead, int64_t now);
/* One piece of it; pool_options.background, from many threads. */
bool ahead_work(void *ahead);

/* All that was to be prepared is: once for each ahead_prepare() that had something to do, and how many there were. */
bool ahead_is_done(struct ahead *ahead, uint64_t *n);

/* What was signed for the first CertID of `single` is kept: in the table, and a reference for the caller. NULL: no memory.
 */
struct prepared *ahead_keep(struct prepared_table *table, const struct snapshot_ca *ca, enum subject_hash hash,
			    struct der serial, const gnutls_datum_t *der, const struct ocsp_single *single, signer_id signer,
			    int64_t now);

#endif
