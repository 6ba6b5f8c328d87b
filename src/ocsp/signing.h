/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A signer's inside: what answer.c writes from. */
#ifndef OCSP_SIGNING_H
#define OCSP_SIGNING_H

#include "ocsp/delegate.h"
#include "ocsp/signer.h"
#include "x509/signature.h"

struct ocsp_signer {
	atomic_uint refs;
	struct issuer *ca;
	gnutls_privkey_t key;
	gnutls_sign_algorithm_t sign;
	struct delegate cert; /* views of der; the CA's own certificate has the same form */
	bool is_delegate;
	uint8_t fingerprint[FINGERPRINT_LEN];
	/* What each response has alike, ready to be copied; each with its header, in `prepared`. */
	struct der responder_id, algorithm, certs; /* certs may be empty */
	uint8_t *prepared;
	uint8_t der[];
};

#endif
