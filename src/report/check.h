/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `clinch check` found out about one target, for a person, as a line of JSON, and for a monitor. */
#ifndef REPORT_CHECK_H
#define REPORT_CHECK_H

#include "report/json.h"
#include "report/report.h"
#include <clinch/client.h>

/* What a certificate's own responder said when it was asked; zeroed: it was not. */
struct check_answer {
	bool asked;
	bool unnamed;                  /* it was to be asked, and the certificate names none */
	gnutls_datum_t der;            /* empty: nothing that could be believed */
	struct clinch_verdict verdict; /* of der; without one MISSING, or UNKNOWN when the responder said so */
	const char *detail;            /* why der is empty */
};

/* All of it borrowed. Either `trouble` is set, or `report` is. Both, when the handshake failed behind the certificate. */
struct check {
	const char *target;  /* as it was written */
	const char *address; /* where it connected; NULL: nowhere */
	const char *name;    /* whom the certificate has to be for */
	const char *trouble; /* why it could not be judged, a stable id; NULL: it was */
	const char *trouble_text;
	gnutls_session_t session; /* NULL: it did not come to TLS */
	const struct clinch_report *report;
	bool accepted;
	int reason;
	unsigned blamed;                   /* which member `reason` is about, when it is about a response */
	bool by_answer;                    /* `reason` is about the responder's answer for it, not about the staple */
	const struct check_answer *answer; /* one a member; NULL: nobody was asked */
};

/* Of the session, where ocsp.h's findings are of a response. Stable ids. */
enum check_finding {
	CHECK_GNUTLS_CHECKED,
	CHECK_GNUTLS_UNCHECKED,
	CHECK_NEWER,
	CHECK_UNANSWERED,
	CHECK_DISAGREES,
	CHECK_BY_RESPONDER,
	CHECK_UNNAMED,
	CHECK_FINDINGS
};
unsigned check_findings(const struct check *check); /* bits */
const char *check_finding_name(int finding);
const char *check_finding_level(int finding);
const char *check_finding_text(int finding);
uint64_t check_response_findings(const struct check *check); /* of all staples together */
/* The finding's sentence, begun with the certificate's name when it is about none but an intermediate. */
bool check_response_finding_text(struct buf *out, const struct check *check, int finding);

/* "good" ... "missing", or "error" for what could not be judged; static. */
const char *check_verdict(const struct check *check);
int check_exit(const struct check *check);
/* The reason as a sentence about this very target. */
void check_detail(struct buf *out, const struct check *check);
const char *check_tls_version(const struct check *check); /* "TLS1.3"; NULL: none; static */

/* How long the shortest of the staples remains; false: there is none that is believed. */
bool check_remaining(const struct check *check, int64_t *seconds);

/* A line of JSON; false without memory. */
bool check_json(struct buf *out, const struct check *check);

bool check_text(struct buf *out, const struct report_style *style, const struct check *check, bool all);

/* A monitor's plugin: its states are its exit statuses. */
enum nagios { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };
struct nagios_limits {
	int64_t warn_below_s, critical_below_s; /* of what remains of a staple; 0: no limit */
};
enum nagios check_nagios(struct buf *out, const struct check *check, const struct nagios_limits *limits);
/* The worse of two: what is wrong, what could not be found out, what is doubtful. */
enum nagios nagios_worse(enum nagios a, enum nagios b);

#endif
