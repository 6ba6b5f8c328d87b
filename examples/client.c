/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A complete TLS client that judges what the server staples: client NAME PORT ROOTS.pem. What clinch adds is two calls.
 * Exit status: 0 accepted, 1 could not find out, 2 usage, 4 refused. */
#include <clinch/client.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define DEADLINE_S 10 /* to connect to one address, and for the whole handshake */

/* A connected socket, or -1. On Linux the time-out for sending bounds connect() too: socket(7). */
static int connect_to(const char *name, const char *port)
{
	const struct timeval limit = { .tv_sec = DEADLINE_S };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *at;
	int fd = -1;

	if (getaddrinfo(name, port, &hints, &list))
		return -1;
	for (at = list; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

/* Only when this returned 0 may anything be sent to the server, or believed of it. */
static int handshake(gnutls_session_t session, int fd)
{
	const struct clinch_report *report;
	int rc;

	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, DEADLINE_S * 1000);
	while ((rc = gnutls_handshake(session)) < 0 && !gnutls_error_is_fatal(rc))
		;
	report = clinch_client_report(session);
	for (unsigned i = 0; report && i < report->n; i++)
		printf("certificate %u: %s: %s\n", i, clinch_status_name(report->member[i].verdict.status),
		       clinch_reason_text(report->member[i].verdict.reason));
	if (report && !report->accepted)
		return printf("refused: %s\n", clinch_reason_text(report->reason)), 4;
	if (!report || rc < 0)
		return fprintf(stderr, "client: %s\n", rc < 0 ? gnutls_strerror(rc) : "the server has no certificate"), 1;
	return printf("accepted: %s\n", clinch_reason_text(report->reason)), 0;
}

int main(int argc, char **argv)
{
	gnutls_certificate_credentials_t trust = NULL;
	gnutls_session_t session = NULL;
	int fd, status = 1;

	if (argc != 4)
		return fputs("usage: client NAME PORT ROOTS.pem\n", stderr), 2;
	if ((fd = connect_to(argv[1], argv[2])) < 0)
		fprintf(stderr, "client: no connection to %s port %s\n", argv[1], argv[2]);
	else if (gnutls_certificate_allocate_credentials(&trust) ||
		 gnutls_certificate_set_x509_trust_file(trust, argv[3], GNUTLS_X509_FMT_PEM) <= 0)
		fprintf(stderr, "client: no root certificate in %s\n", argv[3]);
	else if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) || gnutls_set_default_priority(session) ||
		 gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, trust) ||
		 gnutls_server_name_set(session, GNUTLS_NAME_DNS, argv[1], strlen(argv[1])) ||
		 clinch_client_attach(session, argv[1], NULL))
		fprintf(stderr, "client: no session for %s\n", argv[1]);
	else if ((status = handshake(session, fd)) == 0) /* here: gnutls_record_send(), gnutls_record_recv() */
		gnutls_bye(session, GNUTLS_SHUT_WR);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(trust);
	close(fd);
	return status;
}
