/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A list of the serials that a CA issued, beside its CRL: one a line, in hexadecimal, in either case; "0x" or "serial=" may
 * stand before it and colons between its digits. Spaces around it, empty lines and what follows a "#" are passed over.
 * `openssl x509 -noout -serial` writes such a line.
 */
#ifndef RESPOND_ISSUED_H
#define RESPOND_ISSUED_H

#include "respond/serials.h"

/* Adds each as valid, after what is in `out` already; a serial may be there twice. Does not seal. */
int issued_read(struct serials *out, const char *path, struct clinch_error *err);
int issued_parse(struct serials *out, const void *bytes, size_t len, const char *name, struct clinch_error *err);

/* One such number, as a whole text; false: it is none. */
bool issued_number(struct serial_key *out, const char *text);

#endif
