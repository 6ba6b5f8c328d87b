/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server half in real handshakes: which certificate, which staples, and what a session keeps while all of it is
 * replaced. */
#include "talk.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void a_staple_goes_out_over_both_versions(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "51", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	stapler_add(stapler, &made);
	assert_int_equal(reason_seen(stapler, TLS12, "a.test"), CLINCH_REASON_NO_STAPLE);
	assert_int_equal(offer(stapler, staple(&made, -HOUR, 3 * DAY, status_good())), 0);
	assert_int_equal(reason_seen(stapler, TLS12, "a.test"), CLINCH_REASON_GOOD);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	clinch_stapler_free(stapler);
}

/* Near its end a staple is still to be believed, and is no longer sent: five minutes, or a tenth of its life. */
static void a_staple_stops_being_sent_before_it_ends(void **state)
{
	(void)state;
	const struct {
		const char *row;
		int64_t this_update, next_update;
		enum clinch_reason reason;
	} rows[] = {
		{ "ten minutes left", -DAY, 600, CLINCH_REASON_GOOD },
		{ "four minutes left of a day", -DAY, 240, CLINCH_REASON_NO_STAPLE },
		{ "a minute left of two", -60, 60, CLINCH_REASON_GOOD },
		{ "a second left of a hundred", -99, 1, CLINCH_REASON_NO_STAPLE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct made made = make_leaf(KEY_LEAF, "52", "a.test", BLOB_NONE);
		clinch_stapler_t *stapler = stapler_of(NULL);
		struct clinch_stapler_state seen;
		stapler_add(stapler, &made);
		check_int(rows[i].row,
			  offer(stapler, staple(&made, rows[i].this_update, rows[i].next_update, status_good())), 0);
		check_int(rows[i].row, reason_seen(stapler, TLS13, "a.test"), rows[i].reason);
		check_int(rows[i].row, clinch_stapler_state(stapler, 0, time(NULL), &seen), 0);
		check_int(rows[i].row, seen.is_stapled, rows[i].reason == CLINCH_REASON_GOOD);
		clinch_stapler_free(stapler);
	}
}

static void only_what_is_believed_and_newer_gets_in(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "53", "a.test", BLOB_NONE),
		    other = make_leaf(KEY_LEAF, "54", "b.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct blob good = staple(&made, -HOUR, 3 * DAY, status_good());
	stapler_add(stapler, &made);
	assert_int_equal(offer(stapler, blob_hex("30030a0103")), CLINCH_E_FORMAT);                       /* tryLater */
	assert_int_equal(offer(stapler, staple(&made, -2 * DAY, -DAY, status_good())), CLINCH_E_FORMAT); /* expired */
	assert_int_equal(offer(stapler, staple(&made, -HOUR, DAY, status_unknown())), CLINCH_E_FORMAT);
	assert_int_equal(offer(stapler, staple(&other, -HOUR, DAY, status_good())), CLINCH_E_MISSING);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_NO_STAPLE);
	assert_int_equal(offer(stapler, good), 0);
	assert_int_equal(offer(stapler, good), 0); /* the same again */
	assert_int_equal(offer(stapler, staple(&made, -2 * HOUR, 9 * DAY, status_good())), CLINCH_E_ARGUMENT); /* a replay */
	((uint8_t *)(uintptr_t)good.data)[good.len - 1] ^= 1;
	assert_int_equal(offer(stapler, good), CLINCH_E_FORMAT);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	clinch_stapler_free(stapler);
}

static void revoked_is_sent_or_dropped_as_the_operator_says(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "55", "a.test", BLOB_NONE);
	for (int drop = 0; drop < 2; drop++) {
		const struct clinch_stapler_options options = { .drop_revoked = drop };
		clinch_stapler_t *stapler = stapler_of(&options);
		stapler_add(stapler, &made);
		assert_int_equal(offer(stapler, staple(&made, -HOUR, DAY, status_good())), 0);
		assert_int_equal(offer(stapler, staple(&made, -60, DAY, status_revoked(instant(-120), 1))), 0);
		assert_int_equal(reason_seen(stapler, TLS13, "a.test"),
				 drop ? CLINCH_REASON_NO_STAPLE : CLINCH_REASON_REVOKED);
		clinch_stapler_free(stapler);
	}
}

static void a_must_staple_certificate_without_a_staple_can_be_refused(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "56", "a.test", must_staple()),
		    plain = make_leaf(KEY_OTHER, "57", "b.test", BLOB_NONE);
	const struct clinch_stapler_options options = { .refuse_unstapled = true };
	clinch_stapler_t *stapler = stapler_of(&options);
	struct talk talk;
	stapler_add(stapler, &made);
	stapler_add(stapler, &plain);
	shake(&talk, stapler, TLS13, "a.test", NULL);
	assert_true(talk.server_rc < 0 && gnutls_error_is_fatal(talk.server_rc));
	talk_end(&talk);
	assert_int_equal(reason_seen(stapler, TLS13, "b.test"), CLINCH_REASON_NO_STAPLE);
	assert_int_equal(offer(stapler, staple(&made, -HOUR, DAY, status_good())), 0);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	clinch_stapler_free(stapler);
}

/* ---- the choice, beside GnuTLS's own credentials ---- */

static const char *const priorities[] = {
	TLS12,
	TLS13,
	TLS12 ":-ECDHE-ECDSA",
	TLS12 ":-ECDHE-RSA:-DHE-RSA:-RSA",
	TLS12 ":-KX-ALL:+RSA",
	TLS12 ":-KX-ALL:+DHE-RSA:+ECDHE-ECDSA",
	TLS12 ":-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA",
	TLS12 ":-SIGN-ALL:+SIGN-RSA-SHA256",
	TLS12 ":-SIGN-ALL:+SIGN-ECDSA-SHA256",
	TLS13 ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256:+SIGN-ECDSA-SHA256",
	TLS13 ":-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256",
	TLS13 ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256",
	"NORMAL",
	"SECURE256",
};

/* The key of the certificate that came: GNUTLS_PK_...; 0: the handshake failed. */
static int key_seen(struct talk *talk)
{
	int kind = 0;
	const gnutls_datum_t *peer = gnutls_certificate_get_peers(talk->client, NULL);
	if (talk->client_rc == 0 && talk->server_rc == 0 && peer) {
		gnutls_x509_crt_t cert = import_cert(blob_of(peer->data, peer->size));
		kind = gnutls_x509_crt_get_pk_algorithm(cert, NULL);
		gnutls_x509_crt_deinit(cert);
	}
	talk_end(talk);
	return kind;
}

/* Nobody verifies here: which certificate comes is the question. */
static int choice(clinch_stapler_t *stapler, gnutls_certificate_credentials_t native, const char *priority)
{
	struct talk talk;
	talk_begin(&talk, priority, "a.test");
	if (stapler)
		assert_int_equal(clinch_stapler_attach(stapler, talk.server), 0);
	else
		gnutls_credentials_set(talk.server, GNUTLS_CRD_CERTIFICATE, native);
	talk_on(&talk);
	return key_seen(&talk);
}

static void add_native(gnutls_certificate_credentials_t native, const struct made *made)
{
	gnutls_datum_t chain = blob_datum(made->chain), key = blob_datum(made->key);
	assert_true(gnutls_certificate_set_x509_key_mem(native, &chain, &key, GNUTLS_X509_FMT_PEM) >= 0);
}

static void the_choice_is_the_one_of_gnutls_own_credentials(void **state)
{
	(void)state;
	struct made ec = make_leaf(KEY_LEAF, "58", "a.test", BLOB_NONE), rsa = make_leaf(KEY_RSA, "59", "a.test", BLOB_NONE);
	for (int rsa_first = 0; rsa_first < 2; rsa_first++) {
		gnutls_certificate_credentials_t native;
		clinch_stapler_t *stapler = stapler_of(NULL);
		gnutls_certificate_allocate_credentials(&native);
		stapler_add(stapler, rsa_first ? &rsa : &ec);
		stapler_add(stapler, rsa_first ? &ec : &rsa);
		add_native(native, rsa_first ? &rsa : &ec);
		add_native(native, rsa_first ? &ec : &rsa);
		for (size_t i = 0; i < ROWS(priorities); i++)
			check_int(priorities[i], choice(stapler, NULL, priorities[i]), choice(NULL, native, priorities[i]));
		gnutls_certificate_free_credentials(native);
		clinch_stapler_free(stapler);
	}
}

/*
 * Here GnuTLS's own credentials send the key on P-256 all the same. RFC 8422 5.1.1 wants the key's curve among the groups
 * that the client supports, and clients break off that take it at its word: the RSA key is the one that works with all.
 */
static void a_curve_that_the_client_has_not_is_not_chosen(void **state)
{
	(void)state;
	static const char p384_only[] = TLS12 ":-GROUP-ALL:+GROUP-SECP384R1";
	struct made ec = make_leaf(KEY_LEAF, "65", "a.test", BLOB_NONE), rsa = make_leaf(KEY_RSA, "66", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	stapler_add(stapler, &ec);
	assert_int_equal(choice(stapler, NULL, p384_only), GNUTLS_PK_ECDSA); /* there is no other */
	stapler_add(stapler, &rsa);
	assert_int_equal(choice(stapler, NULL, p384_only), GNUTLS_PK_RSA);
	clinch_stapler_free(stapler);
}

static void a_name_finds_its_certificate_whatever_its_case(void **state)
{
	(void)state;
	struct made a = make_leaf(KEY_LEAF, "5a", "a.test", BLOB_NONE), b = make_leaf(KEY_LEAF, "5b", "b.test", BLOB_NONE),
		    wild = make_leaf(KEY_LEAF, "5c", "*.wild.test", BLOB_NONE);
	const struct {
		const char *host;
		const struct made *made;
	} rows[] = { { "a.test", &a },    { "b.test", &b },        { "B.Test", &b },      { "x.wild.test", &wild },
		     { "wild.test", &a }, { "y.x.wild.test", &a }, { "nobody.test", &a }, { NULL, &a } };
	clinch_stapler_t *stapler = stapler_of(NULL);
	stapler_add(stapler, &a);
	stapler_add(stapler, &b);
	stapler_add(stapler, &wild);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct talk talk;
		const char *row = rows[i].host ? rows[i].host : "no name";
		shake(&talk, stapler, i % 2 ? TLS12 : TLS13, rows[i].host, NULL);
		const gnutls_datum_t *peer = gnutls_certificate_get_peers(talk.client, NULL);
		check(row, peer && peer->size == rows[i].made->leaf.len &&
				   memcmp(peer->data, rows[i].made->leaf.data, peer->size) == 0);
		talk_end(&talk);
	}
	clinch_stapler_free(stapler);
}

/* ---- what a session keeps ---- */

static int stop_at_hello(gnutls_session_t session)
{
	bool *stopped = gnutls_session_get_ptr(session);
	if (*stopped)
		return 0;
	*stopped = true;
	return GNUTLS_E_INTERRUPTED;
}

static void swap_everything(clinch_stapler_t *stapler, const struct made *made, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		if (i % 100 == 0)
			stapler_add(stapler, made);
		assert_int_equal(offer(stapler, staple(made, -HOUR + (int64_t)i, 3 * DAY, status_good())), 0);
	}
}

/* One session stands between ClientHello and Certificate, another is open, while a thousand sets are published and freed. */
static void sessions_keep_what_they_began_with(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "5d", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct talk open, held;
	bool stopped = false;
	stapler_add(stapler, &made);
	assert_int_equal(offer(stapler, staple(&made, -2 * HOUR, 3 * DAY, status_good())), 0);
	assert_true(shake(&open, stapler, TLS13, "a.test", NULL)->accepted);
	talk_begin(&held, TLS13, "a.test");
	assert_int_equal(clinch_stapler_attach(stapler, held.server), 0);
	assert_int_equal(clinch_client_attach(held.client, NULL, NULL), 0);
	gnutls_session_set_ptr(held.server, &stopped);
	gnutls_handshake_set_post_client_hello_function(held.server, stop_at_hello);
	gnutls_handshake(held.client);
	assert_int_equal(gnutls_handshake(held.server), GNUTLS_E_INTERRUPTED);
	swap_everything(stapler, &made, 1000);
	clinch_stapler_free(stapler);
	talk_on(&held);
	assert_int_equal(held.server_rc, 0);
	assert_true(clinch_client_report(held.client)->accepted);
	const gnutls_datum_t *ours[2] = { gnutls_certificate_get_ours(open.server),
					  gnutls_certificate_get_ours(held.server) };
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ours[i]->size, made.leaf.len);
		assert_memory_equal(ours[i]->data, made.leaf.data, made.leaf.len);
	}
	talk_end(&open);
	talk_end(&held);
}

static void a_client_staples_for_itself_in_tls13_alone(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "5e", "a.test", BLOB_NONE);
	const gnutls_datum_t ca = blob_datum(world_ca());
	clinch_stapler_t *stapler = stapler_of(NULL);
	stapler_add(stapler, &made);
	assert_int_equal(offer(stapler, staple(&made, -HOUR, 3 * DAY, status_good())), 0);
	gnutls_certificate_set_x509_trust_mem(clinch_stapler_credentials(stapler), &ca, GNUTLS_X509_FMT_DER);
	for (int i = 0; i < 2; i++) {
		struct talk talk;
		talk_begin(&talk, i ? TLS13 : TLS12, "a.test");
		gnutls_certificate_server_set_request(talk.server, GNUTLS_CERT_REQUIRE);
		assert_int_equal(clinch_stapler_attach(stapler, talk.server), 0);
		assert_int_equal(clinch_client_attach(talk.server, NULL, NULL), 0);
		assert_int_equal(clinch_client_attach(talk.client, NULL, NULL), 0);
		assert_int_equal(clinch_stapler_attach(stapler, talk.client), 0);
		talk_on(&talk);
		assert_int_equal(talk.client_rc, 0);
		assert_int_equal(talk.server_rc, 0);
		const struct clinch_report *report = clinch_client_report(talk.server);
		assert_int_equal(report->reason, i ? CLINCH_REASON_GOOD : CLINCH_REASON_NO_STAPLE);
		talk_end(&talk);
	}
	clinch_stapler_free(stapler);
}

static void attaching_says_what_is_wrong_with_it(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "5f", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct talk talk;
	talk_begin(&talk, TLS13, NULL);
	assert_int_equal(clinch_stapler_attach(stapler, talk.server), CLINCH_E_MISSING);
	assert_int_equal(clinch_stapler_sent(talk.server), -1);
	stapler_add(stapler, &made);
	assert_int_equal(clinch_stapler_attach(stapler, talk.server), 0);
	assert_int_equal(clinch_stapler_attach(stapler, talk.server), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_stapler_sent(talk.server), -1);
	talk_end(&talk);
	clinch_stapler_free(stapler);
	clinch_stapler_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_staple_goes_out_over_both_versions),
		T(a_staple_stops_being_sent_before_it_ends),
		T(only_what_is_believed_and_newer_gets_in),
		T(revoked_is_sent_or_dropped_as_the_operator_says),
		T(a_must_staple_certificate_without_a_staple_can_be_refused),
		T(the_choice_is_the_one_of_gnutls_own_credentials),
		T(a_curve_that_the_client_has_not_is_not_chosen),
		T(a_name_finds_its_certificate_whatever_its_case),
		T(sessions_keep_what_they_began_with),
		T(a_client_staples_for_itself_in_tls13_alone),
		T(attaching_says_what_is_wrong_with_it),
	};
	return cmocka_run_group_tests_name("stapler", tests, NULL, drop_keys);
}
