/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ways a case goes: each adds what differs to `why` and returns whether all is as the table wants it. */
#ifndef CASES_WAYS_H
#define CASES_WAYS_H

#include "table.h"

/* clinch_verify(), with and without a memory of signers. */
bool go_offline(const struct test_case *one, const struct world *world, struct buf *why);

/* A handshake in this process, with the response as the leaf's staple. `version`: "1.2" or "1.3". */
bool go_tls(const struct test_case *one, const struct world *world, const char *version, struct buf *why);
void tls_done(void);

/* clinch verify --json, the program. */
bool go_command(const struct test_case *one, const struct world *world, struct buf *why);
void command_done(void);

#endif
