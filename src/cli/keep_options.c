/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/keep_options.h"
#include "cli/daemon.h"

const struct cli_option keep_options[] = {
	{ DAEMON_CONF, 'c', "config", "FILE", "the configuration (/etc/clinch/clinch.yaml); - is standard input", "FILE" },
	{ KEEP_ONCE, 0, "once", NULL, "fetch what is due, then end; for cron", NULL },
	{ DAEMON_CHECK_CONFIG, 0, "check-config", NULL, "read the configuration, say what is wrong with it, end", NULL },
	{ KEEP_PRINT_DEFAULTS, 0, "print-defaults", NULL, "a configuration with every key and its default", NULL },
	{ DAEMON_READY_FILE, 0, "ready-file", "FILE", "write this file once it is ready", "FILE" },
	{ DAEMON_USER, 0, "user", "NAME", "become this user, when started as root", NULL },
	{ DAEMON_ALLOW_ROOT, 0, "allow-root", NULL, "run as root all the same", NULL },
	{ DAEMON_VERBOSE, 'v', "verbose", NULL, "log at level debug: each question too", NULL },
	{ 0 },
};

const char keep_examples[] = "  clinch keep -c /etc/clinch/clinch.yaml\n"
			     "  clinch keep --once -c /etc/clinch/clinch.yaml\n"
			     "  clinch keep --print-defaults\n";
