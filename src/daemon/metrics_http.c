/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmicrohttpd without a thread: its epoll descriptor is watched by the loop. Its time-out counts from the last byte, so
 * that one byte a second would hold a connection for ever: each gets a deadline of ours, and serves one request.
 */
#include "daemon/metrics_http.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/endpoint.h"
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 64
#define DEADLINE_MS 10000
#define TICK_MS 500
#define CONNECTION_MEMORY (16 * 1024)
#define ANSWER_MAX (1024 * 1024 * 1024)

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
};

/* ---- answers ---- */

static enum MHD_Result answer_bytes(struct MHD_Connection *connection, unsigned status, const char *type, struct buf *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_NO;

	if (response && MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
	    MHD_add_response_header(response, "Connection", "close") == MHD_YES &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED || MHD_add_response_header(response, "Allow", "GET, HEAD") == MHD_YES))
		result = MHD_queue_response(connection, status, response);
	if (response)
		MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_word(struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct buf body = { .data = (uint8_t *)(uintptr_t)text, .len = strlen(text) };

	return answer_bytes(connection, status, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result answer_page(struct MHD_Connection *connection, bool (*write)(struct buf *out, void *user), void *user,
				   const char *type)
{
	auto_buf body = { .max = ANSWER_MAX };

	if (!write(&body, user))
		return answer_word(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	return answer_bytes(connection, MHD_HTTP_OK, type, &body);
}

static enum MHD_Result answer_path(struct MHD_Connection *connection, const char *path, const struct metrics_pages *pages)
{
	if (!strcmp(path, "/metrics"))
		return answer_page(connection, pages->metrics, pages->user, "text/plain; version=0.0.4; charset=utf-8");
	if (pages->status && !strcmp(path, "/status.json"))
		return answer_page(connection, pages->status, pages->user, "application/json");
	if (!strcmp(path, "/livez"))
		return answer_word(connection, MHD_HTTP_OK, "alive\n");
	if (!strcmp(path, "/readyz"))
		return pages->is_ready(pages->user)
			       ? answer_word(connection, MHD_HTTP_OK, "ready\n")
			       : answer_word(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready yet\n");
	return answer_word(connection, MHD_HTTP_NOT_FOUND,
			   pages->status ? "/metrics /status.json /livez /readyz\n" : "/metrics /livez /readyz\n");
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
	return answer_path(connection, path, &http->pages);
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

static void turn(struct metrics_http *http)
{
	if (!http->closing)
		MHD_run(http->daemon);
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
