/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/url.h"
#include "base/cleanup.h"
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void release_text(char **held)
{
	curl_free(*held);
}

DEFINE_CLEANUP(CURLU *, cleanup_curlu, curl_url_cleanup)
#define auto_curlu AUTO(cleanup_curlu) CURLU
#define auto_curl_text AUTO(release_text) char

/* A part copied into `out`; false when it does not fit or there is none. */
static bool part(CURLU *parts, CURLUPart what, unsigned flags, char *out, size_t size)
{
	auto_curl_text *text = NULL;
	size_t len;

	if (curl_url_get(parts, what, &text, flags) != CURLUE_OK)
		return false;
	len = strlen(text);
	if (len >= size)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static bool printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f)
			return false;
	return true;
}

static bool take_parts(struct url *out, CURLU *parts, const char **why)
{
	char scheme[16], port[8];

	*why = "it is neither http nor https";
	if (!part(parts, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)))
		return false;
	out->https = strcasecmp(scheme, "https") == 0;
	if (!out->https && strcasecmp(scheme, "http") != 0)
		return false;
	*why = "it cannot be read as a URL";
	if (curl_url_set(parts, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
	    curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
	    curl_url_set(parts, CURLUPART_OPTIONS, NULL, 0) != CURLUE_OK ||
	    curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
		return false;
	if (!part(parts, CURLUPART_HOST, 0, out->host, sizeof(out->host)) || out->host[0] == 0 ||
	    !part(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof(port)) ||
	    !part(parts, CURLUPART_URL, 0, out->text, URL_LEN_MAX + 1))
		return false;
	/* libcurl decodes %AA in a host. */
	*why = "it has bytes that no URL may have";
	if (!printable(out->text, strlen(out->text)) || !printable(out->host, strlen(out->host)))
		return false;
	out->has_query = strchr(out->text, '?') != NULL;
	snprintf(out->lane, sizeof(out->lane), "%s://%s:%s", out->https ? "https" : "http", out->host, port);
	for (char *at = out->lane; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at |= 0x20;
	return true;
}

static bool why_not(CURLUcode code, const char **why)
{
	if (code == CURLUE_UNSUPPORTED_SCHEME)
		*why = "it is neither http nor https";
	else if (code == CURLUE_OUT_OF_MEMORY)
		*why = "there is no memory";
	else
		*why = "it cannot be read as a URL";
	return false;
}

/* libcurl would take "http:/host" and "http:///host" for "http://host". */
static bool names_host(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon && colon[1] == '/' && colon[2] == '/' && colon[3] != '/';
}

bool url_vet(struct url *out, const void *bytes, size_t len, const char **why)
{
	auto_curlu *parts = curl_url();
	char text[URL_LEN_MAX + 1];
	CURLUcode code;

	if (!parts)
		return why_not(CURLUE_OUT_OF_MEMORY, why);
	if (len == 0 || len > URL_LEN_MAX) {
		*why = len ? "it is longer than 1024 bytes" : "it is empty";
		return false;
	}
	memcpy(text, bytes, len);
	text[len] = 0;
	if (!printable(text, len)) {
		*why = "it has bytes that no URL may have";
		return false;
	}
	if (!names_host(text))
		return why_not(CURLUE_MALFORMED_INPUT, why);
	code = curl_url_set(parts, CURLUPART_URL, text, CURLU_PATH_AS_IS);
	if (code != CURLUE_OK)
		return why_not(code, why);
	return take_parts(out, parts, why);
}

bool url_follow(struct url *out, const struct url *base, const char *location, const char **why)
{
	auto_curlu *parts = curl_url();
	CURLUcode code;

	if (!parts)
		return why_not(CURLUE_OUT_OF_MEMORY, why);
	if (!printable(location, strlen(location)) || location[0] == 0) {
		*why = "it has bytes that no URL may have";
		return false;
	}
	code = curl_url_set(parts, CURLUPART_URL, base->text, CURLU_PATH_AS_IS);
	if (code == CURLUE_OK)
		code = curl_url_set(parts, CURLUPART_URL, location, CURLU_PATH_AS_IS);
	if (code != CURLUE_OK)
		return why_not(code, why);
	return take_parts(out, parts, why);
}

size_t url_request_path(char *out, const gnutls_datum_t *request)
{
	auto_datum text = { NULL, 0 };
	size_t len = 0;

	if (request->size > URL_PATH_MAX || gnutls_base64_encode2(request, &text) < 0)
		return 0;
	for (size_t i = 0; i < text.size && text.data[i]; i++) {
		char c = (char)text.data[i];
		bool escape = c == '+' || c == '/' || c == '=';
		size_t more = escape ? 3 : 1;

		if (len + more > URL_PATH_MAX)
			return 0;
		/* snprintf's NUL is overwritten by the next one */
		snprintf(out + len, more + 1, escape ? "%%%02X" : "%c", (unsigned char)c);
		len += more;
	}
	return len;
}

bool url_for_get(struct url *out, const struct url *base, const gnutls_datum_t *request)
{
	char path[URL_PATH_MAX + 1];
	size_t len = strlen(base->text);

	if (base->has_query || url_request_path(path, request) == 0)
		return false;
	*out = *base;
	snprintf(out->text + len, sizeof(out->text) - len, "%s%s", base->text[len - 1] == '/' ? "" : "/", path);
	return true;
}
