/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-keep, the one executable that links an HTTP client, and never holds a private key. `clinch fetch` and `clinch keep`
 * exec it with their own arguments: `clinch-keep fetch [OPTION]... CHAIN.pem`.
 *
 * As a child (`clinch check --ask-responder`):
 *
 *	clinch-keep fetch --forbid-private --timeout S -o - --report FD - <chain.pem
 *
 *  - stdout: the DER of a response that was verified and is fresh, good or revoked; nothing otherwise.
 *  - FD (inherited, 3 or above, or 2): one JSON object and a newline, whatever the outcome, usage errors excepted:
 *    schema file subject exit outcome phase reason detail temporary url method http_status took_ms retry_after_s max_age_s
 *    skew_s written unchanged staple attempts[]; an attempt: url method http_status phase outcome detail took_ms. `outcome`
 *    is "ok" or a failure's name of fetch/fetch.h, `reason` the verdict's id or null, `staple` the object of `clinch verify
 *    --json` or null.
 *  - stderr: the last line is the sentence about a failure. Nothing else is there with --quiet.
 *  - exit status: 0 good, 3 revoked, 6 unknown, 4 not believed or not trusted, 75 temporary, 1 could not find out, 2 usage.
 *  - it ends within S seconds and what it takes to verify.
 */
#ifndef KEEP_KEEP_H
#define KEEP_KEEP_H

#include "cli/cli.h"

extern const struct cli_command keep_fetch, keep_keep;

#endif
