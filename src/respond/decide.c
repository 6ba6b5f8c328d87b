/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/decide.h"
#include "der/oid.h"

#define SERIAL_MAX 64
#define NONCE_MAX 128  /* RFC 9654 2.1 */
#define BACKDATED_S 60 /* clocks of clients that are behind */
#define NEVER_REVOKED_AT 0

static void refuse(struct decision *out, enum ocsp_refusal refusal)
{
	out->act = DECIDE_REFUSE;
	out->refusal = refusal;
}

/* ---- the form of a request ---- */

/* RFC 6960 4.4: what is not understood may be ignored unless it is critical. */
static bool is_understood(const struct der_extension *extension)
{
	return !extension->critical || OID_IS(extension->oid, OCSP_NONCE) || OID_IS(extension->oid, OCSP_RESPONSE_TYPES);
}

static bool are_understood(struct der extensions)
{
	struct der_extension one;

	while (der_take_extension(&extensions, &one))
		if (!is_understood(&one))
			return false;
	return true;
}

static bool nonce_is_well_formed(struct der nonce)
{
	return !nonce.at || (der_len(nonce) >= 1 && der_len(nonce) <= NONCE_MAX);
}

/* X.690 8.3.2: the first nine bits are not all the same. */
static bool serial_is_well_formed(struct der serial)
{
	if (der_len(serial) > SERIAL_MAX)
		return false;
	if (der_len(serial) == 1)
		return true;
	return !(serial.at[0] == 0x00 && !(serial.at[1] & 0x80)) && !(serial.at[0] == 0xff && serial.at[1] & 0x80);
}

static bool is_well_formed(const struct ocsp_request *request, unsigned ids)
{
	struct ocsp_request_entry entry;

	if (request->n_requests > ids || !nonce_is_well_formed(request->nonce) || !are_understood(request->extensions))
		return false;
	for (struct der left = request->requests; ocsp_request_next(&left, &entry);)
		if (!serial_is_well_formed(entry.id.serial) || !are_understood(entry.extensions))
			return false;
	return true;
}

/* AlgorithmIdentifier with NULL, as clients send it: SEQUENCE { OID, NULL }. */
static bool has_null_parameters(struct der whole_id)
{
	struct der id, algorithm, oid;

	return der_take(&whole_id, DER_SEQUENCE, &id) && der_take(&id, DER_SEQUENCE, &algorithm) &&
	       der_take_oid(&algorithm, &oid) && !der_at_end(&algorithm);
}

/* ---- what is said ---- */

static void say(struct ocsp_single *single, enum clinch_status status, const struct source_status *found)
{
	bool revoked = status == CLINCH_REVOKED;

	single->status = status;
	single->revoked_at = revoked ? found->revoked_at : NEVER_REVOKED_AT;
	single->revocation_reason = revoked ? found->reason : -1;
}

/* Answered for until its notAfter, and in an archive for as long as that goes back (RFC 6960 4.4.4). */
static bool is_past(const struct snapshot_ca *ca, const struct source_status *found, int64_t now)
{
	return found->not_after && found->not_after < now - ca->authority->archive_cutoff_s;
}

static void date(struct ocsp_single *single, const struct snapshot_ca *ca, int64_t now)
{
	const struct authority *authority = ca->authority;
	int64_t until = source_until(ca->source), signs_until = authority_signs_until(authority, now);
	int64_t back = authority->validity_s / 4 < BACKDATED_S ? authority->validity_s / 4 : BACKDATED_S;

	single->this_update = now - back;
	single->next_update = single->this_update + authority->validity_s;
	if (single->next_update > until)
		single->next_update = until;
	if (single->next_update > signs_until)
		single->next_update = signs_until;
	single->archive_cutoff = authority->archive_cutoff_s ? now - authority->archive_cutoff_s : 0;
}

bool decide_single(struct ocsp_single *single, const struct snapshot_ca *ca, struct der serial, int64_t now,
		   enum ocsp_refusal *refusal)
{
	if (source_until(ca->source) <= now || authority_signs_until(ca->authority, now) <= now) {
		*refusal = OCSP_TRY_LATER;
		return false;
	}
	struct source_status found = source_find(ca->source, serial);
	*refusal = OCSP_UNAUTHORIZED;
	if (found.says == SOURCE_NEVER_ISSUED && ca->authority->never_issued == NEVER_ISSUED_UNAUTHORIZED)
		return false;
	if (found.says != SOURCE_NEVER_ISSUED && is_past(ca, &found, now))
		return false;
	say(single,
	    found.says == SOURCE_VALID     ? CLINCH_GOOD
	    : found.says == SOURCE_REVOKED ? CLINCH_REVOKED
					   : CLINCH_UNKNOWN,
	    &found);
	date(single, ca, now);
	return true;
}

/* ---- whose it is ---- */

static bool answer_entry(struct decision *out, const struct snapshot *state, const struct ocsp_request_entry *entry,
			 int64_t now)
{
	ptrdiff_t place = authority_table_find(state->table, &entry->id);
	struct ocsp_single *single = &out->single[out->n];

	/* One signature is one CA's: a request about two of them has no answer. */
	if (place < 0 || (out->ca && out->ca != &state->ca[place])) {
		out->refusal = OCSP_UNAUTHORIZED;
		return false;
	}
	out->ca = &state->ca[place];
	single->cert_id = entry->whole_id;
	if (!decide_single(single, out->ca, entry->id.serial, now, &out->refusal))
		return false;
	out->n++;
	return true;
}

static void relay(struct decision *out, const struct snapshot *state, const struct cert_id *id, int64_t now)
{
	out->relayed = relay_find(state->relay, id, now);
	if (out->relayed)
		out->act = DECIDE_RELAY;
	else
		refuse(out, relay_knows(state->relay, id) ? OCSP_TRY_LATER : OCSP_UNAUTHORIZED);
}

static void describe_form(struct decision *out, const struct ocsp_request *request, const struct ocsp_request_entry *first)
{
	out->hash = cert_id_hash(first->id.hash_oid);
	out->serial = first->id.serial;
	out->nonce = request->nonce;
	out->has_nonce = request->nonce.at && out->ca->authority->nonce == NONCE_SIGN;
	/* Of serials that were never issued there is no end: anybody can ask for another one. */
	out->is_plain = out->n == 1 && !out->has_nonce && out->single[0].status != CLINCH_UNKNOWN &&
			(out->hash == HASH_SHA1 || out->hash == HASH_SHA256) && has_null_parameters(first->whole_id);
}

static void answer(struct decision *out, const struct snapshot *state, const struct ocsp_request *request, int64_t now)
{
	struct ocsp_request_entry first, entry;
	struct der left = request->requests;

	ocsp_request_next(&left, &first);
	if (state->relay && request->n_requests == 1 && authority_table_find(state->table, &first.id) < 0) {
		relay(out, state, &first.id, now);
		return;
	}
	left = request->requests;
	while (ocsp_request_next(&left, &entry))
		if (!answer_entry(out, state, &entry, now))
			return;
	describe_form(out, request, &first);
	out->act = DECIDE_ANSWER;
}

void decide(struct decision *out, const struct snapshot *state, struct der bytes, int64_t now)
{
	struct ocsp_request request;

	out->relayed = NULL;
	out->ca = NULL;
	out->n = 0;
	out->is_plain = out->has_nonce = false;
	refuse(out, OCSP_MALFORMED_REQUEST);
	if (ocsp_request_parse(&request, bytes) && is_well_formed(&request, state->ids))
		answer(out, state, &request, now);
}
