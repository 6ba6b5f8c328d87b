/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line of a monitoring plugin: state, sentence, performance data. */
#include "base/time.h"
#include "report/check.h"
#include <string.h>

enum nagios nagios_worse(enum nagios a, enum nagios b)
{
	static const int rank[] = { [NAGIOS_OK] = 0, [NAGIOS_WARNING] = 1, [NAGIOS_UNKNOWN] = 2, [NAGIOS_CRITICAL] = 3 };

	return rank[a] >= rank[b] ? a : b;
}

static bool has_warning(const struct check *check)
{
	uint64_t of_responses = check_response_findings(check);
	unsigned of_session = check_findings(check);

	for (int i = 0; i < CLINCH_FINDING_COUNT; i++)
		if (of_responses >> i & 1 && !strcmp(clinch_finding_level(i), "warning"))
			return true;
	for (int i = 0; i < CHECK_FINDINGS; i++)
		if (of_session >> i & 1 && !strcmp(check_finding_level(i), "warning"))
			return true;
	return false;
}

static enum nagios state_of(const struct check *check, const struct nagios_limits *limits)
{
	int64_t left;

	if (check->trouble)
		return NAGIOS_UNKNOWN;
	if (!check->accepted)
		return check_exit(check) == 1 ? NAGIOS_UNKNOWN : NAGIOS_CRITICAL;
	if (check_remaining(check, &left)) {
		if (left < limits->critical_below_s)
			return NAGIOS_CRITICAL;
		if (left < limits->warn_below_s)
			return NAGIOS_WARNING;
	}
	return has_warning(check) ? NAGIOS_WARNING : NAGIOS_OK;
}

/* "|" begins performance data, so it may not stand in a sentence. */
static void put_safe(struct buf *out, const struct buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		buf_add(out, text->data[i] == '|' ? "/" : (const char *)&text->data[i], 1);
}

static void put_warnings(struct buf *out, const struct check *check)
{
	uint64_t of_responses = check_response_findings(check);
	unsigned of_session = check_findings(check);

	for (int i = 0; i < CLINCH_FINDING_COUNT; i++)
		if (of_responses >> i & 1 && !strcmp(clinch_finding_level(i), "warning"))
			buf_printf(out, " (%s)", clinch_finding_name(i));
	for (int i = 0; i < CHECK_FINDINGS; i++)
		if (of_session >> i & 1 && !strcmp(check_finding_level(i), "warning"))
			buf_printf(out, " (%s)", check_finding_name(i));
}

/* Thresholds as the plugins' guidelines have them: "@" is not needed, "N:" means an alert below N. */
static void put_performance(struct buf *out, const struct check *check, const struct nagios_limits *limits)
{
	int64_t left;

	if (!check_remaining(check, &left))
		return;
	buf_printf(out, " | 'staple_remaining'=%llds;", (long long)left);
	if (limits->warn_below_s)
		buf_printf(out, "%lld:", (long long)limits->warn_below_s);
	buf_printf(out, ";");
	if (limits->critical_below_s)
		buf_printf(out, "%lld:", (long long)limits->critical_below_s);
}

enum nagios check_nagios(struct buf *out, const struct check *check, const struct nagios_limits *limits)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	enum nagios state = state_of(check, limits);
	auto_buf detail = { .max = 64 * 1024 }, line = { .max = 64 * 1024 };
	char span[TIME_SPAN_SIZE];
	int64_t left;

	check_detail(&detail, check);
	buf_printf(&line, "STAPLE %s - ", words[state]);
	if (!check->trouble) { /* a sentence about trouble names its target itself */
		report_printable(&line, check->target, strlen(check->target));
		buf_printf(&line, ": %s, ", check_verdict(check));
	}
	if (!check->trouble && check->accepted && check_remaining(check, &left))
		buf_printf(&line, "%s left", time_span(span, left));
	else
		buf_add(&line, detail.data, detail.len);
	put_warnings(&line, check);
	put_safe(out, &line);
	put_performance(out, check, limits);
	buf_printf(out, "\n");
	return state;
}
