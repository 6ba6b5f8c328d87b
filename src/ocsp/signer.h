/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making responses (RFC 6960 4.2.1): a signer is a certificate, its key and the CA it answers for, prepared once. Pure: the
 * time is passed in, nothing is read, nothing logged.
 */
#ifndef OCSP_SIGNER_H
#define OCSP_SIGNER_H

#include "ocsp/certid.h"
#include <clinch/ocsp.h>

struct ocsp_signer;

enum ocsp_signer_option {
	OCSP_SIGNER_BY_NAME = 1, /* ResponderID byName; else byKey */
	OCSP_SIGNER_PSS = 2,     /* RSASSA-PSS with an rsaEncryption key too */
};

/*
 * `cert` (DER) is the CA's own or a delegate of it; `key` is taken over, also on failure. Checked here, once: the key fits
 * the certificate and is strong enough; a delegate is issued by this CA (its signature), has id-kp-OCSPSigning and a
 * keyUsage that allows signing. CLINCH_E_ARGUMENT with the sentence that says why not; CLINCH_E_GNUTLS: the key cannot sign
 * now. Not checked: the time, see ocsp_signer_check(). A reference is taken of `ca`.
 */
int ocsp_signer_new(struct ocsp_signer **out, const gnutls_datum_t *cert, struct issuer *ca, gnutls_privkey_t key,
		    unsigned options, struct clinch_error *err);
struct ocsp_signer *ocsp_signer_ref(struct ocsp_signer *signer);
void ocsp_signer_unref(struct ocsp_signer *signer);

/* May it sign at `now`? CLINCH_E_ARGUMENT: not yet, or no longer valid, in its last second too, when what it signs would be
 * over at once; the sentence has the date. */
int ocsp_signer_check(const struct ocsp_signer *signer, int64_t now, struct clinch_error *err);
int64_t ocsp_signer_not_before(const struct ocsp_signer *signer);
int64_t ocsp_signer_not_after(const struct ocsp_signer *signer);
bool ocsp_signer_is_delegate(const struct ocsp_signer *signer);
/* The CA itself, and its keyUsage lets it sign certificates and no response: some clients refuse what it signs. */
bool ocsp_signer_lacks_usage(const struct ocsp_signer *signer);
bool ocsp_signer_has_nocheck(const struct ocsp_signer *signer);           /* a delegate without it: worth a warning */
const uint8_t *ocsp_signer_fingerprint(const struct ocsp_signer *signer); /* SHA-256 of the certificate */
/* What is said of one certificate. */
struct ocsp_single {
	struct der cert_id;        /* whole, with its header: byte for byte what was asked; copied as it is */
	enum clinch_status status; /* GOOD, REVOKED or UNKNOWN */
	int64_t revoked_at;
	int revocation_reason; /* 0 (unspecified) and -1 are left out; 8 (removeFromCRL) is refused */
	int64_t this_update, next_update;
	int64_t archive_cutoff; /* of singleExtensions (RFC 6960 4.4.4); 0: none */
};

/*
 * One signed response about `n` certificates, n >= 1: *out is gnutls_malloc'ed and the caller's, and untouched on failure.
 * `nonce` is the content of the nonce's OCTET STRING as asked (1 to 128 bytes); NULL: none. Safe from several threads at a
 * time when the key is (a PKCS#11 key too: GnuTLS locks its session). CLINCH_E_GNUTLS when the key cannot sign now (a token
 * was taken out).
 */
int ocsp_sign(gnutls_datum_t *out, struct ocsp_signer *signer, const struct ocsp_single *single, size_t n,
	      int64_t produced_at, const struct der *nonce, struct clinch_error *err);

/* An unsigned refusal (RFC 6960 4.2.1, responseStatus 1, 2, 3, 5 or 6): five static bytes. */
enum ocsp_refusal { OCSP_MALFORMED_REQUEST = 1, OCSP_INTERNAL_ERROR = 2, OCSP_TRY_LATER = 3, OCSP_UNAUTHORIZED = 6 };
gnutls_datum_t ocsp_refuse(enum ocsp_refusal refusal);

/* The CertID of RFC 9919 3.1 as most clients send it: NULL parameters, `hash` of the CA's name and key. For answers that are
 * prepared ahead. Bytes written to `out`, with the header; 0: `size` is too small. */
size_t ocsp_cert_id_write(uint8_t *out, size_t size, const struct issuer *ca, enum subject_hash hash, struct der serial);

#endif
