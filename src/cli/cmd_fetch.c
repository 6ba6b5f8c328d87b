/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front of `fetch`: the work is done by clinch-keep, the one executable that links an HTTP client. */
#include "cli/commands.h"
#include "cli/fetch_options.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MAX 256

static int fetch_run(int argc, char **argv, const struct cli_command *self)
{
	char path[PATH_MAX];
	char *arguments[ARGUMENTS_MAX + 2] = { path };

	if (argc > ARGUMENTS_MAX)
		return cli_usage(self, "there are more than %d arguments", ARGUMENTS_MAX);
	if (!cli_keep_path(path, sizeof(path))) {
		cli_say(self, "the path of clinch-keep is too long");
		return EXIT_NOT_FOUND_OUT;
	}
	for (int i = 0; i < argc; i++)
		arguments[i + 1] = argv[i];
	fflush(stdout);
	execv(path, arguments);
	cli_say(self, "%s could not be started: %s; is clinch-keep installed?", path, strerror(errno));
	return EXIT_NOT_FOUND_OUT;
}

const struct cli_command cmd_fetch = {
	.name = FETCH_NAME,
	.summary = FETCH_SUMMARY,
	.operands = FETCH_OPERANDS,
	.options = fetch_options,
	.run = fetch_run,
	.examples = fetch_examples,
};
