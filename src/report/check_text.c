/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One target for a person: the verdict in the first line, each certificate of the path with its staple's life, what to do.
 */
#include "base/time.h"
#include "report/check.h"
#include "x509/cert_view.h"
#include "x509/subject.h"
#include <string.h>

#define LABEL "  %-12s "
#define TEXT_MAX (64 * 1024)

static enum report_tone tone_of(const struct check *check)
{
	if (check->trouble)
		return REPORT_DOUBTFUL;
	return check->accepted ? REPORT_FINE : REPORT_BAD;
}

static const char *mark_of(const struct check *check, const struct report_style *style)
{
	if (check->trouble)
		return "?";
	if (style->utf8)
		return check->accepted ? "✔" : "✘";
	return check->accepted ? "+" : "!";
}

static void put_headline(struct buf *out, const struct report_style *style, const struct check *check)
{
	char word[32];

	snprintf(word, sizeof(word), "%s %s", mark_of(check, style), check_verdict(check));
	report_tone(out, style, tone_of(check), word);
	buf_printf(out, "  ");
	if (!check->trouble) { /* a sentence about trouble names its target itself */
		report_printable(out, check->target, strlen(check->target));
		buf_printf(out, ": ");
	}
	check_detail(out, check);
	buf_printf(out, "\n");
}

static void put_session(struct buf *out, const struct check *check)
{
	const char *version = check_tls_version(check);

	if (!check->address)
		return;
	buf_printf(out, LABEL "%s", "connected", check->address);
	if (check->report && version)
		buf_printf(out, ", %s, for %s%s", version, check->name, check->report->resumed ? ", resumed" : "");
	buf_printf(out, "\n");
}

static void put_verdict(struct buf *out, const struct report_style *style, const struct clinch_verdict *verdict, int64_t now)
{
	report_tone(out, style, report_tone_of(verdict),
		    verdict->status == CLINCH_MISSING ? "no staple" : clinch_status_name(verdict->status));
	if (verdict->status == CLINCH_MISSING)
		return;
	if (verdict->status == CLINCH_INVALID)
		buf_printf(out, " (%s)", clinch_reason_name(verdict->reason));
	buf_printf(out, "  ");
	report_life_bar(out, style, verdict, now);
}

static void put_answer(struct buf *out, const struct report_style *style, const struct check_answer *answer, int64_t now)
{
	buf_printf(out, LABEL, "responder");
	if (answer->unnamed) {
		buf_printf(out, "none is named in the certificate");
	} else if (answer->der.size) {
		put_verdict(out, style, &answer->verdict, now);
	} else {
		report_tone(out, style, REPORT_DOUBTFUL, answer->verdict.status == CLINCH_UNKNOWN ? "unknown" : "no answer");
		buf_printf(out, "  %s", answer->detail);
	}
	buf_printf(out, "\n");
}

static void put_staple_in_full(struct buf *out, const struct report_style *style, const struct clinch_member *member,
			       int64_t now)
{
	auto_issuer *issuer = NULL;
	auto_subject *subject = NULL;
	auto_buf full = { .max = TEXT_MAX };

	if (!member->staple.size || issuer_new(&issuer, &member->issuer, NULL) ||
	    subject_new(&subject, &member->cert, issuer, false, NULL))
		return;
	report_staple_text(&full, style, member->staple, subject, &member->verdict, now);
	for (size_t i = 0; i < full.len; i++) {
		if (!i || full.data[i - 1] == '\n')
			buf_printf(out, "    ");
		buf_add(out, &full.data[i], 1);
	}
}

static void put_member(struct buf *out, const struct report_style *style, const struct check *check, unsigned i, bool all)
{
	const struct clinch_member *member = &check->report->member[i];
	struct cert_view view;

	buf_printf(out, LABEL, i ? "intermediate" : "leaf");
	if (cert_view_parse(&view, der_of(member->cert.data, member->cert.size))) {
		report_name(out, view.subject);
		if (cert_view_must_staple(&view))
			buf_printf(out, " (must-staple)");
	}
	buf_printf(out, "\n" LABEL, "");
	put_verdict(out, style, &member->verdict, check->report->at);
	buf_printf(out, "\n");
	if (check->answer && (check->answer[i].asked || check->answer[i].unnamed))
		put_answer(out, style, &check->answer[i], check->report->at);
	if (all)
		put_staple_in_full(out, style, member, check->report->at);
}

/* Said when it differs from ours: it is one bit for the whole session, and programs rely on it. */
static void put_gnutls(struct buf *out, const struct check *check)
{
	const struct clinch_report *report = check->report;

	if (!report->n || !!report->gnutls_says_checked == (report->member[0].verdict.status == CLINCH_GOOD))
		return;
	buf_printf(out, LABEL "GnuTLS alone says: %s\n", "differs", report->gnutls_says_checked ? "checked" : "not checked");
}

static bool is_shown(const char *level, bool all)
{
	return all || !strcmp(level, "warning");
}

/* "info" only on demand: a person is to see what matters. */
static void put_findings(struct buf *out, const struct report_style *style, const struct check *check, bool all)
{
	uint64_t of_responses = check_response_findings(check);
	unsigned of_session = check_findings(check);

	for (int i = 0; i < CLINCH_FINDING_COUNT; i++) {
		auto_buf text = { .max = TEXT_MAX };

		if (!(of_responses >> i & 1) || !is_shown(clinch_finding_level(i), all))
			continue;
		if (check_response_finding_text(&text, check, i))
			report_finding_line(out, style, clinch_finding_level(i), clinch_finding_name(i),
					    (const char *)text.data);
	}
	for (int i = 0; i < CHECK_FINDINGS; i++)
		if (of_session >> i & 1 && is_shown(check_finding_level(i), all))
			report_finding_line(out, style, check_finding_level(i), check_finding_name(i),
					    check_finding_text(i));
}

bool check_text(struct buf *out, const struct report_style *style, const struct check *check, bool all)
{
	const char *next = check->trouble || check->accepted ? NULL : report_next_step(check->reason);

	put_headline(out, style, check);
	put_session(out, check);
	for (unsigned i = 0; check->report && i < check->report->n; i++)
		put_member(out, style, check, i, all);
	if (check->report)
		put_gnutls(out, check);
	if (next)
		buf_printf(out, LABEL "%s\n", "next step", next);
	put_findings(out, style, check, all);
	return buf_printf(out, "\n");
}
