/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/fetch.h"

static const struct {
	const char *name;
	bool temporary;
} failures[FETCH_FAILURES] = {
	[FETCH_OK] = { "ok", false },
	[FETCH_NO_URL] = { "no-url", false },
	[FETCH_BAD_URL] = { "bad-url", false },
	[FETCH_NO_NAME] = { "no-such-name", false },
	[FETCH_NAME_TEMPORARY] = { "name-resolution-failing", true },
	[FETCH_PRIVATE_ADDRESS] = { "private-address", false },
	[FETCH_REFUSED] = { "no-connection", true },
	[FETCH_TIMED_OUT] = { "timed-out", true },
	[FETCH_UNTRUSTED] = { "tls-untrusted", false },
	[FETCH_TLS_FAILED] = { "tls-failed", false },
	[FETCH_PROXY_FAILED] = { "proxy-failed", false },
	[FETCH_BROKEN_OFF] = { "broken-off", true },
	[FETCH_NOT_HTTP] = { "not-http", false },
	[FETCH_TOO_LARGE] = { "too-large", false },
	[FETCH_REDIRECTED] = { "redirected", false },
	[FETCH_CLIENT_ERROR] = { "http-error", false },
	[FETCH_SERVER_ERROR] = { "http-server-error", true },
	[FETCH_TRY_LATER] = { "try-later", true },
	[FETCH_NOT_BELIEVED] = { "not-believed", false },
	[FETCH_SAID_UNKNOWN] = { "unknown", false },
	[FETCH_STALE_REVOKED] = { "revoked-not-fresh", false },
	[FETCH_NO_ISSUER] = { "not-the-issuer", false },
	[FETCH_NOT_ASKED] = { "not-asked", false },
	[FETCH_NO_MEMORY] = { "no-memory", true },
	[FETCH_INTERNAL] = { "internal", false },
};

const char *fetch_failure_name(enum fetch_failure failure)
{
	return failures[failure].name;
}

bool fetch_failure_is_temporary(enum fetch_failure failure)
{
	return failures[failure].temporary;
}

const char *fetch_phase_name(enum fetch_phase phase)
{
	static const char *const names[] = { "none", "dns", "connect", "tls", "http", "parse", "verify" };

	return names[phase];
}
