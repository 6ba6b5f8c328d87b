/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration file, clinch.yaml(5): YAML by libyaml's document API, judged by one table of our own (schema.h) that
 * knows each key's type, bounds and default. What the table does not know is refused, and every refusal says
 * file:line:column. What comes out are the structures that the daemons run on, with every default written in.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "keep/keeper.h"
#include "keep/metrics.h"
#include "keep/outlet.h"
#include "respond/respond.h"
#include "serve/serve.h"
#include <clinch/error.h>
#include <stdio.h>

#define CONF_PATH "/etc/clinch/clinch.yaml" /* where a command looks that is given no file */
#define CONF_STORE "/var/lib/clinch/store"  /* `store` when no file says another */
#define CONF_SOCKET "/run/clinch/keep.sock" /* `keep.socket`, likewise */

struct conf {
	const char *store;
	const char *user; /* whom a daemon that was started as root becomes; NULL: nobody */
	struct {
		enum keep_level level;
		bool json;
	} log;
	struct {
		const char *listen; /* "127.0.0.1:9469"; NULL: no metrics */
		enum metrics_each per_certificate;
	} metrics;
	bool proxy_of_environment; /* fetch.proxy: env. Else keep.limits.proxies is complete */

	bool has_keep; /* the section is there; without it `keep` has what `fetch` and `store` say, and no sources */
	struct keep_conf keep;
	const char *socket; /* of the keeper; NULL: none */
	const struct outlet_conf *output;
	size_t n_outputs;

	bool has_serve;
	struct serve_conf serve;
	const char *serve_metrics; /* "127.0.0.1:9470"; NULL: none */

	bool has_respond;
	struct respond_conf respond; /* but for .relay, which is made of the keeper's certificates where ... */
	bool respond_relay;          /* ... this says so */

	struct conf_memory *memory; /* all that the pointers above lead to */
};

/*
 * The file at `path` ("-": standard input), at most 16 MiB. On success *out is the caller's, to be given to conf_done(); on
 * failure it is untouched. CLINCH_E_FILE, CLINCH_E_TOO_LARGE, CLINCH_E_MEMORY, or CLINCH_E_FORMAT for what is written in it:
 * "PATH:LINE:COLUMN: sentence", counted from 1, columns in characters. No file that it names is opened.
 */
int conf_read(struct conf *out, const char *path, struct clinch_error *err);

/* The same of bytes; `name` stands for the path in messages. */
int conf_parse(struct conf *out, const char *name, const void *bytes, size_t len, struct clinch_error *err);

/* Frees what *conf leads to, and zeroes it. NULL and zeroed memory are fine. */
void conf_done(struct conf *conf);

/* --print-defaults: the file with every key, its default and what it is for, as a file that can be started from. */
void conf_print_defaults(FILE *stream);

#endif
