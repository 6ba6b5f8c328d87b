/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What kind of place an address is. A URL out of a stranger's certificate must not lead to the machine itself or to the
 * network behind it, so the judge looks at the address that is about to be connected to, after redirects and name
 * resolution.
 */
#ifndef FETCH_ADDRESS_H
#define FETCH_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum address_class {
	ADDRESS_PUBLIC,
	ADDRESS_UNSPECIFIED, /* 0.0.0.0/8, :: */
	ADDRESS_LOOPBACK,
	ADDRESS_LINK_LOCAL,
	ADDRESS_PRIVATE, /* RFC 1918, RFC 6598, RFC 4193, and the deprecated site-local */
	ADDRESS_MULTICAST,
	ADDRESS_RESERVED, /* everything else that RFC 6890 does not give out, and families other than IPv4 and IPv6 */
};

/* An IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4) is judged as itself. */
enum address_class address_class_of(const struct sockaddr *address);
const char *address_class_name(enum address_class class); /* "loopback"; static */

/* The class of a host that is written as an address, or is "localhost" or below it; false for any other name. */
bool address_class_of_host(enum address_class *out, const char *host);

/* "192.0.2.1" or "2001:db8::1"; at least INET6_ADDRSTRLEN bytes. */
const char *address_text(char *out, size_t size, const struct sockaddr *address);

#endif
