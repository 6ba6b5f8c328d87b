/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pair.h"
#include "ways.h"
#include <clinch/client.h>
#include <string.h>

#define ALERT_BAD_STATUS 113 /* bad_certificate_status_response, RFC 6066 8 */

static const struct world *prepared_for;
static struct pair_credentials credentials;

/* Once a world: the cases come world by world. */
static void prepare(const struct world *world)
{
	if (prepared_for == world)
		return;
	tls_done();
	pair_credentials_init(&credentials, world, "root");
	prepared_for = world;
}

void tls_done(void)
{
	if (prepared_for)
		pair_credentials_done(&credentials);
	prepared_for = NULL;
}

static bool fits(bool passed, struct buf *why, const char *what)
{
	if (!passed)
		(void)buf_printf(why, "%s\n", what);
	return passed;
}

/* Accepted: both ends are through. Refused: the client broke off, and told the server that it was the staple. */
static bool handshake_fits(const struct pair *pair, bool accepted, struct buf *why)
{
	int wanted = accepted ? GNUTLS_E_SUCCESS : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;

	if (pair->client_rc != wanted)
		(void)buf_printf(why, "the client ended with %s\n", gnutls_strerror(pair->client_rc));
	if (accepted)
		return fits(pair->server_rc == GNUTLS_E_SUCCESS, why, "the server did not finish") &&
		       pair->client_rc == wanted;
	if (pair->server_alert != ALERT_BAD_STATUS)
		(void)buf_printf(why, "the server received alert %d\n", pair->server_alert);
	return pair->client_rc == wanted && pair->server_alert == ALERT_BAD_STATUS;
}

static bool member_fits(const struct clinch_member *member, const gnutls_datum_t *staple, struct buf *why)
{
	bool is_due =
		member->verdict.fresh && (member->verdict.status == CLINCH_GOOD || member->verdict.status == CLINCH_REVOKED);

	return fits(member->staple.size == staple->size && memcmp(member->staple.data, staple->data, staple->size) == 0, why,
		    "the report's staple is not what was sent") &&
	       fits(is_due == (member->response != NULL), why, "the report's response is not what the verdict says");
}

static bool report_fits(const struct test_case *one, const struct clinch_report *report, const gnutls_datum_t *staple,
			struct buf *why)
{
	bool accepted = case_wants_status(one, "good");

	if (!report || report->n != 2) {
		(void)buf_printf(why, "a report of two certificates is expected, here are %u\n", report ? report->n : 0);
		return false;
	}
	struct found found = found_of(&report->member[0].verdict);
	bool wanted = case_wants(one, &found, why);
	bool same = fits(report->accepted == accepted, why, "accepted or not, the other way round") &&
		    fits(report->reason == report->member[0].verdict.reason, why, clinch_reason_name(report->reason)) &&
		    fits(report->at == one->at && !report->resumed, why, "judged at another instant, or as resumed") &&
		    fits(report->member[1].verdict.reason == CLINCH_REASON_NO_STAPLE, why, "the issuer has a staple");
	return member_fits(&report->member[0], staple, why) && same && wanted;
}

bool go_tls(const struct test_case *one, const struct world *world, const char *version, struct buf *why)
{
	const char *chain[] = { one->leaf, one->issuer, NULL };
	const gnutls_datum_t *staple = world_item(world, "response", one->name);
	struct clinch_policy policy = one->policy;
	struct offer offer;
	struct pair pair;

	prepare(world);
	policy.at = one->at;
	offer_init(&offer, world, "leaf", chain);
	offer_staple(&offer, 0, staple);
	pair_init(&pair, &credentials, version, &offer, NULL);
	bool passed = fits(clinch_client_attach(pair.client, "mail.example.test", &policy) == 0, why, "attach fails") &&
		      fits(!clinch_client_report(pair.client), why, "a report before the handshake");
	if (passed) {
		pair_shake(&pair);
		passed = report_fits(one, clinch_client_report(pair.client), staple, why);
		passed = handshake_fits(&pair, case_wants_status(one, "good"), why) && passed;
	}
	pair_done(&pair);
	offer_done(&offer);
	return passed;
}
