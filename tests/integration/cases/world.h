/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys, certificates and responses that tests/data/gen made, by world ("ec", "rsa" ...) and name. */
#ifndef CASES_WORLD_H
#define CASES_WORLD_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

struct world;

/* $CLINCH_SOURCE/tests/data/cases/<kind>.data, read once and kept until worlds_done(). Ends the program when it cannot. */
struct world *world_get(const char *kind);
void worlds_done(void);

/* Borrowed; ends the program when there is none: the table and the data do not fit then. `sort`: key certificate response.
 */
const gnutls_datum_t *world_item(const struct world *world, const char *sort, const char *name);
const char *world_kind(const struct world *world);

/* The worlds by number; NULL at the end. */
const char *world_kind_at(unsigned i);

gnutls_x509_crt_t world_certificate(const struct world *world, const char *name); /* the caller's */

/* "<message>: <what>", and exit status 99: the test itself is broken, not what it tests. */
__attribute__((noreturn)) void broken(const char *message, const char *what);

#endif
