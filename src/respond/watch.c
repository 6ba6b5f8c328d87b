/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/watch.h"
#include "base/cleanup.h"
#include "keep/paths.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#define LOOK_MS 2000
#define QUIET_MS 100
#define QUIET_MAX_MS 1000
#define LOOK_AGAIN_MS 20
#define LOAD_FACTOR 20 /* looking takes one twentieth of the time at most */
#define RETRY_MS 2000
#define RETRY_MAX_MS 60000
#define SPARE_WATCHES 64

#define MASK                                                                                                                \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |    \
	 IN_MOVE_SELF)

struct watched {
	char *path;
	struct watch_stamp loaded, seen;
};

struct item {
	unsigned number;
	struct watched *path; /* sorted by name */
	size_t n;
	bool wanted;               /* there were events since it was looked at */
	int64_t look_at_ms;        /* with no event at all */
	int64_t not_before_ms;     /* with events */
	bool changed;              /* it is not what was loaded */
	int64_t first_ms, last_ms; /* of its changes */
	int64_t taken_ms;          /* when watch_next() returned it */
	int64_t rest_until_ms;     /* a load that takes long is not begun again at once */
	int64_t retry_at_ms;       /* 0: it was good */
	int64_t retry_wait_ms;
};

struct watches { /* inotify's numbers, ascending but for walked; some may be gone */
	int *wd;
	size_t n, size;
};

struct watch {
	int fd;
	struct item *item;
	size_t n;
	struct watches watches, walked;
	bool walking, walk_failed; /* all paths, to find out which watches are needed */
	size_t needed;             /* of them, when that was done last */
	char last[PATH_MAX];       /* of a walk, the directory before: mostly the next one's too */
};

/* ---- stamps ---- */

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static int64_t age_ns(const struct timespec *since, const struct timespec *now)
{
	return (now->tv_sec - since->tv_sec) * INT64_C(1000000000) + now->tv_nsec - since->tv_nsec;
}

/* A second write within one tick of the file system's clock leaves the same times: 10 ms, or 2 s where it has whole seconds.
 */
static bool is_young(const struct stat *st, const struct timespec *now)
{
	bool whole_seconds = st->st_mtim.tv_nsec == 0 && st->st_ctim.tv_nsec == 0;
	int64_t tick_ns = whole_seconds ? INT64_C(2000000000) : INT64_C(50000000);
	int64_t modified = age_ns(&st->st_mtim, now), changed = age_ns(&st->st_ctim, now);

	return (modified > -tick_ns && modified < tick_ns) || (changed > -tick_ns && changed < tick_ns);
}

struct watch_stamp watch_stamp_of(const struct stat *st, struct timespec now)
{
	uint64_t hash = 0;

	if (!st)
		return (struct watch_stamp){ .identity = 1 };
	const uint64_t parts[] = { st->st_dev,
				   st->st_ino,
				   (uint64_t)st->st_size,
				   (uint64_t)st->st_mtim.tv_sec,
				   (uint64_t)st->st_mtim.tv_nsec,
				   (uint64_t)st->st_ctim.tv_sec,
				   (uint64_t)st->st_ctim.tv_nsec };
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		hash = hash_word(hash, parts[i]);
	return (struct watch_stamp){ hash > 1 ? hash : 2, is_young(st, &now) };
}

bool watch_stamp_differs(const struct watch_stamp *loaded, const struct watch_stamp *now)
{
	return loaded->young || loaded->identity != now->identity;
}

static struct watch_stamp stamp_at(const char *path)
{
	struct timespec now;
	struct stat st;
	bool there = stat(path, &st) == 0;

	clock_gettime(CLOCK_REALTIME, &now);
	return watch_stamp_of(there ? &st : NULL, now);
}

/* ---- inotify ---- */

static int compare_ints(const void *a, const void *b)
{
	int left = *(const int *)a, right = *(const int *)b;

	return left < right ? -1 : left > right;
}

static bool remember(struct watches *watches, int wd)
{
	if (watches->n == watches->size) {
		size_t size = watches->size ? 2 * watches->size : 64;
		int *grown = reallocarray(watches->wd, size, sizeof(*grown));
		if (!grown)
			return false;
		watches->wd = grown;
		watches->size = size;
	}
	watches->wd[watches->n++] = wd;
	return true;
}

/* What cannot be watched is not missed: there is a look every two seconds. */
static void on_dir(const char *path, void *user)
{
	struct watch *watch = user;
	int wd;

	if (strcmp(path, watch->last) == 0 || strlen(path) >= sizeof(watch->last))
		return;
	wd = inotify_add_watch(watch->fd, path, MASK | IN_ONLYDIR);
	if (wd < 0)
		return;
	memcpy(watch->last, path, strlen(path) + 1);
	/* The kernel counts up, and gives the number that it has to a directory that is watched already. */
	if (watch->walking)
		watch->walk_failed |= !remember(&watch->walked, wd);
	else if (watch->watches.n == 0 || wd > watch->watches.wd[watch->watches.n - 1])
		remember(&watch->watches, wd); /* without memory it is not let go later, that is all */
}

static void watch_path(struct watch *watch, const char *path)
{
	const struct paths_taker taker = { .dir = on_dir, .user = watch };
	struct stat st;

	if (watch->fd < 0)
		return;
	paths_on_the_way(path, &taker);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		on_dir(path, watch);
}

static void make_unique(struct watches *watches)
{
	size_t n = 0;

	if (watches->n == 0)
		return;
	qsort(watches->wd, watches->n, sizeof(*watches->wd), compare_ints);
	for (size_t i = 0; i < watches->n; i++)
		if (n == 0 || watches->wd[i] != watches->wd[n - 1])
			watches->wd[n++] = watches->wd[i];
	watches->n = n;
}

static bool has(const struct watches *watches, int wd)
{
	return watches->n && bsearch(&wd, watches->wd, watches->n, sizeof(wd), compare_ints);
}

/* Directories that no path leads through any more, such as the target of a link that was swapped. */
static void drop_others(struct watch *watch)
{
	struct watches old = watch->watches;

	make_unique(&watch->walked);
	watch->watches = watch->walked;
	for (size_t i = 0; i < old.n; i++)
		if (!has(&watch->watches, old.wd[i]))
			inotify_rm_watch(watch->fd, old.wd[i]);
	free(old.wd);
	watch->needed = watch->watches.n;
}

static void tidy_watches(struct watch *watch)
{
	if (watch->fd < 0 || watch->watches.n < 2 * watch->needed + SPARE_WATCHES)
		return;
	watch->walking = true;
	watch->walk_failed = false;
	watch->walked = (struct watches){ 0 };
	watch->last[0] = '\0';
	for (size_t i = 0; i < watch->n; i++)
		for (size_t j = 0; j < watch->item[i].n; j++)
			watch_path(watch, watch->item[i].path[j].path);
	watch->walking = false;
	if (watch->walk_failed)
		free(watch->walked.wd);
	else
		drop_others(watch);
}

/* Which name it was does not matter: it leads to a look. Bounded, so that a flood of events does not keep us here. */
static bool read_events(struct watch *watch)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool any = false;
	ssize_t len;

	for (int i = 0; watch->fd >= 0 && i < 64 && (len = read(watch->fd, buffer, sizeof(buffer))) > 0; i++)
		any = true;
	return any;
}

/* ---- items ---- */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct watched *)a)->path, ((const struct watched *)b)->path);
}

static void free_paths(struct watched *path, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(path[i].path);
	free(path);
}

static bool copy_paths(struct watched **out, const char *const *path, size_t n)
{
	struct watched *copy = calloc(n ? n : 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i].path = strdup(path[i]);
		if (!copy[i].path) {
			free_paths(copy, n);
			return false;
		}
	}
	if (copy && n)
		qsort(copy, n, sizeof(*copy), compare_paths);
	*out = copy;
	return copy;
}

static struct item *find_item(struct watch *watch, unsigned number)
{
	for (size_t i = 0; i < watch->n; i++)
		if (watch->item[i].number == number)
			return &watch->item[i];
	return NULL;
}

static struct item *add_item(struct watch *watch, unsigned number)
{
	struct item *grown = reallocarray(watch->item, watch->n + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	watch->item = grown;
	grown[watch->n] = (struct item){ .number = number };
	return &grown[watch->n++];
}

static void remove_item(struct watch *watch, struct item *item)
{
	size_t left = (size_t)(watch->item + watch->n - (item + 1));

	free_paths(item->path, item->n);
	memmove(item, item + 1, left * sizeof(*item));
	watch->n--;
}

/* It is watched before it is looked at, so that no change falls between. A path that stays what it was is watched already.
 */
static void note_loaded(struct watch *watch, struct item *item, const struct watched *old, size_t n_old)
{
	watch->last[0] = '\0';
	for (size_t i = 0; i < item->n; i++) {
		struct watched *path = &item->path[i];
		const struct watched *before = n_old ? bsearch(path, old, n_old, sizeof(*old), compare_paths) : NULL;
		path->seen = stamp_at(path->path);
		if (!before || before->loaded.identity != path->seen.identity) {
			watch_path(watch, path->path);
			path->seen = stamp_at(path->path);
		}
		path->loaded = path->seen;
	}
	item->changed = false;
}

bool watch_set(struct watch *watch, unsigned number, const char *const *path, size_t n, int64_t now_ms)
{
	struct item *item = find_item(watch, number);
	struct watched *copy, *old;
	size_t n_old;

	if (n == 0) {
		if (item)
			remove_item(watch, item);
		return true;
	}
	if (!copy_paths(&copy, path, n))
		return false;
	if (!item)
		item = add_item(watch, number);
	if (!item) {
		free_paths(copy, n);
		return false;
	}
	old = item->path;
	n_old = item->n;
	item->path = copy;
	item->n = n;
	item->look_at_ms = now_ms + LOOK_MS;
	item->taken_ms = now_ms;
	note_loaded(watch, item, old, n_old);
	free_paths(old, n_old);
	tidy_watches(watch);
	return true;
}

/* ---- looking ---- */

static int64_t longest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void look(struct item *item, int64_t now_ms)
{
	bool differs = false, moved = false;
	int64_t began_ms = monotonic_ms(), took_ms;

	for (size_t i = 0; i < item->n; i++) {
		struct watch_stamp seen = stamp_at(item->path[i].path);
		moved |= seen.identity != item->path[i].seen.identity;
		item->path[i].seen = seen;
		differs |= watch_stamp_differs(&item->path[i].loaded, &seen);
	}
	if (differs && !item->changed)
		item->first_ms = now_ms;
	if (differs && (moved || !item->changed))
		item->last_ms = now_ms;
	item->changed = differs;
	item->wanted = false;
	took_ms = monotonic_ms() - began_ms;
	item->look_at_ms = now_ms + longest(LOOK_MS, took_ms * LOAD_FACTOR);
	item->not_before_ms = now_ms + longest(LOOK_AGAIN_MS, took_ms * LOAD_FACTOR);
}

static int64_t next_look_ms(const struct item *item)
{
	return item->wanted && item->not_before_ms < item->look_at_ms ? item->not_before_ms : item->look_at_ms;
}

/* INT64_MAX: there is nothing to load. */
static int64_t due_ms(const struct item *item)
{
	int64_t due = item->retry_at_ms ? item->retry_at_ms : INT64_MAX;

	if (item->changed) {
		int64_t quiet = item->last_ms + QUIET_MS, latest = item->first_ms + QUIET_MAX_MS;
		int64_t changed = longest(quiet < latest ? quiet : latest, item->rest_until_ms);
		due = changed < due ? changed : due;
	}
	return due;
}

static void take(struct watch *watch, struct item *item, int64_t now_ms)
{
	note_loaded(watch, item, item->path, item->n);
	item->retry_at_ms = 0;
	item->taken_ms = now_ms;
	tidy_watches(watch);
}

void watch_note(struct watch *watch)
{
	bool any = read_events(watch);

	for (size_t i = 0; i < watch->n; i++)
		watch->item[i].wanted |= any;
}

bool watch_next(struct watch *watch, int64_t now_ms, unsigned *number)
{
	watch_note(watch);
	for (size_t i = 0; i < watch->n; i++)
		if (now_ms >= next_look_ms(&watch->item[i]))
			look(&watch->item[i], now_ms);
	for (size_t i = 0; i < watch->n; i++) {
		struct item *item = &watch->item[i];
		if (now_ms < due_ms(item))
			continue;
		take(watch, item, now_ms);
		*number = item->number;
		return true;
	}
	return false;
}

int watch_wait_ms(const struct watch *watch, int64_t now_ms)
{
	int64_t at = now_ms + LOOK_MS;

	for (size_t i = 0; i < watch->n; i++) {
		int64_t look_at = next_look_ms(&watch->item[i]), due = due_ms(&watch->item[i]);
		at = look_at < at ? look_at : at;
		at = due < at ? due : at;
	}
	return at > now_ms ? (int)(at - now_ms) : 0;
}

void watch_done(struct watch *watch, unsigned number, bool good, int64_t now_ms)
{
	struct item *item = find_item(watch, number);
	int64_t wait_ms;

	if (!item)
		return;
	item->rest_until_ms = now_ms + (now_ms - item->taken_ms);
	if (good) {
		item->retry_at_ms = item->retry_wait_ms = 0;
		return;
	}
	wait_ms = item->retry_wait_ms ? 2 * item->retry_wait_ms : RETRY_MS;
	item->retry_wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
	item->retry_at_ms = now_ms + item->retry_wait_ms;
}

void watch_again(struct watch *watch, unsigned number, int64_t now_ms)
{
	struct item *item = find_item(watch, number);

	if (item)
		item->retry_at_ms = now_ms > 0 ? now_ms : 1;
}

/* ---- life ---- */

struct watch *watch_new(void)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch)
		watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return watch;
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->n; i++)
		free_paths(watch->item[i].path, watch->item[i].n);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch->watches.wd);
	free(watch->item);
	free(watch);
}
