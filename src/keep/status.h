/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper's state as JSON, for the socket and for /status.json. */
#ifndef KEEP_STATUS_H
#define KEEP_STATUS_H

#include "base/buf.h"
#include "keep/outlet.h"

/*
 * One object, "clinch-status-1", without a newline behind it, in pieces, so that a hundred thousand certificates need
 *neither much memory nor the loop for long. Each certificate that is there from the first piece to the last is in it once,
 *as it is when its turn comes.
 *
 *	schema at ready store_works totals{certificates missing good revoked expired failing fetching unsaved files bad_files
 *	without_issuer without_url} soonest_expiry outputs[] certificates[]
 *
 * A certificate: name fingerprint key_type path place is_ca must_staple not_after state stapled this_update next_update
 * fresh_until remaining_s revoked_at in_store fetching next_try failures latency_ms trouble{at phase failure reason
 * http_status url text} or null, and paths[] when it was asked for by name. An output: kind target failures pending
 * last_success next_try text. Times are RFC 3339 UTC, or null.
 */
struct status;

/* `name`, copied: only the certificates that it means (keeper_match()), with all their files; NULL: all, with one file each.
 * `outlets` may be NULL. Both must outlive it. NULL: no memory. */
struct status *status_new(const struct keeper *keeper, const struct outlets *outlets, const char *name);
/* Adds the next piece, some 300 KB at most and a few milliseconds of work. False: no memory, or more than out->max. */
bool status_more(struct status *status, struct buf *out);
bool status_is_whole(const struct status *status); /* there is no more */
void status_free(struct status *status);           /* NULL-safe */

#endif
