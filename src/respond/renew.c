/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The new state is made whole on another thread, and takes over in one step; what is refused leaves the old one in use. */
#include "base/error.h"
#include "base/text.h"
#include "respond/respond_inside.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOCK_SET_S 60 /* by so much or more, it was not running on */

static int64_t wall_clock(void)
{
	return (int64_t)time(NULL);
}

static int64_t clock_ahead(int64_t now)
{
	return now - (int64_t)(uv_hrtime() / 1000000000);
}

/* ---- taking over ---- */

/* Of the relay nothing is signed. */
static bool is_to_prepare(const struct snapshot *before, const struct snapshot *after)
{
	bool same = before && before->n == after->n;

	for (size_t i = 0; same && i < after->n; i++)
		same = before->ca[i].source == after->ca[i].source && before->ca[i].authority == after->ca[i].authority;
	return !same;
}

bool renew_publish(struct responder *responder, struct snapshot *snapshot)
{
	struct ca_told *told = calloc(snapshot->n + 1, sizeof(*told));
	bool prepares = is_to_prepare(responder->now, snapshot);

	if (!told) {
		snapshot_unref(snapshot);
		return false;
	}
	for (size_t i = 0; responder->now && i < snapshot->n && i < responder->now->n; i++)
		if (snapshot->ca[i].id == responder->now->ca[i].id)
			told[i] = responder->told[i];
	free(responder->told);
	responder->told = told;
	snapshot_unref(responder->now);
	responder->now = snapshot_ref(snapshot);
	http_publish(&responder->shared, snapshot);
	if (prepares)
		ahead_prepare(responder->ahead);
	pool_wake(responder->pool);
	return true;
}

static void release(struct responder *responder, const struct respond_conf *conf)
{
	if (conf != responder->first && responder->hooks->release)
		responder->hooks->release(conf, responder->hooks->user);
}

void renew_end(struct responder *responder)
{
	release(responder, responder->conf);
}

/* ---- watching ---- */

static void on_look(uv_timer_t *timer)
{
	renew_look(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	renew_look(poll->data);
}

static void plan_look(struct responder *responder)
{
	int wait_ms = watch_wait_ms(responder->watch, (int64_t)uv_now(&responder->loop));

	uv_timer_start(&responder->look, on_look, wait_ms < 1 ? 1 : (uint64_t)wait_ms, 0);
}

static void on_unwatched(uv_handle_t *handle)
{
	watch_free(handle->data);
	free(handle);
}

/* The handle must be closed before its descriptor is. */
void renew_unwatch(struct responder *responder)
{
	if (responder->watched) {
		responder->watched->data = responder->watch;
		uv_close((uv_handle_t *)responder->watched, on_unwatched);
	} else {
		watch_free(responder->watch);
	}
	responder->watched = NULL;
	responder->watch = NULL;
}

void renew_watch(struct responder *responder, struct watch *watch)
{
	renew_unwatch(responder);
	responder->watch = watch;
	if (!responder->clock_ahead_s)
		responder->clock_ahead_s = clock_ahead(wall_clock());
	if (watch_fd(watch) >= 0)
		responder->watched = calloc(1, sizeof(*responder->watched));
	if (responder->watched) {
		uv_poll_init(&responder->loop, responder->watched, watch_fd(watch));
		responder->watched->data = responder;
		uv_poll_start(responder->watched, UV_READABLE, on_readable);
	}
	plan_look(responder);
}

/* ---- a load ---- */

static void do_load(uv_work_t *work)
{
	struct load *load = work->data;
	const struct respond_hooks *hooks = load->responder->hooks;
	int64_t now = wall_clock();

	load->code = load->is_all ? loading_all(&load->made, load->conf, load->before, hooks, now, &load->err)
				  : loading_one(&load->made, load->conf, load->item, load->before, hooks, now, &load->err);
}

static void after_load(uv_work_t *work, int status);

static void start_load(struct responder *responder, struct load load)
{
	load.responder = responder;
	load.is_busy = true;
	load.before = snapshot_ref(responder->now);
	responder->load = load;
	responder->load.work.data = &responder->load;
	uv_queue_work(&responder->loop, &responder->load.work, do_load, after_load);
}

static const char *name_of(char out[SNAPSHOT_NAME_SIZE], const struct load *load)
{
	if (load->is_all || loading_kind(load->item) == LOADING_RELAY)
		return NULL;
	return snapshot_ca_name(out, load->before, loading_ca(load->item));
}

/* What is refused is tried again now and then: the same sentence is said once. */
static void tell_refused(struct responder *responder, const struct load *load)
{
	unsigned kind = loading_kind(load->item);
	refusal *told =
		kind == LOADING_RELAY ? &responder->relay_refused : &responder->told[loading_ca(load->item)].refused[kind];
	const char *text = load->code < 0 ? load->err.text : "";
	char name[SNAPSHOT_NAME_SIZE];

	if (*text)
		respond_say(responder->hooks, RESPOND_REFUSED, strcmp(text, *told) == 0 ? RESPOND_DEBUG : RESPOND_ERROR,
			    name_of(name, load), text);
	snprintf(*told, sizeof(*told), "%s", text);
}

/* Nothing of what was loaded now is refused. */
static void forget_refused(struct responder *responder)
{
	for (size_t i = 0; i < responder->now->n; i++)
		memset(responder->told[i].refused, 0, sizeof(responder->told[i].refused));
	*responder->relay_refused = '\0';
}

static void end_item(struct responder *responder, struct load *load)
{
	bool good = load->code == 0 && renew_publish(responder, load->made);

	tell_refused(responder, load);
	watch_done(responder->watch, load->item, good, (int64_t)uv_now(&responder->loop));
}

/* No item of the old configuration is at work: there is one load at a time. */
static void end_all(struct responder *responder, struct load *load)
{
	const struct respond_conf *before = responder->conf;

	if (load->code < 0 || !renew_publish(responder, load->made)) {
		respond_say(responder->hooks, RESPOND_RELOAD_FAILED, RESPOND_ERROR, NULL,
			    load->code < 0 ? load->err.text : "no memory");
		watch_free(load->watch);
		if (load->conf != before)
			release(responder, load->conf);
		return;
	}
	forget_refused(responder);
	responder->conf = load->conf;
	renew_watch(responder, load->watch);
	if (before != load->conf)
		release(responder, before);
	respond_say(responder->hooks, RESPOND_RELOADED, RESPOND_INFO, NULL, "");
}

/* Nothing is published at the end: what watched is closed, and a handle that is made now would keep the loop. */
static void drop(struct responder *responder, struct load *load)
{
	snapshot_unref(load->made);
	watch_free(load->watch);
	if (load->conf != responder->conf)
		release(responder, load->conf);
}

static void after_load(uv_work_t *work, int status)
{
	struct load *load = work->data;
	struct responder *responder = load->responder;

	(void)status;
	load->is_busy = false;
	if (responder->is_stopping)
		drop(responder, load);
	else if (load->is_all)
		end_all(responder, load);
	else
		end_item(responder, load);
	snapshot_unref(load->before);
	load->before = NULL;
	if (!responder->is_stopping)
		renew_look(responder);
}

/* The relay's pattern may mean other files by now, and they are watched before they are read. */
static void load_item(struct responder *responder, unsigned item)
{
	int64_t now_ms = (int64_t)uv_now(&responder->loop);

	if (loading_kind(item) == LOADING_RELAY)
		loading_watch_relay(responder->watch, responder->conf, now_ms, NULL);
	start_load(responder, (struct load){ .item = item, .conf = responder->conf });
}

void renew_look(struct responder *responder)
{
	unsigned item;

	if (responder->is_stopping)
		return;
	if (responder->load.is_busy) {
		watch_note(responder->watch);
		return;
	}
	if (responder->reload_wanted)
		renew_all(responder);
	else if (watch_next(responder->watch, (int64_t)uv_now(&responder->loop), &item))
		load_item(responder, item);
	plan_look(responder);
}

/* What was not believed under a wrong clock is judged again: the keeper does not write the same response twice. */
void renew_clock(struct responder *responder, int64_t now)
{
	int64_t ahead = clock_ahead(now);

	if (responder->load.is_busy || llabs(ahead - responder->clock_ahead_s) < CLOCK_SET_S)
		return;
	responder->clock_ahead_s = ahead;
	watch_again(responder->watch, loading_item(LOADING_RELAY, 0), (int64_t)uv_now(&responder->loop));
	renew_look(responder);
}

/* ---- SIGHUP ---- */

static bool same_listen(const struct respond_conf *a, const struct respond_conf *b)
{
	bool same = a->n_listen == b->n_listen;

	for (size_t i = 0; same && i < a->n_listen; i++)
		same = text_same(a->listen[i], b->listen[i]);
	return same;
}

/* What threads, ports and memory were made with. */
static const char *find_unchangeable(const struct respond_conf *now, const struct respond_conf *next)
{
	return !same_listen(now, next)                   ? "listen"
	       : now->threads != next->threads           ? "threads"
	       : now->cache_bytes != next->cache_bytes   ? "cache.memory"
	       : now->connections != next->connections   ? "limits.connections"
	       : now->request_ms != next->request_ms     ? "limits.request"
	       : now->idle_ms != next->idle_ms           ? "limits.idle"
	       : !text_same(now->metrics, next->metrics) ? "metrics_listen"
							 : NULL;
}

static void refuse_reload(struct responder *responder, const char *text)
{
	respond_say(responder->hooks, RESPOND_RELOAD_FAILED, RESPOND_ERROR, NULL, text);
}

static void load_all(struct responder *responder, const struct respond_conf *conf)
{
	struct clinch_error err = { .code = 0 };
	struct watch *watch = watch_new();

	if (!watch || loading_watch(watch, conf, (int64_t)uv_now(&responder->loop), &err) < 0) {
		refuse_reload(responder, watch ? err.text : "no memory to watch the files");
		watch_free(watch);
		if (conf != responder->conf)
			release(responder, conf);
		return;
	}
	start_load(responder, (struct load){ .is_all = true, .conf = conf, .watch = watch });
}

void renew_all(struct responder *responder)
{
	const struct respond_hooks *hooks = responder->hooks;

	responder->reload_wanted = responder->load.is_busy || !responder->is_ready;
	if (responder->reload_wanted)
		return;
	respond_say(hooks, RESPOND_RELOADING, RESPOND_DEBUG, NULL, "");
	const struct respond_conf *conf = hooks->reload ? hooks->reload(hooks->user) : responder->conf;
	if (!conf) {
		refuse_reload(responder, "the configuration before stays in use");
		return;
	}
	const char *what = find_unchangeable(responder->conf, conf);
	if (!what) {
		load_all(responder, conf);
		return;
	}
	char text[128];
	snprintf(text, sizeof(text), "%s cannot change in a running responder: restart it", what);
	refuse_reload(responder, text);
	release(responder, conf);
}
