/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Outlets: how other people's servers get what the keeper keeps. A file of DER a certificate, a file of PEM for exim,
 * HAProxy's runtime socket, and a command after a change. They listen to the keeper's events, gather what changed, and work
 * on its loop; one that fails is tried again and nobody else waits for it.
 */
#ifndef KEEP_OUTLET_H
#define KEEP_OUTLET_H

#include "keep/keeper.h"

enum outlet_kind { OUTLET_DER, OUTLET_PEM, OUTLET_HAPROXY, OUTLET_RUN };
const char *outlet_kind_name(enum outlet_kind kind); /* "der", the key of the configuration; static */

/* Whose file it is: nginx, hitch and exim do not start, or do not shake hands, without a file that they are told of. */
enum outlet_server { OUTLET_ANY_SERVER, OUTLET_NGINX, OUTLET_FOR_HAPROXY, OUTLET_LIGHTTPD, OUTLET_HITCH, OUTLET_EXIM };

struct outlet_conf { /* one entry of keep.outputs; filled by src/conf with every default */
	enum outlet_kind kind;
	const char *target;      /* DER, PEM: the file, with {name} {fingerprint} {key_type}; HAPROXY: the socket's path */
	const char *const *argv; /* RUN: n_argv of them, and a NULL; argv[0] is an absolute path */
	size_t n_argv;
	const char *const *only; /* `for`: chain files or patterns as in keep.certificates; none: all certificates */
	size_t n_only;
	bool with_chain;     /* `chain`: certificates of CAs too, not leaves alone */
	bool remove_expired; /* when_expired: remove */
	enum outlet_server server;
	unsigned mode;             /* of the file; 0644 */
	uint32_t after_ms;         /* RUN, HAPROXY: changes are gathered for so long */
	uint32_t at_most_every_ms; /* RUN: earlier only when a life would end before */
	uint32_t timeout_ms;       /* RUN, HAPROXY: for one run, one conversation */
};

struct outlets;

/* A sentence for the log; `text` and `path` (NULL: none) are borrowed. */
typedef void outlet_notice(enum keep_level level, const char *path, const char *text, void *user);

/*
 * Before keeper_start(): it registers itself as a listener of `keeper`. `conf` must live until outlets_free(), or until
 * outlets_reload() has taken another one. CLINCH_E_MEMORY.
 */
int outlets_new(struct outlets **out, uv_loop_t *loop, struct keeper *keeper, const struct outlet_conf *conf, size_t n,
		outlet_notice *notice, void *user, struct clinch_error *err);

/* Beside keeper_reload(), after it: everything is put out again under the new configuration. All or nothing. */
int outlets_reload(struct outlets *outlets, const struct outlet_conf *conf, size_t n, struct clinch_error *err);

/* Nothing waits and nothing runs: what `keep --once` waits for after keeper_is_idle(). It does not wait for what failed and
 * is to be tried later: see outlets_failed(). */
bool outlets_are_idle(const struct outlets *outlets);
/* Do now what waits for quiet or for at_most_every; for --once. */
void outlets_flush(struct outlets *outlets);
bool outlets_failed(const struct outlets *outlets); /* the last try of at least one of them failed */

/* Ends what runs (SIGKILL to a command's process group); the loop then runs out by itself. _free() after that; NULL-safe. */
void outlets_stop(struct outlets *outlets);
void outlets_free(struct outlets *outlets);

struct outlet_state { /* for status and metrics; borrowed until the loop goes on */
	const struct outlet_conf *conf;
	unsigned failures;    /* in a row; 0: all is well */
	unsigned pending;     /* certificates that changed and were not put out yet */
	int64_t last_success; /* Unix seconds; 0: never */
	int64_t next_try;     /* Unix seconds; 0: nothing to do */
	const char *text;     /* the last failure in a sentence; "": none */
};
bool outlets_state(const struct outlets *outlets, size_t i, struct outlet_state *out); /* false: there is no i-th */

#endif
