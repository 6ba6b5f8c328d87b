/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The response to its file, by the store rule: nothing older replaces what is held, and what is held is verified to count.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "keep/fetch_command.h"
#include "store/store.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEFAULT_MAX_SIZE 65536

/* Where a symbolic link leads, so that the link stays one: servers are often told of staples by links. NULL: errno says why.
 */
static char *follow(const char *path)
{
	struct stat status;
	char *real = realpath(path, NULL);

	if (real || errno != ENOENT)
		return real;
	if (lstat(path, &status) < 0) /* there is nothing yet */
		return strdup(path);
	errno = ENOENT; /* a link to nowhere */
	return NULL;
}

/* What the file holds; zeroed when there is none, which does not count, as garbage or somebody else's response does not. */
static int read_held(struct fetch_run *run, const char *path, struct clinch_verdict *verdict, struct clinch_error *err)
{
	uint32_t max = run->set.options.max_size ? run->set.options.max_size : DEFAULT_MAX_SIZE;
	auto_buf bytes = { .max = max };
	struct clinch_policy policy = run->set.options.policy;
	gnutls_datum_t der;
	int rc = file_read(&bytes, path, err);

	*verdict = (struct clinch_verdict){ .status = CLINCH_INVALID };
	if (rc == CLINCH_E_TOO_LARGE || (rc == CLINCH_E_FILE && err->sys_errno == ENOENT)) {
		*err = (struct clinch_error){ 0 };
		return 0;
	}
	if (rc)
		return rc;
	policy.max_len = max;
	der = (gnutls_datum_t){ bytes.data, (unsigned)bytes.len };
	clinch_verify(NULL, verdict, &der, run->subject, time(NULL), &policy);
	return 0;
}

static int exit_of(const struct clinch_verdict *verdict)
{
	return verdict->status == CLINCH_REVOKED ? EXIT_REVOKED : EXIT_ACCEPTED;
}

static int keep_held(struct fetch_run *run, enum store_answer answer, const struct clinch_verdict *offered,
		     const struct clinch_verdict *held)
{
	char ours[TIME_TEXT_SIZE], theirs[TIME_TEXT_SIZE];

	run->unchanged = true;
	if (answer == STORE_OLDER)
		cli_say(run->self, "%s: kept, it is %s (thisUpdate %s, %s) than what %s answered (%s)", run->set.out,
			held->status == CLINCH_REVOKED && held->this_update == offered->this_update ? "worse" : "newer",
			time_format(ours, held->this_update), clinch_status_name(held->status), run->outcome.url,
			time_format(theirs, offered->this_update));
	return exit_of(held);
}

static int to_file(struct fetch_run *run, gnutls_datum_t der, const struct clinch_verdict *verdict)
{
	auto_free char *path = follow(run->set.out);
	struct clinch_verdict held;
	enum store_answer answer;

	if (path ? read_held(run, path, &held, &run->error) : error_errno(&run->error, "%s", run->set.out)) {
		cli_say(run->self, "%s; nothing was written, name another file with -o", run->error.text);
		return EXIT_NOT_FOUND_OUT;
	}
	answer = store_rule(verdict, &held);
	if (answer != STORE_TOOK)
		return keep_held(run, answer, verdict, &held);
	if (file_replace(path, der.data, der.size, 0644, &run->error)) {
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
