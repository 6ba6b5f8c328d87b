/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/endpoint.h"
#include "base/error.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, in_port_t *out)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || end - text > 5 || port > 65535)
		return false;
	*out = htons((in_port_t)port);
	return true;
}

/* `host` is without brackets. */
static bool parse_host(struct endpoint *out, const char *host, bool is_v6, in_port_t port)
{
	if (is_v6) {
		out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
		out->len = sizeof(out->v6);
		return inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1;
	}
	out->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
	out->len = sizeof(out->v4);
	return inet_pton(AF_INET, host, &out->v4.sin_addr) == 1;
}

static bool parse_inet(struct endpoint *out, const char *text)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	in_port_t port;

	if (len < 2 || len >= sizeof(host) || !parse_port(colon + 1, &port))
		return false;
	bool is_v6 = text[0] == '[' && text[len - 1] == ']';
	if (is_v6) {
		text++;
		len -= 2;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	return parse_host(out, host, is_v6, port);
}

static int parse_local(struct endpoint *out, const char *path, const char *what, struct clinch_error *err)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(out->local.sun_path))
		return error_set(err, CLINCH_E_ARGUMENT, "%s: the path of a Unix socket has 1 to %zu bytes, not %zu", what,
				 sizeof(out->local.sun_path) - 1, len);
	out->local = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(out->local.sun_path, path, len);
	out->len = sizeof(out->local);
	return 0;
}

int endpoint_parse(struct endpoint *out, const char *text, bool local_too, const char *what, struct clinch_error *err)
{
	struct endpoint address = { .len = 0 };
	int code = 0;

	if (local_too && strncmp(text, "unix:", 5) == 0)
		code = parse_local(&address, text + 5, what, err);
	else if (!parse_inet(&address, text))
		code = error_set(err, CLINCH_E_ARGUMENT,
				 "%s wants an address and a port, 192.0.2.1:443 or [2001:db8::1]:443%s, not \"%.100s\"",
				 what, local_too ? ", or unix:PATH" : "", text);
	if (code == 0)
		*out = address;
	return code;
}

const char *endpoint_text(char out[ENDPOINT_TEXT_SIZE], const struct endpoint *address)
{
	char host[INET6_ADDRSTRLEN] = "";

	out[0] = '\0';
	if (address->len == 0)
		return out;
	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		snprintf(out, ENDPOINT_TEXT_SIZE, "%s:%u", host, ntohs(address->v4.sin_port));
	} else if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		snprintf(out, ENDPOINT_TEXT_SIZE, "[%s]:%u", host, ntohs(address->v6.sin6_port));
	} else if (address->any.sa_family == AF_UNIX) {
		snprintf(out, ENDPOINT_TEXT_SIZE, "unix:%s", address->local.sun_path);
	}
	return out;
}
