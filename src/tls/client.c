/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/datum.h"
#include "ocsp/judgement.h"
#include "tls/attach.h"
#include "x509/path.h"
#include <clinch/client.h>
#include <string.h>
#include <time.h>

/* bad_certificate_status_response, RFC 6066 8. GnuTLS 3.7 has no name for it. */
#define ALERT_BAD_STATUS ((gnutls_alert_description_t)113)

struct client {
	struct clinch_policy policy;
	bool is_server, judged, resumed;
	struct path path;
	struct clinch_member member[PATH_MAX_MEMBERS];
	gnutls_datum_t staple[PATH_MAX_MEMBERS]; /* owned; GnuTLS's own go with the next handshake */
	struct clinch_report report;
	char host[]; /* empty: any */
};

static struct client *client_of(gnutls_session_t session)
{
	return attach_get(session, ATTACHED_CLIENT);
}

static void forget(struct client *client)
{
	for (unsigned i = 0; i < client->path.n; i++) {
		clinch_response_unref(client->member[i].response);
		gnutls_free(client->staple[i].data);
	}
	memset(client->member, 0, sizeof(client->member));
	memset(client->staple, 0, sizeof(client->staple));
	path_done(&client->path);
	client->report = (struct clinch_report){ .accepted = false };
	client->judged = false;
}

static void client_free(void *data)
{
	struct client *client = data;

	forget(client);
	clinch_signers_unref(client->policy.signers);
	free(client);
}

/* ---- the judgement ---- */

/*
 * Staples come in the order of the certificates as they were sent, which need not be that of the path, and a missing one
 * leaves its place empty: the index of the certificate is the index of its staple.
 */
static bool find_staple(gnutls_session_t session, const gnutls_datum_t *cert, gnutls_datum_t *staple)
{
	unsigned sent = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &sent);

	for (unsigned i = 0; i < sent; i++) {
		if (list[i].size != cert->size || memcmp(list[i].data, cert->data, cert->size) != 0)
			continue;
		if (gnutls_ocsp_status_request_get2(session, i, staple) >= 0 && staple->data)
			return true;
	}
	return false;
}

static bool is_required(const struct client *client, unsigned place)
{
	struct cert_view view;
	const gnutls_datum_t *cert = &client->path.member[place].cert;

	switch (client->policy.require) {
	case CLINCH_REQUIRE_NONE:
		return false;
	case CLINCH_REQUIRE_LEAF:
		return place == 0;
	case CLINCH_REQUIRE_CHAIN:
		return true;
	case CLINCH_REQUIRE_MUST_STAPLE:
	default:
		/* What cannot be read might have asked for it. */
		return place == 0 &&
		       (!cert_view_parse(&view, der_of(cert->data, cert->size)) || cert_view_must_staple(&view));
	}
}

static enum clinch_reason reason_of_missing(const struct client *client, unsigned place)
{
	if (!is_required(client, place))
		return CLINCH_REASON_NO_STAPLE;
	if (client->policy.require == CLINCH_REQUIRE_MUST_STAPLE)
		return CLINCH_REASON_MISSING_MUST_STAPLE;
	return CLINCH_REASON_MISSING_REQUIRED;
}

static void judge_missing(struct client *client, unsigned place, struct clinch_verdict *verdict)
{
	const gnutls_datum_t *cert = &client->path.member[place].cert;
	struct cert_view view;

	verdict->status = CLINCH_MISSING;
	verdict->reason = reason_of_missing(client, place);
	if (cert_view_parse(&view, der_of(cert->data, cert->size)))
		verdict->findings = findings_of_certificate(&view);
}

static enum clinch_reason prepare(clinch_subject_t **out, const struct client *client, unsigned place)
{
	const struct path_member *member = &client->path.member[place];
	auto_issuer *issuer = NULL;
	bool is_validated = client->path.reason == CLINCH_REASON_GOOD;

	if (!member->issuer.size)
		return CLINCH_REASON_ISSUER_UNKNOWN;
	int code = issuer_new(&issuer, &member->issuer, NULL);
	if (code == 0)
		code = subject_new(out, &member->cert, issuer, !is_validated, NULL);
	if (code == CLINCH_E_MEMORY)
		return CLINCH_REASON_INTERNAL;
	if (code < 0)
		return CLINCH_REASON_ISSUER_UNPREPARED;
	return CLINCH_REASON_GOOD;
}

static void judge_staple(struct client *client, unsigned place)
{
	auto_subject *subject = NULL;
	struct clinch_member *member = &client->member[place];
	enum clinch_reason reason = prepare(&subject, client, place);

	if (reason != CLINCH_REASON_GOOD)
		member->verdict.reason = reason;
	else
		clinch_verify(&member->response, &member->verdict, &member->staple, subject, client->report.at,
			      &client->policy);
}

static bool keep_staple(struct client *client, unsigned place, const gnutls_datum_t *sent)
{
	if (!datum_copy(&client->staple[place], sent))
		return false;
	client->member[place].staple = client->staple[place];
	return true;
}

static void judge_member(struct client *client, gnutls_session_t session, unsigned place)
{
	struct clinch_member *member = &client->member[place];
	gnutls_datum_t sent;

	member->cert = client->path.member[place].cert;
	member->issuer = client->path.member[place].issuer;
	member->verdict = (struct clinch_verdict){ .revocation_reason = -1 };
	if (!find_staple(session, &member->cert, &sent))
		judge_missing(client, place, &member->verdict);
	else if (!keep_staple(client, place, &sent))
		member->verdict.reason = CLINCH_REASON_INTERNAL;
	else
		judge_staple(client, place);
	if (client->resumed)
		member->verdict.findings |= UINT64_C(1) << CLINCH_FINDING_RESUMED;
}

static bool is_accepted(const struct clinch_verdict *verdict)
{
	return verdict->status == CLINCH_GOOD ? verdict->fresh : verdict->reason == CLINCH_REASON_NO_STAPLE;
}

/* The first refusal from the path upwards; without one, what was said of the peer's own certificate. */
static enum clinch_reason sum_up(const struct client *client)
{
	if (client->path.reason != CLINCH_REASON_GOOD)
		return client->path.reason;
	for (unsigned i = 0; i < client->path.n; i++)
		if (!is_accepted(&client->member[i].verdict))
			return client->member[i].verdict.reason;
	return client->member[0].verdict.reason;
}

static void judge(struct client *client, gnutls_session_t session)
{
	struct clinch_report *report = &client->report;

	forget(client);
	report->at = client->policy.at ? client->policy.at : (int64_t)time(NULL);
	const struct path_wish wish = {
		.host = client->host[0] ? client->host : NULL,
		.purpose = client->is_server ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER,
		.dates_are_ours = client->policy.at != 0,
		.now = report->at,
	};
	path_judge(&client->path, session, &wish);
	for (unsigned i = 0; i < client->path.n; i++)
		judge_member(client, session, i);
	report->resumed = client->resumed;
	report->path_status = client->path.status;
	report->gnutls_says_checked = gnutls_ocsp_status_request_is_checked(session, 0);
	report->n = client->path.n;
	report->member = client->member;
	report->reason = sum_up(client);
	report->accepted = report->reason == CLINCH_REASON_GOOD || report->reason == CLINCH_REASON_NO_STAPLE;
	client->judged = true;
}

/* ---- GnuTLS asks ---- */

static gnutls_alert_description_t alert_for(int reason)
{
	switch (reason) {
	case CLINCH_REASON_PATH_UNTRUSTED:
		return GNUTLS_A_UNKNOWN_CA;
	case CLINCH_REASON_PATH_EXPIRED:
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	case CLINCH_REASON_PATH_CRL:
		return GNUTLS_A_CERTIFICATE_REVOKED;
	case CLINCH_REASON_PATH_PURPOSE:
		return GNUTLS_A_UNSUPPORTED_CERTIFICATE;
	case CLINCH_REASON_INTERNAL:
		return GNUTLS_A_INTERNAL_ERROR;
	default:
		return reason >= CLINCH_REASON_NO_CERTIFICATE ? GNUTLS_A_BAD_CERTIFICATE : ALERT_BAD_STATUS;
	}
}

static int on_verify(gnutls_session_t session)
{
	struct client *client = client_of(session);

	if (!client)
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	client->resumed = false;
	judge(client, session);
	if (client->report.accepted)
		return 0;
	/* The refusal stands whether the peer hears of it or not. */
	gnutls_alert_send(session, GNUTLS_AL_FATAL, alert_for(client->report.reason));
	return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* GnuTLS keeps flags for the session's path only behind this function, which also sets a verify function: ours follows it.
 */
static void leave_dates_to_us(gnutls_session_t session)
{
	gnutls_session_set_verify_cert(session, NULL,
				       GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS);
}

static struct client *client_new(const char *host, const struct clinch_policy *policy)
{
	size_t len = host ? strlen(host) : 0;
	struct client *client = calloc(1, sizeof(*client) + len + 1);

	if (!client)
		return NULL;
	if (len)
		memcpy(client->host, host, len);
	if (policy)
		client->policy = *policy;
	clinch_signers_ref(client->policy.signers);
	return client;
}

/* What a later header has there, this library does not know to obey. */
static bool is_policy_known(const struct clinch_policy *policy)
{
	static const struct clinch_policy none;

	return !policy || memcmp(policy->reserved, none.reserved, sizeof(none.reserved)) == 0;
}

int clinch_client_attach(gnutls_session_t session, const char *host, const struct clinch_policy *policy)
{
	if (!session || client_of(session) || (host && !*host) || (policy && (policy->nonce || policy->trusted)) ||
	    !is_policy_known(policy))
		return CLINCH_E_ARGUMENT;
	struct client *client = client_new(host, policy);
	if (!client)
		return CLINCH_E_MEMORY;
	int code = attach_put(session, ATTACHED_CLIENT, "clinch client", client, client_free);
	if (code < 0) {
		client_free(client);
		return code;
	}
	int rc = gnutls_ocsp_status_request_enable_client(session, NULL, 0, NULL);
	client->is_server = rc == GNUTLS_E_INVALID_REQUEST; /* a server asks in its CertificateRequest, always */
	if (rc < 0 && !client->is_server)
		return rc == GNUTLS_E_MEMORY_ERROR ? CLINCH_E_MEMORY : CLINCH_E_GNUTLS;
	if (client->policy.at)
		leave_dates_to_us(session);
	gnutls_session_set_verify_function(session, on_verify);
	return 0;
}

const struct clinch_report *clinch_client_report(gnutls_session_t session)
{
	struct client *client = session ? client_of(session) : NULL;

	if (!client)
		return NULL;
	if (!client->judged && gnutls_session_is_resumed(session) && gnutls_certificate_get_peers(session, NULL)) {
		client->resumed = true;
		judge(client, session);
	}
	return client->judged ? &client->report : NULL;
}
