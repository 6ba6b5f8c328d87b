/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cli_keep_path(char *out, size_t size)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	int written;

	if (len > 0) {
		self[len] = 0;
		slash = strrchr(self, '/');
		written = snprintf(out, size, "%.*s/clinch-keep", (int)(slash ? slash - self : 0), self);
		if (written > 0 && (size_t)written < size && !access(out, X_OK))
			return true;
	}
	written = snprintf(out, size, "%s/clinch-keep", CLINCH_LIBEXECDIR);
	return written > 0 && (size_t)written < size;
}

#define ARGUMENTS_MAX 256

int cli_exec_keep(int argc, char **argv, const struct cli_command *self)
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
