/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificate files: PEM (any number, private keys skipped unparsed and wiped) or DER (one). */
#ifndef X509_CHAIN_H
#define X509_CHAIN_H

#include <clinch/error.h>
#include <gnutls/x509.h>

#define CHAIN_MAX 64                 /* certificates of one file */
#define CHAIN_FILE_MAX (1024 * 1024) /* bytes of one file */

struct chain {
	gnutls_datum_t cert[CHAIN_MAX]; /* DER, owned; in the order of the file */
	unsigned n;
};

/* At least one certificate, or an error that says what the file holds instead (nothing, a key, a request, not PEM). `name`
 * is for messages. _done takes a zeroed chain. */
int chain_parse(struct chain *out, const void *bytes, size_t len, const char *name, struct clinch_error *err);
int chain_read(struct chain *out, const char *path, struct clinch_error *err); /* "-": standard input */
void chain_done(struct chain *chain);

/* The certificate among `pool` that issued `cert`: its name is cert's issuer and its key verifies cert. NULL: none. */
const gnutls_datum_t *chain_find_issuer(const struct chain *pool, const gnutls_datum_t *cert);

#define auto_chain __attribute__((cleanup(chain_done))) struct chain

#endif
