/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/ask.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "probe/deadline.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

#define WORDS_MAX (64 * 1024) /* bytes of what clinch-keep says on stderr, its report among them */

enum { OUT, WORDS, STREAMS };

struct child {
	pid_t pid;
	struct pollfd stream[STREAMS]; /* fd -1: at its end */
};

static bool add_pem(struct buf *out, const gnutls_datum_t *der)
{
	auto_datum pem = { NULL, 0 };

	return gnutls_pem_base64_encode2("CERTIFICATE", der, &pem) >= 0 && buf_add(out, pem.data, pem.size);
}

/* Leaf and issuer as a file without a name: what the child reads from its standard input. */
static int chain_fd(const struct ask *ask, struct clinch_error *err)
{
	auto_buf pem = { .max = 1024 * 1024 };
	auto_fd fd = -1;
	int taken;

	if (!add_pem(&pem, &ask->cert) || !add_pem(&pem, &ask->issuer)) {
		error_set(err, CLINCH_E_MEMORY, "no memory for the chain");
		return -1;
	}
	fd = memfd_create("chain.pem", MFD_CLOEXEC);
	if (fd < 0 || write(fd, pem.data, pem.len) != (ssize_t)pem.len || lseek(fd, 0, SEEK_SET) != 0) {
		error_errno(err, "a temporary file for the chain");
		return -1;
	}
	taken = fd;
	fd = -1;
	return taken;
}

static int spawn(struct child *child, const struct ask *ask, int in, int out, int words)
{
	char timeout[16], forbid[] = "--forbid-private", fetch[] = "fetch", o[] = "-o", dash[] = "-", option[] = "--timeout";
	char report[] = "--report", two[] = "2", *name = strdup(ask->keep_path);
	char *arguments[] = { name, fetch, report, two, option, timeout, o, dash, dash, ask->allow_private ? NULL : forbid,
			      NULL };
	posix_spawn_file_actions_t actions;
	int rc;

	snprintf(timeout, sizeof(timeout), "%d", deadline_left(ask->deadline) / 1000 + 1);
	if (!name || posix_spawn_file_actions_init(&actions)) {
		free(name);
		return ENOMEM;
	}
	rc = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&actions, words, 2);
	if (!rc)
		rc = posix_spawn(&child->pid, ask->keep_path, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(name);
	return rc;
}

static int start(struct child *child, const struct ask *ask, int pipes[STREAMS][2], struct clinch_error *err)
{
	auto_fd in = chain_fd(ask, err);
	int rc;

	if (in < 0)
		return CLINCH_E_FILE;
	rc = spawn(child, ask, in, pipes[OUT][1], pipes[WORDS][1]);
	errno = rc;
	return rc ? error_errno(err, "%s could not be started; is clinch-keep installed?", ask->keep_path) : 0;
}

/* A little of one stream: false when it is at its end, or has more than its buffer may hold. */
static bool read_some(int fd, struct buf *out)
{
	uint8_t bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	return (n < 0 && (errno == EINTR || errno == EAGAIN)) || (n > 0 && buf_add(out, bytes, (size_t)n));
}

static bool gather(struct child *child, struct buf *streams[STREAMS], int64_t deadline)
{
	while (child->stream[OUT].fd >= 0 || child->stream[WORDS].fd >= 0) {
		int left = deadline_left(deadline);

		if (!left)
			return false;
		if (poll(child->stream, STREAMS, left) <= 0)
			continue;
		for (int i = 0; i < STREAMS; i++)
			if (child->stream[i].fd >= 0 && child->stream[i].revents &&
			    !read_some(child->stream[i].fd, streams[i])) {
				close(child->stream[i].fd); /* a child with more to say hears that nobody listens */
				child->stream[i].fd = -1;
			}
	}
	return true;
}

/* Its exit status, -1 without one. Who does not end by the deadline is ended. */
static int reap(const struct child *child, int64_t deadline)
{
	int status;
	pid_t ended = waitpid(child->pid, &status, WNOHANG);

	while ((ended == 0 || (ended < 0 && errno == EINTR)) && deadline_left(deadline)) {
		poll(NULL, 0, 2); /* it has closed its streams: this wait is short */
		ended = waitpid(child->pid, &status, WNOHANG);
	}
	if (ended == 0)
		kill(child->pid, SIGKILL);
	while (ended == 0 || (ended < 0 && errno == EINTR))
		ended = waitpid(child->pid, &status, 0);
	return ended > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The report is the last line; what it says there is free of advice, which would name options of `clinch fetch`. */
static json_t *last_report(const struct buf *words)
{
	size_t end = words->len, begin;

	while (end && words->data[end - 1] == '\n')
		end--;
	for (begin = end; begin && words->data[begin - 1] != '\n';)
		begin--;
	return begin < end ? json_loadb((const char *)words->data + begin, end - begin, 0, NULL) : NULL;
}

static int explain(const struct buf *words, int exit_status, struct clinch_error *err)
{
	json_t *report = last_report(words);
	const char *outcome = json_string_value(json_object_get(report, "outcome"));
	const char *detail = json_string_value(json_object_get(report, "detail"));
	const char *url = json_string_value(json_object_get(report, "url"));
	char text[512], said[300];

	if (!detail)
		snprintf(text, sizeof(text), "clinch-keep ended with status %d and no word", exit_status);
	else
		snprintf(text, sizeof(text), "%s%s%s%s", url ? url : "", url ? ": " : "", detail,
			 outcome && !strcmp(outcome, "private-address") ? "; --allow-private permits that" : "");
	json_decref(report);
	return error_set(err, CLINCH_E_NETWORK, "%s", error_printable(said, sizeof(said), text, strlen(text)));
}

static int converse(struct buf *out, struct child *child, const struct ask *ask, int *exit_status, struct clinch_error *err)
{
	auto_buf words = { .max = WORDS_MAX };
	struct buf *streams[STREAMS] = { out, &words };
	bool in_time = gather(child, streams, ask->deadline);

	*exit_status = reap(child, ask->deadline);
	if (!in_time) {
		buf_reset(out);
		return error_set(err, CLINCH_E_TIMEOUT,
				 "the responder did not answer in the time that was left; raise --timeout");
	}
	return out->len ? 0 : explain(&words, *exit_status, err);
}

static void close_all(const struct child *child)
{
	for (int i = 0; i < STREAMS; i++)
		if (child->stream[i].fd >= 0)
			close(child->stream[i].fd);
}

int ask_responder(struct buf *out, const struct ask *ask, int *exit_status, struct clinch_error *err)
{
	int pipes[STREAMS][2] = { { -1, -1 }, { -1, -1 } };
	struct child child = { .pid = -1 };
	int rc;

	*exit_status = -1;
	if (pipe2(pipes[OUT], O_CLOEXEC) || pipe2(pipes[WORDS], O_CLOEXEC))
		rc = error_errno(err, "a pipe");
	else
		rc = start(&child, ask, pipes, err);
	for (int i = 0; i < STREAMS; i++) { /* the writing ends are the child's alone, or there is no end to be read */
		if (pipes[i][1] >= 0)
			close(pipes[i][1]);
		child.stream[i] = (struct pollfd){ .fd = pipes[i][0], .events = POLLIN };
	}
	if (!rc)
		rc = converse(out, &child, ask, exit_status, err);
	close_all(&child);
	return rc;
}
