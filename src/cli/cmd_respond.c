/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch respond`: the responder is src/respond; here are its command line, its log, and what systemd is told. */
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/respond_settings.h"
#include <stdio.h>
#include <unistd.h>

struct responding {
	struct respond_settings set;
	struct log_sink log;
	struct respond_loaded *first;     /* kept to the end */
	struct respond_loaded *loaded[2]; /* of reloads: in use, and perhaps the next one */
	uint32_t watchdog_ms;
	unsigned seconds;
};

/* ---- events ---- */

static void tell_systemd(const struct respond_event *event)
{
	if (event->kind == RESPOND_READY || event->kind == RESPOND_RELOADED || event->kind == RESPOND_RELOAD_FAILED)
		daemon_notify("READY=1\nSTATUS=%s", event->text);
	else if (event->kind == RESPOND_RELOADING)
		daemon_notify_reloading();
	else if (event->kind == RESPOND_DRAINING)
		daemon_notify("STOPPING=1");
}

static void apply_log(struct responding *responding, const struct respond_loaded *loaded)
{
	const struct respond_settings *set = &responding->set;
	int level = set->daemon.verbose ? RESPOND_DEBUG : set->daemon.file ? (int)loaded->file.log.level : RESPOND_INFO;

	atomic_store(&responding->log.level, level);
	atomic_store(&responding->log.json, set->daemon.json || (set->daemon.file && loaded->file.log.json));
}

/* The one before has been released by now. */
static void apply_reloaded_log(struct responding *responding)
{
	for (int i = 0; i < 2; i++)
		if (responding->loaded[i])
			apply_log(responding, responding->loaded[i]);
}

static void on_event(const struct respond_event *event, void *user)
{
	struct responding *responding = user;

	if (event->kind == RESPOND_RELOADED)
		apply_reloaded_log(responding);
	respond_log_event(&responding->log, event);
	tell_systemd(event);
}

static void notice(struct responding *responding, enum respond_level level, const char *text)
{
	on_event(&(struct respond_event){ .kind = RESPOND_NOTICE, .level = level, .text = text, .n = -1 }, responding);
}

static void on_ready(const char *const *bound, size_t n, void *user)
{
	const struct responding *responding = user;

	daemon_ready_addresses(responding->set.self, responding->set.daemon.ready_file, bound, n);
}

/* The main thread turns: that is what the watchdog wants to know. */
static void on_alive(void *user)
{
	struct responding *responding = user;

	daemon_alive(responding->watchdog_ms, responding->seconds);
	responding->seconds++;
}

/* ---- configurations ---- */

static const struct respond_conf *on_reload(void *user)
{
	struct responding *responding = user;
	struct clinch_error err;
	struct respond_loaded *loaded;

	if (respond_load(&loaded, &responding->set, &err) < 0) {
		notice(responding, RESPOND_ERROR, err.text);
		return NULL;
	}
	responding->loaded[responding->loaded[0] != NULL] = loaded;
	return &loaded->conf;
}

static void on_release(const struct respond_conf *conf, void *user)
{
	struct responding *responding = user;

	for (int i = 0; i < 2; i++) {
		if (!responding->loaded[i] || &responding->loaded[i]->conf != conf)
			continue;
		respond_loaded_free(responding->loaded[i]);
		responding->loaded[i] = NULL;
	}
}

/* ---- the command ---- */

/* What is there, and has to be changed: a configuration, a certificate, a key, a CRL of another CA. */
static bool is_wrong(int code)
{
	return code == CLINCH_E_ARGUMENT || code == CLINCH_E_FORMAT || code == CLINCH_E_NOT_ISSUER ||
	       code == CLINCH_E_UNSUPPORTED || code == CLINCH_E_TOO_LARGE;
}

static int exit_for(const struct responding *responding, const struct clinch_error *err)
{
	if (err->text[0])
		cli_say(responding->set.self, "%s", err->text);
	return is_wrong(err->code) ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
}

/* What root could read, and this user cannot, would fail at the first SIGHUP: it is said now. */
static int read_as_user(struct responding *responding)
{
	struct clinch_error err = { .code = 0 };
	struct respond_loaded *loaded = NULL;

	if (respond_load(&loaded, &responding->set, &err) < 0)
		return exit_for(responding, &err);
	respond_loaded_free(loaded);
	return EXIT_ACCEPTED;
}

static int on_become(void *user)
{
	struct responding *responding = user;
	const struct respond_settings *set = &responding->set;
	uid_t before = geteuid();
	int status = daemon_become(set->self, &set->daemon, responding->first->file.user);

	return status != EXIT_ACCEPTED || geteuid() == before || !daemon_reads_again(&responding->set.daemon)
		       ? status
		       : read_as_user(responding);
}

static struct respond_hooks hooks_of(struct responding *responding)
{
	return (struct respond_hooks){ .reload = daemon_reads_again(&responding->set.daemon) ? on_reload : NULL,
				       .release = on_release,
				       .listener = on_event,
				       .become = on_become,
				       .ready = on_ready,
				       .alive = on_alive,
				       .user = responding };
}

static int respond(struct responding *responding)
{
	const struct respond_hooks hooks = hooks_of(responding);
	struct clinch_error err = { .code = 0 };

	daemon_no_core();
	if (responding->watchdog_ms && responding->watchdog_ms < 1000)
		notice(responding, RESPOND_WARNING, DAEMON_WATCHDOG_TOO_FAST);
	return respond_run(&responding->first->conf, &hooks, &err) < 0 ? exit_for(responding, &err) : EXIT_ACCEPTED;
}

/* Keys are read, so it is done as who they are read by later. */
static int check(struct responding *responding)
{
	const struct respond_hooks hooks = hooks_of(responding);
	struct clinch_error err = { .code = 0 };
	int status = on_become(responding);

	if (status != EXIT_ACCEPTED)
		return status;
	if (respond_check(&responding->first->conf, &hooks, &err) < 0)
		return exit_for(responding, &err);
	printf("%s: good\n", responding->set.daemon.file ? responding->set.daemon.file : "the options");
	return EXIT_ACCEPTED;
}

static int respond_command(int argc, char **argv, const struct cli_command *self)
{
	struct responding responding = { .watchdog_ms = daemon_watchdog_ms() };
	struct clinch_error err = { .code = 0 };
	int status = respond_settings_parse(&responding.set, argc, argv, self);

	if (status < 0 && respond_load(&responding.first, &responding.set, &err) < 0)
		status = exit_for(&responding, &err);
	if (status < 0) {
		log_sink_init(&responding.log);
		apply_log(&responding, responding.first);
		status = responding.set.daemon.check_config ? check(&responding) : respond(&responding);
	}
	respond_loaded_free(responding.first);
	for (int i = 0; i < 2; i++)
		respond_loaded_free(responding.loaded[i]);
	return status;
}

const struct cli_command cmd_respond = {
	.name = "respond",
	.summary = "an OCSP responder for your own CA, and a relay for others'",
	.operands = "",
	.options = respond_options,
	.run = respond_command,
	.examples = "  clinch respond --listen 0.0.0.0:8080 --ca ca.pem --signer ocsp.pem --key ocsp.key --index index.txt\n"
		    "  clinch respond -c /etc/clinch/clinch.yaml\n",
};
