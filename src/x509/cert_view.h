/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A certificate read in place (RFC 5280 4.1): views of the bytes it came from, nothing judged, nothing copied. */
#ifndef X509_CERT_VIEW_H
#define X509_CERT_VIEW_H

#include "der/der.h"

struct cert_view {
	struct der whole;               /* Certificate */
	struct der tbs;                 /* tbsCertificate, with its header: what is signed */
	struct der serial;              /* content bytes as they stand, minimal or not */
	struct der issuer, subject;     /* Name, with its header */
	struct der spki;                /* SubjectPublicKeyInfo, with its header */
	struct der key_bits;            /* subjectPublicKey without the count of unused bits: what issuerKeyHash hashes */
	struct der extensions;          /* content of the SEQUENCE OF; empty: none */
	struct der signature_algorithm; /* content of AlgorithmIdentifier */
	struct der signature;           /* content of the BIT STRING */
	int64_t not_before, not_after;
};

/* `in` must be exactly one certificate. */
bool cert_view_parse(struct cert_view *out, struct der in);

/* The extension with this OID; false when there is none. The extensions were found well-formed and unique by parsing. */
bool cert_view_extension(const struct cert_view *view, const void *oid, size_t oid_len, struct der_extension *out);

/* TLS feature status_request(5), RFC 7633; true for a list of features that cannot be read. */
bool cert_view_must_staple(const struct cert_view *view);
bool cert_view_is_ca(const struct cert_view *view); /* basicConstraints cA */
bool cert_view_self_issued(const struct cert_view *view);
unsigned cert_view_key_usage(const struct cert_view *view); /* of enum gnutls_key_usage; 0: not said, or not readable */

/* The i-th DNS name of subjectAltName; false when there are no more. Not NUL-ended, not vetted. */
bool cert_view_dns_name(const struct cert_view *view, unsigned i, struct der *name);

/* The i-th URL under accessMethod `method` in authorityInfoAccess; false when there are no more. Not NUL-ended, not vetted.
 */
bool cert_view_access_url(const struct cert_view *view, const void *method, size_t method_len, unsigned i, struct der *url);

/*
 * Is there a response to be had for this certificate, and where not, why? `elsewhere`: a responder is known that it does not
 * name itself. One that lives less than 7 days is renewed by its holder rather than revoked by anybody; where it is
 * must-staple, clients want its staple all the same. Keeper and server decide by this, so that neither waits for the other.
 */
enum cert_response { CERT_RESPONSE_TO_HAVE, CERT_SELF_ISSUED, CERT_SHORT_LIVED, CERT_NO_RESPONDER };
enum cert_response cert_view_response(const struct cert_view *view, bool elsewhere);

#endif
