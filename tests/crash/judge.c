/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * judge STORE CHAIN...: for each line of standard input, an instant in Unix seconds, what the store has of each certificate
 * at that instant, read and judged by the code that serves it. A line each, in order: "believed THIS-UPDATE", "missing",
 * "not-believed REASON", "unreadable".
 */
#include "store/store.h"
#include "x509/chain.h"
#include "x509/subject.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct store *, cleanup_store, store_close)

static int read_subject(clinch_subject_t **out, const char *path, struct clinch_error *err)
{
	auto_chain chain = { .n = 0 };
	auto_issuer *issuer = NULL;
	int rc = chain_read(&chain, path, err);

	rc = rc < 0 ? rc : issuer_new(&issuer, &chain.cert[chain.n > 1], err);
	return rc < 0 ? rc : subject_new(out, &chain.cert[0], issuer, true, err);
}

static void say(const struct store *store, const clinch_subject_t *subject, int64_t now)
{
	struct clinch_verdict verdict;
	clinch_response_t *response = NULL;
	int rc = store_load(store, subject, now, NULL, &response, &verdict, NULL);

	if (rc == CLINCH_E_MISSING)
		puts("missing");
	else if (rc < 0)
		puts("unreadable");
	else if (response)
		printf("believed %" PRId64 "\n", verdict.this_update);
	else
		printf("not-believed %s\n", clinch_reason_name(verdict.reason));
	clinch_response_unref(response);
}

static int judge(const struct store *store, clinch_subject_t *const *subject, size_t n)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		for (size_t i = 0; i < n; i++)
			say(store, subject[i], strtoll(line, NULL, 10));
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	AUTO(cleanup_store) struct store *store = NULL;
	struct clinch_error err = { 0 };
	size_t n = argc > 2 ? (size_t)argc - 2 : 0;
	auto_free clinch_subject_t **subject = calloc(n + 1, sizeof(*subject));
	int rc = n && subject ? store_open(&store, argv[1], false, &err) : -1;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = read_subject(&subject[i], argv[i + 2], &err);
	if (rc == 0)
		rc = judge(store, subject, n);
	else
		fprintf(stderr, "judge: %s\n", err.text);
	for (size_t i = 0; subject && i < n; i++)
		clinch_subject_unref(subject[i]);
	return rc < 0;
}
