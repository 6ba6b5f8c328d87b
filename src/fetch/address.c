/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct range {
	uint8_t prefix[16];
	uint8_t bits;
	uint8_t class;
	uint8_t inner; /* where an IPv4 address stands that is judged instead; 0: nowhere */
};

/* RFC 6890 and the IANA special-purpose registries. The first match counts. */
static const struct range ranges4[] = {
	{ { 0 }, 8, ADDRESS_UNSPECIFIED, 0 },          { { 10 }, 8, ADDRESS_PRIVATE, 0 },
	{ { 100, 64 }, 10, ADDRESS_PRIVATE, 0 },       { { 127 }, 8, ADDRESS_LOOPBACK, 0 },
	{ { 169, 254 }, 16, ADDRESS_LINK_LOCAL, 0 },   { { 172, 16 }, 12, ADDRESS_PRIVATE, 0 },
	{ { 192, 0, 0 }, 24, ADDRESS_RESERVED, 0 },    { { 192, 0, 2 }, 24, ADDRESS_RESERVED, 0 },
	{ { 192, 168 }, 16, ADDRESS_PRIVATE, 0 },      { { 198, 18 }, 15, ADDRESS_RESERVED, 0 },
	{ { 198, 51, 100 }, 24, ADDRESS_RESERVED, 0 }, { { 203, 0, 113 }, 24, ADDRESS_RESERVED, 0 },
	{ { 224 }, 4, ADDRESS_MULTICAST, 0 },          { { 240 }, 4, ADDRESS_RESERVED, 0 },
};

static const struct range ranges6[] = {
	{ { 0 }, 128, ADDRESS_UNSPECIFIED, 0 },
	{ { [15] = 1 }, 128, ADDRESS_LOOPBACK, 0 },
	{ { [10] = 0xff, [11] = 0xff }, 96, ADDRESS_PUBLIC, 12 },
	{ { 0 }, 96, ADDRESS_PUBLIC, 12 },
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, ADDRESS_PUBLIC, 12 },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, ADDRESS_PRIVATE, 0 },
	{ { 0x01 }, 64, ADDRESS_RESERVED, 0 },
	{ { 0x20, 0x01 }, 23, ADDRESS_RESERVED, 0 },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, ADDRESS_RESERVED, 0 },
	{ { 0x20, 0x02 }, 16, ADDRESS_PUBLIC, 2 },
	{ { 0xfc }, 7, ADDRESS_PRIVATE, 0 },
	{ { 0xfe, 0x80 }, 10, ADDRESS_LINK_LOCAL, 0 },
	{ { 0xfe, 0xc0 }, 10, ADDRESS_PRIVATE, 0 },
	{ { 0xff }, 8, ADDRESS_MULTICAST, 0 },
	{ { 0x20 }, 3, ADDRESS_PUBLIC, 0 }, /* global unicast: 2000::/3, and nothing else */
	{ { 0 }, 0, ADDRESS_RESERVED, 0 },
};

static bool in_range(const uint8_t *address, const struct range *range)
{
	unsigned whole = range->bits / 8, rest = range->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(address, range->prefix, whole) != 0)
		return false;
	return rest == 0 || (address[whole] & mask) == (range->prefix[whole] & mask);
}

static enum address_class class_of_4(const uint8_t *address)
{
	for (size_t i = 0; i < sizeof(ranges4) / sizeof(*ranges4); i++)
		if (in_range(address, &ranges4[i]))
			return ranges4[i].class;
	return ADDRESS_PUBLIC;
}

static enum address_class class_of_6(const uint8_t *address)
{
	for (size_t i = 0; i < sizeof(ranges6) / sizeof(*ranges6); i++)
		if (in_range(address, &ranges6[i]))
			return ranges6[i].inner ? class_of_4(address + ranges6[i].inner) : ranges6[i].class;
	return ADDRESS_RESERVED;
}

enum address_class address_class_of(const struct sockaddr *address)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		return class_of_4((const uint8_t *)&in4.sin_addr);
	}
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		return class_of_6(in6.sin6_addr.s6_addr);
	}
	return ADDRESS_RESERVED;
}

const char *address_class_name(enum address_class class)
{
	static const char *const names[] = { "public",  "unspecified", "loopback", "link-local",
					     "private", "multicast",   "reserved" };

	return names[class];
}

static bool is_localhost(const char *host)
{
	size_t len = strlen(host), tail = strlen("localhost");

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len < tail || strncasecmp(host + len - tail, "localhost", tail) != 0)
		return false;
	return len == tail || host[len - tail - 1] == '.';
}

bool address_class_of_host(enum address_class *out, const char *host)
{
	char bare[INET6_ADDRSTRLEN];
	size_t skip = host[0] == '[';
	size_t len = strcspn(host + skip, "]%");
	struct in_addr in4;
	struct in6_addr in6;

	if (is_localhost(host)) {
		*out = ADDRESS_LOOPBACK;
		return true;
	}
	if (len >= sizeof(bare))
		return false;
	memcpy(bare, host + skip, len);
	bare[len] = 0;
	if (inet_pton(AF_INET, bare, &in4) == 1)
		*out = class_of_4((const uint8_t *)&in4);
	else if (inet_pton(AF_INET6, bare, &in6) == 1)
		*out = class_of_6(in6.s6_addr);
	else
		return false;
	return true;
}

const char *address_text(char *out, size_t size, const struct sockaddr *address)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	out[0] = 0;
	if (address->sa_family == AF_INET) {
		memcpy(&in4, address, sizeof(in4));
		inet_ntop(AF_INET, &in4.sin_addr, out, (socklen_t)size);
	} else if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, out, (socklen_t)size);
	}
	return out;
}
