/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/proxy.h"
#include "base/error.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct word {
	const char *at;
	size_t len;
};

/* An address and how many bytes it has; 0: it is a name. */
static size_t address_of(uint8_t *out, const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN];

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (inet_pton(AF_INET, copy, out) == 1)
		return 4;
	return inet_pton(AF_INET6, copy, out) == 1 ? 16 : 0;
}

static bool bits_of(unsigned *out, const char *text, size_t len, size_t max)
{
	unsigned value = 0;

	if (len == 0 || len > 3)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*out = value;
	return value <= max;
}

/* "10.0.0.0/8" or one address; names never match here. */
static bool network_has(struct word network, const char *host)
{
	const char *slash = memchr(network.at, '/', network.len);
	size_t len = slash ? (size_t)(slash - network.at) : network.len;
	uint8_t a[16], b[16];
	size_t size = address_of(a, network.at, len);
	unsigned bits, rest;

	if (size == 0 || address_of(b, host, strlen(host)) != size)
		return false;
	bits = (unsigned)size * 8;
	if (slash && !bits_of(&bits, slash + 1, network.len - len - 1, size * 8))
		return false;
	rest = bits % 8;
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) & (uint8_t)(0xff00 >> rest)) == 0;
}

/* "corp.example" and ".corp.example" are the name and all below it. */
static bool domain_has(struct word domain, const char *host)
{
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (domain.len > 0 && domain.at[0] == '.') {
		domain.at++;
		domain.len--;
	}
	if (domain.len == 0 || domain.len > len || strncasecmp(host + len - domain.len, domain.at, domain.len) != 0)
		return false;
	return domain.len == len || host[len - domain.len - 1] == '.';
}

static bool excepted(const char *list, const char *host)
{
	if (!list)
		return false;
	while (*list) {
		struct word word;

		list += strspn(list, ", \t");
		word = (struct word){ list, strcspn(list, ", \t") };
		list += word.len;
		if (word.len == 1 && word.at[0] == '*')
			return true;
		if (network_has(word, host) || domain_has(word, host))
			return true;
	}
	return false;
}

const char *proxy_for(const struct fetch_proxies *proxies, const struct url *url)
{
	const char *proxy;

	if (!proxies)
		return NULL;
	proxy = url->https ? proxies->https : proxies->http;
	if (!proxy || !*proxy)
		proxy = proxies->all;
	if (!proxy || !*proxy || excepted(proxies->except, url->host))
		return NULL;
	return proxy;
}

const char *proxy_text(char *out, size_t size, const char *proxy)
{
	const char *host = strstr(proxy, "://");
	const char *at;

	host = host ? host + 3 : proxy;
	at = strrchr(host, '@');
	host = at ? at + 1 : host;
	return error_printable(out, size, host, strcspn(host, "/"));
}
