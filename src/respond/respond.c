/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "respond/respond_inside.h"
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CACHE_BYTES (UINT64_C(512) << 20)
#define CONNECTIONS 20000
#define REQUEST_MS 10000
#define IDLE_MS 60000
#define DRAIN_MS 10000
#define DRAIN_LOOK_MS 20
#define END_MS 3000 /* for a load under way, and for signatures */
#define END_LOOK_US 2000
#define THREADS_MAX 1024
#define FDS_BESIDE 128 /* descriptors that are no connection's */

static int64_t wall_clock(void)
{
	return (int64_t)time(NULL);
}

static unsigned connections_of(const struct respond_conf *conf)
{
	return conf->connections ? conf->connections : CONNECTIONS;
}

/* ---- the end ---- */

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void stop_workers(struct responder *responder)
{
	atomic_store(&responder->shared.stopping, true);
	for (size_t i = 0; i < responder->shared.n_workers; i++)
		http_worker_join(responder->shared.worker[i]);
}

/* libuv's handles are closed, and have left their signals as they were. */
static void ignore_signals(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static void on_drain(uv_timer_t *timer)
{
	struct responder *responder = timer->data;
	sigset_t all;

	if (atomic_load(&responder->shared.open) && uv_now(&responder->loop) < responder->drain_until_ms)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	metrics_http_free(responder->metrics);
	responder->metrics = NULL;
	uv_walk(&responder->loop, close_handle, NULL);
	ignore_signals();
	uv_stop(&responder->loop);
}

static void begin_drain(struct responder *responder)
{
	const struct respond_conf *conf = responder->conf;

	responder->is_stopping = true;
	renew_unwatch(responder);
	respond_tell(responder->hooks, (struct respond_event){ .kind = RESPOND_DRAINING,
							       .level = RESPOND_INFO,
							       .n = atomic_load(&responder->shared.open) });
	atomic_store(&responder->shared.draining, true);
	responder->drain_until_ms = uv_now(&responder->loop) + (conf->drain_ms ? conf->drain_ms : DRAIN_MS);
	uv_timer_start(&responder->drain, on_drain, DRAIN_LOOK_MS, DRAIN_LOOK_MS);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct responder *responder = handle->data;

	if (number == SIGHUP && !responder->is_stopping)
		renew_all(responder);
	else if (number != SIGHUP && responder->is_stopping)
		responder->drain_until_ms = 0; /* asked for twice */
	else if (number != SIGHUP)
		begin_drain(responder);
}

/* ---- the beginning ---- */

static void on_second(uv_timer_t *timer)
{
	struct responder *responder = timer->data;

	if (!responder->is_stopping) {
		renew_clock(responder, wall_clock());
		status_look(responder, wall_clock());
	}
	if (responder->hooks->alive)
		responder->hooks->alive(responder->hooks->user);
}

static int watch_signal(struct responder *responder, uv_signal_t *handle, int number)
{
	int rc = uv_signal_init(&responder->loop, handle);

	handle->data = responder;
	return rc < 0 ? rc : uv_signal_start(handle, on_signal, number);
}

static int prepare_loop(struct responder *responder, struct clinch_error *err)
{
	uv_timer_t *timers[] = { &responder->second, &responder->look, &responder->drain };
	int rc = uv_loop_init(&responder->loop);

	if (rc < 0)
		return error_set(err, CLINCH_E_FILE, "the loop cannot be made: %s", uv_strerror(rc));
	for (size_t i = 0; i < sizeof(timers) / sizeof(*timers); i++) {
		uv_timer_init(&responder->loop, timers[i]);
		timers[i]->data = responder;
	}
	rc = watch_signal(responder, &responder->on_hup, SIGHUP);
	rc = rc < 0 ? rc : watch_signal(responder, &responder->on_term, SIGTERM);
	rc = rc < 0 ? rc : watch_signal(responder, &responder->on_int, SIGINT);
	return rc < 0 ? error_set(err, CLINCH_E_FILE, "the loop cannot be made: %s", uv_strerror(rc)) : 0;
}

static void raise_descriptors(const struct respond_conf *conf)
{
	rlim_t wanted = (rlim_t)connections_of(conf) + FDS_BESIDE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Who asks for more connections than the system has descriptors for is warned; the default is a bound, and no wish. */
static void tell_descriptors(const struct respond_conf *conf, const struct respond_hooks *hooks)
{
	bool is_wish = connections_of(conf) != CONNECTIONS;
	rlim_t wanted = (rlim_t)connections_of(conf) + FDS_BESIDE;
	struct rlimit limit;
	char text[160];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	snprintf(text, sizeof(text),
		 "limits.connections needs %llu descriptors, and %llu are allowed: raise that (LimitNOFILE, ulimit -n) or "
		 "lower it",
		 (unsigned long long)wanted, (unsigned long long)limit.rlim_cur);
	respond_say(hooks, RESPOND_NOTICE, is_wish ? RESPOND_WARNING : RESPOND_INFO, NULL, text);
}

static bool work_ahead(void *user)
{
	struct responder *responder = user;

	return ahead_work(responder->ahead);
}

static void on_ended(void *user)
{
	struct responder *responder = user;

	http_wake_all(&responder->shared);
}

static int make_parts(struct responder *responder, struct clinch_error *err)
{
	const struct respond_conf *conf = responder->conf;
	struct http_shared *shared = &responder->shared;
	size_t workers = responder->sockets.n * responder->sockets.threads;

	responder->table = prepared_table_new(conf->cache_bytes ? conf->cache_bytes : CACHE_BYTES);
	shared->worker = calloc(workers, sizeof(struct http_worker *));
	if (responder->table)
		responder->ahead = ahead_new(responder->table, &shared->snapshot);
	if (!responder->ahead || !shared->worker)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the prepared answers (cache.memory)");
	const struct pool_options options = { .background = work_ahead, .ended = on_ended, .user = responder };
	shared->table = responder->table;
	shared->request_ms = conf->request_ms ? conf->request_ms : REQUEST_MS;
	shared->idle_ms = conf->idle_ms ? conf->idle_ms : IDLE_MS;
	shared->connections = (unsigned)((connections_of(conf) + workers - 1) / workers);
	return pool_new(&shared->pool, &options, err);
}

static int load_first(struct responder *responder, struct clinch_error *err)
{
	struct watch *watch = watch_new();
	struct snapshot *snapshot = NULL;

	if (!watch)
		return error_set(err, CLINCH_E_MEMORY, "no memory to watch the files");
	renew_watch(responder, watch);
	int code = loading_watch(watch, responder->conf, (int64_t)uv_now(&responder->loop), err);
	if (code == 0)
		code = loading_all(&snapshot, responder->conf, NULL, responder->hooks, wall_clock(), err);
	if (code < 0)
		return code;
	/* before anybody takes it from there */
	counted_publish(&responder->shared.snapshot, &snapshot_ref(snapshot)->counted);
	code = make_parts(responder, err);
	responder->pool = responder->shared.pool;
	if (code == 0 && !renew_publish(responder, snapshot))
		return error_set(err, CLINCH_E_MEMORY, "no memory for the CAs");
	if (code < 0)
		snapshot_unref(snapshot);
	return code;
}

static int start_workers(struct responder *responder, struct clinch_error *err)
{
	struct sockets *sockets = &responder->sockets;
	size_t workers = sockets->n * sockets->threads;
	int code = 0;

	for (size_t i = 0; i < workers && code == 0; i++) {
		if (sockets_listen(sockets->fd[i]) < 0)
			return error_errno(err, "listen: %s", sockets->bound[i % sockets->n]);
		code = http_worker_start(&responder->shared, sockets->fd[i], err);
		sockets->fd[i] = -1;
	}
	return code;
}

static int start_metrics(struct responder *responder, struct clinch_error *err)
{
	struct metrics_pages pages = status_pages;

	if (!responder->conf->metrics)
		return 0;
	pages.user = responder;
	return metrics_http_new(&responder->metrics, &responder->loop, responder->conf->metrics, "metrics_listen", &pages,
				err);
}

static void become_ready(struct responder *responder)
{
	const struct respond_hooks *hooks = responder->hooks;
	const struct sockets *sockets = &responder->sockets;

	responder->is_ready = true;
	for (size_t i = 0; i < sockets->n; i++)
		respond_say(hooks, RESPOND_LISTENING, RESPOND_INFO, NULL, sockets->bound[i]);
	if (hooks->ready)
		hooks->ready((const char *const *)sockets->bound, sockets->n, hooks->user);
	respond_tell(hooks, (struct respond_event){
				    .kind = RESPOND_READY, .level = RESPOND_INFO, .n = (int64_t)responder->now->n });
	uv_timer_start(&responder->second, on_second, 0, 1000);
	renew_look(responder);
}

static int start(struct responder *responder, struct clinch_error *err)
{
	int code = load_first(responder, err);

	code = code < 0 ? code : start_metrics(responder, err);
	code = code < 0 ? code : start_workers(responder, err);
	if (code == 0) {
		become_ready(responder);
		return 0;
	}
	responder->is_stopping = true;
	renew_unwatch(responder);
	responder->drain_until_ms = 0;
	atomic_store(&responder->shared.draining, true);
	uv_timer_start(&responder->drain, on_drain, 0, 0);
	return code;
}

/* A PKCS#11 module or a file system that hangs can be neither stopped nor let go: it has all that its thread uses. */
static void end_at_once(struct responder *responder, const char *text)
{
	respond_say(responder->hooks, RESPOND_NOTICE, RESPOND_WARNING, NULL, text);
	respond_say(responder->hooks, RESPOND_STOPPED, RESPOND_INFO, NULL, "");
	_exit(responder->is_ready ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Threads first, then what they wait for; each connection that was set aside is woken before its server is stopped. What
 * clients have sent on in the meantime gets tryLater: there is no pool any more. */
static void finish(struct responder *responder)
{
	stop_workers(responder);
	if (responder->pool && !pool_stop(responder->pool, END_MS))
		end_at_once(responder, "a key has not signed for seconds: the end does not wait for it");
	pool_free(responder->pool);
	responder->shared.pool = NULL;
	for (size_t i = 0; i < responder->shared.n_workers; i++)
		http_worker_free(responder->shared.worker[i]);
	free(responder->shared.worker);
	ahead_free(responder->ahead);
	prepared_table_free(responder->table);
	counted_publish(&responder->shared.snapshot, NULL);
	snapshot_unref(responder->now);
	free(responder->told);
	renew_end(responder);
	uv_loop_close(&responder->loop);
}

/* The loop runs out when what was closed is closed, and a load that is under way has ended. */
static bool run_out(struct responder *responder)
{
	uint64_t end = uv_hrtime() + END_MS * UINT64_C(1000000);

	while (uv_run(&responder->loop, UV_RUN_NOWAIT)) {
		if (uv_hrtime() >= end)
			return false;
		usleep(END_LOOK_US);
	}
	return true;
}

static int run(struct responder *responder, struct clinch_error *err)
{
	int code = prepare_loop(responder, err);

	if (code < 0)
		return code;
	code = start(responder, err);
	if (code == 0)
		tell_descriptors(responder->first, responder->hooks);
	uv_run(&responder->loop, UV_RUN_DEFAULT);
	if (!run_out(responder))
		end_at_once(responder, "files or keys have been read for seconds: the end does not wait for them");
	finish(responder);
	if (code == 0)
		respond_say(responder->hooks, RESPOND_STOPPED, RESPOND_INFO, NULL, "");
	return code;
}

static unsigned count_threads(const struct respond_conf *conf)
{
	unsigned threads = conf->threads ? conf->threads : uv_available_parallelism();

	return threads > THREADS_MAX ? THREADS_MAX : threads;
}

int respond_run(const struct respond_conf *conf, const struct respond_hooks *hooks, struct clinch_error *err)
{
	struct responder responder = { .first = conf, .conf = conf, .hooks = hooks };

	signal(SIGPIPE, SIG_IGN);
	raise_descriptors(conf);
	int code = sockets_bind(&responder.sockets, conf->listen, conf->n_listen, count_threads(conf), err);
	if (code == 0 && hooks->become && hooks->become(hooks->user) != 0)
		code = error_set(err, CLINCH_E_ARGUMENT, "%s", "");
	if (code == 0)
		code = run(&responder, err);
	sockets_done(&responder.sockets);
	return code;
}

int respond_check(const struct respond_conf *conf, const struct respond_hooks *hooks, struct clinch_error *err)
{
	struct snapshot *snapshot = NULL;
	int code = loading_all(&snapshot, conf, NULL, hooks, wall_clock(), err);

	snapshot_unref(snapshot);
	return code;
}
