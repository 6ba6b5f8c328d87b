/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is told when it changes, /metrics and /status.json. */
#include "base/time.h"
#include "respond/respond_inside.h"
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#define SHED_EVERY_S 60

/* ---- once a second ---- */

static void look_at_ca(struct responder *responder, size_t i, int64_t now)
{
	const struct snapshot_ca *ca = &responder->now->ca[i];
	struct ca_told *told = &responder->told[i];
	bool source_over = source_until(ca->source) <= now, signer_over = authority_signs_until(ca->authority, now) <= now;
	char name[SNAPSHOT_NAME_SIZE];
	struct respond_event event = { .authority = snapshot_ca_name(name, responder->now, i), .n = -1 };

	if (source_over != told->source_over) {
		event.kind = source_over ? RESPOND_SOURCE_OVER : RESPOND_SOURCE_BACK;
		event.level = source_over ? RESPOND_ERROR : RESPOND_INFO;
		event.text = source_over ? "its CRL is past nextUpdate: tryLater until there is a newer one" : "";
		event.at = source_over ? source_until(ca->source) : 0;
		respond_tell(responder->hooks, event);
	}
	if (signer_over != told->signer_over) {
		event.kind = signer_over ? RESPOND_SIGNER_OVER : RESPOND_SIGNER_BACK;
		event.level = signer_over ? RESPOND_ERROR : RESPOND_INFO;
		event.text = signer_over ? "none of its signers is valid now: tryLater until one is" : "";
		event.at = 0;
		respond_tell(responder->hooks, event);
	}
	told->source_over = source_over;
	told->signer_over = signer_over;
}

/* What is prepared goes on, the rest gets tryLater. */
static void look_at_keys(struct responder *responder, size_t i)
{
	struct ca_told *told = &responder->told[i];
	char name[SNAPSHOT_NAME_SIZE];
	refusal why;
	bool fails = authority_fails(responder->now->ca[i].authority, why, sizeof(why));

	if (fails != told->signing_fails)
		respond_say(responder->hooks, fails ? RESPOND_SIGNING_FAILS : RESPOND_SIGNING_AGAIN,
			    fails ? RESPOND_ERROR : RESPOND_INFO, snapshot_ca_name(name, responder->now, i), why);
	told->signing_fails = fails;
}

static void look_at_pool(struct responder *responder, int64_t now)
{
	struct pool_counts counts;

	pool_counts(responder->pool, &counts);
	uint64_t refused = counts.refused[POOL_KEPT] + counts.refused[POOL_ONCE] + counts.late;
	if (refused == responder->refused || now - responder->shed_told_s < SHED_EVERY_S)
		return;
	respond_tell(responder->hooks, (struct respond_event){ .kind = RESPOND_SHEDDING,
							       .level = RESPOND_WARNING,
							       .text = "more to sign than can be signed: these got tryLater",
							       .n = (int64_t)(refused - responder->refused) });
	responder->refused = refused;
	responder->shed_told_s = now;
}

void status_look(struct responder *responder, int64_t now)
{
	uint64_t n;

	for (size_t i = 0; i < responder->now->n; i++) {
		look_at_ca(responder, i, now);
		look_at_keys(responder, i);
	}
	look_at_pool(responder, now);
	if (ahead_look(responder->ahead, now))
		pool_wake(responder->pool);
	if (ahead_is_done(responder->ahead, &n))
		respond_tell(responder->hooks,
			     (struct respond_event){
				     .kind = RESPOND_PREPARED, .level = RESPOND_INFO, .text = "", .n = (int64_t)n });
}

/* ---- /metrics ---- */

static void sum_counts(const struct responder *responder, uint64_t sum[HTTP_COUNTS])
{
	for (size_t i = 0; i < responder->shared.n_workers; i++)
		http_worker_count(responder->shared.worker[i], sum);
}

static void put_label(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, *text == '\n' ? " " : text, 1);
	}
}

static void put_of_ca(struct buf *out, const char *name, const struct snapshot *now, size_t ca, int64_t value)
{
	char label[SNAPSHOT_NAME_SIZE];

	buf_printf(out, "%s{authority=\"", name);
	put_label(out, snapshot_ca_name(label, now, ca));
	buf_printf(out, "\"} %lld\n", (long long)value);
}

static void put_refused(struct buf *out, const struct responder *responder)
{
	const struct snapshot *now = responder->now;

	metrics_head(out, "clinch_source_refused", "gauge",
		     "1: a CA's source is refused as it is now, the one before is in use.");
	for (size_t i = 0; i < now->n; i++)
		put_of_ca(out, "clinch_source_refused", now, i, *responder->told[i].refused[LOADING_SOURCE] != '\0');
	metrics_head(out, "clinch_signers_refused", "gauge", "1: so are its certificates or keys.");
	for (size_t i = 0; i < now->n; i++)
		put_of_ca(out, "clinch_signers_refused", now, i, *responder->told[i].refused[LOADING_SIGNERS] != '\0');
}

static void put_cas(struct buf *out, const struct snapshot *now, int64_t at)
{
	metrics_head(out, "clinch_source_age_seconds", "gauge", "Age of what a CA says of its serials.");
	for (size_t i = 0; i < now->n; i++)
		put_of_ca(out, "clinch_source_age_seconds", now, i, at - source_updated(now->ca[i].source));
	metrics_head(out, "clinch_source_end_timestamp_seconds", "gauge", "When a CA's CRL is past its nextUpdate.");
	for (size_t i = 0; i < now->n; i++)
		if (source_until(now->ca[i].source) != INT64_MAX)
			put_of_ca(out, "clinch_source_end_timestamp_seconds", now, i, source_until(now->ca[i].source));
	metrics_head(out, "clinch_source_serials", "gauge", "Serials that a CA's source names.");
	for (size_t i = 0; i < now->n; i++)
		put_of_ca(out, "clinch_source_serials", now, i, (int64_t)source_size(now->ca[i].source));
	metrics_head(out, "clinch_signer_end_timestamp_seconds", "gauge", "End of the signer in use; 0: none is valid.");
	for (size_t i = 0; i < now->n; i++) {
		int64_t until = authority_signs_until(now->ca[i].authority, at);
		put_of_ca(out, "clinch_signer_end_timestamp_seconds", now, i, until > at ? until : 0);
	}
}

static void put_answers(struct buf *out, const struct responder *responder)
{
	uint64_t sum[HTTP_COUNTS] = { 0 };

	sum_counts(responder, sum);
	metrics_head(out, "clinch_responses_total", "counter", "Answers, by what they said.");
	for (int i = 0; i < HTTP_ANSWERS; i++)
		buf_printf(out, "clinch_responses_total{answer=\"%s\"} %llu\n", http_count_name((enum http_count)i),
			   (unsigned long long)sum[i]);
	metrics_head(out, "clinch_responses_ready_total", "counter", "Answers that were prepared when they were asked for.");
	buf_printf(out, "clinch_responses_ready_total %llu\n", (unsigned long long)sum[HTTP_READY]);
	metrics_head(out, "clinch_connections", "gauge", "Connections that are open.");
	buf_printf(out, "clinch_connections %u\n", atomic_load(&responder->shared.open));
}

static void put_pool(struct buf *out, struct responder *responder)
{
	struct pool_counts counts;
	struct prepared_counts prepared;

	pool_counts(responder->pool, &counts);
	prepared_table_counts(responder->table, &prepared);
	metrics_head(out, "clinch_sign_queue", "gauge", "Answers that wait for their signature.");
	buf_printf(out, "clinch_sign_queue{queue=\"kept\"} %zu\nclinch_sign_queue{queue=\"once\"} %zu\n",
		   counts.waiting[POOL_KEPT], counts.waiting[POOL_ONCE]);
	metrics_head(out, "clinch_signatures_total", "counter", "Signatures that were asked for, by how that ended.");
	buf_printf(out,
		   "clinch_signatures_total{outcome=\"signed\"} %llu\nclinch_signatures_total{outcome=\"failed\"} %llu\n"
		   "clinch_signatures_total{outcome=\"late\"} %llu\nclinch_signatures_total{outcome=\"refused\"} %llu\n",
		   (unsigned long long)counts.signed_ok, (unsigned long long)counts.failed, (unsigned long long)counts.late,
		   (unsigned long long)(counts.refused[POOL_KEPT] + counts.refused[POOL_ONCE]));
	metrics_head(out, "clinch_prepared_answers", "gauge", "Prepared answers that are held.");
	buf_printf(out, "clinch_prepared_answers %llu\n", (unsigned long long)prepared.answers);
	metrics_head(out, "clinch_prepared_bytes", "gauge", "Memory of the prepared answers and their table.");
	buf_printf(out, "clinch_prepared_bytes %llu\n", (unsigned long long)prepared.bytes);
	metrics_head(out, "clinch_prepared_evicted_total", "counter", "Prepared answers that made room for others.");
	buf_printf(out, "clinch_prepared_evicted_total %llu\n", (unsigned long long)prepared.evicted);
}

static bool write_metrics(struct buf *out, void *user)
{
	struct responder *responder = user;

	put_cas(out, responder->now, (int64_t)time(NULL));
	put_refused(out, responder);
	put_answers(out, responder);
	put_pool(out, responder);
	metrics_head(out, "clinch_relay_responses", "gauge", "Responses of the store that are handed on.");
	buf_printf(out, "clinch_relay_responses %zu\n", responder->now->relay ? relay_size(responder->now->relay) : 0);
	metrics_head(out, "clinch_build_info", "gauge", "1, with the version.");
	return buf_printf(out, "clinch_build_info{version=\"%s\"} 1\n", CLINCH_VERSION);
}

/* ---- /status.json ---- */

static json_t *time_json(int64_t at)
{
	char text[TIME_TEXT_SIZE];

	return at > 0 && at != INT64_MAX ? json_string(time_format(text, at)) : json_null();
}

static json_t *refused_json(const char *text)
{
	json_t *json = *text ? json_string(text) : json_null();

	return json ? json : json_string("?"); /* a path that is not UTF-8 */
}

static json_t *ca_json(const struct responder *responder, size_t i, int64_t now)
{
	const struct snapshot_ca *ca = &responder->now->ca[i];
	const struct ca_told *told = &responder->told[i];
	char text[SNAPSHOT_NAME_SIZE];
	int64_t until = authority_signs_until(ca->authority, now);
	json_t *name = json_string(snapshot_ca_name(text, responder->now, i));

	return json_pack("{so sI sI so so so sb so so}", "name", name ? name : json_string("?"), "serials",
			 (json_int_t)source_size(ca->source), "revoked", (json_int_t)source_revoked(ca->source),
			 "source_updated", time_json(source_updated(ca->source)), "source_until",
			 time_json(source_until(ca->source)), "signs_until", until > now ? time_json(until) : json_null(),
			 "answers", until > now && source_until(ca->source) > now, "source_refused",
			 refused_json(told->refused[LOADING_SOURCE]), "signers_refused",
			 refused_json(told->refused[LOADING_SIGNERS]));
}

static json_t *cas_json(const struct responder *responder, int64_t now)
{
	json_t *list = json_array();

	for (size_t i = 0; i < responder->now->n; i++)
		json_array_append_new(list, ca_json(responder, i, now));
	return list;
}

static json_t *answers_json(const struct responder *responder)
{
	uint64_t sum[HTTP_COUNTS] = { 0 };
	json_t *answers = json_object();

	sum_counts(responder, sum);
	for (int i = 0; i < HTTP_ANSWERS; i++)
		json_object_set_new(answers, http_count_name((enum http_count)i), json_integer((json_int_t)sum[i]));
	return answers;
}

static json_t *relay_json(const struct responder *responder)
{
	const struct relay *relay = responder->now->relay;

	return relay ? json_pack("{sI so}", "responses", (json_int_t)relay_size(relay), "refused",
				 refused_json(responder->relay_refused))
		     : json_null();
}

static bool write_status(struct buf *out, void *user)
{
	struct responder *responder = user;
	int64_t now = (int64_t)time(NULL);
	struct prepared_counts prepared;

	prepared_table_counts(responder->table, &prepared);
	json_t *json =
		json_pack("{si ss so so so so sI sI si}", "schema", 1, "version", CLINCH_VERSION, "now", time_json(now),
			  "authorities", cas_json(responder, now), "relay", relay_json(responder), "answers",
			  answers_json(responder), "prepared", (json_int_t)prepared.answers, "prepared_bytes",
			  (json_int_t)prepared.bytes, "connections", (int)atomic_load(&responder->shared.open));
	char *text = json ? json_dumps(json, 0) : NULL;
	bool good = text && buf_printf(out, "%s\n", text);

	free(text);
	json_decref(json);
	return good;
}

static bool is_ready(void *user)
{
	const struct responder *responder = user;

	return responder->is_ready && !responder->is_stopping;
}

const struct metrics_pages status_pages = { write_metrics, write_status, is_ready, NULL };
