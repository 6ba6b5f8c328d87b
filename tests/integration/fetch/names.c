/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For LD_PRELOAD: a resolver whose answers are known, and one public address that is this machine in disguise. Names that do
 * not end in ".test" are the system's.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

#define PUBLIC_ADDRESS "8.8.4.4"
#define FDS 1024

static atomic_int asked;
static atomic_bool disguised[FDS];

static void hang(void)
{
	for (;;)
		pause();
}

/* The private one first. */
static int both(const char *service, const struct addrinfo *hints, struct addrinfo **out, resolve *real)
{
	int rc = real("10.1.2.3", service, hints, out);
	struct addrinfo *last = rc == 0 ? *out : NULL;

	while (last && last->ai_next)
		last = last->ai_next;
	return last ? real(PUBLIC_ADDRESS, service, hints, &last->ai_next) : rc;
}

/* NAME.told.test: this machine, unless $TOLD_NAMES has a file of this name. It grows by a byte each time one asks. */
static int told(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out, resolve *real)
{
	const char *dir = getenv("TOLD_NAMES");
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "", name);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return real("127.0.0.1", service, hints, out);
	int rc = write(fd, "?", 1) == 1 ? EAI_NONAME : EAI_FAIL;
	close(fd);
	return rc;
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
	if (strlen(name) > 10 && strcmp(name + strlen(name) - 10, ".told.test") == 0)
		return told(name, service, hints, out, real);
	if (strcmp(name, "loopback.test") == 0)
		return real("127.0.0.1", service, hints, out);
	if (strcmp(name, "public.test") == 0)
		return real(PUBLIC_ADDRESS, service, hints, out);
	if (strcmp(name, "both.test") == 0)
		return both(service, hints, out, real);
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

static bool is_public_address(const struct sockaddr_in *address)
{
	return address->sin_family == AF_INET && address->sin_addr.s_addr == inet_addr(PUBLIC_ADDRESS);
}

/* Under names of our own, because the headers declare these two with arguments that only the C library can write. */
__attribute__((visibility("default"))) int our_connect(int fd, const struct sockaddr *address,
						       socklen_t len) __asm__("connect");
__attribute__((visibility("default"))) int our_getpeername(int fd, struct sockaddr *address,
							   socklen_t *len) __asm__("getpeername");

int our_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	void *found = dlsym(RTLD_NEXT, "connect");
	int (*real)(int, const struct sockaddr *, socklen_t);
	struct sockaddr_in in4 = { 0 };

	memcpy(&real, &found, sizeof(real));
	memcpy(&in4, address, len < sizeof(in4) ? len : sizeof(in4));
	if (fd < 0 || fd >= FDS || !is_public_address(&in4))
		return real(fd, address, len);
	disguised[fd] = true;
	in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return real(fd, (const struct sockaddr *)&in4, sizeof(in4));
}

int our_getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
	void *found = dlsym(RTLD_NEXT, "getpeername");
	int (*real)(int, struct sockaddr *, socklen_t *);
	struct sockaddr_in in4;
	int rc;

	memcpy(&real, &found, sizeof(real));
	rc = real(fd, address, len);
	if (rc != 0 || fd >= FDS || !disguised[fd] || *len < sizeof(in4))
		return rc;
	memcpy(&in4, address, sizeof(in4));
	in4.sin_addr.s_addr = inet_addr(PUBLIC_ADDRESS);
	memcpy(address, &in4, sizeof(in4));
	return 0;
}
