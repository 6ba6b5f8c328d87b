/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pointer of ours in a session: GnuTLS's callbacks have none to give. It is the private data of an extension with a
 * private-use number (RFC 8447 7) that is never sent; GnuTLS hands it to `drop` in gnutls_deinit().
 */
#ifndef TLS_ATTACH_H
#define TLS_ATTACH_H

#include <gnutls/gnutls.h>

enum attachment { ATTACHED_CLIENT = 65311, ATTACHED_STAPLER = 65312 };

/* NULL: nothing is attached under this number. */
void *attach_get(gnutls_session_t session, enum attachment number);

/* 0 or CLINCH_E_...; `data` is the session's on success, and still the caller's on failure. */
int attach_put(gnutls_session_t session, enum attachment number, const char *name, void *data, void (*drop)(void *data));

#endif
