/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many jobs on one engine: `many CHAIN PER_RESPONDER TOTAL TIMEOUT_MS WHAT N URL [N URL]...`. Prints "URL outcome MS" for
 * each job as it ends. WHAT is what happens at the first end: "wait" for all, "cancel" the others one by one, "free" the
 * engine with all that runs, "stranger": ask the last URL once more, with private addresses forbidden.
 */
#include "base/cleanup.h"
#include "fetch/fetch.h"
#include "x509/chain.h"
#include "x509/subject.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX 512

struct many {
	const char *what;
	struct fetch_engine *engine;
	clinch_subject_t *subject;
	const char *url; /* the last one */
	unsigned timeout_ms;
	struct fetch_job *job[JOBS_MAX]; /* NULL: it has ended */
	unsigned n, ended;
};

struct one {
	struct many *many;
	unsigned index;
};

static struct one ones[JOBS_MAX];
static void start(struct many *many, bool forbid_private);

static void cancel_the_others(struct many *many)
{
	for (unsigned i = 0; i < many->n; i++) {
		fetch_job_cancel(many->job[i]);
		many->job[i] = NULL;
	}
}

static void on_event(const struct fetch_event *event)
{
	struct one *one = event->user;

	if (event->kind != FETCH_DONE)
		return;
	printf("%s %s %lld\n", event->outcome->url, fetch_failure_name(event->outcome->failure),
	       (long long)event->outcome->took_ms);
	fflush(stdout);
	one->many->job[one->index] = NULL;
	one->many->ended++;
	if (strcmp(one->many->what, "cancel") == 0)
		cancel_the_others(one->many);
	if (strcmp(one->many->what, "stranger") == 0 && one->many->ended == 1)
		start(one->many, true);
}

static void start(struct many *many, bool forbid_private)
{
	struct fetch_options options = {
		.urls = &many->url,
		.n_urls = 1,
		.timeout_ms = many->timeout_ms,
		.forbid_private = forbid_private,
	};
	struct one *one = &ones[many->n];

	if (many->n == JOBS_MAX)
		exit(2);
	*one = (struct one){ many, many->n };
	if (fetch_job_start(&many->job[many->n++], many->engine, many->subject, &options, on_event, one, NULL))
		exit(2);
}

static clinch_subject_t *subject_of(const char *path)
{
	auto_chain chain = { .n = 0 };
	auto_issuer *issuer = NULL;
	clinch_subject_t *subject = NULL;

	if (chain_read(&chain, path, NULL) || chain.n < 2 || issuer_new(&issuer, &chain.cert[1], NULL) ||
	    subject_new(&subject, &chain.cert[0], issuer, true, NULL))
		exit(2);
	return subject;
}

static bool goes_on(const struct many *many)
{
	if (many->ended > 0 && (strcmp(many->what, "cancel") == 0 || strcmp(many->what, "free") == 0))
		return false;
	return many->ended < many->n;
}

int main(int argc, char **argv)
{
	struct many many = { .what = argc > 5 ? argv[5] : "" };
	struct fetch_limits limits = { 0 };
	uv_loop_t loop;

	if (argc < 8 || signal(SIGPIPE, SIG_IGN) == SIG_ERR || uv_loop_init(&loop))
		return 2;
	limits.per_responder = (unsigned)strtoul(argv[2], NULL, 10);
	limits.total = (unsigned)strtoul(argv[3], NULL, 10);
	many.timeout_ms = (unsigned)strtoul(argv[4], NULL, 10);
	many.subject = subject_of(argv[1]);
	if (fetch_engine_new(&many.engine, &loop, &limits, NULL))
		return 2;
	for (int i = 6; i + 1 < argc; i += 2) {
		many.url = argv[i + 1];
		for (unsigned long n = strtoul(argv[i], NULL, 10); n > 0; n--)
			start(&many, false);
	}
	while (goes_on(&many))
		uv_run(&loop, UV_RUN_ONCE);
	fetch_engine_free(many.engine);
	clinch_subject_unref(many.subject);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) == 0 ? 0 : 3;
}
