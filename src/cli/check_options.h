/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was asked of `clinch check`: its options and targets, read strictly. */
#ifndef CLI_CHECK_OPTIONS_H
#define CLI_CHECK_OPTIONS_H

#include "cli/cli.h"
#include "probe/probe.h"
#include "report/check.h"

enum check_format { CHECK_TEXT, CHECK_JSON, CHECK_NAGIOS };

struct check_target {
	char *text; /* as it was written */
	struct target target;
};

struct check_settings {
	struct probe_options probe;
	struct target connect, proxy;
	char servername[TARGET_HOST_MAX + 1];
	bool has_connect, has_proxy, has_servername, ask_responder, quiet, verbose;
	int format; /* enum check_format */
	struct nagios_limits limits;
	struct buf targets_file; /* what --targets named */
	struct check_target *targets;
	size_t n_targets;
};

extern const struct cli_option check_options[];

/* -1: go on; else the exit status, and why is said. check_settings_done() in any case. */
int check_settings_parse(struct check_settings *out, int argc, char **argv, const struct cli_command *self);
void check_settings_done(struct check_settings *settings);

#endif
