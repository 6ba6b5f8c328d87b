/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A resumed session: GnuTLS asks nobody then, and the report judges again what was sent in the first one. */
#include "meeting.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY_S INT64_C(86400)

static const char *const versions[] = { "1.2", "1.3" };

#define FOR_BOTH_VERSIONS for (unsigned v = 0; v < 2; v++)

/* A first session that is kept in `saved`; attached, it must be accepted. */
static void meet_first(struct pair_credentials *credentials, gnutls_datum_t *saved, const char *version, const char *staple,
		       bool is_unattached)
{
	struct meeting first = { .version = version,
				 .staple = { staple },
				 .is_unattached = is_unattached,
				 .save = saved,
				 .credentials = credentials };

	pair_credentials_init(credentials, world_get("ec"), "root");
	meet(&first);
	assert_int_equal(first.pair.client_rc, 0);
	assert_true(is_unattached ? !first.report : first.report->accepted && !first.report->resumed);
	meeting_done(&first);
}

static void meet_again(struct meeting *second, struct pair_credentials *credentials, gnutls_datum_t *saved,
		       const char *version)
{
	second->version = version;
	second->resume = saved;
	second->credentials = credentials;
	meet(second);
	assert_int_equal(second->pair.client_rc, 0); /* GnuTLS lets it pass: the report does not */
	assert_true(gnutls_session_is_resumed(second->pair.client));
	assert_non_null(second->report);
	assert_true(second->report->resumed);
	assert_true(second->report->member[0].verdict.findings >> CLINCH_FINDING_RESUMED & 1);
}

static void over(struct meeting *second, struct pair_credentials *credentials, gnutls_datum_t *saved)
{
	meeting_done(second);
	pair_credentials_done(credentials);
	gnutls_free(saved->data);
}

static void a_resumed_session_is_judged_again_and_still_good(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct pair_credentials credentials;
		gnutls_datum_t saved;
		struct meeting second = { .staple = { GOOD_LEAF }, .policy.at = MEETING_NOW + DAY_S };

		meet_first(&credentials, &saved, versions[v], GOOD_LEAF, false);
		meet_again(&second, &credentials, &saved, versions[v]);
		assert_accepted(&second, "good");
		assert_int_equal(second.report->at, MEETING_NOW + DAY_S);
		assert_member(second.report, 0, "good", "good");
		over(&second, &credentials, &saved);
	}
}

static void a_resumed_session_whose_staple_expired_since_is_refused(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct pair_credentials credentials;
		gnutls_datum_t saved;
		struct meeting second = { .staple = { GOOD_LEAF }, .policy.at = MEETING_NOW + 5 * DAY_S };

		meet_first(&credentials, &saved, versions[v], GOOD_LEAF, false);
		meet_again(&second, &credentials, &saved, versions[v]);
		assert_false(second.report->accepted);
		assert_string_equal(clinch_reason_name(second.report->reason), "expired");
		over(&second, &credentials, &saved);
	}
}

static void a_resumed_session_whose_certificate_expired_since_is_refused(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct pair_credentials credentials;
		gnutls_datum_t saved;
		struct meeting second = { .policy.at = MEETING_NOW + 100 * DAY_S };

		meet_first(&credentials, &saved, versions[v], GOOD_LEAF, false);
		meet_again(&second, &credentials, &saved, versions[v]);
		assert_false(second.report->accepted);
		assert_string_equal(clinch_reason_name(second.report->reason), "path-expired");
		over(&second, &credentials, &saved);
	}
}

/* The application learnt of it by a CRL; the staple of the first session is still good. */
static void a_resumed_session_whose_certificate_was_revoked_since_is_refused(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct pair_credentials credentials;
		gnutls_datum_t saved;
		struct meeting second = { .staple = { REVOKED_LEAF }, .crl = "of-leaf" };

		meet_first(&credentials, &saved, versions[v], GOOD_LEAF, false);
		meet_again(&second, &credentials, &saved, versions[v]);
		assert_false(second.report->accepted);
		assert_string_equal(clinch_reason_name(second.report->reason), "path-crl");
		over(&second, &credentials, &saved);
	}
}

/* A session that somebody else let pass, without clinch, does not get by. */
static void a_resumed_session_that_was_revoked_from_the_start_is_refused(void **state)
{
	const struct {
		const char *staple, *reason;
	} rows[] = { { REVOKED_LEAF, "revoked" },
		     { UNKNOWN_LEAF, "unknown" },
		     { "garbage_is_refused", "response-malformed" } };

	(void)state;
	FOR_BOTH_VERSIONS for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
	{
		struct pair_credentials credentials;
		gnutls_datum_t saved;
		struct meeting second = { .staple = { GOOD_LEAF } };

		meet_first(&credentials, &saved, versions[v], rows[i].staple, true);
		meet_again(&second, &credentials, &saved, versions[v]);
		assert_false(second.report->accepted);
		assert_string_equal(clinch_reason_name(second.report->reason), rows[i].reason);
		over(&second, &credentials, &saved);
	}
}

static void a_resumed_session_without_a_required_staple_is_refused(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct pair_credentials credentials;
		gnutls_datum_t saved;
		struct meeting second = { .staple = { GOOD_LEAF }, .policy.require = CLINCH_REQUIRE_LEAF };

		meet_first(&credentials, &saved, versions[v], NULL, false);
		meet_again(&second, &credentials, &saved, versions[v]);
		assert_false(second.report->accepted);
		assert_string_equal(clinch_reason_name(second.report->reason), "missing-required");
		over(&second, &credentials, &saved);
	}
}

static void a_resumed_session_for_another_host_is_refused(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct pair_credentials credentials;
		gnutls_datum_t saved;
		struct meeting second = { .staple = { GOOD_LEAF }, .host = "other.example.test" };

		meet_first(&credentials, &saved, versions[v], GOOD_LEAF, false);
		meet_again(&second, &credentials, &saved, versions[v]);
		assert_false(second.report->accepted);
		assert_string_equal(clinch_reason_name(second.report->reason), "path-name");
		over(&second, &credentials, &saved);
	}
}

/* The second session's server offers another certificate's ticket key: a full handshake, and the new staple counts. */
static void a_session_that_could_not_be_resumed_is_judged_by_its_own_staple(void **state)
{
	(void)state;
	FOR_BOTH_VERSIONS
	{
		struct pair_credentials first, fresh;
		gnutls_datum_t saved;
		struct meeting second = {
			.version = versions[v], .staple = { REVOKED_LEAF }, .resume = &saved, .credentials = &fresh
		};

		meet_first(&first, &saved, versions[v], GOOD_LEAF, false);
		pair_credentials_init(&fresh, world_get("ec"), "root");
		meet(&second);
		assert_refused(&second, "revoked", ALERT_BAD_STATUS);
		assert_false(second.report->resumed);
		over(&second, &fresh, &saved);
		pair_credentials_done(&first);
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
		cmocka_unit_test(a_resumed_session_is_judged_again_and_still_good),
		cmocka_unit_test(a_resumed_session_whose_staple_expired_since_is_refused),
		cmocka_unit_test(a_resumed_session_whose_certificate_expired_since_is_refused),
		cmocka_unit_test(a_resumed_session_whose_certificate_was_revoked_since_is_refused),
		cmocka_unit_test(a_resumed_session_that_was_revoked_from_the_start_is_refused),
		cmocka_unit_test(a_resumed_session_without_a_required_staple_is_refused),
		cmocka_unit_test(a_resumed_session_for_another_host_is_refused),
		cmocka_unit_test(a_session_that_could_not_be_resumed_is_judged_by_its_own_staple),
	};

	return cmocka_run_group_tests(tests, NULL, drop_worlds);
}
