/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole files: read with a limit, replaced atomically. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include <clinch/error.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Read all of `path` ("-": standard input) into `out`, at most out->max bytes: more is CLINCH_E_TOO_LARGE. Regular files,
 * pipes and sockets; a directory or a device is refused. The message names the path.
 */
int file_read(struct buf *out, const char *path, struct clinch_error *err);

/*
 * Put `len` bytes at `path` so that a reader sees the old file or the new one, never half of one, also after a crash: a
 * private temporary file in the same directory, written, synced, renamed, the directory synced. `mode` is its mode.
 */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct clinch_error *err);

/*
 * The same for `name` in an open directory. Without `sync_dir` the caller syncs the directory itself, once for many files:
 * until then a crash may bring back the old file, never half of one. `path` is for messages.
 */
int file_replace_at(int dir, const char *name, const void *bytes, size_t len, mode_t mode, bool sync_dir, const char *path,
		    struct clinch_error *err);

/*
 * The first half of that: a private temporary file in an open directory, written, and synced when `sync`. Its name, for
 * renameat() or unlinkat(), is `temp`; nothing is left of it on failure.
 */
#define FILE_TEMPORARY_SIZE 48
int file_write_temporary_at(int dir, char temp[FILE_TEMPORARY_SIZE], const void *bytes, size_t len, mode_t mode, bool sync,
			    const char *path, struct clinch_error *err);

/* A regular file of an open directory, no symbolic link, at most out->max bytes. CLINCH_E_MISSING when there is none. */
int file_read_at(int dir, const char *name, struct buf *out, const char *path, struct clinch_error *err);

#endif
