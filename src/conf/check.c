/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a text has to be, as far as the text alone can tell. Nothing is opened, resolved or bound. */
#include "conf/schema.h"
#include <limits.h>
#include <string.h>
#include <sys/un.h>

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static bool is_ascii_word(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return false;
	return true;
}

const char *check_path(const char *text)
{
	if (text[0] != '/')
		return "wants an absolute path";
	if (has_control(text))
		return "has a control character";
	return strlen(text) >= PATH_MAX ? "is too long for a path" : NULL;
}

const char *check_pattern(const char *text)
{
	return check_path(text);
}

static bool is_placeholder(const char *at, size_t *len)
{
	static const char *const known[] = { "{name}", "{fingerprint}", "{key_type}" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		*len = strlen(known[i]);
		if (!strncmp(at, known[i], *len))
			return true;
	}
	return false;
}

const char *check_file_template(const char *text)
{
	const char *sentence = check_path(text), *slash = strrchr(text, '/');
	size_t len;

	if (sentence)
		return sentence;
	if (!slash[1])
		return "names a directory, not a file";
	for (const char *at = strpbrk(text, "{}"); at; at = strpbrk(at + len, "{}")) {
		if (!is_placeholder(at, &len))
			return "has braces around something else than {name}, {fingerprint} or {key_type}";
		if (at < slash)
			return "has a placeholder in a directory: only the file's name may have one";
	}
	return NULL;
}

const char *check_socket_path(const char *text)
{
	const char *sentence = check_path(text);
	const struct sockaddr_un *address = NULL;

	if (sentence)
		return sentence;
	return strlen(text) >= sizeof(address->sun_path) ? "is too long for a Unix socket (107 bytes at most)" : NULL;
}

const char *check_socket_or_none(const char *text)
{
	return strcmp(text, "none") ? check_socket_path(text) : NULL;
}

/* Only what is plainly no URL: the fetcher has the last word. */
const char *check_url(const char *text)
{
	const char *at = strncmp(text, "http://", 7) ? NULL : text + 7;

	if (!strncmp(text, "https://", 8))
		at = text + 8;
	if (!at || !is_ascii_word(text))
		return "wants a URL of http or https";
	if (!strcspn(at, "/?#"))
		return "is a URL without a host";
	return memchr(at, '@', strcspn(at, "/?#")) ? "has a user in its URL: a responder is given none" : NULL;
}

const char *check_proxy(const char *text)
{
	static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5", "socks5h" };
	const char *colon = strstr(text, "://");

	if (!strcmp(text, "env") || !strcmp(text, "none"))
		return NULL;
	for (size_t i = 0; colon && i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strlen(schemes[i]) == (size_t)(colon - text) && !strncmp(text, schemes[i], (size_t)(colon - text)))
			return is_ascii_word(text) && strcspn(colon + 3, "/?#") ? NULL : "is a proxy's URL without a host";
	return "wants env, none, or the URL of a proxy (http, https, socks4, socks4a, socks5 or socks5h)";
}

static bool is_port(const char *text)
{
	size_t len = strspn(text, "0123456789");
	unsigned port = 0;

	if (len == 0 || len > 5 || text[len])
		return false;
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	return port <= 65535;
}

static const char *address(const char *text, const char *sentence)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!colon || !len || !is_port(colon + 1) || !is_ascii_word(text))
		return sentence;
	if (text[0] == '[')
		return text[len - 1] == ']' && len > 2 ? NULL : sentence;
	return memchr(text, ':', len) ? "wants brackets around an IPv6 address" : NULL;
}

const char *check_listen(const char *text)
{
	return address(text, "wants an address and a port, like 0.0.0.0:443 or \"[::]:443\"");
}

const char *check_metrics_listen(const char *text)
{
	return address(text, "wants an address and a port, like 127.0.0.1:9469 or \"[::1]:9469\"");
}

const char *check_backend(const char *text)
{
	if (!strncmp(text, "unix:", 5))
		return check_socket_path(text + 5) ? "wants unix: and the absolute path of a socket (107 bytes at most)"
						   : NULL;
	return address(text, "wants an address and a port like 127.0.0.1:8080, or unix: and a path");
}

const char *check_key(const char *text)
{
	if (!strncmp(text, "pkcs11:", 7))
		return is_ascii_word(text) ? NULL : "is not a pkcs11: URL";
	return check_path(text) ? "wants an absolute path or a pkcs11: URL" : NULL;
}

/* RFC 7301 3.1: 1 to 255 bytes. */
const char *check_alpn(const char *text)
{
	return strlen(text) > 255 || !is_ascii_word(text) ? "wants the name of a protocol, like h2" : NULL;
}

const char *check_word(const char *text)
{
	return has_control(text) ? "has a control character" : NULL;
}

const char *check_argument(const char *text)
{
	return strlen(text) > 4096 ? "is too long for an argument (4096 bytes at most)" : NULL;
}

/* At most 64 bytes, as a CertID may have them. */
const char *check_serial(const char *text)
{
	size_t len = strlen(text);

	return len && len <= 128 && strspn(text, "0123456789abcdefABCDEF") == len ? NULL : "is not a serial in hexadecimal";
}
