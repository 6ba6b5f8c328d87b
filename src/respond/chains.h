/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which certificates the chain files hold, by fingerprint, and where: a relay makes a subject of one only when the store has
 * a response for it. Counted by reference, from any thread; all else is for the one thread that loads.
 */
#ifndef RESPOND_CHAINS_H
#define RESPOND_CHAINS_H

#include "respond/relay.h"
#include "x509/subject.h"

struct chains;

/* All files are read; one that cannot be is said to `hooks` and passed over. NULL: no memory. */
struct chains *chains_read(const struct relay_files *files, const struct relay_hooks *hooks);
/* Are the files still what they were when they were read? */
bool chains_are_current(const struct chains *chains, const struct relay_files *files);

bool chains_has(const struct chains *chains, const uint8_t fingerprint[FINGERPRINT_LEN]);
/* The certificate and its issuer: that of its file, of the directory of issuers, of the system's trust. CLINCH_E_MISSING:
 * none of them issued it. */
int chains_subject(struct chains *chains, const uint8_t fingerprint[FINGERPRINT_LEN], clinch_subject_t **out,
		   struct clinch_error *err);

struct chains *chains_ref(struct chains *chains);
void chains_unref(struct chains *chains); /* NULL-safe */

#endif
