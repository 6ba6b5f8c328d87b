/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/ask_keeper.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "conf/conf.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define DEADLINE_MS 30000
#define ANSWER_MAX (1024 * 1024 * 1024)

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int path_of_conf(char out[ASK_PATH_SIZE], const char *path, struct clinch_error *err)
{
	struct conf conf;
	int rc = conf_read(&conf, path, err);

	if (rc < 0)
		return rc;
	if (conf.socket)
		snprintf(out, ASK_PATH_SIZE, "%s", conf.socket);
	else
		rc = error_set(err, CLINCH_E_MISSING, "%s: keep.socket is none: the keeper cannot be asked", path);
	conf_done(&conf);
	return rc;
}

int ask_socket_path(char out[ASK_PATH_SIZE], const char *socket, const char *conf, struct clinch_error *err)
{
	if (socket || (!conf && access(CONF_PATH, F_OK) < 0)) {
		snprintf(out, ASK_PATH_SIZE, "%s", socket ? socket : CONF_SOCKET);
		return 0;
	}
	return path_of_conf(out, conf ? conf : CONF_PATH, err);
}

static int connect_to(int *out, const char *path, struct clinch_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, CLINCH_E_ARGUMENT, "%s: too long for a Unix socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, "%s: no socket", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return error_set(err, CLINCH_E_NETWORK, "%s: no keeper listens there: is clinch keep running?",
					 path);
		return error_errno(err, "%s: the keeper cannot be reached", path);
	}
	*out = fd;
	fd = -1;
	return 0;
}

/* CLINCH_OK: it may be read or written now. */
static int wait_for(int fd, short events, int64_t end_ms, const char *path, struct clinch_error *err)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int64_t left = end_ms - mono_ms();
	int n = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return error_errno(err, "%s", path);
	return n ? 0
		 : error_set(err, CLINCH_E_TIMEOUT, "%s: the keeper did not answer within %d s", path, DEADLINE_MS / 1000);
}

static int send_all(int fd, const char *line, int64_t end_ms, const char *path, struct clinch_error *err)
{
	for (size_t at = 0, len = strlen(line); at < len;) {
		int rc = wait_for(fd, POLLOUT, end_ms, path, err);
		ssize_t n = rc ? 0 : send(fd, line + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (rc)
			return rc;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return error_errno(err, "%s: the keeper hung up", path);
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int receive_line(int fd, struct buf *out, int64_t end_ms, const char *path, struct clinch_error *err)
{
	char chunk[65536];

	while (!out->len || out->data[out->len - 1] != '\n') {
		int rc = wait_for(fd, POLLIN, end_ms, path, err);
		ssize_t n = rc ? 0 : recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (rc)
			return rc;
		if (n == 0)
			return error_set(err, CLINCH_E_NETWORK, "%s: the keeper hung up", path);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return error_errno(err, "%s: the keeper hung up", path);
		if (n > 0 && !buf_add(out, chunk, (size_t)n))
			return error_set(err, CLINCH_E_MEMORY, "%s: no memory for the answer", path);
	}
	return 0;
}

int ask_keeper(json_t **out, const char *path, json_t *question, struct clinch_error *err)
{
	int64_t end_ms = mono_ms() + DEADLINE_MS;
	auto_buf answer = { .max = ANSWER_MAX };
	auto_free char *line = json_dumps(question, JSON_COMPACT);
	auto_fd fd = -1;
	int rc = connect_to(&fd, path, err);

	if (rc < 0)
		return rc;
	if (!line)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the question");
	rc = send_all(fd, line, end_ms, path, err);
	if (rc == 0)
		rc = send_all(fd, "\n", end_ms, path, err);
	if (rc == 0)
		rc = receive_line(fd, &answer, end_ms, path, err);
	if (rc < 0)
		return rc;
	*out = json_loadb((char *)answer.data, answer.len, 0, NULL);
	return json_is_object(*out)
		       ? 0
		       : error_set(err, CLINCH_E_NETWORK, "%s: this is no keeper: it does not answer in JSON", path);
}

const char *ask_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}
