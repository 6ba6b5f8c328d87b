/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is signed here is read back by our own parser and believed by our own judge. */
#include "base/cleanup.h"
#include "house.h"
#include "ocsp/response.h"
#include <string.h>

static struct der id_of(uint8_t out[256], const struct house *house, enum subject_hash hash)
{
	size_t len = ocsp_cert_id_write(out, 256, house->issuer, hash, house->subject->view.serial);

	assert_true(len > 0);
	return der_of(out, len);
}

static struct ocsp_single good_single(struct der id)
{
	return (struct ocsp_single){ .cert_id = id,
				     .status = CLINCH_GOOD,
				     .revocation_reason = -1,
				     .this_update = NOW - 60,
				     .next_update = NOW + 4 * DAY };
}

static gnutls_datum_t signed_by(struct ocsp_signer *signer, const struct ocsp_single *single, size_t n,
				const struct der *nonce)
{
	gnutls_datum_t out = { NULL, 0 };
	struct clinch_error err = { 0 };

	if (ocsp_sign(&out, signer, single, n, NOW, nonce, &err) < 0)
		fail_msg("%s", err.text);
	return out;
}

static struct clinch_verdict judge(const struct house *house, const gnutls_datum_t *der, const gnutls_datum_t *nonce)
{
	const struct clinch_policy policy = { .nonce = nonce };
	struct clinch_verdict verdict;

	clinch_verify(NULL, &verdict, der, house->subject, NOW, &policy);
	return verdict;
}

/* ---- what is signed is believed ---- */

static void check_believed(const char *row, const struct house *house, const struct party *party, unsigned options)
{
	struct ocsp_signer *signer = signer_of(house, party, options);
	uint8_t memory[256];

	for (int hash = 0; hash < SUBJECT_HASHES; hash++) {
		const struct ocsp_single single = good_single(id_of(memory, house, hash));
		auto_datum der = signed_by(signer, &single, 1, NULL);
		const struct clinch_verdict verdict = judge(house, &der, NULL);
		check_str(row, clinch_reason_name(verdict.reason), "good");
		check(row, verdict.fresh);
		check_int(row, verdict.this_update, NOW - 60);
		check_int(row, verdict.produced_at, NOW);
		check_int(row, verdict.next_update, NOW + 4 * DAY);
	}
	ocsp_signer_unref(signer);
}

static void every_kind_of_key_signs_what_our_own_judge_believes(void **state)
{
	(void)state;
	for (enum party_kind kind = 0; kind < PARTY_KINDS; kind++) {
		struct house house;
		open_house(&house, kind);
		const char *row = party_kind_names[kind];
		check_believed(row, &house, &house.ca, 0);
		check_believed(row, &house, &house.ca, OCSP_SIGNER_BY_NAME | OCSP_SIGNER_PSS);
		check_believed(row, &house, &house.delegate, 0);
		check_believed(row, &house, &house.delegate, OCSP_SIGNER_BY_NAME | OCSP_SIGNER_PSS);
		close_house(&house);
	}
}

/* ---- P-256, which the rest is tried with ---- */

static void parse(struct ocsp_response *out, const gnutls_datum_t *der)
{
	assert_int_equal(ocsp_response_parse(out, der_of(der->data, der->size)), CLINCH_REASON_GOOD);
}

static void a_response_has_the_form_of_the_lightweight_profile(void **state)
{
	(void)state;
	uint8_t memory[256];
	const struct ocsp_single single = good_single(id_of(memory, &home, HASH_SHA1));
	auto_datum der = signed_by(by_delegate, &single, 1, NULL);
	struct ocsp_response response;
	parse(&response, &der);
	assert_false(response.version_explicit);
	assert_true(response.by_key);
	assert_int_equal(response.n_entries, 1);
	assert_int_equal(response.n_certs, 1);
	assert_int_equal(der_len(response.extensions), 0);
	assert_true(der_equals_bytes(response.certs, home.delegate.der.data, home.delegate.der.size));
	/* What there is to be said of it is said of the certificates here and of SHA-1. */
	const uint64_t known = UINT64_C(1) << CLINCH_FINDING_DELEGATE_WITHOUT_NOCHECK |
			       UINT64_C(1) << CLINCH_FINDING_CERT_ID_SHA1 | UINT64_C(1) << CLINCH_FINDING_NO_URL;
	assert_int_equal(judge(&home, &der, NULL).findings, known);
}

static void a_ca_that_issued_itself_is_embedded_and_an_intermediate_is_not(void **state)
{
	(void)state;
	uint8_t memory[256];
	struct ocsp_single single = good_single(id_of(memory, &home, HASH_SHA1));
	auto_datum der = signed_by(by_ca, &single, 1, NULL);
	struct ocsp_response response;
	parse(&response, &der);
	assert_true(der_equals_bytes(response.certs, home.ca.der.data, home.ca.der.size));

	/* The world's CA under another name, issued by the one of this house. */
	struct cert_spec spec = ca_spec();
	spec.issuer = "Somebody Above";
	const gnutls_datum_t cert = blob_datum(make_cert(&spec));
	gnutls_privkey_t key;
	const gnutls_datum_t pem = blob_datum(blob_text(maker_key_pem[KEY_CA]));
	struct ocsp_signer *signer;
	auto_issuer *issuer = NULL;
	auto_datum second = { NULL, 0 };
	assert_int_equal(gnutls_privkey_init(&key), 0);
	assert_int_equal(gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0), 0);
	assert_int_equal(issuer_new(&issuer, &cert, NULL), 0);
	assert_int_equal(ocsp_signer_new(&signer, &cert, issuer, key, 0, NULL), 0);
	assert_int_equal(ocsp_sign(&second, signer, &single, 1, NOW, NULL, NULL), 0);
	parse(&response, &second);
	assert_int_equal(response.n_certs, 0);
	ocsp_signer_unref(signer);
}

static void a_name_or_the_hash_of_the_key_says_who_answers(void **state)
{
	(void)state;
	struct ocsp_signer *by_name = signer_of(&home, &home.delegate, OCSP_SIGNER_BY_NAME);
	uint8_t memory[256];
	const struct ocsp_single single = good_single(id_of(memory, &home, HASH_SHA256));
	auto_datum named = signed_by(by_name, &single, 1, NULL);
	auto_datum keyed = signed_by(by_delegate, &single, 1, NULL);
	struct cert_view view;
	struct ocsp_response response;
	assert_true(cert_view_parse(&view, der_of(home.delegate.der.data, home.delegate.der.size)));
	parse(&response, &named);
	assert_false(response.by_key);
	assert_true(der_equals(response.responder, view.subject));
	parse(&response, &keyed);
	assert_true(response.by_key);
	struct blob hash = digest(GNUTLS_DIG_SHA1, blob_of(view.key_bits.at, der_len(view.key_bits)));
	assert_true(der_equals_bytes(response.responder, hash.data, hash.len));
	ocsp_signer_unref(by_name);
}

static void a_nonce_comes_back_as_it_was(void **state)
{
	(void)state;
	uint8_t memory[256];
	const struct ocsp_single single = good_single(id_of(memory, &home, HASH_SHA1));
	for (size_t len = 1; len <= 128; len = len * 2 + (len == 1) * 29) {
		const gnutls_datum_t asked = blob_datum(blob_fill(0x9c, len));
		const struct der nonce = der_of(asked.data, asked.size);
		auto_datum der = signed_by(by_delegate, &single, 1, &nonce);
		struct ocsp_response response;
		struct der found;
		parse(&response, &der);
		assert_true(ocsp_response_nonce(&response, &found));
		assert_true(der_equals(found, nonce));
		assert_int_equal(judge(&home, &der, &asked).reason, CLINCH_REASON_GOOD);
	}
}

static void several_certificates_are_answered_in_their_order_and_as_they_were_asked(void **state)
{
	(void)state;
	enum { N = 40 };
	struct ocsp_single singles[N];
	static const enum clinch_status statuses[] = { CLINCH_GOOD, CLINCH_REVOKED, CLINCH_UNKNOWN };
	for (size_t i = 0; i < N; i++) {
		/* Without parameters, which other answers have: the bytes of the question are those of the answer. */
		struct blob serial = blob_fill((uint8_t)(i + 1), i % 20 + 1);
		struct blob id =
			SEQ(SEQ(oid("2b0e03021a")), OCTETS(blob_fill(1, 20)), OCTETS(blob_fill(2, 20)), tlv(0x02, serial));
		singles[i] = good_single(der_of(id.data, id.len));
		singles[i].status = statuses[i % 3];
		singles[i].revoked_at = NOW - (int64_t)i * HOUR;
		singles[i].revocation_reason = i % 2 ? 1 : 0;
		singles[i].next_update += (int64_t)i;
	}
	auto_datum der = signed_by(by_ca, singles, N, NULL);
	struct ocsp_response response;
	struct ocsp_entry entry;
	parse(&response, &der);
	assert_int_equal(response.n_entries, N);
	struct der left = response.entries, whole, content;
	for (size_t i = 0; i < N; i++) {
		struct der same = left;
		assert_true(der_take(&same, DER_SEQUENCE, &content));
		assert_true(der_take_whole(&content, DER_SEQUENCE, &same, &whole));
		assert_true(der_equals(whole, singles[i].cert_id));
		assert_true(ocsp_entry_next(&left, &entry));
		assert_int_equal(entry.status, statuses[i % 3]);
		assert_int_equal(entry.this_update, NOW - 60);
		assert_true(entry.has_next_update);
		assert_int_equal(entry.next_update, NOW + 4 * DAY + (int64_t)i);
		assert_int_equal(entry.revocation_reason, entry.status == CLINCH_REVOKED && i % 2 ? 1 : -1);
		if (entry.status == CLINCH_REVOKED)
			assert_int_equal(entry.revoked_at, NOW - (int64_t)i * HOUR);
	}
	assert_false(ocsp_entry_next(&left, &entry));
}

static void an_archive_cutoff_stands_in_its_entry(void **state)
{
	(void)state;
	uint8_t memory[256];
	struct ocsp_single single = good_single(id_of(memory, &home, HASH_SHA1));
	single.archive_cutoff = INT64_C(1700000000); /* 2023-11-14T22:13:20Z */
	auto_datum der = signed_by(by_delegate, &single, 1, NULL);
	struct ocsp_response response;
	struct ocsp_entry entry;
	parse(&response, &der);
	assert_true(ocsp_entry_next(&response.entries, &entry));
	struct blob want = extension("2b0601050507300106", -1, generalized("20231114221320Z"));
	assert_true(der_equals_bytes(entry.extensions, want.data, want.len));
	assert_int_equal(judge(&home, &der, NULL).reason, CLINCH_REASON_GOOD);
}

static void the_judge_sees_a_revocation_and_its_reason(void **state)
{
	(void)state;
	uint8_t memory[256];
	struct ocsp_single single = good_single(id_of(memory, &home, HASH_SHA1));
	single.status = CLINCH_REVOKED;
	single.revoked_at = NOW - DAY;
	for (int reason = -1; reason <= 11; reason++) {
		gnutls_datum_t der = { NULL, 0 };
		single.revocation_reason = reason;
		int code = ocsp_sign(&der, by_delegate, &single, 1, NOW, NULL, NULL);
		if (reason == 7 || reason == 8 || reason == 11) {
			assert_int_equal(code, CLINCH_E_ARGUMENT);
			assert_null(der.data);
			continue;
		}
		assert_int_equal(code, 0);
		const struct clinch_verdict verdict = judge(&home, &der, NULL);
		assert_int_equal(verdict.status, CLINCH_REVOKED);
		assert_int_equal(verdict.revoked_at, NOW - DAY);
		assert_int_equal(verdict.revocation_reason, reason < 1 ? -1 : reason);
		gnutls_free(der.data);
	}
}

static void what_no_response_can_say_is_not_signed(void **state)
{
	(void)state;
	uint8_t memory[256];
	const struct ocsp_single good = good_single(id_of(memory, &home, HASH_SHA1));
	struct ocsp_single invalid = good, missing = good, far = good, old = good;
	const struct der empty = der_of("", 0), nonce = der_of(blob_fill(1, 129).data, 129);
	gnutls_datum_t out = { NULL, 0 };
	invalid.status = CLINCH_INVALID;
	missing.status = CLINCH_MISSING;
	far.next_update = INT64_C(253402300800); /* the year 10000 */
	old.this_update = INT64_C(-62167219201);
	const struct {
		const char *row;
		const struct ocsp_single *single;
		size_t n;
		const struct der *nonce;
	} rows[] = {
		{ "about nothing", &good, 0, NULL },          { "an empty nonce", &good, 1, &empty },
		{ "a nonce of 129 bytes", &good, 1, &nonce }, { "no verdict", &invalid, 1, NULL },
		{ "no staple", &missing, 1, NULL },           { "five digits of a year", &far, 1, NULL },
		{ "before the year 0", &old, 1, NULL },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		int code = ocsp_sign(&out, by_ca, rows[i].single, rows[i].n, NOW, rows[i].nonce, NULL);
		check_int(rows[i].row, code, CLINCH_E_ARGUMENT);
		check(rows[i].row, out.data == NULL);
	}
}

/* ---- a key that is not what it was ---- */

struct moody {
	gnutls_privkey_t key;
	int fails;     /* what it answers instead; 0: it signs */
	size_t longer; /* by so many bytes its signatures are longer */
};

static int sign_moodily(gnutls_privkey_t wrapper, gnutls_sign_algorithm_t algorithm, void *user, unsigned flags,
			const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	const struct moody *moody = user;
	(void)wrapper;
	int rc = moody->fails ? moody->fails : gnutls_privkey_sign_hash2(moody->key, algorithm, flags, hash, signature);
	if (rc < 0 || moody->longer == 0)
		return rc;
	signature->data = gnutls_realloc(signature->data, signature->size + moody->longer);
	memset(signature->data + signature->size, 0, moody->longer);
	signature->size += (unsigned)moody->longer;
	return rc;
}

static int inform(gnutls_privkey_t wrapper, unsigned flags, void *user)
{
	(void)wrapper;
	(void)user;
	return flags & GNUTLS_PRIVKEY_INFO_PK_ALGO ? GNUTLS_PK_ECDSA : flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO ? 1 : -1;
}

static void a_key_that_fails_later_is_an_error(void **state)
{
	(void)state;
	struct moody moody = { .key = party_key(&home.delegate) };
	struct ocsp_signer *signer = NULL;
	struct clinch_error err = { 0 };
	uint8_t memory[256];
	const struct ocsp_single single = good_single(id_of(memory, &home, HASH_SHA1));
	gnutls_privkey_t wrapper;
	gnutls_datum_t out = { NULL, 0 };
	assert_int_equal(gnutls_privkey_init(&wrapper), 0);
	assert_int_equal(gnutls_privkey_import_ext4(wrapper, &moody, NULL, sign_moodily, NULL, NULL, inform, 0), 0);
	assert_int_equal(ocsp_signer_new(&signer, &home.delegate.der, home.issuer, wrapper, 0, NULL), 0);
	moody.fails = GNUTLS_E_PKCS11_TOKEN_ERROR;
	assert_int_equal(ocsp_sign(&out, signer, &single, 1, NOW, NULL, &err), CLINCH_E_GNUTLS);
	assert_int_equal(err.gnutls, GNUTLS_E_PKCS11_TOKEN_ERROR);
	moody.fails = GNUTLS_E_MEMORY_ERROR;
	assert_int_equal(ocsp_sign(&out, signer, &single, 1, NOW, NULL, &err), CLINCH_E_MEMORY);
	moody.fails = 0;
	for (moody.longer = 1; moody.longer < 2000; moody.longer *= 3) {
		int code = ocsp_sign(&out, signer, &single, 1, NOW, NULL, &err);
		assert_true(code == 0 || code == CLINCH_E_TOO_LARGE);
		assert_true(code < 0 || moody.longer < 100);
		assert_int_equal(out.data != NULL, code == 0);
		gnutls_free(out.data);
		out = (gnutls_datum_t){ NULL, 0 };
	}
	ocsp_signer_unref(signer);
	gnutls_privkey_deinit(moody.key);
}

/* ---- what needs no signature ---- */

static void a_refusal_is_five_bytes(void **state)
{
	(void)state;
	static const enum ocsp_refusal all[] = { OCSP_MALFORMED_REQUEST, OCSP_INTERNAL_ERROR, OCSP_TRY_LATER,
						 OCSP_UNAUTHORIZED };
	for (size_t i = 0; i < ROWS(all); i++) {
		const gnutls_datum_t der = ocsp_refuse(all[i]);
		const uint8_t want[] = { 0x30, 3, 0x0a, 1, (uint8_t)all[i] };
		assert_int_equal(der.size, sizeof(want));
		assert_memory_equal(der.data, want, sizeof(want));
	}
}

static void a_cert_id_is_the_one_that_clients_send(void **state)
{
	(void)state;
	static const gnutls_digest_algorithm_t digests[] = { GNUTLS_DIG_SHA1, GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384,
							     GNUTLS_DIG_SHA512 };
	for (int hash = 0; hash < SUBJECT_HASHES; hash++) {
		uint8_t memory[256];
		auto_datum request = { NULL, 0 };
		const struct der id = id_of(memory, &home, hash);
		assert_int_equal(clinch_request_build(&request, home.subject, digests[hash], NULL), 0);
		/* It is all that a request without extensions ends with. */
		assert_true(request.size > der_len(id));
		assert_memory_equal(request.data + request.size - der_len(id), id.at, der_len(id));
		assert_int_equal(ocsp_cert_id_write(memory, der_len(id) - 1, home.issuer, hash, home.subject->view.serial),
				 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_kind_of_key_signs_what_our_own_judge_believes),
		T(a_response_has_the_form_of_the_lightweight_profile),
		T(a_ca_that_issued_itself_is_embedded_and_an_intermediate_is_not),
		T(a_name_or_the_hash_of_the_key_says_who_answers),
		T(a_nonce_comes_back_as_it_was),
		T(several_certificates_are_answered_in_their_order_and_as_they_were_asked),
		T(an_archive_cutoff_stands_in_its_entry),
		T(the_judge_sees_a_revocation_and_its_reason),
		T(what_no_response_can_say_is_not_signed),
		T(a_key_that_fails_later_is_an_error),
		T(a_refusal_is_five_bytes),
		T(a_cert_id_is_the_one_that_clients_send),
	};
	return cmocka_run_group_tests_name("answer", tests, move_in, move_out);
}
