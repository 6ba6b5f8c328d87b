/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch demo`: the whole loop, to look at. Exit status 0 only when all of it held. */
#include "cli/commands.h"
#include "demo/demo.h"
#include <stdlib.h>

static const struct cli_option options[] = { { 0 } };

static int take(const struct cli *cli, int id, void *user)
{
	(void)id, (void)user;
	return cli_usage(cli->command, "it takes no operand: %s", cli->value);
}

static int demo_command(int argc, char **argv, const struct cli_command *self)
{
	struct clinch_error err = { .code = 0 };
	int status = cli_parse(self, argc, argv, take, NULL);

	if (status >= 0)
		return status;
	/* Loopback is asked without a proxy, whatever the environment says. */
	if (setenv("no_proxy", "127.0.0.1", 1) < 0)
		return EXIT_NOT_FOUND_OUT;
	if (demo_run(&err) == 0)
		return EXIT_ACCEPTED;
	if (demo_signal()) {
		cli_say(self, "interrupted; all that it started has ended, and its directory is removed");
		return 128 + demo_signal();
	}
	cli_say(self, "%s", err.text);
	return EXIT_NOT_FOUND_OUT;
}

const struct cli_command cmd_demo = {
	.name = "demo",
	.summary = "the whole loop of stapling on this machine, to look at",
	.operands = "",
	.options = options,
	.run = demo_command,
	.examples = "  clinch demo\n",
};
