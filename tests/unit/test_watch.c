/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was watched and has changed: the decision, the clock's part in it (which is the test's), and real files. */
#include "../support/scratch.h"
#include "respond/watch.h"
#include "unit.h"
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ITEM 7

static char dir[SCRATCH_SIZE];
static struct watch *watch;
static int64_t start_ms = 1000000; /* of the monotonic clock, which is ours: when the item was set last */

/* ---- files ---- */

static const char *path_of(const char *name)
{
	static char path[8][SCRATCH_SIZE + 64];
	static unsigned next;
	char *out = path[next++ % 8];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static void write_to(const char *name, int flags, const char *text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | flags, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(path_of(name), 0755), 0);
}

static void make_link(const char *target, const char *name)
{
	assert_int_equal(symlink(target, path_of(name)), 0);
}

static void move(const char *from, const char *to)
{
	assert_int_equal(rename(path_of(from), path_of(to)), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st, (void)kind, (void)place;
	return remove(path);
}

/* ---- the watch ---- */

static struct watch_stamp stamp(const char *path)
{
	struct timespec now;
	struct stat st;
	bool there = stat(path, &st) == 0;

	clock_gettime(CLOCK_REALTIME, &now);
	return watch_stamp_of(there ? &st : NULL, now);
}

/* Until what was written is old enough to be told from what is written next. */
static void settle(const char *path)
{
	for (int i = 0; i < 5000 && stamp(path).young; i++)
		usleep(1000);
	assert_false(stamp(path).young);
}

static void watch_these(const char *const *path, size_t n)
{
	for (size_t i = 0; i < n; i++)
		settle(path[i]);
	start_ms += 1000000;
	assert_true(watch_set(watch, ITEM, path, n, start_ms));
}

static void watch_this(const char *name)
{
	const char *path = path_of(name);

	watch_these(&path, 1);
}

static bool due(int64_t after_ms)
{
	unsigned item = 0;
	bool found = watch_next(watch, start_ms + after_ms, &item);

	assert_true(!found || item == ITEM);
	return found;
}

static bool there_are_events(void)
{
	struct pollfd fd = { .fd = watch_fd(watch), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* It was seen by an event, is due when it has been quiet for a while, and then no more. */
static void must_be_seen(const char *row, const char *name)
{
	check(row, there_are_events());
	check(row, !due(100));
	check(row, !due(199));
	settle(path_of(name));
	check(row, due(200));
	check(row, !due(2300));
	check(row, !there_are_events());
}

static int begin(void **state)
{
	(void)state;
	watch = watch_new();
	return watch && mkdtemp(scratch_template(dir, "watch")) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	watch_free(watch);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the decision ---- */

static void a_stamp_is_young_for_a_tick_of_the_file_systems_clock(void **state)
{
	static const struct {
		const char *name;
		struct timespec modified, changed;
		bool young;
	} rows[] = {
		{ "old", { 900, 1 }, { 900, 1 }, false },
		{ "just modified", { 999, 970000000 }, { 900, 1 }, true },
		{ "just changed", { 900, 1 }, { 999, 970000000 }, true },
		{ "60 ms ago", { 999, 940000000 }, { 999, 940000000 }, false },
		{ "a little ahead", { 1000, 30000000 }, { 900, 1 }, true },
		{ "far ahead", { 2000, 1 }, { 2000, 1 }, false },
		{ "whole seconds, 1 s ago", { 999, 0 }, { 999, 0 }, true },
		{ "whole seconds, 3 s ago", { 997, 0 }, { 997, 0 }, false },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct stat st = { .st_mtim = rows[i].modified, .st_ctim = rows[i].changed };
		check_int(rows[i].name, watch_stamp_of(&st, (struct timespec){ 1000, 0 }).young, rows[i].young);
	}
}

static void anything_that_stat_tells_makes_another_stamp(void **state)
{
	const struct timespec now = { 5000, 0 };
	const struct stat one = { .st_dev = 1, .st_ino = 2, .st_size = 3, .st_mtim = { 4, 5 }, .st_ctim = { 6, 7 } };
	const struct watch_stamp loaded = watch_stamp_of(&one, now), none = watch_stamp_of(NULL, now);
	(void)state;
	for (int i = 0; i < 7; i++) {
		struct stat st = one;
		st.st_dev += i == 0;
		st.st_ino += i == 1;
		st.st_size += i == 2;
		st.st_mtim.tv_sec += i == 3;
		st.st_mtim.tv_nsec += i == 4;
		st.st_ctim.tv_sec += i == 5;
		st.st_ctim.tv_nsec += i == 6;
		struct watch_stamp other = watch_stamp_of(&st, now);
		assert_true(watch_stamp_differs(&loaded, &other));
	}
	struct watch_stamp same = watch_stamp_of(&one, now), young = loaded;
	assert_false(watch_stamp_differs(&loaded, &same));
	assert_true(watch_stamp_differs(&loaded, &none));
	assert_true(watch_stamp_differs(&none, &loaded));
	assert_false(watch_stamp_differs(&none, &none));
	young.young = true;
	assert_true(watch_stamp_differs(&young, &same));
	assert_false(watch_stamp_differs(&same, &young));
}

/* ---- files that change ---- */

static void a_file_that_is_left_alone_is_never_due(void **state)
{
	(void)state;
	write_to("file", 0, "one\n");
	watch_this("file");
	for (int64_t at = 0; at < 20000; at += 500)
		assert_false(due(at));
}

static void a_rename_a_rewrite_and_an_append_are_seen(void **state)
{
	(void)state;
	write_to("file", 0, "one\n");
	watch_this("file");
	write_to("new", 0, "two\n");
	settle(path_of("new"));
	move("new", "file");
	must_be_seen("rename", "file");
	watch_this("file");
	write_to("file", O_TRUNC, "six\n");
	must_be_seen("rewrite of the same length", "file");
	watch_this("file");
	write_to("file", O_APPEND, "more\n");
	must_be_seen("append", "file");
	watch_this("file");
	assert_int_equal(unlink(path_of("file")), 0);
	must_be_seen("removed", "file");
	watch_this("file");
	write_to("file", O_EXCL, "back\n");
	must_be_seen("made anew", "file");
}

static void a_link_that_is_swapped_is_seen(void **state)
{
	(void)state;
	write_to("one", 0, "1\n");
	write_to("two", 0, "2\n");
	make_link("one", "file");
	watch_this("file");
	make_link("two", "file.new");
	move("file.new", "file");
	must_be_seen("swap", "file");
	watch_this("file");
	write_to("two", O_TRUNC, "3\n");
	must_be_seen("rewrite behind the new link", "file");
}

/* As a Secret is mounted: file -> ..data/file, ..data -> a directory with a date. */
static void a_directorys_link_that_is_swapped_is_seen(void **state)
{
	(void)state;
	make_dir("mount");
	make_dir("mount/..one");
	make_dir("mount/..two");
	write_to("mount/..one/file", 0, "1\n");
	write_to("mount/..two/file", 0, "2\n");
	make_link("..one", "mount/..data");
	make_link("..data/file", "mount/file");
	watch_this("mount/file");
	make_link("..two", "mount/..data.new");
	move("mount/..data.new", "mount/..data");
	must_be_seen("swap", "mount/file");
	watch_this("mount/file");
	write_to("mount/..two/file", O_APPEND, "3\n");
	must_be_seen("append behind the new link", "mount/file");
}

static void a_name_that_comes_into_a_directory_is_seen(void **state)
{
	(void)state;
	make_dir("store");
	watch_this("store");
	write_to("store/one", 0, "1\n");
	must_be_seen("new name", "store");
}

/* Above the file's directory nothing is watched: that is what looking is for. */
static void what_raises_no_event_is_found_by_looking(void **state)
{
	(void)state;
	make_dir("a");
	make_dir("a/b");
	make_dir("new");
	make_dir("new/b");
	write_to("a/b/file", 0, "1\n");
	write_to("new/b/file", 0, "2\n");
	settle(path_of("new/b/file"));
	watch_this("a/b/file");
	move("a", "old");
	move("new", "a");
	assert_false(there_are_events());
	assert_false(due(1999));
	assert_int_equal(watch_wait_ms(watch, start_ms + 1999), 1);
	assert_false(due(2000));
	assert_true(due(2100));
	watch_this("a/b/file");
	write_to("a/b/file", O_APPEND, "3\n");
	must_be_seen("watched where it is now", "a/b/file");
}

static void a_file_that_comes_with_its_directories_is_seen(void **state)
{
	(void)state;
	watch_this("x/y/file");
	make_dir("x");
	make_dir("x/y");
	write_to("x/y/file", 0, "1\n");
	must_be_seen("made", "x/y/file");
}

static void one_of_several_paths_is_enough(void **state)
{
	const char *paths[] = { path_of("one"), path_of("two"), path_of("three") };
	(void)state;
	write_to("one", 0, "1\n");
	write_to("two", 0, "2\n");
	watch_these(paths, 3);
	write_to("two", O_APPEND, "3\n");
	must_be_seen("two", "two");
	watch_these(paths, 3);
	write_to("three", 0, "4\n");
	must_be_seen("three", "three");
	assert_true(watch_set(watch, ITEM, NULL, 0, start_ms));
	write_to("one", O_APPEND, "5\n");
	assert_false(due(500) || due(2500) || due(5000));
}

/* ---- when ---- */

static void changes_are_gathered_but_not_for_ever(void **state)
{
	int64_t at = 0;
	(void)state;
	write_to("file", 0, "x");
	watch_this("file");
	for (; at < 990; at += 30) {
		write_to("file", O_APPEND, "x");
		assert_false(due(at));
	}
	assert_int_equal(watch_wait_ms(watch, start_ms + 990), 10);
	write_to("file", O_APPEND, "x");
	assert_true(due(1000));
	/* it was loaded while it was written to: once more, when that has ended */
	settle(path_of("file"));
	assert_false(due(3000));
	assert_true(due(3100));
	assert_false(due(5200));
}

static void one_that_was_refused_is_tried_again(void **state)
{
	static const int waits[] = { 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	int64_t at = 0;
	(void)state;
	write_to("file", 0, "1\n");
	watch_this("file");
	watch_done(watch, ITEM, false, start_ms);
	for (size_t i = 0; i < ROWS(waits); i++) {
		assert_false(due(at + waits[i] - 1));
		assert_true(due(at + waits[i]));
		at += waits[i];
		watch_done(watch, ITEM, false, start_ms + at);
	}
	write_to("file", O_APPEND, "2\n");
	settle(path_of("file"));
	assert_false(due(at + 1000));
	assert_true(due(at + 1100));
	watch_done(watch, ITEM, true, start_ms + at + 1100);
	assert_false(due(at + 3200) || due(at + 100000));
}

static void what_takes_long_to_load_is_not_loaded_all_the_time(void **state)
{
	(void)state;
	write_to("file", 0, "1\n");
	watch_this("file");
	watch_done(watch, ITEM, true, start_ms + 3000);
	write_to("file", O_APPEND, "2\n");
	settle(path_of("file"));
	assert_false(due(3100));
	assert_false(due(5999));
	assert_true(due(6000));
}

static size_t watches_of_the_kernel(void)
{
	char path[64], line[512];
	size_t n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", watch_fd(watch));
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n += strncmp(line, "inotify wd:", 11) == 0;
	fclose(file);
	return n;
}

static void directories_that_are_behind_are_let_go(void **state)
{
	char name[32], target[32];
	int64_t at = 0;
	(void)state;
	make_dir("d0");
	write_to("d0/file", 0, "1\n");
	make_link("d0", "now");
	watch_this("now/file");
	for (int i = 1; i <= 200; i++) {
		snprintf(target, sizeof(target), "d%d", i);
		snprintf(name, sizeof(name), "d%d/file", i);
		make_dir(target);
		write_to(name, 0, "1\n");
		make_link(target, "next");
		move("next", "now");
		at += 2000;
		(void)due(at);
		check(name, due(at + 1000));
		assert_true(watches_of_the_kernel() < 80);
	}
	watch_this("now/file");
	write_to("now/file", O_APPEND, "2\n");
	must_be_seen("the last one", "now/file");
}

#define F(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stamp_is_young_for_a_tick_of_the_file_systems_clock),
		cmocka_unit_test(anything_that_stat_tells_makes_another_stamp),
		F(a_file_that_is_left_alone_is_never_due),
		F(a_rename_a_rewrite_and_an_append_are_seen),
		F(a_link_that_is_swapped_is_seen),
		F(a_directorys_link_that_is_swapped_is_seen),
		F(a_name_that_comes_into_a_directory_is_seen),
		F(what_raises_no_event_is_found_by_looking),
		F(a_file_that_comes_with_its_directories_is_seen),
		F(one_of_several_paths_is_enough),
		F(changes_are_gathered_but_not_for_ever),
		F(one_that_was_refused_is_tried_again),
		F(what_takes_long_to_load_is_not_loaded_all_the_time),
		F(directories_that_are_behind_are_let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
