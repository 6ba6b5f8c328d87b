/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client and a server of this process meet, as a test says; what is not said is usual. With a world's names throughout. */
#ifndef CASES_MEETING_H
#define CASES_MEETING_H

#include "pair.h"
#include <clinch/client.h>

/* The responses of the table that sessions need. */
#define GOOD_LEAF "a_good_response_signed_by_the_issuer_is_good"
#define REVOKED_LEAF "a_fresh_revoked_is_revoked"
#define UNKNOWN_LEAF "unknown_is_not_good"
#define GOOD_MUST_STAPLE "a_must_staple_certificate_with_its_staple_is_good"
#define GOOD_ISSUER "an_intermediate_s_response_by_the_root_is_good"
#define REVOKED_ISSUER "an_intermediate_may_be_revoked"

#define MEETING_NOW INT64_C(1907755200) /* 2030-06-15T12:00:00Z */
#define ALERT_BAD_STATUS 113            /* bad_certificate_status_response, RFC 6066 8 */

struct meeting {
	const char *kind;              /* "ec" */
	const char *version;           /* "1.3" */
	const char *priority;          /* added to the client's; NULL: nothing */
	const char *chain[OFFER_MAX];  /* the server's; leaf, issuer */
	const char *staple[OFFER_MAX]; /* cases; NULL: none in this place */
	bool is_raw_key;               /* the server shows its key, and no certificate */
	const char *trusted;           /* by both; root */
	const char *host;              /* mail.example.test */
	unsigned depth;                /* the longest path the client's credentials take; 0: GnuTLS's own */
	const char *crl;               /* that the client loads; NULL: none */
	bool is_unattached;
	struct clinch_policy policy; /* at: MEETING_NOW */
	bool is_now;                 /* at stays 0 */

	/* A client's certificate, and clinch on the server. */
	bool client_shows, server_judges;
	const char *client_staple;
	struct clinch_policy server_policy;

	/* To be resumed later, or resumed now: with the same `credentials`. */
	gnutls_datum_t *save, *resume;
	struct pair_credentials *credentials; /* NULL: its own */

	/* what came of it, until meeting_done() */
	struct pair pair;
	struct offer server_offer, client_offer;
	struct pair_credentials own;
	const struct clinch_report *report;        /* the client's */
	const struct clinch_report *server_report; /* the server's */
};

void meet(struct meeting *meeting);
void meeting_done(struct meeting *meeting);

/* By cmocka's asserts. Accepted: both ends finished, and bytes go both ways. Refused: the client broke off, said this alert.
 */
void assert_accepted(struct meeting *meeting, const char *reason);
void assert_refused(const struct meeting *meeting, const char *reason, int alert);
void assert_member(const struct clinch_report *report, unsigned i, const char *status, const char *reason);

#endif
