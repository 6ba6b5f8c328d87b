/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chain and key files that change under a stapler: taken as a pair, and without a gap in what is stapled. */
#include "talk.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char dir[256], chain_path[300], key_path[300];

static int make_dir(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/clinch-stapler-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(chain_path, sizeof(chain_path), "%s/chain.pem", dir);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	maker_reset();
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(chain_path);
	unlink(key_path);
	return rmdir(dir);
}

static void put(const char *path, struct blob text)
{
	char temporary[320];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	FILE *file = fopen(temporary, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, path), 0);
}

static void expect_leaf(clinch_stapler_t *stapler, const struct made *made)
{
	struct clinch_stapler_state seen;
	uint8_t fingerprint[32];
	assert_int_equal(clinch_stapler_state(stapler, 0, time(NULL), &seen), 0);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, made->leaf.data, made->leaf.len, fingerprint);
	assert_memory_equal(seen.fingerprint, fingerprint, sizeof(fingerprint));
	assert_int_equal(clinch_stapler_state(stapler, 1, time(NULL), &seen), CLINCH_E_MISSING);
}

static void a_pair_is_taken_only_when_it_fits(void **state)
{
	(void)state;
	struct made old = make_leaf(KEY_LEAF, "60", "a.test", BLOB_NONE),
		    renewed = make_leaf(KEY_OTHER, "61", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct clinch_error err = { .text = "" };
	put(chain_path, old.chain);
	put(key_path, renewed.key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, &err), CLINCH_E_FORMAT);
	assert_non_null(strstr(err.text, chain_path));
	put(key_path, old.key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, &err), 0);
	put(chain_path, renewed.chain);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), CLINCH_E_FORMAT);
	expect_leaf(stapler, &old);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), 0); /* said once */
	put(key_path, renewed.key);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), 0);
	expect_leaf(stapler, &renewed);
	assert_int_equal(unlink(chain_path), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), CLINCH_E_FILE);
	expect_leaf(stapler, &renewed);
	put(chain_path, renewed.chain);
	clinch_stapler_free(stapler);
}

/* No unstapled gap: what is stapled stays until the renewed certificate has its staple, or five minutes have passed. */
static void a_renewed_certificate_waits_for_its_staple(void **state)
{
	(void)state;
	struct made old = make_leaf(KEY_LEAF, "62", "a.test", BLOB_NONE),
		    renewed = make_leaf(KEY_LEAF, "63", "a.test", BLOB_NONE),
		    third = make_leaf(KEY_LEAF, "64", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	int64_t now = time(NULL);
	put(chain_path, old.chain);
	put(key_path, old.key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, NULL), 0);
	assert_int_equal(offer(stapler, staple(&old, -HOUR, 3 * DAY, status_good())), 0);
	put(chain_path, renewed.chain);
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	expect_leaf(stapler, &old);
	assert_int_equal(offer(stapler, staple(&renewed, -HOUR, 3 * DAY, status_good())), 0);
	expect_leaf(stapler, &renewed);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	put(chain_path, third.chain);
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, now + 299, NULL), 0);
	expect_leaf(stapler, &renewed);
	assert_int_equal(clinch_stapler_refresh(stapler, now + 300, NULL), 0);
	expect_leaf(stapler, &third);
	clinch_stapler_free(stapler);
}

#define F(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

static int done(void **state)
{
	(void)state;
	maker_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(a_pair_is_taken_only_when_it_fits),
		F(a_renewed_certificate_waits_for_its_staple),
	};
	return cmocka_run_group_tests_name("renewal", tests, NULL, done);
}
