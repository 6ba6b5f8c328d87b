/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Row by row: a tree of a hundred thousand certificates would take ten times the memory of its text. */
#include "keep/status.h"
#include "base/time.h"
#include "x509/subject.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define PATHS_SHOWN 100
#define PIECE_BYTES (256 * 1024) /* a piece ends beyond that, or after */
#define PIECE_MS 5

struct status {
	const struct keeper *keeper;
	const struct outlets *outlets;
	uint64_t walked; /* keeper_walk() */
	bool begun, whole;
	bool has_rows; /* the next one needs a comma */
	char name[];   /* "": all */
};

static json_t *time_json(int64_t at)
{
	char text[TIME_TEXT_SIZE];

	return at > 0 && at != INT64_MAX ? json_string(time_format(text, at)) : json_null();
}

/* Text that somebody else chose: what is not UTF-8 is left out, not the whole row. */
static json_t *text_json(const char *text)
{
	json_t *string = text ? json_string(text) : json_null();

	return string ? string : json_string("?");
}

static json_t *trouble_json(const struct keep_trouble *trouble)
{
	if (!trouble)
		return json_null();
	return json_pack("{so ss ss so sI so so}", "at", time_json(trouble->at), "phase", fetch_phase_name(trouble->phase),
			 "failure", fetch_failure_name(trouble->failure), "reason",
			 trouble->reason ? text_json(clinch_reason_name(trouble->reason)) : json_null(), "http_status",
			 (json_int_t)trouble->http_status, "url", text_json(trouble->url), "text", text_json(trouble->text));
}

static const char *hex(char out[2 * FINGERPRINT_LEN + 1], const uint8_t *fingerprint)
{
	for (size_t i = 0; i < FINGERPRINT_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", fingerprint[i]);
	return out;
}

/* next_try 0: now. */
static json_t *next_try_json(const struct keep_view *view, int64_t now)
{
	return time_json(view->next_try ? view->next_try : now);
}

static json_t *row_json(const struct keep_view *view, int64_t now)
{
	char digits[2 * FINGERPRINT_LEN + 1];

	return json_pack("{so ss ss so sI sb sb so ss sb so so so so so sb sb so sI sI so}", "name", text_json(view->name),
			 "fingerprint", hex(digits, view->fingerprint), "key_type", view->key_type, "path",
			 text_json(view->path), "place", (json_int_t)view->place, "is_ca", view->is_ca, "must_staple",
			 view->must_staple, "not_after", time_json(view->not_after), "state", keep_state_name(view->state),
			 "stapled", keep_view_is_stapled(view, now), "this_update", time_json(view->this_update),
			 "next_update", time_json(view->next_update), "fresh_until", time_json(view->fresh_until),
			 "remaining_s", view->fresh_until ? json_integer(view->fresh_until - now) : json_null(),
			 "revoked_at", time_json(view->revoked_at), "in_store", view->in_store, "fetching", view->fetching,
			 "next_try", next_try_json(view, now), "failures", (json_int_t)view->failures, "latency_ms",
			 (json_int_t)view->latency_ms, "trouble", trouble_json(view->trouble));
}

static bool add_json(struct buf *out, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	bool added = text && buf_add(out, text, strlen(text));

	json_decref(json);
	free(text);
	return added;
}

static void add_paths(json_t *row_object, const struct keep_row *row)
{
	json_t *paths = json_array();

	for (unsigned i = 0; i < PATHS_SHOWN && keep_row_path(row, i); i++)
		json_array_append_new(paths, text_json(keep_row_path(row, i)));
	json_object_set_new(row_object, "paths", paths);
}

struct piece { /* that is being made */
	struct status *status;
	struct buf *out;
	int64_t now;
	bool fits;
};

static void add_row(const struct keep_row *row, void *user)
{
	struct piece *piece = user;
	struct status *status = piece->status;
	struct keep_view view;

	if (!piece->fits || (*status->name && !keep_row_is(row, status->name)))
		return;
	keep_row_view(status->keeper, row, &view);
	json_t *object = row_json(&view, piece->now);
	if (*status->name && object)
		add_paths(object, row);
	piece->fits = (!status->has_rows || buf_add(piece->out, ",", 1)) && add_json(piece->out, object);
	status->has_rows = true;
}

static json_t *output_json(const struct outlet_state *state)
{
	const struct outlet_conf *conf = state->conf;

	return json_pack("{ss so sI sI so so so}", "kind", outlet_kind_name(conf->kind), "target",
			 text_json(conf->kind == OUTLET_RUN ? conf->argv[0] : conf->target), "failures",
			 (json_int_t)state->failures, "pending", (json_int_t)state->pending, "last_success",
			 time_json(state->last_success), "next_try", time_json(state->next_try), "text",
			 *state->text ? text_json(state->text) : json_null());
}

static bool add_outputs(struct buf *out, const struct outlets *outlets)
{
	struct outlet_state state;

	for (size_t i = 0; outlets && outlets_state(outlets, i, &state); i++)
		if ((i && !buf_add(out, ",", 1)) || !add_json(out, output_json(&state)))
			return false;
	return true;
}

static json_t *totals_json(const struct keep_totals *totals)
{
	return json_pack("{sI sI sI sI sI sI sI sI sI sI sI sI}", "certificates", (json_int_t)totals->rows, "missing",
			 (json_int_t)totals->by_state[KEEP_MISSING], "good", (json_int_t)totals->by_state[KEEP_GOOD],
			 "revoked", (json_int_t)totals->by_state[KEEP_REVOKED], "expired",
			 (json_int_t)totals->by_state[KEEP_EXPIRED], "failing", (json_int_t)totals->failing, "fetching",
			 (json_int_t)totals->fetching, "unsaved", (json_int_t)totals->unsaved, "files",
			 (json_int_t)totals->files, "bad_files", (json_int_t)totals->bad_files, "without_issuer",
			 (json_int_t)totals->without_issuer, "without_url", (json_int_t)totals->without_url);
}

static bool add_head(const struct status *status, struct buf *out, int64_t now)
{
	char at[TIME_TEXT_SIZE];
	struct keep_totals totals;

	keeper_totals(status->keeper, &totals);
	return buf_printf(out, "{\"schema\":\"clinch-status-1\",\"at\":\"%s\",\"ready\":%s,\"store_works\":%s,\"totals\":",
			  time_format(at, now), keeper_is_ready(status->keeper) ? "true" : "false",
			  totals.store_works ? "true" : "false") &&
	       add_json(out, totals_json(&totals)) && buf_printf(out, ",\"soonest_expiry\":") &&
	       add_json(out, time_json(totals.soonest_expiry)) && buf_printf(out, ",\"outputs\":[") &&
	       add_outputs(out, status->outlets) && buf_printf(out, "],\"certificates\":[");
}

struct status *status_new(const struct keeper *keeper, const struct outlets *outlets, const char *name)
{
	size_t size = name ? strlen(name) + 1 : 1;
	struct status *status = calloc(1, sizeof(*status) + size);

	if (!status)
		return NULL;
	status->keeper = keeper;
	status->outlets = outlets;
	memcpy(status->name, name ? name : "", size);
	return status;
}

bool status_more(struct status *status, struct buf *out)
{
	struct piece piece = { .status = status, .out = out, .now = time(NULL), .fits = true };
	uint64_t end = uv_hrtime() + PIECE_MS * UINT64_C(1000000);

	if (!status->begun) {
		status->begun = true;
		return add_head(status, out, piece.now);
	}
	do
		status->whole = !keeper_walk(status->keeper, &status->walked, add_row, &piece);
	while (!status->whole && piece.fits && out->len < PIECE_BYTES && uv_hrtime() < end);
	return piece.fits && (!status->whole || buf_add(out, "]}", 2));
}

bool status_is_whole(const struct status *status)
{
	return status->whole;
}

void status_free(struct status *status)
{
	free(status);
}
