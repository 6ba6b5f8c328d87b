/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmicrohttpd without a thread: its epoll descriptor is watched by the loop. Its time-out counts from the last byte, so
 * that one byte a second would hold a connection for ever: each gets a deadline of ours, and serves one request.
 */
#include "daemon/metrics_http.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/endpoint.h"
#include <gnutls/crypto.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 64
#define DEADLINE_MS 10000
#define TICK_MS 500
#define CONNECTION_MEMORY (16 * 1024)
#define ANSWER_MAX (256 * 1024 * 1024)
#define PIECE_SIZE (32 * 1024)
#define POLICY_SIZE 256
#define NO_PAGE "default-src 'none'" /* what is no page for people brings nothing along */

struct connection {
	struct connection *next, *previous;
	int fd;
	uint64_t end_ms; /* the loop's clock */
	bool cut;
};

struct metrics_http {
	struct metrics_pages pages;
	struct MHD_Daemon *daemon;
	struct connection *connections;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open; /* handles */
	bool closing;
	char bound[ENDPOINT_TEXT_SIZE];
	char policy[POLICY_SIZE]; /* Content-Security-Policy, of the page */
};

/* ---- answers ---- */

/* The page is one file without a script: what a certificate's name might bring along is not run, and nothing is loaded. */
static int write_policy(char out[POLICY_SIZE], const char *style, struct clinch_error *err)
{
	const gnutls_datum_t text = { (uint8_t *)(uintptr_t)(style ? style : ""), style ? (unsigned)strlen(style) : 0 };
	uint8_t hash[32];
	const gnutls_datum_t bytes = { hash, sizeof(hash) };
	auto_datum base64 = { NULL, 0 };
	int rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, text.data, text.size, hash);

	if (rc >= 0)
		rc = gnutls_base64_encode2(&bytes, &base64);
	if (rc < 0)
		return error_gnutls(err, rc, "the page's policy");
	snprintf(out, POLICY_SIZE,
		 "default-src 'none'; style-src 'sha256-%.*s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		 (int)base64.size, base64.data);
	return 0;
}

static bool add_headers(struct MHD_Response *response, unsigned status, const char *type, const char *policy)
{
	return MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
	       MHD_add_response_header(response, "Connection", "close") == MHD_YES &&
	       MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
	       MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
	       MHD_add_response_header(response, "Content-Security-Policy", policy) == MHD_YES &&
	       (status != MHD_HTTP_METHOD_NOT_ALLOWED || MHD_add_response_header(response, "Allow", "GET, HEAD") == MHD_YES);
}

static enum MHD_Result answer_with(struct MHD_Connection *connection, unsigned status, const char *type, const char *policy,
				   struct MHD_Response *response)
{
	enum MHD_Result result = MHD_NO;

	if (!response)
		return MHD_NO;
	if (add_headers(response, status, type, policy))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_bytes(struct MHD_Connection *connection, unsigned status, const char *type, const char *policy,
				    struct buf *body)
{
	return answer_with(connection, status, type, policy,
			   MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result answer_word(struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct buf body = { .data = (uint8_t *)(uintptr_t)text, .len = strlen(text) };

	return answer_bytes(connection, status, "text/plain; charset=utf-8", NO_PAGE, &body);
}

static enum MHD_Result answer_page(struct MHD_Connection *connection, bool (*write)(struct buf *out, void *user), void *user,
				   const char *type, const char *policy)
{
	auto_buf body = { .max = ANSWER_MAX };

	if (!write(&body, user))
		return answer_word(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	return answer_bytes(connection, MHD_HTTP_OK, type, policy, &body);
}

struct flow { /* of one answer that comes in pieces */
	const struct metrics_stream *stream;
	void *state;
	struct buf piece;
	size_t sent; /* of the piece */
};

static void end_flow(void *user)
{
	struct flow *flow = user;

	flow->stream->close(flow->state);
	buf_done(&flow->piece);
	free(flow);
}

static ssize_t read_flow(void *user, uint64_t at, char *out, size_t max)
{
	struct flow *flow = user;

	(void)at;
	while (flow->sent == flow->piece.len) {
		if (flow->stream->is_whole(flow->state))
			return MHD_CONTENT_READER_END_OF_STREAM;
		buf_reset(&flow->piece);
		flow->sent = 0;
		if (!flow->stream->more(flow->state, &flow->piece))
			return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	size_t n = flow->piece.len - flow->sent < max ? flow->piece.len - flow->sent : max;
	memcpy(out, flow->piece.data + flow->sent, n);
	flow->sent += n;
	return (ssize_t)n;
}

static enum MHD_Result answer_stream(struct MHD_Connection *connection, const struct metrics_stream *stream, void *user)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	struct MHD_Response *response;

	if (flow) {
		*flow = (struct flow){ .stream = stream, .state = stream->open(user), .piece.max = ANSWER_MAX };
		if (!flow->state)
			free(TAKE(flow));
	}
	if (!flow)
		return answer_word(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_SIZE, read_flow, flow, end_flow);
	if (!response)
		end_flow(flow);
	return answer_with(connection, MHD_HTTP_OK, "application/json", NO_PAGE, response);
}

static enum MHD_Result answer_ready(struct MHD_Connection *connection, const struct metrics_pages *pages)
{
	if (pages->is_ready(pages->user))
		return answer_word(connection, MHD_HTTP_OK, "ready\n");
	return answer_word(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready yet\n");
}

static enum MHD_Result answer_path(struct MHD_Connection *connection, const char *path, const struct metrics_http *http)
{
	const struct metrics_pages *pages = &http->pages;
	bool has_status = pages->status_stream || pages->status;

	if (!strcmp(path, "/metrics"))
		return answer_page(connection, pages->metrics, pages->user, "text/plain; version=0.0.4; charset=utf-8",
				   NO_PAGE);
	if (pages->page && !strcmp(path, "/"))
		return answer_page(connection, pages->page, pages->user, "text/html; charset=utf-8", http->policy);
	if (pages->status_stream && !strcmp(path, "/status.json"))
		return answer_stream(connection, pages->status_stream, pages->user);
	if (has_status && !strcmp(path, "/status.json"))
		return answer_page(connection, pages->status, pages->user, "application/json", NO_PAGE);
	if (!strcmp(path, "/livez"))
		return answer_word(connection, MHD_HTTP_OK, "alive\n");
	if (!strcmp(path, "/readyz"))
		return answer_ready(connection, pages);
	return answer_word(connection, MHD_HTTP_NOT_FOUND,
			   pages->page  ? "/ /metrics /status.json /livez /readyz\n"
			   : has_status ? "/metrics /status.json /livez /readyz\n"
					: "/metrics /livez /readyz\n");
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *body, size_t *body_len, void **seen)
{
	const struct metrics_http *http = user;

	(void)version, (void)body;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_word(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD alone\n");
	if (!*seen) { /* the first call comes before the end of the header's reading; no answer is expected yet */
		*seen = connection;
		return MHD_YES;
	}
	if (*body_len)
		return MHD_NO;
	return answer_path(connection, path, http);
}

/* The default cuts a path at "%00": it is compared as it was sent. */
static size_t leave_path_alone(void *user, struct MHD_Connection *connection, char *path)
{
	(void)user, (void)connection;
	return strlen(path);
}

static void say_nothing(void *user, const char *format, va_list arguments)
{
	(void)user, (void)format, (void)arguments;
}

/* ---- connections, and their deadlines ---- */

static void connection_end(struct metrics_http *http, struct connection *connection)
{
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		http->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	free(connection);
}

static void on_connection(void *user, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct metrics_http *http = user;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (connection)
			connection_end(http, connection);
		return;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection || !info) {
		free(connection);
		return;
	}
	connection->fd = info->connect_fd;
	connection->end_ms = uv_now(http->timer.loop) + DEADLINE_MS;
	connection->next = http->connections;
	if (connection->next)
		connection->next->previous = connection;
	http->connections = connection;
	*context = connection;
}

static void on_tick(uv_timer_t *timer);

/* A connection that could take more has its next turn when the loop has seen to everybody else. */
static void turn(struct metrics_http *http)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	if (http->closing)
		return;
	MHD_run(http->daemon);
	bool at_once = MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
	uv_timer_start(&http->timer, on_tick, at_once ? 0 : TICK_MS, TICK_MS);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	turn(poll->data);
}

/* MHD's own time-outs need a turn now and then. */
static void on_tick(uv_timer_t *timer)
{
	struct metrics_http *http = timer->data;

	for (struct connection *connection = http->connections; connection; connection = connection->next)
		if (!connection->cut && uv_now(timer->loop) >= connection->end_ms) {
			connection->cut = true;
			shutdown(connection->fd, SHUT_RDWR);
		}
	turn(http);
}

/* ---- from beginning to end ---- */

static int bind_socket(int *out, char bound[ENDPOINT_TEXT_SIZE], const char *listen_at, const char *what,
		       struct clinch_error *err)
{
	struct endpoint address;
	int one = 1, code = endpoint_parse(&address, listen_at, false, what, err);

	if (code < 0)
		return code;
	auto_fd fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, "%s: %s", what, listen_at);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &address.any, address.len) < 0 || listen(fd, 64) < 0) {
		error_errno(err, "%s: %s cannot be listened on", what, listen_at);
		return err ? (err->code = CLINCH_E_ARGUMENT) : CLINCH_E_ARGUMENT;
	}
	if (getsockname(fd, &address.any, &address.len) < 0)
		return error_errno(err, "%s: %s", what, listen_at);
	endpoint_text(bound, &address);
	*out = fd;
	fd = -1;
	return 0;
}

static struct MHD_Daemon *start_daemon(struct metrics_http *http, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, http, /* */
				MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,                      /* */
				MHD_OPTION_LISTEN_SOCKET, fd,                                       /* */
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,                       /* */
				MHD_OPTION_CONNECTION_TIMEOUT, DEADLINE_MS / 1000,                  /* */
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,      /* */
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,                  /* */
				MHD_OPTION_UNESCAPE_CALLBACK, leave_path_alone, NULL,               /* */
				MHD_OPTION_END);
}

static int open_handles(struct metrics_http *http, uv_loop_t *loop, const char *what, struct clinch_error *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	if (!info || uv_poll_init(loop, &http->poll, info->epoll_fd) < 0)
		return error_set(err, CLINCH_E_MEMORY, "%s: the HTTP server cannot be watched", what);
	uv_timer_init(loop, &http->timer);
	http->poll.data = http->timer.data = http;
	http->open = 2;
	uv_poll_start(&http->poll, UV_READABLE, on_readable);
	uv_timer_start(&http->timer, on_tick, TICK_MS, TICK_MS);
	return 0;
}

int metrics_http_new(struct metrics_http **out, uv_loop_t *loop, const char *listen, const char *what,
		     const struct metrics_pages *pages, struct clinch_error *err)
{
	auto_free struct metrics_http *http = calloc(1, sizeof(*http));
	int fd = -1, code = 0;

	if (!http)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory", what);
	http->pages = *pages;
	code = write_policy(http->policy, pages->page_style, err);
	if (code < 0)
		return code;
	code = bind_socket(&fd, http->bound, listen, what, err);
	if (code < 0)
		return code;
	http->daemon = start_daemon(http, fd); /* which closes the socket at its end */
	if (!http->daemon) {
		close(fd);
		return error_set(err, CLINCH_E_MEMORY, "%s: %s: the HTTP server does not start", what, listen);
	}
	code = open_handles(http, loop, what, err);
	if (code < 0) {
		MHD_stop_daemon(http->daemon);
		return code;
	}
	*out = TAKE(http);
	return 0;
}

const char *metrics_http_bound(const struct metrics_http *http)
{
	return http->bound;
}

static void on_closed(uv_handle_t *handle)
{
	struct metrics_http *http = handle->data;

	if (--http->open)
		return;
	MHD_stop_daemon(http->daemon);
	free(http);
}

void metrics_http_free(struct metrics_http *http)
{
	if (!http)
		return;
	http->closing = true;
	uv_close((uv_handle_t *)&http->poll, on_closed);
	uv_close((uv_handle_t *)&http->timer, on_closed);
}

bool metrics_head(struct buf *out, const char *name, const char *type, const char *help)
{
	return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}
