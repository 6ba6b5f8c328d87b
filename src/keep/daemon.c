/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process around the keeper: signals, systemd, outlets, and the end. */
#include "keep/daemon.h"
#include "base/text.h"
#include "cli/daemon.h"
#include "keep/fetch_command.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MS 20
#define END_MS 3000 /* for what is still closing; a resolver that hangs would be waited for */

static void say(struct keep_daemon *daemon, enum keep_level level, const char *text)
{
	/* serve hands its keeper the configuration by a descriptor, which names nothing */
	bool has_name = strncmp(daemon->set.daemon.file, "/proc/self/fd/", 14) != 0;

	keep_log_say(&daemon->log, level, has_name ? daemon->set.daemon.file : NULL, text);
}

static void on_outlet_notice(enum keep_level level, const char *path, const char *text, void *user)
{
	struct keep_daemon *daemon = user;

	keep_log_say(&daemon->log, level, path, text);
}

/* ---- READY, and the watchdog ---- */

static void tell_ready(struct keep_daemon *daemon)
{
	struct keep_totals totals;

	keeper_totals(daemon->keeper, &totals);
	daemon_notify("READY=1\nSTATUS=%zu certificates, %zu with a response", totals.rows,
		      totals.rows - totals.by_state[KEEP_MISSING]);
	if (daemon->set.daemon.ready_file)
		daemon_ready_file(daemon->self, daemon->set.daemon.ready_file,
				  daemon->metrics ? metrics_bound(daemon->metrics) : "");
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	daemon_notify("WATCHDOG=1");
}

/* ---- the end ---- */

static void stop(struct keep_daemon *daemon)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&daemon->term, (uv_handle_t *)&daemon->interrupt,
				   (uv_handle_t *)&daemon->hangup, (uv_handle_t *)&daemon->watchdog,
				   (uv_handle_t *)&daemon->idle };

	if (daemon->stopping)
		return;
	daemon->stopping = true;
	daemon_notify("STOPPING=1");
	keep_socket_free(TAKE(daemon->socket));
	metrics_stop(daemon->metrics);
	keeper_stop(daemon->keeper);
	if (daemon->outlets)
		outlets_stop(daemon->outlets);
	for (size_t i = 0; i < sizeof(handles) / sizeof(*handles); i++)
		uv_close(handles[i], NULL);
}

static void on_end_signal(uv_signal_t *handle, int number)
{
	struct keep_daemon *daemon = handle->data;

	(void)number;
	say(daemon, KEEP_INFO, "ends, as it was told to");
	stop(daemon);
}

/* ---- --once ---- */

/* 3 4 6 5 1, then what may pass by itself. */
static int severity(int status)
{
	static const uint8_t of[] = { [EXIT_ACCEPTED] = 0,     [EXIT_NOT_FOUND_OUT] = 2, [EXIT_REVOKED] = 6,
				      [EXIT_NOT_BELIEVED] = 5, [EXIT_MISSING] = 3,       [EXIT_UNKNOWN] = 4 };

	return status == EXIT_TEMPORARY ? 1 : of[status];
}

static void worsen(struct keep_daemon *daemon, int status)
{
	if (severity(status) > severity(daemon->status))
		daemon->status = status;
}

static void judge_rows(struct keep_daemon *daemon)
{
	const struct keep_row *row = NULL;
	struct keep_totals totals;
	struct keep_view view;

	while ((row = keeper_next(daemon->keeper, row))) {
		keep_row_view(daemon->keeper, row, &view);
		if (view.state == KEEP_REVOKED)
			worsen(daemon, EXIT_REVOKED);
		if (view.trouble)
			worsen(daemon, fetch_exit(view.trouble->failure));
	}
	keeper_totals(daemon->keeper, &totals);
	if (totals.bad_files || totals.without_issuer || !totals.store_works || outlets_failed(daemon->outlets))
		worsen(daemon, EXIT_NOT_FOUND_OUT);
}

static void on_idle(uv_timer_t *timer)
{
	struct keep_daemon *daemon = timer->data;

	if (!keeper_is_idle(daemon->keeper))
		return;
	if (!daemon->flushed)
		outlets_flush(daemon->outlets);
	daemon->flushed = true;
	if (!outlets_are_idle(daemon->outlets))
		return;
	judge_rows(daemon);
	stop(daemon);
}

static void on_event(const struct keep_event *event, void *user)
{
	struct keep_daemon *daemon = user;

	if (event->kind == KEEP_READY)
		tell_ready(daemon);
}

/* ---- SIGHUP ---- */

static bool same_proxies(const struct fetch_proxies *a, const struct fetch_proxies *b)
{
	return text_same(a->http, b->http) && text_same(a->https, b->https) && text_same(a->all, b->all) &&
	       text_same(a->except, b->except);
}

static void say_what_takes_a_restart(struct keep_daemon *daemon, const struct conf *conf)
{
	if (!text_same(conf->socket, daemon->conf.socket))
		say(daemon, KEEP_WARNING, "keep.socket: another one takes a restart");
	if (!text_same(conf->metrics.listen, daemon->conf.metrics.listen))
		say(daemon, KEEP_WARNING, "metrics.listen: another one takes a restart");
	if (conf->keep.limits.per_responder != daemon->conf.keep.limits.per_responder ||
	    conf->keep.limits.total != daemon->conf.keep.limits.total)
		say(daemon, KEEP_WARNING, "fetch.per_responder, fetch.total: other ones take a restart");
	if (!same_proxies(&conf->keep.limits.proxies, &daemon->conf.keep.limits.proxies))
		say(daemon, KEEP_WARNING, "fetch.proxy: another one takes a restart");
}

static void set_log(struct keep_daemon *daemon)
{
	atomic_store(&daemon->log.sink.level, daemon->set.daemon.verbose ? KEEP_DEBUG : (int)daemon->conf.log.level);
	atomic_store(&daemon->log.sink.json, daemon->conf.log.json);
}

/* The whole new state, or the old one. */
static int reload(struct keep_daemon *daemon, struct clinch_error *err)
{
	struct conf conf, old = daemon->conf;
	int rc = keep_daemon_conf(&daemon->set, &conf, err);

	if (rc < 0)
		return rc;
	rc = keeper_reload(daemon->keeper, &conf.keep, err);
	if (rc == 0)
		rc = outlets_reload(daemon->outlets, conf.output, conf.n_outputs, err);
	if (rc < 0) {
		/* where the keeper took it already, it takes the old one back, which it ran with */
		if (keeper_reload(daemon->keeper, &daemon->conf.keep, NULL) == 0)
			conf_done(&conf);
		return rc;
	}
	say_what_takes_a_restart(daemon, &conf);
	/* what is bound stays bound, and is compared with again */
	daemon->conf = conf;
	conf_done(&old);
	set_log(daemon);
	return 0;
}

static void on_hangup(uv_signal_t *handle, int number)
{
	struct keep_daemon *daemon = handle->data;
	struct clinch_error err = { 0 };
	char text[512];

	(void)number;
	daemon_notify_reloading();
	if (reload(daemon, &err) < 0) {
		snprintf(text, sizeof(text), "not reloaded, all stays as it was: %s", err.text);
		say(daemon, KEEP_ERROR, text);
	} else {
		say(daemon, KEEP_INFO, "reloaded");
	}
	daemon_notify("READY=1");
}

/* ---- the start ---- */

static int fail(struct keep_daemon *daemon, const struct clinch_error *err)
{
	cli_say(daemon->self, "%s", err->text);
	return err->code == CLINCH_E_ARGUMENT || err->code == CLINCH_E_FORMAT ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
}

static int open_parts(struct keep_daemon *daemon, struct clinch_error *err)
{
	const struct conf *conf = &daemon->conf;
	int rc = keeper_new(&daemon->keeper, &daemon->loop, &conf->keep, err);

	if (rc < 0)
		return rc;
	keep_log_init(&daemon->log, daemon->keeper);
	set_log(daemon);
	keeper_listen(daemon->keeper, keep_log_event, &daemon->log);
	keeper_listen(daemon->keeper, on_event, daemon);
	rc = outlets_new(&daemon->outlets, &daemon->loop, daemon->keeper, conf->output, conf->n_outputs, on_outlet_notice,
			 daemon, err);
	if (rc == 0 && conf->metrics.listen && !daemon->set.once)
		rc = metrics_new(&daemon->metrics, &daemon->loop, daemon->keeper, daemon->outlets, conf->metrics.listen,
				 conf->metrics.per_certificate, err);
	if (rc == 0 && conf->socket && !daemon->set.once)
		rc = keep_socket_new(&daemon->socket, &daemon->loop, daemon->keeper, daemon->outlets, conf->socket, err);
	return rc == 0 ? keeper_start(daemon->keeper, err) : rc;
}

static void watch_signal(struct keep_daemon *daemon, uv_signal_t *handle, int number, uv_signal_cb call)
{
	uv_signal_init(&daemon->loop, handle);
	handle->data = daemon;
	uv_signal_start(handle, call, number);
}

/* Who started us may have kept them back until somebody listens. */
static void let_hangups_in(void)
{
	sigset_t hangup;

	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &hangup, NULL);
}

static void open_handles(struct keep_daemon *daemon)
{
	uint32_t watchdog_ms = daemon_watchdog_ms();

	watch_signal(daemon, &daemon->term, SIGTERM, on_end_signal);
	watch_signal(daemon, &daemon->interrupt, SIGINT, on_end_signal);
	watch_signal(daemon, &daemon->hangup, SIGHUP, on_hangup);
	let_hangups_in();
	uv_timer_init(&daemon->loop, &daemon->watchdog);
	uv_timer_init(&daemon->loop, &daemon->idle);
	daemon->idle.data = daemon;
	if (watchdog_ms)
		uv_timer_start(&daemon->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
	if (daemon->set.once)
		uv_timer_start(&daemon->idle, on_idle, IDLE_MS, IDLE_MS);
}

/* The loop runs out when all that was closed is closed; a resolver's thread may keep it from that. */
static bool run_out(struct keep_daemon *daemon)
{
	uint64_t end = uv_hrtime() + END_MS * UINT64_C(1000000);

	while (uv_run(&daemon->loop, UV_RUN_NOWAIT) && uv_hrtime() < end)
		usleep(1000);
	return uv_loop_close(&daemon->loop) == 0;
}

static void leave_now(int status)
{
	status = cli_finish(status);
	_exit(status);
}

int keep_daemon_run(struct keep_daemon *daemon)
{
	struct clinch_error err = { 0 };
	int rc;

	if (uv_loop_init(&daemon->loop) != 0) {
		cli_say(daemon->self, "no event loop: the system is out of files or memory");
		return EXIT_NOT_FOUND_OUT;
	}
	open_handles(daemon);
	rc = open_parts(daemon, &err);
	if (rc < 0) {
		daemon->status = fail(daemon, &err);
		if (daemon->keeper)
			stop(daemon);
		else
			leave_now(daemon->status);
	} else {
		while (!daemon->stopping)
			uv_run(&daemon->loop, UV_RUN_ONCE);
	}
	if (!run_out(daemon))
		leave_now(daemon->status);
	outlets_free(daemon->outlets);
	keeper_free(daemon->keeper);
	metrics_free(daemon->metrics);
	return daemon->status;
}
