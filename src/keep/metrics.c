/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmicrohttpd without a thread: its epoll descriptor is watched by the loop. Its time-out counts from the last byte, so
 * that one byte a second would hold a connection for ever: each gets a deadline of ours, and serves one request.
 */
#include "keep/metrics.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "keep/metrics_text.h"
#include "keep/status.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

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

struct metrics {
	struct keeper *keeper;
	const struct outlets *outlets;
	enum metrics_each each;
	struct metrics_counters counters;
	struct MHD_Daemon *daemon;
	struct connection *connections;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open; /* handles */
	bool closing;
	char bound[64];
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

static enum MHD_Result answer_metrics(struct MHD_Connection *connection, const struct metrics *metrics)
{
	auto_buf body = { .max = ANSWER_MAX };

	if (!metrics_text(&body, &metrics->counters, metrics->keeper, metrics->each))
		return answer_word(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	return answer_bytes(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static enum MHD_Result answer_status(struct MHD_Connection *connection, const struct metrics *metrics)
{
	auto_buf body = { .max = ANSWER_MAX };

	if (!status_json(&body, metrics->keeper, metrics->outlets, NULL, time(NULL)) || !buf_add(&body, "\n", 1))
		return answer_word(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	return answer_bytes(connection, MHD_HTTP_OK, "application/json", &body);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *body, size_t *body_len, void **seen)
{
	const struct metrics *metrics = user;

	(void)version, (void)body;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_word(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD alone\n");
	if (!*seen) { /* the first call comes before the end of the header's reading; no answer is expected yet */
		*seen = connection;
		return MHD_YES;
	}
	if (*body_len)
		return MHD_NO;
	if (!strcmp(path, "/metrics"))
		return answer_metrics(connection, metrics);
	if (!strcmp(path, "/status.json"))
		return answer_status(connection, metrics);
	if (!strcmp(path, "/livez"))
		return answer_word(connection, MHD_HTTP_OK, "alive\n");
	if (!strcmp(path, "/readyz"))
		return keeper_is_ready(metrics->keeper)
			       ? answer_word(connection, MHD_HTTP_OK, "ready\n")
			       : answer_word(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready yet\n");
	return answer_word(connection, MHD_HTTP_NOT_FOUND, "/metrics /status.json /livez /readyz\n");
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

static void connection_end(struct metrics *metrics, struct connection *connection)
{
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		metrics->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	free(connection);
}

static void on_connection(void *user, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct metrics *metrics = user;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (connection)
			connection_end(metrics, connection);
		return;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection || !info) {
		free(connection);
		return;
	}
	connection->fd = info->connect_fd;
	connection->end_ms = uv_now(metrics->timer.loop) + DEADLINE_MS;
	connection->next = metrics->connections;
	if (connection->next)
		connection->next->previous = connection;
	metrics->connections = connection;
	*context = connection;
}

static void turn(struct metrics *metrics)
{
	if (!metrics->closing)
		MHD_run(metrics->daemon);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	turn(poll->data);
}

/* MHD's own time-outs need a turn now and then. */
static void on_tick(uv_timer_t *timer)
{
	struct metrics *metrics = timer->data;

	for (struct connection *connection = metrics->connections; connection; connection = connection->next)
		if (!connection->cut && uv_now(timer->loop) >= connection->end_ms) {
			connection->cut = true;
			shutdown(connection->fd, SHUT_RDWR);
		}
	turn(metrics);
}

/* ---- from beginning to end ---- */

static int parse_address(struct sockaddr_storage *out, socklen_t *len, const char *text, struct clinch_error *err)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	char host[64];
	int host_len = colon ? (int)(colon - text) : 0;
	uint16_t port = colon ? htons((uint16_t)strtoul(colon + 1, NULL, 10)) : 0;

	*out = (struct sockaddr_storage){ 0 };
	if (host_len > 2 && text[0] == '[' && text[host_len - 1] == ']') {
		snprintf(host, sizeof(host), "%.*s", host_len - 2, text + 1);
		*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
		*len = sizeof(*v6);
		if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
			return 0;
	} else {
		snprintf(host, sizeof(host), "%.*s", host_len, text);
		*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
		*len = sizeof(*v4);
		if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
			return 0;
	}
	return error_set(err, CLINCH_E_ARGUMENT, "metrics.listen: %s: wants an IP address and a port, like 127.0.0.1:9469",
			 text);
}

static void note_bound(struct metrics *metrics, int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";

	getsockname(fd, (struct sockaddr *)&address, &len);
	if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(metrics->bound, sizeof(metrics->bound), "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		const struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(metrics->bound, sizeof(metrics->bound), "%s:%u", host, ntohs(v4->sin_port));
	}
}

static int bind_socket(int *out, const char *listen_at, struct clinch_error *err)
{
	struct sockaddr_storage address;
	socklen_t len;
	int one = 1, rc = parse_address(&address, &len, listen_at, err);

	if (rc < 0)
		return rc;
	auto_fd fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, "metrics.listen: %s", listen_at);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 64) < 0) {
		error_errno(err, "metrics.listen: %s cannot be listened on", listen_at);
		return err ? (err->code = CLINCH_E_ARGUMENT) : CLINCH_E_ARGUMENT;
	}
	*out = fd;
	fd = -1;
	return 0;
}

static struct MHD_Daemon *start_daemon(struct metrics *metrics, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, metrics, /* */
				MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,                         /* */
				MHD_OPTION_LISTEN_SOCKET, fd,                                          /* */
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,                          /* */
				MHD_OPTION_CONNECTION_TIMEOUT, DEADLINE_MS / 1000,                     /* */
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,         /* */
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, metrics,                  /* */
				MHD_OPTION_UNESCAPE_CALLBACK, leave_path_alone, NULL,                  /* */
				MHD_OPTION_END);
}

static void on_event(const struct keep_event *event, void *user)
{
	struct metrics *metrics = user;

	if (!metrics->closing)
		metrics_count(&metrics->counters, event);
}

static int open_handles(struct metrics *metrics, uv_loop_t *loop, struct clinch_error *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	if (!info || uv_poll_init(loop, &metrics->poll, info->epoll_fd) < 0)
		return error_set(err, CLINCH_E_MEMORY, "metrics.listen: the HTTP server cannot be watched");
	uv_timer_init(loop, &metrics->timer);
	metrics->poll.data = metrics->timer.data = metrics;
	metrics->open = 2;
	uv_poll_start(&metrics->poll, UV_READABLE, on_readable);
	uv_timer_start(&metrics->timer, on_tick, TICK_MS, TICK_MS);
	return 0;
}

int metrics_new(struct metrics **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
		const char *listen, enum metrics_each each, struct clinch_error *err)
{
	struct metrics *metrics;
	int fd = -1, rc = bind_socket(&fd, listen, err);

	if (rc < 0)
		return rc;
	metrics = calloc(1, sizeof(*metrics));
	if (!metrics) {
		close(fd);
		return error_set(err, CLINCH_E_MEMORY, "metrics.listen: no memory");
	}
	*metrics = (struct metrics){ .keeper = keeper, .outlets = outlets, .each = each };
	note_bound(metrics, fd);
	metrics->daemon = start_daemon(metrics, fd); /* which closes the socket at its end */
	rc = metrics->daemon ? open_handles(metrics, loop, err)
			     : error_set(err, CLINCH_E_MEMORY, "metrics.listen: %s: the HTTP server does not start", listen);
	if (rc < 0) {
		if (metrics->daemon)
			MHD_stop_daemon(metrics->daemon);
		else
			close(fd);
		free(metrics);
		return rc;
	}
	keeper_listen(keeper, on_event, metrics);
	*out = metrics;
	return 0;
}

const char *metrics_bound(const struct metrics *metrics)
{
	return metrics->bound;
}

/* The keeper still leads here until it is stopped, so the object waits for its handles as the keeper's listener. */
static void on_closed(uv_handle_t *handle)
{
	struct metrics *metrics = handle->data;

	if (--metrics->open)
		return;
	MHD_stop_daemon(metrics->daemon);
	free(metrics);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	metrics->closing = true;
	uv_close((uv_handle_t *)&metrics->poll, on_closed);
	uv_close((uv_handle_t *)&metrics->timer, on_closed);
}
