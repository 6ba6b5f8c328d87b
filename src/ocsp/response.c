/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/response.h"
#include "der/oid.h"

/* RFC 6960 4.2.1. Whatever stands behind such a status, it is no status of a certificate. */
static enum clinch_reason error_status(int64_t status)
{
	switch (status) {
	case 1:
		return CLINCH_REASON_RESPONDER_MALFORMED_REQUEST;
	case 2:
		return CLINCH_REASON_RESPONDER_INTERNAL_ERROR;
	case 3:
		return CLINCH_REASON_RESPONDER_TRY_LATER;
	case 5:
		return CLINCH_REASON_RESPONDER_SIG_REQUIRED;
	case 6:
		return CLINCH_REASON_RESPONDER_UNAUTHORIZED;
	default:
		return CLINCH_REASON_STATUS_UNDEFINED;
	}
}

static enum clinch_reason take_extensions(struct der *in, struct der *all, enum clinch_reason malformed,
					  enum clinch_reason repeated)
{
	switch (der_take_extensions(in, 1, false, all)) {
	case DER_LIST_GOOD:
		return CLINCH_REASON_GOOD;
	case DER_LIST_REPEATED:
		return repeated;
	default:
		return malformed;
	}
}

/* CRLReason: 7 is not used (RFC 5280 5.3.1). */
static bool is_crl_reason(int64_t code)
{
	return code >= 0 && code <= 10 && code != 7;
}

static bool take_revoked_info(struct der info, struct ocsp_entry *out)
{
	struct der reason;
	int64_t code;

	if (!der_take_time(&info, &out->revoked_at))
		return false;
	if (der_at_end(&info))
		return true;
	if (!der_take(&info, DER_CONTEXT(0), &reason) || !der_at_end(&info))
		return false;
	if (!der_take_small(&reason, DER_ENUMERATED, &code) || !der_at_end(&reason) || !is_crl_reason(code))
		return false;
	out->revocation_reason = (int)code;
	return true;
}

static bool take_cert_status(struct der *in, struct ocsp_entry *out)
{
	struct der content;

	out->revoked_at = 0;
	out->revocation_reason = -1;
	if (der_next_is(in, DER_CONTEXT_PRIMITIVE(0))) {
		out->status = CLINCH_GOOD;
		return der_take(in, DER_CONTEXT_PRIMITIVE(0), &content) && der_at_end(&content);
	}
	if (der_next_is(in, DER_CONTEXT(1))) {
		out->status = CLINCH_REVOKED;
		return der_take(in, DER_CONTEXT(1), &content) && take_revoked_info(content, out);
	}
	out->status = CLINCH_UNKNOWN;
	return der_take(in, DER_CONTEXT_PRIMITIVE(2), &content) && der_at_end(&content);
}

static bool take_entry_times(struct der *in, struct ocsp_entry *out)
{
	struct der next;

	out->next_update = 0;
	if (!der_take_time(in, &out->this_update))
		return false;
	out->has_next_update = der_next_is(in, DER_CONTEXT(0));
	if (!out->has_next_update)
		return true;
	return der_take(in, DER_CONTEXT(0), &next) && der_take_time(&next, &out->next_update) && der_at_end(&next);
}

static enum clinch_reason take_entry(struct der *in, struct ocsp_entry *out)
{
	struct der entry;

	if (!der_take(in, DER_SEQUENCE, &entry))
		return CLINCH_REASON_ENTRY_MALFORMED;
	if (!cert_id_take(&entry, &out->id))
		return CLINCH_REASON_CERT_ID_MALFORMED;
	if (!take_cert_status(&entry, out))
		return CLINCH_REASON_CERT_STATUS_MALFORMED;
	if (!take_entry_times(&entry, out))
		return CLINCH_REASON_ENTRY_TIME_MALFORMED;
	enum clinch_reason reason = take_extensions(&entry, &out->extensions, CLINCH_REASON_ENTRY_EXTENSIONS_MALFORMED,
						    CLINCH_REASON_ENTRY_EXTENSION_REPEATED);
	if (reason != CLINCH_REASON_GOOD)
		return reason;
	if (!der_at_end(&entry))
		return CLINCH_REASON_ENTRY_TRAILING;
	return CLINCH_REASON_GOOD;
}

bool ocsp_entry_next(struct der *entries, struct ocsp_entry *out)
{
	return !der_at_end(entries) && take_entry(entries, out) == CLINCH_REASON_GOOD;
}

/* ResponderID ::= CHOICE { byName [1] Name, byKey [2] KeyHash }, both EXPLICIT. */
static bool take_responder(struct der *in, struct ocsp_response *out)
{
	struct der outer, content;

	out->by_key = der_next_is(in, DER_CONTEXT(2));
	if (!der_take(in, out->by_key ? DER_CONTEXT(2) : DER_CONTEXT(1), &outer))
		return false;
	if (out->by_key)
		return der_take_octets(&outer, &out->responder) && der_at_end(&outer) && der_len(out->responder) == 20;
	return der_take_whole(&outer, DER_SEQUENCE, &content, &out->responder) && der_at_end(&outer) &&
	       der_is_well_formed(content);
}

static enum clinch_reason take_version(struct der *in, bool *is_explicit)
{
	struct der content;
	int64_t version;

	*is_explicit = der_next_is(in, DER_CONTEXT(0));
	if (!*is_explicit)
		return CLINCH_REASON_GOOD;
	if (!der_take(in, DER_CONTEXT(0), &content) || !der_take_small(&content, DER_INTEGER, &version) ||
	    !der_at_end(&content) || version != 0)
		return CLINCH_REASON_VERSION_UNKNOWN;
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason take_entries(struct der *in, struct ocsp_response *out)
{
	struct ocsp_entry entry;

	if (!der_take(in, DER_SEQUENCE, &out->entries))
		return CLINCH_REASON_RESPONSE_DATA_MALFORMED;
	if (der_at_end(&out->entries))
		return CLINCH_REASON_NO_ENTRIES;
	for (struct der left = out->entries; !der_at_end(&left); out->n_entries++) {
		enum clinch_reason reason = take_entry(&left, &entry);
		if (reason != CLINCH_REASON_GOOD)
			return reason;
	}
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason parse_data(struct ocsp_response *out, struct der data)
{
	enum clinch_reason reason = take_version(&data, &out->version_explicit);

	if (reason != CLINCH_REASON_GOOD)
		return reason;
	if (!take_responder(&data, out))
		return CLINCH_REASON_RESPONDER_ID_MALFORMED;
	if (!der_take_time(&data, &out->produced_at))
		return CLINCH_REASON_PRODUCED_AT_MALFORMED;
	reason = take_entries(&data, out);
	if (reason == CLINCH_REASON_GOOD)
		reason = take_extensions(&data, &out->extensions, CLINCH_REASON_EXTENSIONS_MALFORMED,
					 CLINCH_REASON_EXTENSION_REPEATED);
	if (reason != CLINCH_REASON_GOOD)
		return reason;
	if (!der_at_end(&data))
		return CLINCH_REASON_RESPONSE_DATA_TRAILING;
	return CLINCH_REASON_GOOD;
}

static bool take_certs(struct der *in, struct ocsp_response *out)
{
	struct der outer, cert;

	out->certs = der_of(in->end, 0);
	if (der_at_end(in))
		return true;
	if (!der_take(in, DER_CONTEXT(0), &outer) || !der_at_end(in))
		return false;
	if (!der_take(&outer, DER_SEQUENCE, &out->certs) || !der_at_end(&outer))
		return false;
	for (struct der left = out->certs; !der_at_end(&left); out->n_certs++)
		if (!der_take(&left, DER_SEQUENCE, &cert))
			return false;
	return true;
}

static enum clinch_reason parse_basic(struct ocsp_response *out, struct der in)
{
	struct der basic, data;

	if (!der_take(&in, DER_SEQUENCE, &basic) || !der_at_end(&in) ||
	    !der_take_whole(&basic, DER_SEQUENCE, &data, &out->tbs))
		return CLINCH_REASON_BASIC_MALFORMED;
	enum clinch_reason reason = parse_data(out, data);
	if (reason != CLINCH_REASON_GOOD)
		return reason;
	if (!der_take(&basic, DER_SEQUENCE, &out->signature_algorithm) || !der_take_bits(&basic, &out->signature))
		return CLINCH_REASON_SIGNATURE_MALFORMED;
	if (!take_certs(&basic, out))
		return CLINCH_REASON_CERTS_MALFORMED;
	return CLINCH_REASON_GOOD;
}

enum clinch_reason ocsp_response_parse(struct ocsp_response *out, struct der in)
{
	struct der outer, explicit_bytes, bytes, type, basic;

	*out = (struct ocsp_response){ .status = -1 };
	if (!der_take(&in, DER_SEQUENCE, &outer) || !der_at_end(&in) ||
	    !der_take_small(&outer, DER_ENUMERATED, &out->status))
		return CLINCH_REASON_RESPONSE_MALFORMED;
	if (out->status != 0)
		return error_status(out->status);
	if (der_at_end(&outer))
		return CLINCH_REASON_RESPONSE_BYTES_MISSING;
	if (!der_take(&outer, DER_CONTEXT(0), &explicit_bytes) || !der_at_end(&outer) ||
	    !der_take(&explicit_bytes, DER_SEQUENCE, &bytes) || !der_at_end(&explicit_bytes) ||
	    !der_take_oid(&bytes, &type) || !der_take_octets(&bytes, &basic) || !der_at_end(&bytes))
		return CLINCH_REASON_RESPONSE_BYTES_MALFORMED;
	if (!OID_IS(type, OCSP_BASIC))
		return CLINCH_REASON_RESPONSE_TYPE_UNKNOWN;
	return parse_basic(out, basic);
}

static bool find_extension(struct der extensions, const char *oid, size_t oid_len, struct der *value)
{
	struct der_extension one;

	while (der_take_extension(&extensions, &one))
		if (der_equals_bytes(one.oid, oid, oid_len)) {
			*value = one.value;
			return true;
		}
	return false;
}

int ocsp_entry_reason_code(const struct ocsp_entry *entry)
{
	struct der value;
	int64_t code;

	if (!find_extension(entry->extensions, OID_REASON_CODE, sizeof(OID_REASON_CODE) - 1, &value))
		return -1;
	if (!der_take_small(&value, DER_ENUMERATED, &code) || !der_at_end(&value) || !is_crl_reason(code))
		return -1;
	return (int)code;
}

bool ocsp_response_has_nonce(const struct ocsp_response *response)
{
	struct der value;

	return find_extension(response->extensions, OID_OCSP_NONCE, sizeof(OID_OCSP_NONCE) - 1, &value);
}

bool ocsp_response_nonce(const struct ocsp_response *response, struct der *nonce)
{
	struct der value;

	return find_extension(response->extensions, OID_OCSP_NONCE, sizeof(OID_OCSP_NONCE) - 1, &value) &&
	       der_take_octets(&value, nonce) && der_at_end(&value);
}
