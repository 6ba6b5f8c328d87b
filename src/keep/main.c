/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stdio.h"
#include "keep/keep.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command *const commands[] = { &keep_fetch, &keep_keep };

static const struct cli_option no_options[] = { { 0 } };
static const struct cli_command front = { .name = "", .summary = "", .operands = "", .options = no_options };

static int help(void)
{
	printf("Usage: clinch-keep COMMAND [OPTION]... [OPERAND]...\nThe part of clinch that speaks HTTP; clinch starts it.\n\nCommands:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		printf("  %-12s%s\n", commands[i]->name, commands[i]->summary);
	return EXIT_ACCEPTED;
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return cli_usage(&front, "clinch-keep: which command? fetch or keep");
	if (strcmp(argv[1], "--help") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		printf("clinch-keep %s\n", CLINCH_VERSION);
		return EXIT_ACCEPTED;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i]->name, argv[1]) == 0)
			return commands[i]->run(argc - 1, argv + 1, commands[i]);
	return cli_usage(&front, "clinch-keep: there is no command \"%s\"", argv[1]);
}

int main(int argc, char **argv)
{
	stdio_open();
	signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of its connection, not our end */
	return cli_finish(run(argc, argv));
}
