/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands and their options: one table makes the parser, --help and the completions. Parsing is getopt's: options and
 * operands in any order, "--" ends the options, "--name=value" or "--name value", "-o value" or "-ovalue".
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "report/exit.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_option {
	int id;            /* 1 and above; what cli_next() returns */
	char letter;       /* 0: none */
	const char *name;  /* without the dashes */
	const char *value; /* what its value is called in --help; NULL: it takes none */
	const char *help;  /* one line, lower case, no full stop */
	const char
		*values; /* "none must-staple leaf chain": what completion offers; "FILE" or "DIR": names; NULL: nothing */
};

struct cli_command {
	const char *name;
	const char *summary;              /* one line */
	const char *operands;             /* "HOST[:PORT]..."; "" when it takes none */
	const struct cli_option *options; /* ended by an id of 0; --help is added to each */
	int (*run)(int argc, char **argv,
		   const struct cli_command *self); /* argv[0] is the command's name; the exit status */
	const char *examples;                       /* for --help: lines, ended by a newline; NULL: none */
};

struct cli {
	const struct cli_command *command;
	int argc, at;
	char **argv;
	const struct cli_option *option; /* the last one */
	const char *value;               /* of the last option or operand; argv's */
	const char *rest;                /* inside "-abc" */
	bool only_operands;
};

enum { CLI_OPERAND = -1 };

/* Takes cli->value, of the option with this id, or an operand. -1: go on; else the exit status, which was said. */
typedef int cli_take(const struct cli *cli, int id, void *settings);

/* All of argv, one after the other. -1: go on; else the exit status: --help was shown, or it was said what is wrong. */
int cli_parse(const struct cli_command *command, int argc, char **argv, cli_take *take, void *settings);

/* --help on stdout, from the same table. */
void cli_help(const struct cli_command *command);

/* The last thing of a process: stdout is flushed, and what could not be written is said and is EXIT_NOT_FOUND_OUT; else
 * `status`. */
int cli_finish(int status);

/* Where clinch-keep is: beside this executable when that is a build tree, else in libexecdir. False: `size` is too small. */
bool cli_keep_path(char *out, size_t size);
/* A command's run(): clinch-keep takes the place of this process, with the same command and arguments. */
int cli_exec_keep(int argc, char **argv, const struct cli_command *self);

/* On stderr: "clinch <command>: <sentence>". Return EXIT_USAGE after the first, with a hint at --help. */
int cli_usage(const struct cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_say(const struct cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Values, strictly: all of the text, within bounds. -1: go on; else EXIT_USAGE: it was said, with the option's name. */
int cli_number(const struct cli *cli, uint32_t min, uint32_t max, uint32_t *out);
int cli_seconds(const struct cli *cli, uint32_t max, uint32_t *out_ms); /* 1 and above */
int cli_time(const struct cli *cli, int64_t *out);                      /* RFC 3339 */
int cli_choice(const struct cli *cli, int *out); /* the index among the words of the option's `values` */
/* An operand of which there is one: "one response at a time: a.der and then b.der". */
int cli_only(const struct cli *cli, const char *what, const char **out);
/* Of these files, each may be NULL, one at most is "-". */
int cli_one_stdin(const struct cli_command *command, const char *a, const char *b, const char *c);

#endif
