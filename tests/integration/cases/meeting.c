/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meeting.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void set_defaults(struct meeting *meeting)
{
	meeting->kind = meeting->kind ? meeting->kind : "ec";
	meeting->version = meeting->version ? meeting->version : "1.3";
	meeting->trusted = meeting->trusted ? meeting->trusted : "root";
	meeting->host = meeting->host ? meeting->host : "mail.example.test";
	if (!meeting->chain[0]) {
		meeting->chain[0] = "leaf";
		meeting->chain[1] = "issuer";
	}
	if (!meeting->policy.at && !meeting->is_now)
		meeting->policy.at = MEETING_NOW;
	if (!meeting->server_policy.at)
		meeting->server_policy.at = MEETING_NOW;
}

static void make_offers(struct meeting *meeting, const struct world *world)
{
	const char *client_chain[] = { "leaf", "issuer", NULL };

	if (meeting->is_raw_key)
		offer_raw_key(&meeting->server_offer, world, "leaf");
	else
		offer_init(&meeting->server_offer, world, "leaf", meeting->chain);
	for (unsigned i = 0; i < OFFER_MAX; i++)
		if (meeting->staple[i])
			offer_staple(&meeting->server_offer, i, world_item(world, "response", meeting->staple[i]));
	if (!meeting->client_shows)
		return;
	offer_init(&meeting->client_offer, world, "leaf", client_chain);
	if (meeting->client_staple)
		offer_staple(&meeting->client_offer, 0, world_item(world, "response", meeting->client_staple));
}

static void load_crl(const struct meeting *meeting, const struct world *world, gnutls_certificate_credentials_t credentials)
{
	if (meeting->crl)
		assert_int_equal(gnutls_certificate_set_x509_crl_mem(credentials, world_item(world, "crl", meeting->crl),
								     GNUTLS_X509_FMT_DER),
				 1);
}

static void set_priority(const struct meeting *meeting)
{
	char priority[128];

	if (meeting->is_raw_key)
		snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+VERS-TLS%s:+CTYPE-SRV-RAWPK:-CTYPE-SRV-X509",
			 meeting->version);
	else if (meeting->priority)
		snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+VERS-TLS%s:%s", meeting->version, meeting->priority);
	else
		return;
	assert_int_equal(gnutls_priority_set_direct(meeting->pair.client, priority, NULL), 0);
	if (meeting->is_raw_key)
		assert_int_equal(gnutls_priority_set_direct(meeting->pair.server, priority, NULL), 0);
}

static void attach(struct meeting *meeting)
{
	if (!meeting->is_unattached) {
		assert_int_equal(clinch_client_attach(meeting->pair.client, meeting->host, &meeting->policy), 0);
		/* It was copied: what becomes of ours does not matter. */
		memset(&meeting->policy, 0xff, sizeof(meeting->policy));
	} else {
		assert_int_equal(gnutls_ocsp_status_request_enable_client(meeting->pair.client, NULL, 0, NULL), 0);
	}
	if (meeting->server_judges)
		assert_int_equal(clinch_client_attach(meeting->pair.server, NULL, &meeting->server_policy), 0);
	assert_null(clinch_client_report(meeting->pair.client));
	assert_null(clinch_client_report(meeting->pair.server));
}

void meet(struct meeting *meeting)
{
	set_defaults(meeting);
	const struct world *world = world_get(meeting->kind);

	if (!meeting->credentials) {
		pair_credentials_init(&meeting->own, world, meeting->trusted);
		meeting->credentials = &meeting->own;
	}
	load_crl(meeting, world, meeting->credentials->client);
	if (meeting->depth)
		gnutls_certificate_set_verify_limits(meeting->credentials->client, 16384, meeting->depth);
	make_offers(meeting, world);
	pair_init(&meeting->pair, meeting->credentials, meeting->version, &meeting->server_offer,
		  meeting->client_shows ? &meeting->client_offer : NULL);
	set_priority(meeting);
	if (meeting->resume)
		assert_int_equal(gnutls_session_set_data(meeting->pair.client, meeting->resume->data, meeting->resume->size),
				 0);
	attach(meeting);
	pair_shake(&meeting->pair);
	if (meeting->save) {
		assert_true(pair_transfer(&meeting->pair)); /* TLS 1.3: the ticket comes behind the handshake */
		assert_int_equal(gnutls_session_get_data2(meeting->pair.client, meeting->save), 0);
	}
	meeting->report = clinch_client_report(meeting->pair.client);
	meeting->server_report = clinch_client_report(meeting->pair.server);
}

void meeting_done(struct meeting *meeting)
{
	pair_done(&meeting->pair);
	offer_done(&meeting->server_offer);
	if (meeting->client_shows)
		offer_done(&meeting->client_offer);
	if (meeting->credentials == &meeting->own)
		pair_credentials_done(&meeting->own);
}

void assert_accepted(struct meeting *meeting, const char *reason)
{
	assert_non_null(meeting->report);
	assert_string_equal(clinch_reason_name(meeting->report->reason), reason);
	assert_true(meeting->report->accepted);
	assert_int_equal(meeting->pair.client_rc, 0);
	assert_int_equal(meeting->pair.server_rc, 0);
	assert_true(pair_transfer(&meeting->pair));
}

void assert_refused(const struct meeting *meeting, const char *reason, int alert)
{
	assert_non_null(meeting->report);
	assert_string_equal(clinch_reason_name(meeting->report->reason), reason);
	assert_false(meeting->report->accepted);
	assert_int_equal(meeting->pair.client_rc, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
	assert_int_equal(meeting->pair.server_rc, GNUTLS_E_FATAL_ALERT_RECEIVED);
	assert_int_equal(meeting->pair.server_alert, alert);
}

void assert_member(const struct clinch_report *report, unsigned i, const char *status, const char *reason)
{
	assert_true(report->n > i);
	assert_string_equal(clinch_reason_name(report->member[i].verdict.reason), reason);
	assert_string_equal(clinch_status_name(report->member[i].verdict.status), status);
}
