/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A certificate with a key of any kind, made by GnuTLS on the spot: what maker.h's fixed keys do not cover. */
#ifndef UNIT_PARTY_H
#define UNIT_PARTY_H

#include "maker.h"

struct party {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;
	const struct party *issuer; /* NULL: it is a CA that issued itself */
};

enum party_kind {
	PARTY_P256,
	PARTY_P384,
	PARTY_P521,
	PARTY_RSA,
	PARTY_RSA_PSS,     /* id-RSASSA-PSS, SHA-256 */
	PARTY_RSA_PSS_384, /* with SHA-384 and a salt of 64 in the key's own parameters */
	PARTY_ED25519,
	PARTY_ED448,
	PARTY_KINDS
};
extern const char *const party_kind_names[PARTY_KINDS];

enum party_role { PARTY_CA, PARTY_LEAF, PARTY_DELEGATE };

/* Valid from NOW - 30 days to NOW + 30 days. */
void party_make(struct party *out, enum party_kind kind, enum party_role role, const struct party *issuer);
/* id-RSASSA-PSS with other parameters. */
void party_make_pss(struct party *out, gnutls_digest_algorithm_t digest, unsigned salt_len, enum party_role role,
		    const struct party *issuer);
void party_drop(struct party *party);
/* A copy of its key, the caller's. */
gnutls_privkey_t party_key(const struct party *party);

#endif
