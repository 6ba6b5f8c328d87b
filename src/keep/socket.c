/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/socket.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "keep/answer.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CLIENTS_MAX 32
#define QUESTION_MS 10000 /* for a question to be there whole, from the connection or the last answer on */
#define ANSWER_MS 30000   /* for an answer, or a piece of a long one, to be taken */
#define ANSWER_MAX (16 * 1024 * 1024)

struct client {
	struct keep_socket *socket;
	struct client *next, *previous;
	uv_pipe_t pipe;
	uv_timer_t limit;
	uv_write_t write;
	unsigned open;    /* handles */
	bool busy, ended; /* an answer is on its way; no more questions come */
	struct buf question, answer;
	struct status *status; /* NULL, or what the rest of the answer comes from */
	char chunk[16384];
};

struct keep_socket {
	struct keeper *keeper;
	const struct outlets *outlets;
	uv_pipe_t listener;
	struct client *clients;
	unsigned n_clients;
	bool closed;           /* the listener is */
	uv_pipe_t away;        /* one that is turned away, where there is no memory for a client */
	bool turning, waiting; /* `away` is in use; and another one is there */
};

/* ---- what is answered ---- */

/* What comes after the piece that was sent. A name that few have makes many empty ones. */
static bool continue_answer(struct client *client)
{
	buf_reset(&client->answer);
	while (client->answer.len == 0 && !status_is_whole(client->status))
		if (!status_more(client->status, &client->answer))
			return false;
	if (!status_is_whole(client->status))
		return true;
	status_free(TAKE(client->status));
	return buf_add(&client->answer, "\n", 1);
}

/* ---- a client ---- */

static void free_when_over(struct keep_socket *socket)
{
	if (socket->closed && socket->n_clients == 0 && !socket->turning)
		free(socket);
}

static void on_client_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;
	struct keep_socket *socket = client->socket;

	if (--client->open)
		return;
	if (client->previous)
		client->previous->next = client->next;
	else
		socket->clients = client->next;
	if (client->next)
		client->next->previous = client->previous;
	buf_done(&client->question);
	buf_done(&client->answer);
	status_free(client->status);
	free(client);
	socket->n_clients--;
	free_when_over(socket);
}

static void client_close(struct client *client)
{
	if (uv_is_closing((uv_handle_t *)&client->pipe))
		return;
	uv_close((uv_handle_t *)&client->pipe, on_client_closed);
	uv_close((uv_handle_t *)&client->limit, on_client_closed);
}

static void on_limit(uv_timer_t *timer)
{
	client_close(timer->data);
}

static void next_question(struct client *client);
static void send_answer(struct client *client);

static void on_written(uv_write_t *write, int status)
{
	struct client *client = write->data;
	bool was_piece = client->status;

	if (status == UV_ECANCELED)
		return;
	client->busy = false;
	if (status < 0 || (client->status && !continue_answer(client))) {
		client_close(client);
		return;
	}
	if (was_piece) {
		send_answer(client);
		return;
	}
	buf_done(&client->answer);
	uv_timer_start(&client->limit, on_limit, QUESTION_MS, 0);
	next_question(client);
}

static void send_answer(struct client *client)
{
	uv_buf_t bytes = uv_buf_init((char *)client->answer.data, (unsigned)client->answer.len);

	client->busy = true;
	uv_timer_start(&client->limit, on_limit, ANSWER_MS, 0);
	client->write.data = client;
	if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &bytes, 1, on_written) < 0)
		client_close(client);
}

/* The first whole line that has come; one at a time. */
static void next_question(struct client *client)
{
	struct buf *question = &client->question;
	uint8_t *end = question->len ? memchr(question->data, '\n', question->len) : NULL;
	size_t len;

	if (client->busy)
		return;
	if (!end) {
		if (client->ended)
			client_close(client);
		return;
	}
	len = (size_t)(end - question->data);
	if (!answer_question(&client->answer, &client->status, client->socket->keeper, client->socket->outlets,
			     question->data, len)) {
		client_close(client);
		return;
	}
	question->len -= len + 1;
	memmove(question->data, end + 1, question->len);
	send_answer(client);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct client *client = handle->data;

	(void)suggested;
	*out = uv_buf_init(client->chunk, sizeof(client->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct client *client = stream->data;

	if (n < 0) {
		client->ended = true;
		uv_read_stop(stream);
		next_question(client);
		return;
	}
	if (buf_add(&client->question, bytes->base, (size_t)n)) {
		next_question(client);
		return;
	}
	uv_read_stop(stream);
	client->ended = true;
	client->question.len = 0;
	if (!client->busy && answer_error(&client->answer, "question", 0, "longer than %d bytes", SOCKET_LINE_MAX) &&
	    buf_add(&client->answer, "\n", 1))
		send_answer(client);
	else
		client_close(client);
}

static struct client *client_new(struct keep_socket *socket)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->socket = socket;
	client->question.max = SOCKET_LINE_MAX;
	client->answer.max = ANSWER_MAX;
	uv_pipe_init(socket->listener.loop, &client->pipe, 0);
	uv_timer_init(socket->listener.loop, &client->limit);
	client->pipe.data = client->limit.data = client;
	client->open = 2;
	client->next = socket->clients;
	if (client->next)
		client->next->previous = client;
	socket->clients = client;
	socket->n_clients++;
	return client;
}

static void turn_away(struct keep_socket *socket);

static void on_turned(uv_handle_t *handle)
{
	struct keep_socket *socket = handle->data;

	socket->turning = false;
	if (socket->waiting && !uv_is_closing((uv_handle_t *)&socket->listener))
		turn_away(socket);
	else
		free_when_over(socket);
}

/* libuv listens no more until what has come is accepted. */
static void turn_away(struct keep_socket *socket)
{
	socket->waiting = socket->turning;
	if (socket->turning)
		return;
	socket->turning = true;
	uv_pipe_init(socket->listener.loop, &socket->away, 0);
	socket->away.data = socket;
	uv_accept((uv_stream_t *)&socket->listener, (uv_stream_t *)&socket->away);
	uv_close((uv_handle_t *)&socket->away, on_turned);
}

/* One that is too many is taken and let go: left in the queue it would wait for what may never come. */
static void on_connection(uv_stream_t *listener, int status)
{
	struct keep_socket *socket = listener->data;
	bool too_many = socket->n_clients >= CLIENTS_MAX;
	struct client *client;

	if (status < 0)
		return;
	client = client_new(socket);
	if (!client) {
		turn_away(socket);
		return;
	}
	if (uv_accept(listener, (uv_stream_t *)&client->pipe) < 0 || too_many ||
	    uv_read_start((uv_stream_t *)&client->pipe, on_room, on_read) < 0) {
		client_close(client);
		return;
	}
	uv_timer_start(&client->limit, on_limit, QUESTION_MS, 0);
}

/* ---- the socket ---- */

/* libuv has "permission denied" for it. */
static int check_directory(const char *path, struct clinch_error *err)
{
	const char *slash = strrchr(path, '/');
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;

	snprintf(dir, sizeof(dir), "%.*s", slash > path ? (int)(slash - path) : 1, slash ? path : ".");
	if (stat(dir, &st) < 0)
		return error_errno(err, "%s: the directory for the socket %s", dir, path);
	return 0;
}

/* What is left of a process that was killed is taken away; what somebody listens to is not. */
static int make_way(const char *path, struct clinch_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, CLINCH_E_ARGUMENT, "%s: too long for a Unix socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) < 0)
		return check_directory(path, err);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, CLINCH_E_ARGUMENT, "%s: something that is no socket is there", path);
	if (fd < 0)
		return error_errno(err, "%s: no socket", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
		return error_set(err, CLINCH_E_ARGUMENT, "%s: another process listens there", path);
	if (errno == ECONNREFUSED && unlink(path) < 0)
		return error_errno(err, "%s: what is left of an earlier process cannot be removed", path);
	return 0;
}

static int bind_and_listen(struct keep_socket *socket, const char *path, struct clinch_error *err)
{
	mode_t mask = umask(0117); /* 0660 from its first moment on */
	int rc = uv_pipe_bind(&socket->listener, path);

	umask(mask);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&socket->listener, 128, on_connection);
	return rc == 0 ? 0 : error_set(err, CLINCH_E_FILE, "%s: the socket cannot be made: %s", path, uv_strerror(rc));
}

int keep_socket_new(struct keep_socket **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
		    const char *path, struct clinch_error *err)
{
	struct keep_socket *socket;
	int rc = make_way(path, err);

	if (rc < 0)
		return rc;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the socket");
	socket->keeper = keeper;
	socket->outlets = outlets;
	uv_pipe_init(loop, &socket->listener, 0);
	socket->listener.data = socket;
	rc = bind_and_listen(socket, path, err);
	if (rc < 0) {
		keep_socket_free(socket);
		return rc;
	}
	*out = socket;
	return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct keep_socket *socket = handle->data;

	socket->closed = true;
	free_when_over(socket);
}

/* libuv removes the file that it bound. */
void keep_socket_free(struct keep_socket *socket)
{
	if (!socket)
		return;
	for (struct client *client = socket->clients; client; client = client->next)
		client_close(client);
	uv_close((uv_handle_t *)&socket->listener, on_listener_closed);
}
