/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/sockets.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/endpoint.h"
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define QUEUE 4096 /* the kernel takes the smaller of this and net.core.somaxconn */

static int open_bound(const struct endpoint *address, bool shared)
{
	auto_fd fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0))
		return -1;
	/* "[::]" beside "0.0.0.0" are two addresses, whatever the system's default is. */
	if (address->any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets have it from here */
	if (bind(fd, &address->any, address->len) < 0)
		return -1;
	int taken = fd;
	fd = -1;
	return taken;
}

/* With SO_REUSEPORT a second server would be let in, and get half of the first one's clients: it is asked without it. */
static int check_alone(const struct endpoint *address, const char *text, struct clinch_error *err)
{
	auto_fd fd = open_bound(address, false);

	return fd < 0 ? error_errno(err, "listen: %s cannot be bound", text) : 0;
}

static int bind_address(struct sockets *sockets, size_t i, struct endpoint address, const char *text,
			struct clinch_error *err)
{
	char bound[ENDPOINT_TEXT_SIZE];
	int code = check_alone(&address, text, err);

	if (code < 0)
		return code;
	for (unsigned thread = 0; thread < sockets->threads; thread++) {
		int fd = open_bound(&address, true);
		if (fd < 0)
			return error_errno(err, "listen: %s cannot be bound", text);
		sockets->fd[thread * sockets->n + i] = fd;
		/* Port 0: the others share the port that the first one got. */
		if (thread == 0 && getsockname(fd, &address.any, &address.len) < 0)
			return error_errno(err, "listen: %s", text);
	}
	sockets->bound[i] = strdup(endpoint_text(bound, &address));
	return sockets->bound[i] ? 0 : error_set(err, CLINCH_E_MEMORY, "no memory for the listening sockets");
}

int sockets_bind(struct sockets *out, const char *const *listen_at, size_t n, unsigned threads, struct clinch_error *err)
{
	size_t total = threads * n;
	struct endpoint address;
	int code = 0;

	*out = (struct sockets){ .n = n, .threads = threads };
	out->fd = malloc(total * sizeof(*out->fd));
	out->bound = calloc(n, sizeof(*out->bound));
	if (!out->fd || !out->bound)
		code = error_set(err, CLINCH_E_MEMORY, "no memory for the listening sockets");
	for (size_t i = 0; out->fd && i < total; i++)
		out->fd[i] = -1;
	for (size_t i = 0; i < n && code == 0; i++) {
		code = endpoint_parse(&address, listen_at[i], false, "listen", err);
		if (code == 0)
			code = bind_address(out, i, address, listen_at[i], err);
	}
	return code;
}

int sockets_listen(int fd)
{
	return listen(fd, QUEUE);
}

void sockets_done(struct sockets *sockets)
{
	for (size_t i = 0; sockets->fd && i < sockets->threads * sockets->n; i++)
		if (sockets->fd[i] >= 0)
			close(sockets->fd[i]);
	for (size_t i = 0; sockets->bound && i < sockets->n; i++)
		free(sockets->bound[i]);
	free(sockets->fd);
	free(sockets->bound);
	*sockets = (struct sockets){ .n = 0 };
}
