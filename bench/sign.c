/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench-sign KEY BYTES CALLS: so many gnutls_privkey_sign_data2() of the file BYTES by the key of a PEM file, in
 *equal parts by one thread a core; prints <wall time in ns> <CPU time in ns> of all of them together: what the rows of the
 *responder stand beside.
 */
#include <gnutls/abstract.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 256

static gnutls_privkey_t key;
static gnutls_sign_algorithm_t algorithm;
static gnutls_datum_t bytes;

struct share {
	pthread_t thread;
	unsigned long calls;
	bool right;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

static void *work(void *arg)
{
	struct share *share = arg;
	gnutls_datum_t signature;

	share->right = true;
	for (unsigned long i = 0; i < share->calls && share->right; i++) {
		share->right = gnutls_privkey_sign_data2(key, algorithm, 0, &bytes, &signature) == 0;
		if (share->right)
			gnutls_free(signature.data);
	}
	return NULL;
}

static bool load(const char *key_path, const char *bytes_path)
{
	gnutls_datum_t pem;

	if (gnutls_load_file(key_path, &pem) < 0 || gnutls_load_file(bytes_path, &bytes) < 0 ||
	    gnutls_privkey_init(&key) < 0 || gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
		return false;
	int kind = gnutls_privkey_get_pk_algorithm(key, NULL);
	algorithm = kind == GNUTLS_PK_EDDSA_ED25519 ? GNUTLS_SIGN_EDDSA_ED25519
		    : kind == GNUTLS_PK_ECDSA       ? GNUTLS_SIGN_ECDSA_SHA256
						    : GNUTLS_SIGN_RSA_SHA256;
	return true;
}

static unsigned cores(void)
{
	cpu_set_t allowed;
	int n = sched_getaffinity(0, sizeof(allowed), &allowed) ? 1 : CPU_COUNT(&allowed);

	return n < THREADS_MAX ? (unsigned)n : THREADS_MAX;
}

static bool run_all(unsigned long calls)
{
	static struct share share[THREADS_MAX];
	unsigned n = cores(), started = 0;
	bool right = true;

	for (; started < n; started++) {
		share[started].calls = calls * (started + 1) / n - calls * started / n;
		if (pthread_create(&share[started].thread, NULL, work, &share[started]))
			break;
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(share[i].thread, NULL);
		right = right && share[i].right;
	}
	return right && started == n;
}

int main(int argc, char **argv)
{
	unsigned long calls = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	if (calls < 1 || calls > 10000000) {
		fprintf(stderr, "usage: clinch-bench-sign KEY BYTES CALLS\n");
		return 2;
	}
	if (!load(argv[1], argv[2])) {
		fprintf(stderr, "bench: %s or %s cannot be read\n", argv[1], argv[2]);
		return 1;
	}
	int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (!run_all(calls)) {
		fprintf(stderr, "bench: a signature failed\n");
		return 1;
	}
	printf("%lld %lld\n", (long long)(clock_ns(CLOCK_MONOTONIC) - wall),
	       (long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu));
	return 0;
}
