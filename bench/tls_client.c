/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The peer that `clinch check` is measured against: the least a client on bare GnuTLS does for one target after the other.
 * Connect, handshake, gnutls_certificate_verify_peers3() (which has GnuTLS's own check of the staple in it), ask whether a
 * staple was checked, close.
 *
 * clinch-bench-client CA.pem PORT TIMES [ALPN]
 */
#include "base/cleanup.h"
#include <arpa/inet.h>
#include <gnutls/ocsp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

DEFINE_CLEANUP(gnutls_session_t, cleanup_session, gnutls_deinit)
DEFINE_CLEANUP(gnutls_certificate_credentials_t, cleanup_credentials, gnutls_certificate_free_credentials)

static int dial(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int connected = fd;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return -1;
	fd = -1;
	return connected;
}

static bool shake_hands(gnutls_session_t session)
{
	int rc;

	do
		rc = gnutls_handshake(session);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	if (rc < 0)
		fprintf(stderr, "bench: handshake: %s\n", gnutls_strerror(rc));
	return rc >= 0;
}

static bool offer(gnutls_session_t session, const char *protocol)
{
	const gnutls_datum_t name = { (unsigned char *)(uintptr_t)protocol, protocol ? (unsigned)strlen(protocol) : 0 };

	return !protocol || gnutls_alpn_set_protocols(session, &name, 1, 0) >= 0;
}

static bool visit(gnutls_certificate_credentials_t credentials, uint16_t port, const char *protocol)
{
	auto_fd fd = dial(port);
	AUTO(cleanup_session) gnutls_session_t session = NULL;
	unsigned status = 0;

	if (fd < 0 || gnutls_init(&session, GNUTLS_CLIENT) < 0 || gnutls_set_default_priority(session) < 0 ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) < 0 ||
	    gnutls_ocsp_status_request_enable_client(session, NULL, 0, NULL) < 0 || !offer(session, protocol))
		return false;
	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, GNUTLS_DEFAULT_HANDSHAKE_TIMEOUT);
	if (!shake_hands(session) || gnutls_certificate_verify_peers3(session, "127.0.0.1", &status) < 0 || status != 0)
		return false;
	if (!gnutls_ocsp_status_request_is_checked(session, 0))
		return false;
	gnutls_bye(session, GNUTLS_SHUT_WR);
	return true;
}

int main(int argc, char **argv)
{
	AUTO(cleanup_credentials) gnutls_certificate_credentials_t credentials = NULL;
	bool right = argc == 4 || argc == 5;
	long port = right ? strtol(argv[2], NULL, 10) : 0;
	long times = right ? strtol(argv[3], NULL, 10) : 0;

	if (port <= 0 || port > UINT16_MAX || times <= 0) {
		fprintf(stderr, "usage: clinch-bench-client CA.pem PORT TIMES [ALPN]\n");
		return 2;
	}
	if (gnutls_certificate_allocate_credentials(&credentials) < 0 ||
	    gnutls_certificate_set_x509_trust_file(credentials, argv[1], GNUTLS_X509_FMT_PEM) != 1) {
		fprintf(stderr, "bench: %s: no trust anchor in it\n", argv[1]);
		return 1;
	}
	for (long i = 0; i < times; i++) {
		if (!visit(credentials, (uint16_t)port, argc == 5 ? argv[4] : NULL)) {
			fprintf(stderr, "bench: the bare client failed at target %ld of %ld\n", i + 1, times);
			return 1;
		}
	}
	return 0;
}
