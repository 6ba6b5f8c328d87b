/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changed is gathered here, and each outlet is started when its time has come. */
#include "keep/outlet_inside.h"
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_FOR_FILES_MS 100
#define HAPROXY_LOOK_MS 10000
#define REVIEW_MS 500      /* after a certificate has gone: many may go at once */
#define LIFE_LEAD_S 60     /* a command is run so long before what the server has ends */
#define PATHS_LOOKED_AT 64 /* of one certificate; a CA's may stand in thousands */
#define MISSING_NAMED_MAX 20

int64_t outlet_now(void)
{
	return time(NULL);
}

int64_t outlets_mono_ms(const struct outlets *outlets)
{
	return (int64_t)uv_now(outlets->loop);
}

void outlet_say(const struct outlet *outlet, enum keep_level level, const char *path, const char *format, ...)
{
	char text[OUTLET_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	outlet->all->notice(level, path, text, outlet->all->user);
}

void outlet_fail(struct outlet *outlet, const char *format, ...)
{
	va_list arguments;

	if (outlet->batch_failed++)
		return;
	va_start(arguments, format);
	vsnprintf(outlet->text, sizeof(outlet->text), format, arguments);
	va_end(arguments);
}

void outlet_again(struct outlet *outlet, const uint8_t *fingerprint)
{
	struct mark *mark = marks_put(&outlet->marks, fingerprint);

	if (mark)
		marks_set(&outlet->marks, mark, true);
}

static const char *target_of(const struct outlet *outlet)
{
	return outlet->conf->kind == OUTLET_RUN ? outlet->conf->argv[0] : outlet->conf->target;
}

static bool is_file(const struct outlet *outlet)
{
	return outlet->conf->kind == OUTLET_DER || outlet->conf->kind == OUTLET_PEM;
}

/* ---- which certificates ---- */

static bool is_named(const struct outlet_conf *conf, const char *path)
{
	for (size_t i = 0; i < conf->n_only; i++) {
		size_t len = strlen(conf->only[i]);

		while (len > 1 && conf->only[i][len - 1] == '/')
			len--;
		if (fnmatch(conf->only[i], path, FNM_PATHNAME | FNM_PERIOD) == 0)
			return true;
		/* a directory: the files in it, as in keep.certificates */
		if (!strncmp(path, conf->only[i], len) && path[len] == '/' && !strchr(path + len + 1, '/'))
			return true;
	}
	return false;
}

bool outlet_wants(const struct outlet *outlet, const struct keep_row *row, const struct keep_view *view)
{
	if (view->is_ca && !outlet->conf->with_chain)
		return false;
	if (!outlet->conf->n_only)
		return true;
	for (unsigned i = 0; i < PATHS_LOOKED_AT; i++) {
		const char *path = keep_row_path(row, i);

		if (!path)
			return false;
		if (is_named(outlet->conf, path))
			return true;
	}
	return false;
}

/* ---- when ---- */

bool outlet_is_busy(const struct outlet *outlet)
{
	return outlet->busy || (outlet->marks.n_pending && !outlet->failures);
}

/* A command reloads what files were written for it. */
static bool files_are_due(const struct outlets *outlets)
{
	for (size_t i = 0; i < outlets->n; i++)
		if (is_file(outlets->outlet[i]) && outlet_is_busy(outlets->outlet[i]))
			return true;
	return false;
}

static int64_t retry_ms(unsigned failures)
{
	int64_t wait = OUTLET_RETRY_MS;

	while (--failures > 0 && wait < OUTLET_RETRY_MOST_MS)
		wait *= 2;
	return wait < OUTLET_RETRY_MOST_MS ? wait : OUTLET_RETRY_MOST_MS;
}

/* On the loop's clock. A command, failed or not, runs at most so often, but before a life ends. */
int64_t outlet_due_ms(const struct outlet *outlet)
{
	int64_t now = outlets_mono_ms(outlet->all);
	int64_t due = outlet->first_change_ms + (is_file(outlet) ? OUTLET_FILES_AFTER_MS : outlet->conf->after_ms);

	if (outlet->all->flushing && !outlet->failures)
		return now;
	if (outlet->conf->kind != OUTLET_RUN)
		return outlet->failures ? outlet->began_ms + retry_ms(outlet->failures) : due;
	if (outlet->began_ms && due < outlet->began_ms + outlet->conf->at_most_every_ms) {
		int64_t soonest = outlet->soonest_end, gathered = due;

		due = outlet->began_ms + outlet->conf->at_most_every_ms;
		if (soonest != INT64_MAX && !outlet->failures) {
			int64_t life = now + (soonest - LIFE_LEAD_S - outlet_now()) * 1000;

			due = life < due ? life : due;
		}
		due = due < gathered ? gathered : due;
	}
	return due;
}

static void begin(struct outlet *outlet)
{
	size_t n;

	if (outlet->conf->kind == OUTLET_RUN && files_are_due(outlet->all)) {
		outlet_plan(outlet);
		return;
	}
	free(outlet->batch);
	outlet->batch = marks_take(&outlet->marks, &n);
	outlet->began_ms = outlets_mono_ms(outlet->all);
	outlet->first_change_ms = 0;
	outlet->soonest_end = INT64_MAX;
	outlet->n_batch = outlet->batch ? n : 0;
	outlet->batch_at = outlet->batch_failed = 0;
	outlet->busy = true;
	if (n && !outlet->batch) {
		outlet_fail(outlet, "no memory");
		outlet_ended(outlet);
		return;
	}
	outlet->ops->begin(outlet);
}

/* HAProxy is looked at with an empty batch: it may have been started anew. */
static bool is_watched(const struct outlet *outlet)
{
	return outlet->conf->kind == OUTLET_HAPROXY && outlet->began_ms && !outlet->all->flushing;
}

static void on_timer(uv_timer_t *timer)
{
	struct outlet *outlet = timer->data;

	if (outlet->busy || outlet->closing)
		return;
	if (outlet->review) {
		outlet->review = false;
		outlet_look_at_all(outlet);
	}
	if (outlet->marks.n_pending || is_watched(outlet))
		begin(outlet);
}

void outlet_plan(struct outlet *outlet)
{
	int64_t wait = outlet->review ? REVIEW_MS : HAPROXY_LOOK_MS;

	if (outlet->busy || outlet->closing || (!outlet->marks.n_pending && !is_watched(outlet) && !outlet->review))
		return;
	if (outlet->marks.n_pending)
		wait = outlet_due_ms(outlet) - outlets_mono_ms(outlet->all);
	if (wait <= 0)
		wait = outlet->conf->kind == OUTLET_RUN && files_are_due(outlet->all) ? WAIT_FOR_FILES_MS : 0;
	uv_timer_start(&outlet->timer, on_timer, (uint64_t)wait, 0);
}

static void tell_end(struct outlet *outlet)
{
	if (outlet->batch_failed) {
		if (++outlet->failures == 1 || outlet->conf->kind == OUTLET_RUN)
			outlet_say(outlet, KEEP_ERROR, target_of(outlet), "%s; it is tried again", outlet->text);
		return;
	}
	if (outlet->failures)
		outlet_say(outlet, KEEP_INFO, target_of(outlet), "works again");
	outlet->failures = 0;
	outlet->text[0] = '\0';
	outlet->last_success = outlet_now();
	if (!outlet->marks.n_pending)
		outlet_due_forget(outlet);
	outlet->due_before = false;
}

void outlet_ended(struct outlet *outlet)
{
	outlet->busy = false;
	tell_end(outlet);
	free(outlet->batch);
	outlet->batch = NULL;
	outlet->n_batch = 0;
	if (outlet->marks.n_pending && !outlet->first_change_ms)
		outlet->first_change_ms = outlets_mono_ms(outlet->all);
	outlet_plan(outlet);
}

/* ---- what changed ---- */

static void change(struct outlet *outlet, const struct keep_view *view, bool pending)
{
	struct mark *mark = marks_put(&outlet->marks, view->fingerprint);

	if (!mark) {
		outlet_say(outlet, KEEP_ERROR, target_of(outlet), "%s: no memory to put out its response", view->name);
		return;
	}
	if (!pending) {
		mark->served_until = view->fresh_until;
		return;
	}
	marks_set(&outlet->marks, mark, true);
	outlet_due_note(outlet);
	if (mark->served_until && mark->served_until < outlet->soonest_end)
		outlet->soonest_end = mark->served_until;
	if (!outlet->first_change_ms)
		outlet->first_change_ms = outlets_mono_ms(outlet->all);
	outlet_plan(outlet);
}

/* A server that was told of a file does not start without it. */
static void name_missing(struct outlet *outlet)
{
	const struct keep_row *row = NULL;
	struct keep_view view;
	unsigned n = 0;

	if (!is_file(outlet) || outlet->conf->server == OUTLET_ANY_SERVER)
		return;
	while ((row = keeper_next(outlet->all->keeper, row))) {
		keep_row_view(outlet->all->keeper, row, &view);
		if (view.state == KEEP_MISSING && outlet_wants(outlet, row, &view) && ++n <= MISSING_NAMED_MAX)
			outlet_say(
				outlet, KEEP_WARNING, outlet->conf->target,
				"%s has no response yet, and no file: until it is there, leave out the line of the server's "
				"configuration that names it",
				view.name);
	}
	if (n > MISSING_NAMED_MAX)
		outlet_say(outlet, KEEP_WARNING, outlet->conf->target, "%u more have no response and no file yet",
			   n - MISSING_NAMED_MAX);
}

static void on_row(struct outlet *outlet, const struct keep_event *event, const struct keep_view *view)
{
	bool runs = outlet->conf->kind == OUTLET_RUN;

	switch (event->kind) {
	case KEEP_LOADED:
		change(outlet, view, !runs || outlet->due_before);
		break;
	case KEEP_FIRST_STAPLE:
	case KEEP_REFRESHED:
		change(outlet, view, true);
		break;
	case KEEP_EXPIRED_NOW:
		if (is_file(outlet) && outlet->conf->remove_expired)
			change(outlet, view, true);
		break;
	default:
		break;
	}
}

static void on_gone(struct outlet *outlet, const uint8_t *fingerprint)
{
	marks_remove(&outlet->marks, fingerprint);
	if (!outlet->marks.n_pending && !outlet->busy && !outlet->due_before)
		outlet_due_forget(outlet);
	if (!is_file(outlet) || outlet->review)
		return;
	outlet->review = true;
	if (!outlet->marks.n_pending && !outlet->busy)
		uv_timer_start(&outlet->timer, on_timer, REVIEW_MS, 0);
}

/* Everything that is held, as if it had just come. */
void outlet_look_at_all(struct outlet *outlet)
{
	const struct keep_row *row = NULL;
	struct keep_view view;

	while ((row = keeper_next(outlet->all->keeper, row))) {
		keep_row_view(outlet->all->keeper, row, &view);
		if (view.state != KEEP_MISSING && outlet_wants(outlet, row, &view))
			change(outlet, &view, outlet->conf->kind != OUTLET_RUN);
	}
}

void outlets_on_event(const struct keep_event *event, void *user)
{
	struct outlets *outlets = user;
	struct keep_view view;

	if (outlets->stopped)
		return;
	if (event->row)
		keep_row_view(outlets->keeper, event->row, &view);
	for (size_t i = 0; i < outlets->n; i++) {
		struct outlet *outlet = outlets->outlet[i];

		if (event->kind == KEEP_READY)
			name_missing(outlet);
		else if (event->kind == KEEP_GONE)
			on_gone(outlet, view.fingerprint);
		else if (event->row && outlet_wants(outlet, event->row, &view))
			on_row(outlet, event, &view);
	}
}

static bool runs_for(const struct outlet *outlet, const struct keep_row *row, const struct keep_view *view)
{
	return outlet->conf->kind == OUTLET_RUN && outlet_wants(outlet, row, view);
}

void outlet_file_changes(struct outlets *outlets, const struct keep_row *row)
{
	struct keep_view view;

	keep_row_view(outlets->keeper, row, &view);
	for (size_t i = 0; i < outlets->n; i++)
		if (runs_for(outlets->outlet[i], row, &view))
			outlet_due_note(outlets->outlet[i]);
}

void outlet_file_changed(struct outlets *outlets, const struct keep_row *row)
{
	struct keep_view view;

	keep_row_view(outlets->keeper, row, &view);
	for (size_t i = 0; i < outlets->n; i++)
		if (runs_for(outlets->outlet[i], row, &view))
			change(outlets->outlet[i], &view, true);
}
