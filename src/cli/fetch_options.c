/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/fetch_options.h"

const struct cli_option fetch_options[] = {
	{ FETCH_ISSUER, 0, "issuer", "FILE", "the issuer's certificate, when the chain file is without it", "FILE" },
	{ FETCH_URL, 0, "url", "URL", "ask this responder, not the certificate's own", NULL },
	{ FETCH_NONCE, 0, "nonce", NULL, "send a nonce; another one in the answer is refused", NULL },
	{ FETCH_OUT, 'o', "out", "FILE", "write the response here, once it is verified", "FILE" },
	{ FETCH_TIMEOUT, 0, "timeout", "S", "give up after so many seconds", NULL },
	{ FETCH_MAX_SIZE, 0, "max-size", "BYTES", "refuse a larger response", NULL },
	{ FETCH_PROXY, 0, "proxy", "env|none|URL", "the HTTP proxy", "env none" },
	{ FETCH_ALLOW_SHA1, 0, "allow-sha1", NULL, "believe a response that is signed with SHA-1", NULL },
	{ FETCH_TRUST_SIGNER, 0, "trust-signer", "FILE", "believe this certificate as a signer too", "FILE" },
	{ FETCH_JSON, 0, "json", NULL, "the same as --format json", NULL },
	{ FETCH_FORMAT, 0, "format", "FORMAT", "text or json", "text json" },
	{ 0 },
};

const char fetch_examples[] = "  clinch fetch -o leaf.der fullchain.pem\n"
			      "  clinch fetch --url http://127.0.0.1:8080/ --nonce fullchain.pem\n";
