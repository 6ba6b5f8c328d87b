/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owned things that free themselves at the end of their scope. TAKE() hands one over. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(fn) __attribute__((cleanup(fn)))

#define DEFINE_CLEANUP(type, name, release)                                                                                 \
	static inline void name(type *held)                                                                                 \
	{                                                                                                                   \
		if (*held)                                                                                                  \
			release(*held);                                                                                     \
	}

static inline void cleanup_free(void *held)
{
	free(*(void **)held);
}

static inline void cleanup_fd(int *held)
{
	if (*held >= 0)
		close(*held);
}

static inline void cleanup_datum(gnutls_datum_t *held)
{
	gnutls_free(held->data);
}

DEFINE_CLEANUP(gnutls_x509_crt_t, cleanup_crt, gnutls_x509_crt_deinit)
DEFINE_CLEANUP(gnutls_pubkey_t, cleanup_pubkey, gnutls_pubkey_deinit)
DEFINE_CLEANUP(gnutls_x509_spki_t, cleanup_spki, gnutls_x509_spki_deinit)

#define auto_free AUTO(cleanup_free)
#define auto_fd AUTO(cleanup_fd) int
#define auto_datum AUTO(cleanup_datum) gnutls_datum_t
#define auto_crt AUTO(cleanup_crt) gnutls_x509_crt_t
#define auto_pubkey AUTO(cleanup_pubkey) gnutls_pubkey_t
#define auto_spki AUTO(cleanup_spki) gnutls_x509_spki_t

/* The value of an owned pointer, which then owns nothing. */
#define TAKE(pointer)                                                                                                       \
	__extension__({                                                                                                     \
		__typeof__(pointer) taken_ = (pointer);                                                                     \
		(pointer) = NULL;                                                                                           \
		taken_;                                                                                                     \
	})

#endif
