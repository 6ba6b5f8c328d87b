/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A delegate: a certificate, embedded in a response, whose holder an issuer lets answer in its place (RFC 6960 4.2.2.2).
 * What takes a signature to find out is remembered in clinch_signers_t; all else is judged anew each time.
 */
#ifndef OCSP_DELEGATE_H
#define OCSP_DELEGATE_H

#include "x509/subject.h"

/* A delegate whose certificate the issuer was found to have signed: its key, ready for use. Counted by reference. */
struct delegate {
	atomic_uint refs;
	gnutls_pubkey_t key;
	int key_kind;
	unsigned key_bits;
	uint8_t issuer[FINGERPRINT_LEN];
	size_t len; /* of der */
	uint8_t der[];
};

void delegate_unref(struct delegate *delegate);
DEFINE_CLEANUP(struct delegate *, cleanup_delegate, delegate_unref)
#define auto_delegate AUTO(cleanup_delegate) struct delegate

/*
 * May the holder of `cert` answer for `issuer` at `now`? CLINCH_REASON_GOOD, with *out the caller's to unref, or why not;
 * INTERNAL without memory. `signers` may be NULL. Not checked: whether the delegate itself is revoked.
 */
enum clinch_reason delegate_judge(struct delegate **out, const struct cert_view *cert, const struct issuer *issuer,
				  int64_t now, clinch_signers_t *signers);

bool delegate_has_nocheck(const struct cert_view *cert);
/* extendedKeyUsage with id-kp-OCSPSigning, as a whole OID; anyExtendedKeyUsage does not count. */
bool delegate_has_purpose(const struct cert_view *cert);

/* A reference to what is remembered of this certificate under this issuer; NULL: nothing. */
struct delegate *signers_find(clinch_signers_t *signers, struct der cert, const struct issuer *issuer);
/* Remember it; the oldest one goes. */
void signers_add(clinch_signers_t *signers, struct delegate *delegate);

#endif
