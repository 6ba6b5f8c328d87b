/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filling a clinch_error: each returns the code it was given, so that a failure is one line. `err` may be NULL. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <clinch/error.h>
#include <stddef.h>

int error_set(struct clinch_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* CLINCH_E_FILE with errno as it is now: "<format>: <strerror>". */
int error_errno(struct clinch_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* CLINCH_E_MEMORY or CLINCH_E_GNUTLS after a GnuTLS call returned `rc`: "<format>: <gnutls_strerror>". */
int error_gnutls(struct clinch_error *err, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A stranger's bytes made fit for a message: what is not printable ASCII becomes "?"; always ended, cut at `size`. */
const char *error_printable(char *out, size_t size, const void *bytes, size_t len);

#endif
