/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which order the store's files come to disk: no name may ever lead to bytes that are not there after a power cut. */
#include "../support/scratch.h"
#include "store/store.h"
#include "unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAVES 20

/* ---- what the store asks of the system: w write, f fsync of a file, s syncfs, r rename, d fsync of the directory ---- */

static char done[256];
static char fails;     /* the operation that does; 0: none */
static unsigned after; /* so many of it that do not */

static bool note(char operation)
{
	size_t len = strlen(done);

	if (operation == fails && after-- == 0) {
		errno = EIO;
		return false;
	}
	if (len + 1 < sizeof(done)) {
		done[len] = operation;
		done[len + 1] = '\0';
	}
	return true;
}

ssize_t __real_write(int fd, const void *bytes, size_t len);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __wrap_fsync(int fd);
int __wrap_syncfs(int fd);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
	return note('w') ? __real_write(fd, bytes, len) : -1;
}

int __wrap_fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return note(S_ISDIR(st.st_mode) ? 'd' : 'f') ? 0 : -1;
}

int __wrap_syncfs(int fd)
{
	(void)fd;
	return note('s') ? 0 : -1;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return note('r') ? __real_renameat(from_dir, from, to_dir, to) : -1;
}

static void expect_done(const char *operations)
{
	assert_string_equal(done, operations);
	done[0] = '\0';
}

/* ---- certificates, two responses for each, and a store ---- */

static char base[SCRATCH_SIZE], dir[SCRATCH_SIZE + 16];
static struct leaf {
	clinch_subject_t *subject;
	clinch_response_t *first, *second;
} leaves[LEAVES];
static struct store *store;

static clinch_response_t *believed(const clinch_subject_t *subject, struct blob serial, const char *this_update)
{
	struct entry_spec entry = good_entry();
	struct clinch_verdict verdict;
	clinch_response_t *response = NULL;

	entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, serial);
	entry.this_update = this_update;
	struct response_spec spec = response_with(make_entry(&entry));
	const gnutls_datum_t der = blob_datum(make_response(&spec));
	clinch_verify(&response, &verdict, &der, subject, NOW, NULL);
	assert_non_null(response);
	return response;
}

static void make_leaf(struct leaf *leaf, uint8_t number)
{
	const uint8_t serial[] = { 0x0a, number };
	struct cert_spec spec = leaf_spec();

	spec.serial = blob_of(serial, sizeof(serial));
	gnutls_x509_crt_t issuer = import_cert(world_ca()), cert = import_cert(make_cert(&spec));
	assert_int_equal(clinch_subject_new(&leaf->subject, cert, issuer, NULL), 0);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(cert);
	leaf->first = believed(leaf->subject, spec.serial, "20260614120000Z");
	leaf->second = believed(leaf->subject, spec.serial, "20260615110000Z");
}

static int make_world(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < LEAVES; i++) {
		maker_reset();
		make_leaf(&leaves[i], i);
	}
	if (!mkdtemp(scratch_template(base, "batch")))
		return -1;
	snprintf(dir, sizeof(dir), "%s/store", base);
	return 0;
}

static int drop_world(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LEAVES; i++) {
		clinch_subject_unref(leaves[i].subject);
		clinch_response_unref(leaves[i].first);
		clinch_response_unref(leaves[i].second);
	}
	maker_done();
	return rmdir(base);
}

/* Each test begins with the first response of all held. */
static int open_store(void **state)
{
	enum store_answer answer;

	(void)state;
	fails = 0;
	assert_int_equal(store_open(&store, dir, true, NULL), 0);
	for (unsigned i = 0; i < LEAVES; i++)
		assert_int_equal(store_offer(store, leaves[i].subject, leaves[i].first, NOW, NULL, &answer, NULL), 0);
	done[0] = '\0';
	return 0;
}

static int close_store(void **state)
{
	DIR *listing = opendir(dir);

	(void)state;
	store_close(store);
	for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
		unlinkat(dirfd(listing), entry->d_name, 0);
	closedir(listing);
	return rmdir(dir);
}

static void gather(unsigned from, unsigned to)
{
	enum store_answer answer;

	for (unsigned i = from; i < to; i++) {
		assert_int_equal(store_gather(store, leaves[i].subject, leaves[i].second, NOW, NULL, &answer, NULL), 0);
		assert_int_equal(answer, STORE_TOOK);
	}
}

/* How many of the second ones are there for `reader`; each of the others must be the first. */
static unsigned n_second(const struct store *reader)
{
	struct clinch_verdict verdict;
	unsigned n = 0;

	for (unsigned i = 0; i < LEAVES; i++) {
		assert_int_equal(store_load(reader, leaves[i].subject, NOW, NULL, NULL, &verdict, NULL), 0);
		assert_true(verdict.this_update == NOW - DAY || verdict.this_update == NOW - HOUR);
		n += verdict.this_update == NOW - HOUR;
	}
	return n;
}

static unsigned others_see(void)
{
	struct store *reader = NULL;
	unsigned n;

	assert_int_equal(store_open(&reader, dir, false, NULL), 0);
	n = n_second(reader);
	store_close(reader);
	return n;
}

static unsigned temporaries(void)
{
	DIR *listing = opendir(dir);
	unsigned n = 0;

	assert_non_null(listing);
	for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
		n += strncmp(entry->d_name, ".clinch-", 8) == 0;
	closedir(listing);
	return n;
}

/* ---- tests ---- */

static void one_alone_is_written_synced_and_renamed_at_once(void **state)
{
	enum store_answer answer;

	(void)state;
	assert_int_equal(store_offer(store, leaves[0].subject, leaves[0].second, NOW, NULL, &answer, NULL), 0);
	expect_done("wfr");
	assert_int_equal(others_see(), 1);
	assert_int_equal(store_sync(store, NULL), 0);
	expect_done("d");
}

static void a_few_are_synced_one_by_one_before_any_is_renamed(void **state)
{
	(void)state;
	gather(0, 3);
	expect_done("www");
	assert_int_equal(others_see(), 0);
	assert_int_equal(n_second(store), 3);
	assert_int_equal(store_sync(store, NULL), 0);
	expect_done("fffrrrd");
	assert_int_equal(others_see(), 3);
}

static void many_are_synced_at_once_before_any_is_renamed(void **state)
{
	(void)state;
	gather(0, 12);
	assert_int_equal(store_sync(store, NULL), 0);
	expect_done("wwwwwwwwwwwwsrrrrrrrrrrrrd");
	assert_int_equal(others_see(), 12);
	assert_int_equal(temporaries(), 0);
	assert_int_equal(store_sync(store, NULL), 0);
	expect_done("d");
}

static void what_cannot_be_synced_is_not_renamed(void **state)
{
	static const struct {
		char operation;
		unsigned n;
	} rows[] = { { 'f', 3 }, { 's', 12 } };

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct clinch_error err = { .text = "" };

		gather(0, rows[i].n);
		fails = rows[i].operation;
		after = 0;
		assert_int_equal(store_sync(store, &err), CLINCH_E_FILE);
		assert_non_null(strstr(err.text, dir));
		assert_null(strchr(done, 'r'));
		assert_int_equal(others_see(), 0);
		assert_int_equal(n_second(store), 0);
		assert_int_equal(temporaries(), 0);
		fails = 0;
	}
}

static void when_renaming_ends_in_the_middle_each_is_the_old_one_or_the_new(void **state)
{
	(void)state;
	gather(0, 6);
	fails = 'r';
	after = 2;
	assert_int_equal(store_sync(store, NULL), CLINCH_E_FILE);
	assert_int_equal(others_see(), 2);
	assert_int_equal(temporaries(), 0);
	fails = 0;
	gather(0, 4);
	assert_int_equal(store_sync(store, NULL), 0);
	assert_int_equal(others_see(), 6);
}

static void the_last_one_for_a_certificate_is_the_one_that_counts(void **state)
{
	enum store_answer answer;
	const struct leaf *leaf = &leaves[0];

	(void)state;
	gather(0, 1);
	assert_int_equal(store_gather(store, leaf->subject, leaf->first, NOW, NULL, &answer, NULL), 0);
	assert_int_equal(answer, STORE_OLDER);
	assert_int_equal(store_offer(store, leaf->subject, leaf->second, NOW, NULL, &answer, NULL), 0);
	assert_int_equal(answer, STORE_SAME);
	assert_int_equal(temporaries(), 1);
	assert_int_equal(store_sync(store, NULL), 0);
	expect_done("wfrd");
}

static void what_is_gathered_when_it_is_closed_leaves_nothing(void **state)
{
	(void)state;
	gather(0, 3);
	store_close(store);
	assert_int_equal(temporaries(), 0);
	assert_int_equal(others_see(), 0);
	assert_int_equal(store_open(&store, dir, true, NULL), 0);
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(one_alone_is_written_synced_and_renamed_at_once),
		IN_STORE(a_few_are_synced_one_by_one_before_any_is_renamed),
		IN_STORE(many_are_synced_at_once_before_any_is_renamed),
		IN_STORE(what_cannot_be_synced_is_not_renamed),
		IN_STORE(when_renaming_ends_in_the_middle_each_is_the_old_one_or_the_new),
		IN_STORE(the_last_one_for_a_certificate_is_the_one_that_counts),
		IN_STORE(what_is_gathered_when_it_is_closed_leaves_nothing),
	};

	return cmocka_run_group_tests_name("store batch", tests, make_world, drop_world);
}
