/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: the issuers, prepared once and shared by the certificates they issued. */
#ifndef KEEP_ISSUERS_H
#define KEEP_ISSUERS_H

#include "x509/chain.h"
#include "x509/subject.h"

struct issuers { /* zeroed: empty */
	struct issuer **at;
	size_t n, size;
};

/* The one whose name is the certificate's issuer and whose key signed it; borrowed. NULL: none. Where only one has the name,
 * and the certificates' key identifiers fit, the signature is not checked. */
struct issuer *issuers_find(const struct issuers *issuers, const struct cert_view *cert);

/* Known already, or added: true. False: not a certificate with a key that can be used, or no memory. */
bool issuers_add(struct issuers *issuers, const gnutls_datum_t *der);
/* Those of the chain that some certificate may name, whose name is the issuer of `cert`. */
void issuers_add_from_chain(struct issuers *issuers, const struct chain *chain, const struct cert_view *cert);
/* From the system's trusted roots; false: it is not there. */
bool issuers_add_from_system(struct issuers *issuers, const gnutls_datum_t *cert);
void issuers_done(struct issuers *issuers);

#endif
