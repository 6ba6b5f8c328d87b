/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that has a gnutls_session_t and no clinch command: libclinch judges, then the page is asked for. */
#ifndef DEMO_CLIENT_H
#define DEMO_CLIENT_H

#include "base/buf.h"
#include <clinch/client.h>

/* What https://<address>/ answers, once its staple was accepted under the roots in `roots`. `address`: "127.0.0.1:443". */
int client_get(const char *address, const char *roots, struct buf *answer, struct clinch_error *err);

#endif
