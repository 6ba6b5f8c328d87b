/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: inotify on directories. Which name it was that changed does not matter: it leads to a look at all. */
#ifndef KEEP_WATCHES_H
#define KEEP_WATCHES_H

#include <stdbool.h>
#include <uv.h>

enum watches_news { WATCHES_CHANGED, WATCHES_OVERFLOWED };
enum watches_what { WATCHES_ALL, WATCHES_REMOVED }; /* whatever is created, written, moved, removed, given other rights */

struct watches;
typedef void watches_told(enum watches_news news, void *user);

/* NULL: inotify cannot be had (errno); looking every `rescan` is then all there is. */
struct watches *watches_new(uv_loop_t *loop, enum watches_what what, watches_told *told, void *user);
/* What is not there is watched for by its nearest directory that is. False: errno, ENOSPC when the system's limit of watches
 * is reached. */
bool watches_add(struct watches *watches, const char *dir);
/* Closes by way of the loop. NULL-safe. */
void watches_free(struct watches *watches);

#endif
