/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files and directories watched for change: a rename, a rewrite in place, an append, a symbolic link swapped anywhere on the
 * way. inotify says when to look; a look (stat) is taken every two seconds whatever it says, so that a change is found where
 * there are no events too (a network file system, no watch left, a directory above that was moved). One thread's.
 *
 *	watch_set(watch, ITEM, paths, n, now_ms);      then load them; what changes from here on makes the item due
 *	poll(watch_fd(watch), watch_wait_ms(watch, now_ms))
 *	while (watch_next(watch, now_ms, &item))       its files are others than when they were loaded
 *		watch_done(watch, item, load(item), now_ms);
 */
#ifndef RESPOND_WATCH_H
#define RESPOND_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct watch;

/* NULL: no memory. Without inotify (watch_fd() is -1) looking is all there is. */
struct watch *watch_new(void);
void watch_free(struct watch *watch); /* NULL-safe */

/* Readable: call watch_next(). -1: inotify cannot be had. The same one for the life of `watch`. */
int watch_fd(const struct watch *watch);

/*
 * `item` (a number of the caller's: one CA's files, a signer's pair, the relay's) is these files and directories from now
 * on, whether they are there or not; of a directory, the names in it. What is there at this call counts as loaded: call it
 * before loading. n 0 forgets the item. `now_ms` is monotonic, here and below. False: no memory; the item is as before.
 */
bool watch_set(struct watch *watch, unsigned item, const char *const *path, size_t n, int64_t now_ms);

/* Milliseconds until watch_next() is to be called, descriptor readable or not; 0: now. */
int watch_wait_ms(const struct watch *watch, int64_t now_ms);

/*
 * An item that is to be loaded now; call until false. Changes are gathered: an item is due after 100 ms without one, and
 * 1 s after the first at the latest.
 */
bool watch_next(struct watch *watch, int64_t now_ms, unsigned *item);

/* Takes note of what happened, and empties the descriptor: for when nothing can be loaded just now. */
void watch_note(struct watch *watch);

/* What came of loading it. One that was refused (half written, perhaps) is due again at its next change, and after 2 s, 4 s
 * ... 60 s without one. */
void watch_done(struct watch *watch, unsigned item, bool good, int64_t now_ms);

/* It is due, though nothing has changed. */
void watch_again(struct watch *watch, unsigned item, int64_t now_ms);

/* ---- the decision, for tests ---- */

struct watch_stamp {       /* of one path; zeroed: not seen yet */
	uint64_t identity; /* which file it is, and which state of it; 1: there is none */
	bool young;        /* too new to tell: it may change again and look the same */
};

/* `st` NULL: there is none. `now` is the wall clock when it was taken. */
struct watch_stamp watch_stamp_of(const struct stat *st, struct timespec now);
/* Is what stands there now perhaps not what was loaded? */
bool watch_stamp_differs(const struct watch_stamp *loaded, const struct watch_stamp *now);

#endif
