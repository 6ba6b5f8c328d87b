/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/fetch_options.h"

const struct cli_option fetch_options[] = {
	{ FETCH_ISSUER, 0, "issuer", "FILE", "the issuer's certificate, when the chain file is without it", "FILE" },
	{ FETCH_URL, 0, "url", "URL", "ask this responder, not the certificate's own; may be repeated", NULL },
	{ FETCH_FALLBACK_URL, 0, "fallback-url", "URL", "ask this one too, after all others", NULL },
	{ FETCH_NONCE, 0, "nonce", NULL, "send a nonce; another one in the answer is refused", NULL },
	{ FETCH_OUT, 'o', "out", "FILE", "write the response here, once it is verified; - is stdout", "FILE" },
	{ FETCH_TIMEOUT, 0, "timeout", "S", "give up after so many seconds (15)", NULL },
	{ FETCH_MAX_SIZE, 0, "max-size", "BYTES", "refuse a larger answer (65536)", NULL },
	{ FETCH_PROXY, 0, "proxy", "env|none|URL", "the proxy: the environment's (env), none, or this one", "env none" },
	{ FETCH_CA, 0, "ca", "FILE", "trust https responders by these roots, not the system's", "FILE" },
	{ FETCH_FORBID_PRIVATE, 0, "forbid-private", NULL, "the certificate is a stranger's: public addresses only", NULL },
	{ FETCH_ALLOW_PRIVATE, 0, "allow-private", NULL, "private addresses too (the default)", NULL },
	{ FETCH_HASH, 0, "hash", "HASH", "of the CertID (sha1)", "sha1 sha256 sha384 sha512" },
	{ FETCH_MAX_AGE, 0, "max-age", "S", "refuse a thisUpdate longer ago, whatever nextUpdate says", NULL },
	{ FETCH_ALLOW_SHA1, 0, "allow-sha1", NULL, "believe a response that is signed with SHA-1", NULL },
	{ FETCH_TRUST_SIGNER, 0, "trust-signer", "FILE", "this certificate may sign for the issuer too", "FILE" },
	{ FETCH_JSON, 0, "json", NULL, "the same as --format json", NULL },
	{ FETCH_FORMAT, 0, "format", "FORMAT", "text or json", "text json" },
	{ FETCH_REPORT, 0, "report", "FD", "write the JSON to this file descriptor", NULL },
	{ FETCH_QUIET, 'q', "quiet", NULL, "say nothing but failures", NULL },
	{ FETCH_VERBOSE, 'v', "verbose", NULL, "say each question and what came of it", NULL },
	{ 0 },
};

const char fetch_examples[] = "  clinch fetch -o leaf.der fullchain.pem\n"
			      "  clinch fetch --url http://127.0.0.1:8080/ --nonce fullchain.pem\n";
