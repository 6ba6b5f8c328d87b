/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The response to its file, by the store rule: nothing older replaces what is held, and what is held is verified to count.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "keep/fetch_command.h"
#include <errno.h>
#include <string.h>
#include <time.h>

#define DEFAULT_MAX_SIZE 65536

/* thisUpdate later, or equal with a later nextUpdate. "Revoked" need only not be older than a "good". */
static bool supersedes(const struct clinch_verdict *offered, const struct clinch_verdict *held)
{
	if (offered->this_update != held->this_update)
		return offered->this_update > held->this_update;
	if (offered->status == CLINCH_REVOKED && held->status == CLINCH_GOOD)
		return true;
	return offered->next_update > held->next_update;
}

/* What the file holds: *counts when it is believed now, or an old "revoked". Garbage, or somebody else's response, does not.
 */
static int read_held(struct fetch_run *run, bool *counts, struct clinch_verdict *verdict, struct clinch_error *err)
{
	uint32_t max = run->set.options.max_size ? run->set.options.max_size : DEFAULT_MAX_SIZE;
	auto_buf bytes = { .max = max };
	clinch_response_t *response = NULL;
	struct clinch_policy policy = run->set.options.policy;
	gnutls_datum_t der;
	int rc = file_read(&bytes, run->set.out, err);

	*counts = false;
	if (rc == CLINCH_E_TOO_LARGE || (rc == CLINCH_E_FILE && err->sys_errno == ENOENT)) {
		*err = (struct clinch_error){ 0 };
		return 0;
	}
	if (rc)
		return rc;
	policy.max_len = max;
	der = (gnutls_datum_t){ bytes.data, (unsigned)bytes.len };
	clinch_verify(&response, verdict, &der, run->subject, time(NULL), &policy);
	*counts = response || verdict->status == CLINCH_REVOKED;
	clinch_response_unref(response);
	return 0;
}

static int exit_of(const struct clinch_verdict *verdict)
{
	return verdict->status == CLINCH_REVOKED ? EXIT_REVOKED : EXIT_ACCEPTED;
}

static int keep_held(struct fetch_run *run, const struct clinch_verdict *offered, const struct clinch_verdict *held)
{
	char ours[TIME_TEXT_SIZE], theirs[TIME_TEXT_SIZE];

	run->unchanged = true;
	if (offered->this_update < held->this_update || offered->next_update < held->next_update)
		cli_say(run->self, "%s: kept, it is newer (thisUpdate %s, %s) than what %s answered (%s)", run->set.out,
			time_format(ours, held->this_update), clinch_status_name(held->status), run->outcome.url,
			time_format(theirs, offered->this_update));
	return exit_of(held);
}

static int to_file(struct fetch_run *run, gnutls_datum_t der, const struct clinch_verdict *verdict)
{
	struct clinch_verdict held;
	bool counts;

	if (read_held(run, &counts, &held, &run->error)) {
		cli_say(run->self, "%s; nothing was written, name another file with -o", run->error.text);
		return EXIT_NOT_FOUND_OUT;
	}
	if (counts && !supersedes(verdict, &held))
		return keep_held(run, verdict, &held);
	if (file_replace(run->set.out, der.data, der.size, 0644, &run->error)) {
		cli_say(run->self, "%s; what was there is as it was", run->error.text);
		return EXIT_NOT_FOUND_OUT;
	}
	run->written = true;
	return exit_of(verdict);
}

int fetch_write(struct fetch_run *run)
{
	const struct clinch_verdict *verdict = clinch_response_verdict(run->response);
	gnutls_datum_t der = clinch_response_der(run->response);
	bool to_stdout = run->set.out ? strcmp(run->set.out, "-") == 0 : !run->set.json && !isatty(STDOUT_FILENO);

	if (run->set.out && !to_stdout)
		return to_file(run, der, verdict);
	/* what goes wrong on stdout is found by cli_finish() */
	if (to_stdout)
		run->written = fwrite(der.data, 1, der.size, stdout) == der.size;
	return exit_of(verdict);
}
