/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client half: attach before the handshake, read the report after it. Nothing to free.
 *
 *	clinch_client_attach(session, "mail.example.org", NULL);
 *	... rc = gnutls_handshake(session) until it is done ...
 *	report = clinch_client_report(session);
 *	if (rc < 0 || !report || !report->accepted)
 *		... close, send no application data ...
 *
 * The handshake breaks off by itself when the report is not accepted (GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR), after the
 * alert bad_certificate_status_response(113) where a staple was to blame. So that the peer hears it, shut down writing and
 * read to the end, with a limit, before close(): what is unread then resets the connection, and the alert with it.
 *
 * A *resumed* session is judged by clinch_client_report() alone, because GnuTLS asks nobody then: so read the report before
 * any application data, always (no TLS 1.3 early data).
 */
#ifndef CLINCH_CLIENT_H
#define CLINCH_CLIENT_H

#include <clinch/ocsp.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clinch_member {
	gnutls_datum_t cert;           /* DER */
	gnutls_datum_t issuer;         /* DER, from the validated path, whether the peer sent it or not; empty: none found */
	gnutls_datum_t staple;         /* as the peer sent it, believed or not; empty: none */
	struct clinch_verdict verdict; /* MISSING: none was sent */
	clinch_response_t *response;   /* the staple, when it is believed and fresh; NULL otherwise. The report's */
	uintptr_t reserved[2];         /* 0 */
};

struct clinch_report {
	bool accepted;                /* the one thing to ask, once gnutls_handshake() has returned 0 */
	bool resumed;                 /* judged again: the certificates and staples are those of the first session */
	int reason;                   /* enum clinch_reason: why it is (not) accepted */
	unsigned path_status;         /* gnutls_certificate_status_t as GnuTLS gave it, its own staple check included */
	unsigned gnutls_says_checked; /* gnutls_ocsp_status_request_is_checked(session, 0): one bit for the whole session */
	int64_t at;                   /* the instant of judgement */
	/* The path below the trust anchor: n members, the peer's own certificate first. */
	unsigned n;
	const struct clinch_member *member;
};

/*
 * Before gnutls_handshake(): asks for the staples, and makes this the session's verify function (in place of
 * gnutls_session_set_verify_cert and one's own). The session's credentials, CRLs, profile and flags go on counting for the
 * path. `host` is the name or IP literal the peer must be certified for (NULL: any; the caller decides what a peer may do).
 * `policy` NULL is all defaults; it is copied. The session owns copy and report until gnutls_deinit(). On a server's session
 * it judges the staple of a client's certificate (TLS 1.3 carries one).
 *
 * CLINCH_E_ARGUMENT: attached before, or policy->nonce or policy->trusted is set. Not checked: whether credentials are set.
 * Uses the private-use extension number 65311 of the session for itself; nothing is sent with it.
 */
CLINCH_API CLINCH_MUST_USE int clinch_client_attach(gnutls_session_t session, const char *host,
						    const struct clinch_policy *policy);

/*
 * The session's report; NULL before the peer's certificate, when none came, when clinch is not attached, and for no session.
 * For a resumed session the first call after the handshake judges, at the instant of that call. Valid until
 * gnutls_deinit(session), or until a further handshake on it (renegotiation), which is judged anew
 * where it is a full one; an abbreviated one brings back what was judged.
 */
CLINCH_API const struct clinch_report *clinch_client_report(gnutls_session_t session);

#ifdef __cplusplus
}
#endif
#endif
