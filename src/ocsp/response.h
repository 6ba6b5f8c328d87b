/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An OCSP response read in place (RFC 6960 4.2.1): views of the bytes it came from; nothing copied, nothing believed.
 * Parsing goes through every entry and extension, so the iterators below cannot fail on what was parsed.
 */
#ifndef OCSP_RESPONSE_H
#define OCSP_RESPONSE_H

#include "der/der.h"
#include "ocsp/certid.h"
#include <clinch/ocsp.h>

struct ocsp_response {
	int64_t status; /* responseStatus; all that follows only when it is 0 */
	struct der tbs; /* tbsResponseData, with its header: what is signed */
	bool version_explicit;
	bool by_key;
	struct der responder; /* KeyHash, or the Name with its header */
	int64_t produced_at;
	struct der entries; /* content of responses */
	unsigned n_entries;
	struct der extensions;          /* content of responseExtensions; empty: none */
	struct der signature_algorithm; /* content of AlgorithmIdentifier */
	struct der signature;           /* content of the BIT STRING */
	struct der certs;               /* content of certs; empty: none */
	unsigned n_certs;
};

struct ocsp_entry {
	struct cert_id id;
	enum clinch_status status; /* GOOD, REVOKED or UNKNOWN */
	int64_t revoked_at;
	int revocation_reason; /* of RevokedInfo; -1: none */
	int64_t this_update, next_update;
	bool has_next_update;  /* any instant may be written there, that of zero too */
	struct der extensions; /* content of singleExtensions; empty: none */
};

/* CLINCH_REASON_GOOD, or why not; a non-zero responseStatus is a refusal with its own reason, and out->status is set.
 * Not checked: the size, times, critical extensions, the signature. */
enum clinch_reason ocsp_response_parse(struct ocsp_response *out, struct der in);

/* The next entry of out->entries (a copy of which is moved on); false at the end. */
bool ocsp_entry_next(struct der *entries, struct ocsp_entry *out);

/* The reasonCode in singleExtensions, removeFromCRL and all; -1: none. */
int ocsp_entry_reason_code(const struct ocsp_entry *entry);

/* Is there a nonce, well-formed or not? And one that is: the content of its OCTET STRING. */
bool ocsp_response_has_nonce(const struct ocsp_response *response);
bool ocsp_response_nonce(const struct ocsp_response *response, struct der *nonce);

#endif
