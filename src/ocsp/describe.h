/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be said of a response for a person to read, believed or not. Names only; the verdict is verify's. */
#ifndef OCSP_DESCRIBE_H
#define OCSP_DESCRIBE_H

#include "ocsp/response.h"

enum ocsp_signed_by { OCSP_SIGNER_NONE, OCSP_SIGNER_ISSUER, OCSP_SIGNER_DELEGATE };

struct ocsp_description {
	enum ocsp_signed_by signer; /* whom the ResponderID names; issuer only when `subject` was given */
	struct der signer_name;     /* Name with its header; .at NULL: not known */
	const char *signature;      /* "ecdsa-sha256", "rsa-pss-sha256", "ed25519"; static; "unknown" */
	const char *cert_id_hash;   /* "sha1" ... of the entry for `subject`, or of the first; static; "unknown" */
};

/* `response` was parsed with status 0. `subject` may be NULL. */
void ocsp_describe(struct ocsp_description *out, const struct ocsp_response *response, const clinch_subject_t *subject);

/* A Name as RFC 4514 text, gnutls_free() by the caller; false without memory or when it is none. */
bool ocsp_name_text(gnutls_datum_t *out, struct der name);

#endif
