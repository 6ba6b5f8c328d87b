/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a response is about: a certificate and its issuer, prepared once. Public half: clinch/ocsp.h. */
#ifndef X509_SUBJECT_H
#define X509_SUBJECT_H

#include "base/cleanup.h"
#include "x509/cert_view.h"
#include <clinch/ocsp.h>
#include <stdatomic.h>

#define FINGERPRINT_LEN 32

/* A CertID's hash algorithms; SUBJECT_HASHES of them. */
enum subject_hash { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, SUBJECT_HASHES };

/* An issuer, shared by the subjects it issued. */
struct issuer {
	atomic_uint refs;
	struct cert_view view; /* into der */
	gnutls_pubkey_t key;
	int key_kind; /* gnutls_pk_algorithm_t */
	unsigned key_bits;
	uint8_t fingerprint[FINGERPRINT_LEN]; /* SHA-256 of the certificate */
	uint8_t key_hash[SUBJECT_HASHES][64];
	uint8_t name_hash[SUBJECT_HASHES][64]; /* of its subject */
	uint8_t der[];
};

struct clinch_subject {
	atomic_uint refs;
	struct issuer *issuer;
	struct cert_view view; /* into der */
	uint8_t fingerprint[FINGERPRINT_LEN];
	uint8_t name_hash[SUBJECT_HASHES][64]; /* of the issuer field of this certificate */
	bool must_staple, is_ca, self_issued;
	uint8_t der[];
};

extern const struct subject_digest {
	gnutls_digest_algorithm_t gnutls;
	uint8_t len, oid_len;
	const char *oid;
	const char *name; /* "sha1" */
} subject_digests[SUBJECT_HASHES];

/* All from DER. An issuer may be shared between subjects; _unref takes NULL. */
int issuer_new(struct issuer **out, const gnutls_datum_t *der, struct clinch_error *err);
struct issuer *issuer_ref(struct issuer *issuer);
void issuer_unref(struct issuer *issuer);
/* As clinch_subject_new(), with a prepared issuer, of which it takes a reference. `check_signature` false: the caller knows
 * that the issuer signed it (a path that was validated just now). */
int subject_new(clinch_subject_t **out, const gnutls_datum_t *cert, struct issuer *issuer, bool check_signature,
		struct clinch_error *err);

DEFINE_CLEANUP(struct issuer *, cleanup_issuer, issuer_unref)
DEFINE_CLEANUP(clinch_subject_t *, cleanup_subject, clinch_subject_unref)
#define auto_issuer AUTO(cleanup_issuer) struct issuer
#define auto_subject AUTO(cleanup_subject) clinch_subject_t

#endif
