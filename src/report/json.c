/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report/json.h"
#include "base/time.h"
#include "ocsp/describe.h"
#include "report/report.h"

#define TEXT_MAX (64 * 1024)

struct json_maker json_maker_new(void)
{
	json_t *object = json_object();

	return (struct json_maker){ .object = object, .failed = !object };
}

void json_put(struct json_maker *maker, const char *key, json_t *value)
{
	if (!maker->object || json_object_set_new(maker->object, key, value))
		maker->failed = true;
}

void json_put_text(struct json_maker *maker, const char *key, const char *text)
{
	json_put(maker, key, text ? json_string(text) : json_null());
}

void json_put_buf(struct json_maker *maker, const char *key, const struct buf *text)
{
	json_put(maker, key, json_stringn(text->len ? (const char *)text->data : "", text->len));
}

void json_put_bytes(struct json_maker *maker, const char *key, const void *text, size_t len)
{
	auto_buf printable = { .max = TEXT_MAX };

	report_printable(&printable, text, len);
	json_put_buf(maker, key, &printable);
}

void json_put_name(struct json_maker *maker, const char *key, struct der name)
{
	auto_buf text = { .max = TEXT_MAX };

	if (!name.at) {
		json_put(maker, key, json_null());
		return;
	}
	report_name(&text, name);
	json_put_buf(maker, key, &text);
}

void json_put_hex(struct json_maker *maker, const char *key, struct der bytes)
{
	auto_buf text = { .max = TEXT_MAX };

	if (!bytes.at) {
		json_put(maker, key, json_null());
		return;
	}
	report_hex(&text, bytes.at, der_len(bytes));
	json_put_buf(maker, key, &text);
}

void json_put_number(struct json_maker *maker, const char *key, int64_t number)
{
	json_put(maker, key, json_integer(number));
}

void json_put_bool(struct json_maker *maker, const char *key, bool value)
{
	json_put(maker, key, json_boolean(value));
}

void json_put_time(struct json_maker *maker, const char *key, int64_t at)
{
	char text[TIME_TEXT_SIZE];

	json_put_text(maker, key, at ? time_format(text, at) : NULL);
}

json_t *json_maker_finish(struct json_maker *maker)
{
	if (!maker->failed)
		return maker->object;
	json_decref(maker->object);
	return NULL;
}

bool json_add(json_t *array, json_t *value)
{
	return !json_array_append_new(array, value);
}

const char *report_revocation_reason(int reason)
{
	static const char *const names[] = {
		"unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
		"superseded",    "cessationOfOperation", "certificateHold", NULL,
		"removeFromCRL", "privilegeWithdrawn",   "aACompromise",
	};

	return reason >= 0 && reason < (int)(sizeof(names) / sizeof(*names)) ? names[reason] : NULL;
}

static json_t *finding_json(int finding)
{
	struct json_maker maker = json_maker_new();

	json_put_text(&maker, "id", clinch_finding_name(finding));
	json_put_text(&maker, "level", clinch_finding_level(finding));
	json_put_text(&maker, "text", clinch_finding_text(finding));
	return json_maker_finish(&maker);
}

json_t *report_findings_json(uint64_t findings)
{
	json_t *array = json_array();

	for (int i = 0; array && i < CLINCH_FINDING_COUNT; i++) {
		if (!(findings >> i & 1) || json_add(array, finding_json(i)))
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

/* ---- the staple ---- */

static const char *signer_word(const struct ocsp_description *about, uint64_t findings)
{
	if (findings >> CLINCH_FINDING_TRUSTED_SIGNER & 1)
		return "trusted";
	switch (about->signer) {
	case OCSP_SIGNER_ISSUER:
		return "issuer";
	case OCSP_SIGNER_DELEGATE:
		return "delegate";
	default:
		return NULL;
	}
}

static void put_signer(struct json_maker *maker, gnutls_datum_t der, const clinch_subject_t *subject, uint64_t findings)
{
	struct ocsp_response response;
	struct ocsp_description about = { 0 };

	if (der.size && ocsp_response_parse(&response, der_of(der.data, der.size)) == CLINCH_REASON_GOOD)
		ocsp_describe(&about, &response, subject);
	json_put_text(maker, "signer", signer_word(&about, findings));
	json_put_name(maker, "signer_name", about.signer_name);
	json_put_text(maker, "signature", about.signature);
	json_put_text(maker, "cert_id_hash", about.cert_id_hash);
}

static void put_revocation_reason(struct json_maker *maker, const struct clinch_verdict *verdict)
{
	const char *name = report_revocation_reason(verdict->revocation_reason);
	char number[16];

	snprintf(number, sizeof(number), "%d", verdict->revocation_reason);
	if (verdict->status != CLINCH_REVOKED || verdict->revocation_reason < 0)
		json_put(maker, "revocation_reason", json_null());
	else
		json_put_text(maker, "revocation_reason", name ? name : number);
}

json_t *report_staple_json(gnutls_datum_t der, const clinch_subject_t *subject, const struct clinch_verdict *verdict,
			   int64_t now)
{
	struct json_maker maker = json_maker_new();
	auto_buf detail = { .max = TEXT_MAX };

	report_detail(&detail, verdict, der, now);
	json_put_bool(&maker, "present", verdict->status != CLINCH_MISSING);
	json_put_text(&maker, "verdict", clinch_status_name(verdict->status));
	json_put_bool(&maker, "fresh", verdict->fresh);
	json_put_text(&maker, "reason", clinch_reason_name(verdict->reason));
	json_put_buf(&maker, "detail", &detail);
	json_put_time(&maker, "produced_at", verdict->produced_at);
	json_put_time(&maker, "this_update", verdict->this_update);
	json_put_time(&maker, "next_update", verdict->next_update);
	json_put_time(&maker, "revoked_at", verdict->revoked_at);
	put_revocation_reason(&maker, verdict);
	put_signer(&maker, der, subject, verdict->findings);
	json_put_number(&maker, "size", der.size);
	json_put(&maker, "age_s", verdict->this_update ? json_integer(now - verdict->this_update) : json_null());
	json_put(&maker, "remaining_s", verdict->fresh_until ? json_integer(verdict->fresh_until - now) : json_null());
	json_put(&maker, "findings", report_findings_json(verdict->findings));
	return json_maker_finish(&maker);
}
