/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The front: it finds the command and runs it. */
#include "base/distance.h"
#include "cli/commands.h"
#include "cli/stdio.h"
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

const struct cli_command *const clinch_commands[] = {
	&cmd_check, &cmd_verify,  &cmd_show,   &cmd_fetch, &cmd_put,        &cmd_keep,
	&cmd_serve, &cmd_respond, &cmd_status, &cmd_demo,  &cmd_completion, NULL,
};

static const struct cli_option no_options[] = { { 0 } };
static const struct cli_command front = { .name = "", .summary = "", .operands = "", .options = no_options };

static int show_front_help(void)
{
	printf("Usage: clinch COMMAND [OPTION]... [OPERAND]...\n"
	       "OCSP stapling: is a staple there, is it to be believed, and what does it say?\n\nCommands:\n");
	for (const struct cli_command *const *command = clinch_commands; *command; command++)
		printf("  %-12s%s\n", (*command)->name, (*command)->summary);
	printf("\n\"clinch COMMAND --help\" lists its options; clinch(1) has the exit statuses.\n"
	       "  --help      show this help\n  --version   show the version\n");
	return EXIT_ACCEPTED;
}

static int show_version(void)
{
	printf("clinch %s (GnuTLS %s)\n", CLINCH_VERSION, gnutls_check_version(NULL));
	return EXIT_ACCEPTED;
}

static int unknown(const char *word)
{
	const char *nearest = NULL;
	unsigned least = distance_hint(word) + 1;

	if (word[0] == '-')
		return cli_usage(&front, "there is no option %s before the command", word);
	for (const struct cli_command *const *command = clinch_commands; *command; command++) {
		unsigned distance = distance_between((*command)->name, word);

		if (distance < least) {
			least = distance;
			nearest = (*command)->name;
		}
	}
	if (nearest)
		return cli_usage(&front, "there is no command \"%s\", did you mean \"%s\"?", word, nearest);
	return cli_usage(&front, "there is no command \"%s\"", word);
}

static const struct cli_command *find(const char *word)
{
	for (const struct cli_command *const *command = clinch_commands; *command; command++)
		if (!strcmp((*command)->name, word))
			return *command;
	return NULL;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return !strcmp(word, a) || !strcmp(word, b);
}

static int run(int argc, char **argv)
{
	static char help[] = "--help";
	const struct cli_command *command;

	if (argc < 2)
		return cli_usage(&front, "which command? \"clinch --help\" lists them");
	if (is_one_of(argv[1], "--version", "-V"))
		return show_version();
	if (is_one_of(argv[1], "--help", "-h") || (argc == 2 && !strcmp(argv[1], "help")))
		return show_front_help();
	if (!strcmp(argv[1], "help")) { /* "clinch help verify" is "clinch verify --help" */
		argv[1] = argv[2];
		argv[2] = help;
		argc = 3;
	}
	command = find(argv[1]);
	return command ? command->run(argc - 1, argv + 1, command) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
	stdio_open();
	return cli_finish(run(argc, argv));
}
