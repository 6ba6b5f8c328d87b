/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch fetch`: one certificate, one response, verified before it is written. */
#include "keep/fetch_command.h"
#include "base/cleanup.h"
#include "base/datum.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/fetch_options.h"
#include "keep/keep.h"
#include "report/json.h"
#include <stdio.h>

#define CA_FILE_MAX (4 * 1024 * 1024)

static void on_asked(struct fetch_run *run, const struct fetch_event *event)
{
	if (run->set.verbose)
		fetch_say_attempt(run, event);
	if (!json_add(run->attempts, fetch_attempt_json(event)))
		run->no_memory = true;
}

void fetch_run_event(const struct fetch_event *event)
{
	struct fetch_run *run = event->user;

	if (event->kind == FETCH_ASKED) {
		on_asked(run, event);
		return;
	}
	run->done = true;
	run->outcome = *event->outcome;
	run->verdict = *event->verdict;
	run->response = clinch_response_ref(event->response);
	run->body.max = SIZE_MAX;
	buf_reset(&run->body);
	if (!buf_add(&run->body, event->body.data, event->body.size))
		run->no_memory = true;
	if (event->issuer.size > 0 && !datum_copy(&run->issuer, &event->issuer))
		run->no_memory = true;
}

void fetch_run_wait(struct fetch_run *run)
{
	run->done = false;
	while (!run->done)
		uv_run(&run->loop, UV_RUN_ONCE);
}

static int ask(struct fetch_run *run)
{
	struct fetch_options options = fetch_settings_options(&run->set);
	struct fetch_job *job;
	int status;

	if (fetch_job_start(&job, run->engine, run->subject, &options, fetch_run_event, run, &run->error)) {
		cli_say(run->self, "%s: %s", run->name, run->error.text);
		return EXIT_NOT_FOUND_OUT;
	}
	fetch_run_wait(run);
	if (!run->response) {
		fetch_say_failure(run, "");
		return fetch_exit(run->outcome.failure);
	}
	status = fetch_write(run);
	if (!run->set.quiet && (status == EXIT_ACCEPTED || status == EXIT_REVOKED))
		fetch_say_result(run);
	return status;
}

/* libcurl says of such a file only that there is a problem. */
static int check_ca_file(const char *path, struct clinch_error *err)
{
	AUTO(cleanup_trust) gnutls_x509_trust_list_t trust = NULL;
	auto_buf bytes = { .max = CA_FILE_MAX };
	gnutls_datum_t pem;
	int rc = file_read(&bytes, path, err);

	if (rc)
		return rc;
	pem = (gnutls_datum_t){ bytes.data, (unsigned)bytes.len };
	rc = gnutls_x509_trust_list_init(&trust, 0);
	if (rc < 0)
		return error_gnutls(err, rc, "no list of trusted roots");
	if (gnutls_x509_trust_list_add_trust_mem(trust, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0) <= 0)
		return error_set(
			err, CLINCH_E_FORMAT,
			"%s: holds no certificate in PEM; --ca wants the roots that https responders are trusted by", path);
	return 0;
}

static int with_engine(struct fetch_run *run)
{
	auto_chain trusted = { .n = 0 };
	struct clinch_error *err = &run->error;
	int status;

	if (fetch_engine_new(&run->engine, &run->loop, &run->set.limits, err) ||
	    (run->set.options.ca_file && check_ca_file(run->set.options.ca_file, err)) ||
	    (run->set.trust_signer && chain_read(&trusted, run->set.trust_signer, err))) {
		cli_say(run->self, "%s", err->text);
		return EXIT_NOT_FOUND_OUT;
	}
	if (trusted.n > 0)
		run->set.options.policy.trusted = &trusted.cert[0];
	status = fetch_subject_find(run);
	return status >= 0 ? status : ask(run);
}

/* A resolver that hangs keeps libuv's thread, which would be waited for on the way out. */
static void leave_now(int status)
{
	status = cli_finish(status);
	fflush(stderr);
	_exit(status);
}

static void clean_up(struct fetch_run *run)
{
	fetch_engine_free(run->engine);
	clinch_response_unref(run->response);
	clinch_subject_unref(run->subject);
	chain_done(&run->chain);
	buf_done(&run->body);
	gnutls_free(run->issuer.data);
	json_decref(run->attempts);
	uv_run(&run->loop, UV_RUN_NOWAIT);
	if (uv_loop_close(&run->loop) == UV_EBUSY)
		leave_now(run->status);
}

static int fetch_main(int argc, char **argv, const struct cli_command *self)
{
	struct fetch_run run = { .self = self };
	int status = fetch_settings_parse(&run.set, argc, argv, self);

	if (status >= 0)
		return status;
	if (uv_loop_init(&run.loop) != 0) {
		cli_say(self, "no event loop: the system is out of files or memory");
		return EXIT_NOT_FOUND_OUT;
	}
	run.attempts = json_array();
	run.outcome = (struct fetch_outcome){ .failure = FETCH_NOT_ASKED, .retry_after_s = -1, .max_age_s = -1 };
	run.status = with_engine(&run);
	if (run.status != EXIT_USAGE && !fetch_report(&run) && run.status == EXIT_ACCEPTED)
		run.status = EXIT_NOT_FOUND_OUT;
	clean_up(&run);
	return run.status;
}

const struct cli_command keep_fetch = {
	.name = FETCH_NAME,
	.summary = FETCH_SUMMARY,
	.operands = FETCH_OPERANDS,
	.options = fetch_options,
	.run = fetch_main,
	.examples = fetch_examples,
};
