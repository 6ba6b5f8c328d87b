/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The judge: is this OCSP response to be believed, and what does it say of this certificate (RFC 6960, RFC 9919)?
 *
 * Nothing here does I/O, reads a clock or the environment, or logs: the instant is an argument. Opaque types are
 * immutable and counted by reference (_ref, _unref, NULL allowed); any thread may use them. `now` and all times are Unix
 * seconds. A `T **out` is written once, on success, and is then the caller's. A `const T *` and a gnutls_datum_t that is
 * returned are borrowed and live as long as the object they come from.
 */
#ifndef CLINCH_OCSP_H
#define CLINCH_OCSP_H

#include <clinch/error.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clinch_subject clinch_subject_t;   /* what a response is about: a certificate AND its issuer */
typedef struct clinch_response clinch_response_t; /* believed bytes; no constructor but clinch_verify() */
typedef struct clinch_signers clinch_signers_t;   /* delegates that were verified before */

/* ---- the verdict ---- */

enum clinch_status {
	CLINCH_INVALID = 0, /* not to be believed, whatever it says */
	CLINCH_MISSING,
	CLINCH_UNKNOWN,
	CLINCH_REVOKED,
	CLINCH_GOOD,
};

/* Why: one constant CLINCH_REASON_<ROW> for each row of the table in clinch-reasons(7). Zero is "nothing was judged". */
enum clinch_reason {
#define REASON(id, name, status, text, source) CLINCH_REASON_##id,
#define REASON_FROM(number) CLINCH_REASON_FROM_##number = (number)-1, /* the next row has this number */
#include <clinch/reasons.def>
#undef REASON
	CLINCH_REASON_COUNT /* numbers are below it, with gaps between the groups */
};

/* Accepted, but worth saying: CLINCH_FINDING_<ROW> is a bit number in clinch_verdict.findings. */
enum clinch_finding {
#define FINDING(id, name, level, text, source) CLINCH_FINDING_##id,
#include <clinch/findings.def>
#undef FINDING
	CLINCH_FINDING_COUNT
};

/* A value, all of it: copy it, keep it. Zeroed memory is INVALID, stale and unjudged. */
struct clinch_verdict {
	enum clinch_status status; /* what the signer says, once it is believed. An old "revoked" is REVOKED ... */
	bool fresh;                /* ... and not fresh. Only what is fresh may be stapled or served */
	int reason;                /* enum clinch_reason */
	int64_t produced_at;
	int64_t this_update;
	int64_t next_update; /* 0: absent */
	int64_t fresh_until; /* the end of belief: the smaller of nextUpdate (or its substitute) and the signer's notAfter */
	int64_t revoked_at;  /* 0: not revoked */
	int revocation_reason; /* RFC 5280 5.3.1, -1: none given */
	uint64_t findings;     /* bit set over enum clinch_finding */
	uint64_t reserved[2];  /* room for later fields; 0 */
};

CLINCH_API const char *clinch_status_name(enum clinch_status status); /* "good"; static */
CLINCH_API const char *clinch_reason_name(int reason);                /* "delegate-eku"; static */
CLINCH_API const char *clinch_reason_text(int reason);                /* a sentence; static */
CLINCH_API const char *clinch_reason_source(int reason);              /* where it is written; static */
CLINCH_API const char *clinch_finding_name(int finding);
CLINCH_API const char *clinch_finding_level(int finding); /* "info" or "warning" */
CLINCH_API const char *clinch_finding_text(int finding);
CLINCH_API const char *clinch_finding_source(int finding);

/* ---- the policy ---- */

enum clinch_require {
	CLINCH_REQUIRE_MUST_STAPLE = 0, /* of a certificate that says so itself (RFC 7633) */
	CLINCH_REQUIRE_NONE,
	CLINCH_REQUIRE_LEAF,  /* of the peer's own certificate */
	CLINCH_REQUIRE_CHAIN, /* of each certificate of the path below the trust anchor */
};

/* {0} is the default of every field. What the pointers lead to stays the caller's. */
struct clinch_policy {
	uint32_t skew_s;        /* by how much clocks may differ; 0: 300 */
	uint32_t max_age_s;     /* thisUpdate at most so long ago, whatever nextUpdate says; 0: no limit */
	uint32_t undated_age_s; /* how long a response without nextUpdate is believed; 0: 86400 */
	uint32_t max_len;       /* bytes of a response; 0: 65536 */
	bool allow_sha1_signature;
	enum clinch_require require; /* sessions only */
	int64_t at;                  /* judge as of this instant; 0: now. Sessions only */
	clinch_signers_t *signers;   /* NULL: remember none. A session takes a reference */
	/* What was asked with: a response with another nonce is refused, one without is not. clinch_verify() only. */
	const gnutls_datum_t *nonce;
	/* The DER of a certificate that may sign for this issuer too (RFC 6960 4.2.2.2 (1)). Its path is the caller's to
	 * judge, its end counts. clinch_verify() only. */
	const gnutls_datum_t *trusted;
	uintptr_t reserved[4]; /* 0; refused when it is not */
};

/* ---- the subject ---- */

/*
 * Prepare a certificate and its issuer for judging responses about it: its serial number, the hashes of a CertID, the
 * issuer's key. Both are copied. CLINCH_E_NOT_ISSUER when the names do not fit or the issuer's key did not sign the
 * certificate. Not checked: dates, constraints and the issuer's own path.
 */
CLINCH_API CLINCH_MUST_USE int clinch_subject_new(clinch_subject_t **out, gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
						  struct clinch_error *err);
CLINCH_API clinch_subject_t *clinch_subject_ref(clinch_subject_t *subject);
CLINCH_API void clinch_subject_unref(clinch_subject_t *subject);

CLINCH_API gnutls_datum_t clinch_subject_cert(const clinch_subject_t *subject); /* DER */
/* SHA-256 of the certificate: 32 bytes. */
CLINCH_API const uint8_t *clinch_subject_fingerprint(const clinch_subject_t *subject);
CLINCH_API bool clinch_subject_must_staple(const clinch_subject_t *subject); /* TLS feature 5, RFC 7633 */
/* The i-th OCSP URL of the certificate (RFC 5280 4.2.2.1), as it is written: a stranger's bytes, not ended by a NUL.
 * CLINCH_E_MISSING when there are no more. */
CLINCH_API int clinch_subject_ocsp_url(const clinch_subject_t *subject, unsigned i, gnutls_datum_t *url);

/*
 * The request that asks about this certificate (RFC 6960 4.1), unsigned, with a CertID of the given hash (SHA-1 is what
 * every responder understands) and, where `nonce` is not NULL, that nonce of 1 to 128 bytes. `out->data` is the caller's,
 * to gnutls_free().
 */
CLINCH_API CLINCH_MUST_USE int clinch_request_build(gnutls_datum_t *out, const clinch_subject_t *subject,
						    gnutls_digest_algorithm_t hash, const gnutls_datum_t *nonce);

/* ---- the judgement ---- */

/*
 * Judge `der` as a response about `subject` at `now`. Always fills *verdict. *out (may be NULL) is set only for a fresh GOOD
 * or REVOKED, to NULL otherwise; when there is no memory for it, the verdict is INVALID with CLINCH_REASON_INTERNAL.
 * `policy` NULL is all defaults. The verdict itself needs no heap beyond what GnuTLS takes.
 *
 * Not checked: the issuer's own path, and whether the delegate itself is revoked (with id-pkix-ocsp-nocheck or without).
 */
CLINCH_API void clinch_verify(clinch_response_t **out, struct clinch_verdict *verdict, const gnutls_datum_t *der,
			      const clinch_subject_t *subject, int64_t now, const struct clinch_policy *policy);

CLINCH_API clinch_response_t *clinch_response_ref(clinch_response_t *response);
CLINCH_API void clinch_response_unref(clinch_response_t *response);
CLINCH_API gnutls_datum_t clinch_response_der(const clinch_response_t *response);
CLINCH_API const struct clinch_verdict *clinch_response_verdict(const clinch_response_t *response);

/*
 * A memory of at most `limit` delegates (0: 64) whose certificate's signature was verified under an issuer; the oldest goes
 * first. Everything else about a delegate is judged anew each time. Safe to share; locked inside.
 */
CLINCH_API CLINCH_MUST_USE int clinch_signers_new(clinch_signers_t **out, unsigned limit);
CLINCH_API clinch_signers_t *clinch_signers_ref(clinch_signers_t *signers);
CLINCH_API void clinch_signers_unref(clinch_signers_t *signers);

#ifdef __cplusplus
}
#endif
#endif
