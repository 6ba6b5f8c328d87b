/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a request gets: the forms that are refused, whose it is, what is said and until when. */
#include "answering.h"
#include "respond/decide.h"

static struct snapshot *snapshot;

static int set_up(void **state)
{
	(void)state;
	desk_open("decide");
	answering_write();
	snapshot = answering_default();
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

static struct decision decided;

static const struct decision *ask(const struct snapshot *of, struct blob request, int64_t now)
{
	memset(&decided, 0xa5, sizeof(decided));
	decide(&decided, of, der_of(request.data, request.len), now);
	return &decided;
}

static void answers_with(const char *row, struct blob request, enum ocsp_refusal refusal)
{
	const struct decision *got = ask(snapshot, request, NOW);

	check_int(row, got->act, refusal ? DECIDE_REFUSE : DECIDE_ANSWER);
	if (refusal)
		check_int(row, got->refusal, refusal);
}

/* ---- form ---- */

static struct blob serial_of(size_t len, uint8_t first)
{
	uint8_t bytes[80] = { first };

	memset(bytes + 1, 0x11, sizeof(bytes) - 1);
	return ask_of(ask_entry(cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_of(bytes, len))), BLOB_NONE);
}

static void refuses_what_is_no_request(void **state)
{
	(void)state;
	struct blob good = ask_about(LEAF_SERIAL), entry = ask_entry(id_of(LEAF_SERIAL));

	answers_with("empty", BLOB_NONE, OCSP_MALFORMED_REQUEST);
	answers_with("trailing byte", CAT(good, blob_hex("00")), OCSP_MALFORMED_REQUEST);
	answers_with("cut", blob_of(good.data, good.len - 1), OCSP_MALFORMED_REQUEST);
	answers_with("no entry", ask_of(BLOB_NONE, BLOB_NONE), OCSP_MALFORMED_REQUEST);
	answers_with("version 2", SEQ(SEQ(tlv(0xa0, blob_hex("020101")), SEQ(entry))), OCSP_MALFORMED_REQUEST);
	answers_with("a signature that is none", SEQ(SEQ(SEQ(entry)), tlv(0xa0, blob_hex("0500"))), OCSP_MALFORMED_REQUEST);
	answers_with("near: that one", good, 0);
	answers_with("near: a requestor's name", SEQ(SEQ(tlv(0xa1, tlv(0x82, blob_text("me"))), SEQ(entry))), 0);
	answers_with("near: signed", SEQ(SEQ(SEQ(entry)), tlv(0xa0, SEQ(SEQ(oid("2b6570")), bits(blob_fill(1, 64))))), 0);
}

static void a_serial_has_at_most_64_bytes_and_the_shortest_form(void **state)
{
	(void)state;
	answers_with("65 bytes", serial_of(65, 0x11), OCSP_MALFORMED_REQUEST);
	answers_with("near: 64 bytes", serial_of(64, 0x11), OCSP_UNAUTHORIZED);
	answers_with("padded by 00", serial_of(3, 0x00), OCSP_MALFORMED_REQUEST);
	answers_with("padded by ff", ask_about("ff80"), OCSP_MALFORMED_REQUEST);
	answers_with("near: 00 before a high bit", ask_about("0080"), OCSP_UNAUTHORIZED);
	answers_with("near: negative", ask_about("80"), OCSP_UNAUTHORIZED);
	answers_with("near: zero", ask_about("00"), OCSP_UNAUTHORIZED);
}

static void a_nonce_has_1_to_128_bytes(void **state)
{
	(void)state;
	struct blob entry = ask_entry(id_of(LEAF_SERIAL));

	answers_with("0", ask_of(entry, nonce_of(OCTETS(BLOB_NONE))), OCSP_MALFORMED_REQUEST);
	answers_with("129", ask_of(entry, nonce_of(OCTETS(blob_fill(7, 129)))), OCSP_MALFORMED_REQUEST);
	answers_with("no OCTET STRING", ask_of(entry, nonce_of(blob_fill(7, 16))), OCSP_MALFORMED_REQUEST);
	answers_with("twice", ask_of(entry, CAT(nonce_of(OCTETS(blob_fill(7, 16))), nonce_of(OCTETS(blob_fill(7, 16))))),
		     OCSP_MALFORMED_REQUEST);
	answers_with("near: 1", ask_of(entry, nonce_of(OCTETS(blob_fill(7, 1)))), 0);
	answers_with("near: 128", ask_of(entry, nonce_of(OCTETS(blob_fill(7, 128)))), 0);
	assert_true(decided.has_nonce);
	assert_int_equal(der_len(decided.nonce), 128);
	assert_false(decided.is_plain);
}

static void unknown_extensions_are_ignored_unless_critical(void **state)
{
	(void)state;
	struct blob entry = ask_entry(id_of(LEAF_SERIAL)), nonce = OCTETS(blob_fill(7, 16));
	struct blob odd = extension(X_MADE_UP, -1, blob_hex("0500")), critical = extension(X_MADE_UP, 1, blob_hex("0500"));

	answers_with("critical", ask_of(entry, critical), OCSP_MALFORMED_REQUEST);
	answers_with("critical of one entry", ask_of(SEQ(id_of(LEAF_SERIAL), tlv(0xa0, SEQ(critical))), BLOB_NONE),
		     OCSP_MALFORMED_REQUEST);
	answers_with("near: not critical", ask_of(entry, odd), 0);
	answers_with("near: not critical, of one entry", ask_of(SEQ(id_of(LEAF_SERIAL), tlv(0xa0, SEQ(odd))), BLOB_NONE), 0);
	answers_with("near: a critical nonce", ask_of(entry, extension(X_NONCE, 1, nonce)), 0);
	assert_true(decided.has_nonce);
}

static struct blob many(unsigned n)
{
	struct blob entries = BLOB_NONE;

	for (unsigned i = 0; i < n; i++)
		entries = CAT(entries, ask_entry(id_of(LEAF_SERIAL)));
	return ask_of(entries, BLOB_NONE);
}

static void more_certificates_than_allowed_are_refused(void **state)
{
	(void)state;
	struct snapshot *three =
		answering_snapshot(&(struct authority_conf){ .validity_s = DAY }, &(struct respond_conf){ .ids = 3 });

	answers_with("33", many(33), OCSP_MALFORMED_REQUEST);
	answers_with("near: 32", many(32), 0);
	assert_int_equal(decided.n, 32);
	assert_int_equal(ask(three, many(4), NOW)->refusal, OCSP_MALFORMED_REQUEST);
	assert_int_equal(ask(three, many(3), NOW)->act, DECIDE_ANSWER);
	snapshot_unref(three);
}

/* ---- whose ---- */

static void answers_for_its_own_cas_alone(void **state)
{
	(void)state;
	struct blob mine = ask_entry(id_of(LEAF_SERIAL));
	struct blob other = ask_entry(cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_OTHER, blob_hex(LEAF_SERIAL)));
	struct blob crossed = cert_id(GNUTLS_DIG_SHA1, "Another Name", KEY_CA, blob_hex(LEAF_SERIAL));
	struct blob stranger = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_LEAF, blob_hex(LEAF_SERIAL));

	answers_with("another name with this key", ask_of(ask_entry(crossed), BLOB_NONE), OCSP_UNAUTHORIZED);
	answers_with("this name with a stranger's key", ask_of(ask_entry(stranger), BLOB_NONE), OCSP_UNAUTHORIZED);
	answers_with("two CAs at once", ask_of(CAT(mine, other), BLOB_NONE), OCSP_UNAUTHORIZED);
	answers_with("near: this one", ask_of(mine, BLOB_NONE), 0);
	assert_int_equal(decided.single[0].status, CLINCH_GOOD);
	assert_ptr_equal(decided.ca, &snapshot->ca[0]);
	answers_with("near: the other, same name and serial", ask_of(other, BLOB_NONE), 0);
	assert_int_equal(decided.single[0].status, CLINCH_REVOKED);
	assert_ptr_equal(decided.ca, &snapshot->ca[1]);
}

static void knows_four_digests_and_keeps_answers_of_two(void **state)
{
	(void)state;
	static const struct {
		gnutls_digest_algorithm_t digest;
		bool is_plain;
	} rows[] = { { GNUTLS_DIG_SHA1, true },
		     { GNUTLS_DIG_SHA256, true },
		     { GNUTLS_DIG_SHA384, false },
		     { GNUTLS_DIG_SHA512, false } };
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct blob id = cert_id(rows[i].digest, CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL));
		answers_with(gnutls_digest_get_name(rows[i].digest), ask_of(ask_entry(id), BLOB_NONE), 0);
		check_int(gnutls_digest_get_name(rows[i].digest), decided.is_plain, rows[i].is_plain);
	}
	struct blob sha224 = SEQ(SEQ(oid("608648016503040204"), null_value()), OCTETS(blob_fill(1, 28)),
				 OCTETS(blob_fill(2, 28)), tlv(0x02, blob_hex(LEAF_SERIAL)));
	answers_with("SHA-224", ask_of(ask_entry(sha224), BLOB_NONE), OCSP_UNAUTHORIZED);
}

static void parameters_may_be_absent_and_are_then_not_kept(void **state)
{
	(void)state;
	struct blob with = id_of(LEAF_SERIAL);
	/* SEQUENCE { SEQUENCE { OID, NULL }, ...: the NULL is bytes 11 and 12. */
	struct blob tail = blob_of(with.data + 13, with.len - 13);
	struct blob without = SEQ(SEQ(oid("2b0e03021a")), tail);

	answers_with("NULL", ask_of(ask_entry(with), BLOB_NONE), 0);
	assert_true(decided.is_plain);
	answers_with("absent", ask_of(ask_entry(without), BLOB_NONE), 0);
	assert_false(decided.is_plain);
	assert_true(der_equals_bytes(decided.single[0].cert_id, without.data, without.len));
}

/* ---- what ---- */

static void says_what_the_source_says(void **state)
{
	(void)state;
	answers_with("good", ask_about(LEAF_SERIAL), 0);
	assert_int_equal(decided.single[0].status, CLINCH_GOOD);
	assert_int_equal(decided.single[0].revoked_at, 0);
	answers_with("revoked", ask_about("02"), 0);
	assert_int_equal(decided.single[0].status, CLINCH_REVOKED);
	assert_int_equal(decided.single[0].revoked_at, 1780272000); /* 2026-06-01 */
	assert_int_equal(decided.single[0].revocation_reason, 1);
	answers_with("revoked without a reason", ask_about("03"), 0);
	assert_int_equal(decided.single[0].revocation_reason, -1);
	answers_with("never issued", ask_about("05"), OCSP_UNAUTHORIZED);
	answers_with("past its notAfter", ask_about("04"), OCSP_UNAUTHORIZED);
}

static void answers_in_the_order_of_the_request_byte_for_byte(void **state)
{
	(void)state;
	struct blob ids[] = { id_of("02"), id_of(LEAF_SERIAL), id_of("02") };

	answers_with("three", ask_of(CAT(ask_entry(ids[0]), ask_entry(ids[1]), ask_entry(ids[2])), BLOB_NONE), 0);
	assert_int_equal(decided.n, 3);
	for (int i = 0; i < 3; i++)
		assert_true(der_equals_bytes(decided.single[i].cert_id, ids[i].data, ids[i].len));
	assert_int_equal(decided.single[0].status, CLINCH_REVOKED);
	assert_int_equal(decided.single[1].status, CLINCH_GOOD);
	assert_int_equal(decided.single[2].status, CLINCH_REVOKED);
	assert_false(decided.is_plain);
	answers_with("one of them never issued", ask_of(CAT(ask_entry(ids[0]), ask_entry(id_of("05"))), BLOB_NONE),
		     OCSP_UNAUTHORIZED);
}

static void never_issued_may_be_unknown_and_is_then_not_kept(void **state)
{
	(void)state;
	struct snapshot *unknown =
		answering_snapshot(&(struct authority_conf){ .validity_s = DAY, .never_issued = NEVER_ISSUED_UNKNOWN },
				   &(struct respond_conf){ .ids = 3 });

	assert_int_equal(ask(unknown, ask_about("05"), NOW)->act, DECIDE_ANSWER);
	assert_int_equal(decided.single[0].status, CLINCH_UNKNOWN);
	assert_false(decided.is_plain);
	assert_int_equal(ask(unknown, ask_about("04"), NOW)->refusal, OCSP_UNAUTHORIZED);
	snapshot_unref(unknown);
}

static void an_archive_answers_about_the_past(void **state)
{
	(void)state;
	struct snapshot *archive =
		answering_snapshot(&(struct authority_conf){ .validity_s = DAY, .archive_cutoff_s = 30 * DAY },
				   &(struct respond_conf){ .ids = 3 });

	assert_int_equal(ask(archive, ask_about("04"), NOW)->act, DECIDE_ANSWER);
	assert_int_equal(decided.single[0].archive_cutoff, NOW - 30 * DAY);
	/* its notAfter is 2026-06-01 00:00 */
	assert_int_equal(ask(archive, ask_about("04"), INT64_C(1780272000) + 30 * DAY)->act, DECIDE_ANSWER);
	assert_int_equal(ask(archive, ask_about("04"), INT64_C(1780272000) + 30 * DAY + 1)->act, DECIDE_REFUSE);
	snapshot_unref(archive);
}

static void a_nonce_may_be_ignored(void **state)
{
	(void)state;
	struct snapshot *without = answering_snapshot(&(struct authority_conf){ .validity_s = DAY, .nonce = NONCE_IGNORE },
						      &(struct respond_conf){ .ids = 3 });
	struct blob entry = ask_entry(id_of(LEAF_SERIAL));

	assert_int_equal(ask(without, ask_of(entry, nonce_of(OCTETS(blob_fill(7, 16)))), NOW)->act, DECIDE_ANSWER);
	assert_true(decided.is_plain && !decided.has_nonce);
	assert_int_equal(ask(without, ask_of(entry, nonce_of(OCTETS(BLOB_NONE))), NOW)->refusal, OCSP_MALFORMED_REQUEST);
	snapshot_unref(without);
}

/* ---- until when ---- */

static void lives_from_a_minute_ago_for_its_validity(void **state)
{
	(void)state;
	struct snapshot *brief =
		answering_snapshot(&(struct authority_conf){ .validity_s = 8 }, &(struct respond_conf){ .ids = 3 });

	answers_with("4 days", ask_about(LEAF_SERIAL), 0);
	assert_int_equal(decided.single[0].this_update, NOW - 60);
	assert_int_equal(decided.single[0].next_update, NOW - 60 + 4 * DAY);
	ask(brief, ask_about(LEAF_SERIAL), NOW);
	assert_int_equal(decided.single[0].this_update, NOW - 2);
	assert_int_equal(decided.single[0].next_update, NOW + 6);
	snapshot_unref(brief);
}

static struct snapshot *from_crl(const char *next_update)
{
	static const char *crl[1];
	struct authority_conf conf = { .validity_s = 4 * DAY,
				       .source = { .kind = SOURCE_CRL, .crl = crl, .n_crl = 1, .crl_means_good = true } };

	desk_write_blob("crl", make_crl(next_update, blob_hex("02")));
	crl[0] = desk_path("crl");
	return answering_snapshot(&conf, &(struct respond_conf){ .ids = 3 });
}

static void is_never_beyond_the_end_of_the_source(void **state)
{
	(void)state;
	struct snapshot *crl = from_crl("260616120000Z"); /* NOW + 1 day */

	assert_int_equal(ask(crl, ask_about("02"), NOW)->act, DECIDE_ANSWER);
	assert_int_equal(decided.single[0].status, CLINCH_REVOKED);
	assert_int_equal(decided.single[0].next_update, NOW + DAY);
	assert_int_equal(ask(crl, ask_about("09"), NOW + DAY - 1)->single[0].status, CLINCH_GOOD);
	assert_int_equal(decided.single[0].next_update, NOW + DAY);
	assert_int_equal(ask(crl, ask_about("09"), NOW + DAY)->act, DECIDE_REFUSE);
	assert_int_equal(decided.refusal, OCSP_TRY_LATER);
	snapshot_unref(crl);
}

static void is_never_beyond_the_end_of_the_signer(void **state)
{
	(void)state;
	int64_t end = authority_signs_until(snapshot->ca[0].authority, NOW);

	assert_int_equal(ask(snapshot, ask_about(LEAF_SERIAL), end - DAY)->act, DECIDE_ANSWER);
	assert_int_equal(decided.single[0].next_update, end);
	assert_int_equal(ask(snapshot, ask_about(LEAF_SERIAL), end + 1)->refusal, OCSP_TRY_LATER);
}

/* Whatever is changed: what is answered is about the serial that stands there then. */
static void every_changed_byte_is_refused_or_answered_for_what_it_says(void **state)
{
	(void)state;
	struct blob good = ask_about(LEAF_SERIAL);
	uint8_t bytes[256];

	for (size_t i = 0; i < good.len; i++)
		for (unsigned value = 0; value < 256; value++) {
			memcpy(bytes, good.data, good.len);
			bytes[i] = (uint8_t)value;
			if (ask(snapshot, blob_of(bytes, good.len), NOW)->act == DECIDE_REFUSE)
				continue;
			struct source_status found = source_find(decided.ca->source, decided.serial);
			assert_int_equal(decided.single[0].status,
					 found.says == SOURCE_VALID ? CLINCH_GOOD : CLINCH_REVOKED);
			assert_true(decided.single[0].cert_id.at >= decided.serial.at - 64);
			maker_reset();
			good = ask_about(LEAF_SERIAL);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(refuses_what_is_no_request),
		T(a_serial_has_at_most_64_bytes_and_the_shortest_form),
		T(a_nonce_has_1_to_128_bytes),
		T(unknown_extensions_are_ignored_unless_critical),
		T(more_certificates_than_allowed_are_refused),
		T(answers_for_its_own_cas_alone),
		T(knows_four_digests_and_keeps_answers_of_two),
		T(parameters_may_be_absent_and_are_then_not_kept),
		T(says_what_the_source_says),
		T(answers_in_the_order_of_the_request_byte_for_byte),
		T(never_issued_may_be_unknown_and_is_then_not_kept),
		T(an_archive_answers_about_the_past),
		T(a_nonce_may_be_ignored),
		T(lives_from_a_minute_ago_for_its_validity),
		T(is_never_beyond_the_end_of_the_source),
		T(is_never_beyond_the_end_of_the_signer),
		T(every_changed_byte_is_refused_or_answered_for_what_it_says),
	};
	return cmocka_run_group_tests_name("decide", tests, set_up, tear_down);
}
