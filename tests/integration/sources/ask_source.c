/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A CA's serials, as the responder reads them, on the command line: for the tests, and for measuring.
 *
 *	ask_source CA.pem NOW (index FILE | crl FILE... [issued FILE | good]) [-- (SERIAL | measure)...]
 *
 * One line for the whole, then one for each serial; exit status 1, and the sentence, where it is refused.
 */
#include "respond/source.h"
#include "x509/chain.h"
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static int fail(const struct clinch_error *err)
{
	printf("refused %s\n", err->text);
	return 1;
}

static const char *words[] = { "never-issued", "valid", "revoked" };

static void print_status(const char *name, struct source_status status)
{
	printf("%s %s %" PRId64 " %d %" PRId64 "\n", name, words[status.says], status.revoked_at, status.reason,
	       status.not_after);
}

/* `text`: the content of an INTEGER in hexadecimal, as it stands in a request. */
static void ask(const struct source *source, const char *text)
{
	uint8_t serial[128];
	size_t n = 0;

	for (const char *at = text; at[0] && at[1] && n < sizeof(serial); at += 2) {
		unsigned byte = 0;
		sscanf(at, "%2x", &byte);
		serial[n++] = (uint8_t)byte;
	}
	print_status(text, source_find(source, der_of(serial, n)));
}

/* The serials are copied before, so that asking is the first to touch the table. */
static void measure(const struct source *source)
{
	enum { ASKED = 500000, SIZE = 66 };
	size_t n = source_size(source), at = 0;
	auto_free uint8_t *serial = calloc(ASKED, SIZE);
	uint64_t sum = 0;
	double began;

	if (!serial || n == 0)
		return;
	for (size_t i = 0; i < ASKED; i++, at = (at + 7368787) % n)
		serial[i * SIZE] = (uint8_t)source_serial(source, at, &serial[i * SIZE + 1], SIZE - 1);
	began = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < ASKED; i++)
		sum += source_find(source, der_of(&serial[i * SIZE + 1], serial[i * SIZE])).says;
	printf("measured find %.0f ns (%" PRIu64 ")\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - began) / ASKED * 1e9, sum);
}

static int read_ca(struct issuer **out, const char *path, struct clinch_error *err)
{
	auto_chain chain = { .n = 0 };
	int code = chain_read(&chain, path, err);

	return code < 0 ? code : issuer_new(out, &chain.cert[0], err);
}

static int parse_files(struct source_files *out, char **argv)
{
	int i = 0;

	out->kind = argv[0] && strcmp(argv[0], "index") == 0 ? SOURCE_INDEX : SOURCE_CRL;
	if (out->kind == SOURCE_INDEX && argv[1]) {
		out->index = argv[1];
		return 2;
	}
	out->crl = (const char *const *)argv + 1;
	for (i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "good") == 0)
			out->crl_means_good = true;
		else if (strcmp(argv[i], "issued") == 0 && argv[i + 1])
			out->issued = argv[++i];
		else
			out->n_crl++;
	}
	return i;
}

int main(int argc, char **argv)
{
	struct source_files files = { .n_crl = 0 };
	auto_issuer *ca = NULL;
	auto_source *source = NULL;
	struct clinch_error err;
	double began, cpu;
	int64_t now;
	size_t before;

	if (argc < 5)
		return 2;
	if (read_ca(&ca, argv[1], &err) < 0)
		return fail(&err);
	now = strtoll(argv[2], NULL, 10);
	argv += 3 + parse_files(&files, argv + 3);
	before = in_use();
	began = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (source_load(&source, &files, ca, now, &err) < 0)
		return fail(&err);
	printf("loaded %zu %zu %" PRId64 " %" PRId64 "\n", source_size(source), source_revoked(source), source_until(source),
	       source_updated(source));
	if (source_odd(source))
		fprintf(stderr, "%s\n", source_odd(source));
	for (; *argv; argv++) {
		if (strcmp(*argv, "measure") == 0) {
			printf("measured load %.2f s, %.2f s of CPU, %.1f B a serial\n", seconds(CLOCK_MONOTONIC) - began,
			       seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
			       (double)(in_use() - before) / (double)source_size(source));
			measure(source);
		} else if (strcmp(*argv, "--") != 0) {
			ask(source, *argv);
		}
	}
	return 0;
}
