/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private keys: of a PEM file, of an encrypted PKCS#8 one with its password in another file, or of a token by PKCS#11. */
#ifndef X509_PRIVATE_KEY_H
#define X509_PRIVATE_KEY_H

#include <clinch/error.h>
#include <gnutls/abstract.h>
#include <stdbool.h>

/*
 * `where` is a path, or a "pkcs11:" URL as GnuTLS takes it (its PIN: the first line of pin-source=file:PATH, or
 * pin-value=; nobody is asked).
 * `password_file`, NULL for none: the password of a PEM file's key is its first line. *out is the caller's, for
 * gnutls_privkey_deinit(). CLINCH_E_FILE, CLINCH_E_FORMAT (no key, or a password that is missing or wrong), CLINCH_E_GNUTLS
 * (a token that is not there now), CLINCH_E_MEMORY: the sentence names the file.
 */
int private_key_load(gnutls_privkey_t *out, const char *where, const char *password_file, struct clinch_error *err);

bool private_key_is_url(const char *where);

#endif
