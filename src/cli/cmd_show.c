/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch show`: what a file says. It judges nothing. */
#include "cli/commands.h"
#include "cli/input.h"
#include "report/show.h"
#include "report/sniff.h"
#include <stdio.h>

enum { FORMAT = 1, JSON };

static const struct cli_option options[] = {
	{ FORMAT, 0, "format", "FORMAT", "text or json", "text json" },
	{ JSON, 0, "json", NULL, "the same as --format json", NULL },
	{ 0 },
};

struct settings {
	const char *file;
	int json; /* --format: 0 is text */
};

static int take(const struct cli *cli, int id, void *user)
{
	struct settings *set = user;

	if (id == CLI_OPERAND)
		return cli_only(cli, "file", &set->file);
	if (id == FORMAT)
		return cli_choice(cli, &set->json);
	set->json = 1;
	return -1;
}

/* -1: go on; else the exit status. */
static int parse(struct settings *set, int argc, char **argv, const struct cli_command *self)
{
	int status = cli_parse(self, argc, argv, take, set);

	if (status >= 0)
		return status;
	return set->file ? -1 : cli_usage(self, "which file? its name, or - for standard input");
}

static json_t *show_certificates(gnutls_datum_t bytes, const char *name)
{
	auto_chain chain = { 0 };

	if (chain_parse(&chain, bytes.data, bytes.size, name, NULL))
		return show_not_understood(bytes);
	return show_chain(&chain);
}

static json_t *show(gnutls_datum_t bytes, const char *name)
{
	switch (sniff(bytes.data, bytes.size)) {
	case SNIFF_RESPONSE:
		return show_response(bytes);
	case SNIFF_REQUEST:
		return show_request(bytes);
	default:
		return show_certificates(bytes, name);
	}
}

static bool print(const struct settings *set, const struct cli_command *self, const json_t *shown)
{
	const char *detail = json_string_value(json_object_get(shown, "detail"));
	struct report_style style = report_style_of(stdout);
	auto_buf text = { .max = 16 * INPUT_MAX };

	if (set->json)
		return !json_dumpf(shown, stdout, 0) && putchar('\n') == '\n';
	if (!show_text(&text, &style, shown))
		return false;
	fwrite(text.data, 1, text.len, stdout);
	if (!json_is_true(json_object_get(shown, "understood")))
		cli_say(self, "%s: %s", set->file, detail ? detail : "it cannot be read");
	return true;
}

static int run(int argc, char **argv, const struct cli_command *self)
{
	struct settings set = { 0 };
	struct clinch_error err = { 0 };
	auto_buf bytes = { .max = INPUT_MAX };
	int status = parse(&set, argc, argv, self);
	bool understood, printed;
	json_t *shown;

	if (status >= 0)
		return status;
	if (input_read(&bytes, set.file, &err)) {
		cli_say(self, "%s", err.text);
		return err.code == CLINCH_E_FORMAT ? EXIT_NOT_BELIEVED : EXIT_NOT_FOUND_OUT;
	}
	shown = show(input_view(&bytes), set.file);
	understood = json_is_true(json_object_get(shown, "understood"));
	printed = shown && print(&set, self, shown);
	json_decref(shown);
	if (!printed && !ferror(stdout)) {
		cli_say(self, "no memory to show %s", set.file);
		return EXIT_NOT_FOUND_OUT;
	}
	return understood ? EXIT_ACCEPTED : EXIT_NOT_BELIEVED;
}

const struct cli_command cmd_show = {
	.name = "show",
	.summary = "show what a response, a request or a chain file says, without judging it",
	.operands = "FILE|-",
	.options = options,
	.run = run,
	.examples = "  clinch show response.der\n"
		    "  clinch show --json fullchain.pem\n",
};
