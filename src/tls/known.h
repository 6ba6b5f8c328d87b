/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CA certificates that a stapler met before: a thousand leaves of one intermediate have one prepared issuer, and that
 * intermediate is prepared once itself. Bounded; locked inside, for loading only: no handshake comes here.
 */
#ifndef TLS_KNOWN_H
#define TLS_KNOWN_H

#include "x509/subject.h"
#include <pthread.h>

#define KNOWN_MAX 32

struct known {
	pthread_mutex_t lock;
	unsigned n_issuers, n_subjects; /* ever met; the places are taken in turn */
	struct issuer *issuer[KNOWN_MAX];
	clinch_subject_t *subject[KNOWN_MAX];
};

int known_init(struct known *known);
void known_done(struct known *known);

/* The issuer with this DER, prepared; a reference, the caller's. */
int known_issuer(struct known *known, const gnutls_datum_t *der, struct issuer **out);
/* A CA certificate under that issuer, as a subject; a reference, the caller's. Its signature is not checked. */
int known_subject(struct known *known, const gnutls_datum_t *cert, struct issuer *issuer, clinch_subject_t **out);

#endif
