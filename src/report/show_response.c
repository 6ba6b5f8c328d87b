/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "der/oid.h"
#include "ocsp/describe.h"
#include "ocsp/judgement.h"
#include "report/embedded.h"
#include "report/show.h"
#include "report/sniff.h"

#define BIT(finding) ((uint64_t)1 << CLINCH_FINDING_##finding)

struct json_maker show_begin(const char *kind, size_t size)
{
	struct json_maker maker = json_maker_new();

	json_put_text(&maker, "schema", "clinch-show-1");
	json_put_text(&maker, "kind", kind);
	json_put_bool(&maker, "verified", false);
	json_put_number(&maker, "size", (int64_t)size);
	return maker;
}

/* ---- what requests and responses share ---- */

void show_put_cert_id(struct json_maker *maker, const struct cert_id *id)
{
	enum subject_hash hash = cert_id_hash(id->hash_oid);
	auto_buf oid = { .max = 1024 };

	json_put_hex(maker, "serial", id->serial);
	report_oid(&oid, id->hash_oid);
	if (hash < SUBJECT_HASHES)
		json_put_text(maker, "cert_id_hash", subject_digests[hash].name);
	else
		json_put_buf(maker, "cert_id_hash", &oid);
	json_put_hex(maker, "issuer_name_hash", id->name_hash);
	json_put_hex(maker, "issuer_key_hash", id->key_hash);
}

static json_t *extension_json(const struct der_extension *extension)
{
	struct json_maker maker = json_maker_new();
	auto_buf oid = { .max = 1024 };

	report_oid(&oid, extension->oid);
	json_put_buf(&maker, "oid", &oid);
	json_put_bool(&maker, "critical", extension->critical);
	json_put_hex(&maker, "value", extension->value);
	return json_maker_finish(&maker);
}

void show_put_extensions(struct json_maker *maker, struct der extensions)
{
	json_t *array = json_array();
	struct der_extension extension;

	while (der_take_extension(&extensions, &extension))
		if (!json_add(array, extension_json(&extension)))
			maker->failed = true;
	json_put(maker, "extensions", array);
}

/* ---- entries ---- */

static json_t *entry_json(const struct ocsp_entry *entry)
{
	struct json_maker maker = json_maker_new();
	int code = entry->revocation_reason >= 0 ? entry->revocation_reason : ocsp_entry_reason_code(entry);
	const char *reason = report_revocation_reason(code);

	show_put_cert_id(&maker, &entry->id);
	json_put_text(&maker, "status", clinch_status_name(entry->status));
	json_put_time(&maker, "revoked_at", entry->revoked_at);
	if (code >= 0 && !reason)
		json_put_number(&maker, "revocation_reason", code);
	else
		json_put_text(&maker, "revocation_reason", reason);
	json_put_time(&maker, "this_update", entry->this_update);
	json_put_time(&maker, "next_update", entry->next_update);
	show_put_extensions(&maker, entry->extensions);
	return json_maker_finish(&maker);
}

/* ---- the response ---- */

/* What can be told of the delegate without knowing the issuer. */
static uint64_t delegate_findings(const struct ocsp_response *response)
{
	struct cert_view cert;
	struct der_extension nocheck;
	struct ocsp_entry entry;
	struct der entries = response->entries;
	uint64_t found = 0;

	if (!embedded_signer(response, &cert))
		return response->n_certs ? BIT(EXTRA_CERTIFICATES) : 0;
	if (response->n_certs > 1)
		found |= BIT(EXTRA_CERTIFICATES);
	if (!cert_view_has_purpose(&cert, OID_KP_OCSP_SIGNING, sizeof(OID_KP_OCSP_SIGNING) - 1))
		return found;
	if (!cert_view_extension(&cert, OID_OCSP_NOCHECK, sizeof(OID_OCSP_NOCHECK) - 1, &nocheck))
		found |= BIT(DELEGATE_WITHOUT_NOCHECK);
	while (ocsp_entry_next(&entries, &entry)) {
		if (entry.has_next_update && cert.not_after < entry.next_update)
			found |= BIT(DELEGATE_ENDS_FIRST);
		if (cert.not_before > entry.this_update)
			found |= BIT(DELEGATE_BEGAN_LATE);
	}
	return found;
}

static uint64_t response_findings(const struct ocsp_response *response, size_t size)
{
	uint64_t found = delegate_findings(response) | findings_of_form(response, size);
	struct der entries = response->entries;
	struct ocsp_entry entry;

	while (ocsp_entry_next(&entries, &entry))
		found |= findings_of_entry(&entry, response);
	return found;
}

static void put_responder(struct json_maker *maker, const struct ocsp_response *response)
{
	json_put_text(maker, "responder_by", response->by_key ? "key" : "name");
	if (response->by_key)
		json_put_hex(maker, "responder", response->responder);
	else
		json_put_name(maker, "responder", response->responder);
}

static void put_entries(struct json_maker *maker, const struct ocsp_response *response)
{
	json_t *array = json_array();
	struct der entries = response->entries;
	struct ocsp_entry entry;

	while (ocsp_entry_next(&entries, &entry))
		if (!json_add(array, entry_json(&entry)))
			maker->failed = true;
	json_put(maker, "entries", array);
}

static void put_certificates(struct json_maker *maker, const struct ocsp_response *response)
{
	json_t *array = json_array();
	struct der certs = response->certs, content, whole;

	while (der_take_whole(&certs, DER_SEQUENCE, &content, &whole))
		if (!json_add(array, show_certificate(whole, NULL)))
			maker->failed = true;
	json_put(maker, "certificates", array);
}

static void put_successful(struct json_maker *maker, const struct ocsp_response *response, size_t size)
{
	struct ocsp_description about;
	struct der nonce = { 0 };

	ocsp_describe(&about, response, NULL);
	json_put_time(maker, "produced_at", response->produced_at);
	put_responder(maker, response);
	json_put_name(maker, "signer_name", about.signer_name);
	json_put_text(maker, "signature", about.signature);
	if (!ocsp_response_nonce(response, &nonce))
		nonce.at = NULL;
	json_put_hex(maker, "nonce", nonce);
	put_entries(maker, response);
	show_put_extensions(maker, response->extensions);
	put_certificates(maker, response);
	json_put(maker, "findings", report_findings_json(response_findings(response, size)));
}

static const char *status_word(int64_t status)
{
	static const char *const words[] = {
		"successful", "malformedRequest", "internalError", "tryLater", NULL, "sigRequired", "unauthorized",
	};

	return status >= 0 && status < (int64_t)(sizeof(words) / sizeof(*words)) ? words[status] : NULL;
}

void show_put_fault(struct json_maker *maker, gnutls_datum_t bytes)
{
	size_t at;

	json_put(maker, "stops_at", sniff_fault(bytes.data, bytes.size, &at) ? json_integer((json_int_t)at) : json_null());
}

static void put_refused(struct json_maker *maker, gnutls_datum_t der, enum clinch_reason reason)
{
	auto_buf detail = { .max = 1024 };

	buf_printf(&detail, "%s", clinch_reason_text(reason));
	sniff_put_fault(&detail, der.data, der.size);
	json_put_text(maker, "reason", clinch_reason_name(reason));
	json_put_buf(maker, "detail", &detail);
	show_put_fault(maker, der);
}

json_t *show_response(gnutls_datum_t der)
{
	struct ocsp_response response = { .status = -1 };
	enum clinch_reason reason = ocsp_response_parse(&response, der_of(der.data, der.size));
	bool is_error = response.status > 0 && status_word(response.status);
	struct json_maker maker = show_begin("response", der.size);

	json_put_bool(&maker, "understood", reason == CLINCH_REASON_GOOD || is_error);
	json_put_text(&maker, "response_status", response.status < 0 ? NULL : status_word(response.status));
	if (reason == CLINCH_REASON_GOOD)
		put_successful(&maker, &response, der.size);
	else
		put_refused(&maker, der, reason);
	return json_maker_finish(&maker);
}
