/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/paths.h"
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's */

static bool is_certificates_name(const char *name)
{
	static const char *const endings[] = { ".pem", ".crt", ".cer" };
	size_t len = strlen(name);

	if (*name == '.' || len < 5)
		return false;
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		if (strcmp(name + len - 4, endings[i]) == 0)
			return true;
	return false;
}

static bool expand_directory(const char *source, const struct paths_taker *taker)
{
	char path[PATH_MAX];
	size_t len = strlen(source);
	struct dirent *entry;
	DIR *dir;

	taker->dir(source, taker->user);
	dir = opendir(source);
	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		if (!is_certificates_name(entry->d_name))
			continue;
		int written = snprintf(path, sizeof(path), "%s%s%s", source, len && source[len - 1] == '/' ? "" : "/",
				       entry->d_name);
		if (written > 0 && (size_t)written < sizeof(path))
			taker->file(path, taker->user);
	}
	closedir(dir);
	return true;
}

static bool matches(const char *pattern, void (*take)(const char *, void *), void *user)
{
	glob_t found = { 0 };
	int rc = glob(pattern, GLOB_NOSORT, NULL, &found);

	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		take(found.gl_pathv[i], user);
	globfree(&found);
	if (rc == GLOB_NOSPACE)
		errno = ENOMEM;
	return rc != GLOB_NOSPACE;
}

static bool is_pattern(const char *text, size_t len)
{
	return memchr(text, '*', len) || memchr(text, '?', len) || memchr(text, '[', len);
}

/* Of the directory before each component that is a pattern: one more may match there tomorrow. */
static bool expand_pattern(const char *pattern, const struct paths_taker *taker)
{
	char before[PATH_MAX];
	const char *component = pattern;

	for (;;) {
		size_t len = strcspn(component, "/"), offset = (size_t)(component - pattern);
		if (is_pattern(component, len)) {
			snprintf(before, sizeof(before), "%.*s", offset > 1 ? (int)offset - 1 : (int)offset, pattern);
			if (!is_pattern(before, strlen(before)))
				taker->dir(offset ? before : ".", taker->user);
			else if (!matches(before, taker->dir, taker->user))
				return false;
		}
		if (!component[len])
			break;
		component += len + 1;
	}
	return matches(pattern, taker->file, taker->user);
}

bool paths_expand(const char *source, const struct paths_taker *taker)
{
	struct stat st;
	bool there = stat(source, &st) == 0;

	if (there && S_ISDIR(st.st_mode))
		return expand_directory(source, taker);
	if (!there && is_pattern(source, strlen(source)))
		return expand_pattern(source, taker);
	taker->file(source, taker->user);
	return true;
}

/* ---- what to watch for one file ---- */

struct walk {
	char done[PATH_MAX]; /* without links; "" is the current directory, "/" the root */
	char left[PATH_MAX];
	unsigned links;
};

static bool append(char *path, const char *component)
{
	size_t len = strlen(path), more = strlen(component);
	bool slash = len > 0 && path[len - 1] != '/';

	if (len + slash + more >= PATH_MAX)
		return false;
	if (slash)
		path[len++] = '/';
	memcpy(path + len, component, more + 1);
	return true;
}

static bool take_component(struct walk *walk, char component[NAME_MAX + 1])
{
	const char *at = walk->left + strspn(walk->left, "/");
	size_t len = strcspn(at, "/");

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(component, at, len);
	component[len] = '\0';
	memmove(walk->left, at + len, strlen(at + len) + 1);
	return true;
}

/* The link's target goes before what is left to walk. */
static bool follow(struct walk *walk, const char *link)
{
	char target[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len <= 0 || ++walk->links > LINKS_MAX)
		return false;
	target[len] = '\0';
	if (target[0] == '/')
		memcpy(walk->done, "/", 2);
	if (!append(target, walk->left + strspn(walk->left, "/")))
		return false;
	memcpy(walk->left, target, strlen(target) + 1);
	return true;
}

static void tell(const struct walk *walk, const struct paths_taker *taker)
{
	taker->dir(*walk->done ? walk->done : ".", taker->user);
}

/* False: the walk has ended, at the file or at what is not there. */
static bool step(struct walk *walk, const struct paths_taker *taker)
{
	char component[NAME_MAX + 1], here[PATH_MAX];
	struct stat st;

	if (!take_component(walk, component))
		return false;
	memcpy(here, walk->done, strlen(walk->done) + 1);
	if (!append(here, component) || lstat(here, &st) < 0) {
		tell(walk, taker);
		return false;
	}
	if (S_ISLNK(st.st_mode)) {
		tell(walk, taker);
		return follow(walk, here);
	}
	if (!S_ISDIR(st.st_mode)) {
		tell(walk, taker);
		return false;
	}
	memcpy(walk->done, here, strlen(here) + 1);
	return true;
}

void paths_on_the_way(const char *path, const struct paths_taker *taker)
{
	struct walk walk = { .done = "" };

	if (strlen(path) >= sizeof(walk.left))
		return;
	if (*path == '/')
		memcpy(walk.done, "/", 2);
	memcpy(walk.left, path, strlen(path) + 1);
	while (step(&walk, taker))
		;
}
