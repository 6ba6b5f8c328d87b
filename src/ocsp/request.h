/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OCSP requests (RFC 6960 4.1): built for one certificate, parsed from a stranger. */
#ifndef OCSP_REQUEST_H
#define OCSP_REQUEST_H

#include "der/der.h"
#include "ocsp/certid.h"
#include <clinch/ocsp.h>

struct ocsp_request {
	struct der requests; /* content of requestList */
	unsigned n_requests;
	struct der extensions; /* content of requestExtensions; empty: none */
	struct der nonce;      /* content of the nonce's OCTET STRING; .at NULL: none */
	bool has_requestor, is_signed;
};

struct ocsp_request_entry {
	struct der whole_id; /* CertID with its header */
	struct cert_id id;
	struct der extensions;
};

/* False: not one OCSPRequest v1 in strict DER with at least one entry, or a repeated extension. */
bool ocsp_request_parse(struct ocsp_request *out, struct der in);
bool ocsp_request_next(struct der *requests, struct ocsp_request_entry *out);

#endif
