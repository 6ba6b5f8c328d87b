/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of reasons and findings, as strings. */
#include "ocsp/names.h"

static const struct reason_row {
	const char *name, *text, *source;
	enum clinch_status status;
} reasons[] = {
#define REASON(id, name, status, text, source) [CLINCH_REASON_##id] = { name, text, source, CLINCH_##status },
#include <clinch/reasons.def>
#undef REASON
};

static const struct finding_row {
	const char *name, *level, *text, *source;
} findings[] = {
#define FINDING(id, name, level, text, source) { name, #level, text, source },
#include <clinch/findings.def>
#undef FINDING
};

_Static_assert(CLINCH_FINDING_COUNT <= 64, "clinch_verdict.findings has 64 bits");

/* What is out of range, or between two groups, reads as the first row: "nothing was judged". */
static const struct reason_row *reason_row(int reason)
{
	bool is_one = reason >= 0 && reason < CLINCH_REASON_COUNT && reasons[reason].name;

	return &reasons[is_one ? reason : CLINCH_REASON_UNJUDGED];
}

static const struct finding_row *finding_row(int finding)
{
	static const struct finding_row none = { "", "info", "", "" };

	return finding >= 0 && finding < CLINCH_FINDING_COUNT ? &findings[finding] : &none;
}

enum clinch_status reason_status(int reason)
{
	return reason_row(reason)->status;
}

const char *clinch_status_name(enum clinch_status status)
{
	static const char *const names[] = { "invalid", "missing", "unknown", "revoked", "good" };

	return (unsigned)status < sizeof(names) / sizeof(*names) ? names[status] : "invalid";
}

const char *clinch_reason_name(int reason)
{
	return reason_row(reason)->name;
}

const char *clinch_reason_text(int reason)
{
	return reason_row(reason)->text;
}

const char *clinch_reason_source(int reason)
{
	return reason_row(reason)->source;
}

const char *clinch_finding_name(int finding)
{
	return finding_row(finding)->name;
}

const char *clinch_finding_level(int finding)
{
	return finding_row(finding)->level;
}

const char *clinch_finding_text(int finding)
{
	return finding_row(finding)->text;
}

const char *clinch_finding_source(int finding)
{
	return finding_row(finding)->source;
}

bool reason_is_of_signed(int reason)
{
	return reason == CLINCH_REASON_SIGNER_EXPIRED ||
	       (reason >= CLINCH_REASON_CRITICAL_EXTENSION && reason < CLINCH_REASON_NO_STAPLE);
}
