/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loaded before the C library: a name service that misbehaves on demand. one.test has one address, two.test has two of which
 * only the second listens, hang.test never answers, tired.test fails for now; anything else is not there. Literals and
 * numbers are the C library's as ever.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HANG_S 60

typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int two(getaddrinfo_fn real, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct addrinfo *second = NULL;
	int rc = real("127.0.0.2", service, hints, out);

	if (rc)
		return rc;
	rc = real("127.0.0.1", service, hints, &second);
	(*out)->ai_next = second; /* glibc's freeaddrinfo() goes along the list */
	return rc;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
		struct addrinfo **restrict out)
{
	getaddrinfo_fn real;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!node || (hints && hints->ai_flags & AI_NUMERICHOST))
		return real(node, service, hints, out);
	if (!strcmp(node, "two.test"))
		return two(real, service, hints, out);
	if (!strcasecmp(node, "one.test") || !strcmp(node, "one.test."))
		return real("127.0.0.1", service, hints, out);
	if (!strcmp(node, "hang.test"))
		sleep(HANG_S);
	return strcmp(node, "tired.test") ? EAI_NONAME : EAI_AGAIN;
}
