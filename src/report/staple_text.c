/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One staple for a person, at a glance: the word first, then what it rests on. */
#include "base/time.h"
#include "ocsp/describe.h"
#include "ocsp/names.h"
#include "report/json.h"
#include "report/report.h"
#include "x509/subject.h"
#include <string.h>

#define LABEL "  %-12s "
#define TEXT_MAX (64 * 1024)

static void put_label(struct buf *out, const char *label)
{
	buf_printf(out, LABEL, label);
}

static void put_who(struct buf *out, const clinch_subject_t *subject)
{
	if (!subject)
		return;
	buf_printf(out, "  ");
	report_name(out, subject->view.subject);
	buf_printf(out, ", serial ");
	report_hex(out, subject->view.serial.at, der_len(subject->view.serial));
}

static void put_headline(struct buf *out, const struct report_style *style, const clinch_subject_t *subject,
			 const struct clinch_verdict *verdict)
{
	report_tone(out, style, report_tone_of(verdict), clinch_status_name(verdict->status));
	if (!verdict->fresh && (verdict->status == CLINCH_GOOD || verdict->status == CLINCH_REVOKED))
		buf_printf(out, " (not fresh)");
	put_who(out, subject);
	buf_printf(out, "\n");
}

static void put_time(struct buf *out, const char *label, int64_t at, int64_t now)
{
	char text[TIME_TEXT_SIZE], span[TIME_SPAN_SIZE];

	if (!at)
		return;
	put_label(out, label);
	time_span(span, now - at);
	buf_printf(out, "%s, ", time_format(text, at));
	buf_printf(out, at > now ? "in %s\n" : "%s ago\n", span);
}

static const char *signer_text(const struct ocsp_description *about, uint64_t findings)
{
	if (findings >> CLINCH_FINDING_TRUSTED_SIGNER & 1)
		return "the trusted signer ";
	switch (about->signer) {
	case OCSP_SIGNER_ISSUER:
		return "the issuer ";
	case OCSP_SIGNER_DELEGATE:
		return "the delegate ";
	default:
		return "";
	}
}

/* What the response says of itself: true only as far as the verdict believes it. */
static void put_signer(struct buf *out, gnutls_datum_t der, const clinch_subject_t *subject,
		       const struct clinch_verdict *verdict)
{
	bool is_signed = reason_is_of_signed(verdict->reason);
	struct ocsp_response response;
	struct ocsp_description about = { 0 };

	if (!der.size || ocsp_response_parse(&response, der_of(der.data, der.size)) != CLINCH_REASON_GOOD)
		return;
	ocsp_describe(&about, &response, subject);
	put_label(out, is_signed ? "signed by" : "claims to be");
	buf_printf(out, "%s", signer_text(&about, verdict->findings));
	if (about.signer_name.at)
		report_name(out, about.signer_name);
	buf_printf(out, "\n");
	put_label(out, "made of");
	buf_printf(out, "%s, CertID %s, %u bytes\n", about.signature, about.cert_id_hash, der.size);
}

/* `text` after the label, broken between words at the width of the terminal. */
static void put_wrapped(struct buf *out, const struct report_style *style, const char *label, const char *text, size_t len)
{
	const size_t indent = 15;
	size_t column = indent, room = style->width > 60 ? (size_t)style->width : 60;

	put_label(out, label);
	while (len) {
		const char *space = memchr(text, ' ', len);
		size_t word = space ? (size_t)(space - text) : len;

		if (column > indent && column + 1 + word > room) {
			buf_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			buf_printf(out, " ");
			column++;
		}
		buf_add(out, text, word);
		column += word;
		text += word + (space ? 1 : 0);
		len -= word + (space ? 1 : 0);
	}
	buf_printf(out, "\n");
}

static void put_life(struct buf *out, const struct report_style *style, const struct clinch_verdict *verdict, int64_t now)
{
	auto_buf bar = { .max = 1024 };

	report_life_bar(&bar, style, verdict, now);
	if (!bar.len)
		return;
	put_label(out, "life");
	buf_add(out, bar.data, bar.len);
	buf_printf(out, "\n");
}

bool report_finding_line(struct buf *out, const struct report_style *style, const char *level, const char *name,
			 const char *text)
{
	buf_printf(out, "  ");
	report_tone(out, style, strcmp(level, "warning") != 0 ? REPORT_FAINT : REPORT_DOUBTFUL, level);
	return buf_printf(out, "%*s%s: %s\n", (int)(13 - strlen(level)), "", name, text);
}

static bool put_findings(struct buf *out, const struct report_style *style, uint64_t findings)
{
	for (int i = 0; i < CLINCH_FINDING_COUNT; i++)
		if (findings >> i & 1 && !report_finding_line(out, style, clinch_finding_level(i), clinch_finding_name(i),
							      clinch_finding_text(i)))
			return false;
	return true;
}

bool report_staple_text(struct buf *out, const struct report_style *style, gnutls_datum_t der,
			const clinch_subject_t *subject, const struct clinch_verdict *verdict, int64_t now)
{
	const char *next = report_next_step(verdict->reason);
	auto_buf reason = { .max = TEXT_MAX };

	put_headline(out, style, subject, verdict);
	put_life(out, style, verdict, now);
	buf_printf(&reason, "%s: ", clinch_reason_name(verdict->reason));
	report_detail(&reason, verdict, der, now);
	if (reason.len)
		put_wrapped(out, style, "reason", (const char *)reason.data, reason.len);
	if (next)
		put_wrapped(out, style, "next step", next, strlen(next));
	put_time(out, "thisUpdate", verdict->this_update, now);
	put_time(out, "nextUpdate", verdict->next_update, now);
	put_time(out, "producedAt", verdict->produced_at, now);
	put_signer(out, der, subject, verdict);
	return put_findings(out, style, verdict->findings) && reason.len;
}
