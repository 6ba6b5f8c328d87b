/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench FOLDER OURS PEER: both sides in turn, A B A B, in batches of CPU time; prints
 *	<ns of ours> <ns of the peer> <smallest, median, largest ratio of neighbouring batches>
 * clinch-bench FOLDER SIDE CALLS: that side alone, so often, for a profiler.
 * Exit status 1 when an answer was wrong or nothing could be measured: a figure of a wrong answer is none.
 */
#include "bench.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REPETITIONS 101
#define BATCH_NS 4000000

static const struct side *side_find(const char *name)
{
	const struct side *const tables[] = { clinch_sides, gnutls_sides, openssl_sides };

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct side *side = tables[i]; side->name; side++)
			if (!strcmp(side->name, name))
				return side;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return difference < 0 ? -1 : difference > 0;
}

static int wrong_answer(const struct side *side)
{
	fprintf(stderr, "bench: %s gave a wrong answer\n", side->name);
	return 1;
}

static int measure(const struct material *material, const struct side *ours, const struct side *peer)
{
	unsigned our_calls = clock_calibrate(ours, material, BATCH_NS);
	unsigned peer_calls = clock_calibrate(peer, material, BATCH_NS);
	double our_ns[REPETITIONS], peer_ns[REPETITIONS], ratio[REPETITIONS];

	if (!our_calls || !peer_calls)
		return wrong_answer(our_calls ? peer : ours);
	for (unsigned i = 0; i < REPETITIONS; i++) {
		our_ns[i] = clock_batch(ours, material, our_calls);
		peer_ns[i] = clock_batch(peer, material, peer_calls);
		if (our_ns[i] < 0 || peer_ns[i] < 0)
			return wrong_answer(our_ns[i] < 0 ? ours : peer);
		ratio[i] = our_ns[i] / peer_ns[i];
	}
	qsort(our_ns, REPETITIONS, sizeof(double), compare);
	qsort(peer_ns, REPETITIONS, sizeof(double), compare);
	qsort(ratio, REPETITIONS, sizeof(double), compare);
	printf("%.1f %.1f %.5f %.5f %.5f\n", our_ns[REPETITIONS / 2], peer_ns[REPETITIONS / 2], ratio[0],
	       ratio[REPETITIONS / 2], ratio[REPETITIONS - 1]);
	return 0;
}

/* The first call, which meets a signer for the first time, stays outside of what is profiled: clock_batch(). */
static int spin(const struct material *material, const struct side *side, unsigned calls)
{
	return !side->run(material) || clock_batch(side, material, calls) < 0 ? wrong_answer(side) : 0;
}

static unsigned number(const char *text)
{
	char *end = NULL;
	unsigned long value = strtoul(text, &end, 10);

	return *end == '\0' && value <= 1U << 24 ? (unsigned)value : 0;
}

int main(int argc, char **argv)
{
	struct material material = { 0 };
	const struct side *ours = argc == 4 ? side_find(argv[2]) : NULL;
	const struct side *peer = ours ? side_find(argv[3]) : NULL;
	unsigned calls = ours && !peer ? number(argv[3]) : 0;

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("GnuTLS %s, OpenSSL %s\n", gnutls_check_version(NULL), openssl_version());
		return 0;
	}
	if (!peer && !calls) {
		fprintf(stderr, "usage: clinch-bench FOLDER OURS PEER | FOLDER SIDE CALLS | --version\n");
		return 2;
	}
	clock_pin();
	if (!material_load(&material, argv[1]))
		return 1;
	return peer ? measure(&material, ours, peer) : spin(&material, ours, calls);
}
