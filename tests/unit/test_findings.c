/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every row of findings.def: a response that has it and one, as like to it as can be, that has not. None changes a verdict.
 */
#include "unit.h"
#include "x509/subject.h"
#include <stdio.h>
#include <string.h>

#define BIT(id) (UINT64_C(1) << CLINCH_FINDING_##id)

/* What is to be judged; what a row leaves alone is the world's: signed by the delegate, byKey, boring in every way. */
struct scene {
	struct cert_spec leaf, delegate;
	struct entry_spec entry;
	struct response_spec response;
	struct clinch_policy policy;
	struct blob more_entries, more_certs;
	bool by_issuer, of_root;
	int64_t now;
};

static const gnutls_datum_t asked = { (unsigned char *)(uintptr_t) "abcdefgh", 8 };
static gnutls_datum_t trusted;

static struct scene boring(void)
{
	struct scene scene = { .leaf = leaf_spec(), .delegate = delegate_spec(), .entry = good_entry(), .now = NOW };
	scene.response = delegated_with(BLOB_NONE);
	scene.entry.extensions = scene.more_entries = scene.more_certs = BLOB_NONE;
	scene.delegate.extensions = CAT(eku_ocsp_signing(), extension(X_NOCHECK, -1, null_value()));
	return scene;
}

static clinch_subject_t *subject_of(struct scene *scene)
{
	clinch_subject_t *subject = NULL;
	struct blob der = scene->of_root ? world_ca() : make_cert(&scene->leaf);
	gnutls_x509_crt_t cert = import_cert(der), ca = import_cert(world_ca());
	assert_int_equal(clinch_subject_new(&subject, cert, ca, NULL), 0);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_crt_deinit(ca);
	return subject;
}

static struct clinch_verdict judge(struct scene *scene)
{
	struct clinch_verdict verdict;
	clinch_subject_t *subject = subject_of(scene);
	struct response_spec *response = &scene->response;
	response->entries = CAT(make_entry(&scene->entry), scene->more_entries);
	if (scene->by_issuer) {
		response->signer = KEY_CA;
		response->responder = responder_by_key(KEY_CA);
		response->certs = scene->more_certs;
	} else if (response->signer == KEY_DELEGATE) {
		response->certs = CAT(make_cert(&scene->delegate), scene->more_certs);
	}
	const gnutls_datum_t der = blob_datum(make_response(response));
	clinch_verify(NULL, &verdict, &der, subject, scene->now, &scene->policy);
	clinch_subject_unref(subject);
	return verdict;
}

/* ---- the changes, one function a finding, and its harmless twin ---- */

#define SCENE(name) static void name(struct scene *s)

SCENE(as_it_is)
{
	(void)s;
}
SCENE(by_the_issuer)
{
	s->by_issuer = true;
}
SCENE(no_nocheck)
{
	s->delegate.extensions = eku_ocsp_signing();
}
SCENE(delegate_ends_a_second_first)
{
	s->delegate.not_after = "260618115959Z";
}
SCENE(delegate_ends_with_it)
{
	s->delegate.not_after = "260618120000Z";
}
SCENE(delegate_begins_a_second_late)
{
	s->delegate.not_before = "260614120001Z";
}
SCENE(delegate_begins_with_it)
{
	s->delegate.not_before = "260614120000Z";
}
SCENE(leaf_embedded)
{
	s->more_certs = world_leaf();
}
SCENE(issuer_embedded)
{
	s->more_certs = world_ca();
}
SCENE(by_name)
{
	s->response.responder = responder_by_name(DELEGATE_NAME);
}
SCENE(id_of_sha256)
{
	s->entry.cert_id = cert_id(GNUTLS_DIG_SHA256, CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL));
}
SCENE(undated)
{
	s->entry.next_update = NULL;
}
SCENE(eight_hours_less_one)
{
	s->entry.this_update = "20260615120000Z";
	s->entry.next_update = "20260615195959Z";
}
SCENE(eight_hours)
{
	s->entry.this_update = "20260615120000Z";
	s->entry.next_update = "20260615200000Z";
}
SCENE(ten_days_and_one)
{
	s->entry.next_update = "20260624120001Z";
}
SCENE(ten_days)
{
	s->entry.next_update = "20260624120000Z";
}
SCENE(of_a_ca)
{
	s->leaf.extensions = CAT(ca_constraints(), access_info_ocsp("http://ocsp.test/"));
	s->leaf.not_after = s->delegate.not_after = "290101000000Z";
}
SCENE(ca_for_13_months)
{
	of_a_ca(s);
	s->entry.next_update = "20270714120000Z";
}
SCENE(ca_for_12_months)
{
	of_a_ca(s);
	s->entry.next_update = "20270614120000Z";
}
SCENE(half_and_a_second) /* of 96 hours from NOW - 24 h */
{
	s->now = NOW + DAY + 1;
}
SCENE(exactly_half)
{
	s->now = NOW + DAY;
}
SCENE(nine_tenths_and_a_second)
{
	s->now = NOW - DAY + 4 * DAY / 10 * 9 + 1;
}
SCENE(exactly_nine_tenths)
{
	s->now = NOW - DAY + 4 * DAY / 10 * 9;
}
SCENE(another_entry)
{
	struct entry_spec other = good_entry();
	other.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("77"));
	s->more_entries = make_entry(&other);
}
SCENE(unknown_too)
{
	struct entry_spec other = good_entry();
	other.status = status_unknown();
	s->more_entries = make_entry(&other);
}
SCENE(good_twice)
{
	const struct entry_spec other = good_entry();
	s->more_entries = make_entry(&other);
}
SCENE(nonce_there)
{
	s->response.extensions = extension(X_NONCE, -1, OCTETS(blob_text("abcdefgh")));
}
SCENE(nonce_asked)
{
	s->policy.nonce = &asked;
}
SCENE(nonce_asked_and_there)
{
	nonce_there(s);
	nonce_asked(s);
}
SCENE(produced_a_second_before)
{
	s->response.produced_at = "20260614115959Z";
}
static void revoked_for(struct scene *s, int reason)
{
	s->entry.status = status_revoked("20260601000000Z", reason);
}
SCENE(revoked_unspecified)
{
	revoked_for(s, 0);
}
SCENE(revoked_without_reason)
{
	revoked_for(s, -1);
}
SCENE(unspecified_in_extension)
{
	revoked_for(s, -1);
	s->entry.extensions = extension(X_REASON_CODE, -1, enumerated(0));
}
SCENE(reason_in_extension)
{
	revoked_for(s, -1);
	s->entry.extensions = extension(X_REASON_CODE, -1, enumerated(1));
}
SCENE(reason_in_its_place)
{
	revoked_for(s, 1);
}
SCENE(remove_from_crl)
{
	revoked_for(s, 8);
}
SCENE(remove_from_crl_in_extension)
{
	revoked_for(s, -1);
	s->entry.extensions = extension(X_REASON_CODE, -1, enumerated(8));
}
SCENE(version_written)
{
	s->response.version = blob_hex("a003020100");
}
SCENE(sha1_allowed)
{
	s->response.scheme = ECDSA_SHA1;
	s->policy.allow_sha1_signature = true;
}
SCENE(sha1_allowed_and_not_used)
{
	s->policy.allow_sha1_signature = true;
}
SCENE(padded_serial)
{
	s->leaf.serial = blob_hex("000a0b0c0d");
	s->entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, s->leaf.serial);
}
SCENE(high_serial)
{
	s->leaf.serial = blob_hex("008a0b0c0d");
	s->entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, s->leaf.serial);
}
SCENE(https_url)
{
	s->leaf.extensions = access_info_ocsp("https://ocsp.test/");
}
SCENE(http_url_in_capitals)
{
	s->leaf.extensions = access_info_ocsp("HTTP://ocsp.test/");
}
SCENE(must_staple_alone)
{
	s->leaf.extensions = must_staple();
}
SCENE(must_staple_with_url)
{
	s->leaf.extensions = CAT(must_staple(), access_info_ocsp("http://ocsp.test/"));
}
SCENE(no_url)
{
	s->leaf.extensions = BLOB_NONE;
}
static size_t len_when_padded(struct scene *s, uint8_t letter, size_t pad)
{
	maker_reset();
	*s = boring();
	s->response.extensions = extension(X_MADE_UP, -1, blob_fill(letter, pad));
	struct response_spec spec = s->response;
	spec.entries = make_entry(&s->entry);
	spec.certs = make_cert(&s->delegate);
	return make_response(&spec).len;
}

/* An ECDSA signature has 70 to 72 bytes, as it happens: the padding is fitted by trying lengths and letters. */
static void sized(struct scene *s, size_t target)
{
	size_t about = 3000 + target - len_when_padded(s, 'a', 3000);
	for (uint8_t letter = 'a'; letter <= 'z'; letter++)
		for (size_t pad = about - 4; pad < about + 4; pad++)
			if (len_when_padded(s, letter, pad) == target)
				return;
	fail_msg("no padding makes %zu bytes", target);
}
SCENE(of_4097_bytes)
{
	sized(s, 4097);
}
SCENE(of_4096_bytes)
{
	sized(s, 4096);
}
SCENE(of_a_root)
{
	s->of_root = true;
	s->entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("01"));
}
SCENE(by_one_that_was_trusted)
{
	struct cert_spec own = delegate_spec();
	own.key = own.signer = KEY_OTHER;
	own.issuer = own.subject = "Own";
	trusted = blob_datum(make_cert(&own));
	s->policy.trusted = &trusted;
	s->response.signer = KEY_OTHER;
	s->response.responder = responder_by_key(KEY_OTHER);
	s->response.certs = BLOB_NONE;
}

static const struct row {
	const char *row;
	enum clinch_finding finding;
	void (*with)(struct scene *);
	void (*without)(struct scene *);
} rows[] = {
#define ROW(id, with, without)                                                                                              \
	{                                                                                                                   \
#id ": " #with ", " #without, CLINCH_FINDING_##id, with, without                                            \
	}
	ROW(DELEGATE_WITHOUT_NOCHECK, no_nocheck, as_it_is),
	ROW(DELEGATE_ENDS_FIRST, delegate_ends_a_second_first, delegate_ends_with_it),
	ROW(DELEGATE_BEGAN_LATE, delegate_begins_a_second_late, delegate_begins_with_it),
	ROW(EXTRA_CERTIFICATES, leaf_embedded, issuer_embedded),
	ROW(RESPONDER_BY_NAME, by_name, as_it_is),
	ROW(CERT_ID_SHA1, as_it_is, id_of_sha256),
	ROW(CERT_ID_SHA2, id_of_sha256, as_it_is),
	ROW(NO_NEXT_UPDATE, undated, as_it_is),
	ROW(VALIDITY_SHORT, eight_hours_less_one, eight_hours),
	ROW(VALIDITY_SHORT, eight_hours_less_one, undated),
	ROW(VALIDITY_LONG, ten_days_and_one, ten_days),
	ROW(VALIDITY_LONG, ten_days_and_one, ca_for_12_months),
	ROW(VALIDITY_LONG_CA, ca_for_13_months, ca_for_12_months),
	ROW(LIFE_HALF_GONE, half_and_a_second, exactly_half),
	ROW(LIFE_HALF_GONE, exactly_nine_tenths, nine_tenths_and_a_second),
	ROW(LIFE_NEARLY_GONE, nine_tenths_and_a_second, exactly_nine_tenths),
	ROW(SEVERAL_ENTRIES, another_entry, as_it_is),
	ROW(CONTRADICTORY_ENTRIES, unknown_too, good_twice),
	ROW(CONTRADICTORY_ENTRIES, unknown_too, another_entry),
	ROW(NONCE_PREPARED, nonce_there, nonce_asked_and_there),
	ROW(NONCE_IGNORED, nonce_asked, nonce_asked_and_there),
	ROW(THIS_UPDATE_AFTER_PRODUCED, produced_a_second_before, as_it_is),
	ROW(REASON_UNSPECIFIED, revoked_unspecified, revoked_without_reason),
	ROW(REASON_UNSPECIFIED, unspecified_in_extension, reason_in_extension),
	ROW(REASON_IN_EXTENSION, reason_in_extension, reason_in_its_place),
	ROW(REASON_REMOVE_FROM_CRL, remove_from_crl, reason_in_its_place),
	ROW(REASON_REMOVE_FROM_CRL, remove_from_crl_in_extension, reason_in_extension),
	ROW(VERSION_EXPLICIT, version_written, as_it_is),
	ROW(SIGNATURE_SHA1, sha1_allowed, sha1_allowed_and_not_used),
	ROW(SERIAL_NOT_MINIMAL, padded_serial, high_serial),
	ROW(URL_NOT_HTTP, https_url, http_url_in_capitals),
	ROW(MUST_STAPLE_WITHOUT_URL, must_staple_alone, must_staple_with_url),
	ROW(NO_URL, no_url, as_it_is),
	ROW(RESPONSE_LARGE, of_4097_bytes, of_4096_bytes),
	ROW(ROOT_ENTRY, of_a_root, as_it_is),
	ROW(TRUSTED_SIGNER, by_one_that_was_trusted, by_the_issuer),
};

/* Said of sessions, by test_client.c. */
static bool is_of_sessions(int finding)
{
	return finding == CLINCH_FINDING_RESUMED;
}

static void a_boring_response_has_one_finding(void **state)
{
	(void)state;
	struct scene scene = boring();
	const struct clinch_verdict verdict = judge(&scene);
	assert_int_equal(verdict.status, CLINCH_GOOD);
	assert_true(verdict.findings == BIT(CERT_ID_SHA1));
}

static void each_finding_is_said_when_it_is_there_and_not_when_it_is_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		maker_reset();
		struct scene with = boring();
		rows[i].with(&with);
		const struct clinch_verdict yes = judge(&with);
		maker_reset();
		struct scene without = boring();
		rows[i].without(&without);
		const struct clinch_verdict no = judge(&without);
		check(rows[i].row, yes.findings >> rows[i].finding & 1);
		check(rows[i].row, !(no.findings >> rows[i].finding & 1));
	}
}

/* A finding is said of what is accepted: each of these is believed, and is what it is without the finding too. */
static void no_finding_changes_a_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		maker_reset();
		struct scene scene = boring();
		rows[i].with(&scene);
		const struct clinch_verdict verdict = judge(&scene);
		check(rows[i].row, verdict.fresh);
		check(rows[i].row, verdict.status != CLINCH_INVALID);
	}
}

static void each_row_of_the_table_has_its_case(void **state)
{
	(void)state;
	for (int finding = 0; finding < CLINCH_FINDING_COUNT; finding++) {
		bool found = is_of_sessions(finding);
		for (size_t i = 0; i < ROWS(rows); i++)
			found |= rows[i].finding == (enum clinch_finding)finding;
		check(clinch_finding_name(finding), found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_boring_response_has_one_finding),
		T(each_finding_is_said_when_it_is_there_and_not_when_it_is_not),
		T(no_finding_changes_a_verdict),
		T(each_row_of_the_table_has_its_case),
	};
	return cmocka_run_group_tests_name("findings", tests, NULL, drop_keys);
}
