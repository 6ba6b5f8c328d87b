/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One target, one line: the fixed object of clinch-check(1). */
#include "der/oid.h"
#include "report/check.h"
#include "x509/subject.h"
#include <string.h>

#define SCHEMA "clinch-check-1"
#define TEXT_MAX (64 * 1024)
#define URLS_MAX 16

/* A handshake that was broken off early has none yet. */
static const char *cipher_of(gnutls_session_t session)
{
	gnutls_cipher_algorithm_t cipher = gnutls_cipher_get(session);

	return cipher == GNUTLS_CIPHER_UNKNOWN || cipher == GNUTLS_CIPHER_NULL ? NULL : gnutls_cipher_get_name(cipher);
}

static json_t *tls_json(const struct check *check)
{
	struct json_maker maker;
	const char *version = check_tls_version(check);

	if (!version || !check->report)
		return json_null();
	maker = json_maker_new();
	json_put_text(&maker, "version", version);
	json_put_text(&maker, "cipher", cipher_of(check->session));
	json_put_text(&maker, "name", check->name);
	json_put_bool(&maker, "resumed", check->report->resumed);
	json_put_bool(&maker, "gnutls_says_checked", check->report->gnutls_says_checked);
	return json_maker_finish(&maker);
}

static json_t *urls_json(const struct cert_view *view)
{
	json_t *urls = json_array();
	struct der url;

	for (unsigned i = 0; i < URLS_MAX && cert_view_access_url(view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, i, &url);
	     i++) {
		auto_buf text = { .max = TEXT_MAX };

		report_printable(&text, url.at, der_len(url));
		if (!json_add(urls, json_stringn(text.len ? (const char *)text.data : "", text.len)))
			break;
	}
	return urls;
}

/* Prepared for the names of CertID and signer only: the path was validated, so no signature is verified again. */
static clinch_subject_t *subject_of(const struct clinch_member *member)
{
	auto_issuer *issuer = NULL;
	clinch_subject_t *subject = NULL;

	if (!member->issuer.size || !member->staple.size || issuer_new(&issuer, &member->issuer, NULL) ||
	    subject_new(&subject, &member->cert, issuer, false, NULL))
		return NULL;
	return subject;
}

static json_t *answer_json(const struct check_answer *answer, int64_t now)
{
	json_t *json = report_staple_json(answer->der, NULL, &answer->verdict, now);

	if (json && !answer->der.size)
		json_object_set_new(json, "detail", json_string(answer->detail ? answer->detail : ""));
	return json;
}

static void put_certificate(struct json_maker *maker, const struct cert_view *view)
{
	json_put_name(maker, "subject", view->subject);
	json_put_name(maker, "issuer", view->issuer);
	json_put_hex(maker, "serial", view->serial);
	json_put_time(maker, "not_after", view->not_after);
	json_put_bool(maker, "must_staple", cert_view_must_staple(view));
	json_put(maker, "ocsp_urls", urls_json(view));
}

static json_t *member_json(const struct check *check, unsigned i)
{
	const struct clinch_member *member = &check->report->member[i];
	auto_subject *subject = subject_of(member);
	struct json_maker maker = json_maker_new();
	struct cert_view view = { 0 };

	if (!cert_view_parse(&view, der_of(member->cert.data, member->cert.size)))
		view = (struct cert_view){ 0 };
	json_put_text(&maker, "place", i ? "intermediate" : "leaf");
	put_certificate(&maker, &view);
	json_put(&maker, "staple", report_staple_json(member->staple, subject, &member->verdict, check->report->at));
	if (check->answer && check->answer[i].asked)
		json_put(&maker, "responder", answer_json(&check->answer[i], check->report->at));
	return json_maker_finish(&maker);
}

static json_t *chain_json(const struct check *check)
{
	json_t *chain = json_array();

	for (unsigned i = 0; chain && check->report && i < check->report->n; i++) {
		if (json_add(chain, member_json(check, i)))
			continue;
		json_decref(chain);
		return NULL;
	}
	return chain;
}

static json_t *response_finding_json(const struct check *check, int finding)
{
	struct json_maker maker = json_maker_new();
	auto_buf text = { .max = TEXT_MAX };

	if (!check_response_finding_text(&text, check, finding))
		maker.failed = true;
	json_put_text(&maker, "id", clinch_finding_name(finding));
	json_put_text(&maker, "level", clinch_finding_level(finding));
	json_put_buf(&maker, "text", &text);
	return json_maker_finish(&maker);
}

static json_t *session_finding_json(int finding)
{
	struct json_maker maker = json_maker_new();

	json_put_text(&maker, "id", check_finding_name(finding));
	json_put_text(&maker, "level", check_finding_level(finding));
	json_put_text(&maker, "text", check_finding_text(finding));
	return json_maker_finish(&maker);
}

static json_t *findings_json(const struct check *check)
{
	json_t *all = json_array();
	uint64_t of_responses = check_response_findings(check);
	unsigned of_session = check_findings(check);
	bool complete = all;

	for (int i = 0; complete && i < CLINCH_FINDING_COUNT; i++)
		if (of_responses >> i & 1)
			complete = json_add(all, response_finding_json(check, i));
	for (int i = 0; complete && i < CHECK_FINDINGS; i++)
		if (of_session >> i & 1)
			complete = json_add(all, session_finding_json(i));
	if (complete)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *whole(const struct check *check)
{
	struct json_maker maker = json_maker_new();
	auto_buf detail = { .max = TEXT_MAX };

	check_detail(&detail, check);
	json_put_text(&maker, "schema", SCHEMA);
	json_put_bytes(&maker, "target", check->target, strlen(check->target));
	json_put_text(&maker, "address", check->address);
	json_put_text(&maker, "verdict", check_verdict(check));
	json_put_bool(&maker, "accepted", !check->trouble && check->accepted);
	json_put_text(&maker, "reason", check->trouble ? check->trouble : clinch_reason_name(check->reason));
	json_put_bytes(&maker, "detail", detail.data, detail.len);
	json_put(&maker, "tls", tls_json(check));
	json_put(&maker, "chain", chain_json(check));
	json_put(&maker, "findings", findings_json(check));
	return json_maker_finish(&maker);
}

static int add_piece(const char *piece, size_t len, void *out)
{
	return buf_add(out, piece, len) ? 0 : -1;
}

bool check_json(struct buf *out, const struct check *check)
{
	json_t *object = whole(check);
	bool done = object && !json_dump_callback(object, add_piece, out, JSON_COMPACT) && buf_add(out, "\n", 1);

	json_decref(object);
	return done;
}
