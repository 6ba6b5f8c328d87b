/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An identity: a certificate chain with its key, and the staples for it. Immutable once made, but for one slot: the staples
 * are published anew whenever one of them changes. Sessions hold both by reference.
 */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include "tls/counted.h"
#include "tls/known.h"
#include "x509/chain.h"
#include "x509/subject.h"
#include <clinch/stapler.h>

#define IDENTITY_CHAIN_MAX 8 /* GnuTLS sends 8 staples at most, and no sane chain is longer */

/* Responses for the chain, place by place, each believed. Immutable. */
struct staples {
	struct counted counted;
	clinch_response_t *response[IDENTITY_CHAIN_MAX]; /* NULL: none */
	int64_t until[IDENTITY_CHAIN_MAX];               /* when it stops being sent */
};

struct identity {
	struct counted counted;
	gnutls_pcert_st pcert[IDENTITY_CHAIN_MAX];
	unsigned n;
	uint8_t fingerprint[32]; /* SHA-256 of the first */
	gnutls_privkey_t key;
	unsigned kind;                                 /* one of enum hello_keys; 0: none of them */
	clinch_subject_t *subject[IDENTITY_CHAIN_MAX]; /* NULL: its issuer is not known, or it is self-signed */
	bool must_staple, wants_staple;
	enum cert_response response; /* of the first: is there one to have, by what the certificate says itself? */
	int64_t not_after;           /* of the first */
	char **name;                 /* n_names lower-case DNS names, wildcards as they stand */
	unsigned n_names;
	struct counted_slot staples; /* struct staples, never empty */
};

/* Where issuers come from that a chain file lacks, and those met before. */
struct issuers {
	struct chain extra;
	const char *store_dir; /* borrowed; where a keeper puts those that it found; NULL: nowhere */
	struct known known;
};

/*
 * From a chain and its key, which must fit: CLINCH_E_FORMAT. Issuers that the chain lacks are looked for among the extra
 * ones, the leaf's in the store, then in the system's trust. Where one certificate alone has the issuer's name it is taken
 * for the issuer: were it not, no response would be believed. `name` is for messages. `key` becomes the identity's on
 * success only.
 */
int identity_new(struct identity **out, const struct chain *chain, gnutls_privkey_t key, struct issuers *issuers,
		 const char *name, struct clinch_error *err);

/* ---- staples ---- */

struct staples *staples_new(void); /* empty ones; NULL without memory */
/* The same as `from`, with `response` (a reference of the caller's, taken) at `place`; NULL without memory. */
struct staples *staples_with(const struct staples *from, unsigned place, clinch_response_t *response);

#endif
