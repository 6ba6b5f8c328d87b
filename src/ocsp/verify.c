/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one verifier. judge() goes through the rules in their order and returns at the first that is broken; a verdict starts
 * as invalid, and one line at the end of judge() makes it good.
 */
#include "ocsp/verify.h"
#include "der/oid.h"
#include "ocsp/judgement.h"
#include "ocsp/names.h"
#include <string.h>

#define MAX_CANDIDATES 8

struct clinch_response {
	atomic_uint refs;
	struct clinch_verdict verdict;
	uint8_t fingerprint[FINGERPRINT_LEN]; /* of the certificate it is about */
	size_t len;
	uint8_t der[];
};

/* ---- 2 and 3: the signer and the signature ---- */

static bool names(const struct ocsp_response *response, const uint8_t key_hash[20], struct der name)
{
	return response->by_key ? der_equals_bytes(response->responder, key_hash, 20)
				: der_equals(response->responder, name);
}

/* SHA-1 may be allowed by name, MD5 and MD2 never. */
static enum clinch_reason check_algorithm(struct judgement *j)
{
	enum signature_parse parsed = signature_algorithm_parse(&j->algorithm, j->response.signature_algorithm);

	if (parsed == SIGNATURE_NOT_KNOWN)
		return CLINCH_REASON_SIGNATURE_UNKNOWN;
	if (parsed == SIGNATURE_BAD_PARAMETERS)
		return CLINCH_REASON_SIGNATURE_PARAMETERS;
	if (j->algorithm.weak && !(j->policy.allow_sha1_signature && j->algorithm.digest == GNUTLS_DIG_SHA1))
		return CLINCH_REASON_SIGNATURE_WEAK;
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason check_signature(struct judgement *j, gnutls_pubkey_t key, int kind)
{
	enum clinch_reason reason = check_algorithm(j);

	if (reason != CLINCH_REASON_GOOD)
		return reason;
	if (!signature_suits_key(&j->algorithm, key, kind))
		return CLINCH_REASON_SIGNATURE_KEY;
	int rc = signature_verify(&j->algorithm, key, j->response.tbs, j->response.signature);
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return CLINCH_REASON_INTERNAL;
	if (rc < 0)
		return CLINCH_REASON_SIGNATURE_BAD;
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason judge_delegate(struct judgement *j, struct delegate *delegate)
{
	const struct issuer *issuer = j->subject->issuer;

	if (!names(&j->response, delegate->key_hash, delegate->view.subject))
		return CLINCH_REASON_SIGNER_UNKNOWN;
	enum clinch_reason reason = delegate_check(delegate, issuer, j->now);
	if (reason == CLINCH_REASON_GOOD && !delegate->key)
		reason = delegate_meet(delegate, issuer);
	if (reason == CLINCH_REASON_GOOD)
		reason = check_signature(j, delegate->key, delegate->key_kind);
	return reason;
}

static enum clinch_reason try_known_delegate(struct judgement *j, struct remembered *known)
{
	enum clinch_reason reason = judge_delegate(j, &known->delegate);

	if (reason != CLINCH_REASON_GOOD) {
		remembered_unref(known);
		return reason;
	}
	j->signer_kind = SIGNER_IS_DELEGATE;
	j->signer = known->delegate.view;
	j->known = known;
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason try_delegate(struct judgement *j, struct der whole)
{
	struct remembered *known = signers_find(j->policy.signers, whole, j->subject->issuer);
	struct delegate delegate;

	if (known)
		return try_known_delegate(j, known);
	enum clinch_reason reason = delegate_read(&delegate, whole);
	if (reason == CLINCH_REASON_GOOD)
		reason = judge_delegate(j, &delegate);
	if (reason == CLINCH_REASON_GOOD) {
		j->signer_kind = SIGNER_IS_DELEGATE;
		j->signer = delegate.view;
		signers_add(j->policy.signers, &delegate, j->subject->issuer);
	}
	if (delegate.key)
		gnutls_pubkey_deinit(delegate.key);
	return reason;
}

/*
 * Every embedded certificate that the ResponderID names is a candidate, 8 at most. When none will do, the reason is that of
 * the one that came furthest: reasons stand in the order of the checks.
 */
static enum clinch_reason try_delegates(struct judgement *j, enum clinch_reason furthest)
{
	struct der left = j->response.certs, content, whole;
	unsigned tried = 0;

	while (tried < MAX_CANDIDATES && der_take_whole(&left, DER_SEQUENCE, &content, &whole)) {
		enum clinch_reason reason = try_delegate(j, whole);
		if (reason == CLINCH_REASON_GOOD || reason == CLINCH_REASON_INTERNAL)
			return reason;
		tried += reason > CLINCH_REASON_DELEGATE_MALFORMED;
		furthest = reason > furthest ? reason : furthest;
	}
	return furthest;
}

static enum clinch_reason try_issuer(struct judgement *j)
{
	const struct issuer *issuer = j->subject->issuer;

	if (!names(&j->response, issuer->key_hash[HASH_SHA1], issuer->view.subject))
		return CLINCH_REASON_SIGNER_UNKNOWN;
	j->signer_kind = SIGNER_IS_ISSUER;
	j->signer = issuer->view;
	return check_signature(j, issuer->key, issuer->key_kind);
}

/* RFC 6960 4.2.2.2 (1): "matches a local configuration". */
static enum clinch_reason try_trusted(struct judgement *j)
{
	struct delegate trusted = { .key = NULL };

	if (!j->policy.trusted ||
	    delegate_read(&trusted, der_of(j->policy.trusted->data, j->policy.trusted->size)) != CLINCH_REASON_GOOD ||
	    !names(&j->response, trusted.key_hash, trusted.view.subject))
		return CLINCH_REASON_SIGNER_UNKNOWN;
	j->signer_kind = SIGNER_IS_TRUSTED;
	j->signer = trusted.view;
	enum clinch_reason reason = delegate_import_key(&trusted);
	if (reason == CLINCH_REASON_GOOD)
		reason = check_signature(j, trusted.key, trusted.key_kind);
	if (trusted.key)
		gnutls_pubkey_deinit(trusted.key);
	return reason;
}

static enum clinch_reason check_signer(struct judgement *j)
{
	const struct issuer *issuer = j->subject->issuer;
	enum clinch_reason trusted = try_trusted(j), reason;

	if (trusted == CLINCH_REASON_GOOD || trusted == CLINCH_REASON_INTERNAL)
		return trusted;
	if (!signature_key_is_strong(issuer->key_kind, issuer->key_bits))
		return CLINCH_REASON_ISSUER_WEAK_KEY;
	reason = try_issuer(j);
	if (reason == CLINCH_REASON_GOOD || reason == CLINCH_REASON_INTERNAL)
		return reason;
	return try_delegates(j, reason > trusted ? reason : trusted);
}

/* ---- 4: the entry ---- */

/* Revoked beats unknown beats good; among equals, the latest one counts. */
static bool outweighs(const struct ocsp_entry *a, const struct ocsp_entry *b)
{
	static const int weight[] = { [CLINCH_GOOD] = 0, [CLINCH_UNKNOWN] = 1, [CLINCH_REVOKED] = 2 };

	if (a->status != b->status)
		return weight[a->status] > weight[b->status];
	return a->this_update > b->this_update;
}

static enum clinch_reason find_entry(struct judgement *j)
{
	struct ocsp_entry entry;

	for (struct der left = j->response.entries; ocsp_entry_next(&left, &entry);) {
		if (!cert_id_is_of(&entry.id, j->subject))
			continue;
		j->contradictory |= j->n_matching > 0 && entry.status != j->entry.status;
		if (j->n_matching++ == 0 || outweighs(&entry, &j->entry))
			j->entry = entry;
	}
	if (j->n_matching == 0)
		return CLINCH_REASON_NO_ENTRY;
	return CLINCH_REASON_GOOD;
}

/* ---- 5: extensions ---- */

static bool is_known(struct der oid)
{
	return OID_IS(oid, OCSP_NONCE) || OID_IS(oid, OCSP_CRL_ID) || OID_IS(oid, OCSP_ARCHIVE_CUTOFF) ||
	       OID_IS(oid, OCSP_EXTENDED_REVOKE) || OID_IS(oid, REASON_CODE) || OID_IS(oid, INVALIDITY_DATE) ||
	       OID_IS(oid, SCT_LIST_OCSP);
}

static bool has_unknown_critical(struct der extensions)
{
	struct der_extension extension;

	while (der_take_extension(&extensions, &extension))
		if (extension.critical && !is_known(extension.oid))
			return true;
	return false;
}

static bool entry_has_unknown_critical(const struct judgement *j)
{
	struct ocsp_entry entry;

	for (struct der left = j->response.entries; ocsp_entry_next(&left, &entry);)
		if (cert_id_is_of(&entry.id, j->subject) && has_unknown_critical(entry.extensions))
			return true;
	return false;
}

/* RFC 9654 2.1: one that is no OCTET STRING is there, and is not the one that was asked with. */
static bool nonce_differs(const struct judgement *j)
{
	struct der nonce;

	if (!j->policy.nonce || !ocsp_response_has_nonce(&j->response))
		return false;
	return !ocsp_response_nonce(&j->response, &nonce) ||
	       !der_equals_bytes(nonce, j->policy.nonce->data, j->policy.nonce->size);
}

static enum clinch_reason check_extensions(const struct judgement *j)
{
	if (has_unknown_critical(j->response.extensions))
		return CLINCH_REASON_CRITICAL_EXTENSION;
	if (entry_has_unknown_critical(j))
		return CLINCH_REASON_CRITICAL_ENTRY_EXTENSION;
	if (nonce_differs(j))
		return CLINCH_REASON_NONCE_MISMATCH;
	return CLINCH_REASON_GOOD;
}

/* ---- 6: times ---- */

/* What makes a response one that cannot be: no age of it would be right. */
static enum clinch_reason check_dates(const struct judgement *j)
{
	const struct cert_view *cert = &j->subject->view;
	int64_t latest = j->now + j->policy.skew_s, produced_at = j->response.produced_at;

	if (produced_at > latest)
		return CLINCH_REASON_PRODUCED_IN_FUTURE;
	if (j->entry.this_update > latest)
		return CLINCH_REASON_THIS_UPDATE_IN_FUTURE;
	if (produced_at < cert->not_before || produced_at > cert->not_after)
		return CLINCH_REASON_PRODUCED_OUTSIDE;
	if (j->entry.has_next_update && j->entry.next_update < j->entry.this_update)
		return CLINCH_REASON_NEXT_BEFORE_THIS;
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason check_age(const struct judgement *j)
{
	int64_t past = j->now - j->policy.skew_s;

	if (j->entry.has_next_update && j->end < past)
		return CLINCH_REASON_EXPIRED;
	if (!j->entry.has_next_update && j->end < past)
		return CLINCH_REASON_UNDATED_TOO_OLD;
	if (j->policy.max_age_s && j->entry.this_update < j->now - j->policy.max_age_s)
		return CLINCH_REASON_OLDER_THAN_MAX_AGE;
	if (j->signer.not_after < j->now)
		return CLINCH_REASON_SIGNER_EXPIRED;
	return CLINCH_REASON_GOOD;
}

/* ---- all of it ---- */

/* A field of a later header that asks for something is not obeyed here, so nothing is judged at all. */
static bool is_policy_known(const struct clinch_policy *policy)
{
	static const struct clinch_policy none;

	return memcmp(policy->reserved, none.reserved, sizeof(none.reserved)) == 0;
}

static enum clinch_reason check_size(const struct judgement *j)
{
	if (!is_policy_known(&j->policy))
		return CLINCH_REASON_INTERNAL;
	if (j->der.size == 0)
		return CLINCH_REASON_RESPONSE_EMPTY;
	if (j->der.size > j->policy.max_len)
		return CLINCH_REASON_RESPONSE_TOO_LARGE;
	return CLINCH_REASON_GOOD;
}

static void write_down(const struct judgement *j, struct clinch_verdict *verdict)
{
	int in_extension = ocsp_entry_reason_code(&j->entry);

	verdict->this_update = j->entry.this_update;
	verdict->next_update = j->entry.next_update;
	verdict->fresh_until = j->end < j->signer.not_after ? j->end : j->signer.not_after;
	verdict->findings = findings_of_response(j);
	if (j->entry.status != CLINCH_REVOKED)
		return;
	verdict->revoked_at = j->entry.revoked_at;
	verdict->revocation_reason = j->entry.revocation_reason >= 0 ? j->entry.revocation_reason : in_extension;
}

/* 1 to 3: whether the bytes are a response of one who may speak for the issuer. */
static enum clinch_reason judge_origin(struct judgement *j)
{
	enum clinch_reason reason = check_size(j);

	if (reason == CLINCH_REASON_GOOD)
		reason = ocsp_response_parse(&j->response, der_of(j->der.data, j->der.size));
	if (reason == CLINCH_REASON_GOOD)
		reason = check_signer(j);
	return reason;
}

/* 4 to 7: what it says, and whether that still counts. */
static enum clinch_reason judge(struct judgement *j, struct clinch_verdict *verdict)
{
	enum clinch_reason reason = judge_origin(j);

	if (reason != CLINCH_REASON_GOOD)
		return reason;
	verdict->produced_at = j->response.produced_at;
	reason = find_entry(j);
	if (reason != CLINCH_REASON_GOOD)
		return reason;
	j->end = j->entry.has_next_update ? j->entry.next_update : j->entry.this_update + j->policy.undated_age_s;
	write_down(j, verdict);
	reason = check_extensions(j);
	if (reason == CLINCH_REASON_GOOD)
		reason = check_dates(j);
	if (reason != CLINCH_REASON_GOOD)
		return reason;
	reason = check_age(j);
	verdict->fresh = reason == CLINCH_REASON_GOOD;
	if (j->entry.status == CLINCH_REVOKED)
		return CLINCH_REASON_REVOKED; /* before its age: an old "revoked" is revoked, and not fresh */
	if (reason != CLINCH_REASON_GOOD)
		return reason;
	if (j->entry.status != CLINCH_GOOD)
		return CLINCH_REASON_UNKNOWN;
	return CLINCH_REASON_GOOD;
}

static struct clinch_policy with_defaults(const struct clinch_policy *policy)
{
	struct clinch_policy filled = policy ? *policy : (struct clinch_policy){ 0 };

	filled.skew_s = filled.skew_s ? filled.skew_s : 300;
	filled.undated_age_s = filled.undated_age_s ? filled.undated_age_s : 86400;
	filled.max_len = filled.max_len ? filled.max_len : 65536;
	return filled;
}

static clinch_response_t *response_new(const gnutls_datum_t *der, const clinch_subject_t *subject,
				       const struct clinch_verdict *verdict)
{
	clinch_response_t *response = malloc(sizeof(*response) + der->size);

	if (!response)
		return NULL;
	atomic_init(&response->refs, 1);
	response->verdict = *verdict;
	memcpy(response->fingerprint, subject->fingerprint, FINGERPRINT_LEN);
	response->len = der->size;
	memcpy(response->der, der->data, der->size);
	return response;
}

void clinch_verify(clinch_response_t **out, struct clinch_verdict *verdict, const gnutls_datum_t *der,
		   const clinch_subject_t *subject, int64_t now, const struct clinch_policy *policy)
{
	struct judgement j = { .subject = subject, .policy = with_defaults(policy), .now = now, .der = *der };

	*verdict = (struct clinch_verdict){ .revocation_reason = -1 };
	verdict->reason = judge(&j, verdict);
	remembered_unref(j.known);
	verdict->status = reason_status(verdict->reason);
	if (!out)
		return;
	*out = NULL;
	if (!verdict->fresh || (verdict->status != CLINCH_GOOD && verdict->status != CLINCH_REVOKED))
		return;
	*out = response_new(der, subject, verdict);
	if (!*out)
		*verdict = (struct clinch_verdict){ .reason = CLINCH_REASON_INTERNAL, .revocation_reason = -1 };
}

clinch_response_t *clinch_response_ref(clinch_response_t *response)
{
	if (response)
		atomic_fetch_add_explicit(&response->refs, 1, memory_order_relaxed);
	return response;
}

void clinch_response_unref(clinch_response_t *response)
{
	if (response && atomic_fetch_sub_explicit(&response->refs, 1, memory_order_acq_rel) == 1)
		free(response);
}

gnutls_datum_t clinch_response_der(const clinch_response_t *response)
{
	return (gnutls_datum_t){ (uint8_t *)response->der, (unsigned)response->len };
}

const struct clinch_verdict *clinch_response_verdict(const clinch_response_t *response)
{
	return &response->verdict;
}

bool response_is_about(const clinch_response_t *response, const clinch_subject_t *subject)
{
	return memcmp(response->fingerprint, subject->fingerprint, FINGERPRINT_LEN) == 0;
}
