/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demo/client.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define HOST "127.0.0.1"
#define DEADLINE_S 10
#define TICKETS_MAX 4

DEFINE_CLEANUP(gnutls_session_t, cleanup_session, gnutls_deinit)
DEFINE_CLEANUP(gnutls_certificate_credentials_t, cleanup_credentials, gnutls_certificate_free_credentials)

static int connect_to(const char *address, struct clinch_error *err)
{
	const char *colon = strrchr(address, ':');
	struct timeval limit = { .tv_sec = DEADLINE_S };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons(colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	error_errno(err, "%s", address);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int prepare(gnutls_session_t *session, gnutls_certificate_credentials_t *trust, const char *roots)
{
	int rc = gnutls_certificate_allocate_credentials(trust);

	if (rc >= 0)
		rc = gnutls_certificate_set_x509_trust_file(*trust, roots, GNUTLS_X509_FMT_PEM);
	if (rc >= 0)
		rc = gnutls_init(session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
	if (rc >= 0)
		rc = gnutls_set_default_priority(*session);
	if (rc >= 0)
		rc = gnutls_credentials_set(*session, GNUTLS_CRD_CERTIFICATE, *trust);
	return rc;
}

static int handshake(gnutls_session_t session, int fd, struct clinch_error *err)
{
	const struct clinch_report *report;
	int rc;

	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, DEADLINE_S * 1000);
	do
		rc = gnutls_handshake(session);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	report = clinch_client_report(session);
	if (report && !report->accepted)
		return error_set(err, CLINCH_E_FORMAT, "refused: %s", clinch_reason_text(report->reason));
	return rc < 0 || !report ? error_gnutls(err, rc, "the handshake") : 0;
}

/* What is no data (a session ticket) ends a call too; silence for DEADLINE_S does the same, so it is not tried for ever. */
static ssize_t receive(gnutls_session_t session, char *bytes, size_t size)
{
	ssize_t n = gnutls_record_recv(session, bytes, size);

	for (int again = 0; again < TICKETS_MAX && n < 0 && !gnutls_error_is_fatal((int)n); again++)
		n = gnutls_record_recv(session, bytes, size);
	return n;
}

static int ask(gnutls_session_t session, struct buf *answer, struct clinch_error *err)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	char bytes[1024];
	ssize_t n = gnutls_record_send(session, request, sizeof(request) - 1);

	while (n >= 0 && (n = receive(session, bytes, sizeof(bytes))) > 0)
		if (!buf_add(answer, bytes, (size_t)n))
			return error_set(err, CLINCH_E_TOO_LARGE, "the answer is too large");
	return n < 0 ? error_gnutls(err, (int)n, "the answer") : 0;
}

int client_get(const char *address, const char *roots, struct buf *answer, struct clinch_error *err)
{
	AUTO(cleanup_credentials) gnutls_certificate_credentials_t trust = NULL;
	AUTO(cleanup_session) gnutls_session_t session = NULL;
	auto_fd fd = connect_to(address, err);

	if (fd < 0)
		return err->code;
	int rc = prepare(&session, &trust, roots);
	if (rc < 0)
		return error_gnutls(err, rc, "no session");
	int code = clinch_client_attach(session, HOST, NULL);
	if (code == 0)
		code = handshake(session, fd, err);
	return code == 0 ? ask(session, answer, err) : code;
}
