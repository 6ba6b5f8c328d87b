/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers a request of somebody else's, for other programs to judge what is signed here:
 *	answer-with REQUEST RESPONSE CA CERTIFICATE KEY good|revoked|unknown [by-name] [pss] [archive]
 * Every CertID gets the one status; a nonce comes back.
 */
#include "base/buf.h"
#include "base/file.h"
#include "ocsp/request.h"
#include "ocsp/signer.h"
#include "x509/chain.h"
#include "x509/private_key.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST 64
#define DAY 86400

static struct clinch_error err;

static void must(int code, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err.text);
	exit(2);
}

static bool has_word(char **words, const char *word)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

static struct ocsp_signer *make_signer(char **files, char **words)
{
	struct chain ca = { .n = 0 }, cert = { .n = 0 };
	struct issuer *issuer = NULL;
	struct ocsp_signer *signer = NULL;
	gnutls_privkey_t key = NULL;
	unsigned options =
		(has_word(words, "by-name") ? OCSP_SIGNER_BY_NAME : 0u) | (has_word(words, "pss") ? OCSP_SIGNER_PSS : 0u);

	must(chain_read(&ca, files[0], &err), files[0]);
	must(chain_read(&cert, files[1], &err), files[1]);
	must(private_key_load(&key, files[2], NULL, &err), files[2]);
	must(issuer_new(&issuer, &ca.cert[0], &err), files[0]);
	must(ocsp_signer_new(&signer, &cert.cert[0], issuer, key, options, &err), files[1]);
	issuer_unref(issuer);
	chain_done(&ca);
	chain_done(&cert);
	return signer;
}

static struct ocsp_single say(const struct ocsp_request_entry *entry, const char *status, int64_t now, bool archive)
{
	return (struct ocsp_single){
		.cert_id = entry->whole_id,
		.status = strcmp(status, "good") == 0      ? CLINCH_GOOD
			  : strcmp(status, "revoked") == 0 ? CLINCH_REVOKED
							   : CLINCH_UNKNOWN,
		.revoked_at = now - DAY,
		.revocation_reason = 1,
		.this_update = now - 60,
		.next_update = now + 4 * DAY,
		.archive_cutoff = archive ? now - 30 * DAY : 0,
	};
}

int main(int argc, char **argv)
{
	if (argc < 7) {
		fprintf(stderr, "usage: see answer_with.c\n");
		return 2;
	}
	struct buf bytes = { .max = 65536 };
	struct ocsp_request request;
	struct ocsp_request_entry entry;
	struct ocsp_single singles[MOST];
	size_t n = 0;
	gnutls_datum_t out = { NULL, 0 };
	int64_t now = (int64_t)time(NULL);
	struct ocsp_signer *signer = make_signer(argv + 3, argv + 7);

	must(file_read(&bytes, argv[1], &err), argv[1]);
	if (!ocsp_request_parse(&request, der_of(bytes.data, bytes.len)) || request.n_requests > MOST) {
		fprintf(stderr, "%s: is not a request\n", argv[1]);
		return 2;
	}
	for (struct der left = request.requests; ocsp_request_next(&left, &entry); n++)
		singles[n] = say(&entry, argv[6], now, has_word(argv + 7, "archive"));
	must(ocsp_sign(&out, signer, singles, n, now, request.nonce.at ? &request.nonce : NULL, &err), "signing");
	must(file_replace(argv[2], out.data, out.size, 0644, &err), argv[2]);
	gnutls_free(out.data);
	ocsp_signer_unref(signer);
	buf_done(&bytes);
	return 0;
}
