/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A judgement under way: what verify.c has found out so far, and findings.c reads. On the stack of clinch_verify(). */
#ifndef OCSP_JUDGEMENT_H
#define OCSP_JUDGEMENT_H

#include "ocsp/delegate.h"
#include "ocsp/response.h"
#include "x509/signature.h"

enum signer_kind { SIGNER_IS_ISSUER, SIGNER_IS_DELEGATE, SIGNER_IS_TRUSTED };

struct judgement {
	const clinch_subject_t *subject;
	struct clinch_policy policy; /* with its defaults filled in */
	int64_t now;
	gnutls_datum_t der;
	struct ocsp_response response;
	struct signature_algorithm algorithm;
	enum signer_kind signer_kind;
	struct remembered *known; /* a reference: the delegate was seen before, and `signer` is of its bytes */
	struct cert_view signer;  /* views of the response, of policy.trusted or of the issuer */
	struct ocsp_entry entry;  /* the one that counts */
	unsigned n_matching;      /* entries for this certificate */
	bool contradictory;
	int64_t end; /* nextUpdate, or what stands for it */
};

/* What is worth saying of a response whose signature was verified and that has an entry for the certificate. */
uint64_t findings_of_response(const struct judgement *judgement);
/* What is worth saying of the certificate alone, and of parts that nobody judges: as they are shown. */
uint64_t findings_of_certificate(const struct cert_view *cert);
uint64_t findings_of_cert_id(const struct cert_id *id);
uint64_t findings_of_entry(const struct ocsp_entry *entry, const struct ocsp_response *response);
uint64_t findings_of_form(const struct ocsp_response *response, size_t size);

#endif
