/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch show`: what a file says, believed or not. Nothing is verified, and everything shown says so. */
#ifndef REPORT_SHOW_H
#define REPORT_SHOW_H

#include "ocsp/certid.h"
#include "report/json.h"
#include "report/report.h"
#include "x509/chain.h"

/* Each a new reference, NULL without memory. A response that cannot be read, or of an undefined status: "understood" is
 * false. */
json_t *show_response(gnutls_datum_t der);
json_t *show_request(gnutls_datum_t der);
json_t *show_chain(const struct chain *chain);

/* What is none of them: what it is instead, and where it stops being DER. */
json_t *show_not_understood(gnutls_datum_t bytes);

/* The same for a person; nothing of what has no kind. False: no memory. */
bool show_text(struct buf *out, const struct report_style *style, const json_t *shown);

/* shared by the three */
struct json_maker show_begin(const char *kind, size_t size);
void show_put_cert_id(struct json_maker *maker, const struct cert_id *id);
void show_put_extensions(struct json_maker *maker, struct der extensions);
void show_put_fault(struct json_maker *maker, gnutls_datum_t bytes); /* "stops_at", null where it does not */
json_t *show_certificate(struct der der, const struct chain *file);  /* `file` NULL: not from a file */

#endif
