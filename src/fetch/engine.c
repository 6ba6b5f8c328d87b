/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libcurl's multi handle, driven by libuv: it says which sockets and which time-out it waits for, the loop says when. */
#include "fetch/engine.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "fetch/job.h"
#include <stdlib.h>

struct watch {
	uv_poll_t poll; /* first: libuv hands it back */
	struct fetch_engine *engine;
	curl_socket_t fd;
	int events; /* of libuv */
};

static void free_watch(uv_handle_t *handle)
{
	free(handle);
}

static void free_engine(uv_handle_t *timer)
{
	struct fetch_engine *engine = timer->data;

	if (--engine->open_handles == 0)
		free(engine);
}

/* Here and nowhere else transfers begin: never inside a call of whoever starts a job, who would be called back too early. */
static void pump(struct fetch_engine *engine)
{
	struct queue_item *item;

	while (!engine->closing && (item = queue_next(&engine->queue))) {
		struct exchange *exchange = (struct exchange *)item;

		if (!exchange_begin(exchange) || curl_multi_add_handle(engine->multi, exchange->easy) != CURLM_OK)
			exchange_failed_to_begin(exchange);
	}
}

static void on_kick(uv_timer_t *timer)
{
	pump(timer->data);
}

void engine_kick(struct fetch_engine *engine)
{
	if (!engine->closing)
		uv_timer_start(&engine->kick, on_kick, 0, 0);
}

/* Transfers that have ended. An owner's callback may add and remove others, so each is taken out before it is told. */
static void collect(struct fetch_engine *engine)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(engine->multi, &left))) {
		CURLcode code = message->data.result;
		char *exchange = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
		exchange_ended((struct exchange *)(void *)exchange, code);
	}
	pump(engine);
}

static void on_timer(uv_timer_t *timer)
{
	struct fetch_engine *engine = timer->data;
	int running;

	curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(engine);
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void start_watching(struct watch *watch)
{
	uv_poll_start(&watch->poll, watch->events, on_socket);
}

/*
 * A socket in error is shown to libcurl as ready: reading finds the data that came before, and the true cause, and a kept
 * connection that the peer has closed is then tried anew. libuv has stopped watching it, and libcurl believes that somebody
 * watches.
 */
static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = (struct watch *)poll;
	struct fetch_engine *engine = watch->engine;
	int flags = 0, running;

	if (status < 0)
		events = watch->events;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(engine->multi, watch->fd, flags, &running);
	if (status < 0 && !uv_is_closing((uv_handle_t *)poll))
		start_watching(watch);
	collect(engine);
}

static int want_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct fetch_engine *engine = user;

	(void)multi;
	if (timeout_ms < 0)
		return uv_timer_stop(&engine->timer);
	/* The loop's clock is as old as this turn and cut to milliseconds; libcurl does not ask again when woken too early.
	 */
	uv_update_time(engine->loop);
	return uv_timer_start(&engine->timer, on_timer, timeout_ms ? (uint64_t)timeout_ms + 1 : 0, 0);
}

static void stop_watching(struct fetch_engine *engine, curl_socket_t fd, struct watch *watch)
{
	curl_multi_assign(engine->multi, fd, NULL);
	if (!watch)
		return;
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, free_watch);
}

static struct watch *new_watch(struct fetch_engine *engine, curl_socket_t fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	if (uv_poll_init_socket(engine->loop, &watch->poll, fd) != 0) {
		free(watch);
		return NULL;
	}
	watch->engine = engine;
	watch->fd = fd;
	curl_multi_assign(engine->multi, fd, watch);
	return watch;
}

/* Always 0: another answer would end every transfer. One whose socket cannot be watched meets its own deadline. */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	struct fetch_engine *engine = user;
	struct watch *watch = socket_user;
	char *exchange = NULL;

	if (what == CURL_POLL_REMOVE) {
		stop_watching(engine, fd, watch);
		return 0;
	}
	if ((what & CURL_POLL_IN) && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange) == CURLE_OK && exchange)
		exchange_reads((struct exchange *)(void *)exchange, fd);
	if (!watch)
		watch = new_watch(engine, fd);
	if (!watch)
		return 0;
	watch->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	start_watching(watch);
	return 0;
}

static bool set_up_multi(struct fetch_engine *engine)
{
	/* behind an HTTP proxy libcurl counts the proxy as the one host of all transfers; then the queue alone limits */
	const struct fetch_proxies *proxies = &engine->proxies;
	bool proxied =
		(proxies->http && *proxies->http) || (proxies->https && *proxies->https) || (proxies->all && *proxies->all);
	long per_host = (long)(proxied ? engine->queue.total : engine->queue.per_lane);

	engine->multi = curl_multi_init();
	if (!engine->multi)
		return false;
	return curl_multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, want_socket) == CURLM_OK &&
	       curl_multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine) == CURLM_OK &&
	       curl_multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, want_timer) == CURLM_OK &&
	       curl_multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine) == CURLM_OK &&
	       curl_multi_setopt(engine->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
	       curl_multi_setopt(engine->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host) == CURLM_OK &&
	       curl_multi_setopt(engine->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)engine->queue.total) == CURLM_OK;
}

int fetch_engine_new(struct fetch_engine **out, uv_loop_t *loop, const struct fetch_limits *limits, struct clinch_error *err)
{
	struct fetch_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return error_set(err, CLINCH_E_MEMORY, "no memory for fetching");
	engine->loop = loop;
	engine->queue.per_lane = limits->per_responder ? limits->per_responder : 4;
	engine->queue.total = limits->total ? limits->total : 64;
	engine->proxies = limits->proxies;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(engine);
		return error_set(err, CLINCH_E_MEMORY, "libcurl cannot be started: no memory");
	}
	if (!set_up_multi(engine)) {
		curl_multi_cleanup(engine->multi);
		curl_global_cleanup();
		free(engine);
		return error_set(err, CLINCH_E_MEMORY, "libcurl cannot be set up: no memory");
	}
	uv_timer_init(loop, &engine->timer);
	uv_timer_init(loop, &engine->kick);
	engine->timer.data = engine->kick.data = engine;
	engine->open_handles = 2;
	*out = engine;
	return 0;
}

void fetch_engine_free(struct fetch_engine *engine)
{
	if (!engine)
		return;
	engine->closing = true;
	while (engine->jobs)
		fetch_job_cancel(engine->jobs);
	curl_multi_cleanup(engine->multi);
	curl_global_cleanup();
	uv_close((uv_handle_t *)&engine->timer, free_engine);
	uv_close((uv_handle_t *)&engine->kick, free_engine);
}
