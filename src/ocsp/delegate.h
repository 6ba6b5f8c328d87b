/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A delegate: a certificate, embedded in a response, whose holder an issuer lets answer in its place (RFC 6960 4.2.2.2).
 * What takes a signature to find out is remembered in clinch_signers_t; all else is judged anew each time.
 */
#ifndef OCSP_DELEGATE_H
#define OCSP_DELEGATE_H

#include "x509/subject.h"

struct delegate {
	struct cert_view view;
	uint8_t key_hash[20]; /* SHA-1 of the key bits: what a ResponderID byKey holds */
	gnutls_pubkey_t key;  /* NULL until delegate_meet() */
	int key_kind;
	unsigned key_bits;
};

/* A delegate whose certificate the issuer was found to have signed. Counted by reference; its view is of its own copy. */
struct remembered {
	atomic_uint refs;
	struct delegate delegate;
	uint8_t issuer[FINGERPRINT_LEN];
	size_t len; /* of der */
	uint8_t der[];
};

/* Reads an embedded certificate in place: out->view is of `whole`. GOOD, DELEGATE_MALFORMED or INTERNAL. */
enum clinch_reason delegate_read(struct delegate *out, struct der whole);

/* May it answer for `issuer` at `now`, as far as it can be told without a signature? */
enum clinch_reason delegate_check(const struct delegate *delegate, const struct issuer *issuer, int64_t now);

/* Sets delegate->key, the caller's, which must have at least 112 bits of security: GOOD, DELEGATE_WEAK_KEY or INTERNAL. */
enum clinch_reason delegate_import_key(struct delegate *delegate);

/* The rest, for one not seen before: is its key fit for it, and did the issuer sign it? Sets delegate->key, the caller's. */
enum clinch_reason delegate_meet(struct delegate *delegate, const struct issuer *issuer);

bool delegate_has_nocheck(const struct cert_view *cert);
/* extendedKeyUsage with id-kp-OCSPSigning, as a whole OID; anyExtendedKeyUsage does not count. */
bool delegate_has_purpose(const struct cert_view *cert);

/* A reference to what is remembered of this certificate under this issuer; NULL: nothing. `signers` may be NULL. */
struct remembered *signers_find(clinch_signers_t *signers, struct der cert, const struct issuer *issuer);
/* Remember it, in place of the oldest; takes delegate->key, or leaves it where it is when there is no memory. */
void signers_add(clinch_signers_t *signers, struct delegate *delegate, const struct issuer *issuer);
void remembered_unref(struct remembered *remembered);

#endif
