/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside `fetch`: what was asked for, and what came of it. */
#ifndef KEEP_FETCH_COMMAND_H
#define KEEP_FETCH_COMMAND_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "fetch/fetch.h"
#include "x509/chain.h"
#include <clinch/ocsp.h>
#include <jansson.h>
#include <uv.h>

static inline void cleanup_trust(gnutls_x509_trust_list_t *held)
{
	if (*held)
		gnutls_x509_trust_list_deinit(*held, 1);
}

struct fetch_settings { /* strings are argv's or the environment's */
	const char *chain, *issuer, *out, *trust_signer;
	int json; /* --format: 0 is text */
	bool quiet, verbose;
	int report_fd; /* -1: none */
	const char *urls[FETCH_URLS_MAX];
	struct fetch_options options; /* .urls is not set yet: see fetch_settings_options() */
	struct fetch_limits limits;
};

struct fetch_run {
	const struct cli_command *self;
	struct fetch_settings set;
	uv_loop_t loop;
	struct fetch_engine *engine;
	struct chain chain;
	clinch_subject_t *subject;
	char name[128]; /* the certificate's, for messages */

	bool done; /* the job is over */
	struct fetch_outcome outcome;
	struct clinch_verdict verdict;
	clinch_response_t *response;
	struct buf body;
	gnutls_datum_t issuer;
	json_t *attempts;
	bool no_memory; /* something for the report was lost */

	struct clinch_error error; /* a file's trouble, ours or the caller's; .text "": none */
	bool written, unchanged;
	int status; /* the exit status */
};

void proxies_of_environment(struct fetch_proxies *out); /* http_proxy and its like; the strings are the environment's */

/* -1: go on; else the exit status. */
int fetch_settings_parse(struct fetch_settings *set, int argc, char **argv, const struct cli_command *self);
struct fetch_options fetch_settings_options(const struct fetch_settings *set);

/* Events into the run; its user pointer is the run. */
void fetch_run_event(const struct fetch_event *event);
/* The loop until the job has ended. */
void fetch_run_wait(struct fetch_run *run);

/* Fills in chain, name and subject, by the network if need be. -1: go on; else the exit status, which was said. */
int fetch_subject_find(struct fetch_run *run);

/* The response to where it belongs, by the store rule; the exit status, which was said. */
int fetch_write(struct fetch_run *run);

/* One line about a failure, with what to change. `what`: "" or "the issuer: ". */
void fetch_say_failure(const struct fetch_run *run, const char *what);
void fetch_say_attempt(const struct fetch_run *run, const struct fetch_event *event);
void fetch_say_result(const struct fetch_run *run);
int fetch_exit(enum fetch_failure failure);
/* The JSON object to stdout or the file descriptor, as asked. False: it could not be made or written; it was said. */
bool fetch_report(const struct fetch_run *run);
json_t *fetch_attempt_json(const struct fetch_event *event); /* NULL: no memory */

#endif
