/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the keeper that need no network: which files are meant, what to watch, the table of rows, the heap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/scratch.h"
#include "keep/paths.h"
#include "keep/rows.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a directory of our own, and what was told ---- */

static char home[PATH_MAX];
static char told[8192];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	char path[SCRATCH_SIZE];

	(void)state;
	if (!mkdtemp(scratch_template(path, "keep")) || !realpath(path, home) || chdir(home) < 0)
		return -1;
	told[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return chdir("/") < 0 || nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0;
}

static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void make_dir(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void link_to(const char *target, const char *path)
{
	assert_int_equal(symlink(target, path), 0);
}

static void note(const char *kind, const char *path)
{
	size_t len = strlen(told), home_len = strlen(home);

	if (strncmp(path, home, home_len) == 0)
		path += home_len;
	snprintf(told + len, sizeof(told) - len, "%s%s%s", len ? " " : "", kind, *path ? path : "/");
}

static void on_file(const char *path, void *user)
{
	(void)user;
	note("file:", path);
}

static void on_dir(const char *path, void *user)
{
	(void)user;
	note("dir:", path);
}

static const struct paths_taker taker = { on_file, on_dir, NULL };

static const char *at_home(const char *path)
{
	static char whole[2 * PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", home, path);
	return whole;
}

/* The words that were told, in whatever order. */
static void assert_told(const char *words)
{
	char wanted[1024], *rest = wanted, *word;
	size_t n = 0, n_told = 0;

	snprintf(wanted, sizeof(wanted), "%s", words);
	while ((word = strsep(&rest, " "))) {
		const char *found = strstr(told, word);
		char end = found ? found[strlen(word)] : 'x';
		if (!found || (end && end != ' '))
			fail_msg("\"%s\" was not told: %s", word, told);
		n++;
	}
	for (const char *at = told; *at; at++)
		n_told += *at == ' ';
	if (n_told + 1 != n)
		fail_msg("more was told than \"%s\": %s", words, told);
}

/* ---- which files ---- */

static void a_path_means_itself_whether_it_is_there_or_not(void **state)
{
	(void)state;
	assert_true(paths_expand(at_home("/one.pem"), &taker));
	assert_told("file:/one.pem");
}

static void a_directory_means_its_certificate_files(void **state)
{
	(void)state;
	make_dir("certs");
	make_file("certs/a.pem");
	make_file("certs/b.crt");
	make_file("certs/c.cer");
	make_file("certs/d.key");
	make_file("certs/.hidden.pem");
	make_file("certs/a.pem.bak");
	make_file("certs/.pem");
	assert_true(paths_expand(at_home("/certs"), &taker));
	assert_told("dir:/certs file:/certs/a.pem file:/certs/b.crt file:/certs/c.cer");
}

static void a_directory_that_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	if (geteuid() == 0)
		return; /* can read it */
	make_dir("certs");
	assert_int_equal(chmod("certs", 0), 0);
	assert_false(paths_expand(at_home("/certs"), &taker));
	assert_int_equal(errno, EACCES);
	assert_int_equal(chmod("certs", 0700), 0);
}

static void a_pattern_means_what_it_matches_and_watches_each_level(void **state)
{
	(void)state;
	make_dir("live");
	make_dir("live/a");
	make_dir("live/b");
	make_dir("live/empty");
	make_file("live/a/fullchain.pem");
	make_file("live/b/fullchain.pem");
	make_file("live/README");
	assert_true(paths_expand(at_home("/live/*/fullchain.pem"), &taker));
	assert_told("dir:/live file:/live/a/fullchain.pem file:/live/b/fullchain.pem");
}

static void a_pattern_of_two_levels_watches_the_directories_of_the_second(void **state)
{
	(void)state;
	make_dir("live");
	make_dir("live/a");
	make_dir("live/b");
	make_file("live/a/x.pem");
	assert_true(paths_expand(at_home("/live/*/*.pem"), &taker));
	assert_told("dir:/live dir:/live/a dir:/live/b file:/live/a/x.pem");
}

static void a_pattern_that_matches_nothing_is_watched_all_the_same(void **state)
{
	(void)state;
	assert_true(paths_expand(at_home("/later/*.pem"), &taker));
	assert_told("dir:/later");
}

static void a_file_whose_name_looks_like_a_pattern_is_that_file(void **state)
{
	(void)state;
	make_file("[a].pem");
	make_file("a.pem");
	assert_true(paths_expand(at_home("/[a].pem"), &taker));
	assert_told("file:/[a].pem");
}

/* ---- what to watch ---- */

static void a_plain_file_is_watched_by_its_directory(void **state)
{
	(void)state;
	make_dir("certs");
	make_file("certs/a.pem");
	paths_on_the_way(at_home("/certs/a.pem"), &taker);
	assert_told("dir:/certs");
}

/* certbot: live/NAME/fullchain.pem -> ../../archive/NAME/fullchain1.pem */
static void each_link_on_the_way_is_watched_by_its_directory(void **state)
{
	(void)state;
	make_dir("live");
	make_dir("live/a");
	make_dir("archive");
	make_dir("archive/a");
	make_file("archive/a/fullchain1.pem");
	link_to("../../archive/a/fullchain1.pem", "live/a/fullchain.pem");
	paths_on_the_way(at_home("/live/a/fullchain.pem"), &taker);
	assert_told("dir:/live/a dir:/live/a/../../archive/a");
}

/* A Secret: tls.crt -> ..data/tls.crt, ..data -> ..2026_1; the swap renames ..data alone. */
static void a_link_to_a_directory_is_watched_where_it_stands(void **state)
{
	(void)state;
	make_dir("..2026_1");
	make_file("..2026_1/tls.crt");
	link_to("..2026_1", "..data");
	link_to("..data/tls.crt", "tls.crt");
	paths_on_the_way(at_home("/tls.crt"), &taker);
	assert_told("dir:/ dir:/ dir:/..2026_1");
}

static void an_absolute_link_is_followed_from_the_root(void **state)
{
	(void)state;
	make_dir("elsewhere");
	make_file("elsewhere/a.pem");
	link_to(at_home("/elsewhere/a.pem"), "a.pem");
	paths_on_the_way(at_home("/a.pem"), &taker);
	assert_told("dir:/ dir:/elsewhere");
}

static void what_is_missing_is_watched_by_what_is_there(void **state)
{
	(void)state;
	make_dir("certs");
	paths_on_the_way(at_home("/certs/later/a.pem"), &taker);
	assert_told("dir:/certs");
}

static void a_dangling_link_is_watched_at_both_ends(void **state)
{
	(void)state;
	make_dir("there");
	link_to("there/a.pem", "a.pem");
	paths_on_the_way(at_home("/a.pem"), &taker);
	assert_told("dir:/ dir:/there");
}

static void links_in_a_circle_end(void **state)
{
	(void)state;
	link_to("b", "a");
	link_to("a", "b");
	paths_on_the_way(at_home("/a"), &taker);
	assert_true(strlen(told) > 0);
}

/* ---- rows ---- */

/* The nearer the slots, the more often a search has others in its way. */
static struct keep_row *row_with(uint32_t number, uint64_t hash)
{
	uint8_t fingerprint[FINGERPRINT_LEN] = { 0 };
	struct keep_row *row;

	memcpy(fingerprint, &hash, sizeof(hash));
	memcpy(fingerprint + 16, &number, sizeof(number));
	row = row_named(fingerprint, "row");
	assert_non_null(row);
	return row;
}

#define MANY 5000

static void rows_are_found_after_others_were_removed(void **state)
{
	static struct keep_row *row[MANY];
	struct keep_table rows = rows_empty();
	size_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		row[i] = row_with(i, (uint64_t)(i % 97 * 60) << 51);
		assert_true(table_add(&rows, row[i]));
	}
	for (uint32_t i = 0; i < MANY; i += 3)
		table_remove(&rows, row[i]);
	for (uint32_t i = 0; i < MANY; i++)
		assert_ptr_equal(rows_find(&rows, row[i]->fingerprint), i % 3 ? row[i] : NULL);
	for (const struct keep_row *at = NULL; (at = table_next(&rows, at));)
		n++;
	assert_int_equal(n, MANY - (MANY + 2) / 3);
	assert_int_equal(rows.n, n);
	for (uint32_t i = 0; i < MANY; i++)
		row_free(row[i]);
	table_done(&rows);
}

static void an_empty_table_has_nothing(void **state)
{
	struct keep_table rows = rows_empty();
	uint8_t fingerprint[FINGERPRINT_LEN] = { 0 };

	(void)state;
	assert_null(rows_find(&rows, fingerprint));
	assert_null(table_next(&rows, NULL));
	assert_null(table_next_between(&rows, 0, UINT64_MAX, NULL));
	rows_done(&rows);
}

/* Rows that stand behind the last slot, at the front, among them. `met` counts for each row how often it was met. */
static void meet_all_between(struct keep_table *rows, uint64_t first, uint64_t last, uint8_t met[MANY])
{
	for (struct keep_row *row = NULL; (row = table_next_between(rows, first, last, row));) {
		uint32_t number;

		memcpy(&number, row->fingerprint + 16, sizeof(number));
		assert_true(row_hash(row->fingerprint) >= first && row_hash(row->fingerprint) <= last);
		met[number]++;
	}
}

static void a_table_is_walked_in_parts_while_it_grows_and_shrinks(void **state)
{
	static struct keep_row *row[MANY];
	static uint8_t met[MANY];
	struct keep_table rows = rows_empty();
	uint64_t random = 1, part = UINT64_MAX / 16;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		row[i] = row_with(i, i % 2 ? random : ~(random >> 40)); /* half of them crowd at the end */
	}
	for (uint32_t i = 0; i < MANY / 2; i++)
		assert_true(table_add(&rows, row[i]));
	for (unsigned i = 0; i < 16; i++) {
		meet_all_between(&rows, i * part + (i > 0), i == 15 ? UINT64_MAX : (i + 1) * part, met);
		for (uint32_t j = 0; j < 100; j++) {
			assert_true(table_add(&rows, row[MANY / 2 + i * 100 + j]));
			table_remove(&rows, row[i * 100 + j]);
		}
	}
	for (uint32_t i = 0; i < MANY; i++) {
		if (i >= 1600 && i < MANY / 2)
			assert_int_equal(met[i], 1); /* there all the time */
		else
			assert_true(met[i] <= 1);
		row_free(row[i]);
	}
	table_done(&rows);
}

/* Against a plain search for the smallest, through inserting, moving and removing. */
static void the_heap_gives_the_earliest(void **state)
{
	static struct keep_row *row[1000];
	struct keep_heap heap = { 0 };
	uint32_t random = 12345;

	(void)state;
	assert_true(heap_make_room(&heap, 1000));
	for (uint32_t i = 0; i < 1000; i++)
		row[i] = row_with(i, i);
	for (int step = 0; step < 20000; step++) {
		struct keep_row *at = row[(random = random * 1664525 + 1013904223) >> 16 & 0xffff ? random % 1000 : 0];
		const struct keep_row *smallest = NULL;
		if (step % 5 == 4) {
			heap_remove(&heap, at);
		} else {
			at->due_ms = random % 512;
			heap_put(&heap, at);
		}
		if (step % 100)
			continue;
		for (int i = 0; i < 1000; i++)
			if (row[i]->heap_at && (!smallest || row[i]->due_ms < smallest->due_ms))
				smallest = row[i];
		assert_int_equal(heap_first(&heap) ? heap_first(&heap)->due_ms : -1, smallest ? smallest->due_ms : -1);
	}
	for (uint32_t i = 0; i < 1000; i++)
		row_free(row[i]);
	free(heap.at);
}

#define AT_HOME(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_HOME(a_path_means_itself_whether_it_is_there_or_not),
		AT_HOME(a_directory_means_its_certificate_files),
		AT_HOME(a_directory_that_cannot_be_read_is_an_error),
		AT_HOME(a_pattern_means_what_it_matches_and_watches_each_level),
		AT_HOME(a_pattern_of_two_levels_watches_the_directories_of_the_second),
		AT_HOME(a_pattern_that_matches_nothing_is_watched_all_the_same),
		AT_HOME(a_file_whose_name_looks_like_a_pattern_is_that_file),
		AT_HOME(a_plain_file_is_watched_by_its_directory),
		AT_HOME(each_link_on_the_way_is_watched_by_its_directory),
		AT_HOME(a_link_to_a_directory_is_watched_where_it_stands),
		AT_HOME(an_absolute_link_is_followed_from_the_root),
		AT_HOME(what_is_missing_is_watched_by_what_is_there),
		AT_HOME(a_dangling_link_is_watched_at_both_ends),
		AT_HOME(links_in_a_circle_end),
		cmocka_unit_test(rows_are_found_after_others_were_removed),
		cmocka_unit_test(an_empty_table_has_nothing),
		cmocka_unit_test(a_table_is_walked_in_parts_while_it_grows_and_shrinks),
		cmocka_unit_test(the_heap_gives_the_earliest),
	};

	return cmocka_run_group_tests_name("keep pieces", tests, NULL, NULL);
}
