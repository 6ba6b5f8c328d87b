/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A CRL read in place (RFC 5280 5): views of the bytes it came from. What is taken is the complete CRL of one CA, signed by
 * it: a delta CRL, an indirect one, one for some reasons only and any critical extension that is not known are refused,
 * since a serial that such a CRL does not name may be revoked all the same.
 */
#ifndef RESPOND_CRL_H
#define RESPOND_CRL_H

#include "der/der.h"
#include "x509/subject.h"

struct crl {
	struct der tbs;    /* tbsCertList, with its header: what is signed */
	struct der issuer; /* Name, with its header */
	int64_t this_update, next_update;
	struct der entries;             /* content of revokedCertificates; empty: none */
	struct der extensions;          /* content of crlExtensions; empty: none */
	bool users_only, cas_only;      /* of issuingDistributionPoint */
	struct der signature_algorithm; /* content of AlgorithmIdentifier */
	struct der signature;           /* content of the BIT STRING */
};

struct crl_entry {
	struct der serial; /* content of the INTEGER as it stands */
	int64_t revoked_at;
	int reason;      /* of RFC 5280 5.3.1, never removeFromCRL (8); -1: none given */
	const char *odd; /* a static sentence: what was left out; NULL: nothing */
};

/* `in` must be exactly one CRL; not all entries are read yet. CLINCH_E_FORMAT, CLINCH_E_UNSUPPORTED: `name` and why. */
int crl_parse(struct crl *out, struct der in, const char *name, struct clinch_error *err);

/*
 * Is it of `ca`: its name, its right to sign CRLs, its signature? And not of a time to come at `now`, give or take five
 * minutes? A nextUpdate in the past is not looked at. CLINCH_E_NOT_ISSUER, CLINCH_E_UNSUPPORTED, CLINCH_E_FORMAT.
 */
int crl_check(const struct crl *crl, const struct issuer *ca, int64_t now, const char *name, struct clinch_error *err);

/* The next of crl->entries (a copy of which is moved on): 1, 0 at the end, or an error with the sentence for `number`. */
int crl_entry_next(struct der *entries, struct crl_entry *out, uint32_t number, const char *name, struct clinch_error *err);

#endif
