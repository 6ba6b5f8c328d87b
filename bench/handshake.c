/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench-handshake FOLDER OURS PEER: whole TLS 1.3 handshakes in memory, A B A B; what is counted is the CPU time of
 *the server's side alone. Prints as clinch-bench does. The sides are kinds of server:
 *	staple-leaf, staple-chain	the server half of libclinch, with one staple, with two
 *	no-staple			the same without any
 *	bare				GnuTLS's own credentials with the same staple, fixed
 */
#include "bench.h"
#include <clinch/stapler.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REPETITIONS 61
#define BATCH 24
#define PIPE_SIZE 16384

DEFINE_CLEANUP(gnutls_session_t, cleanup_session, gnutls_deinit)

struct pipe {
	uint8_t bytes[PIPE_SIZE];
	size_t from, to;
};

struct kind {
	const char *name;
	unsigned staples;
	clinch_stapler_t *stapler; /* NULL: bare */
	gnutls_certificate_credentials_t bare;
};

static struct kind kinds[] = { { .name = "staple-leaf", .staples = 1 },
			       { .name = "staple-chain", .staples = 2 },
			       { .name = "no-staple" },
			       { .name = "bare", .staples = 1 } };

struct ends {
	struct pipe to_server, to_client;
};

static ssize_t take(struct pipe *pipe, gnutls_session_t session, void *out, size_t len)
{
	size_t there = pipe->to - pipe->from;

	if (there == 0) {
		gnutls_transport_set_errno(session, EAGAIN);
		return -1;
	}
	len = len < there ? len : there;
	memcpy(out, pipe->bytes + pipe->from, len);
	pipe->from += len;
	return (ssize_t)len;
}

static ssize_t give(struct pipe *pipe, const void *bytes, size_t len)
{
	if (len > PIPE_SIZE - pipe->to)
		return -1;
	memcpy(pipe->bytes + pipe->to, bytes, len);
	pipe->to += len;
	return (ssize_t)len;
}

static gnutls_session_t client_session, server_session;
static struct ends ends;

static ssize_t client_pull(gnutls_transport_ptr_t at, void *out, size_t len)
{
	(void)at;
	return take(&ends.to_client, client_session, out, len);
}

static ssize_t client_push(gnutls_transport_ptr_t at, const void *bytes, size_t len)
{
	(void)at;
	return give(&ends.to_server, bytes, len);
}

static ssize_t server_pull(gnutls_transport_ptr_t at, void *out, size_t len)
{
	(void)at;
	return take(&ends.to_server, server_session, out, len);
}

static ssize_t server_push(gnutls_transport_ptr_t at, const void *bytes, size_t len)
{
	(void)at;
	return give(&ends.to_client, bytes, len);
}

static gnutls_priority_t tls13;
static gnutls_certificate_credentials_t client_credentials;

static bool begin_client(gnutls_session_t *out)
{
	if (gnutls_init(out, GNUTLS_CLIENT | GNUTLS_NONBLOCK) < 0 || gnutls_priority_set(*out, tls13) < 0 ||
	    gnutls_credentials_set(*out, GNUTLS_CRD_CERTIFICATE, client_credentials) < 0 ||
	    gnutls_server_name_set(*out, GNUTLS_NAME_DNS, "localhost", 9) < 0 ||
	    gnutls_ocsp_status_request_enable_client(*out, NULL, 0, NULL) < 0)
		return false;
	gnutls_transport_set_pull_function(*out, client_pull);
	gnutls_transport_set_push_function(*out, client_push);
	client_session = *out;
	return true;
}

static bool begin_server(gnutls_session_t *out, const struct kind *kind)
{
	if (gnutls_init(out, GNUTLS_SERVER | GNUTLS_NONBLOCK) < 0 || gnutls_priority_set(*out, tls13) < 0)
		return false;
	if (kind->stapler ? clinch_stapler_attach(kind->stapler, *out) != 0
			  : gnutls_credentials_set(*out, GNUTLS_CRD_CERTIFICATE, kind->bare) < 0)
		return false;
	gnutls_transport_set_pull_function(*out, server_pull);
	gnutls_transport_set_push_function(*out, server_push);
	server_session = *out;
	return true;
}

static bool has_staples(gnutls_session_t client, unsigned wanted)
{
	gnutls_datum_t staple;
	unsigned n = 0;

	while (gnutls_ocsp_status_request_get2(client, n, &staple) >= 0 && staple.size)
		n++;
	return n == wanted;
}

/* The server's CPU time in ns, its session's making and ending with it; negative when the handshake was not the right one.
 */
static int64_t handshake(const struct kind *kind)
{
	AUTO(cleanup_session) gnutls_session_t client = NULL;
	gnutls_session_t server = NULL;
	int client_rc = 1, server_rc = 1;
	int64_t spent, since;

	memset(&ends, 0, sizeof(ends));
	since = clock_cpu();
	bool begun = begin_server(&server, kind);
	spent = clock_cpu() - since;
	begun = begun && begin_client(&client);
	for (unsigned i = 0; begun && i < 8 && (client_rc || server_rc); i++) {
		if (client_rc)
			client_rc = gnutls_handshake(client);
		since = clock_cpu();
		if (server_rc)
			server_rc = gnutls_handshake(server);
		spent += clock_cpu() - since;
	}
	bool right = client_rc == 0 && server_rc == 0 && has_staples(client, kind->staples);
	since = clock_cpu();
	gnutls_deinit(server);
	spent += clock_cpu() - since;
	return right ? spent : -1;
}

static double batch(const struct kind *kind)
{
	int64_t total = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		int64_t spent = handshake(kind);
		if (spent < 0)
			return -1;
		total += spent;
	}
	return (double)total / BATCH;
}

/* ---- material: what bench/material.py left in FOLDER ---- */

static const char *in_folder(const char *folder, const char *name)
{
	static char path[4][4096];
	static unsigned next;
	char *at = path[next++ % 4];

	snprintf(at, sizeof(path[0]), "%s/%s", folder, name);
	return at;
}

static bool offer(clinch_stapler_t *stapler, const char *path)
{
	auto_datum der = { NULL, 0 };

	return gnutls_load_file(path, &der) >= 0 && clinch_stapler_offer(stapler, &der, (int64_t)time(NULL), NULL) == 0;
}

static bool load_stapler(struct kind *kind, const char *folder)
{
	const struct clinch_stapler_options options = { .issuers_file = in_folder(folder, "ca.pem"),
							.chain_staples = CLINCH_CHAIN_STAPLES_ON };
	struct clinch_error err;

	return clinch_stapler_new(&kind->stapler, &options, &err) == 0 &&
	       clinch_stapler_add_file(kind->stapler, in_folder(folder, "chain.pem"), in_folder(folder, "key.pem"), &err) ==
		       0 &&
	       (kind->staples < 1 || offer(kind->stapler, in_folder(folder, "staple.der"))) &&
	       (kind->staples < 2 || offer(kind->stapler, in_folder(folder, "staple-ca.der")));
}

static bool load_bare(struct kind *kind, const char *folder)
{
	return gnutls_certificate_allocate_credentials(&kind->bare) >= 0 &&
	       gnutls_certificate_set_x509_key_file(kind->bare, in_folder(folder, "chain.pem"), in_folder(folder, "key.pem"),
						    GNUTLS_X509_FMT_PEM) >= 0 &&
	       gnutls_certificate_set_ocsp_status_request_file2(kind->bare, in_folder(folder, "staple.der"), 0,
								GNUTLS_X509_FMT_DER) >= 0;
}

static struct kind *load(const char *name, const char *folder)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct kind *kind = &kinds[i];
		if (strcmp(kind->name, name) != 0)
			continue;
		return (strcmp(name, "bare") == 0 ? load_bare(kind, folder) : load_stapler(kind, folder)) ? kind : NULL;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return difference < 0 ? -1 : difference > 0;
}

static int measure(const struct kind *ours, const struct kind *peer)
{
	double our_ns[REPETITIONS], peer_ns[REPETITIONS], ratio[REPETITIONS];

	for (unsigned i = 0; i < REPETITIONS; i++) {
		our_ns[i] = batch(ours);
		peer_ns[i] = batch(peer);
		if (our_ns[i] < 0 || peer_ns[i] < 0) {
			fprintf(stderr, "bench: %s: not the handshake it should be\n",
				our_ns[i] < 0 ? ours->name : peer->name);
			return 1;
		}
		ratio[i] = our_ns[i] / peer_ns[i];
	}
	qsort(our_ns, REPETITIONS, sizeof(double), compare);
	qsort(peer_ns, REPETITIONS, sizeof(double), compare);
	qsort(ratio, REPETITIONS, sizeof(double), compare);
	printf("%.1f %.1f %.5f %.5f %.5f\n", our_ns[REPETITIONS / 2], peer_ns[REPETITIONS / 2], ratio[0],
	       ratio[REPETITIONS / 2], ratio[REPETITIONS - 1]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: clinch-bench-handshake FOLDER OURS PEER\n");
		return 2;
	}
	clock_pin();
	const struct kind *ours = load(argv[2], argv[1]), *peer = load(argv[3], argv[1]);
	if (!ours || !peer || gnutls_priority_init(&tls13, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) < 0 ||
	    gnutls_certificate_allocate_credentials(&client_credentials) < 0) {
		fprintf(stderr, "bench: nothing to measure with %s, %s and %s\n", argv[1], argv[2], argv[3]);
		return 1;
	}
	return measure(ours, peer);
}
