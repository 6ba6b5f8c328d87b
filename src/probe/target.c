/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/target.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct parts {
	const char *host, *port; /* port NULL: not given */
	size_t host_len;
	bool bracketed;
};

static int bad(struct clinch_error *err, const char *text, const char *what)
{
	char shown[160];

	return error_set(err, CLINCH_E_ARGUMENT, "\"%s\" %s", error_printable(shown, sizeof(shown), text, strlen(text)),
			 what);
}

static int split(struct parts *out, const char *text, struct clinch_error *err)
{
	const char *colon = strchr(text, ':');

	if (strstr(text, "://"))
		return bad(err, text, "is a URL: give HOST[:PORT], without scheme and path");
	if (text[0] == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return bad(err, text, "has a bracket too many or too few: write an IPv6 address as [ADDRESS]:PORT");
		*out = (struct parts){ text + 1, close[1] ? close + 2 : NULL, (size_t)(close - text) - 1, true };
		return 0;
	}
	if (colon && strchr(colon + 1, ':')) { /* several: an IPv6 address without brackets, and so without a port */
		*out = (struct parts){ text, NULL, strlen(text), true };
		return 0;
	}
	*out = (struct parts){ text, colon ? colon + 1 : NULL, colon ? (size_t)(colon - text) : strlen(text), false };
	return 0;
}

static bool parse_port(uint16_t *out, const char *text)
{
	unsigned long port = 0;
	size_t len = strlen(text);

	if (!len || len > 5 || strspn(text, "0123456789") != len)
		return false;
	for (size_t i = 0; i < len; i++)
		port = port * 10 + (unsigned long)(text[i] - '0');
	*out = (uint16_t)port;
	return port > 0 && port <= 65535;
}

static bool is_literal(const char *host, bool bracketed)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char bytes[sizeof(struct in6_addr)];
	size_t len = strcspn(host, "%");

	if (!bracketed)
		return inet_pton(AF_INET, host, bytes) == 1;
	if (len >= sizeof(address))
		return false;
	if (strspn(host + len, "%abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != strlen(host + len))
		return false;
	memcpy(address, host, len);
	address[len] = 0;
	return inet_pton(AF_INET6, address, bytes) == 1;
}

/* Asked before IDNA's mapping, which drops some characters: a line break in a name is not to be overlooked. */
static bool is_name(const char *host, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f || strchr("%/@?#\\\"", host[i]))
			return false;
	return true;
}

/* Letters that are not ASCII go by IDNA 2008. */
static int put_host(struct target *out, const struct parts *parts, const char *text, struct clinch_error *err)
{
	auto_datum ascii = { NULL, 0 };

	if (!is_name(parts->host, parts->host_len))
		return bad(err, text, "is not HOST[:PORT]: a host name has letters, digits, \"-\" and \".\"");
	if (gnutls_idna_map(parts->host, (unsigned)parts->host_len, &ascii, 0) < 0)
		return bad(err, text, "has a host name that IDNA 2008 does not allow");
	if (!ascii.size || ascii.size > TARGET_HOST_MAX)
		return bad(err, text, ascii.size ? "has a host name of more than 253 bytes" : "has no host name");
	memcpy(out->host, ascii.data, ascii.size);
	out->host[ascii.size] = 0;
	return 0;
}

int target_parse(struct target *out, const char *text, uint16_t port, struct clinch_error *err)
{
	struct target target = { .port = port };
	struct parts parts = { 0 };
	int rc = split(&parts, text, err);

	if (rc)
		return rc;
	if (parts.port && !parse_port(&target.port, parts.port))
		return bad(err, text, "has a port that is not a number from 1 to 65535");
	if (!target.port)
		return bad(err, text, "is without a port: write HOST:PORT");
	if (parts.bracketed && parts.host_len <= TARGET_HOST_MAX)
		memcpy(target.host, parts.host, parts.host_len);
	else
		rc = put_host(&target, &parts, text, err);
	if (rc)
		return rc;
	target.literal = is_literal(target.host, parts.bracketed);
	if (parts.bracketed && !target.literal)
		return bad(err, text, "is not HOST[:PORT]: with several colons or in brackets it must be an IPv6 address");
	*out = target;
	return 0;
}

const char *target_name(char out[TARGET_HOST_MAX + 1], const struct target *target)
{
	size_t len = target->literal ? strcspn(target->host, "%") : strlen(target->host);

	if (!target->literal && len > 1 && target->host[len - 1] == '.')
		len--;
	memcpy(out, target->host, len);
	out[len] = 0;
	return out;
}
