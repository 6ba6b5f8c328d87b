/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"
#include "cli/keep_options.h"

const struct cli_command cmd_keep = {
	.name = KEEP_NAME,
	.summary = KEEP_SUMMARY,
	.operands = KEEP_OPERANDS,
	.options = keep_options,
	.run = cli_exec_keep,
	.examples = keep_examples,
};
