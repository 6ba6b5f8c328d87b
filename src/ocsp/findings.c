/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "der/oid.h"
#include "ocsp/judgement.h"
#include <strings.h>

#define HOUR 3600
#define DAY (24 * HOUR)
#define WHEN(condition, id) ((condition) ? UINT64_C(1) << CLINCH_FINDING_##id : 0)

static bool is_http(struct der url)
{
	return der_len(url) > 7 && strncasecmp((const char *)url.at, "http://", 7) == 0;
}

uint64_t findings_of_certificate(const struct cert_view *cert)
{
	struct der url;
	bool any = false, other = false;

	for (unsigned i = 0; cert_view_access_url(cert, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, i, &url); i++) {
		any = true;
		other |= !is_http(url);
	}
	return WHEN(other, URL_NOT_HTTP) | WHEN(!any, NO_URL) |
	       WHEN(!any && cert_view_must_staple(cert), MUST_STAPLE_WITHOUT_URL);
}

static uint64_t of_delegate(const struct judgement *j)
{
	if (j->signer_kind != SIGNER_IS_DELEGATE)
		return WHEN(j->signer_kind == SIGNER_IS_TRUSTED, TRUSTED_SIGNER);
	return WHEN(!delegate_has_nocheck(&j->signer), DELEGATE_WITHOUT_NOCHECK) |
	       WHEN(j->signer.not_after < j->end, DELEGATE_ENDS_FIRST) |
	       WHEN(j->signer.not_before > j->entry.this_update, DELEGATE_BEGAN_LATE);
}

/* Neither the signer nor the issuer itself, which is fine to embed. */
static bool has_extra_certificates(const struct judgement *j)
{
	struct der left = j->response.certs, content, whole;

	while (der_take_whole(&left, DER_SEQUENCE, &content, &whole))
		if (!der_equals(whole, j->signer.whole) && !der_equals(whole, j->subject->issuer->view.whole))
			return true;
	return false;
}

static uint64_t of_life(const struct judgement *j)
{
	int64_t life = j->end - j->entry.this_update, gone = j->now - j->entry.this_update;
	bool nearly = gone > life / 10 * 9, half = gone > life / 2, dated = j->entry.has_next_update;

	return WHEN(dated && !j->subject->is_ca && life > 10 * DAY, VALIDITY_LONG) |
	       WHEN(dated && j->subject->is_ca && life > 366 * DAY, VALIDITY_LONG_CA) | WHEN(nearly, LIFE_NEARLY_GONE) |
	       WHEN(half && !nearly, LIFE_HALF_GONE);
}

uint64_t findings_of_cert_id(const struct cert_id *id)
{
	bool sha1 = cert_id_hash(id->hash_oid) == HASH_SHA1;

	return WHEN(sha1, CERT_ID_SHA1) | WHEN(!sha1, CERT_ID_SHA2) | WHEN(!id->serial_minimal, SERIAL_NOT_MINIMAL);
}

uint64_t findings_of_entry(const struct ocsp_entry *entry, const struct ocsp_response *response)
{
	int in_extension = ocsp_entry_reason_code(entry), in_info = entry->revocation_reason;
	bool is_short = entry->has_next_update && entry->next_update - entry->this_update < 8 * HOUR;

	return findings_of_cert_id(&entry->id) | WHEN(!entry->has_next_update, NO_NEXT_UPDATE) |
	       WHEN(is_short, VALIDITY_SHORT) | WHEN(in_extension == 0 || in_info == 0, REASON_UNSPECIFIED) |
	       WHEN(in_extension >= 0, REASON_IN_EXTENSION) |
	       WHEN(in_extension == 8 || in_info == 8, REASON_REMOVE_FROM_CRL) |
	       WHEN(entry->this_update > response->produced_at, THIS_UPDATE_AFTER_PRODUCED);
}

uint64_t findings_of_form(const struct ocsp_response *response, size_t size)
{
	return WHEN(response->n_entries > 1, SEVERAL_ENTRIES) | WHEN(!response->by_key, RESPONDER_BY_NAME) |
	       WHEN(response->version_explicit, VERSION_EXPLICIT) | WHEN(size > 4096, RESPONSE_LARGE);
}

uint64_t findings_of_response(const struct judgement *j)
{
	bool has_nonce = ocsp_response_has_nonce(&j->response);

	return of_delegate(j) | of_life(j) | findings_of_entry(&j->entry, &j->response) |
	       findings_of_form(&j->response, j->der.size) | findings_of_certificate(&j->subject->view) |
	       WHEN(j->contradictory, CONTRADICTORY_ENTRIES) | WHEN(has_extra_certificates(j), EXTRA_CERTIFICATES) |
	       WHEN(has_nonce && !j->policy.nonce, NONCE_PREPARED) | WHEN(!has_nonce && j->policy.nonce, NONCE_IGNORED) |
	       WHEN(j->algorithm.weak, SIGNATURE_SHA1) | WHEN(j->subject->self_issued, ROOT_ENTRY);
}
