/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command after a change: an argument vector, no shell, a session of its own, a time limit. What it writes goes to the
 * log. */
#include "keep/outlet_inside.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_MAX 4096 /* of stdout and stderr together; the rest is read and thrown away */

struct run {
	struct outlet *outlet; /* NULL: nobody is interested any more */
	uv_process_t process;
	uv_pipe_t output;
	uv_timer_t limit;
	unsigned open; /* handles */
	bool has_process;
	bool timed_out;
	int64_t exit_status;
	int signal;
	char text[OUTPUT_MAX + 1];
	size_t len;
	char chunk[4096];
};

static void on_closed(uv_handle_t *handle)
{
	struct run *run = handle->data;

	if (--run->open == 0)
		free(run);
}

static void close_all(struct run *run)
{
	if (run->has_process)
		uv_close((uv_handle_t *)&run->process, on_closed);
	else
		run->open--;
	uv_close((uv_handle_t *)&run->output, on_closed);
	uv_close((uv_handle_t *)&run->limit, on_closed);
}

/* The last line that is not empty, fit for one line of a log. */
static const char *last_line(struct run *run)
{
	char *at;

	while (run->len && (unsigned char)run->text[run->len - 1] <= ' ')
		run->len--;
	run->text[run->len] = '\0';
	at = strrchr(run->text, '\n');
	at = at ? at + 1 : run->text;
	for (char *byte = at; *byte; byte++)
		if ((unsigned char)*byte < ' ' || *byte == 0x7f)
			*byte = ' ';
	return at;
}

static void judge(struct run *run)
{
	struct outlet *outlet = run->outlet;
	const char *line = last_line(run), *colon = *line ? ": " : "";

	if (run->timed_out)
		outlet_fail(outlet, "was killed after %u ms (timeout)%s%.200s", outlet->conf->timeout_ms, colon, line);
	else if (run->signal)
		outlet_fail(outlet, "was ended by signal %d%s%.200s", run->signal, colon, line);
	else if (run->exit_status)
		outlet_fail(outlet, "ended with status %lld%s%.200s", (long long)run->exit_status, colon, line);
	else
		outlet_say(outlet, KEEP_INFO, outlet->conf->argv[0], "ran for %zu certificates%s%.200s", outlet->n_batch,
			   colon, line);
}

/* The row's life is what the server has now: until then it will not need another run. */
static void note_served(struct outlet *outlet)
{
	for (size_t i = 0; i < outlet->n_batch; i++) {
		const struct keep_row *row = keeper_find(outlet->all->keeper, outlet->batch[i]);
		struct mark *mark = marks_find(&outlet->marks, outlet->batch[i]);
		struct keep_view view;

		if (!row || !mark)
			continue;
		keep_row_view(outlet->all->keeper, row, &view);
		mark->served_until = view.fresh_until;
	}
}

static void finish(struct outlet *outlet)
{
	if (outlet->batch_failed) {
		for (size_t i = 0; i < outlet->n_batch; i++)
			if (keeper_find(outlet->all->keeper, outlet->batch[i]))
				outlet_again(outlet, outlet->batch[i]);
	} else {
		note_served(outlet);
	}
	outlet_ended(outlet);
}

/* Children of the command may hold the pipe open for ever: its own end counts. What it wrote before is read by then, as
 * libuv looks at pipes before it reaps. */
static void on_exit_of(uv_process_t *process, int64_t exit_status, int number)
{
	struct run *run = process->data;
	struct outlet *outlet = run->outlet;

	run->exit_status = exit_status;
	run->signal = number;
	if (outlet) {
		judge(run);
		outlet->kind = NULL;
		run->outlet = NULL;
	}
	close_all(run);
	if (outlet)
		finish(outlet);
}

static void on_limit(uv_timer_t *timer)
{
	struct run *run = timer->data;

	run->timed_out = true;
	kill(-run->process.pid, SIGKILL);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct run *run = handle->data;

	(void)suggested;
	*out = uv_buf_init(run->chunk, sizeof(run->chunk));
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct run *run = stream->data;
	size_t room = OUTPUT_MAX - run->len;

	if (n < 0) {
		uv_read_stop(stream);
		return;
	}
	memcpy(run->text + run->len, bytes->base, (size_t)n < room ? (size_t)n : room);
	run->len += (size_t)n < room ? (size_t)n : room;
}

/* One pipe for stdout and stderr, in the order of what was written. */
static int spawn(struct run *run, const struct outlet_conf *conf)
{
	int ends[2];
	uv_process_options_t options = {
		.exit_cb = on_exit_of,
		.file = conf->argv[0],
		.args = (char **)(uintptr_t)conf->argv,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED, /* a session of its own: the whole group can be killed */
		.stdio_count = 3,
	};
	int rc = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);

	if (rc < 0)
		return rc;
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = ends[1] },
		{ .flags = UV_INHERIT_FD, .data.fd = ends[1] },
	};
	options.stdio = stdio;
	rc = uv_spawn(run->outlet->all->loop, &run->process, &options);
	run->has_process = true;
	close(ends[1]);
	if (rc == 0)
		rc = uv_pipe_open(&run->output, ends[0]);
	else
		close(ends[0]);
	return rc;
}

static void init_handles(struct run *run)
{
	uv_loop_t *loop = run->outlet->all->loop;

	uv_pipe_init(loop, &run->output, 0);
	uv_timer_init(loop, &run->limit);
	run->process.data = run->output.data = run->limit.data = run;
	run->open = 3;
}

static void begin(struct outlet *outlet)
{
	struct run *run = calloc(1, sizeof(*run));
	int rc;

	if (!run) {
		outlet_fail(outlet, "no memory");
		finish(outlet);
		return;
	}
	run->outlet = outlet;
	init_handles(run);
	rc = spawn(run, outlet->conf);
	if (rc < 0) {
		outlet_fail(outlet, "cannot be run: %s", uv_strerror(rc));
		run->outlet = NULL;
		close_all(run);
		finish(outlet);
		return;
	}
	outlet->kind = run;
	uv_read_start((uv_stream_t *)&run->output, on_room, on_output);
	uv_timer_start(&run->limit, on_limit, outlet->conf->timeout_ms, 0);
}

static void cancel(struct outlet *outlet)
{
	struct run *run = outlet->kind;

	if (!run)
		return;
	outlet->kind = NULL;
	run->outlet = NULL;
	uv_timer_stop(&run->limit);
	kill(-run->process.pid, SIGKILL); /* on_exit_of() closes the rest */
}

static void hand_over(struct outlet *from, struct outlet *to)
{
	struct run *run = from->kind;

	from->kind = NULL;
	to->kind = run;
	run->outlet = to;
}

const struct outlet_ops outlet_run_ops = { begin, cancel, hand_over };
