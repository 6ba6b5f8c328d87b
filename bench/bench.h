/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One side of a comparison is a function that does the work once and says whether the answer was the right one. Everything
 * that a program prepares once (keys, stores, subjects) is prepared in `struct material`, for every side alike.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/cleanup.h"
#include "x509/subject.h"
#include <clinch/ocsp.h>
#include <stdbool.h>

/* What is signed, by whom, with which signature: the arguments of a raw verification. */
struct signed_bytes {
	gnutls_datum_t tbs, signature;
	gnutls_pubkey_t key;
};

struct material {
	gnutls_datum_t ca, leaf, delegate; /* DER of certificates */
	gnutls_datum_t direct, delegated;  /* responses about leaf, signed by ca and by delegate */
	gnutls_datum_t parse;              /* a response of 500 bytes; data NULL: none for this kind of key */
	int64_t now;

	clinch_subject_t *subject;
	clinch_signers_t *signers;

	gnutls_sign_algorithm_t algorithm;
	struct signed_bytes direct_signed, delegated_signed, delegate_signed;
	gnutls_x509_trust_list_t trust;

	void *store; /* X509_STORE: OpenSSL's headers stay in one file */
};

/* `folder` holds what bench/material.py made for one kind of key. False: said on stderr. */
bool material_load(struct material *out, const char *folder);

struct side {
	const char *name;
	bool (*run)(const struct material *);
};
extern const struct side clinch_sides[], gnutls_sides[], openssl_sides[]; /* ended by a NULL name */

void *openssl_store_new(const gnutls_datum_t *ca); /* NULL: failed */
const char *openssl_version(void);

/* CPU time of this process in ns. */
int64_t clock_cpu(void);
/* ns that one call takes in a batch of `calls`; negative when an answer was wrong. */
double clock_batch(const struct side *side, const struct material *material, unsigned calls);
/* How many calls make a batch of about `batch_ns`; 0 when an answer was wrong. */
unsigned clock_calibrate(const struct side *side, const struct material *material, int64_t batch_ns);
/* Onto one processor, the last that is allowed; failing is no error, only noise. */
void clock_pin(void);

#endif
