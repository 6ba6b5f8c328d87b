/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch status`: what the keeper holds, how long it lasts, and what went wrong. */
#include "base/cleanup.h"
#include "base/time.h"
#include "cli/ask_keeper.h"
#include "cli/commands.h"
#include "cli/status_text.h"
#include "conf/schema.h"
#include "report/report.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CONF = 1, SOCKET, FORMAT, JSON, WARN_BELOW, CRITICAL_BELOW };

static const struct cli_option options[] = {
	{ CONF, 'c', "config", "FILE", "the keeper's configuration (/etc/clinch/clinch.yaml), for its socket", "FILE" },
	{ SOCKET, 0, "socket", "SOCKET", "the keeper's socket", "FILE" },
	{ FORMAT, 0, "format", "FORMAT", "text, json or nagios", "text json nagios" },
	{ JSON, 0, "json", NULL, "the same as --format json", NULL },
	{ WARN_BELOW, 0, "warn-below", "DURATION", "nagios: WARNING when a staple remains for less (12h, 2d)", NULL },
	{ CRITICAL_BELOW, 0, "critical-below", "DURATION", "as a missing one when a staple remains for less", NULL },
	{ 0 },
};

enum format { TEXT, AS_JSON, NAGIOS };

struct settings {
	const char *conf, *socket, *name;
	int format; /* enum format */
	uint32_t warn_below_ms, critical_below_ms;
};

static int take_duration(const struct cli *cli, uint32_t *out_ms)
{
	char why[CONF_WHY_SIZE];

	if (conf_duration(cli->value, 1000, UINT32_MAX, out_ms, why))
		return -1;
	return cli_usage(cli->command, "--%s %s", cli->option->name, why);
}

static int take(const struct cli *cli, int id, void *user)
{
	struct settings *set = user;

	switch (id) {
	case CLI_OPERAND:
		return cli_only(cli, "certificate", &set->name);
	case CONF:
		set->conf = cli->value;
		return -1;
	case SOCKET:
		set->socket = cli->value;
		return -1;
	case JSON:
		set->format = AS_JSON;
		return -1;
	case WARN_BELOW:
		return take_duration(cli, &set->warn_below_ms);
	case CRITICAL_BELOW:
		return take_duration(cli, &set->critical_below_ms);
	default:
		return cli_choice(cli, &set->format);
	}
}

/* -1: go on; else the exit status. */
static int parse(struct settings *set, int argc, char **argv, const struct cli_command *self)
{
	int status = cli_parse(self, argc, argv, take, set);

	if (status >= 0)
		return status;
	if (set->conf && set->socket)
		return cli_usage(self, "--config and --socket exclude each other");
	if (set->warn_below_ms && set->format != NAGIOS)
		return cli_usage(self, "--warn-below is for --format nagios");
	return -1;
}

/* ---- how it is ---- */

enum health { WELL, DOUBTFUL, LACKING, REVOKED };

static enum health health_of(const json_t *row, const struct settings *set)
{
	const char *state = ask_text(row, "state");
	const json_t *left = json_object_get(row, "remaining_s");

	if (!strcmp(state, "revoked"))
		return REVOKED;
	if (strcmp(state, "good") != 0 || json_integer_value(left) < set->critical_below_ms / 1000)
		return LACKING;
	if (json_integer_value(json_object_get(row, "failures")) > 0 || json_integer_value(left) < set->warn_below_ms / 1000)
		return DOUBTFUL;
	return WELL;
}

struct summary {
	size_t n, count[REVOKED + 1];
	size_t failing_outputs;
	size_t bad_files, without_issuer, need_none; /* where no name was given; the last: files */
	bool store_works;
	const json_t *worst; /* the row to name */
	enum health health;
};

/* Certificates that should be kept, and are none of the rows. */
static void add_lacking(struct summary *summary, const json_t *totals)
{
	summary->bad_files = (size_t)json_integer_value(json_object_get(totals, "bad_files"));
	summary->without_issuer = (size_t)json_integer_value(json_object_get(totals, "without_issuer"));
	summary->need_none = (size_t)json_integer_value(json_object_get(totals, "without_url"));
	bool any = summary->n || summary->need_none;
	if ((!any || summary->bad_files || summary->without_issuer) && summary->health < LACKING)
		summary->health = LACKING;
}

static bool ends_before(const json_t *one, const json_t *other)
{
	return json_integer_value(json_object_get(one, "remaining_s")) <
	       json_integer_value(json_object_get(other, "remaining_s"));
}

static struct summary summarise(const json_t *status, const struct settings *set)
{
	struct summary out = { .store_works = json_is_true(json_object_get(status, "store_works")) };
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(status, "certificates"), i, row)
	{
		enum health health = health_of(row, set);

		out.n++;
		out.count[health]++;
		if (!out.worst || health > out.health || (health == out.health && ends_before(row, out.worst)))
			out.worst = row;
		out.health = health > out.health ? health : out.health;
	}
	json_array_foreach(json_object_get(status, "outputs"), i, row) out.failing_outputs +=
		json_integer_value(json_object_get(row, "failures")) > 0;
	if (!set->name)
		add_lacking(&out, json_object_get(status, "totals"));
	return out;
}

static int exit_of(const struct summary *summary)
{
	if (summary->health == REVOKED)
		return EXIT_REVOKED;
	return summary->health == LACKING ? EXIT_MISSING : EXIT_ACCEPTED;
}

/* Why this row is not well, as far as the thresholds go; the soonest end where all is. */
static void add_worst(struct buf *line, const struct summary *summary, const struct settings *set)
{
	const json_t *row = summary->worst, *trouble = json_object_get(row, "trouble");
	const char *name = ask_text(row, "name"), *state = ask_text(row, "state");
	json_int_t left_s = json_integer_value(json_object_get(row, "remaining_s")), below_s = set->critical_below_ms / 1000;
	char left[TIME_SPAN_SIZE], below[TIME_SPAN_SIZE];

	if (strcmp(state, "good") != 0) {
		buf_printf(line, "%s: %s", name, state);
	} else {
		below_s = left_s < below_s ? below_s : set->warn_below_ms / 1000;
		buf_printf(line, "%s: %s left", name, time_span(left, left_s));
		if (left_s < below_s)
			buf_printf(line, ", below %s", time_span(below, below_s));
	}
	if (json_is_object(trouble))
		buf_printf(line, " (%s)", ask_text(trouble, "text"));
}

static void add_count(struct buf *line, size_t n, const char *one, const char *many)
{
	buf_printf(line, "%zu %s", n, n == 1 ? one : many);
}

static void add_state(struct buf *line, const struct summary *summary, const struct settings *set)
{
	bool is_named = summary->worst && health_of(summary->worst, set) != WELL;

	if (is_named)
		add_worst(line, summary, set);
	else if (!summary->n && summary->need_none)
		buf_printf(line, "no certificate needs a response");
	else
		add_count(line, summary->n, "certificate", "certificates");
	if (summary->bad_files) {
		buf_printf(line, ", ");
		add_count(line, summary->bad_files, "file cannot be read", "files cannot be read");
	}
	if (summary->without_issuer)
		buf_printf(line, ", %zu without %s issuer", summary->without_issuer,
			   summary->without_issuer == 1 ? "its" : "their");
	if (summary->failing_outputs) {
		buf_printf(line, ", ");
		add_count(line, summary->failing_outputs, "output fails", "outputs fail");
	}
	if (!summary->store_works)
		buf_printf(line, ", the store cannot be written");
	if (summary->worst && !is_named) {
		buf_printf(line, ", the first to end is ");
		add_worst(line, summary, set);
	} else if (is_named && summary->n > 1) {
		buf_printf(line, "; %zu of %zu certificates are well", summary->count[WELL], summary->n);
	}
}

/* What a plugin says is a line, and ends at a bar. */
static void print_sentence(const void *text, size_t len)
{
	auto_buf safe = { .max = 16384 };

	report_printable(&safe, text, len);
	for (size_t i = 0; i < safe.len; i++)
		if (safe.data[i] == '|')
			safe.data[i] = '!';
	fwrite(safe.data, 1, safe.len, stdout);
}

static int print_nagios(const json_t *status, const struct summary *summary, const struct settings *set)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL" };
	bool doubtful = summary->health == DOUBTFUL || summary->failing_outputs || !summary->store_works;
	int state = summary->health >= LACKING ? 2 : doubtful;
	auto_buf line = { .max = 4096 };

	add_state(&line, summary, set);
	printf("KEEPER %s - ", words[state]);
	print_sentence(line.data, line.len);
	printf(" | lacking=%zu revoked=%zu failing=%lld\n", summary->count[LACKING], summary->count[REVOKED],
	       (long long)json_integer_value(json_object_get(json_object_get(status, "totals"), "failing")));
	return state;
}

/* ---- the command ---- */

/* Nobody could be asked. */
static int fail(const struct settings *set, const struct cli_command *self, const struct clinch_error *err)
{
	if (set->format == NAGIOS) {
		printf("KEEPER UNKNOWN - ");
		print_sentence(err->text, strlen(err->text));
		putchar('\n');
		return 3;
	}
	cli_say(self, "%s", err->text);
	return err->code == CLINCH_E_FORMAT ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
}

static int ask(json_t **out, const struct settings *set, struct clinch_error *err)
{
	char path[ASK_PATH_SIZE];
	int rc = ask_socket_path(path, set->socket, set->conf, err);
	json_t *question;

	if (rc < 0)
		return rc;
	question = json_pack("{ss ss*}", "ask", "status", "name", set->name);
	rc = ask_keeper(out, path, question, err);
	json_decref(question);
	if (rc == 0 && strcmp(ask_text(*out, "schema"), "clinch-status-1") != 0) {
		*err = (struct clinch_error){ .code = CLINCH_E_NETWORK };
		snprintf(err->text, sizeof(err->text), "%.200s: %.100s", path, ask_text(*out, "text"));
		return err->code;
	}
	return rc;
}

static bool print_json(const json_t *status)
{
	return json_dumpf(status, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
}

static bool print_text(const json_t *status, const struct settings *set)
{
	struct report_style style = report_style_of(stdout);
	auto_buf text = { .max = 1024 * 1024 * 1024 };
	bool fits = set->name ? status_details(&text, &style, status, time(NULL))
			      : status_table(&text, &style, status, time(NULL));

	return fits && fwrite(text.data, 1, text.len, stdout) == text.len;
}

static int run(int argc, char **argv, const struct cli_command *self)
{
	struct settings set = { 0 };
	struct clinch_error err = { 0 };
	json_t *status = NULL;
	int rc = parse(&set, argc, argv, self);

	if (rc >= 0)
		return rc;
	rc = ask(&status, &set, &err);
	if (rc < 0) {
		json_decref(status);
		return fail(&set, self, &err);
	}
	struct summary summary = summarise(status, &set);
	if (set.name && !summary.n) {
		snprintf(err.text, sizeof(err.text), "%.200s: the keeper keeps no such certificate", set.name);
		rc = fail(&set, self, &err);
	} else if (set.format == NAGIOS) {
		rc = print_nagios(status, &summary, &set);
	} else {
		bool printed = set.format == AS_JSON ? print_json(status) : print_text(status, &set);
		rc = printed ? exit_of(&summary) : EXIT_NOT_FOUND_OUT;
	}
	json_decref(status);
	return rc;
}

const struct cli_command cmd_status = {
	.name = "status",
	.summary = "ask the keeper what it holds, and how long that lasts",
	.operands = "[NAME]",
	.options = options,
	.run = run,
	.examples = "  clinch status\n"
		    "  clinch status www.example.org\n"
		    "  clinch status --format nagios --warn-below 2d --critical-below 12h\n",
};
