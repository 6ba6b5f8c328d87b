/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the keeper shows of itself. */
#include "keep/inside.h"
#include "keep/name.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MIN 8
#define PART_ROWS 64

const char *keep_state_name(enum keep_state state)
{
	static const char *const names[] = {
		[KEEP_MISSING] = "missing", [KEEP_GOOD] = "good", [KEEP_REVOKED] = "revoked", [KEEP_EXPIRED] = "expired"
	};

	return state < KEEP_STATES ? names[state] : "?";
}

const char *keep_event_name(enum keep_event_kind kind)
{
	static const char *const names[] = {
		[KEEP_FOUND] = "found",         [KEEP_LOADED] = "loaded",
		[KEEP_ATTEMPT] = "attempt",     [KEEP_FIRST_STAPLE] = "first-staple",
		[KEEP_REFRESHED] = "refreshed", [KEEP_UNCHANGED] = "unchanged",
		[KEEP_FAILED] = "failed",       [KEEP_RECOVERED] = "recovered",
		[KEEP_LIFE_50] = "life-50",     [KEEP_LIFE_25] = "life-25",
		[KEEP_LIFE_10] = "life-10",     [KEEP_EXPIRED_NOW] = "expired",
		[KEEP_REVOKED_NOW] = "revoked", [KEEP_GONE] = "gone",
		[KEEP_BATCH_END] = "batch-end", [KEEP_READY] = "ready",
		[KEEP_NOTICE] = "notice",
	};

	return kind < KEEP_EVENT_KINDS ? names[kind] : "?";
}

static int64_t next_try(const struct keeper *keeper, const struct keep_row *row)
{
	int64_t wait = row->next_try_ms - keeper_mono_ms(keeper);

	if (row_is_fetching(row) || wait <= 0)
		return 0;
	return row->next_try_ms == INT64_MAX ? INT64_MAX : keeper_now() + wait / 1000;
}

void keep_row_view(const struct keeper *keeper, const struct keep_row *row, struct keep_view *out)
{
	const struct keep_source *source = row_source(keeper, row);
	bool holds = row->state != KEEP_MISSING;

	*out = (struct keep_view){
		.fingerprint = row->fingerprint,
		.name = row->name,
		.path = row->places ? file_path(place_file(row->places)) : "",
		.place = row->places ? row->places->at : 0,
		.key_type = name_key_type_text(row->key_type),
		.is_ca = row->is_ca,
		.must_staple = row->must_staple,
		.drop_revoked = source && source->drop_revoked,
		.state = row->state,
		.not_after = row->not_after,
		.this_update = holds ? row->this_update : 0,
		.next_update = holds ? row->next_update : 0,
		.fresh_until = holds ? row->fresh_until : 0,
		.revoked_at = holds ? row->side->revoked_at : 0,
		.in_store = holds && !row->unsaved,
		.fetching = row_is_fetching(row),
		.next_try = next_try(keeper, row),
		.failures = row->failures,
		.latency_ms = row->latency_ms,
		.trouble = row->failures ? row->side->trouble : NULL,
	};
}

const char *keep_row_path(const struct keep_row *row, unsigned i)
{
	const struct keep_place *place = row->places;

	while (place && i-- > 0)
		place = place->next;
	return place ? file_path(place_file(place)) : NULL;
}

bool keep_view_is_stapled(const struct keep_view *view, int64_t now)
{
	struct schedule_life life = { view->this_update, view->fresh_until };

	if (view->state != KEEP_GOOD && !(view->state == KEEP_REVOKED && !view->drop_revoked))
		return false;
	return now < schedule_staple_until(life);
}

/* ---- rows ---- */

const struct keep_row *keeper_next(const struct keeper *keeper, const struct keep_row *after)
{
	return table_next(&keeper->rows, after);
}

bool keeper_walk(const struct keeper *keeper, uint64_t *walked, void (*take)(const struct keep_row *row, void *user),
		 void *user)
{
	uint64_t width = UINT64_MAX / (keeper->rows.n / PART_ROWS + 1),
		 last = *walked > UINT64_MAX - width ? UINT64_MAX : *walked + width;

	for (const struct keep_row *row = NULL; (row = table_next_between(&keeper->rows, *walked, last, row));)
		take(row, user);
	*walked = last + 1;
	return last != UINT64_MAX;
}

const struct keep_row *keeper_find(const struct keeper *keeper, const uint8_t *fingerprint)
{
	return rows_find(&keeper->rows, fingerprint);
}

static bool begins_with_digits(const struct keep_row *row, const char *text)
{
	char digits[2 * FINGERPRINT_LEN + 1];
	size_t len = strlen(text);

	if (len < DIGITS_MIN || len >= sizeof(digits) || strspn(text, "0123456789abcdefABCDEF") != len)
		return false;
	for (int i = 0; i < FINGERPRINT_LEN; i++)
		snprintf(digits + 2 * i, 3, "%02x", row->fingerprint[i]);
	return strncasecmp(digits, text, len) == 0;
}

bool keep_row_is(const struct keep_row *row, const char *text)
{
	if (strcasecmp(row->name, text) == 0 || begins_with_digits(row, text))
		return true;
	for (const struct keep_place *place = row->places; place; place = place->next)
		if (strcmp(file_path(place_file(place)), text) == 0)
			return true;
	return false;
}

const struct keep_row *keeper_match(const struct keeper *keeper, const char *text, const struct keep_row *after)
{
	const struct keep_row *row = after;

	while ((row = table_next(&keeper->rows, row)))
		if (keep_row_is(row, text))
			break;
	return row;
}

int keeper_subject(const struct keeper *keeper, const struct keep_row *row, clinch_subject_t **out, struct clinch_error *err)
{
	(void)keeper;
	return examine_subject(row, out, err);
}

/* Of memory too it is judged anew: what leaves is fresh now. */
clinch_response_t *keeper_response(const struct keeper *keeper, const struct keep_row *row, int64_t now)
{
	clinch_response_t *response = NULL;
	struct clinch_verdict verdict;
	auto_subject *subject = NULL;

	if (row->state == KEEP_MISSING || examine_subject(row, &subject, NULL) < 0)
		return NULL;
	if (row->side->held) {
		gnutls_datum_t der = clinch_response_der(row->side->held);
		clinch_verify(&response, &verdict, &der, subject, now, &keeper->policy);
	} else if (store_load(keeper->store, subject, now, &keeper->policy, &response, &verdict, NULL) < 0) {
		return NULL;
	}
	return response;
}

static void count_row(struct keep_totals *out, const struct keep_row *row)
{
	out->by_state[row->state]++;
	out->failing += row->failures > 0;
	if (row->state != KEEP_MISSING && (!out->soonest_expiry || row->fresh_until < out->soonest_expiry))
		out->soonest_expiry = row->fresh_until;
}

void keeper_totals(const struct keeper *keeper, struct keep_totals *out)
{
	*out = (struct keep_totals){
		.rows = keeper->rows.n,
		.fetching = keeper->fetching,
		.unsaved = keeper->unsaved,
		.files = keeper->files.n,
		.store_works = keeper->store_works,
	};
	for (const struct keep_row *row = NULL; (row = table_next(&keeper->rows, row));)
		count_row(out, row);
	for (const struct keep_file *file = NULL; (file = table_next(&keeper->files, file));) {
		out->bad_files += file->is_bad || file->absent_since_s;
		out->without_issuer += file->wants_issuer;
		out->without_url += file->without_url;
	}
}
