/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/server.h"
#include "base/error.h"
#include "serve/event.h"
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SOON_MS 50 /* between looks at the files while something is waited for */
#define REFRESH_MS 1000
#define TICKET_KEY_MS (12 * 3600 * 1000)
#define THREADS_MAX 1024
#define CONNECTIONS 20000
#define FDS_BESIDE 64 /* descriptors that are no connection's */

static int64_t wall_clock(void)
{
	return (int64_t)time(NULL);
}

/* ---- looking at files ---- */

static bool is_waiting(const struct server *server)
{
	return !server->ready || server->next.state;
}

static void on_refresh(uv_timer_t *timer);

/* Ten thousand files take their time to look at: never more than a tenth of ours. */
static void plan_refresh(struct server *server)
{
	uint64_t soonest = server->now.state->n_certificates / (is_waiting(server) ? 20 : 1);
	uint64_t wanted = is_waiting(server) ? SOON_MS : REFRESH_MS;

	uv_timer_start(&server->refresh, on_refresh, wanted > soonest ? wanted : soonest, 0);
}

void server_look_soon(struct server *server)
{
	uv_timer_start(&server->refresh, on_refresh, 0, 0);
}

static void tell_waiting(const struct server *server)
{
	const struct state *state = server->now.state;

	for (unsigned i = 0; i < state->n_certificates; i++)
		if (state->certificate[i].waits)
			event_tell(server->hooks,
				   (struct serve_event){ .kind = SERVE_WAITING,
							 .level = SERVE_WARNING,
							 .certificate = state->certificate[i].chain,
							 .text = "it is not served before its staple is there",
							 .n = -1 });
}

static void stop(struct server *server);

/* Who connects from here on is in a queue until its thread has been told. */
static int listen_all(struct server *server, struct clinch_error *err)
{
	for (unsigned i = 0; i < server->n_workers; i++)
		for (size_t j = 0; j < server->sockets.n; j++)
			if (sockets_listen(server->worker[i].listener[j].watch.fd) < 0)
				return error_errno(err, "listen: %s", server->sockets.bound[j]);
	return 0;
}

static void become_ready(struct server *server, unsigned missing)
{
	struct clinch_error err = { .code = 0 };

	server->ready = true;
	if (listen_all(server, &err) < 0) {
		event_say(server->hooks, SERVE_NOTICE, SERVE_ERROR, "%s", err.text);
		stop(server);
		return;
	}
	for (unsigned i = 0; i < server->n_workers; i++)
		worker_listen(&server->worker[i]);
	tell_waiting(server);
	for (size_t i = 0; i < server->sockets.n; i++)
		event_say(server->hooks, SERVE_LISTENING, SERVE_INFO, "%s", server->sockets.bound[i]);
	if (server->hooks->ready)
		server->hooks->ready((const char *const *)server->sockets.bound, server->sockets.n, server->hooks->user);
	if (missing)
		event_say(server->hooks, SERVE_READY, SERVE_WARNING, "without the staples of %u certificates", missing);
	else
		event_say(server->hooks, SERVE_READY, SERVE_INFO, "%s", "");
	if (server->reload_later)
		reload_begin(server);
}

static void on_refresh(uv_timer_t *timer)
{
	struct server *server = timer->data;
	struct state *next = server->next.state;
	int64_t now = wall_clock();

	if (server->stopping)
		return;
	state_refresh(server->now.state, now, next ? &server->quiet : server->hooks);
	if (next)
		state_refresh(next, now, server->hooks);
	if (!server->ready) {
		unsigned missing = state_missing(server->now.state, now);
		if (missing == 0 || uv_now(&server->loop) >= server->ready_until_ms)
			become_ready(server, missing);
	}
	if (server->trims && !next) {
		malloc_trim(0);
		server->trims = false;
	}
	reload_look(server, now);
	if (!server->stopping)
		plan_refresh(server);
}

/* ---- counters ---- */

static uint64_t read_count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void tell_counters(const struct server *server)
{
	struct serve_counters sum = { .open = atomic_load(&server->shared.open) };

	for (unsigned i = 0; i < server->n_workers; i++) {
		const struct counts *counts = &server->worker[i].counts;
		sum.stapled += read_count(&counts->stapled);
		sum.unstapled += read_count(&counts->unstapled);
		sum.resumed += read_count(&counts->resumed);
		sum.failed += read_count(&counts->failed);
		sum.accepted += read_count(&counts->accepted);
		sum.backend_failures += read_count(&counts->backend_failures);
	}
	if (server->hooks->alive)
		server->hooks->alive(&sum, server->hooks->user);
}

static void on_second(uv_timer_t *timer)
{
	tell_counters(timer->data);
}

/* ---- tickets ---- */

/* GnuTLS derives keys from this one that change with time; another one is what a key that got out is no use against. */
static bool new_ticket_key(uint8_t out[TICKET_KEY_LEN])
{
	gnutls_datum_t key = { NULL, 0 };

	if (gnutls_session_ticket_key_generate(&key) < 0)
		return false;
	bool fits = key.size == TICKET_KEY_LEN;
	if (fits)
		memcpy(out, key.data, TICKET_KEY_LEN);
	gnutls_memset(key.data, 0, key.size);
	gnutls_free(key.data);
	return fits;
}

static void on_ticket(uv_timer_t *timer)
{
	struct server *server = timer->data;
	uint8_t key[TICKET_KEY_LEN];

	if (new_ticket_key(key))
		for (unsigned i = 0; i < server->n_workers; i++)
			worker_set_ticket_key(&server->worker[i], key);
	gnutls_memset(key, 0, sizeof(key));
}

/* ---- the end ---- */

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* The loop then runs out by itself. Signals that come once nobody handles them any more must not end what is ending. */
static void end_if_all_ended(struct server *server)
{
	sigset_t all;

	for (unsigned i = 0; i < server->n_workers; i++)
		if (!atomic_load(&server->worker[i].ended))
			return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	if (server->hooks->end)
		server->hooks->end(server->hooks->user);
	uv_walk(&server->loop, close_handle, NULL);
}

static void on_worker_ended(uv_async_t *async)
{
	struct server *server = async->data;

	if (server->stopping)
		end_if_all_ended(server);
}

static void cut_all(struct server *server)
{
	server->cut = atomic_load(&server->shared.open);
	for (unsigned i = 0; i < server->n_workers; i++)
		worker_cut(&server->worker[i]);
}

static void on_deadline(uv_timer_t *timer)
{
	cut_all(timer->data);
}

static void stop(struct server *server)
{
	if (server->stopping)
		return;
	server->stopping = true;
	event_tell(
		server->hooks,
		(struct serve_event){ .kind = SERVE_DRAINING, .level = SERVE_INFO, .n = atomic_load(&server->shared.open) });
	uv_timer_stop(&server->refresh);
	uv_timer_stop(&server->ticket);
	keeper_child_stop(&server->keeper);
	for (unsigned i = 0; i < server->n_workers; i++)
		worker_drain(&server->worker[i]);
	uv_timer_start(&server->deadline, on_deadline, server->now.state->drain_ms, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct server *server = handle->data;

	if (number == SIGCHLD)
		keeper_child_reap(&server->keeper);
	else if (number == SIGHUP && !server->ready)
		server->reload_later = true;
	else if (number == SIGHUP && !server->stopping)
		reload_begin(server);
	else if (number != SIGHUP && server->stopping)
		cut_all(server); /* asked for twice */
	else if (number != SIGHUP)
		stop(server);
}

/* ---- the beginning ---- */

static unsigned count_threads(const struct serve_conf *conf)
{
	unsigned threads = conf->threads ? conf->threads : uv_available_parallelism();

	return threads > THREADS_MAX ? THREADS_MAX : threads;
}

/* Two descriptors a connection. */
static rlim_t descriptors_wanted(const struct serve_conf *conf)
{
	return 2 * (rlim_t)(conf->connections ? conf->connections : CONNECTIONS) + FDS_BESIDE;
}

static void raise_descriptors(const struct serve_conf *conf)
{
	rlim_t wanted = descriptors_wanted(conf);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Who asks for more connections than the system has descriptors for is warned; the default is a bound, and no wish. */
static void tell_descriptors(const struct serve_conf *conf, const struct serve_hooks *hooks)
{
	bool is_wish = conf->connections && conf->connections != CONNECTIONS;
	rlim_t wanted = descriptors_wanted(conf);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
		event_say(hooks, SERVE_NOTICE, is_wish ? SERVE_WARNING : SERVE_INFO,
			  "limits.connections needs %llu descriptors, and %llu are allowed: raise that (LimitNOFILE, "
			  "ulimit -n) or lower it",
			  (unsigned long long)wanted, (unsigned long long)limit.rlim_cur);
}

static int watch_signal(struct server *server, uv_signal_t *handle, int number)
{
	int rc = uv_signal_init(&server->loop, handle);

	handle->data = server;
	return rc < 0 ? rc : uv_signal_start(handle, on_signal, number);
}

static int prepare_loop(struct server *server, struct clinch_error *err)
{
	uv_timer_t *timers[] = { &server->refresh, &server->second, &server->ticket, &server->deadline };
	int rc = uv_loop_init(&server->loop);

	if (rc < 0)
		return error_set(err, CLINCH_E_FILE, "the loop cannot be made: %s", uv_strerror(rc));
	for (size_t i = 0; i < sizeof(timers) / sizeof(*timers); i++) {
		uv_timer_init(&server->loop, timers[i]);
		timers[i]->data = server;
	}
	rc = uv_async_init(&server->loop, &server->worker_ended, on_worker_ended);
	server->worker_ended.data = server;
	server->shared.worker_ended = &server->worker_ended;
	rc = rc < 0 ? rc : watch_signal(server, &server->on_hup, SIGHUP);
	rc = rc < 0 ? rc : watch_signal(server, &server->on_term, SIGTERM);
	rc = rc < 0 ? rc : watch_signal(server, &server->on_int, SIGINT);
	rc = rc < 0 ? rc : watch_signal(server, &server->on_chld, SIGCHLD);
	return rc < 0 ? error_set(err, CLINCH_E_FILE, "the loop cannot be made: %s", uv_strerror(rc)) : 0;
}

/* They are the thread's now. */
static void disown(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
}

static int start_workers(struct server *server, struct clinch_error *err)
{
	struct sockets *sockets = &server->sockets;
	uint8_t key[TICKET_KEY_LEN];
	int code = 0;

	server->worker = calloc(sockets->threads, sizeof(*server->worker));
	if (!server->worker || !new_ticket_key(key))
		return error_set(err, CLINCH_E_MEMORY, "no memory for the threads");
	while (server->n_workers < sockets->threads && code == 0) {
		int *fds = sockets->fd + server->n_workers * sockets->n;
		code = worker_start(&server->worker[server->n_workers], &server->shared, fds, (unsigned)sockets->n,
				    server->now.state, key, err);
		if (code == 0)
			disown(fds, sockets->n);
		server->n_workers += code == 0;
	}
	gnutls_memset(key, 0, sizeof(key));
	return code;
}

static void start_timers(struct server *server)
{
	const struct serve_conf *conf = server->now.conf;
	uint64_t life = conf->ticket_key_ms ? conf->ticket_key_ms : TICKET_KEY_MS;

	server->ready_until_ms = uv_now(&server->loop) + server->now.state->ready_timeout_ms;
	uv_timer_start(&server->ticket, on_ticket, life, life);
	uv_timer_start(&server->second, on_second, 1000, 1000);
	server_look_soon(server);
}

/* Threads that were started are ended by the loop as they are in a drain. */
static int start(struct server *server, struct clinch_error *err)
{
	int code = keeper_child_start(&server->keeper, &server->loop, server->now.conf, server->start, server->hooks, err);

	if (code == 0)
		code = start_workers(server, err);
	if (code == 0 && server->hooks->begin)
		code = server->hooks->begin(&server->loop, server->hooks->user, err);
	if (code == 0) {
		start_timers(server);
		return 0;
	}
	server->stopping = true;
	keeper_child_stop(&server->keeper);
	cut_all(server);
	end_if_all_ended(server);
	return code;
}

static void finish(struct server *server)
{
	for (unsigned i = 0; i < server->n_workers; i++)
		worker_join(&server->worker[i]);
	keeper_child_end(&server->keeper);
	tell_counters(server);
	free(server->worker);
	reload_abandon(server);
	reload_end(server);
	uv_loop_close(&server->loop);
}

static int run(struct server *server, struct clinch_error *err)
{
	int code = prepare_loop(server, err);

	if (code < 0)
		return code;
	code = start(server, err);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	finish(server);
	if (code == 0)
		event_tell(server->hooks, (struct serve_event){ .kind = SERVE_STOPPED,
								.level = server->cut ? SERVE_WARNING : SERVE_INFO,
								.text = server->cut ? "connections were cut off" : "",
								.n = (int64_t)server->cut });
	return code;
}

static int bind_and_load(struct server *server, struct clinch_error *err)
{
	const struct serve_hooks *hooks = server->hooks;
	int code = sockets_bind(&server->sockets, server->now.conf->listen, server->now.conf->n_listen,
				count_threads(server->now.conf), err);

	if (code < 0)
		return code;
	if (hooks->become && hooks->become(hooks->user) != 0)
		return error_set(err, CLINCH_E_ARGUMENT, "%s", "");
	return state_new(&server->now.state, server->now.conf, NULL, wall_clock(), err);
}

int serve_run(const struct serve_conf *conf, const struct serve_start *start, const struct serve_hooks *hooks,
	      struct clinch_error *err)
{
	struct server server = { .start = start, .hooks = hooks, .now = { .conf = conf }, .first = conf };
	int code = state_check(conf, err);

	if (code < 0)
		return code;
	server.shared.hooks = hooks;
	server.keeper.conf_fd = -1;
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors(conf);
	code = bind_and_load(&server, err);
	if (code == 0) {
		tell_descriptors(conf, hooks);
		code = run(&server, err);
	} else
		state_unref(server.now.state);
	sockets_done(&server.sockets);
	return code;
}

int serve_check(const struct serve_conf *conf, struct clinch_error *err)
{
	return state_check(conf, err);
}
