/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is held. The store has it; memory has what the store does not take (a full or read-only disk), until it does, and as
 * much of the rest as a small budget allows, so that a store that is deleted under a running keeper is written anew.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "keep/inside.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define HELD_BYTES_MAX (2 * 1024 * 1024) /* 21 bytes a certificate where there are 100,000 */
#define SKEW_S 300
#define BATCH_MS 200
#define MANY 16       /* rows that wait for a response: what comes then goes to disk together */
#define RESCUE_MS 200 /* of one tick, for writing what the store did not take */

static uint32_t skew_of(const struct keeper *keeper)
{
	return keeper->policy.skew_s ? keeper->policy.skew_s : SKEW_S;
}

void holding_judge_state(struct keeper *keeper, struct keep_row *row, int64_t now)
{
	if (row->this_update == 0 || row->this_update > now + skew_of(keeper))
		row->state = KEEP_MISSING; /* nothing, or nothing that counts under this clock */
	else if (row->status == CLINCH_REVOKED)
		row->state = KEEP_REVOKED;
	else
		row->state = now >= row->fresh_until ? KEEP_EXPIRED : KEEP_GOOD;
}

static size_t size_of(const clinch_response_t *response)
{
	return clinch_response_der(response).size;
}

void holding_drop(struct keeper *keeper, struct keep_row *row)
{
	if (!row->side->held)
		return;
	if (row->unsaved)
		keeper->unsaved--;
	else
		keeper->held_bytes -= size_of(row->side->held);
	row->unsaved = false;
	clinch_response_unref(TAKE(row_side(row)->held));
	row_tidy(row);
}

static void note_verdict(struct keeper *keeper, struct keep_row *row, const struct clinch_verdict *verdict)
{
	struct schedule_life before = row_life(row);
	struct keep_side *side = verdict->revoked_at || row->side->revoked_at ? row_side(row) : NULL;

	row_set_life(row, verdict);
	/* The same response again has the same life: what was told of it stays told. */
	if (before.this_update != row->this_update || before.fresh_until != row->fresh_until)
		row->life_told = 100;
	if (side)
		side->revoked_at = verdict->revoked_at;
	row_tidy(row);
	row->status = (uint8_t)verdict->status & 7;
	row->asked = false;
	holding_judge_state(keeper, row, keeper_now());
}

static void hold(struct keeper *keeper, struct keep_row *row, clinch_response_t *response, bool saved)
{
	bool fits = keeper->held_bytes + size_of(response) <= HELD_BYTES_MAX;
	struct keep_side *side;

	holding_drop(keeper, row);
	note_verdict(keeper, row, clinch_response_verdict(response));
	side = saved && !fits ? NULL : row_side(row);
	if (!side)
		return;
	side->held = clinch_response_ref(response);
	row->unsaved = !saved;
	if (saved)
		keeper->held_bytes += size_of(response);
	else
		keeper->unsaved++;
}

/* ---- at the start ---- */

static bool is_old(const struct clinch_verdict *verdict)
{
	return verdict->status == CLINCH_REVOKED || verdict->reason == CLINCH_REASON_EXPIRED ||
	       verdict->reason == CLINCH_REASON_UNDATED_TOO_OLD || verdict->reason == CLINCH_REASON_SIGNER_EXPIRED;
}

/* A file that is there and counts for nothing: old, or damaged, foreign, unreadable. */
static void pass_over(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject,
		      const struct clinch_verdict *verdict)
{
	char path[PATH_MAX];

	if (is_old(verdict)) {
		note_verdict(keeper, row, verdict);
		row->state = verdict->status == CLINCH_REVOKED ? KEEP_REVOKED : KEEP_EXPIRED;
		return;
	}
	store_path(keeper->store, subject, path);
	tell_notice(keeper, KEEP_WARNING, row, path, "what the store has of it is not believed and passed over: %s",
		    clinch_reason_text(verdict->reason));
}

/* Takes over the response. */
static void take_loaded(struct keeper *keeper, struct keep_row *row, clinch_response_t *response,
			const struct clinch_verdict *verdict)
{
	struct keep_event event = { .kind = KEEP_LOADED, .row = row, .verdict = verdict, .response = response };

	hold(keeper, row, response, true);
	tell(keeper, &event);
	if (row->state == KEEP_REVOKED)
		tell_row(keeper, KEEP_REVOKED_NOW, row);
	clinch_response_unref(response);
}

void holding_load(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject)
{
	clinch_response_t *response = NULL;
	struct clinch_verdict verdict;
	struct clinch_error err = { 0 };
	int rc = store_load(keeper->store, subject, keeper_now(), &keeper->policy, &response, &verdict, &err);

	if (rc == CLINCH_E_MISSING)
		return;
	if (rc < 0) {
		tell_notice(keeper, KEEP_WARNING, row, keeper->conf->store, "what the store has of it is passed over: %s",
			    err.text);
		return;
	}
	if (!response) {
		pass_over(keeper, row, subject, &verdict);
		return;
	}
	take_loaded(keeper, row, response, &verdict);
}

void holding_recall(struct keeper *keeper, struct keep_row *row)
{
	struct keep_event event = { .kind = KEEP_LOADED, .row = row, .response = row->side->held };
	auto_subject *subject = NULL;

	row->recall = false;
	if (!row->side->held) {
		if (examine_subject(row, &subject, NULL) == 0)
			holding_load(keeper, row, subject);
		return;
	}
	event.verdict = clinch_response_verdict(event.response);
	tell(keeper, &event);
}

/* ---- what is offered ---- */

/* What the row holds as the store rule sees it: a value, from memory. */
static struct clinch_verdict held_verdict(const struct keeper *keeper, const struct keep_row *row, int64_t now)
{
	return (struct clinch_verdict){
		.status = row->status,
		.fresh = row->fresh_until >= now - skew_of(keeper) && row->this_update <= now + skew_of(keeper),
		.this_update = row->this_update,
		.next_update = row->next_update,
		.fresh_until = row->fresh_until,
	};
}

static enum store_answer rule_in_memory(const struct keeper *keeper, const struct keep_row *row,
					const clinch_response_t *response, int64_t now)
{
	struct clinch_verdict held = held_verdict(keeper, row, now);

	return store_rule(clinch_response_verdict(response), row->this_update ? &held : NULL);
}

static void say_unwritable(struct keeper *keeper, const struct clinch_error *err)
{
	if (!keeper->store_works)
		return;
	keeper->store_works = false;
	tell_notice(keeper, KEEP_ERROR, NULL, keeper->conf->store,
		    "%s; what is fetched is kept in memory and written as soon as that is possible again", err->text);
}

static void say_writable(struct keeper *keeper)
{
	if (keeper->store_works)
		return;
	keeper->store_works = true;
	tell_notice(keeper, KEEP_INFO, NULL, keeper->conf->store, "can be written again");
}

static void on_batch(uv_timer_t *timer)
{
	holding_sync(timer->data);
}

static void took(struct keeper *keeper)
{
	if (!keeper->unsynced)
		keeper_timer(keeper, TIMER_BATCH, BATCH_MS, on_batch);
	keeper->unsynced = true;
}

/* The store has the same or a newer one (of another keeper's days), which the row did not know of. */
static void catch_up(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject)
{
	clinch_response_t *response = NULL;
	struct clinch_verdict verdict;

	if (store_load(keeper->store, subject, keeper_now(), &keeper->policy, &response, &verdict, NULL) < 0 || !response)
		return;
	take_loaded(keeper, row, response, &verdict);
}

static int to_store(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject,
		    clinch_response_t *response, enum store_answer *answer, struct clinch_error *err)
{
	bool gather = keeper->unsynced && keeper->fetching >= MANY;
	int rc;

	if (keeper->n_gathered == STORE_GATHERED_MAX || (!gather && keeper->n_gathered > 0))
		holding_sync(keeper);
	rc = (gather ? store_gather : store_offer)(keeper->store, subject, response, keeper_now(), &keeper->policy, answer,
						   err);
	if (rc < 0 || *answer != STORE_TOOK || !gather)
		return rc;
	struct gathered *at = &keeper->gathered[keeper->n_gathered++];
	memcpy(at->fingerprint, row->fingerprint, FINGERPRINT_LEN);
	at->response = clinch_response_ref(response);
	return 0;
}

int holding_offer(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject, clinch_response_t *response,
		  enum store_answer *answer, struct clinch_error *err)
{
	int64_t now = keeper_now();
	int rc;

	*answer = rule_in_memory(keeper, row, response, now);
	if (row->unsaved && *answer != STORE_TOOK)
		return 0;
	rc = to_store(keeper, row, subject, response, answer, err);
	if (rc == CLINCH_E_MEMORY)
		return rc;
	if (rc < 0) {
		say_unwritable(keeper, err);
		*answer = rule_in_memory(keeper, row, response, now);
		if (*answer == STORE_TOOK)
			hold(keeper, row, response, false);
	} else if (*answer == STORE_TOOK) {
		hold(keeper, row, response, true);
		if (keeper->unsaved == 0)
			say_writable(keeper);
	} else if (row->this_update == 0 || *answer == STORE_OLDER) {
		catch_up(keeper, row, subject);
	}
	if (*answer == STORE_TOOK)
		took(keeper);
	return 0;
}

/* ---- the batch ---- */

/* A newer one may have come since, and the row may have gone. */
static void keep_in_memory(struct keeper *keeper, const struct gathered *gathered)
{
	struct keep_row *row = rows_find(&keeper->rows, gathered->fingerprint);

	if (row && !row->unsaved && row->this_update == clinch_response_verdict(gathered->response)->this_update)
		hold(keeper, row, gathered->response, false);
}

static void end_batch(struct keeper *keeper, bool is_on_disk)
{
	for (size_t i = 0; i < keeper->n_gathered; i++) {
		if (!is_on_disk)
			keep_in_memory(keeper, &keeper->gathered[i]);
		clinch_response_unref(keeper->gathered[i].response);
	}
	keeper->n_gathered = 0;
}

void holding_sync(struct keeper *keeper)
{
	struct keep_event event = { .kind = KEEP_BATCH_END };
	struct clinch_error err = { 0 };
	bool is_on_disk;

	if (!keeper->unsynced)
		return;
	uv_timer_stop(&keeper->timer[TIMER_BATCH]);
	keeper->unsynced = false;
	is_on_disk = store_sync(keeper->store, &err) == 0;
	if (!is_on_disk)
		say_unwritable(keeper, &err);
	end_batch(keeper, is_on_disk);
	tell(keeper, &event);
}

/* ---- a store that is lost, or takes nothing ---- */

/* Once more from memory to the store. False: it does not take it, so the others need not be tried. */
static bool rescue(struct keeper *keeper, struct keep_row *row)
{
	auto_subject *subject = NULL;
	enum store_answer answer;
	struct clinch_error err = { 0 };

	if (keeper_subject(keeper, row, &subject, NULL) < 0)
		return true; /* its file is changing; later */
	if (store_offer(keeper->store, subject, row->side->held, keeper_now(), &keeper->policy, &answer, &err) < 0) {
		say_unwritable(keeper, &err);
		return false;
	}
	keeper->unsaved--;
	row->unsaved = false;
	keeper->held_bytes += size_of(row->side->held);
	if (keeper->held_bytes > HELD_BYTES_MAX)
		holding_drop(keeper, row);
	took(keeper);
	return true;
}

static void rescue_all(struct keeper *keeper)
{
	int64_t end = keeper_mono_ms(keeper) + RESCUE_MS;
	bool works = true;

	for (struct keep_row *row = NULL; works && keeper->unsaved && (row = table_next(&keeper->rows, row));) {
		if (row->unsaved)
			works = rescue(keeper, row);
		uv_update_time(keeper->loop);
		if (keeper_mono_ms(keeper) > end)
			return; /* the rest in the next tick */
	}
	if (works && keeper->unsaved == 0)
		say_writable(keeper);
}

/* All that memory has is to be written again; the rest, which went with the directory, is fetched again. */
static void start_over(struct keeper *keeper)
{
	for (struct keep_row *row = NULL; (row = table_next(&keeper->rows, row));) {
		if (row->this_update == 0 || row->unsaved)
			continue;
		if (row->side->held) {
			keeper->held_bytes -= size_of(row->side->held);
			row->unsaved = true;
			keeper->unsaved++;
		} else if (!row_is_fetching(row)) {
			attempts_plan(keeper, row, 0);
		}
	}
}

static bool is_there(const struct keeper *keeper)
{
	struct stat st;

	return stat(keeper->conf->store, &st) == 0 && st.st_dev == keeper->store_is.st_dev &&
	       st.st_ino == keeper->store_is.st_ino;
}

/* The lock of the old directory is given up only when the new one's is held. */
static void reopen(struct keeper *keeper)
{
	struct store *store = NULL;
	struct clinch_error err = { 0 };

	if (store_open(&store, keeper->conf->store, true, &err) < 0) {
		say_unwritable(keeper, &err);
		return;
	}
	holding_sync(keeper); /* fails, and leaves what was gathered in memory */
	store_close(keeper->store);
	keeper->store = store;
	stat(keeper->conf->store, &keeper->store_is);
	tell_notice(keeper, KEEP_WARNING, NULL, keeper->conf->store,
		    "was removed, and is made anew: what memory holds is written again, the rest is fetched again");
	holding_watch(keeper);
	start_over(keeper);
}

/* A file that somebody removed from it. */
static bool has_file(const struct keeper *keeper, const struct keep_row *row)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/", keeper->conf->store);

	for (int i = 0; i < FINGERPRINT_LEN && (size_t)len + 7 < sizeof(path); i++)
		len += snprintf(path + len, 3, "%02x", row->fingerprint[i]);
	snprintf(path + len, sizeof(path) - (size_t)len, ".der");
	return access(path, F_OK) == 0 || errno != ENOENT;
}

static void look_for_losses(struct keeper *keeper)
{
	keeper->may_have_lost = false;
	holding_sync(keeper); /* what is gathered is not lost */
	for (struct keep_row *row = NULL; (row = table_next(&keeper->rows, row));) {
		if (row->this_update == 0 || row->unsaved || has_file(keeper, row))
			continue;
		tell_notice(keeper, KEEP_WARNING, row, keeper->conf->store, "its file was removed from the store; it is %s",
			    row->side->held ? "written again" : "fetched again");
		if (!row->side->held) {
			attempts_plan(keeper, row, 0);
			continue;
		}
		keeper->held_bytes -= size_of(row->side->held);
		row->unsaved = true;
		keeper->unsaved++;
	}
}

static void on_news(enum watches_news news, void *user)
{
	struct keeper *keeper = user;

	(void)news;
	keeper->may_have_lost = true;
}

void holding_watch(struct keeper *keeper)
{
	watches_free(keeper->store_watches);
	keeper->store_watches = watches_new(keeper->loop, WATCHES_REMOVED, on_news, keeper);
	if (keeper->store_watches && !watches_add(keeper->store_watches, keeper->conf->store))
		return; /* then the loss of the directory as a whole is seen, and that of a file at the next fetch */
}

void holding_stop(struct keeper *keeper)
{
	watches_free(TAKE(keeper->store_watches));
}

void holding_tick(struct keeper *keeper)
{
	if (!is_there(keeper))
		reopen(keeper);
	if (keeper->may_have_lost)
		look_for_losses(keeper);
	if (keeper->unsaved)
		rescue_all(keeper);
}

int holding_open(struct keeper *keeper, struct clinch_error *err)
{
	int rc = store_open(&keeper->store, keeper->conf->store, true, err);

	if (rc < 0)
		return rc;
	keeper->store_works = true;
	return stat(keeper->conf->store, &keeper->store_is) < 0 ? error_errno(err, "%s", keeper->conf->store) : 0;
}

void holding_close(struct keeper *keeper)
{
	store_close(TAKE(keeper->store));
}
