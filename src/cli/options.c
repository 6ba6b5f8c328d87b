/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/distance.h"
#include "base/time.h"
#include "cli/cli.h"
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLI_END = 0, CLI_BAD = -2, CLI_HELP = -3 };

static const struct cli_option help_row = { CLI_HELP, 0, "help", NULL, "show this help", NULL };

/* C0, DEL, and C1 as UTF-8 has it. */
static bool is_control(const char *at)
{
	unsigned char byte = (unsigned char)at[0], next = byte ? (unsigned char)at[1] : 0;

	return byte < ' ' || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0);
}

/* Names that somebody else chose end up in messages: a control must not reach the terminal. */
static void say_line(const char *command, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void say_line(const char *command, const char *format, va_list args)
{
	char line[2048];

	vsnprintf(line, sizeof(line), format, args);
	for (char *at = line; *at; at++)
		if (is_control(at))
			*at = '?';
	fprintf(stderr, "clinch%s%s: %s\n", *command ? " " : "", command, line);
}

void cli_say(const struct cli_command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(command->name, format, args);
	va_end(args);
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(command->name, format, args);
	va_end(args);
	fprintf(stderr, "Try \"clinch%s%s --help\".\n", *command->name ? " " : "", command->name);
	return EXIT_USAGE;
}

int cli_finish(int status)
{
	if (!ferror(stdout) && !fflush(stdout))
		return status;
	fprintf(stderr, "clinch: standard output could not be written: %s\n", strerror(errno));
	return EXIT_NOT_FOUND_OUT;
}

/* ---- typing mistakes ---- */

#define WORD_MAX 32

static const char *nearest_option(const struct cli_command *command, const char *name)
{
	const char *nearest = NULL;
	unsigned least = distance_hint(name) + 1;

	for (const struct cli_option *row = command->options; row->id; row++) {
		unsigned distance = distance_between(row->name, name);

		if (distance < least) {
			least = distance;
			nearest = row->name;
		}
	}
	return nearest;
}

/* ---- parsing ---- */

static const struct cli_option *find_long(const struct cli_command *command, const char *name, size_t len)
{
	for (const struct cli_option *row = command->options; row->id; row++)
		if (strlen(row->name) == len && !memcmp(row->name, name, len))
			return row;
	return len == 4 && !memcmp(name, "help", 4) ? &help_row : NULL;
}

static const struct cli_option *find_letter(const struct cli_command *command, char letter)
{
	for (const struct cli_option *row = command->options; row->id; row++)
		if (row->letter == letter)
			return row;
	return letter == 'h' ? &help_row : NULL;
}

static int bad(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int bad(const struct cli *cli, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	cli_usage(cli->command, "%s", line);
	return CLI_BAD;
}

static int unknown_long(const struct cli *cli, const char *name, size_t len)
{
	char word[WORD_MAX + 8];
	const char *nearest;

	snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), name);
	nearest = nearest_option(cli->command, word);
	if (nearest)
		return bad(cli, "there is no option --%s, did you mean --%s?", word, nearest);
	return bad(cli, "there is no option --%s", word);
}

/* The row's value from `attached` (NULL: none), or from the next argument. */
static int take_value(struct cli *cli, const struct cli_option *row, const char *attached)
{
	cli->option = row;
	cli->value = attached;
	if (attached || !row->value)
		return row->id;
	if (cli->at >= cli->argc)
		return bad(cli, "--%s wants a value: --%s %s", row->name, row->name, row->value);
	cli->value = cli->argv[cli->at++];
	return row->id;
}

static int show_help(const struct cli *cli)
{
	cli_help(cli->command);
	return CLI_HELP;
}

static int take_long(struct cli *cli, const char *name)
{
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct cli_option *row = find_long(cli->command, name, len);

	if (!row)
		return unknown_long(cli, name, len);
	if (equals && !row->value)
		return bad(cli, "--%s takes no value", row->name);
	if (row == &help_row)
		return show_help(cli);
	return take_value(cli, row, equals ? equals + 1 : NULL);
}

static int take_letter(struct cli *cli)
{
	char letter = *cli->rest++;
	const struct cli_option *row = find_letter(cli->command, letter);
	const char *rest = cli->rest;

	if (!*rest)
		cli->rest = NULL;
	if (!row)
		return bad(cli, "there is no option -%c", letter);
	if (row == &help_row)
		return show_help(cli);
	if (!row->value)
		return take_value(cli, row, NULL);
	cli->rest = NULL;
	return take_value(cli, row, *rest ? rest : NULL);
}

/* An option's id, or one of those above. */
static int next(struct cli *cli)
{
	const char *argument;

	if (cli->rest)
		return take_letter(cli);
	if (cli->at >= cli->argc)
		return CLI_END;
	argument = cli->argv[cli->at++];
	if (!cli->only_operands && !strcmp(argument, "--")) {
		cli->only_operands = true;
		return next(cli);
	}
	if (cli->only_operands || argument[0] != '-' || !argument[1]) {
		cli->value = argument;
		return CLI_OPERAND;
	}
	if (argument[1] == '-')
		return take_long(cli, argument + 2);
	cli->rest = argument + 1;
	return take_letter(cli);
}

int cli_parse(const struct cli_command *command, int argc, char **argv, cli_take *take, void *settings)
{
	struct cli cli = { .command = command, .argc = argc, .at = 1, .argv = argv };
	int id, status = -1;

	while (status < 0 && (id = next(&cli)) != CLI_END) {
		if (id == CLI_HELP)
			return EXIT_ACCEPTED;
		status = id == CLI_BAD ? EXIT_USAGE : take(&cli, id, settings);
	}
	return status;
}

/* ---- values ---- */

int cli_number(const struct cli *cli, uint32_t min, uint32_t max, uint32_t *out)
{
	const char *text = cli->value;
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (!*text || *end || errno || !strchr("-0123456789", *text) || number < min || number > max)
		return cli_usage(cli->command, "--%s wants a whole number from %u to %u, not \"%s\"", cli->option->name, min,
				 max, text);
	*out = (uint32_t)number;
	return -1;
}

int cli_seconds(const struct cli *cli, uint32_t max, uint32_t *out_ms)
{
	uint32_t seconds;
	int status = cli_number(cli, 1, max, &seconds);

	if (status < 0)
		*out_ms = seconds * 1000;
	return status;
}

int cli_time(const struct cli *cli, int64_t *out)
{
	if (time_parse(out, cli->value))
		return -1;
	return cli_usage(cli->command, "--%s wants an instant like 2026-11-23T17:00:00Z, not \"%s\"", cli->option->name,
			 cli->value);
}

int cli_choice(const struct cli *cli, int *out)
{
	size_t len = strlen(cli->value);
	const char *at = cli->option->values;

	for (int i = 0; *at; i++) {
		size_t word_len = strcspn(at, " ");

		if (word_len == len && !memcmp(at, cli->value, len)) {
			*out = i;
			return -1;
		}
		at += word_len;
		at += strspn(at, " ");
	}
	return cli_usage(cli->command, "--%s wants one of: %s; not \"%s\"", cli->option->name, cli->option->values,
			 cli->value);
}

int cli_only(const struct cli *cli, const char *what, const char **out)
{
	if (*out)
		return cli_usage(cli->command, "one %s at a time: %s and then %s", what, *out, cli->value);
	*out = cli->value;
	return -1;
}

static int is_stdin(const char *path)
{
	return path && !strcmp(path, "-");
}

int cli_one_stdin(const struct cli_command *command, const char *a, const char *b, const char *c)
{
	if (is_stdin(a) + is_stdin(b) + is_stdin(c) <= 1)
		return -1;
	return cli_usage(command, "standard input can be read once: more than one file is \"-\"");
}

/* ---- help ---- */

static void help_option(const struct cli_option *row)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s --%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
		 row->letter ? "," : " ", row->name, row->value ? " " : "", row->value ? row->value : "");
	if (strlen(left) > 26)
		printf("  %s\n%30s%s\n", left, "", row->help);
	else
		printf("  %-28s%s\n", left, row->help);
}

void cli_help(const struct cli_command *command)
{
	printf("Usage: clinch %s [OPTION]...%s%s\n%s\n\nOptions:\n", command->name, *command->operands ? " " : "",
	       command->operands, command->summary);
	for (const struct cli_option *row = command->options; row->id; row++)
		help_option(row);
	help_option(&help_row);
	if (command->examples)
		printf("\nExamples:\n%s", command->examples);
	printf("\nExit statuses and files: clinch(1). This command: clinch-%s(1).\n", command->name);
}
