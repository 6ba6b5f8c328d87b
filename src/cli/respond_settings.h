/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside `respond`: what the command line and the configuration say, and the log. */
#ifndef CLI_RESPOND_SETTINGS_H
#define CLI_RESPOND_SETTINGS_H

#include "cli/daemon.h"
#include "conf/conf.h"
#include "daemon/log_line.h"

#define RESPOND_LIST_MAX 64 /* of --listen, --crl, ... on a command line; a configuration may have more */

struct respond_loaded {     /* one configuration: what respond_conf points into */
	struct conf file;   /* zeroed without -c */
	const char **chain; /* the keeper's paths, for the relay; owned */
	struct respond_conf conf;
};

struct respond_settings {
	const struct cli_command *self;
	struct daemon_settings daemon;
	/* From options, without -c: one CA, a relay, or both. */
	struct respond_conf options;
	struct respond_authority authority;
	struct signer_conf signer[AUTHORITY_SIGNERS_MAX];
	const char *listen[RESPOND_LIST_MAX], *crl[RESPOND_LIST_MAX], *relay[RESPOND_LIST_MAX], *accepted[RESPOND_LIST_MAX];
};

extern const struct cli_option respond_options[];

/* -1: go on; else the exit status, which was said. */
int respond_settings_parse(struct respond_settings *set, int argc, char **argv, const struct cli_command *self);

/* The configuration as it is now; the file is read. The caller's, to be given to respond_loaded_free(). */
int respond_load(struct respond_loaded **out, const struct respond_settings *set, struct clinch_error *err);
void respond_loaded_free(struct respond_loaded *loaded); /* NULL-safe */

/* The log as a view of events. From any thread. */
void respond_log_event(struct log_sink *sink, const struct respond_event *event);

#endif
