/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demo/teller.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 2000 /* with one who asks */
#define REQUEST_MAX 8192

struct teller {
	int listener;
	struct buf answer;
};

static bool readable(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, PATIENCE_MS) == 1;
}

static void read_request(int fd)
{
	char request[REQUEST_MAX + 1];
	size_t len = 0;
	ssize_t n;

	while (len < REQUEST_MAX && readable(fd) && (n = read(fd, request + len, REQUEST_MAX - len)) > 0) {
		len += (size_t)n;
		request[len] = 0;
		if (strstr(request, "\r\n\r\n"))
			return;
	}
}

static void tell(void *user)
{
	struct teller *teller = user;
	char rest[512];

	for (;;) {
		auto_fd fd = accept(teller->listener, NULL, NULL);
		if (fd < 0)
			continue;
		read_request(fd);
		if (send(fd, teller->answer.data, teller->answer.len, MSG_NOSIGNAL) < 0 || shutdown(fd, SHUT_WR) < 0)
			continue;
		while (readable(fd) && read(fd, rest, sizeof(rest)) > 0)
			;
	}
}

static int listen_at(uint16_t *port, struct clinch_error *err)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(*port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return error_errno(err, "127.0.0.1:%u", *port);
	*port = ntohs(at.sin_port);
	int owned = fd;
	fd = -1;
	return owned;
}

int teller_start(struct stage *stage, enum stage_part part, uint16_t *port, const char *content_type, const void *body,
		 size_t len, struct clinch_error *err)
{
	auto_buf answer = { .max = 1 << 20 };
	auto_fd listener = listen_at(port, err);

	if (listener < 0)
		return listener;
	if (!buf_printf(&answer, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", content_type, len) ||
	    !buf_add(&answer, body, len))
		return error_set(err, CLINCH_E_MEMORY, "no memory");
	struct teller teller = { listener, answer };
	return stage_fork(stage, part, tell, &teller, err);
}
