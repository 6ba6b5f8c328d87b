/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/ask.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "probe/deadline.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

#define WORDS_MAX 1024 /* bytes of what clinch-keep says on stderr */

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
	char *name = strdup(ask->keep_path);
	char *arguments[9] = { name, fetch, option, timeout, o, dash, dash, ask->allow_private ? NULL : forbid, NULL };
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
			    !read_some(child->stream[i].fd, streams[i]))
				child->stream[i].fd = -1;
	}
	return true;
}

/* It has closed its streams or is killed: this wait is short. */
static int reap(const struct child *child)
{
	int status;

	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The last line it said, without "clinch fetch: " and made fit for a sentence. */
static int explain(const struct buf *words, int exit_status, struct clinch_error *err)
{
	size_t end = words->len, begin;
	const char *line;
	char said[300];

	while (end && words->data[end - 1] == '\n')
		end--;
	for (begin = end; begin && words->data[begin - 1] != '\n';)
		begin--;
	if (begin == end)
		return error_set(err, CLINCH_E_NETWORK, "clinch-keep ended with status %d and no word", exit_status);
	error_printable(said, sizeof(said), words->data + begin, end - begin);
	line = strstr(said, ": ");
	return error_set(err, CLINCH_E_NETWORK, "%s", line && !strncmp(said, "clinch", 6) ? line + 2 : said);
}

static int converse(struct buf *out, struct child *child, const struct ask *ask, int *exit_status, struct clinch_error *err)
{
	auto_buf words = { .max = WORDS_MAX };
	struct buf *streams[STREAMS] = { out, &words };
	bool in_time = gather(child, streams, ask->deadline);

	if (!in_time)
		kill(child->pid, SIGKILL);
	*exit_status = reap(child);
	if (!in_time) {
		buf_reset(out);
		return error_set(err, CLINCH_E_TIMEOUT,
				 "the responder did not answer in the time that was left; raise --timeout");
	}
	return out->len ? 0 : explain(&words, *exit_status, err);
}

static void close_both(int pipe_fds[2])
{
	for (int i = 0; i < 2; i++)
		if (pipe_fds[i] >= 0)
			close(pipe_fds[i]);
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
		close(pipes[i][1]);
		pipes[i][1] = -1;
		child.stream[i] = (struct pollfd){ .fd = pipes[i][0], .events = POLLIN };
	}
	if (!rc)
		rc = converse(out, &child, ask, exit_status, err);
	close_both(pipes[OUT]);
	close_both(pipes[WORDS]);
	return rc;
}
