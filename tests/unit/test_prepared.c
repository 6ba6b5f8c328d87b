/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers that are kept: when they may be served, and the table that threads read while others write it. */
#include "answering.h"
#include "respond/ahead.h"
#include "respond/reply.h"
#include <pthread.h>

static struct snapshot *snapshot;
static struct snapshot_ca *ca;
static struct ocsp_single single;
static signer_id signer;

static int set_up(void **state)
{
	uint8_t id[256];
	gnutls_datum_t der;

	(void)state;
	desk_open("prepared");
	answering_write();
	snapshot = answering_default();
	ca = &snapshot->ca[0];
	single = (struct ocsp_single){
		.status = CLINCH_GOOD, .revocation_reason = -1, .this_update = NOW, .next_update = NOW + DAY
	};
	single.cert_id = der_of(id, ocsp_cert_id_write(id, sizeof(id), ca->authority->issuer, HASH_SHA1, der_of("\x01", 1)));
	assert_int_equal(authority_sign(&der, ca->authority, &single, 1, NOW, NULL, &signer, NULL), 0);
	gnutls_free(der.data);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	snapshot_unref(snapshot);
	desk_close();
	maker_done();
	return 0;
}

static struct prepared *make(uint32_t serial, uint32_t len)
{
	static uint8_t bytes[2048];
	gnutls_datum_t der = { bytes, len };
	struct prepared_key key = { ca->id, HASH_SHA1, der_of(&serial, sizeof(serial)) };

	memcpy(bytes, &serial, sizeof(serial));
	struct prepared *answer = prepared_new(&key, &der, &single, 1, signer, NOW + DAY / 2);
	assert_non_null(answer);
	return answer;
}

/* ---- when it may be served ---- */

static void is_served_as_long_as_it_says_what_the_source_says(void **state)
{
	(void)state;
	struct prepared *answer = make(1, 300);
	struct ocsp_single now = single;
	struct snapshot_ca other = *ca;

	assert_true(prepared_fits(answer, ca, &now, NOW));
	now.status = CLINCH_REVOKED;
	assert_false(prepared_fits(answer, ca, &now, NOW));
	now = single;
	now.revoked_at = 1;
	assert_false(prepared_fits(answer, ca, &now, NOW));
	now = single;
	now.revocation_reason = 1;
	assert_false(prepared_fits(answer, ca, &now, NOW));
	other.id++;
	assert_false(prepared_fits(answer, &other, &single, NOW));
	prepared_unref(answer);
}

static void is_served_from_its_beginning_until_a_minute_before_its_end(void **state)
{
	(void)state;
	struct prepared *answer = make(1, 300);

	assert_false(prepared_fits(answer, ca, &single, NOW - 1)); /* a clock that went back */
	assert_true(prepared_fits(answer, ca, &single, NOW + DAY - 61));
	assert_false(prepared_fits(answer, ca, &single, NOW + DAY - 60));
	prepared_unref(answer);
}

static void is_not_served_when_its_signer_is_no_longer_one(void **state)
{
	(void)state;
	struct prepared *answer = make(1, 300);

	answer->signer++;
	assert_false(prepared_fits(answer, ca, &single, NOW));
	prepared_unref(answer);
}

static void is_refreshed_at_half_of_its_life_or_when_told_and_spread(void **state)
{
	(void)state;
	assert_int_equal(prepared_refresh_at(&single, 0, NOW, 0), NOW + DAY / 2);
	assert_int_equal(prepared_refresh_at(&single, HOUR, NOW, 0), NOW + HOUR);
	assert_int_equal(prepared_refresh_at(&single, 2 * DAY, NOW, 0), NOW + DAY / 2); /* it was cut */
	int64_t earliest = prepared_refresh_at(&single, 0, NOW, UINT32_MAX);
	assert_in_range(earliest, NOW + DAY / 2 - DAY / 16, NOW + DAY / 2 - DAY / 16 + 1);
	assert_int_equal(prepared_refresh_at(&single, 0, NOW + DAY, 0), NOW + DAY + 1);
}

static void the_same_bytes_have_the_same_tag_and_others_another(void **state)
{
	(void)state;
	struct prepared *one = make(1, 300), *same = make(1, 300), *other = make(2, 300);
	char tag[PREPARED_ETAG_SIZE];

	assert_int_equal(one->etag, same->etag);
	assert_int_not_equal(one->etag, other->etag);
	prepared_etag(tag, UINT64_C(0x1f));
	assert_string_equal(tag, "\"000000000000001f\"");
	prepared_unref(one);
	prepared_unref(same);
	prepared_unref(other);
}

/* ---- the table ---- */

static struct prepared *find(struct prepared_table *table, uint32_t serial)
{
	struct prepared_key key = { ca->id, HASH_SHA1, der_of(&serial, sizeof(serial)) };

	return prepared_find(table, &key, prepared_hash(table, &key));
}

static bool has(struct prepared_table *table, uint32_t serial)
{
	struct prepared *answer = find(table, serial);
	bool is_there = answer && memcmp(prepared_der(answer).at, &serial, sizeof(serial)) == 0;

	prepared_unref(answer);
	return is_there;
}

static uint64_t count_of(struct prepared_table *table)
{
	struct prepared_counts counts;

	prepared_table_counts(table, &counts);
	return counts.answers;
}

static void finds_what_was_put_by_ca_hash_and_serial(void **state)
{
	(void)state;
	struct prepared_table *table = prepared_table_new(1 << 20);
	uint32_t serial = 7;
	struct prepared_key sha256 = { ca->id, HASH_SHA256, der_of(&serial, sizeof(serial)) };
	struct prepared_key other = { ca->id + 1, HASH_SHA1, der_of(&serial, sizeof(serial)) };

	prepared_put(table, make(7, 300));
	assert_true(has(table, 7));
	assert_false(has(table, 8));
	assert_null(prepared_find(table, &sha256, prepared_hash(table, &sha256)));
	assert_null(prepared_find(table, &other, prepared_hash(table, &other)));
	prepared_table_free(table);
}

static void a_newer_one_takes_the_place_of_the_one_before(void **state)
{
	(void)state;
	struct prepared_table *table = prepared_table_new(1 << 20);
	struct prepared *first = make(7, 300), *second = make(7, 310);

	prepared_put(table, prepared_ref(first));
	prepared_put(table, prepared_ref(second));
	assert_int_equal(count_of(table), 1);
	struct prepared *found = find(table, 7);
	assert_ptr_equal(found, second);
	prepared_drop(table, first); /* it is not there any more */
	assert_int_equal(count_of(table), 1);
	prepared_drop(table, second);
	assert_int_equal(count_of(table), 0);
	assert_null(find(table, 7));
	prepared_unref(found);
	prepared_unref(first);
	prepared_unref(second);
	prepared_table_free(table);
}

static void memory_is_bounded_and_what_is_asked_for_stays(void **state)
{
	(void)state;
	enum { MAX = 1 << 20, N = 20000 };
	struct prepared_table *table = prepared_table_new(MAX);
	struct prepared_counts counts;

	for (uint32_t i = 0; i < N; i++) {
		prepared_put(table, make(i, 300));
		if (i >= 50)
			assert_true(has(table, i % 50)); /* fifty are asked for all the time */
		prepared_table_counts(table, &counts);
		assert_true(counts.bytes <= MAX);
	}
	assert_true(counts.answers > 1000);
	assert_true(counts.evicted + counts.answers == N);
	prepared_table_free(table);
}

static void fills_what_it_has_before_it_lets_go(void **state)
{
	(void)state;
	enum { MAX = 8 << 20, N = 18000 }; /* of about 420 bytes */
	struct prepared_table *table = prepared_table_new(MAX);
	struct prepared_counts counts;

	for (uint32_t i = 0; i < N; i++)
		prepared_put(table, make(i, 300));
	prepared_table_counts(table, &counts);
	assert_true(counts.evicted < N / 1000);
	/* what an answer takes beside its bytes, table included */
	assert_true((counts.bytes - (uint64_t)N * 300) / N < 200);
	prepared_table_free(table);
}

static void collect(struct prepared *answer, void *user)
{
	uint32_t *n = user;

	++*n;
	prepared_unref(answer);
}

static void a_walk_finds_each_that_is_due_once(void **state)
{
	(void)state;
	struct prepared_table *table = prepared_table_new(1 << 20);
	uint32_t n = 0;
	size_t at = 0;

	for (uint32_t i = 0; i < 500; i++)
		prepared_put(table, make(i, 300));
	while (!prepared_walk(table, &at, 100, NOW + DAY / 2 - 1, collect, &n))
		;
	assert_int_equal(n, 0);
	while (!prepared_walk(table, &at, 100, NOW + DAY / 2, collect, &n))
		;
	assert_int_equal(n, 500);
	prepared_table_free(table);
}

static struct prepared_table *contended;
static atomic_bool over;

static void *read_all(void *user)
{
	long *bad = user;

	while (!atomic_load(&over))
		for (uint32_t i = 0; i < 64; i++) {
			struct prepared *answer = find(contended, i);
			*bad += answer && memcmp(prepared_der(answer).at, &i, sizeof(i)) != 0;
			prepared_unref(answer);
		}
	return NULL;
}

/* The table is so small that all of it is let go again and again. */
static void readers_never_see_another_answer_while_it_changes(void **state)
{
	(void)state;
	long bad[3] = { 0 };
	pthread_t thread[3];

	contended = prepared_table_new(64 << 10);
	atomic_store(&over, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, read_all, &bad[i]), 0);
	for (uint32_t i = 0; i < 60000; i++)
		prepared_put(contended, make(i % 64, 300 + i % 1000));
	atomic_store(&over, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(bad[i], 0);
	}
	prepared_table_free(contended);
}

/* ---- as HTTP has it ---- */

static void dates_are_those_of_rfc_9110(void **state)
{
	(void)state;
	char text[REPLY_DATE_SIZE];
	int64_t at;

	reply_date(text, 784111777);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	static const char *const rows[] = { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
					    "Sun Nov  6 08:49:37 1994" };
	for (size_t i = 0; i < ROWS(rows); i++) {
		check(rows[i], reply_date_parse(&at, rows[i], strlen(rows[i])));
		check_int(rows[i], at, 784111777);
	}
	assert_false(reply_date_parse(&at, "yesterday", 9));
	assert_false(reply_date_parse(&at, "Sun, 06 Nov 1994 08:49:37 GMT+1", 31));
}

static bool is_known(const char *none_match, const char *since)
{
	struct reply_condition condition = { none_match, since, none_match ? strlen(none_match) : 0,
					     since ? strlen(since) : 0 };
	struct reply_life life = { .etag = 0x1f, .this_update = 784111777 };

	return reply_is_known(&condition, &life);
}

static void a_client_that_has_it_is_not_sent_it_again(void **state)
{
	(void)state;
	assert_true(is_known("\"000000000000001f\"", NULL));
	assert_true(is_known("W/\"000000000000001f\"", NULL));
	assert_true(is_known("\"a\", \"000000000000001f\"", NULL));
	assert_true(is_known("*", NULL));
	assert_false(is_known("\"000000000000001e\"", NULL));
	assert_true(is_known(NULL, "Sun, 06 Nov 1994 08:49:37 GMT"));
	assert_false(is_known(NULL, "Sun, 06 Nov 1994 08:49:36 GMT"));
	assert_false(is_known("\"x\"", "Sun, 06 Nov 1994 08:49:37 GMT")); /* the tag goes first */
	assert_false(is_known(NULL, "soon"));
	assert_false(is_known(NULL, NULL));
}

static void a_cache_holds_it_until_our_refresh_at_most(void **state)
{
	(void)state;
	struct prepared *answer = make(1, 300);

	assert_int_equal(reply_max_age(answer, HOUR, NOW), HOUR);
	assert_int_equal(reply_max_age(answer, HOUR, NOW + DAY / 2 - 10), 10);
	assert_int_equal(reply_max_age(answer, HOUR, NOW + DAY / 2 + 10), 0);
	prepared_unref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(is_served_as_long_as_it_says_what_the_source_says),
		T(is_served_from_its_beginning_until_a_minute_before_its_end),
		T(is_not_served_when_its_signer_is_no_longer_one),
		T(is_refreshed_at_half_of_its_life_or_when_told_and_spread),
		T(the_same_bytes_have_the_same_tag_and_others_another),
		T(finds_what_was_put_by_ca_hash_and_serial),
		T(a_newer_one_takes_the_place_of_the_one_before),
		T(memory_is_bounded_and_what_is_asked_for_stays),
		T(fills_what_it_has_before_it_lets_go),
		T(a_walk_finds_each_that_is_due_once),
		T(readers_never_see_another_answer_while_it_changes),
		T(dates_are_those_of_rfc_9110),
		T(a_client_that_has_it_is_not_sent_it_again),
		T(a_cache_holds_it_until_our_refresh_at_most),
	};
	return cmocka_run_group_tests_name("prepared", tests, set_up, tear_down);
}
