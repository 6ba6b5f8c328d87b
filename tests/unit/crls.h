/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRLs of the CA that maker.h has, with anything in them. */
#ifndef UNIT_CRLS_H
#define UNIT_CRLS_H

#include "maker.h"

#define X_CRL_NUMBER "551d14"
#define X_DELTA "551d1b"
#define X_SCOPE "551d1c"
#define X_CERTIFICATE_ISSUER "551d1d"

struct crl_spec {
	const char *issuer;
	enum key key;
	enum scheme scheme;
	struct blob version, this_update, next_update; /* as they stand; empty: absent */
	struct blob entries, extensions;               /* content of the SEQUENCE OF; empty: none */
};

struct crl_spec crl_of(struct blob entries);           /* of the CA, from a day before NOW to two days after it */
struct blob make_crl_tbs(const struct crl_spec *spec); /* tbsCertList */
struct blob make_whole_crl(const struct crl_spec *spec);
struct blob utc(const char *text);
struct blob crl_entry(const char *serial);
struct blob crl_entry_with(const char *serial, struct blob extensions);
struct blob crl_reason(uint8_t number); /* the extension */

#endif
