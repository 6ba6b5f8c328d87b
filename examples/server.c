/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A complete TLS server that staples: server PORT CHAIN.pem KEY.pem STORE, an echo on the loopback address. The store is the
 * directory that `clinch keep` fills; what clinch adds is four calls. Ends with its listener, on SIGTERM. */
#include <arpa/inet.h>
#include <clinch/stapler.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 10 /* for a handshake, and for one message */
#define REFRESH_S 1   /* once a minute is enough where staples live for days */

static int listen_on(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((in_port_t)strtoul(port, NULL, 10)) };
	socklen_t len = sizeof(address);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 16) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* One client after the other: a server of many has its own event loop, and the same calls. */
static void serve(clinch_stapler_t *stapler, int fd)
{
	const struct timeval limit = { .tv_sec = DEADLINE_S };
	gnutls_session_t session = NULL;
	char message[4096];
	ssize_t n = -1;
	int rc = -1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL) && !gnutls_set_default_priority(session) &&
	    !clinch_stapler_attach(stapler, session)) {
		gnutls_transport_set_int(session, fd);
		gnutls_handshake_set_timeout(session, DEADLINE_S * 1000);
		while ((rc = gnutls_handshake(session)) < 0 && !gnutls_error_is_fatal(rc))
			;
	}
	printf("%s, %d staples\n", rc < 0 ? gnutls_strerror(rc) : "a client", session ? clinch_stapler_sent(session) : 0);
	fflush(stdout);
	while (rc == 0 && (n = gnutls_record_recv(session, message, sizeof(message))) > 0)
		if (gnutls_record_send(session, message, (size_t)n) < 0)
			break;
	if (n == 0)
		gnutls_bye(session, GNUTLS_SHUT_WR);
	gnutls_deinit(session);
	close(fd);
}

int main(int argc, char **argv)
{
	struct clinch_error err = { .text = "" };
	clinch_stapler_t *stapler = NULL;
	time_t refreshed = 0;

	if (argc != 5)
		return fputs("usage: server PORT CHAIN.pem KEY.pem STORE\n", stderr), 2;
	if (clinch_stapler_new(&stapler, &(struct clinch_stapler_options){ .store_dir = argv[4] }, &err) ||
	    clinch_stapler_add_file(stapler, argv[2], argv[3], &err))
		return fprintf(stderr, "server: %s\n", err.text), 1;
	struct pollfd listener = { .fd = listen_on(argv[1]), .events = POLLIN };
	if (listener.fd < 0)
		return perror("server: cannot listen"), 1;
	for (;;) {
		if (poll(&listener, 1, REFRESH_S * 1000) > 0) {
			int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
			if (fd >= 0)
				serve(stapler, fd);
		}
		if (time(NULL) - refreshed < REFRESH_S)
			continue;
		refreshed = time(NULL);
		if (clinch_stapler_refresh(stapler, refreshed, &err)) /* what was held stays */
			fprintf(stderr, "server: %s\n", err.text);
	}
}
