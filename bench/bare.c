/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The peer that `clinch serve` is measured against: the least that an epoll server on bare GnuTLS does for a handshake, with
 * a fixed staple, session tickets and ALPN. It reads until its client closes.
 *
 * clinch-bench-bare FOLDER: prints its port, serves until its standard input ends.
 */
#include "base/cleanup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/ocsp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define EVENTS 64

struct client {
	int fd;
	bool shaken;
	gnutls_session_t session;
};

static struct {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	gnutls_datum_t ticket_key;
	int epoll, listening;
} server;

static void leave(struct client *client)
{
	gnutls_deinit(client->session);
	close(client->fd);
	free(client);
}

static bool load(const char *folder)
{
	char chain[4096], key[4096], staple[4096];

	snprintf(chain, sizeof(chain), "%s/chain.pem", folder);
	snprintf(key, sizeof(key), "%s/key.pem", folder);
	snprintf(staple, sizeof(staple), "%s/staple.der", folder);
	return gnutls_certificate_allocate_credentials(&server.credentials) >= 0 &&
	       gnutls_certificate_set_x509_key_file(server.credentials, chain, key, GNUTLS_X509_FMT_PEM) >= 0 &&
	       gnutls_certificate_set_ocsp_status_request_file2(server.credentials, staple, 0, GNUTLS_X509_FMT_DER) >= 0 &&
	       gnutls_session_ticket_key_generate(&server.ticket_key) >= 0 &&
	       gnutls_priority_init(&server.priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL) >= 0;
}

static int listen_somewhere(unsigned *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) || listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	*port = ntohs(address.sin_port);
	return fd;
}

static bool begin(struct client *client)
{
	static const gnutls_datum_t http = { (unsigned char *)(uintptr_t) "http/1.1", 8 };
	const int on = 1;

	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (gnutls_init(&client->session, GNUTLS_SERVER | GNUTLS_NONBLOCK) < 0 ||
	    gnutls_priority_set(client->session, server.priority) < 0 ||
	    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, server.credentials) < 0 ||
	    gnutls_session_ticket_enable_server(client->session, &server.ticket_key) < 0 ||
	    gnutls_alpn_set_protocols(client->session, &http, 1, 0) < 0)
		return false;
	gnutls_transport_set_int(client->session, client->fd);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	return epoll_ctl(server.epoll, EPOLL_CTL_ADD, client->fd, &event) == 0;
}

static void greet(void)
{
	int fd;

	while ((fd = accept4(server.listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct client *client = calloc(1, sizeof(*client));
		if (!client) {
			close(fd);
			return;
		}
		client->fd = fd;
		if (!begin(client))
			leave(client);
	}
}

/* False: it is over. */
static bool go_on(struct client *client)
{
	char rest[4096];
	ssize_t rc;

	while (!client->shaken) {
		rc = gnutls_handshake(client->session);
		if (rc < 0)
			return !gnutls_error_is_fatal((int)rc);
		client->shaken = true;
	}
	do
		rc = gnutls_record_recv(client->session, rest, sizeof(rest));
	while (rc > 0);
	return rc < 0 && !gnutls_error_is_fatal((int)rc);
}

static int serve(void)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(server.epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &server.epoll)
				return 0;
			if (events[i].data.ptr == &server.listening)
				greet();
			else if (!go_on(events[i].data.ptr))
				leave(events[i].data.ptr);
		}
	}
}

int main(int argc, char **argv)
{
	struct epoll_event listening = { .events = EPOLLIN, .data.ptr = &server.listening };
	struct epoll_event input = { .events = EPOLLIN, .data.ptr = &server.epoll };
	unsigned port = 0;

	server.listening = listen_somewhere(&port);
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (argc != 2 || server.listening < 0 || server.epoll < 0 || !load(argv[1]) ||
	    epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listening, &listening) ||
	    epoll_ctl(server.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input)) {
		fprintf(stderr, "bench: the bare server cannot start with %s\n", argc == 2 ? argv[1] : "no folder");
		return 1;
	}
	printf("%u\n", port);
	fflush(stdout);
	return serve();
}
