/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front of `fetch`: the work is done by clinch-keep, the one executable that links an HTTP client. */
#include "cli/commands.h"
#include "cli/fetch_options.h"

const struct cli_command cmd_fetch = {
	.name = FETCH_NAME,
	.summary = FETCH_SUMMARY,
	.operands = FETCH_OPERANDS,
	.options = fetch_options,
	.run = cli_exec_keep,
	.examples = fetch_examples,
};
