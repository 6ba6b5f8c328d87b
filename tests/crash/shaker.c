/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shaker [-c ROOTS.pem] [-r ROUNDS] [-p MS] [-e] PORT NAME...: shakes hands with 127.0.0.1 for one name after the other,
 *round after round, until standard input ends or ROUNDS are done, and says what it was sent, for each name whenever that
 *changes:
 *
 *	NAME LEAF CERTIFICATES STATE THIS-UPDATE NEXT-UPDATE STAPLE
 *
 * CERTIFICATES: how many were sent. LEAF and STAPLE: the first bytes of the SHA-256, in hex. STATE: stapled, unstapled,
 *expired (when the handshake began: without any tolerance), refused:REASON, failed:TEXT. Then "end HANDSHAKES". -c judge
 *each in full, as libclinch's client does; without: is there a staple
 *	-p	a pause before each round, where input ends them
 *	-e	send a byte and read one back; of eight connections one is cut in its ClientHello, one by a reset
 */
#include "base/cleanup.h"
#include <arpa/inet.h>
#include <clinch/client.h>
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

DEFINE_CLEANUP(gnutls_session_t, cleanup_session, gnutls_deinit)

#define PATIENCE_S 20
#define LINE_SIZE 300
#define MARK_LEN 6

struct shaker {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	uint16_t port;
	bool judges, exchanges;
	unsigned long pause_ms;
};

static void mark(const gnutls_datum_t *bytes, char out[2 * MARK_LEN + 1])
{
	uint8_t digest[32];

	memcpy(out, "-", 2);
	if (!bytes || !bytes->size || gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes->data, bytes->size, digest) < 0)
		return;
	for (size_t i = 0; i < MARK_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static int dial(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int connected = fd;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	fd = -1;
	return connected;
}

static void reset(int fd)
{
	const struct linger none = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static int begin(const struct shaker *shaker, gnutls_session_t *out, const char *name)
{
	int rc = gnutls_init(out, GNUTLS_CLIENT);

	rc = rc < 0 ? rc : gnutls_priority_set(*out, shaker->priority);
	rc = rc < 0 ? rc : gnutls_credentials_set(*out, GNUTLS_CRD_CERTIFICATE, shaker->credentials);
	rc = rc < 0 ? rc : gnutls_server_name_set(*out, GNUTLS_NAME_DNS, name, strlen(name));
	if (rc >= 0 && shaker->judges)
		return clinch_client_attach(*out, name, NULL) == 0 ? 0 : GNUTLS_E_INTERNAL_ERROR;
	return rc < 0 ? rc : gnutls_ocsp_status_request_enable_client(*out, NULL, 0, NULL);
}

static void say_judged(char line[LINE_SIZE], const char *name, gnutls_session_t session, int64_t began)
{
	const struct clinch_report *report = clinch_client_report(session);
	const struct clinch_member *member = report->member;
	const struct clinch_verdict *verdict = &member->verdict;
	char leaf[2 * MARK_LEN + 1], staple[2 * MARK_LEN + 1], refused[64];
	const char *state = "stapled";
	unsigned n = 0;

	gnutls_certificate_get_peers(session, &n);
	mark(&member->cert, leaf);
	mark(&member->staple, staple);
	snprintf(refused, sizeof(refused), "refused:%s", clinch_reason_name(report->reason));
	if (!report->accepted)
		state = refused;
	else if (verdict->status == CLINCH_MISSING)
		state = "unstapled";
	else if (verdict->fresh_until < began)
		state = "expired";
	snprintf(line, LINE_SIZE, "%s %s %u %s %" PRId64 " %" PRId64 " %s", name, leaf, n, state, verdict->this_update,
		 verdict->fresh_until, staple);
}

static void say_raw(char line[LINE_SIZE], const char *name, gnutls_session_t session)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	gnutls_datum_t staple = { NULL, 0 };
	char leaf[2 * MARK_LEN + 1], sum[2 * MARK_LEN + 1];
	bool is_there = gnutls_ocsp_status_request_get2(session, 0, &staple) >= 0 && staple.size;

	mark(chain, leaf);
	mark(is_there ? &staple : NULL, sum);
	snprintf(line, LINE_SIZE, "%s %s %u %s 0 0 %s", name, leaf, n, is_there ? "stapled" : "unstapled", sum);
}

/* A byte there and back, and an end that both know of. A session ticket in front of it is no byte (GNUTLS_E_AGAIN). */
static bool exchange(gnutls_session_t session)
{
	char byte = 'x';
	ssize_t n = gnutls_record_send(session, &byte, 1);

	while (n == 1 && (n = gnutls_record_recv(session, &byte, 1)) == GNUTLS_E_AGAIN)
		n = 1;
	return n == 1 && gnutls_bye(session, GNUTLS_SHUT_WR) >= 0;
}

static void fail(char line[LINE_SIZE], const char *name, const char *why)
{
	char words[100];

	snprintf(words, sizeof(words), "%s", why);
	for (char *space = words; (space = strchr(space, ' '));)
		*space = '_';
	snprintf(line, LINE_SIZE, "%s - 0 failed:%s 0 0 -", name, words);
}

static void visit(const struct shaker *shaker, const char *name, unsigned turn, char line[LINE_SIZE])
{
	int64_t began = time(NULL);
	auto_fd fd = dial(shaker->port);
	AUTO(cleanup_session) gnutls_session_t session = NULL;
	int rc = fd < 0 ? GNUTLS_E_PULL_ERROR : begin(shaker, &session, name);

	if (rc >= 0) {
		gnutls_transport_set_int(session, fd);
		gnutls_handshake_set_timeout(session, PATIENCE_S * 1000);
		do
			rc = gnutls_handshake(session);
		while (rc < 0 && !gnutls_error_is_fatal(rc));
	}
	const struct clinch_report *report = session && shaker->judges ? clinch_client_report(session) : NULL;
	if (report && report->n)
		say_judged(line, name, session, began);
	else if (rc < 0)
		fail(line, name, gnutls_strerror(rc));
	else
		say_raw(line, name, session);
	if (rc < 0)
		return;
	if (shaker->exchanges && turn % 8 == 3)
		reset(fd);
	else if (shaker->exchanges && !exchange(session))
		fail(line, name, "no byte came back");
	else if (!shaker->exchanges)
		gnutls_bye(session, GNUTLS_SHUT_WR);
}

static void cut_short(uint16_t port)
{
	auto_fd fd = dial(port);

	if (fd >= 0 && send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL) != 3)
		reset(fd);
}

/* The pause is in it. */
static bool goes_on(const struct shaker *shaker, unsigned long rounds, unsigned long done)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	return rounds ? done < rounds : poll(&input, 1, (int)shaker->pause_ms) == 0;
}

static unsigned long shake(const struct shaker *shaker, unsigned long rounds, char **names, size_t n)
{
	auto_free char(*said)[LINE_SIZE] = calloc(n, sizeof(*said));
	unsigned long turn = 0;
	char line[LINE_SIZE];

	for (unsigned long round = 0; said && goes_on(shaker, rounds, round); round++)
		for (size_t i = 0; i < n; i++, turn++) {
			if (shaker->exchanges && turn % 8 == 7) {
				cut_short(shaker->port);
				continue;
			}
			visit(shaker, names[i], (unsigned)turn, line);
			if (strcmp(line, said[i]) != 0)
				printf("%s\n", line);
			memcpy(said[i], line, LINE_SIZE);
			fflush(stdout);
		}
	return turn;
}

int main(int argc, char **argv)
{
	struct shaker shaker = { .port = 0 };
	unsigned long rounds = 0;
	const char *roots = NULL;
	int option;

	while ((option = getopt(argc, argv, "c:r:p:e")) > 0) {
		roots = option == 'c' ? optarg : roots;
		rounds = option == 'r' ? strtoul(optarg, NULL, 10) : rounds;
		shaker.pause_ms = option == 'p' ? strtoul(optarg, NULL, 10) : shaker.pause_ms;
		shaker.exchanges |= option == 'e';
		if (option == '?')
			return 2;
	}
	if (argc - optind < 2)
		return 2;
	shaker.port = (uint16_t)strtoul(argv[optind], NULL, 10);
	shaker.judges = roots;
	if (gnutls_certificate_allocate_credentials(&shaker.credentials) < 0 ||
	    gnutls_priority_init(&shaker.priority, NULL, NULL) < 0)
		return 1;
	if (roots && gnutls_certificate_set_x509_trust_file(shaker.credentials, roots, GNUTLS_X509_FMT_PEM) < 1) {
		fprintf(stderr, "shaker: %s: no certificate\n", roots);
		return 1;
	}
	printf("end %lu\n", shake(&shaker, rounds, argv + optind + 1, (size_t)(argc - optind - 1)));
	gnutls_priority_deinit(shaker.priority);
	gnutls_certificate_free_credentials(shaker.credentials);
	return 0;
}
