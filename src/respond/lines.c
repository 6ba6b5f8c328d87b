/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/lines.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BUFFER_SIZE (4 * LINE_MAX_LEN)

struct reading {
	const char *name;
	lines_take *take;
	void *user;
	uint32_t number; /* of lines taken */
};

static int too_long(const struct reading *r, struct clinch_error *err)
{
	return error_set(err, CLINCH_E_FORMAT, "%s: line %u is longer than %d bytes", r->name, r->number + 1, LINE_MAX_LEN);
}

static int take_line(struct reading *r, const char *text, size_t len, struct clinch_error *err)
{
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (len > LINE_MAX_LEN)
		return too_long(r, err);
	if (r->number == UINT32_MAX - 1)
		return error_set(err, CLINCH_E_TOO_LARGE, "%s: holds more than %u lines", r->name, r->number);
	r->number++;
	return r->take(&(struct line){ text, len, r->number }, r->user, err);
}

/* All lines that end in [text, text + len): how many bytes they are, or an error. */
static ssize_t take_lines(struct reading *r, const char *text, size_t len, struct clinch_error *err)
{
	const char *at = text, *end = text + len, *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		int code = take_line(r, at, (size_t)(newline - at), err);
		if (code < 0)
			return code;
		at = newline + 1;
	}
	return at - text;
}

static int check_end(const struct reading *r, size_t left, struct clinch_error *err)
{
	if (left == 0)
		return 0;
	if (left > LINE_MAX_LEN)
		return too_long(r, err);
	return error_set(err, CLINCH_E_FORMAT,
			 "%s: line %u, the last one, has no end: the file is being written, or was cut off", r->name,
			 r->number + 1);
}

int lines_parse(const void *bytes, size_t len, const char *name, lines_take *take, void *user, struct clinch_error *err)
{
	struct reading r = { name, take, user, 0 };
	ssize_t taken = len ? take_lines(&r, bytes, len, err) : 0;

	return taken < 0 ? (int)taken : check_end(&r, len - (size_t)taken, err);
}

/* How many bytes came, 0 at the end. */
static ssize_t fill(int fd, char *buffer, size_t room, const char *name, struct clinch_error *err)
{
	ssize_t n;

	do
		n = read(fd, buffer, room);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(err, "%s: cannot be read", name) : n;
}

static int read_lines(struct reading *r, int fd, struct clinch_error *err)
{
	auto_free char *buffer = malloc(BUFFER_SIZE);
	size_t held = 0;
	ssize_t n, taken;

	if (!buffer)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", r->name);
	while ((n = fill(fd, buffer + held, BUFFER_SIZE - held, r->name, err)) > 0) {
		held += (size_t)n;
		taken = take_lines(r, buffer, held, err);
		if (taken < 0)
			return (int)taken;
		held -= (size_t)taken;
		memmove(buffer, buffer + taken, held);
		if (held > LINE_MAX_LEN + 1)
			return too_long(r, err);
	}
	return n < 0 ? (int)n : check_end(r, held, err);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int lines_read(const char *path, lines_take *take, void *user, int64_t *modified_at, struct clinch_error *err)
{
	struct reading r = { path, take, user, 0 };
	struct stat before, after;
	/* O_NONBLOCK: a FIFO without a writer must not hold us at open(). */
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return error_errno(err, "%s: cannot be opened", path);
	if (fstat(fd, &before) < 0)
		return error_errno(err, "%s: cannot be read", path);
	if (!S_ISREG(before.st_mode))
		return error_set(err, CLINCH_E_FILE, "%s: is not a regular file", path);
	int code = read_lines(&r, fd, err);
	if (code < 0)
		return code;
	/* Half of it may be of before and half of after. */
	if (fstat(fd, &after) < 0 || !is_same(&before, &after))
		return error_set(err, CLINCH_E_FILE, "%s: was changed while it was read", path);
	*modified_at = before.st_mtim.tv_sec;
	return 0;
}
