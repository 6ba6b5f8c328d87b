/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/talk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct talk {
	talk_answer *call; /* NULL: it was made, or is not wanted any more */
	void *user;
	uv_pipe_t pipe;
	uv_timer_t limit;
	uv_connect_t connect;
	uv_write_t write;
	struct buf question, answer;
	unsigned open; /* handles */
	char chunk[16384];
};

static void on_closed(uv_handle_t *handle)
{
	struct talk *talk = handle->data;

	if (--talk->open)
		return;
	buf_done(&talk->question);
	buf_done(&talk->answer);
	free(talk);
}

static void close_all(struct talk *talk)
{
	talk->call = NULL;
	if (!uv_is_closing((uv_handle_t *)&talk->pipe)) {
		uv_close((uv_handle_t *)&talk->pipe, on_closed);
		uv_close((uv_handle_t *)&talk->limit, on_closed);
	}
}

static void end(struct talk *talk, const char *trouble)
{
	talk_answer *call = talk->call;

	talk->call = NULL;
	if (call && !trouble && !buf_add(&talk->answer, "", 1))
		trouble = "the answer is too long";
	if (call)
		call(trouble ? NULL : (char *)talk->answer.data, trouble, talk->user);
	close_all(talk);
}

static void end_by(struct talk *talk, const char *what, int rc)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", what, uv_strerror(rc));
	end(talk, text);
}

static void on_limit(uv_timer_t *timer)
{
	end(timer->data, "no answer in time");
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct talk *talk = handle->data;

	(void)suggested;
	*out = uv_buf_init(talk->chunk, sizeof(talk->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct talk *talk = stream->data;

	if (n == UV_EOF)
		end(talk, NULL);
	else if (n < 0)
		end_by(talk, "the answer cannot be read", (int)n);
	else if (!buf_add(&talk->answer, bytes->base, (size_t)n))
		end(talk, "the answer is too long");
}

static void on_written(uv_write_t *write, int status)
{
	struct talk *talk = write->data;

	if (status < 0 && status != UV_ECANCELED)
		end_by(talk, "the question cannot be sent", status);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct talk *talk = connect->data;
	uv_buf_t bytes = uv_buf_init((char *)talk->question.data, (unsigned)talk->question.len);

	if (status == UV_ECANCELED)
		return;
	if (status < 0) {
		end_by(talk, "no connection", status);
		return;
	}
	talk->write.data = talk;
	if (uv_write(&talk->write, (uv_stream_t *)&talk->pipe, &bytes, 1, on_written) < 0 ||
	    uv_read_start((uv_stream_t *)&talk->pipe, on_room, on_read) < 0)
		end(talk, "the question cannot be sent");
}

struct talk *talk_start(uv_loop_t *loop, const char *path, struct buf *question, uint32_t timeout_ms, talk_answer *call,
			void *user)
{
	struct talk *talk = calloc(1, sizeof(*talk));

	if (!talk)
		return NULL;
	talk->call = call;
	talk->user = user;
	talk->question = *question;
	*question = (struct buf){ .max = question->max };
	talk->answer.max = TALK_ANSWER_MAX;
	uv_pipe_init(loop, &talk->pipe, 0);
	uv_timer_init(loop, &talk->limit);
	talk->open = 2;
	talk->pipe.data = talk->limit.data = talk->connect.data = talk;
	uv_timer_start(&talk->limit, on_limit, timeout_ms, 0);
	uv_pipe_connect(&talk->connect, &talk->pipe, path, on_connected);
	return talk;
}

void talk_cancel(struct talk *talk)
{
	if (talk)
		close_all(talk);
}
