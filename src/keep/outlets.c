/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All outlets of a configuration, from beginning to end. */
#include "base/error.h"
#include "keep/outlet_inside.h"
#include <stdlib.h>
#include <string.h>

static const struct outlet_ops *ops_of(enum outlet_kind kind)
{
	if (kind == OUTLET_HAPROXY)
		return &outlet_haproxy_ops;
	return kind == OUTLET_RUN ? &outlet_run_ops : &outlet_file_ops;
}

static void outlet_free(struct outlet *outlet)
{
	struct outlets *all = outlet->all;

	marks_done(&outlet->marks);
	free(outlet->batch);
	free(outlet->owners);
	free(outlet->kind);
	free(outlet);
	if (--all->alive == 0 && all->freed)
		free(all);
}

void outlet_handle_closed(uv_handle_t *handle)
{
	struct outlet *outlet = handle->data;

	if (--outlet->open_handles == 0)
		outlet_free(outlet);
}

static struct outlet *outlet_new(struct outlets *all, const struct outlet_conf *conf)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));

	if (!outlet)
		return NULL;
	*outlet = (struct outlet){ .all = all, .conf = conf, .ops = ops_of(conf->kind), .soonest_end = INT64_MAX };
	uv_timer_init(all->loop, &outlet->timer);
	outlet->timer.data = outlet;
	outlet->open_handles = 1;
	all->alive++;
	return outlet;
}

static void outlet_close(struct outlet *outlet)
{
	outlet->closing = true;
	if (outlet->busy && outlet->ops->cancel)
		outlet->ops->cancel(outlet);
	uv_close((uv_handle_t *)&outlet->timer, outlet_handle_closed);
}

static int make_all(struct outlets *all, struct outlet ***out, const struct outlet_conf *conf, size_t n,
		    struct clinch_error *err)
{
	struct outlet **made = calloc(n ? n : 1, sizeof(struct outlet *));

	if (!made)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the outputs");
	for (size_t i = 0; i < n; i++) {
		made[i] = outlet_new(all, &conf[i]);
		if (made[i])
			continue;
		while (i-- > 0)
			outlet_close(made[i]);
		free(made);
		return error_set(err, CLINCH_E_MEMORY, "no memory for the outputs");
	}
	*out = made;
	return 0;
}

int outlets_new(struct outlets **out, uv_loop_t *loop, struct keeper *keeper, const struct outlet_conf *conf, size_t n,
		outlet_notice *notice, void *user, struct clinch_error *err)
{
	struct outlets *outlets = calloc(1, sizeof(*outlets));
	int rc;

	if (!outlets)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the outputs");
	*outlets = (struct outlets){ .loop = loop, .keeper = keeper, .notice = notice, .user = user };
	rc = make_all(outlets, &outlets->outlet, conf, n, err);
	if (rc < 0) {
		outlets->freed = true;
		if (!outlets->alive)
			free(outlets);
		return rc;
	}
	outlets->n = n;
	for (size_t i = 0; i < n; i++)
		outlet_due_find(outlets->outlet[i]);
	keeper_listen(keeper, outlets_on_event, outlets);
	*out = outlets;
	return 0;
}

bool outlet_is_same(const struct outlet *one, const struct outlet *other)
{
	const struct outlet_conf *a = one->conf, *b = other->conf;

	if (a->kind != b->kind || a->n_argv != b->n_argv)
		return false;
	if (a->kind != OUTLET_RUN)
		return strcmp(a->target, b->target) == 0;
	for (size_t i = 0; i < a->n_argv; i++)
		if (strcmp(a->argv[i], b->argv[i]) != 0)
			return false;
	return true;
}

/* A command that runs is not run twice, and not killed because a configuration was read anew. */
static void hand_over(struct outlet *outlet, struct outlet *old)
{
	outlet->busy = true;
	outlet->batch = old->batch;
	outlet->n_batch = old->n_batch;
	outlet->batch_failed = old->batch_failed;
	old->busy = false;
	old->batch = NULL;
	old->n_batch = 0;
	outlet->ops->hand_over(old, outlet);
}

/* What the old one of the same name had still to do, and what it is doing. */
static void inherit(struct outlet *outlet, struct outlet *old)
{
	outlet->last_success = old->last_success;
	if (outlet->conf->kind == OUTLET_RUN) { /* others are tried at once: what they lacked may be what was changed */
		outlet->began_ms = old->began_ms;
		outlet->failures = old->failures;
		outlet->soonest_end = old->soonest_end;
		outlet->due_noted |= old->due_noted;
		outlet->due_before |= old->due_before;
		memcpy(outlet->text, old->text, sizeof(outlet->text));
	}
	for (size_t i = 0; i < old->marks.n_slots; i++)
		if (old->marks.slot[i].pending)
			outlet_again(outlet, old->marks.slot[i].fingerprint);
	if (old->busy && outlet->ops->hand_over && !outlet->busy)
		hand_over(outlet, old);
	for (size_t i = 0; i < old->n_batch; i++)
		outlet_again(outlet, old->batch[i]);
	if (outlet->marks.n_pending || outlet->busy)
		outlet_due_note(outlet);
	if (!outlet->first_change_ms)
		outlet->first_change_ms = outlets_mono_ms(outlet->all);
	outlet_plan(outlet);
}

static void inherit_from_all(struct outlet *outlet, const struct outlets *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (outlet_is_same(outlet, all->outlet[i]))
			inherit(outlet, all->outlet[i]);
}

static bool has_heir(const struct outlet *old, struct outlet *const *made, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (outlet_is_same(made[i], old))
			return true;
	return false;
}

int outlets_reload(struct outlets *outlets, const struct outlet_conf *conf, size_t n, struct clinch_error *err)
{
	struct outlet **made;
	int rc = make_all(outlets, &made, conf, n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		outlet_look_at_all(made[i]);
		inherit_from_all(made[i], outlets);
	}
	for (size_t i = 0; i < outlets->n; i++) {
		if (!has_heir(outlets->outlet[i], made, n))
			outlet_due_forget(outlets->outlet[i]);
		outlet_close(outlets->outlet[i]);
	}
	free(outlets->outlet);
	outlets->outlet = made;
	outlets->n = n;
	return 0;
}

bool outlets_are_idle(const struct outlets *outlets)
{
	for (size_t i = 0; i < outlets->n; i++)
		if (outlet_is_busy(outlets->outlet[i]))
			return false;
	return true;
}

void outlets_flush(struct outlets *outlets)
{
	outlets->flushing = true;
	for (size_t i = 0; i < outlets->n; i++)
		outlet_plan(outlets->outlet[i]);
}

bool outlets_failed(const struct outlets *outlets)
{
	for (size_t i = 0; i < outlets->n; i++)
		if (outlets->outlet[i]->failures)
			return true;
	return false;
}

void outlets_stop(struct outlets *outlets)
{
	if (outlets->stopped)
		return;
	outlets->stopped = true;
	for (size_t i = 0; i < outlets->n; i++)
		outlet_close(outlets->outlet[i]);
	free(outlets->outlet);
	outlets->outlet = NULL;
	outlets->n = 0;
}

void outlets_free(struct outlets *outlets)
{
	if (!outlets)
		return;
	outlets_stop(outlets);
	outlets->freed = true;
	if (!outlets->alive)
		free(outlets);
}

bool outlets_state(const struct outlets *outlets, size_t i, struct outlet_state *out)
{
	const struct outlet *outlet;

	if (i >= outlets->n)
		return false;
	outlet = outlets->outlet[i];
	*out = (struct outlet_state){
		.conf = outlet->conf,
		.failures = outlet->failures,
		.pending = (unsigned)(outlet->marks.n_pending + outlet->n_batch),
		.last_success = outlet->last_success,
		.text = outlet->text,
	};
	if (outlet->marks.n_pending && !outlet->busy)
		out->next_try = outlet_now() + (outlet_due_ms(outlet) - outlets_mono_ms(outlet->all)) / 1000;
	return true;
}
