/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/probe.h"
#include "base/error.h"
#include "fetch/address.h"
#include "probe/deadline.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int probe_init(struct probe *out, const struct probe_options *options, struct clinch_error *err)
{
	struct probe probe = { .options = *options };
	int rc = clinch_signers_new(&probe.options.policy.signers, 0);

	if (rc)
		error_set(err, rc, "the memory of signers: %s", clinch_strerror(rc));
	else
		rc = probe_load(&probe, err);
	if (rc)
		probe_done(&probe);
	else
		*out = probe;
	return rc;
}

void probe_done(struct probe *probe)
{
	if (probe->credentials)
		gnutls_certificate_free_credentials(probe->credentials);
	if (probe->priority)
		gnutls_priority_deinit(probe->priority);
	clinch_signers_unref(probe->options.policy.signers);
}

void probe_say(const struct probe *probe, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!probe->options.say)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	probe->options.say(probe->options.say_user, line);
}

/* ---- from a name to a socket ---- */

static enum trouble resolve_trouble(int code)
{
	switch (code) {
	case CLINCH_E_MISSING:
		return TROUBLE_NO_SUCH_HOST;
	case CLINCH_E_TIMEOUT:
		return TROUBLE_TIMEOUT;
	case CLINCH_E_MEMORY:
		return TROUBLE_LOCAL;
	default:
		return TROUBLE_RESOLVER;
	}
}

static void note_address(struct probe_result *result, const struct addrinfo *used)
{
	wire_address(result->address, used->ai_addr, used->ai_addrlen);
	/* behind a proxy nobody knows where the target is */
	result->is_private = !result->probe->options.proxy && address_class_of(used->ai_addr) != ADDRESS_PUBLIC;
	probe_say(result->probe, "%s: %s %s", result->shown, result->probe->options.udp ? "sending to" : "connected to",
		  result->address);
}

static bool connect_to(struct probe *probe, struct probe_result *result, struct wire *wire, const struct target *where)
{
	int type = probe->options.udp ? SOCK_DGRAM : SOCK_STREAM;
	const struct addrinfo *used = NULL;
	struct addrinfo *addresses = NULL;
	bool connected;
	int rc = resolve(&addresses, where, probe->options.family, type, wire->deadline, wire->err);

	if (rc) {
		wire->trouble = resolve_trouble(rc);
		return false;
	}
	for (const struct addrinfo *each = addresses; each; each = each->ai_next) {
		char address[WIRE_ADDRESS_SIZE];

		probe_say(probe, "%s: %s is %s", result->shown, where->host,
			  wire_address(address, each->ai_addr, each->ai_addrlen));
	}
	connected = wire_connect(wire, addresses, &used);
	result->fd = wire->fd;
	if (connected)
		note_address(result, used);
	freeaddrinfo(addresses);
	return connected;
}

static bool ask_proxy(struct wire *wire, const struct target *where)
{
	struct starttls dialogue;
	char authority[STARTTLS_NAME_MAX + 1];

	snprintf(authority, sizeof(authority), where->literal && strchr(where->host, ':') ? "[%.*s]:%u" : "%.*s:%u",
		 TARGET_HOST_MAX, where->host, where->port);
	return wire_talk(wire, &dialogue, starttls_begin(&dialogue, STARTTLS_HTTP_CONNECT, authority));
}

/* RFC 5321 4.1.3: a client without a name of its own says its address. */
static void ehlo_name(char *out, size_t size, int fd)
{
	struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(own);
	char address[INET6_ADDRSTRLEN];

	getsockname(fd, (struct sockaddr *)&own, &len);
	snprintf(out, size, own.ss_family == AF_INET6 ? "[IPv6:%s]" : "[%s]",
		 address_text(address, sizeof(address), (struct sockaddr *)&own));
}

static bool start_tls(const struct probe *probe, struct wire *wire)
{
	enum starttls_protocol protocol = probe->options.starttls;
	struct starttls dialogue;
	char name[64];

	if (protocol == STARTTLS_NONE)
		return true;
	ehlo_name(name, sizeof(name), wire->fd);
	return wire_talk(wire, &dialogue, starttls_begin(&dialogue, protocol, name));
}

static bool reach(struct probe *probe, struct probe_result *result, struct wire *wire, const struct target *target)
{
	const struct target *where = probe->options.connect ? probe->options.connect : target;
	const struct target *proxy = probe->options.proxy;

	if (!connect_to(probe, result, wire, proxy ? proxy : where))
		return false;
	if (proxy && !ask_proxy(wire, where))
		return false;
	return start_tls(probe, wire) && probe_handshake(result, wire);
}

static void take_report(struct probe_result *result)
{
	const struct clinch_report *report = result->report;

	result->accepted = report->accepted;
	result->reason = report->reason;
	for (unsigned i = 0; i < report->n && i < PROBE_MEMBERS_MAX; i++) {
		if (report->member[i].verdict.reason == report->reason) {
			result->blamed = i;
			break;
		}
	}
}

/* Nothing connects datagrams: without a word of TLS nobody is known to be there. */
static bool was_anybody_there(const struct probe_result *result)
{
	return !result->probe->options.udp || !(result->trouble == TROUBLE_REFUSED || result->trouble == TROUBLE_TIMEOUT ||
						result->trouble == TROUBLE_UNREACHABLE);
}

void probe_run(struct probe *probe, const struct target *target, const char *shown, struct probe_result *out)
{
	struct wire wire = { .fd = -1, .name = shown, .err = &out->err };

	*out = (struct probe_result){ .probe = probe, .shown = shown, .fd = -1 };
	out->deadline = wire.deadline = deadline_now() + probe->options.timeout_ms;
	wire.timeout_s = (double)probe->options.timeout_ms / 1000;
	if (probe->options.servername)
		snprintf(out->name, sizeof(out->name), "%s", probe->options.servername);
	else
		target_name(out->name, target);
	if (!reach(probe, out, &wire, target))
		out->trouble = wire.trouble;
	if (!was_anybody_there(out))
		out->address[0] = 0;
	if (!out->trouble) {
		probe_say(probe, "%s: %s, %s", shown, out->report->accepted ? "accepted" : "not accepted",
			  clinch_reason_name(out->report->reason));
		take_report(out);
		probe_ask(out);
	}
}

void probe_result_done(struct probe_result *result)
{
	bool judged = result->session && result->report, accepted = judged && result->report->accepted;

	if (accepted && !result->trouble)
		gnutls_bye(result->session, GNUTLS_SHUT_WR); /* one try: the socket does not block */
	if (judged && !accepted && !result->probe->options.udp)
		wire_leave(result->fd); /* an alert is on its way */
	if (result->session)
		gnutls_deinit(result->session);
	if (result->fd >= 0)
		close(result->fd);
	for (unsigned i = 0; i < PROBE_MEMBERS_MAX; i++)
		buf_done(&result->answer[i].der);
	*result = (struct probe_result){ .fd = -1 };
}
