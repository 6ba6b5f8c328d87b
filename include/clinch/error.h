/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors: what went wrong with a call. What is wrong with a *staple* is not an error but a verdict (ocsp.h).
 *
 * Every function of libclinch that can fail returns 0, or a negative number of enum clinch_code. Many take a
 * `struct clinch_error *err` as their last argument: the caller's own memory (NULL: not interested), which is filled
 * on failure only and never holds a pointer.
 */
#ifndef CLINCH_ERROR_H
#define CLINCH_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CLINCH_API __attribute__((visibility("default")))
#define CLINCH_MUST_USE __attribute__((warn_unused_result))
#else
#define CLINCH_API
#define CLINCH_MUST_USE
#endif

enum clinch_code {
	CLINCH_OK = 0,
	CLINCH_E_MEMORY = -1,      /* no memory */
	CLINCH_E_ARGUMENT = -2,    /* the call itself is wrong */
	CLINCH_E_FILE = -3,        /* a file could not be read or written; see sys_errno */
	CLINCH_E_FORMAT = -4,      /* bytes that are not what they should be */
	CLINCH_E_TOO_LARGE = -5,   /* above a limit; the sentence names it */
	CLINCH_E_NOT_ISSUER = -6,  /* the issuer given did not issue the certificate */
	CLINCH_E_UNSUPPORTED = -7, /* an algorithm or a form that is not known here */
	CLINCH_E_GNUTLS = -8,      /* GnuTLS failed; see gnutls */
	CLINCH_E_NETWORK = -9,     /* a peer, a resolver or a proxy did not do its part */
	CLINCH_E_TIMEOUT = -10,    /* the deadline passed */
	CLINCH_E_MISSING = -11,    /* what was asked for is not there */
};

struct clinch_error {
	int code;       /* enum clinch_code */
	int gnutls;     /* GNUTLS_E_..., 0 when GnuTLS had no part in it */
	int sys_errno;  /* errno, 0 when the system had no part in it */
	char text[360]; /* one sentence: the thing, what is wrong with it, what to change */
};

/* A few words for a code; static. For a sentence about this very failure read clinch_error.text. */
CLINCH_API const char *clinch_strerror(int code);

/* True when trying again later may help (memory, network, time-out), false when something has to be changed first. */
CLINCH_API bool clinch_is_temporary(int code);

#ifdef __cplusplus
}
#endif
#endif
