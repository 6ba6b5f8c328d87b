/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For LD_PRELOAD: a writer that is killed in the middle of replacing a file. $HALT_FILE.STEP, once it is there, is removed
 * at the next STEP of a temporary file, which is the last thing the process does (SIGKILL):
 *
 *	write	half of the bytes are written
 *	sync	all are, and not synced
 *	rename	synced, and not renamed
 *	renamed	renamed, and the directory not synced
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int temporary = -1; /* its descriptor. The writer is one thread */

static bool is_temporary(const char *name)
{
	return strncmp(name, ".clinch-", 8) == 0;
}

static bool is_due(const char *step)
{
	const char *file = getenv("HALT_FILE");
	char path[4096];

	snprintf(path, sizeof(path), "%s.%s", file ? file : "", step);
	return file && unlink(path) == 0;
}

static int note(int fd, const char *name)
{
	if (fd >= 0 && is_temporary(name))
		temporary = fd;
	else if (fd >= 0 && fd == temporary)
		temporary = -1;
	return fd;
}

static int pass_open(const char *symbol, int dir, const char *name, int flags, mode_t mode)
{
	int (*real)(int, const char *, int, ...);

	*(void **)&real = dlsym(RTLD_NEXT, symbol);
	return note(real(dir, name, flags, mode), name);
}

/* Under both names of the symbol, whatever this file's own openat() is called by. */
#define OPENAT(function, symbol)                                                                                            \
	int function(int dir, const char *name, int flags, ...) __asm__(symbol) __attribute__((visibility("default")));     \
	int function(int dir, const char *name, int flags, ...)                                                             \
	{                                                                                                                   \
		va_list rest;                                                                                               \
		va_start(rest, flags);                                                                                      \
		mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                   \
		va_end(rest);                                                                                               \
		return pass_open(symbol, dir, name, flags, mode);                                                           \
	}
OPENAT(halt_openat, "openat")
OPENAT(halt_openat64, "openat64")

__attribute__((visibility("default"))) ssize_t write(int fd, const void *bytes, size_t len)
{
	ssize_t (*real)(int, const void *, size_t);

	*(void **)&real = dlsym(RTLD_NEXT, "write");
	if (fd != temporary || !is_due("write"))
		return real(fd, bytes, len);
	real(fd, bytes, len / 2);
	return raise(SIGKILL);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	int (*real)(int);

	*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	if (fd == temporary && is_due("sync"))
		raise(SIGKILL);
	return real(fd);
}

/* Many at a time. */
__attribute__((visibility("default"))) int syncfs(int fd)
{
	int (*real)(int);

	*(void **)&real = dlsym(RTLD_NEXT, "syncfs");
	if (is_due("sync"))
		raise(SIGKILL);
	return real(fd);
}

__attribute__((visibility("default"))) int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int (*real)(int, const char *, int, const char *);

	*(void **)&real = dlsym(RTLD_NEXT, "renameat");
	if (is_temporary(from) && is_due("rename"))
		raise(SIGKILL);
	int rc = real(from_dir, from, to_dir, to);
	if (is_temporary(from) && is_due("renamed"))
		raise(SIGKILL);
	return rc;
}
