/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a well-signed response says, and whether that still counts (docs/verification.md, "Belief" 4 to 7). */
#include "ocsp/names.h"
#include "subject.h"
#include <string.h>

static struct clinch_verdict judge(struct blob response, int64_t now, const struct clinch_policy *policy)
{
	struct clinch_verdict verdict;
	const gnutls_datum_t der = blob_datum(response);
	clinch_response_t *out = (clinch_response_t *)(uintptr_t)1;
	clinch_verify(&out, &verdict, &der, subject, now, policy);
	assert_int_equal(out != NULL, verdict.fresh && (verdict.status == CLINCH_GOOD || verdict.status == CLINCH_REVOKED));
	clinch_response_unref(out);
	return verdict;
}

static struct blob respond(struct blob entries)
{
	const struct response_spec spec = response_with(entries);
	return make_response(&spec);
}

static struct blob entry(struct blob status, const char *this_update, const char *next_update)
{
	struct entry_spec spec = good_entry();
	spec.status = status;
	spec.this_update = this_update;
	spec.next_update = next_update;
	return make_entry(&spec);
}

static struct blob entry_for(struct blob id)
{
	struct entry_spec spec = good_entry();
	spec.cert_id = id;
	return make_entry(&spec);
}

static struct blob serial(void)
{
	return blob_hex(LEAF_SERIAL);
}

/* Belief 4: hash, name, key, serial. */
static void an_entry_for_another_certificate_does_not_count(void **state)
{
	(void)state;
	const struct {
		const char *row;
		struct blob id;
		enum clinch_reason reason;
	} rows[] = {
		{ "SHA-1", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, serial()), CLINCH_REASON_GOOD },
		{ "SHA-256", cert_id(GNUTLS_DIG_SHA256, CA_NAME, KEY_CA, serial()), CLINCH_REASON_GOOD },
		{ "SHA-384", cert_id(GNUTLS_DIG_SHA384, CA_NAME, KEY_CA, serial()), CLINCH_REASON_GOOD },
		{ "SHA-512", cert_id(GNUTLS_DIG_SHA512, CA_NAME, KEY_CA, serial()), CLINCH_REASON_GOOD },
		{ "another name", cert_id(GNUTLS_DIG_SHA1, "Other", KEY_CA, serial()), CLINCH_REASON_NO_ENTRY },
		{ "another key", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_OTHER, serial()), CLINCH_REASON_NO_ENTRY },
		{ "another serial", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("0a0b0c0e")),
		  CLINCH_REASON_NO_ENTRY },
		{ "the serial padded", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("000a0b0c0d")),
		  CLINCH_REASON_NO_ENTRY },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		check_int(rows[i].row, judge(respond(entry_for(rows[i].id)), NOW, NULL).reason, rows[i].reason);
}

static void each_entry_is_looked_at_and_the_worst_one_counts(void **state)
{
	(void)state;
	const char *this = "20260614120000Z", *next = "20260618120000Z";
	struct blob good = entry(status_good(), this, next), unknown = entry(status_unknown(), this, next);
	struct blob revoked = entry(status_revoked("20260601000000Z", 1), this, next);
	struct blob other = entry_for(cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("55")));
	const struct {
		const char *row;
		struct blob entries;
		enum clinch_reason reason;
	} rows[] = {
		{ "behind another's", CAT(other, good), CLINCH_REASON_GOOD },
		{ "before another's", CAT(good, other), CLINCH_REASON_GOOD },
		{ "good, revoked", CAT(good, revoked), CLINCH_REASON_REVOKED },
		{ "revoked, good", CAT(revoked, good), CLINCH_REASON_REVOKED },
		{ "good, unknown", CAT(good, unknown), CLINCH_REASON_UNKNOWN },
		{ "unknown, good", CAT(unknown, good), CLINCH_REASON_UNKNOWN },
		{ "unknown, revoked, good", CAT(unknown, revoked, good), CLINCH_REASON_REVOKED },
		{ "another's only", other, CLINCH_REASON_NO_ENTRY },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		check_int(rows[i].row, judge(respond(rows[i].entries), NOW, NULL).reason, rows[i].reason);
}

static void among_equals_the_latest_one_counts(void **state)
{
	(void)state;
	struct blob old = entry(status_good(), "20260610120000Z", "20260617120000Z");
	struct blob new = entry(status_good(), "20260614120000Z", "20260618120000Z");
	assert_int_equal(judge(respond(CAT(old, new)), NOW, NULL).next_update, NOW + 3 * DAY);
	assert_int_equal(judge(respond(CAT(new, old)), NOW, NULL).next_update, NOW + 3 * DAY);
}

static struct blob with_extension(struct blob one, bool in_entry)
{
	struct entry_spec spec = good_entry();
	spec.extensions = in_entry ? one : BLOB_NONE;
	struct response_spec response = response_with(make_entry(&spec));
	response.extensions = in_entry ? BLOB_NONE : one;
	return make_response(&response);
}

/* Belief 5, and RFC 6960 4.4: what is critical and not known refuses; the known ones may be critical. */
static void a_critical_extension_is_known_or_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *row, *oid;
		bool is_known;
	} rows[] = {
		{ "nonce", X_NONCE, true },
		{ "CrlID", X_CRL_ID, true },
		{ "archiveCutoff", "2b0601050507300106", true },
		{ "extended-revoke", "2b0601050507300109", true },
		{ "reasonCode", X_REASON_CODE, true },
		{ "invalidityDate", X_INVALIDITY_DATE, true },
		{ "SCT list", "2b06010401d679020405", true },
		{ "certificateIssuer", "551d1d", false },
		{ "made up", X_MADE_UP, false },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct blob critical = extension(rows[i].oid, 1, blob_hex("0500")),
			    not = extension(rows[i].oid, -1, blob_hex("0500"));
		enum clinch_reason whole = rows[i].is_known ? CLINCH_REASON_GOOD : CLINCH_REASON_CRITICAL_EXTENSION;
		enum clinch_reason single = rows[i].is_known ? CLINCH_REASON_GOOD : CLINCH_REASON_CRITICAL_ENTRY_EXTENSION;
		check_int(rows[i].row, judge(with_extension(critical, false), NOW, NULL).reason, whole);
		check_int(rows[i].row, judge(with_extension(critical, true), NOW, NULL).reason, single);
		check_int(rows[i].row, judge(with_extension(not, false), NOW, NULL).reason, CLINCH_REASON_GOOD);
		check_int(rows[i].row, judge(with_extension(not, true), NOW, NULL).reason, CLINCH_REASON_GOOD);
	}
}

static void a_critical_extension_of_another_certificates_entry_is_not_ours(void **state)
{
	(void)state;
	struct entry_spec other = good_entry();
	const struct entry_spec mine = good_entry();
	other.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("55"));
	other.extensions = extension(X_MADE_UP, 1, BLOB_NONE);
	struct blob response = respond(CAT(make_entry(&other), make_entry(&mine)));
	assert_int_equal(judge(response, NOW, NULL).reason, CLINCH_REASON_GOOD);
	other.cert_id = mine.cert_id;
	response = respond(CAT(make_entry(&mine), make_entry(&other)));
	assert_int_equal(judge(response, NOW, NULL).reason, CLINCH_REASON_CRITICAL_ENTRY_EXTENSION);
}

static void a_nonce_is_the_one_that_was_asked_with(void **state)
{
	(void)state;
	const gnutls_datum_t asked = { (unsigned char *)(uintptr_t) "0123456789abcdef", 16 };
	const struct clinch_policy policy = { .nonce = &asked };
	struct blob same = extension(X_NONCE, -1, OCTETS(blob_text("0123456789abcdef")));
	struct blob other = extension(X_NONCE, -1, OCTETS(blob_text("0123456789abcdeX")));
	struct blob shorter = extension(X_NONCE, -1, OCTETS(blob_text("0123456789abcde")));
	assert_int_equal(judge(with_extension(same, false), NOW, &policy).reason, CLINCH_REASON_GOOD);
	assert_int_equal(judge(with_extension(other, false), NOW, &policy).reason, CLINCH_REASON_NONCE_MISMATCH);
	assert_int_equal(judge(with_extension(shorter, false), NOW, &policy).reason, CLINCH_REASON_NONCE_MISMATCH);
	assert_int_equal(judge(with_extension(other, false), NOW, NULL).reason, CLINCH_REASON_GOOD);
}

struct time_row {
	const char *row, *produced_at, *this_update, *next_update;
	int64_t now;
	enum clinch_reason reason;
};

/* Belief 6 with the skew of 5 minutes: each limit at its last second and at the first one behind it. NOW is 12:00:00. */
static const struct time_row time_rows[] = {
	{ "in the middle", "20260614120000Z", "20260614120000Z", "20260618120000Z", NOW, CLINCH_REASON_GOOD },
	{ "produced 300 s ahead", "20260615120500Z", "20260615120000Z", "20260618120000Z", NOW, CLINCH_REASON_GOOD },
	{ "produced 301 s ahead", "20260615120501Z", "20260615120000Z", "20260618120000Z", NOW,
	  CLINCH_REASON_PRODUCED_IN_FUTURE },
	{ "of 300 s ahead", "20260615120000Z", "20260615120500Z", "20260618120000Z", NOW, CLINCH_REASON_GOOD },
	{ "of 301 s ahead", "20260615120000Z", "20260615120501Z", "20260618120000Z", NOW,
	  CLINCH_REASON_THIS_UPDATE_IN_FUTURE },
	{ "produced in the certificate's first second", "20260101000000Z", "20260614120000Z", "20260618120000Z", NOW,
	  CLINCH_REASON_GOOD },
	{ "produced the second before", "20251231235959Z", "20260614120000Z", "20260618120000Z", NOW,
	  CLINCH_REASON_PRODUCED_OUTSIDE },
	{ "produced in its last second", "20270101000000Z", "20261231000000Z", "20270102000000Z", NOW + 200 * DAY,
	  CLINCH_REASON_GOOD },
	{ "produced the second behind", "20270101000001Z", "20261231000000Z", "20270102000000Z", NOW + 200 * DAY,
	  CLINCH_REASON_PRODUCED_OUTSIDE },
	{ "next before this", "20260614120000Z", "20260614120000Z", "20260614115959Z", NOW, CLINCH_REASON_NEXT_BEFORE_THIS },
	/* What a responder writes whose time is zero: a date like any other, not the absence of one. */
	{ "next at the epoch", "20260614120000Z", "20260614120000Z", "19700101000000Z", NOW,
	  CLINCH_REASON_NEXT_BEFORE_THIS },
	{ "next is this, just now", "20260615120000Z", "20260615120000Z", "20260615120000Z", NOW, CLINCH_REASON_GOOD },
	{ "300 s after its end", "20260610120000Z", "20260610120000Z", "20260615115500Z", NOW, CLINCH_REASON_GOOD },
	{ "301 s after its end", "20260610120000Z", "20260610120000Z", "20260615115459Z", NOW, CLINCH_REASON_EXPIRED },
	{ "undated, a day and 300 s old", "20260614115500Z", "20260614115500Z", NULL, NOW, CLINCH_REASON_GOOD },
	{ "undated, a day and 301 s old", "20260614115459Z", "20260614115459Z", NULL, NOW, CLINCH_REASON_UNDATED_TOO_OLD },
};

static void each_limit_in_time_is_where_it_is_said_to_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(time_rows); i++) {
		const struct time_row *row = &time_rows[i];
		struct response_spec spec = response_with(entry(status_good(), row->this_update, row->next_update));
		spec.produced_at = row->produced_at;
		int64_t now = row->now == NOW ? NOW : INT64_C(1798761601); /* 2027-01-01T00:00:01Z */
		const struct clinch_verdict verdict = judge(make_response(&spec), now, NULL);
		check_str(row->row, clinch_reason_name(verdict.reason), clinch_reason_name(row->reason));
		check_int(row->row, verdict.fresh, row->reason == CLINCH_REASON_GOOD);
	}
}

static void the_policy_moves_each_limit(void **state)
{
	(void)state;
	const struct clinch_policy skew = { .skew_s = 1 }, undated = { .undated_age_s = HOUR }, age = { .max_age_s = DAY },
				   age_less = { .max_age_s = DAY - 1 };
	struct blob good = respond(entry(status_good(), "20260614120000Z", "20260618120000Z"));
	struct blob ended = respond(entry(status_good(), "20260610120000Z", "20260615115958Z"));
	struct blob dateless = respond(entry(status_good(), "20260615105000Z", NULL));
	assert_int_equal(judge(ended, NOW, NULL).reason, CLINCH_REASON_GOOD);
	assert_int_equal(judge(ended, NOW, &skew).reason, CLINCH_REASON_EXPIRED);
	assert_int_equal(judge(dateless, NOW, NULL).reason, CLINCH_REASON_GOOD);
	assert_int_equal(judge(dateless, NOW, &undated).reason, CLINCH_REASON_UNDATED_TOO_OLD);
	assert_int_equal(judge(good, NOW, &age).reason, CLINCH_REASON_GOOD);
	assert_int_equal(judge(good, NOW, &age_less).reason, CLINCH_REASON_OLDER_THAN_MAX_AGE);
}

static void belief_ends_with_next_update_or_with_the_signer(void **state)
{
	(void)state;
	struct blob dateless = respond(entry(status_good(), "20260614120000Z", NULL));
	assert_int_equal(judge(dateless, NOW, NULL).fresh_until, NOW);
	assert_int_equal(judge(dateless, NOW, NULL).next_update, 0);
	const struct clinch_policy hour = { .undated_age_s = 25 * HOUR };
	assert_int_equal(judge(dateless, NOW, &hour).fresh_until, NOW + HOUR);
	struct cert_spec delegate = delegate_spec();
	delegate.not_after = "260616120000Z";
	struct response_spec spec = delegated_with(entry(status_good(), "20260614120000Z", "20260618120000Z"));
	spec.certs = make_cert(&delegate);
	assert_int_equal(judge(make_response(&spec), NOW, NULL).fresh_until, NOW + DAY);
}

/* The issuer is no delegate, whose own dates are judged: its end ends belief too. */
static void an_issuer_that_has_ended_signs_nothing_fresh(void **state)
{
	(void)state;
	const int64_t after = INT64_C(2051222401); /* 2035-01-01T00:00:01Z, a second after the CA */
	struct cert_spec leaf = leaf_spec();
	leaf.not_after = "20360101000000Z";
	gnutls_x509_crt_t cert = import_cert(make_cert(&leaf)), ca = import_cert(world_ca());
	clinch_subject_t *kept = subject;
	assert_int_equal(clinch_subject_new(&subject, cert, ca, NULL), 0);
	struct response_spec spec = response_with(entry(status_good(), "20341231120000Z", "20350102120000Z"));
	spec.produced_at = "20341231120000Z";
	const struct clinch_verdict before = judge(make_response(&spec), after - 2, NULL),
				    behind = judge(make_response(&spec), after, NULL);
	clinch_subject_unref(subject);
	subject = kept;
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_crt_deinit(ca);
	assert_string_equal(clinch_reason_name(before.reason), "good");
	assert_string_equal(clinch_reason_name(behind.reason), "signer-expired");
}

/* Belief 7 */
static void says_what_the_signer_says(void **state)
{
	(void)state;
	struct blob revoked = respond(entry(status_revoked("20260601000000Z", 4), "20260614120000Z", "20260618120000Z"));
	struct clinch_verdict verdict = judge(revoked, NOW, NULL);
	assert_int_equal(verdict.status, CLINCH_REVOKED);
	assert_true(verdict.fresh);
	assert_int_equal(verdict.revoked_at, INT64_C(1780272000));
	assert_int_equal(verdict.revocation_reason, 4);
	verdict = judge(respond(entry(status_unknown(), "20260614120000Z", "20260618120000Z")), NOW, NULL);
	assert_int_equal(verdict.status, CLINCH_UNKNOWN);
	assert_int_equal(verdict.reason, CLINCH_REASON_UNKNOWN);
	assert_int_equal(verdict.revoked_at, 0);
}

static void a_reason_in_the_extensions_stands_in_for_a_missing_one(void **state)
{
	(void)state;
	struct entry_spec spec = good_entry();
	spec.extensions = extension(X_REASON_CODE, -1, enumerated(3));
	spec.status = status_revoked("20260601000000Z", -1);
	assert_int_equal(judge(respond(make_entry(&spec)), NOW, NULL).revocation_reason, 3);
	spec.status = status_revoked("20260601000000Z", 1);
	assert_int_equal(judge(respond(make_entry(&spec)), NOW, NULL).revocation_reason, 1);
}

static void an_old_revoked_is_revoked_and_not_fresh(void **state)
{
	(void)state;
	struct blob bytes = respond(entry(status_revoked("20260601000000Z", 1), "20260601120000Z", "20260605120000Z"));
	const struct clinch_verdict verdict = judge(bytes, NOW, NULL);
	assert_int_equal(verdict.status, CLINCH_REVOKED);
	assert_int_equal(verdict.reason, CLINCH_REASON_REVOKED);
	assert_false(verdict.fresh);
	struct blob unknown = respond(entry(status_unknown(), "20260601120000Z", "20260605120000Z"));
	assert_int_equal(judge(unknown, NOW, NULL).reason, CLINCH_REASON_EXPIRED);
}

static void zeroed_memory_says_that_nothing_was_judged(void **state)
{
	(void)state;
	static const struct clinch_verdict zeroed;
	assert_int_equal(zeroed.status, CLINCH_INVALID);
	assert_false(zeroed.fresh);
	assert_string_equal(clinch_reason_name(zeroed.reason), "unjudged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_entry_for_another_certificate_does_not_count),
		T(each_entry_is_looked_at_and_the_worst_one_counts),
		T(among_equals_the_latest_one_counts),
		T(a_critical_extension_is_known_or_refuses),
		T(a_critical_extension_of_another_certificates_entry_is_not_ours),
		T(a_nonce_is_the_one_that_was_asked_with),
		T(each_limit_in_time_is_where_it_is_said_to_be),
		T(the_policy_moves_each_limit),
		T(belief_ends_with_next_update_or_with_the_signer),
		T(an_issuer_that_has_ended_signs_nothing_fresh),
		T(says_what_the_signer_says),
		T(a_reason_in_the_extensions_stands_in_for_a_missing_one),
		T(an_old_revoked_is_revoked_and_not_fresh),
		T(zeroed_memory_says_that_nothing_was_judged),
	};
	return cmocka_run_group_tests_name("belief", tests, make_subject, drop_subject);
}
