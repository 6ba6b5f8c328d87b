/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGHUP: the whole new state is made first, waits for staples that can still come, and takes over in one step. */
#include "base/error.h"
#include "base/text.h"
#include "serve/event.h"
#include "serve/server.h"
#include <string.h>
#include <time.h>

static bool same_listen(const struct serve_conf *a, const struct serve_conf *b)
{
	bool same = a->n_listen == b->n_listen;

	for (size_t i = 0; same && i < a->n_listen; i++)
		same = text_same(a->listen[i], b->listen[i]);
	return same;
}

/* What threads and ports and the child were made with. */
static int check_unchangeable(const struct serve_conf *now, const struct serve_conf *next, struct clinch_error *err)
{
	const char *what = !same_listen(now, next)               ? "listen"
			   : now->threads != next->threads       ? "threads"
			   : !text_same(now->store, next->store) ? "store"
			   : now->no_keeper != next->no_keeper   ? "keeper"
								 : NULL;

	return what ? error_set(err, CLINCH_E_ARGUMENT, "%s cannot change in a running server: restart it", what) : 0;
}

/* What was told of a certificate is not told again. */
static void inherit(struct state *next, const struct state *now)
{
	for (unsigned i = 0; i < next->n_certificates; i++) {
		struct certificate *mine = &next->certificate[i];
		const struct certificate *theirs = i < now->n_certificates ? &now->certificate[i] : NULL;

		for (unsigned j = 0; (!theirs || !text_same(theirs->chain, mine->chain)) && j < now->n_certificates; j++)
			theirs = &now->certificate[j];
		if (!theirs || !text_same(theirs->chain, mine->chain))
			continue;
		mine->seen = theirs->seen;
		mine->told_no_responder = theirs->told_no_responder;
		mine->told_revoked = theirs->told_revoked;
		mine->was_stapled = theirs->was_stapled;
		mine->this_update = theirs->this_update;
		memcpy(mine->fingerprint, theirs->fingerprint, sizeof(mine->fingerprint));
	}
	memcpy(next->error_of_served, now->error_of_served, sizeof(next->error_of_served));
	memcpy(next->error_of_waiting, now->error_of_waiting, sizeof(next->error_of_waiting));
}

static void release(struct server *server, struct candidate *candidate)
{
	state_unref(candidate->state);
	if (candidate->conf && candidate->conf != server->first && server->hooks->release)
		server->hooks->release(candidate->conf, server->hooks->user);
	*candidate = (struct candidate){ .conf = NULL };
}

void reload_abandon(struct server *server)
{
	if (server->next.conf == server->now.conf)
		server->next.conf = NULL;
	release(server, &server->next);
}

void reload_end(struct server *server)
{
	release(server, &server->now);
}

/* False: told; `next` is released. */
static bool make_next(struct server *server, struct candidate *next)
{
	struct clinch_error err = { .code = 0 };
	int code = next->conf == server->now.conf ? 0 : check_unchangeable(server->now.conf, next->conf, &err);

	code = code < 0 ? code : state_new(&next->state, next->conf, server->now.state, (int64_t)time(NULL), &err);
	code = code < 0 ? code : keeper_child_update(&server->keeper, next->conf, &err);
	if (code == 0)
		return true;
	event_say(server->hooks, SERVE_RELOAD_FAILED, SERVE_ERROR, "%s; the configuration before stays in use", err.text);
	if (next->conf == server->now.conf)
		next->conf = NULL; /* it goes on being used */
	release(server, next);
	return false;
}

static void take_over(struct server *server)
{
	struct candidate before = server->now;

	server->now = server->next;
	server->next = (struct candidate){ .conf = NULL };
	for (unsigned i = 0; i < server->n_workers; i++)
		worker_set_state(&server->worker[i], state_ref(server->now.state));
	if (before.conf == server->now.conf)
		before.conf = NULL;
	release(server, &before);
	server->trims = true;
	event_tell(server->hooks, (struct serve_event){ .kind = SERVE_RELOADED, .level = SERVE_INFO, .n = -1 });
}

void reload_look(struct server *server, int64_t now)
{
	if (!server->next.state)
		return;
	if (uv_now(&server->loop) < server->next_until_ms && state_missing(server->next.state, now) > 0)
		return;
	take_over(server);
}

void reload_begin(struct server *server)
{
	const struct serve_hooks *hooks = server->hooks;
	struct candidate next = { .conf = NULL };

	event_tell(hooks, (struct serve_event){ .kind = SERVE_RELOADING, .level = SERVE_DEBUG, .n = -1 });
	/* One that still waits was asked for before this one, which is to wait no longer than that one would have: however
	 * often it is asked for, something new takes over. */
	uint64_t until = server->next.state ? server->next_until_ms : UINT64_MAX;
	reload_abandon(server);
	next.conf = hooks->reload ? hooks->reload(hooks->user) : server->now.conf;
	if (!next.conf) {
		event_say(hooks, SERVE_RELOAD_FAILED, SERVE_ERROR, "the configuration before stays in use");
		return;
	}
	if (!make_next(server, &next))
		return;
	inherit(next.state, server->now.state);
	server->next = next;
	server->next_until_ms = uv_now(&server->loop) + next.state->ready_timeout_ms;
	if (server->next_until_ms > until)
		server->next_until_ms = until;
	server_look_soon(server);
}
