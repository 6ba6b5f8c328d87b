/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run that is due is noted by an empty file in the store, so that a keeper that is ended, or killed, before it leaves it
 * to the next one. What it is for is not noted: a command is for whatever changed. */
#include "base/cleanup.h"
#include "keep/outlet_inside.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t hash_of(const struct outlet_conf *conf)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < conf->n_argv; i++)
		for (const char *at = conf->argv[i];; at++) {
			hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
			if (!*at) /* with the NUL: "a", "b" is not "ab" */
				break;
		}
	return hash;
}

/* Another command has another name. */
static void path_of(const struct outlet *outlet, char path[PATH_MAX])
{
	uint64_t hash = hash_of(outlet->conf);

	snprintf(path, PATH_MAX, "%s/.due-%016" PRIx64, keeper_store(outlet->all->keeper), hash);
}

static void sync_store(const struct outlet *outlet)
{
	auto_fd dir = open(keeper_store(outlet->all->keeper), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		fsync(dir); /* a disk that fails is told of when a response does not come to rest on it */
}

void outlet_due_find(struct outlet *outlet)
{
	char path[PATH_MAX];

	if (outlet->conf->kind != OUTLET_RUN)
		return;
	path_of(outlet, path);
	outlet->due_noted = outlet->due_before = access(path, F_OK) == 0;
}

void outlet_due_note(struct outlet *outlet)
{
	char path[PATH_MAX];

	if (outlet->conf->kind != OUTLET_RUN || outlet->due_noted)
		return;
	path_of(outlet, path);
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return; /* a store that takes nothing: the next mark tries again, and this process remembers */
	outlet->due_noted = true;
	sync_store(outlet);
}

/* The same command for other certificates has the same note. */
static bool is_due_for_another(const struct outlet *outlet)
{
	const struct outlets *all = outlet->all;

	for (size_t i = 0; i < all->n; i++)
		if (all->outlet[i] != outlet && all->outlet[i]->due_noted && outlet_is_same(outlet, all->outlet[i]))
			return true;
	return false;
}

void outlet_due_forget(struct outlet *outlet)
{
	char path[PATH_MAX];

	outlet->due_before = false;
	if (!outlet->due_noted)
		return;
	outlet->due_noted = false;
	if (is_due_for_another(outlet))
		return;
	path_of(outlet, path);
	unlink(path); /* not synced: should it come back, the command runs once too often */
}
