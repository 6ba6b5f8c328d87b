/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/lines.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* What was there at first; tells whether it still is. */
struct extent {
	off_t left;
	uint64_t sum;
};

static void pass(struct extent *extent, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		extent->sum = (extent->sum ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
	extent->left -= (off_t)len;
}

/* How many bytes came, 0 at the end. */
static ssize_t fill(int fd, struct extent *extent, char *buffer, size_t room, const char *name, struct clinch_error *err)
{
	ssize_t n;

	if (extent->left < (off_t)room)
		room = (size_t)extent->left;
	do
		n = read(fd, buffer, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, "%s: cannot be read", name);
	pass(extent, buffer, (size_t)n);
	return n;
}

static int read_lines(struct reading *r, int fd, struct extent *extent, struct clinch_error *err)
{
	auto_free char *buffer = malloc(BUFFER_SIZE);
	size_t held = 0;
	ssize_t n, taken;

	if (!buffer)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", r->name);
	while ((n = fill(fd, extent, buffer + held, BUFFER_SIZE - held, r->name, err)) > 0) {
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

/* Reads `size` bytes once more: are they what `sum` is of? */
static bool has_sum(int fd, off_t size, uint64_t sum)
{
	auto_free char *buffer = malloc(BUFFER_SIZE);
	struct extent again = { .left = size };

	if (!buffer || lseek(fd, 0, SEEK_SET) != 0)
		return false;
	while (fill(fd, &again, buffer, BUFFER_SIZE, "", NULL) > 0)
		;
	return again.left == 0 && again.sum == sum;
}

/*
 * What was appended meanwhile is left for the next reading: whoever appends without a pause would keep it from ever being
 * read. In anything else that changed, half may be of before and half of after.
 */
static bool is_as_before(int fd, const struct stat *before, uint64_t sum)
{
	struct stat after;

	if (fstat(fd, &after) < 0)
		return false;
	return is_same(before, &after) || (after.st_size > before->st_size && has_sum(fd, before->st_size, sum));
}

int lines_read(const char *path, lines_take *take, void *user, int64_t *modified_at, struct clinch_error *err)
{
	struct reading r = { path, take, user, 0 };
	struct stat before;
	/* O_NONBLOCK: a FIFO without a writer must not hold us at open(). */
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return error_errno(err, "%s: cannot be opened", path);
	if (fstat(fd, &before) < 0)
		return error_errno(err, "%s: cannot be read", path);
	if (!S_ISREG(before.st_mode))
		return error_set(err, CLINCH_E_FILE, "%s: is not a regular file", path);
	struct extent extent = { .left = before.st_size };
	int code = read_lines(&r, fd, &extent, err);
	if (code < 0)
		return code;
	if (!is_as_before(fd, &before, extent.sum))
		return error_set(err, CLINCH_E_FILE, "%s: was changed while it was read", path);
	*modified_at = before.st_mtim.tv_sec;
	return 0;
}
