/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server that both clients of the `check` row talk to: TLS 1.3, one connection after the other, with a staple.
 *
 * clinch-bench-server FOLDER: prints its port, serves until its standard input ends.
 */
#include "base/cleanup.h"
#include <arpa/inet.h>
#include <gnutls/ocsp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#define IDLE_MS 5000

DEFINE_CLEANUP(gnutls_session_t, cleanup_session, gnutls_deinit)
DEFINE_CLEANUP(gnutls_certificate_credentials_t, cleanup_credentials, gnutls_certificate_free_credentials)

static int listen_somewhere(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int listening = fd;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	*port = ntohs(address.sin_port);
	fd = -1;
	return listening;
}

static bool load(gnutls_certificate_credentials_t *out, const char *folder)
{
	char chain[4096], key[4096], staple[4096];

	snprintf(chain, sizeof(chain), "%s/chain.pem", folder);
	snprintf(key, sizeof(key), "%s/key.pem", folder);
	snprintf(staple, sizeof(staple), "%s/staple.der", folder);
	return gnutls_certificate_allocate_credentials(out) >= 0 &&
	       gnutls_certificate_set_x509_key_file(*out, chain, key, GNUTLS_X509_FMT_PEM) >= 0 &&
	       gnutls_certificate_set_ocsp_status_request_file2(*out, staple, 0, GNUTLS_X509_FMT_DER) >= 0;
}

static void serve(gnutls_certificate_credentials_t credentials, int listening)
{
	auto_fd fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	AUTO(cleanup_session) gnutls_session_t session = NULL;
	char rest[256];
	int rc;

	if (fd < 0 || gnutls_init(&session, GNUTLS_SERVER) < 0 ||
	    gnutls_priority_set_direct(session, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) < 0 ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) < 0)
		return;
	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, IDLE_MS);
	gnutls_record_set_timeout(session, IDLE_MS);
	do
		rc = gnutls_handshake(session);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	while (rc >= 0 && gnutls_record_recv(session, rest, sizeof(rest)) > 0)
		;
}

int main(int argc, char **argv)
{
	AUTO(cleanup_credentials) gnutls_certificate_credentials_t credentials = NULL;
	uint16_t port = 0;
	auto_fd listening = listen_somewhere(&port);

	if (argc != 2 || listening < 0 || !load(&credentials, argv[1])) {
		fprintf(stderr, "bench: the server cannot start with %s\n", argc == 2 ? argv[1] : "no folder");
		return 1;
	}
	printf("%u\n", port);
	fflush(stdout);
	for (;;) {
		struct pollfd wait[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = listening, .events = POLLIN } };

		if (poll(wait, 2, -1) < 0 || wait[0].revents)
			return 0;
		serve(credentials, listening);
	}
}
