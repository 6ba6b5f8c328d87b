/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A signature's AlgorithmIdentifier, read strictly, and the check of a signature under it. GnuTLS does the arithmetic; which
 * algorithm is meant, and whether it suits the key, is decided here: GnuTLS takes SHA-1 for an answer, reads every
 * RSASSA-PSS OID as SHA-256, and knows one salt length a key.
 */
#ifndef X509_SIGNATURE_H
#define X509_SIGNATURE_H

#include "x509/cert_view.h"
#include <gnutls/abstract.h>

struct signature_algorithm {
	gnutls_sign_algorithm_t sign;
	gnutls_pk_algorithm_t key; /* RSA, ECDSA, EdDSA ...; RSA_PSS takes keys of either RSA kind */
	gnutls_digest_algorithm_t digest;
	unsigned salt_len; /* RSASSA-PSS */
	bool weak;         /* less than 112 bits: MD2, MD5, SHA-1 */
	const char *name;  /* "ecdsa-sha256"; static */
};

enum signature_parse { SIGNATURE_PARSED, SIGNATURE_NOT_KNOWN, SIGNATURE_BAD_PARAMETERS };

/* `algorithm`: the content of AlgorithmIdentifier. */
enum signature_parse signature_algorithm_parse(struct signature_algorithm *out, struct der algorithm);

/* May a key of this kind make such signatures? For an id-RSASSA-PSS key with parameters: these ones (RFC 4055 1.2)? */
bool signature_suits_key(const struct signature_algorithm *algorithm, gnutls_pubkey_t key, int kind);

/* 0, GNUTLS_E_PK_SIG_VERIFY_FAILED, or what else stopped GnuTLS. The algorithm must suit the key. Weak ones are computed
 * too. */
int signature_verify(const struct signature_algorithm *algorithm, gnutls_pubkey_t key, struct der data,
		     struct der signature);

/* At least 112 bits (NIST SP 800-57 1, table 2), and of a kind known here. */
bool signature_key_is_strong(int kind, unsigned bits);

/* An AlgorithmIdentifier of a digest: parameters NULL or absent (RFC 5754 2). The OID, or false. */
bool signature_take_digest(struct der *in, struct der *oid);

/* Did `key` sign the certificate, whatever the strength? CLINCH_OK, CLINCH_E_NOT_ISSUER, CLINCH_E_UNSUPPORTED,
 * CLINCH_E_MEMORY. */
int signature_check_issued(const struct cert_view *cert, gnutls_pubkey_t key, int kind);

#endif
