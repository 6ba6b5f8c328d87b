/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client half, in a handshake with a real server: verdicts, the path, alerts, and what a caller may do wrong. */
#include "pair.h"
#include "unit.h"
#include "x509/cert_view.h"
#include <clinch/client.h>
#include <string.h>

static const char *const versions[] = { PAIR_TLS12, PAIR_TLS13 };

static struct blob respond(const char *this_update, const char *next_update, struct blob status)
{
	struct entry_spec entry = good_entry();
	entry.status = status;
	entry.this_update = this_update;
	entry.next_update = next_update;
	const struct response_spec spec = response_with(make_entry(&entry));
	return make_response(&spec);
}

static struct blob good_staple(void)
{
	return respond("20260614120000Z", "20260618120000Z", status_good());
}

static struct blob leaf_with(struct blob extensions)
{
	struct cert_spec spec = leaf_spec();
	spec.extensions = extensions;
	return make_cert(&spec);
}

static struct pair_setup usual(const char *priority)
{
	return (struct pair_setup){ .priority = priority,
				    .chain = { world_leaf() },
				    .key = KEY_LEAF,
				    .staple = { good_staple() },
				    .trust = world_ca() };
}

static struct pair pair;

/* The outcome of one handshake; the session is still there, for pair_end(). */
static const struct clinch_report *shake(const struct pair_setup *setup, const char *host,
					 const struct clinch_policy *policy)
{
	struct clinch_policy at = policy ? *policy : (struct clinch_policy){ 0 };
	at.at = at.at ? at.at : NOW;
	pair_begin(&pair, setup, NULL);
	assert_int_equal(clinch_client_attach(pair.client, host, &at), 0);
	assert_null(clinch_client_report(pair.client));
	pair_handshake(&pair);
	return clinch_client_report(pair.client);
}

static void expect(const char *row, const struct pair_setup *setup, const char *host, const struct clinch_policy *policy,
		   enum clinch_reason reason, int alert)
{
	const struct clinch_report *report = shake(setup, host, policy);
	bool accepted = reason == CLINCH_REASON_GOOD || reason == CLINCH_REASON_NO_STAPLE;
	check(row, report != NULL);
	check_str(row, clinch_reason_name(report->reason), clinch_reason_name(reason));
	check_int(row, report->accepted, accepted);
	check_int(row, pair.client_rc, accepted ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
	check_int(row, pair.alert_to_server, alert);
	check(row, !report->resumed);
	pair_end(&pair);
}

/* ---- staples ---- */

static void a_good_staple_is_accepted_and_reported_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(versions); i++) {
		maker_reset();
		struct pair_setup setup = usual(versions[i]);
		const struct clinch_report *report = shake(&setup, NULL, NULL);
		assert_int_equal(pair.client_rc, 0);
		assert_int_equal(pair.server_rc, 0);
		assert_true(report->accepted);
		assert_int_equal(report->reason, CLINCH_REASON_GOOD);
		assert_int_equal(report->at, NOW);
		assert_int_equal(report->n, 1);
		const struct clinch_member *leaf = &report->member[0];
		assert_int_equal(leaf->cert.size, setup.chain[0].len);
		assert_memory_equal(leaf->cert.data, setup.chain[0].data, leaf->cert.size);
		assert_int_equal(leaf->issuer.size, setup.trust.len);
		assert_memory_equal(leaf->issuer.data, setup.trust.data, leaf->issuer.size);
		assert_int_equal(leaf->staple.size, setup.staple[0].len);
		assert_memory_equal(leaf->staple.data, setup.staple[0].data, leaf->staple.size);
		assert_int_equal(leaf->verdict.status, CLINCH_GOOD);
		assert_non_null(leaf->response);
		assert_memory_equal(clinch_response_der(leaf->response).data, setup.staple[0].data, setup.staple[0].len);
		assert_ptr_equal(clinch_client_report(pair.client), report);
		pair_end(&pair);
	}
}

#define BAD_STATUS 113 /* bad_certificate_status_response, RFC 6066 8 */

static void a_staple_that_is_there_must_be_good_whatever_is_required(void **state)
{
	(void)state;
	static const enum clinch_require requires[] = { CLINCH_REQUIRE_NONE, CLINCH_REQUIRE_MUST_STAPLE,
							CLINCH_REQUIRE_LEAF };
	const struct {
		const char *row;
		struct blob staple;
		enum clinch_reason reason;
	} rows[] = {
		{ "revoked", respond("20260614120000Z", "20260618120000Z", status_revoked("20260601000000Z", 1)),
		  CLINCH_REASON_REVOKED },
		{ "unknown", respond("20260614120000Z", "20260618120000Z", status_unknown()), CLINCH_REASON_UNKNOWN },
		{ "expired", respond("20260604120000Z", "20260608120000Z", status_good()), CLINCH_REASON_EXPIRED },
		{ "an error", SEQ(enumerated(3)), CLINCH_REASON_RESPONDER_TRY_LATER },
		{ "garbage", blob_text("garbage"), CLINCH_REASON_RESPONSE_MALFORMED },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t j = 0; j < ROWS(versions); j++)
			for (size_t k = 0; k < ROWS(requires); k++) {
				struct pair_setup setup = usual(versions[j]);
				const struct clinch_policy policy = { .require = requires[k] };
				setup.staple[0] = rows[i].staple;
				expect(rows[i].row, &setup, NULL, &policy, rows[i].reason, BAD_STATUS);
			}
}

static void a_missing_one_is_a_matter_of_what_is_required(void **state)
{
	(void)state;
	struct blob url = access_info_ocsp("http://ocsp.test/"), plain = leaf_with(url),
		    must = leaf_with(CAT(url, must_staple()));
	const struct {
		const char *row;
		struct blob leaf;
		enum clinch_require require;
		enum clinch_reason reason;
	} rows[] = {
		{ "nobody requires it", plain, CLINCH_REQUIRE_MUST_STAPLE, CLINCH_REASON_NO_STAPLE },
		{ "must-staple requires it", must, CLINCH_REQUIRE_MUST_STAPLE, CLINCH_REASON_MISSING_MUST_STAPLE },
		{ "the caller does not care", must, CLINCH_REQUIRE_NONE, CLINCH_REASON_NO_STAPLE },
		{ "the caller requires the leaf's", plain, CLINCH_REQUIRE_LEAF, CLINCH_REASON_MISSING_REQUIRED },
		{ "the caller requires each", plain, CLINCH_REQUIRE_CHAIN, CLINCH_REASON_MISSING_REQUIRED },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t j = 0; j < ROWS(versions); j++) {
			struct pair_setup setup = usual(versions[j]);
			const struct clinch_policy policy = { .require = rows[i].require };
			setup.chain[0] = rows[i].leaf;
			setup.staple[0] = BLOB_NONE;
			bool accepted = rows[i].reason == CLINCH_REASON_NO_STAPLE;
			expect(rows[i].row, &setup, NULL, &policy, rows[i].reason, accepted ? -1 : BAD_STATUS);
		}
}

/* ---- the path ---- */

static struct cert_spec intermediate_spec(void)
{
	struct cert_spec spec = ca_spec();
	spec.serial = blob_hex("44");
	spec.subject = "Test Intermediate";
	spec.key = KEY_DELEGATE;
	return spec;
}

static struct blob leaf_below(const struct cert_spec *intermediate)
{
	struct cert_spec spec = leaf_spec();
	spec.issuer = intermediate->subject;
	spec.signer = intermediate->key;
	return make_cert(&spec);
}

static struct blob staple_below(const struct cert_spec *intermediate)
{
	struct entry_spec entry = good_entry();
	entry.cert_id = cert_id(GNUTLS_DIG_SHA1, intermediate->subject, intermediate->key, blob_hex(LEAF_SERIAL));
	struct response_spec spec = response_with(make_entry(&entry));
	spec.signer = intermediate->key;
	spec.responder = responder_by_key(intermediate->key);
	return make_response(&spec);
}

static struct blob staple_of_intermediate(struct blob serial)
{
	struct entry_spec entry = good_entry();
	entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, serial);
	const struct response_spec spec = response_with(make_entry(&entry));
	return make_response(&spec);
}

static struct pair_setup with_intermediate(const char *priority, const struct cert_spec *intermediate)
{
	return (struct pair_setup){ .priority = priority,
				    .chain = { leaf_below(intermediate), make_cert(intermediate) },
				    .key = KEY_LEAF,
				    .staple = { staple_below(intermediate) },
				    .trust = world_ca() };
}

static void each_certificate_below_the_anchor_has_its_verdict(void **state)
{
	(void)state;
	const struct cert_spec intermediate = intermediate_spec();
	const struct clinch_policy chain = { .require = CLINCH_REQUIRE_CHAIN };
	struct pair_setup setup = with_intermediate(PAIR_TLS13, &intermediate);
	setup.staple[1] = staple_of_intermediate(blob_hex("44"));
	const struct clinch_report *report = shake(&setup, NULL, &chain);
	assert_true(report->accepted);
	assert_int_equal(report->n, 2);
	assert_int_equal(report->member[0].verdict.status, CLINCH_GOOD);
	assert_int_equal(report->member[1].verdict.status, CLINCH_GOOD);
	assert_int_equal(report->member[1].issuer.size, setup.trust.len);
	pair_end(&pair);
	setup.staple[1] = BLOB_NONE;
	expect("the CA's is missing", &setup, NULL, &chain, CLINCH_REASON_MISSING_REQUIRED, BAD_STATUS);
	expect("and nobody requires it", &setup, NULL, NULL, CLINCH_REASON_GOOD, -1);
	setup.staple[1] = staple_of_intermediate(blob_hex("45"));
	expect("the CA's is for another", &setup, NULL, NULL, CLINCH_REASON_NO_ENTRY, BAD_STATUS);
}

/* A missing leaf staple does not shift the intermediate's into its place. */
static void a_gap_stays_a_gap(void **state)
{
	(void)state;
	const struct cert_spec intermediate = intermediate_spec();
	struct pair_setup setup = with_intermediate(PAIR_TLS13, &intermediate);
	setup.staple[0] = BLOB_NONE;
	setup.staple[1] = staple_of_intermediate(blob_hex("44"));
	const struct clinch_report *report = shake(&setup, NULL, NULL);
	assert_true(report->accepted);
	assert_int_equal(report->reason, CLINCH_REASON_NO_STAPLE);
	assert_int_equal(report->member[0].verdict.status, CLINCH_MISSING);
	assert_int_equal(report->member[0].staple.size, 0);
	assert_int_equal(report->member[1].verdict.status, CLINCH_GOOD);
	pair_end(&pair);
}

static void a_path_that_is_refused_says_why(void **state)
{
	(void)state;
	const char *p = PAIR_TLS13;
	struct cert_spec spec = leaf_spec(), old = spec, client = spec, small = spec, forged = spec, critical = spec,
			 no_ca = intermediate_spec();
	old.not_after = "260601000000Z";
	client.extensions = extension(X_EXTENDED_KEY_USAGE, -1, SEQ(oid("2b06010505070302")));
	small.key = KEY_RSA_1024;
	forged.signer = KEY_OTHER;
	critical.extensions = extension(X_MADE_UP, 1, null_value());
	no_ca.extensions = access_info_ocsp("http://ocsp.test/");
	struct cert_spec feature = intermediate_spec();
	feature.extensions = CAT(ca_constraints(), must_staple());
	struct pair_setup usual_one = usual(p), weak = usual(PAIR_TLS12 ":%PROFILE_MEDIUM"), stranger = usual(p), setup;
	stranger.trust = BLOB_NONE;
	weak.key = KEY_RSA_1024;
	weak.chain[0] = make_cert(&small);
	expect("no anchor", &stranger, NULL, NULL, CLINCH_REASON_PATH_UNTRUSTED, GNUTLS_A_UNKNOWN_CA);
	expect("another name", &usual_one, "other.test", NULL, CLINCH_REASON_PATH_NAME, GNUTLS_A_BAD_CERTIFICATE);
	expect("a weak key", &weak, NULL, NULL, CLINCH_REASON_PATH_WEAK, GNUTLS_A_BAD_CERTIFICATE);
	setup = usual(p);
	setup.chain[0] = make_cert(&old);
	expect("expired", &setup, NULL, NULL, CLINCH_REASON_PATH_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED);
	old.not_before = "260616000000Z";
	old.not_after = "270101000000Z";
	setup.chain[0] = make_cert(&old);
	expect("not valid yet", &setup, NULL, NULL, CLINCH_REASON_PATH_NOT_YET, GNUTLS_A_BAD_CERTIFICATE);
	setup.chain[0] = make_cert(&client);
	expect("for clients", &setup, NULL, NULL, CLINCH_REASON_PATH_PURPOSE, GNUTLS_A_UNSUPPORTED_CERTIFICATE);
	setup.chain[0] = make_cert(&critical);
	expect("a critical extension of nobody's", &setup, NULL, NULL, CLINCH_REASON_PATH_CONSTRAINT,
	       GNUTLS_A_BAD_CERTIFICATE);
	setup = with_intermediate(p, &no_ca);
	expect("an intermediate that is no CA", &setup, NULL, NULL, CLINCH_REASON_PATH_CONSTRAINT, GNUTLS_A_BAD_CERTIFICATE);
	setup = with_intermediate(p, &feature);
	expect("a CA with must-staple", &setup, NULL, NULL, CLINCH_REASON_PATH_MUST_STAPLE, GNUTLS_A_BAD_CERTIFICATE);
	setup = usual(p);
	setup.chain[0] = make_cert(&forged);
	expect("a forged signature", &setup, NULL, NULL, CLINCH_REASON_PATH_SIGNATURE, GNUTLS_A_BAD_CERTIFICATE);
}

static void crls_that_the_application_loaded_go_on_counting(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(versions); i++) {
		struct pair_setup setup = usual(versions[i]);
		setup.crl = make_crl("350101000000Z", blob_hex(LEAF_SERIAL));
		expect("revoked by the CRL, good by the staple", &setup, NULL, NULL, CLINCH_REASON_PATH_CRL,
		       GNUTLS_A_CERTIFICATE_REVOKED);
		setup.crl = make_crl("350101000000Z", blob_hex("55"));
		expect("another one is revoked", &setup, NULL, NULL, CLINCH_REASON_GOOD, -1);
	}
}

static void a_certificate_that_is_trusted_itself_has_nobody_to_judge_its_staple(void **state)
{
	(void)state;
	struct pair_setup setup = usual(PAIR_TLS13);
	setup.trust = setup.chain[0];
	expect("with a staple", &setup, NULL, NULL, CLINCH_REASON_ISSUER_UNKNOWN, BAD_STATUS);
	setup.staple[0] = BLOB_NONE;
	expect("without", &setup, NULL, NULL, CLINCH_REASON_NO_STAPLE, -1);
}

static void the_right_name_is_accepted(void **state)
{
	(void)state;
	struct pair_setup setup = usual(PAIR_TLS13);
	struct blob names = SEQ(tlv(0x82, blob_text("www.leaf.test")), tlv(0x87, blob_hex("7f000001")));
	setup.chain[0] = leaf_with(extension("551d11", -1, names));
	expect("a DNS name", &setup, "www.leaf.test", NULL, CLINCH_REASON_GOOD, -1);
	expect("an address", &setup, "127.0.0.1", NULL, CLINCH_REASON_GOOD, -1);
	expect("another address", &setup, "127.0.0.2", NULL, CLINCH_REASON_PATH_NAME, GNUTLS_A_BAD_CERTIFICATE);
	expect("any", &setup, NULL, NULL, CLINCH_REASON_GOOD, -1);
}

/* ---- the judgement's instant and memory ---- */

static void everything_is_judged_at_the_policys_instant(void **state)
{
	(void)state;
	struct pair_setup setup = usual(PAIR_TLS13);
	const struct clinch_policy later = { .at = NOW + 4 * DAY }, much_later = { .at = NOW + 400 * DAY };
	expect("the staple has ended", &setup, NULL, &later, CLINCH_REASON_EXPIRED, BAD_STATUS);
	expect("the path too", &setup, NULL, &much_later, CLINCH_REASON_PATH_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED);
}

static void a_session_holds_the_signers_it_was_given(void **state)
{
	(void)state;
	const struct entry_spec entry = good_entry();
	const struct response_spec delegated = delegated_with(make_entry(&entry));
	struct pair_setup setup = usual(PAIR_TLS13);
	setup.staple[0] = make_response(&delegated);
	struct clinch_policy policy = { .at = NOW };
	assert_int_equal(clinch_signers_new(&policy.signers, 4), 0);
	pair_begin(&pair, &setup, NULL);
	assert_int_equal(clinch_client_attach(pair.client, NULL, &policy), 0);
	clinch_signers_unref(policy.signers);
	pair_handshake(&pair);
	assert_int_equal(clinch_client_report(pair.client)->reason, CLINCH_REASON_GOOD);
	pair_end(&pair);
}

/* ---- resumption: GnuTLS asks nobody, the report judges again ---- */

static void resume(const char *priority, struct blob staple, int64_t at, enum clinch_reason expected)
{
	gnutls_datum_t ticket_key, session;
	struct pair_setup setup = usual(priority);
	setup.staple[0] = staple;
	setup.tickets = true;
	assert_int_equal(gnutls_session_ticket_key_generate(&ticket_key), 0);
	struct clinch_policy policy = { .at = NOW };
	pair_begin(&pair, &setup, &ticket_key);
	assert_int_equal(clinch_client_attach(pair.client, NULL, &policy), 0);
	pair_handshake(&pair);
	pair_drain_client(&pair);
	assert_true(clinch_client_report(pair.client)->accepted);
	assert_int_equal(gnutls_session_get_data2(pair.client, &session), 0);
	pair_end(&pair);
	policy.at = at;
	pair_begin(&pair, &setup, &ticket_key);
	assert_int_equal(gnutls_session_set_data(pair.client, session.data, session.size), 0);
	assert_int_equal(clinch_client_attach(pair.client, NULL, &policy), 0);
	pair_handshake(&pair);
	assert_int_equal(pair.client_rc, 0);
	assert_true(gnutls_session_is_resumed(pair.client));
	const struct clinch_report *report = clinch_client_report(pair.client);
	assert_true(report->resumed);
	assert_int_equal(report->at, at);
	assert_string_equal(clinch_reason_name(report->reason), clinch_reason_name(expected));
	assert_int_equal(report->accepted, expected == CLINCH_REASON_GOOD);
	assert_true(report->member[0].verdict.findings >> CLINCH_FINDING_RESUMED & 1);
	pair_end(&pair);
	gnutls_free(session.data);
	gnutls_free(ticket_key.data);
}

static void a_resumed_session_is_judged_again_at_its_own_instant(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(versions); i++) {
		maker_reset();
		resume(versions[i], good_staple(), NOW + DAY, CLINCH_REASON_GOOD);
		resume(versions[i], good_staple(), NOW + 5 * DAY, CLINCH_REASON_EXPIRED);
	}
}

static void a_first_session_has_no_finding_of_resumption(void **state)
{
	(void)state;
	struct pair_setup setup = usual(PAIR_TLS13);
	const struct clinch_report *report = shake(&setup, NULL, NULL);
	assert_false(report->member[0].verdict.findings >> CLINCH_FINDING_RESUMED & 1);
	pair_end(&pair);
}

/* ---- calls that are wrong ---- */

static void a_wrong_call_is_an_error_and_attaches_nothing(void **state)
{
	(void)state;
	struct pair_setup setup = usual(PAIR_TLS13);
	const gnutls_datum_t some = { (unsigned char *)(uintptr_t) "x", 1 };
	const struct clinch_policy nonce = { .nonce = &some }, trusted = { .trusted = &some }, newer = { .reserved = { 1 } };
	pair_begin(&pair, &setup, NULL);
	assert_int_equal(clinch_client_attach(NULL, NULL, NULL), CLINCH_E_ARGUMENT);
	assert_null(clinch_client_report(NULL));
	assert_int_equal(clinch_client_attach(pair.client, "", NULL), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_client_attach(pair.client, NULL, &nonce), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_client_attach(pair.client, NULL, &trusted), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_client_attach(pair.client, NULL, &newer), CLINCH_E_ARGUMENT);
	assert_null(clinch_client_report(pair.client));
	assert_int_equal(clinch_client_attach(pair.client, NULL, NULL), 0);
	assert_int_equal(clinch_client_attach(pair.client, NULL, NULL), CLINCH_E_ARGUMENT);
	pair_end(&pair);
}

/* GnuTLS looks at its clock only: with an instant of the caller's, the anchor's dates are ours to look at too. */
static void an_anchor_that_has_ended_at_that_instant_is_refused(void **state)
{
	(void)state;
	struct pair_setup setup = usual(PAIR_TLS13);
	struct cert_view ca;
	assert_true(cert_view_parse(&ca, der_of(setup.trust.data, setup.trust.len)));
	for (int late = 0; late < 2; late++) {
		const struct clinch_policy policy = { .at = ca.not_after + late, .require = CLINCH_REQUIRE_NONE };
		struct cert_spec spec = leaf_spec();
		spec.not_after = "20991231235959Z";
		setup.chain[0] = make_cert(&spec);
		setup.staple[0] = BLOB_NONE;
		expect(late ? "a second late" : "the last second", &setup, NULL, &policy,
		       late ? CLINCH_REASON_PATH_EXPIRED : CLINCH_REASON_NO_STAPLE,
		       late ? GNUTLS_A_CERTIFICATE_EXPIRED : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_staple_is_accepted_and_reported_whole),
		T(a_staple_that_is_there_must_be_good_whatever_is_required),
		T(a_missing_one_is_a_matter_of_what_is_required),
		T(each_certificate_below_the_anchor_has_its_verdict),
		T(a_gap_stays_a_gap),
		T(a_path_that_is_refused_says_why),
		T(crls_that_the_application_loaded_go_on_counting),
		T(a_certificate_that_is_trusted_itself_has_nobody_to_judge_its_staple),
		T(the_right_name_is_accepted),
		T(everything_is_judged_at_the_policys_instant),
		T(a_session_holds_the_signers_it_was_given),
		T(a_resumed_session_is_judged_again_at_its_own_instant),
		T(a_first_session_has_no_finding_of_resumption),
		T(an_anchor_that_has_ended_at_that_instant_is_refused),
		T(a_wrong_call_is_an_error_and_attaches_nothing),
	};
	return cmocka_run_group_tests_name("client", tests, NULL, drop_keys);
}
