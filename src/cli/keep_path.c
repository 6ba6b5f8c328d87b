/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"
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
