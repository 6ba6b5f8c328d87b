/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only a session can show of staples: missing ones, required ones, those of the chain, and a client's own. */
#include "meeting.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const versions[] = { "1.2", "1.3" };

#define FOR_BOTH_VERSIONS for (unsigned v = 0; v < 2; v++)

/* ---- nothing was sent ---- */

static void accepts_no_staple_where_none_is_required(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v] };
		meet(&meeting);
		assert_accepted(&meeting, "no-staple");
		assert_int_equal(meeting.report->n, 2);
		assert_member(meeting.report, 0, "missing", "no-staple");
		assert_member(meeting.report, 1, "missing", "no-staple");
		assert_int_equal(meeting.report->member[0].staple.size, 0);
		meeting_done(&meeting);
	}
}

static void refuses_a_must_staple_certificate_without_its_staple(void **state)
{
	const char *const leaves[] = { "leaf-must-staple", "leaf-both-features" };

	(void)state;
	FOR_BOTH_VERSIONS for (unsigned i = 0; i < 2; i++)
	{
		struct meeting meeting = { .version = versions[v], .chain = { leaves[i], "issuer" } };
		meet(&meeting);
		assert_refused(&meeting, "missing-must-staple", ALERT_BAD_STATUS);
		assert_member(meeting.report, 0, "missing", "missing-must-staple");
		meeting_done(&meeting);
	}
}

static void another_tls_feature_is_not_must_staple(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .chain = { "leaf-other-feature", "issuer" } };
		meet(&meeting);
		assert_accepted(&meeting, "no-staple");
		meeting_done(&meeting);
	}
}

static void require_none_lets_must_staple_go_without(void **state)
{
	(void)state;
	struct meeting meeting = { .chain = { "leaf-must-staple", "issuer" }, .policy.require = CLINCH_REQUIRE_NONE };
	meet(&meeting);
	assert_accepted(&meeting, "no-staple");
	meeting_done(&meeting);
}

static void require_none_still_refuses_a_staple_that_is_not_good(void **state)
{
	const struct {
		const char *staple, *reason;
	} rows[] = { { REVOKED_LEAF, "revoked" },
		     { UNKNOWN_LEAF, "unknown" },
		     { "garbage_is_refused", "response-malformed" },
		     { "a_response_that_expired_days_ago_is_refused", "expired" } };

	(void)state;
	FOR_BOTH_VERSIONS for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
	{
		struct meeting meeting = { .version = versions[v],
					   .staple = { rows[i].staple },
					   .policy.require = CLINCH_REQUIRE_NONE };
		meet(&meeting);
		assert_refused(&meeting, rows[i].reason, ALERT_BAD_STATUS);
		meeting_done(&meeting);
	}
}

static void must_staple_is_not_satisfied_by_an_error_or_an_unknown(void **state)
{
	const struct {
		const char *staple, *reason;
	} rows[] = { { "an_error_does_not_satisfy_must_staple", "responder-try-later" },
		     { "an_unknown_does_not_satisfy_must_staple", "unknown" },
		     { "a_must_staple_certificate_may_be_revoked", "revoked" } };

	(void)state;
	FOR_BOTH_VERSIONS for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
	{
		struct meeting meeting = { .version = versions[v],
					   .chain = { "leaf-must-staple", "issuer" },
					   .staple = { rows[i].staple } };
		meet(&meeting);
		assert_refused(&meeting, rows[i].reason, ALERT_BAD_STATUS);
		meeting_done(&meeting);
	}
}

static void must_staple_is_satisfied_by_its_good_staple(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v],
					   .chain = { "leaf-must-staple", "issuer" },
					   .staple = { GOOD_MUST_STAPLE } };
		meet(&meeting);
		assert_accepted(&meeting, "good");
		meeting_done(&meeting);
	}
}

/* ---- leaf and chain ---- */

static void require_leaf_refuses_any_certificate_without_its_staple(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .policy.require = CLINCH_REQUIRE_LEAF };
		meet(&meeting);
		assert_refused(&meeting, "missing-required", ALERT_BAD_STATUS);
		meeting_done(&meeting);
	}
}

static void require_leaf_does_not_ask_for_the_chain_s(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v],
					   .staple = { GOOD_LEAF },
					   .policy.require = CLINCH_REQUIRE_LEAF };
		meet(&meeting);
		assert_accepted(&meeting, "good");
		assert_member(meeting.report, 1, "missing", "no-staple");
		meeting_done(&meeting);
	}
}

static void require_chain_is_met_by_a_staple_for_each(void **state)
{
	(void)state;
	struct meeting meeting = { .staple = { GOOD_LEAF, GOOD_ISSUER }, .policy.require = CLINCH_REQUIRE_CHAIN };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_member(meeting.report, 0, "good", "good");
	assert_member(meeting.report, 1, "good", "good");
	assert_non_null(meeting.report->member[1].response);
	meeting_done(&meeting);
}

static void require_chain_refuses_an_intermediate_without_its_staple(void **state)
{
	(void)state;
	struct meeting meeting = { .staple = { GOOD_LEAF }, .policy.require = CLINCH_REQUIRE_CHAIN };
	meet(&meeting);
	assert_refused(&meeting, "missing-required", ALERT_BAD_STATUS);
	assert_member(meeting.report, 0, "good", "good");
	assert_member(meeting.report, 1, "missing", "missing-required");
	meeting_done(&meeting);
}

static void require_chain_cannot_be_met_by_tls12(void **state)
{
	(void)state;
	struct meeting meeting = { .version = "1.2",
				   .staple = { GOOD_LEAF, GOOD_ISSUER },
				   .policy.require = CLINCH_REQUIRE_CHAIN };
	meet(&meeting);
	assert_refused(&meeting, "missing-required", ALERT_BAD_STATUS);
	assert_member(meeting.report, 1, "missing", "missing-required");
	meeting_done(&meeting);
}

static void require_chain_does_not_ask_for_the_root_s(void **state)
{
	(void)state;
	struct meeting meeting = { .chain = { "leaf", "issuer", "root" },
				   .staple = { GOOD_LEAF, GOOD_ISSUER },
				   .policy.require = CLINCH_REQUIRE_CHAIN };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_int_equal(meeting.report->n, 2);
	meeting_done(&meeting);
}

static void a_missing_staple_does_not_shift_the_next_into_its_place(void **state)
{
	(void)state;
	struct meeting meeting = { .staple = { NULL, GOOD_ISSUER } };
	meet(&meeting);
	assert_accepted(&meeting, "no-staple");
	assert_member(meeting.report, 0, "missing", "no-staple");
	assert_member(meeting.report, 1, "good", "good");
	meeting_done(&meeting);

	struct meeting strict = { .staple = { NULL, GOOD_ISSUER }, .policy.require = CLINCH_REQUIRE_LEAF };
	meet(&strict);
	assert_refused(&strict, "missing-required", ALERT_BAD_STATUS);
	meeting_done(&strict);
}

static void a_leaf_s_staple_in_the_issuer_s_place_is_refused(void **state)
{
	(void)state;
	struct meeting meeting = { .staple = { NULL, GOOD_LEAF } };
	meet(&meeting);
	assert_refused(&meeting, "signer-unknown", ALERT_BAD_STATUS);
	assert_member(meeting.report, 0, "missing", "no-staple");
	assert_member(meeting.report, 1, "invalid", "signer-unknown");
	meeting_done(&meeting);
}

static void a_revoked_intermediate_is_refused(void **state)
{
	const enum clinch_require requires[] = { CLINCH_REQUIRE_MUST_STAPLE, CLINCH_REQUIRE_NONE, CLINCH_REQUIRE_LEAF,
						 CLINCH_REQUIRE_CHAIN };

	(void)state;
	for (unsigned i = 0; i < sizeof(requires) / sizeof(*requires); i++) {
		struct meeting meeting = { .staple = { GOOD_LEAF, REVOKED_ISSUER }, .policy.require = requires[i] };
		meet(&meeting);
		assert_refused(&meeting, "revoked", ALERT_BAD_STATUS);
		assert_member(meeting.report, 0, "good", "good");
		assert_member(meeting.report, 1, "revoked", "revoked");
		meeting_done(&meeting);
	}
}

/* In TLS 1.2 the server has no place to say so. */
static void a_revoked_intermediate_is_not_seen_in_tls12(void **state)
{
	(void)state;
	struct meeting meeting = { .version = "1.2", .staple = { GOOD_LEAF, REVOKED_ISSUER } };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_member(meeting.report, 1, "missing", "no-staple");
	meeting_done(&meeting);
}

static void a_certificate_that_the_peer_added_may_not_vouch(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v],
					   .chain = { "leaf", "issuer", "sibling" },
					   .staple = { "a_sibling_may_not_vouch" } };
		meet(&meeting);
		assert_refused(&meeting, "signer-unknown", ALERT_BAD_STATUS);
		meeting_done(&meeting);
	}
}

static void a_delegate_is_remembered_from_session_to_session(void **state)
{
	clinch_signers_t *signers;

	(void)state;
	assert_int_equal(clinch_signers_new(&signers, 4), 0);
	for (unsigned i = 0; i < 4; i++) {
		struct meeting meeting = { .version = versions[i % 2],
					   .staple = { "a_delegate_is_good" },
					   .policy.signers = signers };
		meet(&meeting);
		assert_accepted(&meeting, "good");
		meeting_done(&meeting);
		struct meeting ended = { .version = versions[i % 2],
					 .staple = { "an_expired_delegate_says_revoked_and_may_not" },
					 .policy.signers = signers };
		meet(&ended);
		assert_refused(&ended, "delegate-expired", ALERT_BAD_STATUS);
		meeting_done(&ended);
	}
	clinch_signers_unref(signers);
}

/* ---- a client's certificate (TLS 1.3, RFC 8446 4.4.2.1) ---- */

static void a_client_s_good_staple_is_accepted(void **state)
{
	(void)state;
	struct meeting meeting = { .staple = { GOOD_LEAF },
				   .client_shows = true,
				   .client_staple = GOOD_LEAF,
				   .server_judges = true,
				   .server_policy.require = CLINCH_REQUIRE_LEAF };
	meet(&meeting);
	assert_accepted(&meeting, "good");
	assert_true(meeting.server_report->accepted);
	assert_member(meeting.server_report, 0, "good", "good");
	assert_member(meeting.server_report, 1, "missing", "no-staple");
	meeting_done(&meeting);
}

static void assert_server_refused(const struct meeting *meeting, const char *reason)
{
	assert_non_null(meeting->server_report);
	assert_false(meeting->server_report->accepted);
	assert_string_equal(clinch_reason_name(meeting->server_report->reason), reason);
	assert_int_equal(meeting->pair.server_rc, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
}

static void a_client_s_bad_staple_is_refused(void **state)
{
	const struct {
		const char *staple, *reason;
	} rows[] = { { REVOKED_LEAF, "revoked" },
		     { UNKNOWN_LEAF, "unknown" },
		     { "a_signature_by_a_strange_key_is_refused", "signature-bad" },
		     { "a_response_that_expired_days_ago_is_refused", "expired" } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct meeting meeting = { .client_shows = true, .client_staple = rows[i].staple, .server_judges = true };
		meet(&meeting);
		assert_server_refused(&meeting, rows[i].reason);
		meeting_done(&meeting);
	}
}

static void a_client_without_a_required_staple_is_refused(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		/* TLS 1.2 has no place for a client's staple: this one never arrives. */
		struct meeting meeting = { .version = versions[v],
					   .client_shows = true,
					   .client_staple = v ? NULL : GOOD_LEAF,
					   .server_judges = true,
					   .server_policy.require = CLINCH_REQUIRE_LEAF };
		meet(&meeting);
		assert_server_refused(&meeting, "missing-required");
		meeting_done(&meeting);
	}
}

static void a_client_without_a_certificate_gives_no_report(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .server_judges = true };
		meet(&meeting);
		assert_accepted(&meeting, "no-staple");
		assert_null(meeting.server_report);
		meeting_done(&meeting);
	}
}

/* ---- DTLS ---- */

static void judges_over_dtls(void **state)
{
	const struct {
		const char *staple, *reason;
	} refused[] = { { REVOKED_LEAF, "revoked" },
			{ UNKNOWN_LEAF, "unknown" },
			{ "garbage_is_refused", "response-malformed" } };

	(void)state;
	struct meeting good = { .version = "dtls", .staple = { GOOD_LEAF } };
	meet(&good);
	assert_accepted(&good, "good");
	assert_member(good.report, 0, "good", "good");
	meeting_done(&good);
	for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct meeting bad = { .version = "dtls", .staple = { refused[i].staple } };
		meet(&bad);
		assert_refused(&bad, refused[i].reason, ALERT_BAD_STATUS);
		meeting_done(&bad);
	}
}

/* ---- the call itself ---- */

static void gives_no_report_where_it_is_not_attached(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct meeting meeting = { .version = versions[v], .staple = { GOOD_LEAF }, .is_unattached = true };
		meet(&meeting);
		assert_int_equal(meeting.pair.client_rc, 0);
		assert_null(meeting.report);
		assert_null(meeting.server_report);
		meeting_done(&meeting);
	}
}

static void refuses_to_be_attached_wrongly(void **state)
{
	gnutls_datum_t some = { (unsigned char *)"some", 4 };
	const struct clinch_policy with_nonce = { .nonce = &some }, with_signer = { .trusted = &some };
	gnutls_session_t session;

	(void)state;
	assert_int_equal(clinch_client_attach(NULL, NULL, NULL), CLINCH_E_ARGUMENT);
	assert_int_equal(gnutls_init(&session, GNUTLS_CLIENT), 0);
	assert_int_equal(clinch_client_attach(session, NULL, &with_nonce), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_client_attach(session, NULL, &with_signer), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_client_attach(session, NULL, NULL), 0);
	assert_int_equal(clinch_client_attach(session, NULL, NULL), CLINCH_E_ARGUMENT);
	assert_null(clinch_client_report(session));
	gnutls_deinit(session);
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
		cmocka_unit_test(accepts_no_staple_where_none_is_required),
		cmocka_unit_test(refuses_a_must_staple_certificate_without_its_staple),
		cmocka_unit_test(another_tls_feature_is_not_must_staple),
		cmocka_unit_test(require_none_lets_must_staple_go_without),
		cmocka_unit_test(require_none_still_refuses_a_staple_that_is_not_good),
		cmocka_unit_test(must_staple_is_not_satisfied_by_an_error_or_an_unknown),
		cmocka_unit_test(must_staple_is_satisfied_by_its_good_staple),
		cmocka_unit_test(require_leaf_refuses_any_certificate_without_its_staple),
		cmocka_unit_test(require_leaf_does_not_ask_for_the_chain_s),
		cmocka_unit_test(require_chain_is_met_by_a_staple_for_each),
		cmocka_unit_test(require_chain_refuses_an_intermediate_without_its_staple),
		cmocka_unit_test(require_chain_cannot_be_met_by_tls12),
		cmocka_unit_test(require_chain_does_not_ask_for_the_root_s),
		cmocka_unit_test(a_missing_staple_does_not_shift_the_next_into_its_place),
		cmocka_unit_test(a_leaf_s_staple_in_the_issuer_s_place_is_refused),
		cmocka_unit_test(a_revoked_intermediate_is_refused),
		cmocka_unit_test(a_revoked_intermediate_is_not_seen_in_tls12),
		cmocka_unit_test(a_certificate_that_the_peer_added_may_not_vouch),
		cmocka_unit_test(a_delegate_is_remembered_from_session_to_session),
		cmocka_unit_test(a_client_s_good_staple_is_accepted),
		cmocka_unit_test(a_client_s_bad_staple_is_refused),
		cmocka_unit_test(a_client_without_a_required_staple_is_refused),
		cmocka_unit_test(a_client_without_a_certificate_gives_no_report),
		cmocka_unit_test(judges_over_dtls),
		cmocka_unit_test(gives_no_report_where_it_is_not_attached),
		cmocka_unit_test(refuses_to_be_attached_wrongly),
	};

	return cmocka_run_group_tests(tests, NULL, drop_worlds);
}
