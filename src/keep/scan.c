/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at all files. A scan expands the configured paths, asks each file whether it has changed since it was read, and
 * reads those that have, in slices, so that the loop turns meanwhile. An event of a watched directory, whatever its name,
 * leads to one scan soon; a scan that takes long is not repeated often.
 */
#include "base/cleanup.h"
#include "keep/inside.h"
#include "keep/paths.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUIET_MS 100 /* a certificate and its chain are written one after the other */
#define QUIET_MAX_MS 1000
#define LOAD_FACTOR 20 /* scans take one twentieth of the time at most */
#define SLICE_MS 20
#define ABSENT_S 2 /* a file that is removed and written anew was never gone */
#define RESCAN_MS 600000

/* ---- the table of files ---- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	for (const uint8_t *at = bytes, *end = at + len; at < end; at++)
		hash = (hash ^ *at) * UINT64_C(1099511628211);
	return hash;
}

const char *file_path(const struct keep_file *file)
{
	return (const char *)&file->place[file->n_places];
}

struct keep_file *place_file(const struct keep_place *place)
{
	return (struct keep_file *)((uintptr_t)(place - place->index) - offsetof(struct keep_file, place));
}

/* The last bytes too are to count in the high bits. */
static uint64_t hash_path(const char *path)
{
	return hash_bytes(UINT64_C(14695981039346656037), path, strlen(path)) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t hash_file(const void *entry)
{
	return hash_path(file_path(entry));
}

static bool is_at(const void *entry, const void *path)
{
	return strcmp(file_path(entry), path) == 0;
}

static struct keep_file *file_new(const char *path, uint16_t n_places)
{
	size_t len = strlen(path) + 1;
	struct keep_file *file = calloc(1, sizeof(*file) + n_places * sizeof(file->place[0]) + len);

	if (!file)
		return NULL;
	file->n_places = n_places;
	for (uint16_t i = 0; i < n_places; i++)
		file->place[i].index = i;
	memcpy(&file->place[n_places], path, len);
	return file;
}

static struct keep_file *find_or_add(struct keep_table *files, const char *path)
{
	struct keep_file *file = table_find(files, hash_path(path), is_at, path);

	if (file)
		return file;
	file = file_new(path, 0);
	if (file && table_add(files, file))
		return file;
	free(file);
	return NULL;
}

static void drop_places(struct keeper *keeper, struct keep_file *file)
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
}

struct keep_file *file_again(const struct keep_file *file, uint16_t n_places)
{
	struct keep_file *again = file_new(file_path(file), n_places);

	if (!again)
		return NULL;
	*again = *file;
	again->n_places = n_places;
	return again;
}

void file_become(struct keeper *keeper, struct keep_file *old, struct keep_file *file)
{
	table_replace(&keeper->files, old, file);
	drop_places(keeper, old);
	free(old);
}

/* ---- one scan ---- */

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

/* Never 0. */
static uint32_t mono_s(const struct keeper *keeper)
{
	return (uint32_t)(keeper_mono_ms(keeper) / 1000) + 1;
}

static void note_absence(struct keeper *keeper, struct keep_file *file, int error)
{
	if (error != ENOENT && error != ENOTDIR) {
		file->in_work = true; /* reading it will say why not */
		return;
	}
	if (file->absent_since_s)
		return;
	file->absent_since_s = mono_s(keeper);
	if (file->n_places == 0)
		tell_notice(keeper, KEEP_WARNING, NULL, file_path(file), "there is no such file yet; it is waited for");
}

/* It is watched before it is looked at, so that no change falls between. */
static void on_file(const char *path, void *user)
{
	struct keeper *keeper = user;
	struct keep_file *file = find_or_add(&keeper->files, path);
	struct stat st;

	keeper->entry_matches = true;
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
	file->absent_since_s = 0;
	if (file->seen == identity(&st) && !(file->is_bad && keeper->watch_all))
		return;
	if (file->seen != 0 && !keeper->watch_all)
		watch(keeper, path);
	file->seen = identity(&st);
	file->in_work = true;
}

static void drop_file(struct keeper *keeper, struct keep_file *file)
{
	drop_places(keeper, file);
	table_remove(&keeper->files, file);
	free(file);
}

/* It is named in full, and may come back. Where there is no memory, the next scan does it. */
static void empty_file(struct keeper *keeper, struct keep_file *file)
{
	struct keep_file *again = file->n_places ? file_again(file, 0) : NULL;

	if (again)
		file_become(keeper, file, again);
}

/* Of a file that no path means any more, or that has been away for a while. True: another one, or none, has its slot. */
static bool drop_if_absent(struct keeper *keeper, struct keep_file *file, uint32_t now)
{
	bool is_meant = file->round == keeper->round;

	if (!is_meant && !file->absent_since_s)
		file->absent_since_s = now;
	if (!file->absent_since_s)
		return false;
	if (now - file->absent_since_s <= ABSENT_S) {
		keeper->has_absent |= file->n_places > 0;
		return false;
	}
	if (!is_meant) {
		drop_file(keeper, file);
		return true;
	}
	empty_file(keeper, file);
	return false;
}

static void drop_absent(struct keeper *keeper)
{
	keeper->has_absent = false;
	for (size_t i = 0; i < keeper->files.n_slots;)
		if (!keeper->files.slot[i] || !drop_if_absent(keeper, keeper->files.slot[i], mono_s(keeper)))
			i++;
}

static void drop_row(struct keeper *keeper, struct keep_row *row)
{
	tell_row(keeper, KEEP_GONE, row);
	attempts_forget(keeper, row);
	holding_drop(keeper, row);
	examine_forget(keeper, row);
	table_remove(&keeper->rows, row);
	row_free(row);
}

static void drop_orphans(struct keeper *keeper)
{
	keeper->may_have_orphans = false;
	for (size_t i = 0; i < keeper->rows.n_slots;) {
		struct keep_row *row = keeper->rows.slot[i];
		if (row && !row->places)
			drop_row(keeper, row); /* another one, or none, has its slot now */
		else
			i++;
	}
}

static void on_scan(uv_timer_t *timer);

static void plan_next(struct keeper *keeper)
{
	int64_t now = keeper_mono_ms(keeper), next = keeper->full_due_ms;

	if (keeper->has_absent && now + (ABSENT_S + 1) * 1000 < next)
		next = now + (ABSENT_S + 1) * 1000;
	keeper_timer(keeper, TIMER_SCAN, next > now ? next - now : 0, on_scan);
}

static void end_scan(struct keeper *keeper)
{
	uv_update_time(keeper->loop);
	drop_absent(keeper);
	if (keeper->may_have_orphans)
		drop_orphans(keeper);
	keeper->scanning = false;
	keeper->scanned = true;
	keeper_trim(keeper);
	plan_next(keeper);
	if (keeper->scan_wanted)
		scan_soon(keeper);
	attempts_pulse(keeper);
	keeper_check_ready(keeper);
	sweep_tick(keeper);
}

static void on_slice(uv_timer_t *timer)
{
	struct keeper *keeper = timer->data;
	uint64_t end = uv_hrtime() + SLICE_MS * UINT64_C(1000000);

	for (; keeper->work_at < keeper->files.n_slots; keeper->work_at++) {
		struct keep_file *file = keeper->files.slot[keeper->work_at];
		if (!file || !file->in_work)
			continue;
		if (uv_hrtime() >= end) {
			keeper_timer(keeper, TIMER_SLICE, 0, on_slice);
			return;
		}
		file->in_work = false;
		examine_file(keeper, file);
		keeper->work_since_trim++;
	}
	end_scan(keeper);
}

/* Said once, and when it is over. */
static void note_source(struct keeper *keeper, size_t i, enum keep_entry_state state, int error)
{
	const char *path = keeper->conf->source[i].path;

	if (state != ENTRY_FINE && !keeper->entry_state)
		keeper->entry_state = calloc(keeper->conf->n_sources, sizeof(*keeper->entry_state));
	if (!keeper->entry_state || keeper->entry_state[i] == state)
		return;
	enum keep_entry_state before = keeper->entry_state[i];
	keeper->entry_state[i] = state;
	if (state == ENTRY_UNREAD)
		tell_notice(keeper, KEEP_WARNING, NULL, path, "cannot be looked into: %s", strerror(error));
	else if (state == ENTRY_EMPTY)
		tell_notice(keeper, KEEP_WARNING, NULL, path, "no file matches yet; it is looked at again");
	else
		tell_notice(keeper, KEEP_INFO, NULL, path,
			    before == ENTRY_UNREAD ? "can be looked into again" : "a file matches now");
}

static void expand(struct keeper *keeper)
{
	const struct paths_taker taker = { .file = on_file, .dir = on_dir, .user = keeper };

	for (size_t i = 0; i < keeper->conf->n_sources; i++) {
		keeper->source = (uint32_t)i;
		keeper->entry_matches = false;
		bool is_read = paths_expand(keeper->conf->source[i].path, &taker);
		int error = errno;
		note_source(keeper, i, !is_read ? ENTRY_UNREAD : keeper->entry_matches ? ENTRY_FINE : ENTRY_EMPTY, error);
	}
}

/* So that it is read again: all, or what lacks an issuer. */
static void forget_content(struct keeper *keeper, bool all)
{
	for (struct keep_file *file = NULL; (file = table_next(&keeper->files, file));)
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
	keeper->work_at = 0;
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
	keeper->files.hash = hash_file;
	open_watches(keeper);
	keeper_timer(keeper, TIMER_SCAN, 0, on_scan);
}

/* At once as far as paths go, so that no file is left with an entry of the old configuration. */
void scan_restart(struct keeper *keeper)
{
	for (struct keep_file *file = NULL; (file = table_next(&keeper->files, file));) {
		file->source = NO_SOURCE;
		file->seen = 0;
	}
	free(TAKE(keeper->entry_state));
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
	for (size_t i = 0; i < keeper->files.n_slots; i++)
		free(keeper->files.slot[i]);
	table_done(&keeper->files);
	free(keeper->entry_state);
}
