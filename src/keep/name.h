/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: what a certificate is called, for people and file names. */
#ifndef KEEP_NAME_H
#define KEEP_NAME_H

#include "x509/cert_view.h"

#define NAME_TEXT_SIZE 128

/* The first dNSName, else the CN, else the first 16 digits of the fingerprint: printable ASCII without "/", no leading dot.
 */
const char *name_of_certificate(char out[NAME_TEXT_SIZE], const struct cert_view *view, const uint8_t *fingerprint);

/* "CN=Example CA", for messages. */
const char *name_of_issuer(char out[NAME_TEXT_SIZE], const struct cert_view *view);

int name_key_type(const struct cert_view *view);
const char *name_key_type_text(int type); /* "ecdsa"; static */

#endif
