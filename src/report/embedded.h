/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The certificates that a response carries with it, for showing. Nothing is judged. */
#ifndef REPORT_EMBEDDED_H
#define REPORT_EMBEDDED_H

#include "base/buf.h"
#include "ocsp/response.h"
#include "x509/cert_view.h"

/* The next of response->certs (a copy of which is moved on) that can be read; false at the end. */
bool embedded_next(struct der *certs, struct cert_view *out);

/* The first that ResponderID names; false when there is none. */
bool embedded_signer(const struct ocsp_response *response, struct cert_view *out);

bool cert_view_has_purpose(const struct cert_view *view, const void *oid, size_t oid_len); /* extendedKeyUsage */

/* "1.3.6.1.5.5.7.48.1.2" of an OID's content; arcs that need more than 64 bits end it with "...". */
bool report_oid(struct buf *out, struct der oid);

#endif
