/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside `serve`: what the command line and the configuration say, and the log. */
#ifndef CLI_SERVE_SETTINGS_H
#define CLI_SERVE_SETTINGS_H

#include "base/buf.h"
#include "cli/daemon.h"
#include "conf/conf.h"
#include "daemon/log_line.h"

#define SERVE_LIST_MAX 64 /* of --listen, --cert, --alpn on a command line; a configuration may have more */

struct serve_loaded {         /* one configuration: what serve_conf points into */
	struct conf file;     /* zeroed without -c */
	struct buf for_child; /* serve_conf.keeper_settings */
	struct serve_conf conf;
	const char *metrics; /* where to listen for Prometheus; NULL: nowhere */
};

struct serve_settings {
	const struct cli_command *self;
	struct daemon_settings daemon;
	const char *metrics_file;
	const char *metrics; /* an address; without -c */
	/* From options, without -c. */
	struct serve_conf options;
	const char *listen[SERVE_LIST_MAX], *alpn[SERVE_LIST_MAX];
	struct serve_certificate certificate[SERVE_LIST_MAX];
	char *owned[3 * SERVE_LIST_MAX]; /* what was made of argv's strings */
	size_t n_owned;
};

extern const struct cli_option serve_options[];

/* -1: go on; else the exit status, which was said. */
int serve_settings_parse(struct serve_settings *set, int argc, char **argv, const struct cli_command *self);
void serve_settings_done(struct serve_settings *set);

/* The configuration as it is now; the file is read. The caller's, to be given to serve_loaded_free(). */
int serve_load(struct serve_loaded **out, const struct serve_settings *set, struct clinch_error *err);
void serve_loaded_free(struct serve_loaded *loaded);

/* The log as a view of events. From any thread. */
void serve_log_event(struct log_sink *sink, const struct serve_event *event);

/* The counters in the text format of Prometheus; in a file for node_exporter's textfile collector. False: no memory. */
bool serve_metrics_text(struct buf *out, const struct serve_counters *counters);
int serve_write_metrics(const char *path, const struct serve_counters *counters, struct clinch_error *err);

#endif
