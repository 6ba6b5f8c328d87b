/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all forms of a check's report say alike. */
#include "base/cleanup.h"
#include "base/time.h"
#include "ocsp/names.h"
#include "report/check.h"
#include "report/exit.h"
#include "x509/cert_view.h"
#include <arpa/inet.h>
#include <string.h>

#define NAMES_SHOWN 5
#define NAMES_READ 200

/* Which certificate of the path it is about, unless it is the peer's own. */
static void put_place(struct buf *out, const struct check *check, unsigned i)
{
	const gnutls_datum_t *cert = &check->report->member[i].cert;
	struct cert_view view;

	if (!i || !cert_view_parse(&view, der_of(cert->data, cert->size)))
		return;
	report_name(out, view.subject);
	buf_printf(out, ": ");
}

/* ---- findings of a session ---- */

static const struct {
	const char *name, *level, *text;
} finding_rows[CHECK_FINDINGS] = {
	[CHECK_GNUTLS_CHECKED] = { "gnutls-says-checked", "info",
				   "GnuTLS alone says of this session that a valid staple was sent; clinch does not believe the leaf's" },
	[CHECK_GNUTLS_UNCHECKED] = { "gnutls-says-unchecked", "info",
				     "GnuTLS alone says of this session that no valid staple was sent; clinch believes the leaf's" },
	[CHECK_NEWER] = { "newer-at-responder", "warning",
			  "the responder has a newer answer than the staple: the server does not refresh it in time" },
	[CHECK_UNANSWERED] = { "responder-unanswered", "warning",
			       "the certificate's own responder was asked and gave nothing that can be believed" },
	[CHECK_DISAGREES] = { "responder-disagrees", "warning", "the responder says something else than the staple" },
	[CHECK_BY_RESPONDER] = { "good-by-responder", "info",
				 "a certificate came without a staple, and its own responder says that it is good" },
	[CHECK_UNNAMED] = { "responder-unnamed", "info", "the responder was to be asked, and the certificate names none" },
};

const char *check_finding_name(int finding)
{
	return finding_rows[finding].name;
}

const char *check_finding_level(int finding)
{
	return finding_rows[finding].level;
}

const char *check_finding_text(int finding)
{
	return finding_rows[finding].text;
}

static bool is_believed(const struct clinch_verdict *verdict)
{
	return verdict->status == CLINCH_GOOD || verdict->status == CLINCH_REVOKED;
}

static unsigned answer_findings(const struct clinch_verdict *staple, const struct check_answer *answer)
{
	const struct clinch_verdict *said = &answer->verdict;
	unsigned found = 0;

	if (!answer->asked)
		return answer->unnamed ? 1U << CHECK_UNNAMED : 0;
	if (!is_believed(said))
		return said->status == CLINCH_UNKNOWN && is_believed(staple) ? 1U << CHECK_DISAGREES
									     : 1U << CHECK_UNANSWERED;
	if (is_believed(staple) && said->this_update > staple->this_update)
		found |= 1U << CHECK_NEWER;
	if (is_believed(staple) && said->status != staple->status)
		found |= 1U << CHECK_DISAGREES;
	if (staple->status == CLINCH_MISSING && said->status == CLINCH_GOOD)
		found |= 1U << CHECK_BY_RESPONDER;
	return found;
}

unsigned check_findings(const struct check *check)
{
	const struct clinch_report *report = check->report;
	unsigned found = 0;
	bool good;

	if (!report || !report->n)
		return 0;
	good = report->member[0].verdict.status == CLINCH_GOOD;
	if (report->gnutls_says_checked && !good)
		found |= 1U << CHECK_GNUTLS_CHECKED;
	if (!report->gnutls_says_checked && good)
		found |= 1U << CHECK_GNUTLS_UNCHECKED;
	for (unsigned i = 0; check->answer && i < report->n; i++)
		found |= answer_findings(&report->member[i].verdict, &check->answer[i]);
	return found;
}

uint64_t check_response_findings(const struct check *check)
{
	uint64_t found = 0;

	for (unsigned i = 0; check->report && i < check->report->n; i++)
		found |= check->report->member[i].verdict.findings;
	return found;
}

bool check_response_finding_text(struct buf *out, const struct check *check, int finding)
{
	unsigned i = 0;

	while (i + 1 < check->report->n && !(check->report->member[i].verdict.findings >> finding & 1))
		i++;
	put_place(out, check, i);
	return buf_printf(out, "%s", clinch_finding_text(finding));
}

/* ---- the verdict ---- */

const char *check_verdict(const struct check *check)
{
	return check->trouble ? "error" : clinch_status_name(reason_status(check->reason));
}

int check_exit(const struct check *check)
{
	return check->trouble ? EXIT_NOT_FOUND_OUT
			      : report_exit(check->accepted, check->reason, reason_status(check->reason));
}

const char *check_tls_version(const struct check *check)
{
	const char *name = check->session ? gnutls_protocol_get_name(gnutls_protocol_get_version(check->session)) : NULL;

	return name;
}

bool check_remaining(const struct check *check, int64_t *seconds)
{
	bool any = false;

	for (unsigned i = 0; check->report && i < check->report->n; i++) {
		const struct clinch_verdict *verdict = &check->report->member[i].verdict;
		int64_t left = verdict->fresh_until - check->report->at;

		if (verdict->status != CLINCH_GOOD || !verdict->fresh || (any && left >= *seconds))
			continue;
		*seconds = left;
		any = true;
	}
	return any;
}

/* ---- the sentence ---- */

/* The peer's own certificate, also when no path was found. */
static bool peer_certificate(const struct check *check, unsigned i, struct cert_view *view)
{
	unsigned n = 0;
	const gnutls_datum_t *sent = check->session ? gnutls_certificate_get_peers(check->session, &n) : NULL;

	return sent && i < n && cert_view_parse(view, der_of(sent[i].data, sent[i].size));
}

/* Empty for a kind of name that no server goes by. False: there are no more. */
static bool take_alt_name(struct buf *out, gnutls_x509_crt_t cert, unsigned i)
{
	char name[256], address[INET6_ADDRSTRLEN];
	size_t size = sizeof(name);
	int type = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &size, NULL);

	buf_reset(out);
	if (type == GNUTLS_SAN_DNSNAME)
		report_printable(out, name, size);
	else if (type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16))
		buf_printf(out, "%s", inet_ntop(size == 4 ? AF_INET : AF_INET6, name, address, sizeof(address)));
	return type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static void put_names(struct buf *out, gnutls_x509_crt_t cert)
{
	auto_buf name = { .max = 1024 };
	unsigned shown = 0;

	for (unsigned i = 0; i < NAMES_READ && shown <= NAMES_SHOWN && take_alt_name(&name, cert, i); i++) {
		if (!name.len)
			continue;
		buf_printf(out, "%s", shown ? ", " : "");
		if (shown++ < NAMES_SHOWN)
			buf_add(out, name.data, name.len);
	}
	if (shown > NAMES_SHOWN || !shown)
		buf_printf(out, shown ? "..." : "no name at all");
}

static void say_name(struct buf *out, const struct check *check)
{
	auto_crt cert = NULL;
	struct cert_view view;
	gnutls_datum_t der;

	buf_printf(out, "the certificate is not for %s", check->name);
	if (!peer_certificate(check, 0, &view) || gnutls_x509_crt_init(&cert) < 0)
		return;
	der = (gnutls_datum_t){ (unsigned char *)(uintptr_t)view.whole.at, (unsigned)der_len(view.whole) };
	if (gnutls_x509_crt_import(cert, &der, GNUTLS_X509_FMT_DER) < 0)
		return;
	buf_printf(out, ", it is for ");
	put_names(out, cert);
}

static void say_date(struct buf *out, const struct check *check)
{
	bool ended = check->reason == CLINCH_REASON_PATH_EXPIRED;
	char instant[TIME_TEXT_SIZE], span[TIME_SPAN_SIZE];
	int64_t at = check->report->at;
	struct cert_view view;

	for (unsigned i = 0; peer_certificate(check, i, &view); i++) {
		int64_t limit = ended ? view.not_after : view.not_before;

		if (ended ? limit >= at : limit <= at)
			continue;
		report_name(out, view.subject);
		buf_printf(out, ended ? " ended at %s, %s ago" : " begins at %s, in %s", time_format(instant, limit),
			   time_span(span, at - limit));
		return;
	}
	buf_printf(out, "%s", clinch_reason_text(check->reason));
}

static void say_untrusted(struct buf *out, const struct check *check)
{
	struct cert_view view;
	unsigned last = 0;

	buf_printf(out, "%s", clinch_reason_text(check->reason));
	while (last < 16 && peer_certificate(check, last + 1, &view))
		last++;
	if (!peer_certificate(check, last, &view))
		return;
	if (last)
		buf_printf(out, ": the last of the %u sent was issued by ", last + 1);
	else
		buf_printf(out, ": no other was sent with it, and it was issued by ");
	report_name(out, view.issuer);
}

static void say_response(struct buf *out, const struct check *check)
{
	const struct clinch_report *report = check->report;
	const struct check_answer *answer = check->by_answer ? &check->answer[check->blamed] : NULL;

	if (check->blamed >= report->n) {
		buf_printf(out, "%s", clinch_reason_text(check->reason));
		return;
	}
	put_place(out, check, check->blamed);
	if (answer && !answer->der.size) {
		buf_printf(out, "its responder: ");
		report_printable(out, answer->detail, strlen(answer->detail));
		return;
	}
	if (answer)
		buf_printf(out, "its responder says: ");
	if (answer)
		report_detail(out, &answer->verdict, answer->der, report->at);
	else if (report->member[check->blamed].verdict.reason == check->reason)
		report_detail(out, &report->member[check->blamed].verdict, report->member[check->blamed].staple, report->at);
	else
		buf_printf(out, "%s", clinch_reason_text(check->reason));
}

void check_detail(struct buf *out, const struct check *check)
{
	if (check->trouble) {
		report_printable(out, check->trouble_text, strlen(check->trouble_text));
		return;
	}
	switch (check->reason) {
	case CLINCH_REASON_PATH_NAME:
		say_name(out, check);
		return;
	case CLINCH_REASON_PATH_EXPIRED:
	case CLINCH_REASON_PATH_NOT_YET:
		say_date(out, check);
		return;
	case CLINCH_REASON_PATH_UNTRUSTED:
		say_untrusted(out, check);
		return;
	default:
		say_response(out, check);
	}
}
