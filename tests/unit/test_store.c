/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store rule, as a table; and the directory: what enters, what stays, what is passed over. */
#include "../support/scratch.h"
#include "store/store.h"
#include "unit.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the rule ---- */

static struct clinch_verdict of(enum clinch_status status, bool fresh, int64_t this_update, int64_t next_update)
{
	return (struct clinch_verdict){
		.status = status, .fresh = fresh, .this_update = this_update, .next_update = next_update
	};
}

static const struct rule_row {
	const char *name;
	struct {
		enum clinch_status status;
		int64_t this_update, next_update;
	} offered;
	struct {
		enum clinch_status status;
		bool fresh;
		int64_t this_update, next_update;
	} held;
	enum store_answer answer;
} rule_rows[] = {
	{ "later thisUpdate", { CLINCH_GOOD, 20, 90 }, { CLINCH_GOOD, true, 10, 90 }, STORE_TOOK },
	{ "later thisUpdate, earlier nextUpdate", { CLINCH_GOOD, 20, 50 }, { CLINCH_GOOD, true, 10, 90 }, STORE_TOOK },
	{ "equal thisUpdate, later nextUpdate", { CLINCH_GOOD, 10, 91 }, { CLINCH_GOOD, true, 10, 90 }, STORE_TOOK },
	{ "equal thisUpdate, earlier nextUpdate", { CLINCH_GOOD, 10, 89 }, { CLINCH_GOOD, true, 10, 90 }, STORE_OLDER },
	{ "the same dates", { CLINCH_GOOD, 10, 90 }, { CLINCH_GOOD, true, 10, 90 }, STORE_SAME },
	{ "a replay", { CLINCH_GOOD, 5, 99 }, { CLINCH_GOOD, true, 10, 90 }, STORE_OLDER },
	{ "a held good that is no longer fresh", { CLINCH_GOOD, 5, 99 }, { CLINCH_GOOD, false, 10, 20 }, STORE_TOOK },
	{ "a held good of a wrong clock", { CLINCH_GOOD, 5, 99 }, { CLINCH_INVALID, false, 1000, 2000 }, STORE_TOOK },
	{ "a held one that does not verify", { CLINCH_GOOD, 5, 99 }, { CLINCH_INVALID, false, 0, 0 }, STORE_TOOK },
	{ "a held unknown", { CLINCH_GOOD, 5, 99 }, { CLINCH_UNKNOWN, true, 10, 90 }, STORE_TOOK },
	{ "revoked, later", { CLINCH_REVOKED, 20, 90 }, { CLINCH_GOOD, true, 10, 90 }, STORE_TOOK },
	{ "revoked, of the same instant", { CLINCH_REVOKED, 10, 50 }, { CLINCH_GOOD, true, 10, 90 }, STORE_TOOK },
	{ "revoked, but older", { CLINCH_REVOKED, 9, 99 }, { CLINCH_GOOD, true, 10, 90 }, STORE_OLDER },
	{ "good over a held revoked, newer", { CLINCH_GOOD, 20, 90 }, { CLINCH_REVOKED, true, 10, 90 }, STORE_TOOK },
	{ "good over a held revoked, older", { CLINCH_GOOD, 9, 90 }, { CLINCH_REVOKED, true, 10, 90 }, STORE_OLDER },
	{ "good over a stale revoked, older", { CLINCH_GOOD, 9, 90 }, { CLINCH_REVOKED, false, 10, 20 }, STORE_OLDER },
	{ "good over revoked, of the same dates", { CLINCH_GOOD, 10, 90 }, { CLINCH_REVOKED, true, 10, 90 }, STORE_OLDER },
	{ "revoked again", { CLINCH_REVOKED, 10, 90 }, { CLINCH_REVOKED, false, 10, 90 }, STORE_SAME },
	{ "revoked, newer", { CLINCH_REVOKED, 11, 90 }, { CLINCH_REVOKED, true, 10, 90 }, STORE_TOOK },
};

static void the_rule_decides_row_by_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rule_rows); i++) {
		const struct rule_row *row = &rule_rows[i];
		struct clinch_verdict offered =
			of(row->offered.status, true, row->offered.this_update, row->offered.next_update);
		struct clinch_verdict held =
			of(row->held.status, row->held.fresh, row->held.this_update, row->held.next_update);
		check_int(row->name, store_rule(&offered, &held), row->answer);
	}
}

static void anything_is_better_than_nothing(void **state)
{
	(void)state;
	struct clinch_verdict good = of(CLINCH_GOOD, true, 10, 90), revoked = of(CLINCH_REVOKED, true, 10, 90);
	assert_int_equal(store_rule(&good, NULL), STORE_TOOK);
	assert_int_equal(store_rule(&revoked, NULL), STORE_TOOK);
}

/* ---- the directory ---- */

static char base[SCRATCH_SIZE];
static char dir[SCRATCH_SIZE + 16];
static clinch_subject_t *subject;

static int make_world(void **state)
{
	(void)state;
	gnutls_x509_crt_t issuer = import_cert(world_ca()), leaf = import_cert(world_leaf());
	int rc = clinch_subject_new(&subject, leaf, issuer, NULL);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(leaf);
	if (rc < 0 || !mkdtemp(scratch_template(base, "store")))
		return -1;
	snprintf(dir, sizeof(dir), "%s/store", base);
	return 0;
}

static int empty_store(void **state)
{
	(void)state;
	DIR *listing = opendir(dir);
	if (listing) {
		for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
			unlinkat(dirfd(listing), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
		closedir(listing);
	}
	return rmdir(dir) == 0 || !listing ? 0 : -1;
}

static int drop_world(void **state)
{
	empty_store(state);
	clinch_subject_unref(subject);
	maker_done();
	return rmdir(base);
}

static const char *held_path(void)
{
	static char path[256];
	int n = snprintf(path, sizeof(path), "%s/", dir);
	for (int i = 0; i < 32; i++)
		n += snprintf(path + n, sizeof(path) - (size_t)n, "%02x", clinch_subject_fingerprint(subject)[i]);
	snprintf(path + n, sizeof(path) - (size_t)n, ".der");
	return path;
}

static clinch_response_t *believed(const char *this_update, const char *next_update)
{
	struct entry_spec entry = good_entry();
	struct clinch_verdict verdict;
	clinch_response_t *response = NULL;
	entry.this_update = this_update;
	entry.next_update = next_update;
	struct response_spec spec = response_with(make_entry(&entry));
	const gnutls_datum_t der = blob_datum(make_response(&spec));
	clinch_verify(&response, &verdict, &der, subject, NOW, NULL);
	assert_non_null(response);
	return response;
}

static enum store_answer offer(struct store *store, const char *this_update, const char *next_update)
{
	struct clinch_error err = { .text = "" };
	enum store_answer answer = STORE_OLDER;
	clinch_response_t *response = believed(this_update, next_update);
	if (store_offer(store, subject, response, NOW, NULL, &answer, &err) != 0)
		fail_msg("%s", err.text);
	clinch_response_unref(response);
	return answer;
}

static int64_t held_since(const char *where)
{
	struct store *reader = NULL;
	struct clinch_verdict verdict = { .this_update = -1 };
	assert_int_equal(store_open(&reader, where, false, NULL), 0);
	int code = store_load(reader, subject, NOW, NULL, NULL, &verdict, NULL);
	store_close(reader);
	return code == 0 ? verdict.this_update : code;
}

static struct store *writer(void)
{
	struct clinch_error err = { .text = "" };
	struct store *store = NULL;
	if (store_open(&store, dir, true, &err) != 0)
		fail_msg("%s", err.text);
	return store;
}

#define MONDAY "20260614120000Z"
#define TUESDAY "20260615110000Z"
#define FRIDAY "20260618120000Z"
#define SATURDAY "20260619120000Z"

static void what_was_taken_is_read_back_believed_by_anyone(void **state)
{
	(void)state;
	struct store *store = writer();
	struct stat st;
	assert_int_equal(offer(store, MONDAY, FRIDAY), STORE_TOOK);
	assert_int_equal(store_sync(store, NULL), 0);
	assert_int_equal(held_since(dir), NOW - DAY);
	assert_int_equal(stat(held_path(), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	store_close(store);
}

static void a_newer_one_replaces_an_older_one_does_not(void **state)
{
	(void)state;
	struct store *store = writer();
	assert_int_equal(offer(store, MONDAY, FRIDAY), STORE_TOOK);
	assert_int_equal(offer(store, MONDAY, FRIDAY), STORE_SAME);
	assert_int_equal(offer(store, TUESDAY, SATURDAY), STORE_TOOK);
	assert_int_equal(offer(store, MONDAY, SATURDAY), STORE_OLDER);
	assert_int_equal(held_since(dir), NOW - HOUR);
	store_close(store);
}

static void a_response_for_another_certificate_is_refused(void **state)
{
	(void)state;
	struct store *store = writer();
	struct cert_spec spec = leaf_spec();
	clinch_subject_t *other = NULL;
	enum store_answer answer = STORE_SAME;
	spec.serial = blob_hex("0a0b0c0e");
	gnutls_x509_crt_t issuer = import_cert(world_ca()), leaf = import_cert(make_cert(&spec));
	assert_int_equal(clinch_subject_new(&other, leaf, issuer, NULL), 0);
	clinch_response_t *response = believed(MONDAY, FRIDAY);
	assert_int_equal(store_offer(store, other, response, NOW, NULL, &answer, NULL), CLINCH_E_ARGUMENT);
	assert_int_equal(answer, STORE_SAME);
	clinch_response_unref(response);
	clinch_subject_unref(other);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(leaf);
	store_close(store);
}

static void put(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* Whatever stands in the place of a held file, it is judged, said and passed over, and a good one takes its place. */
static void damaged_files_are_passed_over_and_replaced(void **state)
{
	(void)state;
	static const char junk[] = "<html>not a response</html>";
	static char large[70000];
	clinch_response_t *response = believed(MONDAY, FRIDAY);
	gnutls_datum_t der = clinch_response_der(response);
	const struct {
		const char *name;
		const void *bytes;
		size_t len;
		int reason; /* 0: it cannot be read */
	} rows[] = {
		{ "empty", "", 0, CLINCH_REASON_RESPONSE_EMPTY },
		{ "junk", junk, sizeof(junk) - 1, CLINCH_REASON_RESPONSE_MALFORMED },
		{ "half", der.data, der.size / 2, CLINCH_REASON_RESPONSE_MALFORMED },
		{ "too large", large, sizeof(large), 0 },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct clinch_verdict verdict;
		struct clinch_error err = { .text = "" };
		struct store *store = writer();
		put(held_path(), rows[i].bytes, rows[i].len);
		int code = store_load(store, subject, NOW, NULL, NULL, &verdict, &err);
		check_int(rows[i].name, verdict.reason, rows[i].reason);
		check_int(rows[i].name, code, rows[i].reason ? 0 : CLINCH_E_TOO_LARGE);
		check(rows[i].name, rows[i].reason || strstr(err.text, ".der"));
		check_int(rows[i].name, offer(store, MONDAY, FRIDAY), STORE_TOOK);
		store_close(store);
		check_int(rows[i].name, held_since(dir), NOW - DAY);
	}
	clinch_response_unref(response);
}

static void a_symbolic_link_a_fifo_and_a_directory_are_not_read(void **state)
{
	(void)state;
	struct store *store = writer();
	struct clinch_verdict verdict;
	assert_int_equal(symlink("/dev/zero", held_path()), 0);
	assert_int_equal(store_load(store, subject, NOW, NULL, NULL, &verdict, NULL), CLINCH_E_FILE);
	assert_int_equal(unlink(held_path()), 0);
	assert_int_equal(mkfifo(held_path(), 0600), 0);
	assert_int_equal(store_load(store, subject, NOW, NULL, NULL, &verdict, NULL), CLINCH_E_FILE);
	assert_int_equal(unlink(held_path()), 0);
	assert_int_equal(mkdir(held_path(), 0700), 0);
	assert_int_equal(store_load(store, subject, NOW, NULL, NULL, &verdict, NULL), CLINCH_E_FILE);
	assert_int_equal(verdict.status, CLINCH_INVALID);
	store_close(store);
}

static void nothing_held_is_said_as_such(void **state)
{
	(void)state;
	struct store *store = writer();
	struct clinch_verdict verdict;
	clinch_response_t *response = NULL;
	assert_int_equal(store_load(store, subject, NOW, NULL, &response, &verdict, NULL), CLINCH_E_MISSING);
	assert_null(response);
	assert_int_equal(verdict.status, CLINCH_INVALID);
	store_close(store);
}

static void what_has_expired_meanwhile_is_not_given_out(void **state)
{
	(void)state;
	struct store *store = writer();
	struct clinch_verdict verdict;
	clinch_response_t *response = NULL;
	assert_int_equal(offer(store, MONDAY, FRIDAY), STORE_TOOK);
	assert_int_equal(store_load(store, subject, NOW + 10 * DAY, NULL, &response, &verdict, NULL), 0);
	assert_null(response);
	assert_int_equal(verdict.reason, CLINCH_REASON_EXPIRED);
	store_close(store);
}

static void a_second_writer_is_told_the_first_ones_pid(void **state)
{
	(void)state;
	struct store *first = writer(), *second = NULL;
	struct clinch_error err = { .text = "" };
	char pid[32];
	snprintf(pid, sizeof(pid), "process %ld ", (long)getpid());
	assert_int_equal(store_open(&second, dir, true, &err), CLINCH_E_ARGUMENT);
	assert_null(second);
	assert_non_null(strstr(err.text, pid));
	store_close(first);
	assert_int_equal(store_open(&second, dir, true, &err), 0);
	store_close(second);
}

static void the_lock_is_not_lost_with_its_file(void **state)
{
	(void)state;
	struct store *first = writer(), *second = NULL;
	char path[sizeof(dir) + 8];
	snprintf(path, sizeof(path), "%s/.lock", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_open(&second, dir, true, NULL), CLINCH_E_ARGUMENT);
	assert_null(second);
	store_close(first);
}

static void a_lock_file_of_somebody_else_locks_nobody_out(void **state)
{
	(void)state;
	struct store *first = NULL, *second = NULL;
	char path[sizeof(dir) + 8];
	if (geteuid() == 0)
		return; /* may open anything */
	store_close(writer());
	snprintf(path, sizeof(path), "%s/.lock", dir);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(store_open(&first, dir, true, NULL), 0);
	assert_int_equal(store_open(&second, dir, true, NULL), CLINCH_E_ARGUMENT);
	assert_null(second);
	store_close(first);
	assert_int_equal(chmod(path, 0600), 0);
}

static void a_reader_follows_to_a_directory_that_was_made_anew(void **state)
{
	struct store *store = writer(), *reader = NULL;
	struct clinch_verdict verdict;
	assert_int_equal(offer(store, MONDAY, FRIDAY), STORE_TOOK);
	assert_int_equal(store_open(&reader, dir, false, NULL), 0);
	store_follow(reader);
	assert_int_equal(store_load(reader, subject, NOW, NULL, NULL, &verdict, NULL), 0);
	store_close(store);
	assert_int_equal(empty_store(state), 0);
	store_follow(reader); /* there is none: nothing changes */
	assert_int_equal(store_load(reader, subject, NOW, NULL, NULL, &verdict, NULL), CLINCH_E_MISSING);
	store = writer();
	assert_int_equal(offer(store, TUESDAY, SATURDAY), STORE_TOOK);
	assert_int_equal(store_load(reader, subject, NOW, NULL, NULL, &verdict, NULL), CLINCH_E_MISSING);
	store_follow(reader);
	assert_int_equal(store_load(reader, subject, NOW, NULL, NULL, &verdict, NULL), 0);
	assert_int_equal(verdict.this_update, NOW - HOUR);
	store_close(reader);
	store_close(store);
}

static void a_reader_cannot_write(void **state)
{
	(void)state;
	store_close(writer());
	struct store *reader = NULL;
	enum store_answer answer = STORE_SAME;
	assert_int_equal(store_open(&reader, dir, false, NULL), 0);
	clinch_response_t *response = believed(MONDAY, FRIDAY);
	assert_int_equal(store_offer(reader, subject, response, NOW, NULL, &answer, NULL), CLINCH_E_ARGUMENT);
	clinch_response_unref(response);
	store_close(reader);
	assert_int_equal(access(held_path(), F_OK), -1);
}

static void a_store_that_cannot_be_written_keeps_what_it_holds(void **state)
{
	(void)state;
	struct store *store = writer();
	enum store_answer answer = STORE_SAME;
	struct clinch_error err = { .text = "" };
	struct rlimit before;
	assert_int_equal(offer(store, MONDAY, FRIDAY), STORE_TOOK);
	clinch_response_t *response = believed(TUESDAY, SATURDAY);
	/* As on a full disk, for root too: no file may grow. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	const struct rlimit none = { 0, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	int code = store_offer(store, subject, response, NOW, NULL, &answer, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(code, CLINCH_E_FILE);
	assert_int_equal(answer, STORE_SAME);
	assert_int_equal(held_since(dir), NOW - DAY);
	assert_non_null(strstr(err.text, dir));
	clinch_response_unref(response);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_rule_decides_row_by_row),
		T(anything_is_better_than_nothing),
		cmocka_unit_test_teardown(what_was_taken_is_read_back_believed_by_anyone, empty_store),
		cmocka_unit_test_teardown(a_newer_one_replaces_an_older_one_does_not, empty_store),
		cmocka_unit_test_teardown(a_response_for_another_certificate_is_refused, empty_store),
		cmocka_unit_test_teardown(damaged_files_are_passed_over_and_replaced, empty_store),
		cmocka_unit_test_teardown(a_symbolic_link_a_fifo_and_a_directory_are_not_read, empty_store),
		cmocka_unit_test_teardown(nothing_held_is_said_as_such, empty_store),
		cmocka_unit_test_teardown(what_has_expired_meanwhile_is_not_given_out, empty_store),
		cmocka_unit_test_teardown(a_second_writer_is_told_the_first_ones_pid, empty_store),
		cmocka_unit_test_teardown(the_lock_is_not_lost_with_its_file, empty_store),
		cmocka_unit_test_teardown(a_lock_file_of_somebody_else_locks_nobody_out, empty_store),
		cmocka_unit_test_teardown(a_reader_follows_to_a_directory_that_was_made_anew, empty_store),
		cmocka_unit_test_teardown(a_reader_cannot_write, empty_store),
		cmocka_unit_test_teardown(a_store_that_cannot_be_written_keeps_what_it_holds, empty_store),
	};
	return cmocka_run_group_tests_name("store", tests, make_world, drop_world);
}
