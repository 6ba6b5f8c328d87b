/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/http_inside.h"
#include "respond/path.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define REQUEST_MAX 8192
#define SIGNING_MS 5000 /* what a signature is waited for, at most */

const struct http_text http_texts[HTTP_TEXTS] = {
	[HTTP_TEXT_HEALTH] = { 200, "OCSP responder: POST a request, or GET it in base64\n", NULL, false },
	[HTTP_TEXT_BAD] = { 400, "the path is not base64 of an OCSP request\n", NULL, false },
	[HTTP_TEXT_FRAMING] = { 400, "one Content-Length, or chunks\n", NULL, true },
	[HTTP_TEXT_HOST] = { 400, "one Host\n", NULL, true },
	[HTTP_TEXT_METHOD] = { 405, "GET, HEAD and POST\n", "GET, HEAD, POST", true },
	[HTTP_TEXT_BODY] = { 413, "a request has at most 8192 bytes\n", NULL, true },
	[HTTP_TEXT_PATH] = { 414, "a request has at most 8192 bytes\n", NULL, true },
	[HTTP_TEXT_HEADER] = { 431, "a request has at most 8192 bytes\n", NULL, true },
	[HTTP_TEXT_MEMORY] = { 503, "no memory\n", NULL, true },
};

/* One thread writes it. */
static void count(struct http_worker *worker, enum http_count what)
{
	atomic_store_explicit(&worker->counts[what], atomic_load_explicit(&worker->counts[what], memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* ---- the state ---- */

void http_publish(struct http_shared *shared, struct snapshot *state)
{
	uint64_t generation = state->generation;

	counted_publish(&shared->snapshot, &state->counted);
	atomic_store_explicit(&shared->generation, generation, memory_order_release);
}

void http_follow_state(struct http_worker *worker)
{
	if (worker->state &&
	    worker->state->generation == atomic_load_explicit(&worker->shared->generation, memory_order_acquire))
		return;
	snapshot_unref(worker->state);
	worker->state = (struct snapshot *)counted_take(&worker->shared->snapshot);
}

/* ---- sending ---- */

static enum MHD_Result send_text(struct exchange *exchange, enum http_text_id text)
{
	struct http_worker *worker = exchange->worker;

	count(worker, text == HTTP_TEXT_HEALTH ? HTTP_HEALTH : HTTP_FAULT);
	return MHD_queue_response(exchange->connection, http_texts[text].status, worker->text[text]);
}

static enum MHD_Result send_refusal(struct exchange *exchange, enum ocsp_refusal refusal)
{
	struct http_worker *worker = exchange->worker;

	count(worker, refusal == OCSP_MALFORMED_REQUEST ? HTTP_MALFORMED
		      : refusal == OCSP_TRY_LATER       ? HTTP_TRY_LATER
		      : refusal == OCSP_UNAUTHORIZED    ? HTTP_UNAUTHORIZED
							: HTTP_INTERNAL);
	return MHD_queue_response(exchange->connection, MHD_HTTP_OK, worker->refusal[refusal]);
}

static enum http_count count_of(const struct prepared *answer)
{
	return answer->status == CLINCH_GOOD      ? HTTP_GOOD
	       : answer->status == CLINCH_REVOKED ? HTTP_REVOKED
	       : answer->status == CLINCH_UNKNOWN ? HTTP_UNKNOWN
						  : HTTP_SEVERAL;
}

static enum MHD_Result send_cacheable(struct exchange *exchange, struct MHD_Response *response,
				      const struct reply_life *life, enum http_count what)
{
	bool is_known = exchange->is_get && reply_is_known(&exchange->condition, life);

	count(exchange->worker, is_known ? HTTP_NOT_MODIFIED : what);
	return MHD_queue_response(exchange->connection, is_known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

/* Sent and let go. */
static enum MHD_Result send_own(struct exchange *exchange, struct MHD_Response *response, const struct reply_life *life,
				enum http_count what)
{
	if (!response)
		return send_text(exchange, HTTP_TEXT_MEMORY);
	enum MHD_Result result = send_cacheable(exchange, response, life, what);
	MHD_destroy_response(response);
	return result;
}

/* ---- prepared answers ---- */

void http_ready_drop(struct ready *ready)
{
	if (ready->response)
		MHD_destroy_response(ready->response);
	prepared_unref(ready->answer);
	*ready = (struct ready){ NULL };
}

/* `answer` may be the one that is there already. */
static enum MHD_Result send_ready(struct exchange *exchange, struct ready *ready, struct prepared *answer, int64_t now)
{
	int64_t max_age = reply_max_age(answer, exchange->worker->state->max_age_s, now);
	struct reply_life life = reply_life_of(answer, max_age);

	if (ready->answer != answer || ready->max_age != max_age) {
		prepared_ref(answer);
		http_ready_drop(ready);
		*ready = (struct ready){ answer, reply_prepared(answer, max_age), max_age };
	}
	if (ready->response)
		return send_cacheable(exchange, ready->response, &life, count_of(answer));
	http_ready_drop(ready);
	return send_text(exchange, HTTP_TEXT_MEMORY);
}

static bool serves(const struct prepared *answer, const struct decision *decision, int64_t now)
{
	return prepared_fits(answer, decision->ca, &decision->single[0], now);
}

/* The thread's own is as good as the table's until its refresh is due. False: it has to be signed. */
static bool send_prepared(struct exchange *exchange, const struct decision *decision, int64_t now, enum MHD_Result *result)
{
	struct http_worker *worker = exchange->worker;
	struct prepared_table *table = worker->shared->table;
	struct prepared_key key = { decision->ca->id, decision->hash, decision->serial };
	uint64_t hash = prepared_hash(table, &key);
	struct ready *ready = &worker->ready[hash % HTTP_READY_SLOTS];
	struct prepared *answer = ready->answer;

	if (answer && now < answer->refresh_at && prepared_is_for(answer, &key) && serves(answer, decision, now)) {
		prepared_use(answer);
		count(worker, HTTP_READY);
		*result = send_ready(exchange, ready, answer, now);
		return true;
	}
	answer = prepared_find(table, &key, hash);
	bool serves_it = answer && serves(answer, decision, now);
	if (serves_it) {
		count(worker, HTTP_READY);
		*result = send_ready(exchange, ready, answer, now);
	}
	prepared_unref(answer);
	return serves_it;
}

/* ---- what has to be signed ---- */

static void on_signed(struct ask *ask)
{
	struct exchange *exchange = ask->user;
	struct http_worker *worker = exchange->worker;

	MHD_resume_connection(exchange->connection); /* which may end it: only the worker is there after that */
	atomic_store(&worker->has_resumed, true);
}

/* The connection is set aside before anybody can wake it. */
static enum MHD_Result ask_for_it(struct exchange *exchange, const struct decision *decision, struct der request,
				  int64_t now)
{
	struct http_shared *shared = exchange->worker->shared;

	/* What is turned away costs no more than what is prepared. */
	if (!shared->pool || pool_is_full(shared->pool, decision->is_plain ? POOL_KEPT : POOL_ONCE))
		return send_refusal(exchange, OCSP_TRY_LATER);
	int64_t waits_ms = shared->request_ms / 2 < SIGNING_MS ? shared->request_ms / 2 : SIGNING_MS;
	struct ask *ask =
		ask_new(decision, request, exchange->worker->state, shared->table, now, http_clock_ms() + waits_ms);

	if (!ask)
		return send_text(exchange, HTTP_TEXT_MEMORY);
	ask->done = on_signed;
	ask->user = exchange;
	exchange->ask = ask;
	exchange->worker->asked++;
	MHD_suspend_connection(exchange->connection);
	if (!ask_submit(ask, shared->pool)) {
		on_signed(ask);
		http_wake(exchange->worker);
	}
	return MHD_YES;
}

static enum MHD_Result send_asked(struct exchange *exchange)
{
	struct ask *ask = exchange->ask;
	int64_t now = (int64_t)time(NULL);

	if (ask->answer) {
		int64_t max_age = reply_max_age(ask->answer, ask->state->max_age_s, now);
		struct reply_life life = reply_life_of(ask->answer, max_age);
		return send_own(exchange, reply_prepared(ask->answer, max_age), &life, count_of(ask->answer));
	}
	if (!ask->once.data)
		return send_refusal(exchange, ask->refusal);
	struct MHD_Response *response = reply_once(&ask->once);
	if (!response)
		return send_text(exchange, HTTP_TEXT_MEMORY);
	count(exchange->worker, ask->job.n > 1                              ? HTTP_SEVERAL
				: ask->job.single->status == CLINCH_GOOD    ? HTTP_GOOD
				: ask->job.single->status == CLINCH_REVOKED ? HTTP_REVOKED
									    : HTTP_UNKNOWN);
	enum MHD_Result result = MHD_queue_response(exchange->connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- a request that is there ---- */

static enum MHD_Result send_relayed(struct exchange *exchange, clinch_response_t *relayed, int64_t now)
{
	struct reply_life life = reply_life_of_relayed(relayed, exchange->worker->state->max_age_s, now);
	struct MHD_Response *response = reply_relayed(relayed, &life);

	clinch_response_unref(relayed);
	return send_own(exchange, response, &life, HTTP_RELAYED);
}

static enum MHD_Result answer(struct exchange *exchange, struct der request)
{
	int64_t now = (int64_t)time(NULL);
	enum MHD_Result result = MHD_NO;
	struct decision decision;

	http_follow_state(exchange->worker);
	decide(&decision, exchange->worker->state, request, now);
	if (decision.act == DECIDE_REFUSE)
		return send_refusal(exchange, decision.refusal);
	if (decision.act == DECIDE_RELAY)
		return send_relayed(exchange, decision.relayed, now);
	if (decision.is_plain && send_prepared(exchange, &decision, now, &result))
		return result;
	return ask_for_it(exchange, &decision, request, now);
}

static enum MHD_Result answer_get(struct exchange *exchange, const char *path)
{
	uint8_t bytes[REQUEST_MAX];
	size_t len;

	switch (path_decode(bytes, sizeof(bytes), &len, path, strlen(path))) {
	case PATH_REQUEST:
		return answer(exchange, der_of(bytes, len));
	case PATH_EMPTY:
		return send_text(exchange, HTTP_TEXT_HEALTH);
	default:
		return send_text(exchange, HTTP_TEXT_BAD);
	}
}

/* ---- reading one ---- */

struct header {
	unsigned lengths, hosts;
	bool is_chunked, is_coded, is_long;
	bool is_odd; /* a name that ends in a blank (RFC 9112 5.1), or a length that is no number */
	size_t len;
	struct reply_condition condition;
};

static bool is_called(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && strncasecmp(key, name, len) == 0;
}

static enum MHD_Result on_header(void *user, enum MHD_ValueKind kind, const char *key, size_t key_len, const char *value,
				 size_t value_len)
{
	struct header *header = user;

	(void)kind;
	header->len += key_len + value_len;
	header->is_odd |= key_len && (key[key_len - 1] == ' ' || key[key_len - 1] == '\t');
	if (is_called(key, key_len, "Content-Length")) {
		header->lengths++;
		header->is_odd |= value_len == 0 || strspn(value, "0123456789") != value_len;
		header->is_long |= strtoull(value, NULL, 10) > REQUEST_MAX;
	} else if (is_called(key, key_len, "Host")) {
		header->hosts++;
	} else if (is_called(key, key_len, "Transfer-Encoding")) {
		header->is_chunked = true;
		header->is_coded |= !is_called(value, value_len, "chunked");
	} else if (is_called(key, key_len, "If-None-Match")) {
		header->condition.none_match = value;
		header->condition.none_match_len = value_len;
	} else if (is_called(key, key_len, "If-Modified-Since")) {
		header->condition.modified_since = value;
		header->condition.modified_since_len = value_len;
	}
	return MHD_YES;
}

static enum MHD_Result begin(struct exchange *exchange, const char *path, const char *method, const char *version)
{
	struct header header = { .len = strlen(path) };

	exchange->since_ms = http_clock_ms();
	exchange->is_busy = true;
	exchange->len = 0;
	exchange->is_get = !strcmp(method, "GET") || !strcmp(method, "HEAD");
	MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, on_header, &header);
	exchange->condition = header.condition;
	if (header.lengths > 1 || (header.lengths && header.is_chunked) || header.is_coded || header.is_odd)
		return send_text(exchange, HTTP_TEXT_FRAMING);
	/* RFC 9112 3.2 */
	if (header.hosts > 1 || (header.hosts == 0 && !strcmp(version, "HTTP/1.1")))
		return send_text(exchange, HTTP_TEXT_HOST);
	if (header.len > REQUEST_MAX)
		return send_text(exchange, strlen(path) > REQUEST_MAX ? HTTP_TEXT_PATH : HTTP_TEXT_HEADER);
	if (!exchange->is_get && strcmp(method, "POST") != 0)
		return send_text(exchange, HTTP_TEXT_METHOD);
	return header.is_long ? send_text(exchange, HTTP_TEXT_BODY) : MHD_YES;
}

/* libmicrohttpd takes no answer while a body of unknown length comes in: it is told by hand, and nothing more is read. */
static enum MHD_Result refuse_body(struct exchange *exchange)
{
	static const char said[] = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

	count(exchange->worker, HTTP_FAULT);
	if (send(exchange->fd, said, sizeof(said) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return MHD_NO;
	shutdown(exchange->fd, SHUT_WR);
	return MHD_NO;
}

static enum MHD_Result take_body(struct exchange *exchange, const char *bytes, size_t *len)
{
	size_t n = *len;

	*len = 0;
	if (exchange->len + n > REQUEST_MAX)
		return refuse_body(exchange);
	if (exchange->body == exchange->small && exchange->len + n > HTTP_SMALL) {
		uint8_t *body = malloc(REQUEST_MAX);
		if (!body)
			return MHD_NO;
		memcpy(body, exchange->small, exchange->len);
		exchange->body = body;
	}
	memcpy(exchange->body + exchange->len, bytes, n);
	exchange->len += n;
	return MHD_YES;
}

static struct exchange *exchange_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

enum MHD_Result http_on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
				const char *version, const char *body, size_t *body_len, void **request)
{
	struct exchange *exchange = *request;

	(void)user;
	if (!exchange) {
		*request = exchange = exchange_of(connection);
		return exchange ? begin(exchange, path, method, version) : MHD_NO;
	}
	if (*body_len)
		return take_body(exchange, body, body_len);
	if (exchange->ask)
		return send_asked(exchange);
	return exchange->is_get ? answer_get(exchange, path) : answer(exchange, der_of(exchange->body, exchange->len));
}

void http_forget_request(struct exchange *exchange)
{
	if (exchange->ask)
		exchange->worker->asked--;
	ask_free(exchange->ask);
	exchange->ask = NULL;
	if (exchange->body != exchange->small)
		free(exchange->body);
	exchange->body = exchange->small;
	exchange->is_busy = false;
}

void http_on_completed(void *user, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *request;

	(void)user, (void)connection, (void)code;
	if (!exchange)
		return;
	http_forget_request(exchange);
	exchange->was_answered = true;
	exchange->since_ms = http_clock_ms();
}
