/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For LD_PRELOAD: a resolver whose answers are known. Names that do not end in ".test" are the system's. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static atomic_int asked;

static void hang(void)
{
	for (;;)
		pause();
}

static int answer(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out, resolve *real)
{
	if (strcmp(name, "hang.test") == 0)
		hang();
	if (strcmp(name, "again.test") == 0)
		return EAI_AGAIN;
	if (strcmp(name, "again-then-hang.test") == 0 && atomic_fetch_add(&asked, 1) == 0)
		return EAI_AGAIN;
	if (strcmp(name, "again-then-hang.test") == 0)
		hang();
	if (strcmp(name, "none.test") == 0)
		return EAI_NONAME;
	if (strcmp(name, "loopback.test") == 0)
		return real("127.0.0.1", service, hints, out);
	if (strcmp(name, "private.test") == 0)
		return real("10.1.2.3", service, hints, out);
	return EAI_FAIL;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name, const char *restrict service,
						       const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");
	size_t len = name ? strlen(name) : 0;
	resolve *real;

	memcpy(&real, &found, sizeof(real));
	if (len > 5 && strcasecmp(name + len - 5, ".test") == 0)
		return answer(name, service, hints, out, real);
	return real(name, service, hints, out);
}
