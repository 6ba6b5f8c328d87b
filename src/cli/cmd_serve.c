/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch serve`: the front end is src/serve; here are its command line, its log, and what systemd is told. */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/serve_settings.h"
#include "daemon/metrics_http.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

#define METRICS_EVERY_S 5 /* alive() comes once a second */

struct serving {
	struct serve_settings set;
	struct log_sink log;
	struct serve_loaded *first;     /* kept to the end */
	struct serve_loaded *loaded[2]; /* of reloads: in use, and perhaps the next one */
	struct metrics_http *metrics;
	struct serve_counters counters; /* of a second ago, at most */
	bool ready;
	atomic_bool wants_debug; /* the log's level, for threads */
	uint32_t watchdog_ms;
	unsigned seconds;
	bool metrics_failed; /* told */
};

/* ---- events ---- */

static void apply_log(struct serving *serving, const struct serve_loaded *loaded)
{
	const struct serve_settings *set = &serving->set;
	int level = set->daemon.verbose ? SERVE_DEBUG : set->daemon.file ? (int)loaded->file.log.level : SERVE_INFO;

	atomic_store(&serving->log.level, level);
	atomic_store(&serving->wants_debug, level >= SERVE_DEBUG);
	atomic_store(&serving->log.json, set->daemon.json || (set->daemon.file && loaded->file.log.json));
}

/* The one before has been released by now. */
static void apply_reloaded_log(struct serving *serving)
{
	for (int i = 0; i < 2; i++)
		if (serving->loaded[i])
			apply_log(serving, serving->loaded[i]);
}

static void tell_systemd(const struct serve_event *event)
{
	if (event->kind == SERVE_READY || event->kind == SERVE_RELOADED || event->kind == SERVE_RELOAD_FAILED)
		daemon_notify("READY=1\nSTATUS=%s", event->text);
	else if (event->kind == SERVE_RELOADING)
		daemon_notify_reloading();
	else if (event->kind == SERVE_DRAINING)
		daemon_notify("STOPPING=1");
}

static void on_event(const struct serve_event *event, void *user)
{
	struct serving *serving = user;

	if (event->kind == SERVE_RELOADED)
		apply_reloaded_log(serving);
	serve_log_event(&serving->log, event);
	tell_systemd(event);
	if (event->kind == SERVE_READY || event->kind == SERVE_DRAINING) /* the main thread's */
		serving->ready = event->kind == SERVE_READY;
}

static void say(struct serving *serving, enum serve_event_kind kind, enum serve_level level, const char *text)
{
	on_event(&(struct serve_event){ .kind = kind, .level = level, .text = text, .n = -1 }, serving);
}

static void on_ready(const char *const *bound, size_t n, void *user)
{
	const struct serving *serving = user;

	daemon_ready_addresses(serving->set.self, serving->set.daemon.ready_file, bound, n);
}

/* ---- metrics ---- */

static bool put_metrics(struct buf *out, void *user)
{
	const struct serving *serving = user;

	return serve_metrics_text(out, &serving->counters);
}

static bool is_ready(void *user)
{
	const struct serving *serving = user;

	return serving->ready;
}

static int on_begin(struct uv_loop_s *loop, void *user, struct clinch_error *err)
{
	struct serving *serving = user;
	const struct metrics_pages pages = { .metrics = put_metrics, .is_ready = is_ready, .user = serving };
	const char *what = serving->set.daemon.file ? "serve.metrics_listen" : "--metrics";
	char text[128];

	if (serving->watchdog_ms && serving->watchdog_ms < 1000)
		say(serving, SERVE_NOTICE, SERVE_WARNING, DAEMON_WATCHDOG_TOO_FAST);
	if (!serving->first->metrics)
		return 0;
	int code = metrics_http_new(&serving->metrics, loop, serving->first->metrics, what, &pages, err);
	if (code < 0)
		return code;
	snprintf(text, sizeof(text), "metrics at %s", metrics_http_bound(serving->metrics));
	say(serving, SERVE_NOTICE, SERVE_INFO, text);
	return 0;
}

static void on_end(void *user)
{
	struct serving *serving = user;

	metrics_http_free(TAKE(serving->metrics));
}

static void write_metrics(struct serving *serving, const struct serve_counters *counters)
{
	struct clinch_error err;
	bool failed = serve_write_metrics(serving->set.metrics_file, counters, &err) < 0;

	if (failed && !serving->metrics_failed)
		say(serving, SERVE_NOTICE, SERVE_WARNING, err.text);
	serving->metrics_failed = failed;
}

/* The main thread turns: that is what the watchdog wants to know. */
static void on_alive(const struct serve_counters *counters, void *user)
{
	struct serving *serving = user;

	serving->counters = *counters;
	daemon_alive(serving->watchdog_ms, serving->seconds);
	if (serving->set.metrics_file && serving->seconds % METRICS_EVERY_S == 0)
		write_metrics(serving, counters);
	serving->seconds++;
}

/* ---- configurations ---- */

static const struct serve_conf *on_reload(void *user)
{
	struct serving *serving = user;
	struct clinch_error err;
	struct serve_loaded *loaded;

	if (serve_load(&loaded, &serving->set, &err) < 0) {
		say(serving, SERVE_NOTICE, SERVE_ERROR, err.text);
		return NULL;
	}
	serving->loaded[serving->loaded[0] != NULL] = loaded;
	if (!text_same(loaded->metrics, serving->first->metrics))
		say(serving, SERVE_NOTICE, SERVE_WARNING, "serve.metrics_listen: another one takes a restart");
	return &loaded->conf;
}

static void on_release(const struct serve_conf *conf, void *user)
{
	struct serving *serving = user;

	for (int i = 0; i < 2; i++) {
		if (!serving->loaded[i] || &serving->loaded[i]->conf != conf)
			continue;
		serve_loaded_free(serving->loaded[i]);
		serving->loaded[i] = NULL;
	}
}

/* ---- the command ---- */

static int exit_for(const struct serving *serving, const struct clinch_error *err)
{
	if (err->text[0])
		cli_say(serving->set.self, "%s", err->text);
	return err->code == CLINCH_E_ARGUMENT || err->code == CLINCH_E_FORMAT ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
}

/* What root could read, and this user cannot, would fail at the first SIGHUP: it is said now. */
static int read_as_user(struct serving *serving)
{
	struct clinch_error err = { .code = 0 };
	struct serve_loaded *loaded = NULL;

	if (serve_load(&loaded, &serving->set, &err) < 0)
		return exit_for(serving, &err);
	serve_loaded_free(loaded);
	return EXIT_ACCEPTED;
}

static int on_become(void *user)
{
	struct serving *serving = user;
	const struct serve_settings *set = &serving->set;
	uid_t before = geteuid();
	int status = daemon_become(set->self, &set->daemon, serving->first->file.user);

	return status != EXIT_ACCEPTED || geteuid() == before || !daemon_reads_again(&serving->set.daemon)
		       ? status
		       : read_as_user(serving);
}

/* The child must not speak for us to systemd. Ended by NULL; NULL without memory. */
static char **child_environment(void)
{
	static const char *const ours[] = { "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "LISTEN_" };
	size_t n = 0, kept = 0;
	char **out;

	while (environ && environ[n])
		n++;
	out = calloc(n + 1, sizeof(*out));
	for (size_t i = 0; out && i < n; i++) {
		bool is_ours = false;
		for (size_t j = 0; j < sizeof(ours) / sizeof(*ours); j++)
			is_ours |= strncmp(environ[i], ours[j], strlen(ours[j])) == 0;
		if (!is_ours)
			out[kept++] = environ[i];
	}
	return out;
}

static int serve(struct serving *serving)
{
	const struct serve_hooks hooks = {
		.reload = daemon_reads_again(&serving->set.daemon) ? on_reload : NULL,
		.release = on_release,
		.listener = on_event,
		.wants_debug = &serving->wants_debug,
		.become = on_become,
		.ready = on_ready,
		.alive = on_alive,
		.begin = on_begin,
		.end = on_end,
		.user = serving,
	};
	char keeper[PATH_MAX];
	char **environment = child_environment();
	const struct serve_start start = { .keeper_path = cli_keep_path(keeper, sizeof(keeper)) ? keeper : NULL,
					   .keeper_environment = environment };
	struct clinch_error err = { .code = 0 };

	daemon_no_core();
	int code = serve_run(&serving->first->conf, &start, &hooks, &err);

	free(environment);
	return code < 0 ? exit_for(serving, &err) : EXIT_ACCEPTED;
}

static int check(struct serving *serving)
{
	struct clinch_error err = { .code = 0 };

	if (serve_check(&serving->first->conf, &err) < 0)
		return exit_for(serving, &err);
	printf("%s: good\n", serving->set.daemon.file ? serving->set.daemon.file : "the options");
	return EXIT_ACCEPTED;
}

static int serve_command(int argc, char **argv, const struct cli_command *self)
{
	struct serving serving = { .watchdog_ms = daemon_watchdog_ms() };
	struct clinch_error err = { .code = 0 };
	int status = serve_settings_parse(&serving.set, argc, argv, self);

	if (status < 0 && serve_load(&serving.first, &serving.set, &err) < 0)
		status = exit_for(&serving, &err);
	if (status < 0) {
		log_sink_init(&serving.log);
		apply_log(&serving, serving.first);
		status = serving.set.daemon.check_config ? check(&serving) : serve(&serving);
	}
	serve_loaded_free(serving.first);
	for (int i = 0; i < 2; i++)
		serve_loaded_free(serving.loaded[i]);
	serve_settings_done(&serving.set);
	return status;
}

const struct cli_command cmd_serve = {
	.name = "serve",
	.summary = "a TLS front end that always has its staple",
	.operands = "",
	.options = serve_options,
	.run = serve_command,
	.examples = "  clinch serve --listen 0.0.0.0:443 --backend 127.0.0.1:8080 --cert mail.pem --key mail.key\n"
		    "  clinch serve -c /etc/clinch/clinch.yaml\n",
};
