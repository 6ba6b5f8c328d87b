/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch keep`: its options, and whom it runs as. */
#include "cli/daemon.h"
#include "cli/keep_options.h"
#include "keep/daemon.h"
#include "keep/fetch_command.h"
#include "keep/keep.h"
#include "keep/paths.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int take(const struct cli *cli, int id, void *user)
{
	struct keep_settings *set = user;

	switch (id) {
	case CLI_OPERAND:
		return cli_usage(cli->command, "%s: it takes no operand; the configuration is named with -c FILE",
				 cli->value);
	case KEEP_ONCE:
		set->once = true;
		return -1;
	case KEEP_PRINT_DEFAULTS:
		set->print_defaults = true;
		return -1;
	default:
		return daemon_take(cli, id, &set->daemon);
	}
}

int keep_daemon_conf(const struct keep_settings *set, struct conf *out, struct clinch_error *err)
{
	int rc = conf_read(out, set->daemon.file, err);

	if (rc < 0)
		return rc;
	if (out->proxy_of_environment)
		proxies_of_environment(&out->keep.limits.proxies);
	return 0;
}

static int say_error(const struct cli_command *self, const struct clinch_error *err)
{
	cli_say(self, "%s", err->text);
	return err->code == CLINCH_E_FORMAT || err->code == CLINCH_E_ARGUMENT ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
}

/* Where there is no section, nothing would be kept, silently. */
static int check_section(const struct cli_command *self, const struct keep_settings *set, const struct conf *conf)
{
	if (conf->has_keep)
		return EXIT_ACCEPTED;
	return cli_usage(self, "%s: has no section \"keep\"", set->daemon.file);
}

static void note_file(const char *path, void *user)
{
	*(bool *)user |= access(path, F_OK) == 0;
}

static void pass_dir(const char *path, void *user)
{
	(void)path, (void)user;
}

/* What is not there now may come: no reason to refuse. */
static int say_good(const struct cli_command *self, const struct keep_settings *set, const struct conf *conf)
{
	for (size_t i = 0; i < conf->keep.n_sources; i++) {
		const char *path = conf->keep.source[i].path;
		bool is_there = false;
		const struct paths_taker taker = { .file = note_file, .dir = pass_dir, .user = &is_there };

		if (!paths_expand(path, &taker))
			cli_say(self, "warning: %s: cannot be looked into: %s", path, strerror(errno));
		else if (!is_there)
			cli_say(self, "warning: %s: no file is there now", path);
	}
	printf("%s: good\n", set->daemon.file);
	return EXIT_ACCEPTED;
}

/*
 * The file says who to become, so it is read as root too; what counts is what that user can read. Standard input can be read
 * once, by whom it may.
 */
static int settle(struct keep_daemon *daemon)
{
	struct clinch_error err = { 0 };
	const struct daemon_settings *set = &daemon->set.daemon;
	int status;

	if (keep_daemon_conf(&daemon->set, &daemon->conf, &err) < 0)
		return say_error(daemon->self, &err);
	status = check_section(daemon->self, &daemon->set, &daemon->conf);
	if (status != EXIT_ACCEPTED)
		return status;
	if (set->check_config)
		return say_good(daemon->self, &daemon->set, &daemon->conf);
	status = daemon_become(daemon->self, set, daemon->conf.user);
	if (status != EXIT_ACCEPTED || !daemon_reads_again(set))
		return status;
	conf_done(&daemon->conf);
	return keep_daemon_conf(&daemon->set, &daemon->conf, &err) < 0 ? say_error(daemon->self, &err) : EXIT_ACCEPTED;
}

static int keep_main(int argc, char **argv, const struct cli_command *self)
{
	struct keep_daemon daemon = { .self = self, .set = { .daemon.file = CONF_PATH } };
	int status = cli_parse(self, argc, argv, take, &daemon.set);

	if (status >= 0)
		return status;
	if (daemon.set.print_defaults) {
		conf_print_defaults(stdout);
		return EXIT_ACCEPTED;
	}
	status = settle(&daemon);
	if (status == EXIT_ACCEPTED && !daemon.set.daemon.check_config)
		status = keep_daemon_run(&daemon);
	conf_done(&daemon.conf);
	return status;
}

const struct cli_command keep_keep = {
	.name = KEEP_NAME,
	.summary = KEEP_SUMMARY,
	.operands = KEEP_OPERANDS,
	.options = keep_options,
	.run = keep_main,
	.examples = keep_examples,
};
