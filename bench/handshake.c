/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench-handshake FOLDER OURS PEER: whole TLS 1.3 handshakes in memory, A B A B; what is counted is the CPU time of
 * the server's side alone. Prints as clinch-bench does. The sides are kinds of server:
 *	staple-leaf, staple-chain	the server half of libclinch, with one staple, with two
 *	no-staple			the same without any
 *	bare				GnuTLS's own credentials with the same staple, fixed
 *	swapped, still			with one staple, while 1,000 newer ones a second are offered, and while none is; what
 *is compared is the 99th percentile of the server's time in a handshake, by the wall's clock
 *	swapped-cpu, still-cpu		the same by the thread's CPU clock: what the scheduler adds is left out
 */
#include "bench.h"
#include <clinch/stapler.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REPETITIONS 61
#define BATCH 24
#define PIPE_SIZE 16384
#define SWAP_PAIRS 10
#define SWAP_BLOCK_NS INT64_C(400000000)
#define SWAP_SAMPLES 20000
#define SWAP_SAMPLES_LEAST 100 /* of which one is the 99th percentile */
#define SECOND INT64_C(1000000000)

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

static struct kind kinds[] = {
	{ .name = "staple-leaf", .staples = 1 }, { .name = "staple-chain", .staples = 2 }, { .name = "no-staple" },
	{ .name = "bare", .staples = 1 },        { .name = "swapped", .staples = 1 },      { .name = "still", .staples = 1 },
	{ .name = "swapped-cpu", .staples = 1 }, { .name = "still-cpu", .staples = 1 }
};

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

static int64_t (*server_clock)(void) = clock_cpu;

/* The server's time in ns, its session's making and ending with it; negative when the handshake was not the right one. */
static int64_t handshake(const struct kind *kind)
{
	AUTO(cleanup_session) gnutls_session_t client = NULL;
	gnutls_session_t server = NULL;
	int client_rc = 1, server_rc = 1;
	int64_t spent, since;

	memset(&ends, 0, sizeof(ends));
	since = server_clock();
	bool begun = begin_server(&server, kind);
	spent = server_clock() - since;
	begun = begun && begin_client(&client);
	for (unsigned i = 0; begun && i < 8 && (client_rc || server_rc); i++) {
		if (client_rc)
			client_rc = gnutls_handshake(client);
		since = server_clock();
		if (server_rc)
			server_rc = gnutls_handshake(server);
		spent += server_clock() - since;
	}
	bool right = client_rc == 0 && server_rc == 0 && has_staples(client, kind->staples);
	since = server_clock();
	gnutls_deinit(server);
	spent += server_clock() - since;
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

static int report(double *ours, double *peer, double *ratio, size_t n)
{
	qsort(ours, n, sizeof(double), compare);
	qsort(peer, n, sizeof(double), compare);
	qsort(ratio, n, sizeof(double), compare);
	printf("%.1f %.1f %.5f %.5f %.5f\n", ours[n / 2], peer[n / 2], ratio[0], ratio[n / 2], ratio[n - 1]);
	return 0;
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
	return report(our_ns, peer_ns, ratio, REPETITIONS);
}

/* ---- the 99th percentile while staples are swapped ---- */

static struct swaps {
	gnutls_datum_t all; /* DER after DER, each newer than the one before */
	size_t at;
	clinch_stapler_t *stapler;
	atomic_bool stop;
	bool failed;
} swaps;

static int64_t clock_of(clockid_t id)
{
	struct timespec at;

	clock_gettime(id, &at);
	return at.tv_sec * SECOND + at.tv_nsec;
}

static int64_t clock_wall(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

static int64_t clock_thread(void)
{
	return clock_of(CLOCK_THREAD_CPUTIME_ID);
}

/* They are all longer than 255 bytes and shorter than 64 KiB: 30 82, then the length. */
static bool swap_one(void)
{
	const uint8_t *at = swaps.all.data + swaps.at;
	size_t left = swaps.all.size - swaps.at, len = left < 4 ? 0 : 4 + (size_t)(at[2] << 8 | at[3]);
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)at, (unsigned)len };

	if (len == 0 || len > left || at[0] != 0x30 || at[1] != 0x82)
		return false;
	swaps.at += len;
	return clinch_stapler_offer(swaps.stapler, &der, (int64_t)time(NULL), NULL) == 0;
}

/* One each millisecond; late ones are made up for. */
static void *swap(void *arg)
{
	int64_t due = clock_wall();

	(void)arg;
	while (!atomic_load(&swaps.stop) && !swaps.failed) {
		const struct timespec until = { .tv_sec = due / SECOND, .tv_nsec = due % SECOND };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		swaps.failed = !swap_one();
		due += SECOND / 1000;
	}
	return NULL;
}

/* The 99th percentile of a block of handshakes; negative when one was wrong. */
static double percentile(const struct kind *kind)
{
	static double sample[SWAP_SAMPLES];
	int64_t until = clock_wall() + SWAP_BLOCK_NS;
	size_t n = 0;

	while (n < SWAP_SAMPLES && (n < SWAP_SAMPLES_LEAST || clock_wall() < until)) {
		int64_t spent = handshake(kind);
		if (spent < 0)
			return -1;
		sample[n++] = (double)spent;
	}
	qsort(sample, n, sizeof(double), compare);
	return sample[n * 99 / 100];
}

static double percentile_swapped(const struct kind *kind)
{
	pthread_t thread;

	atomic_store(&swaps.stop, false);
	if (pthread_create(&thread, NULL, swap, NULL))
		return -1;
	double found = percentile(kind);
	atomic_store(&swaps.stop, true);
	pthread_join(thread, NULL);
	return swaps.failed ? -1 : found;
}

static int measure_swaps(const struct kind *swapped, const struct kind *still, const char *folder)
{
	double ours[SWAP_PAIRS], peer[SWAP_PAIRS], ratio[SWAP_PAIRS];

	if (gnutls_load_file(in_folder(folder, "swaps.der"), &swaps.all) < 0)
		return 1;
	swaps.stapler = swapped->stapler;
	server_clock = strcmp(swapped->name, "swapped") == 0 ? clock_wall : clock_thread;
	for (unsigned i = 0; i < SWAP_PAIRS; i++) {
		ours[i] = percentile_swapped(swapped);
		peer[i] = percentile(still);
		if (ours[i] < 0 || peer[i] < 0) {
			fprintf(stderr, "bench: %s\n",
				swaps.failed ? "a swapped staple was not taken" : "not the handshake it should be");
			return 1;
		}
		ratio[i] = ours[i] / peer[i];
	}
	return report(ours, peer, ratio, SWAP_PAIRS);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: clinch-bench-handshake FOLDER OURS PEER\n");
		return 2;
	}
	bool is_swapped = strncmp(argv[2], "swapped", 7) == 0;
	if (!is_swapped)
		clock_pin();
	const struct kind *ours = load(argv[2], argv[1]), *peer = load(argv[3], argv[1]);
	if (!ours || !peer || gnutls_priority_init(&tls13, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) < 0 ||
	    gnutls_certificate_allocate_credentials(&client_credentials) < 0) {
		fprintf(stderr, "bench: nothing to measure with %s, %s and %s\n", argv[1], argv[2], argv[3]);
		return 1;
	}
	return is_swapped ? measure_swaps(ours, peer, argv[1]) : measure(ours, peer);
}
