/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chain and key files that change under a stapler: taken as a pair, and without a gap in what is stapled. */
#include "store/store.h"
#include "talk.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The store's name for it: the SHA-256 of the certificate. */
static void name_of_response(char *out, size_t size, const struct made *made)
{
	uint8_t fingerprint[32];
	int len = snprintf(out, size, "%s/", dir);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, made->leaf.data, made->leaf.len, fingerprint);
	for (size_t i = 0; i < sizeof(fingerprint); i++)
		len += snprintf(out + len, size - (size_t)len, "%02x", fingerprint[i]);
	snprintf(out + len, size - (size_t)len, ".der");
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

static void expect_stapled(clinch_stapler_t *stapler, int64_t now, bool want)
{
	struct clinch_stapler_state seen;
	assert_int_equal(clinch_stapler_state(stapler, 0, now, &seen), 0);
	assert_int_equal(seen.is_stapled, want);
}

/* A stapler with the old pair and its staple, and the renewed one's chain in the file. */
static clinch_stapler_t *amid_renewal(const struct made *old, const struct made *renewed, struct blob status)
{
	clinch_stapler_t *stapler = stapler_of(NULL);
	put(chain_path, old->chain);
	put(key_path, old->key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, NULL), 0);
	assert_int_equal(offer(stapler, staple(old, -HOUR, 3 * DAY, status)), 0);
	put(chain_path, renewed->chain);
	return stapler;
}

/* The staple that the old one would go on having says "revoked". */
static void what_replaces_a_revoked_certificate_waits_for_nothing(void **state)
{
	(void)state;
	for (int must = 0; must < 2; must++) {
		struct made old = make_leaf(KEY_LEAF, "65", "a.test", BLOB_NONE),
			    renewed = make_leaf(KEY_LEAF, "66", "a.test", must ? must_staple() : BLOB_NONE);
		clinch_stapler_t *stapler = amid_renewal(&old, &renewed, status_revoked(instant(-2 * HOUR), 1));
		assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), NULL), 0);
		expect_leaf(stapler, &renewed);
		clinch_stapler_free(stapler);
	}
}

static void what_replaces_a_certificate_that_ended_waits_no_longer(void **state)
{
	(void)state;
	struct made old = make_leaf_until(KEY_LEAF, "67", "a.test", instant(100)),
		    renewed = make_leaf(KEY_LEAF, "68", "a.test", must_staple());
	int64_t now = time(NULL);
	clinch_stapler_t *stapler = amid_renewal(&old, &renewed, status_good());
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, now + 98, NULL), 0);
	expect_leaf(stapler, &old);
	assert_int_equal(clinch_stapler_refresh(stapler, now + 110, NULL), 0);
	expect_leaf(stapler, &renewed);
	clinch_stapler_free(stapler);
}

static void a_clock_that_is_set_back_makes_it_wait_once_more_and_not_for_ever(void **state)
{
	(void)state;
	struct made old = make_leaf(KEY_LEAF, "69", "a.test", BLOB_NONE),
		    renewed = make_leaf(KEY_LEAF, "6a", "a.test", BLOB_NONE);
	int64_t now = time(NULL), back = now - DAY;
	clinch_stapler_t *stapler = amid_renewal(&old, &renewed, status_good());
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, back, NULL), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, back + 299, NULL), 0);
	expect_leaf(stapler, &old);
	assert_int_equal(clinch_stapler_refresh(stapler, back + 300, NULL), 0);
	expect_leaf(stapler, &renewed);
	clinch_stapler_free(stapler);
}

/* A board without a battery starts in 1970: what it did not believe then is good once the time has come from the network. */
static void what_was_refused_under_a_wrong_clock_is_judged_again(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "6b", "a.test", BLOB_NONE);
	const struct clinch_stapler_options options = { .store_dir = dir };
	clinch_stapler_t *stapler = stapler_of(&options);
	struct clinch_error err = { .text = "" };
	char response_path[400];
	int64_t now = time(NULL);
	put(chain_path, made.chain);
	put(key_path, made.key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, NULL), 0);
	name_of_response(response_path, sizeof(response_path), &made);
	put(response_path, staple(&made, -HOUR, 3 * DAY, status_good()));
	assert_int_equal(clinch_stapler_refresh(stapler, 600, &err), CLINCH_E_FORMAT);
	assert_int_equal(clinch_stapler_refresh(stapler, 601, &err), 0); /* said once */
	assert_int_equal(clinch_stapler_refresh(stapler, 700, &err), 0);
	expect_stapled(stapler, 700, false);
	assert_int_equal(clinch_stapler_refresh(stapler, now, &err), 0);
	expect_stapled(stapler, now, true);
	put(response_path, staple(&made, -HOUR - 60, 2 * DAY, status_good())); /* a replay is none of that */
	assert_int_equal(clinch_stapler_refresh(stapler, now + 1, &err), 0);
	expect_stapled(stapler, now, true);
	assert_int_equal(unlink(response_path), 0);
	clinch_stapler_free(stapler);
}

/* The same the other way: what was taken by a clock that was ahead counts for nothing once that was set right. */
static void what_was_taken_ahead_of_time_holds_nothing_up(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "6c", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct blob early = staple(&made, 30 * DAY, 40 * DAY, status_good());
	gnutls_datum_t der = blob_datum(early);
	stapler_add(stapler, &made);
	assert_int_equal(clinch_stapler_offer(stapler, &der, time(NULL) + 31 * DAY, NULL), 0);
	assert_int_equal(offer(stapler, staple(&made, -HOUR, 3 * DAY, status_good())), 0);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	clinch_stapler_free(stapler);
}

/* The chain's certificate without its issuer, or its issuer alone. */
static struct blob part_of(const struct made *made, bool issuer)
{
	size_t leaf_len =
		(size_t)((const uint8_t *)strstr((const char *)made->chain.data + 1, "-----BEGIN") - made->chain.data);
	return issuer ? blob_of(made->chain.data + leaf_len, made->chain.len - leaf_len)
		      : blob_of(made->chain.data, leaf_len);
}

/* What a keeper finds comes one after the other, and may do so within one tick of the times of their directory, which then
 * does not show it. */
static void an_issuer_that_is_missing_is_taken_once_it_is_in_the_store(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "6d", "a.test", BLOB_NONE);
	const struct clinch_stapler_options options = { .store_dir = dir };
	clinch_stapler_t *stapler = stapler_of(&options);
	char issuers[PATH_MAX], found_path[PATH_MAX + 8], response_path[400];
	struct blob issuer = part_of(&made, true);
	int64_t now = time(NULL);
	put(chain_path, part_of(&made, false));
	put(key_path, made.key);
	name_of_response(response_path, sizeof(response_path), &made);
	put(response_path, staple(&made, -HOUR, 3 * DAY, status_good()));
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, NULL), 0);
	assert_true(store_issuers_path(dir, issuers));
	snprintf(found_path, sizeof(found_path), "%s/found", issuers);
	assert_int_equal(mkdir(issuers, 0755), 0);
	put(found_path, blob_of("none", 4));
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	expect_stapled(stapler, now, false);
	FILE *file = fopen(found_path, "w"); /* in place: the directory's times stay */
	assert_non_null(file);
	assert_int_equal(fwrite(issuer.data, 1, issuer.len, file), issuer.len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	expect_stapled(stapler, now, true);
	assert_int_equal(unlink(found_path) + rmdir(issuers) + unlink(response_path), 0);
	clinch_stapler_free(stapler);
}

#define F(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(a_pair_is_taken_only_when_it_fits),
		F(a_renewed_certificate_waits_for_its_staple),
		F(what_replaces_a_revoked_certificate_waits_for_nothing),
		F(what_replaces_a_certificate_that_ended_waits_no_longer),
		F(a_clock_that_is_set_back_makes_it_wait_once_more_and_not_for_ever),
		F(what_was_refused_under_a_wrong_clock_is_judged_again),
		F(what_was_taken_ahead_of_time_holds_nothing_up),
		F(an_issuer_that_is_missing_is_taken_once_it_is_in_the_store),
	};
	return cmocka_run_group_tests_name("renewal", tests, NULL, drop_keys);
}
