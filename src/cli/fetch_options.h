/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `fetch` runs in clinch-keep, and the front offers it: what both say of it. */
#ifndef CLI_FETCH_OPTIONS_H
#define CLI_FETCH_OPTIONS_H

#include "cli/cli.h"

enum fetch_option {
	FETCH_ISSUER = 1,
	FETCH_URL,
	FETCH_FALLBACK_URL,
	FETCH_NONCE,
	FETCH_OUT,
	FETCH_TIMEOUT,
	FETCH_MAX_SIZE,
	FETCH_PROXY,
	FETCH_CA,
	FETCH_FORBID_PRIVATE,
	FETCH_ALLOW_PRIVATE,
	FETCH_HASH,
	FETCH_MAX_AGE,
	FETCH_ALLOW_SHA1,
	FETCH_TRUST_SIGNER,
	FETCH_JSON,
	FETCH_FORMAT,
	FETCH_REPORT,
	FETCH_QUIET,
	FETCH_VERBOSE,
};

#define FETCH_NAME "fetch"
#define FETCH_SUMMARY "ask a certificate's responder, verify what it answers, write it"
#define FETCH_OPERANDS "CHAIN.pem"
extern const struct cli_option fetch_options[];
extern const char fetch_examples[];

#endif
