/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside `keep`: the process around the keeper. */
#ifndef KEEP_DAEMON_H
#define KEEP_DAEMON_H

#include "cli/daemon.h"
#include "conf/conf.h"
#include "keep/log.h"
#include "keep/socket.h"

struct keep_settings { /* of the command line; argv's */
	struct daemon_settings daemon;
	bool once, print_defaults;
};

struct keep_daemon {
	const struct cli_command *self;
	struct keep_settings set;
	struct conf conf;
	uv_loop_t loop;
	struct keeper *keeper;
	struct outlets *outlets;
	struct metrics *metrics;
	struct keep_socket *socket;
	struct keep_log log;
	uv_signal_t term, interrupt, hangup;
	uv_timer_t watchdog, idle;
	bool stopping;
	bool flushed; /* once: the outlets were told that nothing more comes */
	int status;   /* the exit status; --once: the worst so far */
};

/* The configuration as the process will use it: the log's level, the proxies of the environment. CLINCH_OK or an error. */
int keep_daemon_conf(const struct keep_settings *set, struct conf *out, struct clinch_error *err);

/* From its configuration to its end; the exit status. */
int keep_daemon_run(struct keep_daemon *daemon);

#endif
