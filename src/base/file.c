/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* `size`: what fstat() said, where that is the end; 0: read() says where it is. */
static int read_all(struct buf *out, int fd, size_t size, const char *name, struct clinch_error *err)
{
	uint8_t chunk[16384];
	size_t most = 0, all = 0;
	ssize_t n;

	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if ((size_t)n > out->max - out->len)
			return error_set(err, CLINCH_E_TOO_LARGE, "%s: larger than %zu bytes", name, out->max);
		if (!buf_add(out, chunk, (size_t)n))
			return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", name);
		most = (size_t)n > most ? (size_t)n : most;
		all += (size_t)n;
	} while (size == 0 || all < size);
	int failed = n < 0 ? errno : 0;
	gnutls_memset(chunk, 0, most); /* it may have been a key */
	errno = failed;
	return failed ? error_errno(err, "%s: cannot be read", name) : 0;
}

int file_read(struct buf *out, const char *path, struct clinch_error *err)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		return read_all(out, STDIN_FILENO, 0, "standard input", err);
	/* O_NONBLOCK: a FIFO without a writer must not hold us at open(). */
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, "%s: cannot be opened", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, "%s: cannot be read", path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, CLINCH_E_FILE, "%s: is a directory, not a file", path);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return error_set(err, CLINCH_E_FILE, "%s: is a device, not a file", path);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > out->max)
		return error_set(err, CLINCH_E_TOO_LARGE, "%s: %lld bytes, more than the limit of %zu", path,
				 (long long)st.st_size, out->max);
	if (S_ISFIFO(st.st_mode) && fcntl(fd, F_SETFL, O_RDONLY) < 0)
		return error_errno(err, "%s: cannot be read", path);
	return read_all(out, fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, path, err);
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static void split(const char *path, char dir[PATH_MAX], const char **base)
{
	const char *slash = strrchr(path, '/');

	*base = slash ? slash + 1 : path;
	if (!slash)
		snprintf(dir, PATH_MAX, ".");
	else
		snprintf(dir, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static int fill(int fd, const void *bytes, size_t len, mode_t mode, bool sync)
{
	if (write_all(fd, bytes, len) < 0 || fchmod(fd, mode) < 0)
		return -1;
	return sync ? fsync(fd) : 0;
}

int file_write_temporary_at(int dir, char temp[FILE_TEMPORARY_SIZE], const void *bytes, size_t len, mode_t mode, bool sync,
			    const char *path, struct clinch_error *err)
{
	uint32_t random;

	if (gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof(random)) < 0)
		return error_set(err, CLINCH_E_GNUTLS, "%s: no random name for the temporary file", path);
	/* A name of its own, whatever the length of the file's: ".clinch-" is what a scan may sweep. */
	snprintf(temp, FILE_TEMPORARY_SIZE, ".clinch-%08x-%ld.tmp", random, (long)getpid());
	auto_fd fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "%s: no file can be made in its directory", path);
	if (fill(fd, bytes, len, mode, sync) == 0)
		return 0;
	int code = error_errno(err, "%s: cannot be written", path);
	unlinkat(dir, temp, 0);
	return code;
}

int file_replace_at(int dir, const char *name, const void *bytes, size_t len, mode_t mode, bool sync_dir, const char *path,
		    struct clinch_error *err)
{
	char temp[FILE_TEMPORARY_SIZE];
	int code = file_write_temporary_at(dir, temp, bytes, len, mode, true, path, err);

	if (code < 0)
		return code;
	if (renameat(dir, temp, dir, name) < 0) {
		code = error_errno(err, "%s: cannot be written", path);
		unlinkat(dir, temp, 0);
		return code;
	}
	if (sync_dir && fsync(dir) < 0)
		return error_errno(err, "%s: its directory cannot be synced", path);
	return 0;
}

int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct clinch_error *err)
{
	char dir_path[PATH_MAX];
	const char *base;

	if (strlen(path) >= PATH_MAX)
		return error_set(err, CLINCH_E_ARGUMENT, "%.100s...: the path is too long", path);
	split(path, dir_path, &base);
	if (!*base)
		return error_set(err, CLINCH_E_ARGUMENT, "%s: names a directory, not a file", path);
	auto_fd dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, "%s: its directory cannot be opened", path);
	return file_replace_at(dir, base, bytes, len, mode, true, path, err);
}

int file_read_at(int dir, const char *name, struct buf *out, const char *path, struct clinch_error *err)
{
	struct stat st;
	auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, CLINCH_E_MISSING, "%s: is not there", path);
	if (fd < 0)
		return error_errno(err, "%s: cannot be opened", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, "%s: cannot be read", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, CLINCH_E_FILE, "%s: is not a regular file", path);
	return read_all(out, fd, (size_t)st.st_size, path, err);
}
