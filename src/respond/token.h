/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys of tokens (PKCS#11) that come back: when a token cannot sign it is opened anew, and where that does not help the
 * modules are ended and begun anew, which some need to see a token again. That takes all sessions of the process with it,
 * so all its keys in tokens must come from here, and it is done more and more rarely while it does not help.
 */
#ifndef RESPOND_TOKEN_H
#define RESPOND_TOKEN_H

#include <clinch/error.h>
#include <gnutls/abstract.h>

/*
 * Opens the key at a "pkcs11:" URL, as private_key_load() does, and wraps it: *out is the caller's, for
 * gnutls_privkey_deinit(), and may be used by several threads at a time. Signing fails with GnuTLS's code while the token is
 * not there; it is looked for when somebody signs, at intervals of half a second and up.
 */
int token_key_open(gnutls_privkey_t *out, const char *url, struct clinch_error *err);

#endif
