/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The path under a session: each certificate's issuer is taken from it, and what is wrong with it is no staple's fault. */
#include "meeting.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char *const versions[] = { "1.2", "1.3" };

#define FOR_BOTH_VERSIONS for (unsigned v = 0; v < 2; v++)

/* Refused for the path: whatever the alert is, it does not blame the staple, which was good. */
static void assert_path_refused(struct meeting *meeting, const char *reason)
{
	if (!meeting->staple[0])
		meeting->staple[0] = GOOD_LEAF;
	meet(meeting);
	assert_non_null(meeting->report);
	assert_int_not_equal(meeting->pair.server_alert, -1);
	assert_int_not_equal(meeting->pair.server_alert, ALERT_BAD_STATUS);
	assert_refused(meeting, reason, meeting->pair.server_alert);
	meeting_done(meeting);
}

static void assert_issuer(const struct meeting *meeting, unsigned i, const char *name)
{
	const gnutls_datum_t *wanted = world_item(world_get(meeting->kind), "certificate", name);

	assert_int_equal(meeting->report->member[i].issuer.size, wanted->size);
	assert_memory_equal(meeting->report->member[i].issuer.data, wanted->data, wanted->size);
}

/* ---- issuers come from the path ---- */

/* near: no-certificate, path-untrusted, path-signature, issuer-unprepared */
static void a_root_that_was_not_sent_is_still_the_issuer(void **state)
{
	(void)state;
	struct meeting meeting = { .staple = { GOOD_LEAF, GOOD_ISSUER } };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_int_equal(meeting.report->n, 2);
	assert_issuer(&meeting, 0, "issuer");
	assert_issuer(&meeting, 1, "root");
	assert_member(meeting.report, 1, "good", "good");
	meeting_done(&meeting);
}

static void a_root_that_was_sent_is_not_judged(void **state)
{
	(void)state;
	struct meeting meeting = { .chain = { "leaf", "issuer", "root" }, .staple = { GOOD_LEAF } };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_int_equal(meeting.report->n, 2);
	meeting_done(&meeting);
}

static void a_trusted_intermediate_is_the_anchor_and_not_judged(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .trusted = "issuer", .staple = { GOOD_LEAF } };
		meet(&meeting);
		assert_accepted(&meeting, "good");
		assert_int_equal(meeting.report->n, 1);
		assert_issuer(&meeting, 0, "issuer");
		meeting_done(&meeting);
	}
}

/* near: issuer-unknown */
static void an_intermediate_that_was_not_sent_but_is_trusted_is_the_issuer(void **state)
{
	(void)state;
	struct meeting meeting = { .trusted = "issuer", .chain = { "leaf" }, .staple = { GOOD_LEAF } };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_int_equal(meeting.report->n, 1);
	assert_issuer(&meeting, 0, "issuer");
	meeting_done(&meeting);
}

static void certificates_in_another_order_keep_their_staples(void **state)
{
	(void)state;
	struct meeting meeting = { .chain = { "leaf", "sibling", "issuer" },
				   .staple = { GOOD_LEAF, NULL, GOOD_ISSUER },
				   .policy.require = CLINCH_REQUIRE_CHAIN };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_int_equal(meeting.report->n, 2);
	assert_member(meeting.report, 1, "good", "good");
	meeting_done(&meeting);
}

/* It is no longer nor shorter than the issuer's, and stands before it. */
static void a_staple_of_a_certificate_beside_the_path_does_not_matter(void **state)
{
	(void)state;
	struct meeting meeting = { .chain = { "leaf", "cousin", "issuer" },
				   .staple = { GOOD_LEAF, "garbage_is_refused", GOOD_ISSUER } };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_int_equal(meeting.server_offer.chain[1].cert.size, meeting.server_offer.chain[2].cert.size);
	assert_int_equal(meeting.report->n, 2);
	assert_member(meeting.report, 1, "good", "good");
	meeting_done(&meeting);
}

static void a_staple_for_a_certificate_that_is_trusted_itself_cannot_be_judged(void **state)
{
	(void)state;
	struct meeting bare = { .trusted = "leaf", .chain = { "leaf" } };
	meet(&bare);
	assert_accepted(&bare, "no-staple");
	meeting_done(&bare);

	struct meeting stapled = { .trusted = "leaf", .chain = { "leaf" }, .staple = { GOOD_LEAF } };
	meet(&stapled);
	assert_refused(&stapled, "issuer-unknown", ALERT_BAD_STATUS);
	meeting_done(&stapled);
}

/* ---- what is wrong with a path ---- */

static void refuses_a_peer_that_shows_no_certificate(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .is_raw_key = true };
		meet(&meeting);
		assert_non_null(meeting.report);
		assert_int_equal(meeting.report->n, 0);
		assert_int_not_equal(meeting.pair.server_alert, ALERT_BAD_STATUS);
		assert_refused(&meeting, "no-certificate", meeting.pair.server_alert);
		meeting_done(&meeting);
	}
}

static void refuses_a_path_to_nobody_that_is_trusted(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .trusted = "stranger" };
		assert_path_refused(&meeting, "path-untrusted");
	}
}

static void refuses_a_certificate_for_another_name(void **state)
{
	const char *const hosts[] = { "other.example.test", "example.test", "mail.example.test.invalid", "127.0.0.1" };

	(void)state;
	FOR_BOTH_VERSIONS for (unsigned i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
	{
		struct meeting meeting = { .version = versions[v], .host = hosts[i] };
		assert_path_refused(&meeting, "path-name");
	}
}

static void refuses_an_expired_certificate(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .chain = { "leaf-ended", "issuer" } };
		assert_path_refused(&meeting, "path-expired");
	}
}

static void refuses_an_expired_issuer(void **state)
{
	(void)state;
	struct meeting meeting = { .chain = { "leaf-of-ended-issuer", "issuer-ended" },
				   .staple = { "an_issuer_that_has_ended_may_not_vouch" } };
	assert_path_refused(&meeting, "path-expired");
}

static void refuses_a_certificate_that_is_not_valid_yet(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .chain = { "leaf-not-begun", "issuer" } };
		assert_path_refused(&meeting, "path-not-yet-valid");
	}
}

static void refuses_an_issuer_that_is_not_valid_yet(void **state)
{
	(void)state;
	struct meeting meeting = { .chain = { "leaf-of-issuer-not-begun", "issuer-not-begun" } };
	assert_path_refused(&meeting, "path-not-yet-valid");
}

/* The instant of the policy counts for the path as for the staple. */
static void judges_the_path_at_the_instant_of_the_staple(void **state)
{
	(void)state;
	struct meeting late = { .policy.at = MEETING_NOW + INT64_C(86400) * 365 };
	assert_path_refused(&late, "path-expired");
	struct meeting early = { .policy.at = MEETING_NOW - INT64_C(86400) * 60 };
	assert_path_refused(&early, "path-not-yet-valid");
}

/* near: path-expired, path-not-yet-valid. From notBefore through notAfter, inclusive (RFC 5280 4.1.2.5). */
static void judges_the_first_and_the_last_second_of_a_certificate_as_valid(void **state)
{
	const int64_t first = INT64_C(1906502400), last = INT64_C(1914278400); /* of leaf: 2030-06-01, 2030-08-30 */
	const struct {
		int64_t at;
		const char *reason;
	} rows[] = { { first, NULL }, { first - 1, "path-not-yet-valid" }, { last, NULL }, { last + 1, "path-expired" } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct meeting meeting = { .policy.at = rows[i].at };
		meet(&meeting);
		if (rows[i].reason)
			assert_refused(&meeting, rows[i].reason, meeting.pair.server_alert);
		else
			assert_accepted(&meeting, "no-staple");
		meeting_done(&meeting);
	}
}

/* The clock is not pinned here: certificates that ended long ago, last, or begin far off. */
static void judges_now_where_no_instant_is_given(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		int64_t before = (int64_t)time(NULL);
		struct meeting lasting = { .version = versions[v], .chain = { "leaf-lasting", "issuer" }, .is_now = true };
		meet(&lasting);
		assert_accepted(&lasting, "no-staple");
		assert_in_range((uintmax_t)lasting.report->at, (uintmax_t)before, (uintmax_t)time(NULL));
		meeting_done(&lasting);

		struct meeting ended = { .version = versions[v], .chain = { "leaf-long-ended", "issuer" }, .is_now = true };
		assert_path_refused(&ended, "path-expired");
		struct meeting far_off = { .version = versions[v], .chain = { "leaf-far-off", "issuer" }, .is_now = true };
		assert_path_refused(&far_off, "path-not-yet-valid");
	}
}

/* GnuTLS reads a BOOLEAN of 01; the judge reads strict DER, and judges nothing that it cannot read. */
static void refuses_a_certificate_that_is_not_strict_der(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v],
					   .chain = { "leaf-boolean-01", "issuer" },
					   .staple = { GOOD_LEAF } };
		meet(&meeting);
		assert_refused(&meeting, "issuer-unprepared", ALERT_BAD_STATUS);
		meeting_done(&meeting);

		struct meeting bare = { .version = versions[v],
					.chain = { "leaf-boolean-01", "issuer" },
					.policy.require = CLINCH_REQUIRE_NONE };
		meet(&bare);
		assert_refused(&bare, "issuer-unprepared", bare.pair.server_alert);
		meeting_done(&bare);
	}
}

static void refuses_a_leaf_without_the_feature_of_its_issuer(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v],
					   .chain = { "leaf-of-must-staple-issuer", "issuer-must-staple" } };
		assert_path_refused(&meeting, "path-must-staple");
	}
}

static void refuses_a_certificate_for_clients_on_a_server(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .chain = { "leaf-client-only", "issuer" } };
		assert_path_refused(&meeting, "path-purpose");
	}
}

static void refuses_a_signature_by_a_namesake_of_the_issuer(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .chain = { "leaf-of-namesake", "issuer" } };
		assert_path_refused(&meeting, "path-signature");
	}
}

static void refuses_a_certificate_by_one_that_is_no_authority(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .chain = { "leaf-of-leaf", "leaf-neighbour", "issuer" } };
		assert_path_refused(&meeting, "path-constraint");
	}
}

static void chain_of_depth(struct meeting *meeting, unsigned depth, const char *leaf)
{
	static const char *const deep[] = { "deep1", "deep2",  "deep3",  "deep4",  "deep5",  "deep6",  "deep7",  "deep8",
					    "deep9", "deep10", "deep11", "deep12", "deep13", "deep14", "deep15", "deep16" };

	meeting->depth = 32;
	meeting->chain[0] = leaf;
	for (unsigned i = 0; i < depth; i++)
		meeting->chain[i + 1] = deep[depth - 1 - i];
}

/* near: path-other. A report has room for 16; what is beyond is refused, not left out. */
static void judges_a_path_of_16_and_refuses_one_of_17(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting longest = { .version = versions[v] };
		chain_of_depth(&longest, 15, "leaf-of-deep15");
		meet(&longest);
		assert_accepted(&longest, "no-staple");
		assert_int_equal(longest.report->n, 16);
		assert_issuer(&longest, 15, "root");
		meeting_done(&longest);

		struct meeting longer = { .version = versions[v] };
		chain_of_depth(&longer, 16, "leaf-of-deep16");
		assert_path_refused(&longer, "path-other");
	}
}

static void refuses_an_unknown_critical_extension(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .chain = { "leaf-critical", "issuer" } };
		assert_path_refused(&meeting, "path-constraint");
	}
}

static void refuses_keys_that_the_session_s_profile_refuses(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .kind = "rsa", .version = versions[v], .priority = "%PROFILE_HIGH" };
		assert_path_refused(&meeting, "path-weak");
	}
	/* near: path-weak */
	struct meeting fine = { .kind = "rsa", .priority = "%PROFILE_MEDIUM", .staple = { GOOD_LEAF } };
	meet(&fine);
	assert_accepted(&fine, "good");
	meeting_done(&fine);
}

/* ---- CRLs that the application loaded ---- */

static void a_crl_that_the_application_loaded_revokes(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting leaf = { .version = versions[v], .crl = "of-leaf" };
		assert_path_refused(&leaf, "path-crl");
		struct meeting issuer = { .version = versions[v], .crl = "of-issuer" };
		assert_path_refused(&issuer, "path-crl");
	}
}

/* RFC 5280 6.3.3 (a): a CRL counts between its thisUpdate and its nextUpdate, at the instant of judgement. */
static void a_crl_that_is_not_current_cannot_be_believed(void **state)
{
	const char *const lists[] = { "of-nobody-ended", "of-nobody-to-come" };

	(void)state;
	FOR_BOTH_VERSIONS for (unsigned i = 0; i < 2; i++)
	{
		struct meeting meeting = { .version = versions[v], .crl = lists[i] };
		assert_path_refused(&meeting, "path-crl");
	}
}

/* near: path-crl. "of-nobody" is from a day ago to six days ahead. */
static void a_crl_is_current_from_its_first_to_its_last_second(void **state)
{
	const struct {
		int64_t after;
		bool is_current;
	} rows[] = { { -86400, true }, { -86401, false }, { 6 * 86400, true }, { 6 * 86400 + 1, false } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct meeting meeting = { .policy.at = MEETING_NOW + rows[i].after, .crl = "of-nobody" };
		meet(&meeting);
		if (rows[i].is_current)
			assert_accepted(&meeting, "no-staple");
		else
			assert_refused(&meeting, "path-crl", meeting.pair.server_alert);
		meeting_done(&meeting);
	}
}

static void a_crl_that_names_others_does_not_matter(void **state)
{
	const char *const lists[] = { "of-nobody", "of-leaf-neighbour" };

	(void)state;
	FOR_BOTH_VERSIONS for (unsigned i = 0; i < 2; i++)
	{
		struct meeting meeting = { .version = versions[v], .staple = { GOOD_LEAF }, .crl = lists[i] };
		meet(&meeting);
		assert_accepted(&meeting, "good");
		meeting_done(&meeting);
	}
}

static int drop_worlds(void **state)
{
	(void)state;
	worlds_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_that_was_not_sent_is_still_the_issuer),
		cmocka_unit_test(a_root_that_was_sent_is_not_judged),
		cmocka_unit_test(a_trusted_intermediate_is_the_anchor_and_not_judged),
		cmocka_unit_test(an_intermediate_that_was_not_sent_but_is_trusted_is_the_issuer),
		cmocka_unit_test(certificates_in_another_order_keep_their_staples),
		cmocka_unit_test(a_staple_of_a_certificate_beside_the_path_does_not_matter),
		cmocka_unit_test(a_staple_for_a_certificate_that_is_trusted_itself_cannot_be_judged),
		cmocka_unit_test(refuses_a_peer_that_shows_no_certificate),
		cmocka_unit_test(refuses_a_path_to_nobody_that_is_trusted),
		cmocka_unit_test(refuses_a_certificate_for_another_name),
		cmocka_unit_test(refuses_an_expired_certificate),
		cmocka_unit_test(refuses_an_expired_issuer),
		cmocka_unit_test(refuses_a_certificate_that_is_not_valid_yet),
		cmocka_unit_test(refuses_an_issuer_that_is_not_valid_yet),
		cmocka_unit_test(judges_the_path_at_the_instant_of_the_staple),
		cmocka_unit_test(judges_the_first_and_the_last_second_of_a_certificate_as_valid),
		cmocka_unit_test(judges_now_where_no_instant_is_given),
		cmocka_unit_test(refuses_a_certificate_that_is_not_strict_der),
		cmocka_unit_test(refuses_a_leaf_without_the_feature_of_its_issuer),
		cmocka_unit_test(refuses_a_certificate_for_clients_on_a_server),
		cmocka_unit_test(refuses_a_signature_by_a_namesake_of_the_issuer),
		cmocka_unit_test(refuses_a_certificate_by_one_that_is_no_authority),
		cmocka_unit_test(judges_a_path_of_16_and_refuses_one_of_17),
		cmocka_unit_test(refuses_an_unknown_critical_extension),
		cmocka_unit_test(refuses_keys_that_the_session_s_profile_refuses),
		cmocka_unit_test(a_crl_that_the_application_loaded_revokes),
		cmocka_unit_test(a_crl_that_is_not_current_cannot_be_believed),
		cmocka_unit_test(a_crl_is_current_from_its_first_to_its_last_second),
		cmocka_unit_test(a_crl_that_names_others_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, drop_worlds);
}
