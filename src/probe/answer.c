/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the certificates' own responders say, beside what was stapled. */
#include "base/cleanup.h"
#include "probe/ask.h"
#include "probe/probe.h"
#include "x509/subject.h"
#include <stdio.h>

#define ANSWER_MAX 65536
#define KEEP_EXIT_UNKNOWN 6 /* clinch(1): the responder does not know the certificate; nothing is written then */

static int subject_of(clinch_subject_t **out, const struct clinch_member *member, struct clinch_error *err)
{
	auto_issuer *issuer = NULL;
	int rc = issuer_new(&issuer, &member->issuer, err);

	return rc ? rc : subject_new(out, &member->cert, issuer, false, err);
}

/* Not believed on clinch-keep's word: judged here, by this session's policy and at its instant. */
static void judge(struct probe_answer *answer, const struct probe_result *result, const clinch_subject_t *subject)
{
	struct clinch_policy policy = result->probe->options.policy;
	gnutls_datum_t der = { answer->der.data, (unsigned)answer->der.len };

	clinch_verify(NULL, &answer->verdict, &der, subject, result->report->at, &policy);
}

static void ask_about(struct probe_answer *answer, const struct probe_result *result, const struct clinch_member *member)
{
	const struct probe_options *options = &result->probe->options;
	struct ask ask = { .keep_path = options->keep_path,
			   .cert = member->cert,
			   .issuer = member->issuer,
			   .allow_private = options->allow_private || result->is_private,
			   .deadline = result->deadline };
	auto_subject *subject = NULL;
	struct clinch_error err = { 0 };
	int exit_status = -1;
	gnutls_datum_t url;

	*answer = (struct probe_answer){ .der = { .max = ANSWER_MAX } };
	answer->verdict = (struct clinch_verdict){ .status = CLINCH_MISSING,
						   .reason = CLINCH_REASON_NO_STAPLE,
						   .revocation_reason = -1 };
	if (!member->issuer.size || subject_of(&subject, member, &err))
		return;
	answer->unnamed = clinch_subject_ocsp_url(subject, 0, &url) != 0;
	answer->asked = !answer->unnamed;
	probe_say(result->probe,
		  answer->asked ? "%s: asking the responder of certificate %u of the path"
				: "%s: certificate %u of the path names no responder to ask",
		  result->shown, (unsigned)(member - result->report->member) + 1);
	if (!answer->asked)
		return;
	if (!ask_responder(&answer->der, &ask, &exit_status, &err)) {
		judge(answer, result, subject);
		return;
	}
	snprintf(answer->detail, sizeof(answer->detail), "%s", err.text);
	if (exit_status == KEEP_EXIT_UNKNOWN) {
		answer->verdict.status = CLINCH_UNKNOWN;
		answer->verdict.reason = CLINCH_REASON_UNKNOWN;
	}
}

static void refuse(struct probe_result *result, unsigned i, int reason, bool by_answer)
{
	if (!result->accepted && reason != CLINCH_REASON_REVOKED)
		return; /* refused already; that it is revoked weighs more */
	result->accepted = false;
	result->reason = reason;
	result->blamed = i;
	result->by_answer = by_answer;
}

static void compare(struct probe_result *result, unsigned i)
{
	const struct clinch_verdict *staple = &result->report->member[i].verdict;
	const struct probe_answer *answer = &result->answer[i];

	if (answer->verdict.status == CLINCH_REVOKED && staple->status != CLINCH_REVOKED)
		refuse(result, i, CLINCH_REASON_REVOKED, true);
}

/* `chain` for a member that came without a staple: its responder's good answer will do. */
static void require_answer(struct probe_result *result, unsigned i)
{
	const struct probe_answer *answer = &result->answer[i];

	if (result->report->member[i].verdict.status != CLINCH_MISSING || answer->verdict.status == CLINCH_REVOKED)
		return;
	if (answer->verdict.status == CLINCH_GOOD)
		return;
	if (answer->verdict.status == CLINCH_MISSING)
		refuse(result, i, CLINCH_REASON_MISSING_REQUIRED, false);
	else
		refuse(result, i, answer->verdict.reason, true);
}

void probe_ask(struct probe_result *result)
{
	const struct clinch_report *report = result->report;
	bool chain = result->probe->options.policy.require == CLINCH_REQUIRE_CHAIN;

	if (!result->probe->options.keep_path)
		return;
	for (unsigned i = 0; i < report->n && i < PROBE_MEMBERS_MAX && (!i || chain); i++) {
		ask_about(&result->answer[i], result, &report->member[i]);
		compare(result, i);
		if (chain)
			require_answer(result, i);
	}
}
