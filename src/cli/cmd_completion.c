/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch completion`: the shells' completions, printed from the tables that the parsers use. */
#include "cli/commands.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = { { 0 } };

static bool is_files(const char *values)
{
	return values && !strcmp(values, "FILE");
}

static bool is_directories(const char *values)
{
	return values && !strcmp(values, "DIR");
}

static bool is_words(const char *values)
{
	return values && !is_files(values) && !is_directories(values);
}

/* Operands are hosts, words ("bash|zsh|fish") or, mostly, files. */
static bool operands_are_hosts(const struct cli_command *command)
{
	return !strncmp(command->operands, "HOST", 4);
}

static bool operands_are_words(const struct cli_command *command)
{
	return islower((unsigned char)command->operands[0]);
}

static void put_operand_words(const struct cli_command *command)
{
	for (const char *at = command->operands; *at; at++)
		putchar(*at == '|' ? ' ' : *at);
}

/* `text` with a backslash before each of `special`. */
static void put_escaped(const char *text, const char *special)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			putchar('\\');
		putchar(*text);
	}
}

static void put_commands(void)
{
	for (const struct cli_command *const *command = clinch_commands; *command; command++)
		printf("%s ", (*command)->name);
}

/* ---- bash ---- */

/* Files are what is offered where the function offers nothing, except after this. */
#define NO_FILES "compopt +o default 2>/dev/null"

static void bash_values(const struct cli_option *row)
{
	if (!row->value)
		return;
	printf("\t\t--%s", row->name);
	if (row->letter)
		printf("|-%c", row->letter);
	if (is_files(row->values))
		printf(") return ;;\n");
	else if (is_directories(row->values))
		printf(") mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n");
	else if (row->values)
		printf(") " NO_FILES "; mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;\n", row->values);
	else
		printf(") " NO_FILES "; return ;;\n");
}

static void bash_operands(const struct cli_command *command)
{
	if (operands_are_hosts(command)) {
		printf("\t\t" NO_FILES "\n\t\tmapfile -t COMPREPLY < <(compgen -A hostname -- \"$cur\")\n");
	} else if (operands_are_words(command)) {
		printf("\t\t" NO_FILES "\n\t\tmapfile -t COMPREPLY < <(compgen -W '");
		put_operand_words(command);
		printf("' -- \"$cur\")\n");
	}
}

static void bash_command(const struct cli_command *command)
{
	printf("\t%s)\n\t\tcase $prev in\n", command->name);
	for (const struct cli_option *row = command->options; row->id; row++)
		bash_values(row);
	printf("\t\tesac\n\t\tif [[ $cur == -* ]]; then\n\t\t\tmapfile -t COMPREPLY < <(compgen -W '");
	for (const struct cli_option *row = command->options; row->id; row++)
		printf("--%s ", row->name);
	printf("--help' -- \"$cur\")\n\t\t\treturn\n\t\tfi\n");
	bash_operands(command);
	printf("\t\t;;\n");
}

static void print_bash(void)
{
	printf("# bash completion for clinch, printed by \"clinch completion bash\"\n"
	       "_clinch() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	       "\t# bash makes three words of --option=value\n"
	       "\tif [[ $cur == = ]]; then\n\t\tcur=\n"
	       "\telif [[ $prev == = ]]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
	       "\tCOMPREPLY=()\n"
	       "\tif ((COMP_CWORD == 1)); then\n\t\tmapfile -t COMPREPLY < <(compgen -W '");
	put_commands();
	printf("--help --version' -- \"$cur\")\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (const struct cli_command *const *command = clinch_commands; *command; command++)
		bash_command(*command);
	printf("\tesac\n}\ncomplete -o default -F _clinch clinch\n");
}

/* ---- zsh ---- */

/* In single quotes, which end for a quote of the text's own. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			putchar('\\');
		if (*text == '\'')
			printf("'\\''");
		else
			putchar(*text);
	}
}

static void zsh_value(const struct cli_option *row)
{
	if (!row->value)
		return;
	printf(":");
	zsh_text(row->value);
	if (is_files(row->values))
		printf(":_files");
	else if (is_directories(row->values))
		printf(":_files -/");
	else if (is_words(row->values))
		printf(":(%s)", row->values);
	else
		printf(": ");
}

static void zsh_option(const struct cli_option *row)
{
	printf(" \\\n\t\t\t'");
	if (row->letter)
		printf("(-%c --%s)'{-%c%s,--%s%s}'", row->letter, row->name, row->letter, row->value ? "+" : "", row->name,
		       row->value ? "=" : "");
	else
		printf("--%s%s", row->name, row->value ? "=" : "");
	printf("[");
	zsh_text(row->help);
	printf("]");
	zsh_value(row);
	printf("'");
}

static void zsh_command(const struct cli_command *command)
{
	printf("\t%s)\n\t\t_arguments -s", command->name);
	for (const struct cli_option *row = command->options; row->id; row++)
		zsh_option(row);
	printf(" \\\n\t\t\t'--help[show this help]'");
	if (operands_are_hosts(command)) {
		printf(" \\\n\t\t\t'*:host:_hosts'");
	} else if (operands_are_words(command)) {
		printf(" \\\n\t\t\t'*:shell:(");
		put_operand_words(command);
		printf(")'");
	} else {
		printf(" \\\n\t\t\t'*:file:_files'");
	}
	printf("\n\t\t;;\n");
}

static void print_zsh(void)
{
	printf("#compdef clinch\n# printed by \"clinch completion zsh\"\n_clinch() {\n\tlocal -a commands=(");
	for (const struct cli_command *const *command = clinch_commands; *command; command++) {
		printf("\n\t\t'%s:", (*command)->name);
		zsh_text((*command)->summary);
		printf("'");
	}
	printf("\n\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n"
	       "\t\t_arguments '--help[show help]' '--version[show the version]'\n\t\treturn\n\tfi\n"
	       "\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $command in\n");
	for (const struct cli_command *const *command = clinch_commands; *command; command++)
		zsh_command(*command);
	printf("\tesac\n}\nif [ \"$funcstack[1]\" = _clinch ]; then\n\t_clinch \"$@\"\nelse\n\tcompdef _clinch clinch\nfi\n");
}

/* ---- fish ---- */

static void fish_option(const struct cli_command *command, const struct cli_option *row)
{
	printf("complete -c clinch -n '__fish_seen_subcommand_from %s' -l %s", command->name, row->name);
	if (row->letter)
		printf(" -s %c", row->letter);
	if (is_words(row->values))
		printf(" -x -a '%s'", row->values);
	else if (is_directories(row->values))
		printf(" -x -a '(__fish_complete_directories)'");
	else if (is_files(row->values))
		printf(" -r -F");
	else if (row->value)
		printf(" -x");
	printf(" -d '");
	put_escaped(row->help, "'\\");
	printf("'\n");
}

static void fish_command(const struct cli_command *command)
{
	printf("complete -c clinch -f -n __fish_use_subcommand -a %s -d '", command->name);
	put_escaped(command->summary, "'\\");
	printf("'\n");
	for (const struct cli_option *row = command->options; row->id; row++)
		fish_option(command, row);
	printf("complete -c clinch -n '__fish_seen_subcommand_from %s' -l help -d 'show this help'\n", command->name);
	if (operands_are_hosts(command))
		printf("complete -c clinch -f -n '__fish_seen_subcommand_from %s' -a '(__fish_print_hostnames)'\n",
		       command->name);
	if (!operands_are_words(command))
		return;
	printf("complete -c clinch -f -n '__fish_seen_subcommand_from %s' -a '", command->name);
	put_operand_words(command);
	printf("'\n");
}

static void print_fish(void)
{
	printf("# fish completion for clinch, printed by \"clinch completion fish\"\n");
	for (const struct cli_command *const *command = clinch_commands; *command; command++)
		fish_command(*command);
	printf("complete -c clinch -f -n __fish_use_subcommand -l version -d 'show the version'\n");
}

/* ---- the command ---- */

static const struct {
	const char *shell;
	void (*print)(void);
} printers[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

static int take_shell(const struct cli *cli, int id, void *shell)
{
	(void)id;
	return cli_only(cli, "shell", shell);
}

static int run(int argc, char **argv, const struct cli_command *self)
{
	const char *shell = NULL;
	int status = cli_parse(self, argc, argv, take_shell, &shell);

	if (status >= 0)
		return status;
	if (!shell)
		return cli_usage(self, "for which shell? bash, zsh or fish");
	for (unsigned i = 0; i < sizeof(printers) / sizeof(*printers); i++) {
		if (strcmp(printers[i].shell, shell))
			continue;
		printers[i].print();
		return EXIT_ACCEPTED;
	}
	return cli_usage(self, "there are completions for bash, zsh and fish, not for \"%s\"", shell);
}

const struct cli_command cmd_completion = {
	.name = "completion",
	.summary = "print the completions of a shell",
	.operands = "bash|zsh|fish",
	.options = options,
	.run = run,
	.examples = "  source <(clinch completion bash)\n",
};
