/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at all files. A scan expands the configured paths, asks each file whether it has changed since it was read, and
 * reads those that have, in slices, so that the loop turns meanwhile. An event of a watched directory, whatever its name,
 * leads to one scan soon; a scan that takes long is not repeated often.
 */
#include "keep/inside.h"
#include "keep/paths.h"
#include <errno.h>
#include <string.h>

#define QUIET_MS 100 /* a certificate and its chain are written one after the other */
#define QUIET_MAX_MS 1000
#define LOAD_FACTOR 20 /* scans take one twentieth of the time at most */
#define SLICE_MS 20
#define ABSENT_MS 2000 /* a file that is removed and written anew was never gone */
#define RESCAN_MS 600000

/* ---- the table of files ---- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	for (const uint8_t *at = bytes, *end = at + len; at < end; at++)
		hash = (hash ^ *at) * UINT64_C(1099511628211);
	return hash;
}

static struct keep_file **bucket_of(const struct keep_files *files, const char *path)
{
	uint64_t hash = hash_bytes(UINT64_C(14695981039346656037), path, strlen(path));

	return &files->bucket[hash & (files->n_buckets - 1)];
}

static bool grow(struct keep_files *files)
{
	struct keep_files bigger = { .n_buckets = files->n_buckets ? 2 * files->n_buckets : 64, .n = files->n };
	struct keep_file *next;

	bigger.bucket = calloc(bigger.n_buckets, sizeof(struct keep_file *));
	if (!bigger.bucket)
		return false;
	for (size_t i = 0; i < files->n_buckets; i++)
		for (struct keep_file *file = files->bucket[i]; file; file = next) {
			struct keep_file **bucket = bucket_of(&bigger, file->path);
			next = file->next;
			file->next = *bucket;
			*bucket = file;
		}
	free(files->bucket);
	*files = bigger;
	return true;
}

static struct keep_file *find_or_add(struct keep_files *files, const char *path)
{
	size_t len = strlen(path);
	struct keep_file *file, **bucket;

	if (files->n >= files->n_buckets && !grow(files))
		return NULL;
	bucket = bucket_of(files, path);
	for (file = *bucket; file; file = file->next)
		if (strcmp(file->path, path) == 0)
			return file;
	file = calloc(1, sizeof(*file) + len + 1);
	if (!file)
		return NULL;
	memcpy(file->path, path, len + 1);
	file->next = *bucket;
	*bucket = file;
	files->n++;
	return file;
}

void places_drop(struct keeper *keeper, struct keep_file *file)
{
	for (unsigned i = 0; i < file->n_places; i++) {
		struct keep_place *place = &file->place[i];
		if (place->previous)
			place->previous->next = place->next;
		else
			place->row->places = place->next;
		if (place->next)
			place->next->previous = place->previous;
		if (!place->row->places)
			keeper->may_have_orphans = true;
	}
	free(file->place);
	file->place = NULL;
	file->n_places = 0;
}

/* ---- one scan ---- */

static void add_work(struct keeper *keeper, struct keep_file *file)
{
	if (file->in_work)
		return;
	file->in_work = true;
	file->next_work = NULL;
	if (keeper->last_work)
		keeper->last_work->next_work = file;
	else
		keeper->first_work = file;
	keeper->last_work = file;
}

static void on_dir(const char *path, void *user)
{
	struct keeper *keeper = user;

	if (!keeper->watches || watches_add(keeper->watches, path) || keeper->watch_trouble)
		return;
	keeper->watch_trouble = true;
	tell_notice(keeper, KEEP_WARNING, NULL, path,
		    errno == ENOSPC
			    ? "cannot be watched: the limit of watches is reached (sysctl fs.inotify.max_user_watches); "
			      "changes are found by looking every rescan"
			    : "cannot be watched (%s); changes are found by looking every rescan",
		    strerror(errno));
}

static void watch(struct keeper *keeper, const char *path)
{
	const struct paths_taker taker = { .dir = on_dir, .user = keeper };

	paths_on_the_way(path, &taker);
}

/* Of the content: another file by that name, or other bytes in it. Never 0. */
static uint64_t identity(const struct stat *st)
{
	const uint64_t parts[] = { st->st_dev,
				   st->st_ino,
				   (uint64_t)st->st_size,
				   (uint64_t)st->st_mtim.tv_sec,
				   (uint64_t)st->st_mtim.tv_nsec,
				   (uint64_t)st->st_ctim.tv_sec,
				   (uint64_t)st->st_ctim.tv_nsec };

	return hash_bytes(UINT64_C(14695981039346656037), parts, sizeof(parts)) | 1;
}

static void note_absence(struct keeper *keeper, struct keep_file *file, int error)
{
	if (error != ENOENT && error != ENOTDIR) {
		add_work(keeper, file); /* reading it will say why not */
		return;
	}
	if (file->absent_since_ms)
		return;
	file->absent_since_ms = keeper_mono_ms(keeper);
	if (file->n_places == 0)
		tell_notice(keeper, KEEP_WARNING, NULL, file->path, "there is no such file yet; it is waited for");
}

/* It is watched before it is looked at, so that no change falls between. */
static void on_file(const char *path, void *user)
{
	struct keeper *keeper = user;
	struct keep_file *file = find_or_add(&keeper->files, path);
	struct stat st;

	if (!file || file->round == keeper->round)
		return; /* an earlier entry of the configuration means it already */
	file->round = keeper->round;
	file->source = keeper->source;
	if (keeper->watch_all || file->seen == 0)
		watch(keeper, path);
	if (stat(path, &st) < 0) {
		file->seen = 0;
		note_absence(keeper, file, errno);
		return;
	}
	file->absent_since_ms = 0;
	if (file->seen == identity(&st) && !(file->is_bad && keeper->watch_all))
		return;
	if (file->seen != 0 && !keeper->watch_all)
		watch(keeper, path);
	file->seen = identity(&st);
	add_work(keeper, file);
}

static void drop_file(struct keeper *keeper, struct keep_file **at)
{
	struct keep_file *file = *at;

	places_drop(keeper, file);
	*at = file->next;
	keeper->files.n--;
	free(file);
}

/* Of a file that no path means any more, or that has been away for a while. True: it is gone, and *at is the next. */
static bool drop_if_absent(struct keeper *keeper, struct keep_file **at, int64_t now)
{
	struct keep_file *file = *at;
	bool is_meant = file->round == keeper->round;

	if (!is_meant && !file->absent_since_ms)
		file->absent_since_ms = now;
	if (!file->absent_since_ms)
		return false;
	if (now - file->absent_since_ms < ABSENT_MS) {
		keeper->has_absent |= file->n_places > 0;
		return false;
	}
	if (!is_meant) {
		drop_file(keeper, at);
		return true;
	}
	places_drop(keeper, file); /* it is named in full, and may come back */
	return false;
}

static void drop_absent(struct keeper *keeper)
{
	int64_t now = keeper_mono_ms(keeper);

	keeper->has_absent = false;
	for (size_t i = 0; i < keeper->files.n_buckets; i++)
		for (struct keep_file **at = &keeper->files.bucket[i]; *at;)
			if (!drop_if_absent(keeper, at, now))
				at = &(*at)->next;
}

static void drop_row(struct keeper *keeper, struct keep_row *row)
{
	tell_row(keeper, KEEP_GONE, row);
	attempts_forget(keeper, row);
	holding_drop(keeper, row);
	examine_forget(keeper, row);
	rows_remove(&keeper->rows, row);
	row_free(row);
}

/* Few go at a time, and the table must not change while it is walked: one walk finds some, the next goes on. */
static void drop_orphans(struct keeper *keeper)
{
	struct keep_row *orphan[256], *row = NULL;
	size_t n = 0;

	while (n < sizeof(orphan) / sizeof(*orphan) && (row = rows_next(&keeper->rows, row)))
		if (!row->places)
			orphan[n++] = row;
	for (size_t i = 0; i < n; i++)
		drop_row(keeper, orphan[i]);
	keeper->may_have_orphans = n == sizeof(orphan) / sizeof(*orphan);
}

static void on_scan(uv_timer_t *timer);

static void plan_next(struct keeper *keeper)
{
	int64_t now = keeper_mono_ms(keeper), next = keeper->full_due_ms;

	if (keeper->has_absent && now + ABSENT_MS < next)
		next = now + ABSENT_MS;
	keeper_timer(keeper, TIMER_SCAN, next > now ? next - now : 0, on_scan);
}

static void end_scan(struct keeper *keeper)
{
	uv_update_time(keeper->loop);
	drop_absent(keeper);
	while (keeper->may_have_orphans)
		drop_orphans(keeper);
	keeper->scanning = false;
	keeper->scanned = true;
	plan_next(keeper);
	if (keeper->scan_wanted)
		scan_soon(keeper);
	attempts_pulse(keeper);
	keeper_check_ready(keeper);
}

static void on_slice(uv_timer_t *timer)
{
	struct keeper *keeper = timer->data;
	uint64_t end = uv_hrtime() + SLICE_MS * UINT64_C(1000000);
	struct keep_file *file;

	while ((file = keeper->first_work) && uv_hrtime() < end) {
		keeper->first_work = file->next_work;
		if (!keeper->first_work)
			keeper->last_work = NULL;
		file->in_work = false;
		examine_file(keeper, file);
	}
	if (keeper->first_work)
		keeper_timer(keeper, TIMER_SLICE, 0, on_slice);
	else
		end_scan(keeper);
}

static void expand(struct keeper *keeper)
{
	const struct paths_taker taker = { .file = on_file, .dir = on_dir, .user = keeper };

	for (size_t i = 0; i < keeper->conf->n_sources; i++) {
		keeper->source = (uint32_t)i;
		if (!paths_expand(keeper->conf->source[i].path, &taker))
			tell_notice(keeper, KEEP_WARNING, NULL, keeper->conf->source[i].path, "cannot be looked into: %s",
				    strerror(errno));
	}
}

/* So that it is read again: all, or what lacks an issuer. */
static void forget_content(struct keeper *keeper, bool all)
{
	for (size_t i = 0; i < keeper->files.n_buckets; i++)
		for (struct keep_file *file = keeper->files.bucket[i]; file; file = file->next)
			if (all || file->wants_issuer)
				file->seen = 0;
}

/* A file that lacks an issuer is read again when there are more of them than there were. */
static void look_for_issuers(struct keeper *keeper)
{
	if (keeper->quests)
		keeper_read_issuers(keeper);
	if (keeper->quests && keeper->issuers.n != keeper->issuers_then)
		forget_content(keeper, false);
	keeper->issuers_then = keeper->issuers.n;
}

static void on_scan(uv_timer_t *timer)
{
	struct keeper *keeper = timer->data;
	uint32_t rescan = keeper->conf->rescan_ms ? keeper->conf->rescan_ms : RESCAN_MS;
	uint64_t began = uv_hrtime();

	if (keeper->scanning) {
		keeper->scan_wanted = true;
		return;
	}
	keeper->scanning = true;
	keeper->scan_wanted = false;
	keeper->first_news_ms = 0;
	keeper->round++;
	look_for_issuers(keeper);
	keeper->watch_all = keeper_mono_ms(keeper) >= keeper->full_due_ms;
	if (keeper->watch_all)
		keeper->full_due_ms = keeper_mono_ms(keeper) + rescan;
	expand(keeper);
	uv_update_time(keeper->loop);
	keeper->scan_rest_ms = keeper_mono_ms(keeper) + LOAD_FACTOR * (int64_t)((uv_hrtime() - began) / 1000000);
	keeper_timer(keeper, TIMER_SLICE, 0, on_slice);
}

void scan_soon(struct keeper *keeper)
{
	int64_t now = keeper_mono_ms(keeper), due = now + QUIET_MS;

	keeper->scan_wanted = true;
	if (keeper->scanning || keeper->stopped)
		return;
	if (!keeper->first_news_ms)
		keeper->first_news_ms = now;
	if (due > keeper->first_news_ms + QUIET_MAX_MS)
		due = keeper->first_news_ms + QUIET_MAX_MS;
	if (due < keeper->scan_rest_ms)
		due = keeper->scan_rest_ms;
	keeper_timer(keeper, TIMER_SCAN, due > now ? due - now : 0, on_scan);
}

/* ---- from outside ---- */

void scan_all_anew(struct keeper *keeper)
{
	keeper->full_due_ms = 0;
	forget_content(keeper, true);
	scan_soon(keeper);
}

void scan_again_where_issuers_lack(struct keeper *keeper)
{
	forget_content(keeper, false);
	scan_soon(keeper);
}

static void on_news(enum watches_news news, void *user)
{
	struct keeper *keeper = user;

	if (news == WATCHES_OVERFLOWED)
		keeper->full_due_ms = 0;
	scan_soon(keeper);
}

static void open_watches(struct keeper *keeper)
{
	keeper->watches = watches_new(keeper->loop, WATCHES_ALL, on_news, keeper);
	if (!keeper->watches)
		tell_notice(keeper, KEEP_WARNING, NULL, NULL,
			    "files cannot be watched (%s); changes are found by looking every rescan", strerror(errno));
	keeper->watch_trouble = !keeper->watches;
	keeper->full_due_ms = 0;
	if (keeper->conf->issuers)
		on_dir(keeper->conf->issuers, keeper);
}

void scan_open(struct keeper *keeper)
{
	open_watches(keeper);
	keeper_timer(keeper, TIMER_SCAN, 0, on_scan);
}

/* At once as far as paths go, so that no file is left with an entry of the old configuration. */
void scan_restart(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->files.n_buckets; i++)
		for (struct keep_file *file = keeper->files.bucket[i]; file; file = file->next) {
			file->source = NO_SOURCE;
			file->seen = 0;
		}
	open_watches(keeper);
	keeper->scanning = false;
	on_scan(&keeper->timer[TIMER_SCAN]);
}

void scan_close(struct keeper *keeper)
{
	watches_free(keeper->watches);
	keeper->watches = NULL;
}

void scan_done(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->files.n_buckets; i++)
		while (keeper->files.bucket[i])
			drop_file(keeper, &keeper->files.bucket[i]);
	free(keeper->files.bucket);
}
