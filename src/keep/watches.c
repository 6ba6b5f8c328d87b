/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/watches.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static const uint32_t masks[] = {
	[WATCHES_ALL] = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |
			IN_MOVE_SELF,
	[WATCHES_REMOVED] = IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF,
};

struct watches {
	uv_poll_t poll; /* first: libuv hands it back */
	int fd;
	uint32_t mask;
	watches_told *told;
	void *user;
	char last[PATH_MAX]; /* the directory of the file before: mostly the next one's too */
};

static bool read_some(struct watches *watches, bool *changed, bool *overflowed)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len = read(watches->fd, buffer, sizeof(buffer));

	for (char *at = buffer; len > 0 && at < buffer + len;) {
		const struct inotify_event *event = (void *)at;
		if (event->mask & IN_Q_OVERFLOW)
			*overflowed = true;
		else if (event->mask & (watches->mask | IN_UNMOUNT))
			*changed = true;
		at += sizeof(*event) + event->len;
	}
	return len > 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct watches *watches = (struct watches *)poll;
	bool changed = false, overflowed = false;

	(void)status, (void)events;
	/* bounded, so that a flood of events does not keep the loop from turning */
	for (int i = 0; i < 64 && read_some(watches, &changed, &overflowed); i++)
		;
	watches->last[0] = '\0';
	if (overflowed)
		watches->told(WATCHES_OVERFLOWED, watches->user);
	else if (changed)
		watches->told(WATCHES_CHANGED, watches->user);
}

struct watches *watches_new(uv_loop_t *loop, enum watches_what what, watches_told *told, void *user)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (!watches)
		return NULL;
	watches->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watches->fd < 0 || uv_poll_init(loop, &watches->poll, watches->fd) != 0) {
		if (watches->fd >= 0)
			close(watches->fd);
		free(watches);
		return NULL;
	}
	watches->mask = masks[what];
	watches->told = told;
	watches->user = user;
	uv_poll_start(&watches->poll, UV_READABLE, on_readable);
	return watches;
}

/* The parent of a path, in place. False: there is none. */
static bool up(char *path)
{
	char *slash;

	for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	slash = strrchr(path, '/');
	if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return false;
	if (!slash)
		memcpy(path, ".", 2);
	else
		slash[slash == path] = '\0';
	return true;
}

bool watches_add(struct watches *watches, const char *dir)
{
	char path[PATH_MAX];

	if (strcmp(dir, watches->last) == 0)
		return true;
	if (strlen(dir) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(path, dir, strlen(dir) + 1);
	while (inotify_add_watch(watches->fd, path, watches->mask | IN_ONLYDIR) < 0) {
		if ((errno != ENOENT && errno != ENOTDIR) || !up(path))
			return false;
	}
	memcpy(watches->last, dir, strlen(dir) + 1);
	return true;
}

static void free_watches(uv_handle_t *handle)
{
	free(handle);
}

void watches_free(struct watches *watches)
{
	if (!watches)
		return;
	uv_poll_stop(&watches->poll);
	close(watches->fd);
	uv_close((uv_handle_t *)&watches->poll, free_watches);
}
