/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reason as a sentence about this very response: the dates, ages, names and numbers that make it checkable. */
#include "base/time.h"
#include "der/oid.h"
#include "ocsp/describe.h"
#include "report/embedded.h"
#include "report/json.h"
#include "report/report.h"
#include "report/sniff.h"
#include <stdio.h>

struct facts {
	const struct clinch_verdict *verdict;
	gnutls_datum_t der;
	int64_t now;
	bool parsed; /* the two below are set */
	struct ocsp_response response;
	struct ocsp_description about;
};

typedef void (*say_fn)(struct buf *out, const struct facts *facts);

/* "2026-11-20T10:00:00Z, 3 d 7 h ago" */
static void put_instant(struct buf *out, int64_t at, int64_t now)
{
	char text[TIME_TEXT_SIZE], span[TIME_SPAN_SIZE];

	buf_printf(out, "%s, %s%s%s", time_format(text, at), at > now ? "in " : "", time_span(span, now - at),
		   at > now ? "" : " ago");
}

static void put_text(struct buf *out, const struct facts *facts)
{
	buf_printf(out, "%s", clinch_reason_text(facts->verdict->reason));
}

/* ---- the bytes ---- */

static void say_size(struct buf *out, const struct facts *facts)
{
	buf_printf(out, "the response has %u bytes, which is more than the limit", facts->der.size);
}

/* A responder's HTML error page is the commonest "response" that is none. */
static void say_malformed(struct buf *out, const struct facts *facts)
{
	enum sniffed kind = sniff(facts->der.data, facts->der.size);

	put_text(out, facts);
	if (kind != SNIFF_RESPONSE && kind != SNIFF_DER && kind != SNIFF_BINARY)
		buf_printf(out, " but %s", sniff_name(kind));
	else
		sniff_put_fault(out, facts->der.data, facts->der.size);
}

static void say_inside(struct buf *out, const struct facts *facts)
{
	put_text(out, facts);
	sniff_put_fault(out, facts->der.data, facts->der.size);
}

/* ---- the signer ---- */

static void put_responder(struct buf *out, const struct ocsp_response *response)
{
	if (!response->by_key) {
		report_name(out, response->responder);
		return;
	}
	buf_printf(out, "key hash ");
	report_hex(out, response->responder.at, der_len(response->responder));
}

static void say_responder(struct buf *out, const struct facts *facts)
{
	put_text(out, facts);
	if (!facts->parsed)
		return;
	buf_printf(out, ": it names ");
	put_responder(out, &facts->response);
	buf_printf(out, ", and %u %s embedded", facts->response.n_certs,
		   facts->response.n_certs == 1 ? "certificate is" : "certificates are");
}

static void say_delegate(struct buf *out, const struct facts *facts)
{
	struct cert_view cert;

	put_text(out, facts);
	if (!facts->parsed || !embedded_signer(&facts->response, &cert))
		return;
	buf_printf(out, ": ");
	report_name(out, cert.subject);
}

static void say_delegate_issuer(struct buf *out, const struct facts *facts)
{
	struct cert_view cert;

	say_delegate(out, facts);
	if (!facts->parsed || !embedded_signer(&facts->response, &cert))
		return;
	buf_printf(out, ", issued by ");
	report_name(out, cert.issuer);
}

static void say_delegate_dates(struct buf *out, const struct facts *facts)
{
	struct cert_view cert;
	bool ended = facts->verdict->reason == CLINCH_REASON_DELEGATE_EXPIRED;

	say_delegate(out, facts);
	if (!facts->parsed || !embedded_signer(&facts->response, &cert))
		return;
	buf_printf(out, ended ? ", until " : ", from ");
	put_instant(out, ended ? cert.not_after : cert.not_before, facts->now);
}

static void say_signature(struct buf *out, const struct facts *facts)
{
	put_text(out, facts);
	if (!facts->parsed)
		return;
	buf_printf(out, ": %s, in the name of ", facts->about.signature);
	if (facts->about.signer_name.at)
		report_name(out, facts->about.signer_name);
	else
		put_responder(out, &facts->response);
}

/* ---- the response as a whole ---- */

static void put_critical(struct buf *out, struct der extensions)
{
	struct der_extension extension;
	const char *before = ": ";

	while (der_take_extension(&extensions, &extension)) {
		if (!extension.critical)
			continue;
		buf_printf(out, "%s", before);
		report_oid(out, extension.oid);
		before = ", ";
	}
}

static void say_critical(struct buf *out, const struct facts *facts)
{
	put_text(out, facts);
	if (facts->parsed)
		put_critical(out, facts->response.extensions);
}

static void say_critical_entry(struct buf *out, const struct facts *facts)
{
	struct ocsp_entry entry;
	struct der entries = facts->response.entries;

	put_text(out, facts);
	while (facts->parsed && ocsp_entry_next(&entries, &entry))
		put_critical(out, entry.extensions);
}

static void say_nonce(struct buf *out, const struct facts *facts)
{
	struct der nonce;

	put_text(out, facts);
	if (!facts->parsed || !ocsp_response_nonce(&facts->response, &nonce))
		return;
	buf_printf(out, ": it is ");
	report_hex(out, nonce.at, der_len(nonce));
}

static void say_no_entry(struct buf *out, const struct facts *facts)
{
	struct ocsp_entry entry;
	struct der entries = facts->response.entries;

	put_text(out, facts);
	if (!facts->parsed || !ocsp_entry_next(&entries, &entry))
		return;
	buf_printf(out, "; the response is about serial ");
	report_hex(out, entry.id.serial.at, der_len(entry.id.serial));
	if (facts->response.n_entries > 1)
		buf_printf(out, " and %u more", facts->response.n_entries - 1);
}

/* ---- times ---- */

static void say_produced(struct buf *out, const struct facts *facts)
{
	int64_t at = facts->verdict->produced_at ? facts->verdict->produced_at : facts->response.produced_at;

	buf_printf(out, "producedAt is ");
	put_instant(out, at, facts->now);
	if (facts->verdict->reason == CLINCH_REASON_PRODUCED_OUTSIDE)
		buf_printf(out, ": the certificate was not valid then");
	else
		buf_printf(out, ": ahead of now by more than clocks may differ");
}

static void say_this_update(struct buf *out, const struct facts *facts)
{
	buf_printf(out, "thisUpdate is ");
	put_instant(out, facts->verdict->this_update, facts->now);
	if (facts->verdict->reason == CLINCH_REASON_UNDATED_TOO_OLD)
		buf_printf(out, ", and there is no nextUpdate: too long ago to be believed");
	else if (facts->verdict->reason == CLINCH_REASON_OLDER_THAN_MAX_AGE)
		buf_printf(out, ": longer ago than the maximum age that was asked for");
	else
		buf_printf(out, ": ahead of now by more than clocks may differ");
}

static void say_order(struct buf *out, const struct facts *facts)
{
	char this_update[TIME_TEXT_SIZE], next_update[TIME_TEXT_SIZE];

	buf_printf(out, "nextUpdate %s is before thisUpdate %s", time_format(next_update, facts->verdict->next_update),
		   time_format(this_update, facts->verdict->this_update));
}

static void say_expired(struct buf *out, const struct facts *facts)
{
	buf_printf(out, "nextUpdate was ");
	put_instant(out, facts->verdict->next_update, facts->now);
}

static void say_signer_expired(struct buf *out, const struct facts *facts)
{
	put_text(out, facts);
	if (!facts->verdict->fresh_until)
		return;
	buf_printf(out, ": ");
	put_instant(out, facts->verdict->fresh_until, facts->now);
}

/* ---- what the signer says ---- */

static void say_revoked(struct buf *out, const struct facts *facts)
{
	const char *name = report_revocation_reason(facts->verdict->revocation_reason);

	buf_printf(out, "the certificate is revoked since ");
	put_instant(out, facts->verdict->revoked_at, facts->now);
	if (name)
		buf_printf(out, ", reason %s", name);
	else if (facts->verdict->revocation_reason >= 0)
		buf_printf(out, ", reason %d", facts->verdict->revocation_reason);
	if (!facts->verdict->fresh)
		buf_printf(out, "; the response itself is out of date");
}

static void say_good(struct buf *out, const struct facts *facts)
{
	buf_printf(out, "the certificate is good as of ");
	put_instant(out, facts->verdict->this_update, facts->now);
	buf_printf(out, "; to be believed until ");
	put_instant(out, facts->verdict->fresh_until, facts->now);
}

static void say_unknown(struct buf *out, const struct facts *facts)
{
	put_text(out, facts);
	if (!facts->verdict->this_update)
		return;
	buf_printf(out, ", it said ");
	put_instant(out, facts->verdict->this_update, facts->now);
}

/* Rows that are not here have nothing to add to the sentence of the table. */
static const say_fn say[CLINCH_REASON_COUNT] = {
	[CLINCH_REASON_RESPONSE_TOO_LARGE] = say_size,
	[CLINCH_REASON_RESPONSE_MALFORMED] = say_malformed,
	[CLINCH_REASON_SIGNER_UNKNOWN] = say_responder,
	[CLINCH_REASON_DELEGATE_ISSUER] = say_delegate_issuer,
	[CLINCH_REASON_DELEGATE_EKU] = say_delegate,
	[CLINCH_REASON_DELEGATE_KEY_USAGE] = say_delegate,
	[CLINCH_REASON_DELEGATE_CRITICAL] = say_delegate,
	[CLINCH_REASON_DELEGATE_NOT_YET] = say_delegate_dates,
	[CLINCH_REASON_DELEGATE_EXPIRED] = say_delegate_dates,
	[CLINCH_REASON_DELEGATE_WEAK_KEY] = say_delegate,
	[CLINCH_REASON_DELEGATE_WEAK_SIGNATURE] = say_delegate,
	[CLINCH_REASON_DELEGATE_SIGNATURE] = say_delegate,
	[CLINCH_REASON_SIGNER_EXPIRED] = say_signer_expired,
	[CLINCH_REASON_SIGNATURE_UNKNOWN] = say_signature,
	[CLINCH_REASON_SIGNATURE_PARAMETERS] = say_signature,
	[CLINCH_REASON_SIGNATURE_WEAK] = say_signature,
	[CLINCH_REASON_SIGNATURE_KEY] = say_signature,
	[CLINCH_REASON_SIGNATURE_BAD] = say_signature,
	[CLINCH_REASON_CRITICAL_EXTENSION] = say_critical,
	[CLINCH_REASON_PRODUCED_IN_FUTURE] = say_produced,
	[CLINCH_REASON_PRODUCED_OUTSIDE] = say_produced,
	[CLINCH_REASON_NONCE_MISMATCH] = say_nonce,
	[CLINCH_REASON_NO_ENTRY] = say_no_entry,
	[CLINCH_REASON_CRITICAL_ENTRY_EXTENSION] = say_critical_entry,
	[CLINCH_REASON_THIS_UPDATE_IN_FUTURE] = say_this_update,
	[CLINCH_REASON_NEXT_BEFORE_THIS] = say_order,
	[CLINCH_REASON_EXPIRED] = say_expired,
	[CLINCH_REASON_UNDATED_TOO_OLD] = say_this_update,
	[CLINCH_REASON_OLDER_THAN_MAX_AGE] = say_this_update,
	[CLINCH_REASON_REVOKED] = say_revoked,
	[CLINCH_REASON_UNKNOWN] = say_unknown,
	[CLINCH_REASON_GOOD] = say_good,
};

/* What is wrong deep in the bytes is mostly wrong because of one length. */
static say_fn sentence_of(int reason)
{
	if (reason < 0 || reason >= CLINCH_REASON_COUNT)
		return put_text;
	if (say[reason])
		return say[reason];
	return reason >= CLINCH_REASON_RESPONSE_BYTES_MALFORMED && reason <= CLINCH_REASON_CERTS_MALFORMED ? say_inside
													   : put_text;
}

void report_detail(struct buf *out, const struct clinch_verdict *verdict, gnutls_datum_t der, int64_t now)
{
	struct facts facts = { .verdict = verdict, .der = der, .now = now };

	if (der.size && ocsp_response_parse(&facts.response, der_of(der.data, der.size)) == CLINCH_REASON_GOOD) {
		facts.parsed = true;
		ocsp_describe(&facts.about, &facts.response, NULL);
	}
	sentence_of(verdict->reason)(out, &facts);
}

const char *report_status(char out[REPORT_STATUS_SIZE], const struct clinch_verdict *verdict)
{
	const char *reason = report_revocation_reason(verdict->revocation_reason);
	char since[TIME_TEXT_SIZE];

	if (verdict->status != CLINCH_REVOKED || !verdict->revoked_at)
		snprintf(out, REPORT_STATUS_SIZE, "%s", clinch_status_name(verdict->status));
	else
		snprintf(out, REPORT_STATUS_SIZE, "revoked since %s%s%s%s", time_format(since, verdict->revoked_at),
			 reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
	return out;
}
