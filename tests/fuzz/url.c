/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs out of certificates, where they redirect to, and the header lines of an answer. Parts of an input end at a NUL. */
#include "fetch/url.h"
#include "fetch/http.h"
#include "fuzz.h"
#include <string.h>

/* What is asked is printable ASCII of http or https, without user and fragment. */
static void must_be_safe(const struct url *url)
{
	size_t len = strlen(url->text);

	MUST(len > 0 && len < sizeof(url->text));
	MUST(strncmp(url->text, url->https ? "https://" : "http://", url->https ? 8 : 7) == 0);
	for (size_t i = 0; i < len; i++)
		MUST(url->text[i] > 0x20 && url->text[i] < 0x7f && url->text[i] != '#');
	MUST(url->host[0] && strlen(url->host) < sizeof(url->host));
	MUST(!strchr(url->host, '@') && !strchr(url->host, '/'));
	const char *authority = strstr(url->text, "://") + 3, *end = authority + strcspn(authority, "/?");
	MUST(!memchr(authority, '@', (size_t)(end - authority)));
}

static size_t part(const uint8_t **at, const uint8_t *end, char *out, size_t size)
{
	const uint8_t *nul = memchr(*at, 0, (size_t)(end - *at)), *stop = nul ? nul : end;
	size_t len = (size_t)(stop - *at) < size - 1 ? (size_t)(stop - *at) : size - 1;

	if (len > 0)
		memcpy(out, *at, len);
	out[len] = '\0';
	*at = nul ? nul + 1 : end;
	return len;
}

static void headers(const uint8_t *at, const uint8_t *end)
{
	struct http_head head;
	char line[512];

	http_head_begin(&head);
	while (at < end) {
		size_t len = part(&at, end, line, sizeof(line));
		if (!http_head_line(&head, line, len, 1795453200))
			break;
		MUST(head.age_s >= 0 && head.retry_after_s >= -1 && head.max_age_s >= -1);
		MUST(strlen(head.location) < sizeof(head.location));
	}
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const gnutls_datum_t request = { (unsigned char *)(uintptr_t) "\xff\xef\xbf request", 11 };
	const uint8_t *at = data, *end = data + size;
	struct url url, next, get;
	char text[2048];
	const char *why = NULL;

	size_t len = part(&at, end, text, sizeof(text));
	if (!url_vet(&url, text, len, &why)) {
		MUST(why && *why);
		headers(at, end);
		return 0;
	}
	must_be_safe(&url);
	if (url_for_get(&get, &url, &request))
		must_be_safe(&get);
	part(&at, end, text, sizeof(text));
	if (url_follow(&next, &url, text, &why))
		must_be_safe(&next);
	if (url_follow(&url, &url, text, &why))
		must_be_safe(&url);
	headers(at, end);
	return 0;
}
