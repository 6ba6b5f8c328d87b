/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the front. `clinch_commands` ends with a NULL. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command cmd_check, cmd_completion, cmd_demo, cmd_fetch, cmd_keep, cmd_put, cmd_respond, cmd_serve,
	cmd_show, cmd_status, cmd_verify;
extern const struct cli_command *const clinch_commands[];

#endif
