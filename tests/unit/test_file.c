/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../support/scratch.h"
#include "base/file.h"
#include "unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[SCRATCH_SIZE];

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *at = path[next++ % 4];
	snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
	return at;
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(scratch_template(dir, "file")) ? 0 : -1;
}

static int remove_all(void **state)
{
	(void)state;
	DIR *listing = opendir(dir);
	if (!listing)
		return -1;
	for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(listing), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	closedir(listing);
	return 0;
}

static int remove_dir(void **state)
{
	remove_all(state);
	return rmdir(dir);
}

static unsigned names_in_dir(void)
{
	unsigned n = 0;
	DIR *listing = opendir(dir);
	assert_non_null(listing);
	while (readdir(listing))
		n++;
	closedir(listing);
	return n - 2;
}

static void put(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void reads_a_file_whole_up_to_its_limit_and_no_further(void **state)
{
	(void)state;
	static char bytes[100000];
	memset(bytes, 'b', sizeof(bytes));
	struct clinch_error err;
	put(in_dir("f"), bytes, sizeof(bytes));
	auto_buf exact = { .max = sizeof(bytes) };
	assert_int_equal(file_read(&exact, in_dir("f"), &err), 0);
	assert_int_equal(exact.len, sizeof(bytes));
	assert_memory_equal(exact.data, bytes, sizeof(bytes));
	auto_buf short_by_one = { .max = sizeof(bytes) - 1 };
	assert_int_equal(file_read(&short_by_one, in_dir("f"), &err), CLINCH_E_TOO_LARGE);
	assert_int_equal(err.code, CLINCH_E_TOO_LARGE);
	assert_non_null(strstr(err.text, in_dir("f")));
	assert_non_null(strstr(err.text, "99999"));
}

static void an_empty_file_is_no_failure(void **state)
{
	(void)state;
	put(in_dir("f"), "", 0);
	auto_buf buf = { .max = 10 };
	assert_int_equal(file_read(&buf, in_dir("f"), NULL), 0);
	assert_int_equal(buf.len, 0);
}

/* A file of the kernel's says 0 bytes and has more: the limit holds while reading. */
static void the_limit_holds_where_the_size_is_not_known(void **state)
{
	(void)state;
	struct clinch_error err;
	auto_buf buf = { .max = 10 };
	assert_int_equal(file_read(&buf, "/proc/self/status", &err), CLINCH_E_TOO_LARGE);
	assert_true(buf.len <= 10);
}

static void what_is_no_file_is_refused_by_name(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int sys_errno;
	} rows[] = { { "/no/such/file", ENOENT }, { "/tmp", 0 }, { "/dev/zero", 0 }, { "/dev/null", 0 }, { "", ENOENT } };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct clinch_error err = { 0 };
		auto_buf buf = { .max = 1000 };
		check_int(rows[i].path, file_read(&buf, rows[i].path, &err), CLINCH_E_FILE);
		check_int(rows[i].path, err.code, CLINCH_E_FILE);
		check_int(rows[i].path, err.sys_errno, rows[i].sys_errno);
		check(rows[i].path, strstr(err.text, rows[i].path));
	}
}

/* Permissions stop nobody who is root: somebody else (nobody) for the length of a call. */
static void become_ordinary(void)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(65534), 0);
}

static void become_oneself(void)
{
	assert_int_equal(seteuid(getuid()), 0);
}

static void an_unreadable_file_says_so(void **state)
{
	(void)state;
	put(in_dir("f"), "x", 1);
	assert_int_equal(chmod(in_dir("f"), 0), 0);
	struct clinch_error err;
	auto_buf buf = { .max = 10 };
	become_ordinary();
	int rc = file_read(&buf, in_dir("f"), &err);
	become_oneself();
	assert_int_equal(rc, CLINCH_E_FILE);
	assert_int_equal(err.sys_errno, EACCES);
}

/* A child writes to a FIFO in two parts: both are read, and the limit holds. */
static void reads_a_pipe_to_its_end(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(20);
		int fd = open(in_dir("fifo"), O_WRONLY);
		_exit(fd >= 0 && write(fd, "abc", 3) == 3 && write(fd, "def", 3) == 3 ? 0 : 1);
	}
	/* Held open for writing too, until the child has said what it has to say: no end of file before that. */
	int keep = open(in_dir("fifo"), O_RDWR | O_NONBLOCK);
	assert_true(keep >= 0);
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	int reader = open(in_dir("fifo"), O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", reader);
	close(keep);
	auto_buf buf = { .max = 6 };
	assert_int_equal(file_read(&buf, path, NULL), 0);
	assert_int_equal(buf.len, 6);
	assert_memory_equal(buf.data, "abcdef", 6);
	close(reader);
}

static void a_dash_is_standard_input(void **state)
{
	(void)state;
	int ends[2], saved = dup(STDIN_FILENO);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "abcdef", 6), 6);
	close(ends[1]);
	assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
	close(ends[0]);
	struct clinch_error err;
	auto_buf buf = { .max = 5 };
	int rc = file_read(&buf, "-", &err);
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	close(saved);
	assert_int_equal(rc, CLINCH_E_TOO_LARGE);
	assert_non_null(strstr(err.text, "standard input"));
}

static void assert_holds(const char *path, const char *text)
{
	auto_buf buf = { .max = 1000 };
	assert_int_equal(file_read(&buf, path, NULL), 0);
	assert_int_equal(buf.len, strlen(text));
	assert_memory_equal(buf.data, text, buf.len);
}

static void makes_and_replaces_with_the_mode_asked_for(void **state)
{
	(void)state;
	struct stat st;
	mode_t mask = umask(077);
	assert_int_equal(file_replace(in_dir("f"), "one", 3, 0644, NULL), 0);
	umask(mask);
	assert_holds(in_dir("f"), "one");
	assert_int_equal(stat(in_dir("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_replace(in_dir("f"), "two!", 4, 0600, NULL), 0);
	assert_holds(in_dir("f"), "two!");
	assert_int_equal(stat(in_dir("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_replace(in_dir("f"), NULL, 0, 0600, NULL), 0);
	assert_holds(in_dir("f"), "");
	assert_int_equal(names_in_dir(), 1);
}

static void a_bare_name_is_in_the_working_directory(void **state)
{
	(void)state;
	char before[4096];
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(dir), 0);
	int rc = file_replace("bare", "x", 1, 0600, NULL);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(rc, 0);
	assert_holds(in_dir("bare"), "x");
}

static void a_link_is_replaced_not_followed(void **state)
{
	(void)state;
	put(in_dir("target"), "precious", 8);
	assert_int_equal(symlink("target", in_dir("link")), 0);
	assert_int_equal(file_replace(in_dir("link"), "new", 3, 0644, NULL), 0);
	assert_holds(in_dir("target"), "precious");
	assert_holds(in_dir("link"), "new");
}

static void what_cannot_be_written_leaves_the_old_file_and_no_litter(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	static const struct {
		const char *row, *name;
		int code;
	} rows[] = {
		{ "a directory", "sub", CLINCH_E_FILE },
		{ "a directory with a slash", "sub/", CLINCH_E_ARGUMENT },
		{ "no such directory", "none/f", CLINCH_E_FILE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct clinch_error err = { 0 };
		check_int(rows[i].row, file_replace(in_dir(rows[i].name), "x", 1, 0644, &err), rows[i].code);
		check_int(rows[i].row, err.code, rows[i].code);
		check(rows[i].row, strstr(err.text, in_dir(rows[i].name)));
		check_int(rows[i].row, names_in_dir(), 1);
	}
}

static void a_read_only_directory_is_refused_by_name(void **state)
{
	(void)state;
	put(in_dir("f"), "old", 3);
	assert_int_equal(chmod(dir, 0555), 0);
	struct clinch_error err;
	become_ordinary();
	int rc = file_replace(in_dir("f"), "new", 3, 0644, &err);
	become_oneself();
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(rc, CLINCH_E_FILE);
	assert_int_equal(err.sys_errno, EACCES);
	assert_non_null(strstr(err.text, in_dir("f")));
	assert_holds(in_dir("f"), "old");
}

/* A full disk, as far as an ordinary user can have one: the file size limit (setrlimit(2): EFBIG once SIGXFSZ is ignored).
 */
static void a_write_that_stops_half_way_leaves_the_old_file(void **state)
{
	(void)state;
	static char bytes[20000];
	put(in_dir("f"), "old", 3);
	struct rlimit before, small = { 0 };
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ 4096, before.rlim_max };
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct clinch_error err;
	int rc = file_replace(in_dir("f"), bytes, sizeof(bytes), 0644, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	assert_int_equal(rc, CLINCH_E_FILE);
	assert_int_equal(err.sys_errno, EFBIG);
	assert_holds(in_dir("f"), "old");
	assert_int_equal(names_in_dir(), 1);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	(void)state;
	static char path[10000];
	memset(path, 'a', sizeof(path) - 1);
	assert_int_equal(file_replace(path, "x", 1, 0644, NULL), CLINCH_E_ARGUMENT);
	path[300] = '\0';
	assert_int_equal(file_replace(path, "x", 1, 0644, NULL), CLINCH_E_FILE);
	/* The longest name a directory takes: the temporary one is no longer. */
	static char longest[400];
	snprintf(longest, sizeof(longest), "%s/", dir);
	size_t at = strlen(longest);
	memset(longest + at, 'b', 255);
	longest[at + 255] = '\0';
	assert_int_equal(file_replace(longest, "x", 1, 0644, NULL), 0);
}

#define SIZE 60000

static atomic_bool stop;
static atomic_uint reads, torn;

static void *read_in_a_loop(void *path)
{
	while (!atomic_load(&stop)) {
		auto_buf buf = { .max = SIZE };
		bool whole = file_read(&buf, path, NULL) == 0 && buf.len == SIZE;
		for (size_t i = 1; whole && i < buf.len; i++)
			whole = buf.data[i] == buf.data[0];
		atomic_fetch_add(&torn, !whole);
		atomic_fetch_add(&reads, 1);
	}
	return NULL;
}

static void a_reader_sees_the_old_file_or_the_new_one(void **state)
{
	(void)state;
	static char bytes[SIZE];
	static char path[256];
	snprintf(path, sizeof(path), "%s", in_dir("f"));
	memset(bytes, 'a', SIZE);
	assert_int_equal(file_replace(path, bytes, SIZE, 0644, NULL), 0);
	pthread_t reader;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&reader, NULL, read_in_a_loop, path), 0);
	for (unsigned i = 0; i < 100 || atomic_load(&reads) < 50; i++) {
		memset(bytes, 'a' + (int)(i % 26), SIZE);
		assert_int_equal(file_replace(path, bytes, SIZE, 0644, NULL), 0);
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(atomic_load(&torn), 0);
	assert_int_equal(names_in_dir(), 1);
}

#define IN_DIR(function) cmocka_unit_test_setup_teardown(function, NULL, remove_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(reads_a_file_whole_up_to_its_limit_and_no_further),
		IN_DIR(an_empty_file_is_no_failure),
		IN_DIR(the_limit_holds_where_the_size_is_not_known),
		IN_DIR(what_is_no_file_is_refused_by_name),
		IN_DIR(an_unreadable_file_says_so),
		IN_DIR(reads_a_pipe_to_its_end),
		IN_DIR(a_dash_is_standard_input),
		IN_DIR(makes_and_replaces_with_the_mode_asked_for),
		IN_DIR(a_bare_name_is_in_the_working_directory),
		IN_DIR(a_link_is_replaced_not_followed),
		IN_DIR(what_cannot_be_written_leaves_the_old_file_and_no_litter),
		IN_DIR(a_read_only_directory_is_refused_by_name),
		IN_DIR(a_write_that_stops_half_way_leaves_the_old_file),
		IN_DIR(a_path_that_is_too_long_is_refused),
		IN_DIR(a_reader_sees_the_old_file_or_the_new_one),
	};
	return cmocka_run_group_tests_name("file", tests, make_dir, remove_dir);
}
