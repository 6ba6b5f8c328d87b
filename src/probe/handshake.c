/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLS on a wire that never blocks, and what it means when it fails. */
#include "base/error.h"
#include "probe/deadline.h"
#include "probe/probe.h"
#include <errno.h>
#include <gnutls/dtls.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define DTLS_MTU 1200 /* bytes; below what any path carries */
#define DTLS_RETRANSMIT_MS 500

/* ---- the bytes ---- */

/* RFC 8446 5.1: a record begins with its type, then 3: the first is an alert or a handshake message. */
static bool is_tls(const struct first_bytes *first)
{
	return (first->bytes[0] == 21 || first->bytes[0] == 22) && (first->len < 2 || first->bytes[1] == 3);
}

/* What does not begin as TLS does is not for GnuTLS to make sense of: it might wait for more for ever. */
static ssize_t pull(gnutls_transport_ptr_t transport, void *bytes, size_t len)
{
	struct probe_result *result = transport;
	struct first_bytes *first = &result->first;
	ssize_t n = first->len ? 0 : recv(result->fd, first->bytes, sizeof(first->bytes), MSG_PEEK);

	/* Nothing yet: what came between this look and a read would never be looked at. */
	if (n < 0 || (n == 0 && !first->len))
		return n;
	if (n > 0)
		first->len = (size_t)n;
	if (!is_tls(first)) {
		gnutls_transport_set_errno(result->session, EPROTO);
		return -1;
	}
	return recv(result->fd, bytes, len, 0);
}

static ssize_t push(gnutls_transport_ptr_t transport, const void *bytes, size_t len)
{
	const struct probe_result *result = transport;

	return send(result->fd, bytes, len, MSG_NOSIGNAL);
}

/* ---- setting it up ---- */

static int set_name(gnutls_session_t session, const struct probe_result *result)
{
	struct target as_target;

	/* RFC 6066 3: literal addresses are not permitted */
	if (target_parse(&as_target, result->name, 443, NULL) || as_target.literal)
		return 0;
	return gnutls_server_name_set(session, GNUTLS_NAME_DNS, result->name, strlen(result->name));
}

static void set_up_datagrams(const struct probe_result *result, const struct wire *wire)
{
	gnutls_transport_set_int(result->session, result->fd);
	gnutls_dtls_set_mtu(result->session, DTLS_MTU);
	gnutls_dtls_set_timeouts(result->session, DTLS_RETRANSMIT_MS, (unsigned)deadline_left(wire->deadline) + 1);
}

static void set_up_stream(struct probe_result *result)
{
	gnutls_transport_set_ptr(result->session, result);
	gnutls_transport_set_pull_function(result->session, pull);
	gnutls_transport_set_push_function(result->session, push);
}

static int set_up(struct probe_result *result, const struct wire *wire)
{
	const struct probe_options *options = &result->probe->options;
	unsigned flags = GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS | GNUTLS_FORCE_CLIENT_CERT;
	int rc = gnutls_init(&result->session, flags | (options->udp ? GNUTLS_DATAGRAM : 0));

	if (rc < 0)
		return rc;
	rc = gnutls_priority_set(result->session, result->probe->priority);
	if (rc >= 0)
		rc = gnutls_credentials_set(result->session, GNUTLS_CRD_CERTIFICATE, result->probe->credentials);
	if (rc >= 0)
		rc = set_name(result->session, result);
	if (rc < 0)
		return rc;
	if (options->udp)
		set_up_datagrams(result, wire);
	else
		set_up_stream(result);
	return 0;
}

/* To ask the responders for intermediates instead: TLS 1.2 carries the leaf's staple alone. */
static struct clinch_policy session_policy(const struct probe_options *options)
{
	struct clinch_policy policy = options->policy;

	if (options->keep_path && policy.require == CLINCH_REQUIRE_CHAIN)
		policy.require = CLINCH_REQUIRE_LEAF;
	return policy;
}

/* ---- what failed ---- */

static const char *not_tls_hint(const struct first_bytes *first)
{
	static const struct {
		const char *begins, *hint;
	} hints[] = {
		{ "220", "that looks like SMTP: try --starttls smtp" },
		{ "* OK", "that looks like IMAP: try --starttls imap" },
		{ "+OK", "that looks like POP3: try --starttls pop3" },
		{ "HTTP/", "that is plain HTTP: is TLS on another port?" },
		{ "<", "that is plain HTTP: is TLS on another port?" },
		{ "SSH-", "that is SSH, which knows no staples" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		size_t len = strlen(hints[i].begins);

		if (first->len >= len && !memcmp(first->bytes, hints[i].begins, len))
			return hints[i].hint;
	}
	return "is TLS on another port, or behind --starttls?";
}

static bool fail_not_tls(struct wire *wire, const struct first_bytes *first)
{
	size_t len = 0;
	char said[64];

	while (len < first->len && first->bytes[len] != '\r' && first->bytes[len] != '\n')
		len++;
	error_printable(said, sizeof(said), first->bytes, len);
	return wire_fail(wire, TROUBLE_NOT_TLS, CLINCH_E_NETWORK, "%s does not speak TLS, it says \"%s\"; %s", wire->name,
			 said, not_tls_hint(first));
}

static const char *alert_hint(gnutls_alert_description_t alert)
{
	switch (alert) {
	case GNUTLS_A_HANDSHAKE_FAILURE:
		return "nothing in common, or it wants a client certificate: look at --tls and --client-cert";
	case GNUTLS_A_PROTOCOL_VERSION:
		return "it does not do this version: look at --tls";
	case GNUTLS_A_UNRECOGNIZED_NAME:
		return "it does not serve this name: look at --servername";
	case GNUTLS_A_CERTIFICATE_REQUIRED:
		return "it wants a client certificate: give --client-cert and --client-key";
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNKNOWN_CA:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
	case GNUTLS_A_CERTIFICATE_EXPIRED:
	case GNUTLS_A_CERTIFICATE_REVOKED:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_ACCESS_DENIED:
		return "it does not take the client's certificate: look at --client-cert";
	default:
		return "its log should say why";
	}
}

static bool fail_alert(struct wire *wire, gnutls_session_t session)
{
	gnutls_alert_description_t alert = gnutls_alert_get(session);
	const char *name = gnutls_alert_get_name(alert);

	return wire_fail(wire, TROUBLE_ALERT, CLINCH_E_NETWORK, "%s breaks the handshake off with the TLS alert %d (%s): %s",
			 wire->name, (int)alert, name ? name : "no name", alert_hint(alert));
}

static bool fail_io(struct wire *wire, int error)
{
	char reason[64];

	if (error == ECONNREFUSED)
		return wire_fail(wire, TROUBLE_REFUSED, CLINCH_E_NETWORK,
				 "%s refuses the connection; is the server running, is the port right?", wire->name);
	return wire_fail(wire, TROUBLE_CLOSED, CLINCH_E_NETWORK, "%s broke off in the TLS handshake: %s", wire->name,
			 strerror_r(error, reason, sizeof(reason)));
}

static bool fail_handshake(struct wire *wire, const struct probe_result *result, int rc, int error)
{
	if (result->first.len && !is_tls(&result->first))
		return fail_not_tls(wire, &result->first);
	switch (rc) {
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return fail_alert(wire, result->session);
	case GNUTLS_E_PREMATURE_TERMINATION:
		return wire_fail(
			wire, TROUBLE_CLOSED, CLINCH_E_NETWORK,
			"%s closed the connection in the TLS handshake; does it expect TLS here, or --starttls first?",
			wire->name);
	case GNUTLS_E_TIMEDOUT:
		return wire_fail_timeout(wire, "did not finish the TLS handshake");
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_PULL_ERROR:
		return fail_io(wire, error);
	default:
		break;
	}
	return wire_fail(wire, rc == GNUTLS_E_MEMORY_ERROR ? TROUBLE_LOCAL : TROUBLE_TLS,
			 rc == GNUTLS_E_MEMORY_ERROR ? CLINCH_E_MEMORY : CLINCH_E_GNUTLS, "%s: the TLS handshake failed: %s",
			 wire->name, gnutls_strerror(rc));
}

/* ---- the loop ---- */

static int wait_ms(const struct probe_result *result)
{
	return result->probe->options.udp ? (int)gnutls_dtls_get_timeout(result->session) + 1 : -1;
}

/* 0, or what gnutls_handshake() failed with; GNUTLS_E_TIMEDOUT too. A peer that keeps sending warnings does not keep it. */
static int shake(struct probe_result *result, const struct wire *wire, int *error)
{
	int rc;

	for (;;) {
		errno = 0;
		rc = gnutls_handshake(result->session);
		*error = errno;
		if (rc >= 0 || gnutls_error_is_fatal(rc))
			return rc;
		if (!deadline_left(wire->deadline))
			return GNUTLS_E_TIMEDOUT;
		if (rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED)
			continue;
		wire_wait(wire, gnutls_record_get_direction(result->session) ? POLLOUT : POLLIN, wait_ms(result));
	}
}

/* A handshake that clinch broke off has a report that says why, and then nothing else is to blame. */
static bool was_judged(const struct probe_result *result, int rc)
{
	return result->report && (rc >= 0 || !result->report->accepted);
}

bool probe_handshake(struct probe_result *result, struct wire *wire)
{
	struct clinch_policy policy = session_policy(&result->probe->options);
	int rc = set_up(result, wire), error = 0;

	if (rc < 0)
		return wire_fail(wire, TROUBLE_LOCAL, CLINCH_E_GNUTLS, "%s: TLS could not be set up: %s", wire->name,
				 gnutls_strerror(rc));
	rc = clinch_client_attach(result->session, result->name, &policy);
	if (rc)
		return wire_fail(wire, TROUBLE_LOCAL, rc, "%s: TLS could not be set up: %s", wire->name,
				 clinch_strerror(rc));
	rc = shake(result, wire, &error);
	result->report = clinch_client_report(result->session);
	if (was_judged(result, rc))
		return true;
	if (rc >= 0)
		return wire_fail(wire, TROUBLE_TLS, CLINCH_E_MISSING, "%s sent no certificate", wire->name);
	return fail_handshake(wire, result, rc, error);
}
