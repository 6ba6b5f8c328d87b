/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Authorities: what is loaded and what is refused, who signs and when, and which of them a CertID means. */
#include "base/cleanup.h"
#include "desk.h"
#include "ocsp/response.h"
#include "respond/authority.h"

static struct party ca, delegate, leaf;

static const gnutls_datum_t *as_datum(struct blob blob)
{
	static gnutls_datum_t datum;

	datum = blob_datum(blob);
	return &datum;
}

static void write_blob(const char *name, struct blob blob)
{
	desk_write(name, as_datum(blob)->data, blob.len);
}

/* Of an algorithm that nobody knows: id-ecPublicKey with another last arc. */
static struct blob with_odd_key(struct blob cert)
{
	static uint8_t bytes[4096];
	static const uint8_t ec_key[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };

	assert_true(cert.len <= sizeof(bytes));
	memcpy(bytes, cert.data, cert.len);
	uint8_t *found = memmem(bytes, cert.len, ec_key, sizeof(ec_key));
	assert_non_null(found);
	found[sizeof(ec_key) - 1] = 0x7f;
	return blob_of(bytes, cert.len);
}

/* The world of maker.h; and beside it delegates that are valid at other times. */
static void write_world(void)
{
	struct cert_spec spec = delegate_spec();

	write_blob("ca.der", world_ca());
	write_blob("ca.key", blob_text(maker_key_pem[KEY_CA]));
	write_blob("delegate.der", make_cert(&spec));
	write_blob("delegate.key", blob_text(maker_key_pem[KEY_DELEGATE]));
	spec.extensions = eku_ocsp_signing();
	write_blob("without-nocheck.der", make_cert(&spec));
	spec = delegate_spec();
	spec.not_after = "260501000000Z";
	write_blob("past.der", make_cert(&spec));
	spec = delegate_spec();
	spec.not_before = "260701000000Z";
	write_blob("future.der", make_cert(&spec));
	spec = delegate_spec();
	spec.not_after = "260616000000Z";
	spec.key = KEY_OTHER;
	write_blob("short.der", make_cert(&spec));
	write_blob("short.key", blob_text(maker_key_pem[KEY_OTHER]));
	spec = ca_spec();
	spec.not_after = "260501000000Z";
	write_blob("old-ca.der", make_cert(&spec));
	spec = ca_spec();
	spec.extensions = BLOB_NONE;
	write_blob("v1-ca.der", make_cert(&spec));
	spec = ca_spec();
	spec.extensions = CAT(spec.extensions, extension(X_KEY_USAGE, 1, tlv(0x03, blob_hex("0106"))));
	write_blob("certificates-only-ca.der", make_cert(&spec));
	write_blob("odd-ca.der", with_odd_key(world_ca()));
	write_blob("leaf.der", world_leaf());
	write_blob("leaf.key", blob_text(maker_key_pem[KEY_LEAF]));
	write_blob("text", blob_text("nothing of use\n"));
}

static int set_up(void **state)
{
	(void)state;
	desk_open("authority");
	write_world();
	party_make(&ca, PARTY_P256, PARTY_CA, NULL);
	party_make(&delegate, PARTY_ED25519, PARTY_DELEGATE, &ca);
	party_make(&leaf, PARTY_P256, PARTY_LEAF, &ca);
	desk_write_party("party", &ca);
	desk_write_party("party-delegate", &delegate);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	party_drop(&leaf);
	party_drop(&delegate);
	party_drop(&ca);
	desk_close();
	maker_done();
	return 0;
}

/* ---- loading ---- */

static char told[4][400];
static unsigned n_told;

static void tell(const char *sentence, void *user)
{
	assert_ptr_equal(user, told);
	assert_true(n_told < 4);
	snprintf(told[n_told++], sizeof(told[0]), "%s", sentence);
}

static int load_at(struct authority **out, const char *ca_file, const struct signer_conf *signers, size_t n, int64_t now,
		   struct clinch_error *err)
{
	struct signer_conf on_desk[AUTHORITY_SIGNERS_MAX + 1];
	char ca_path[SCRATCH_SIZE + 256], paths[AUTHORITY_SIGNERS_MAX + 1][2][SCRATCH_SIZE + 64];
	const struct authority_conf conf = { .ca = ca_path, .signers = on_desk, .n_signers = n, .validity_s = 4 * DAY };

	n_told = 0;
	snprintf(ca_path, sizeof(ca_path), "%s", desk_path(ca_file));
	for (size_t i = 0; i < n; i++) {
		snprintf(paths[i][0], sizeof(paths[i][0]), "%s", desk_path(signers[i].cert));
		snprintf(paths[i][1], sizeof(paths[i][1]), "%s", desk_path(signers[i].key));
		on_desk[i] = (struct signer_conf){ .cert = paths[i][0], .key = paths[i][1] };
	}
	return authority_load(out, &conf, now, tell, told, err);
}

static struct authority *load(const char *ca_file, const struct signer_conf *signers, size_t n)
{
	struct authority *authority = NULL;
	struct clinch_error err = { 0 };

	if (load_at(&authority, ca_file, signers, n, NOW, &err) < 0)
		fail_msg("%s", err.text);
	return authority;
}

static const struct signer_conf ca_itself = { .cert = "ca.der", .key = "ca.key" },
				its_delegate = { .cert = "delegate.der", .key = "delegate.key" },
				past = { .cert = "past.der", .key = "delegate.key" },
				future = { .cert = "future.der", .key = "delegate.key" },
				shorter = { .cert = "short.der", .key = "short.key" };

static void what_cannot_sign_is_refused_with_a_sentence(void **state)
{
	(void)state;
	static const struct {
		const char *ca, *cert, *key;
		int code;
		const char *sentence;
	} rows[] = {
		{ "ca.der", "delegate.der", "delegate.key", 0, "" },
		{ "v1-ca.der", "v1-ca.der", "ca.key", 0, "" },
		{ "absent.der", "delegate.der", "delegate.key", CLINCH_E_FILE, "absent.der" },
		{ "text", "delegate.der", "delegate.key", CLINCH_E_FORMAT, "text" },
		{ "odd-ca.der", "delegate.der", "delegate.key", CLINCH_E_GNUTLS, "odd-ca.der: the issuer's key" },
		{ "leaf.der", "leaf.der", "leaf.key", CLINCH_E_ARGUMENT, "leaf.der: is not the certificate of a CA" },
		{ "ca.der", "absent.der", "delegate.key", CLINCH_E_FILE, "absent.der" },
		{ "ca.der", "text", "delegate.key", CLINCH_E_FORMAT, "text" },
		{ "ca.der", "delegate.der", "absent.key", CLINCH_E_FILE, "absent.key" },
		{ "ca.der", "delegate.der", "text", CLINCH_E_FORMAT, "text: holds no private key" },
		{ "ca.der", "delegate.der", "ca.key", CLINCH_E_ARGUMENT, "/ca.key: the key does not belong" },
		{ "ca.der", "leaf.der", "leaf.key", CLINCH_E_ARGUMENT, "lacks OCSPSigning" },
		{ "ca.der", "party-delegate.pem", "party-delegate.key", CLINCH_E_ARGUMENT, "somebody else than this CA" },
		{ "ca.der", "past.der", "delegate.key", CLINCH_E_ARGUMENT, "past.der with the key " },
		{ "ca.der", "past.der", "delegate.key", CLINCH_E_ARGUMENT, "was valid until 2026-05-01T00:00:00Z" },
		{ "ca.der", "future.der", "delegate.key", CLINCH_E_ARGUMENT, "is valid from 2026-07-01T00:00:00Z on" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct signer_conf signer = { .cert = rows[i].cert, .key = rows[i].key };
		struct authority *authority = NULL;
		struct clinch_error err = { 0 };
		int code = load_at(&authority, rows[i].ca, &signer, 1, NOW, &err);
		check_int(rows[i].sentence, code, rows[i].code);
		check(rows[i].sentence, (authority != NULL) == (code == 0));
		if (!strstr(err.text, rows[i].sentence))
			fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].sentence);
		authority_unref(authority);
	}
}

static void a_ca_has_one_to_eight_signers_and_sound_times(void **state)
{
	(void)state;
	struct signer_conf many[AUTHORITY_SIGNERS_MAX + 1];
	struct authority *authority = NULL;
	struct clinch_error err = { 0 };
	for (size_t i = 0; i < ROWS(many); i++)
		many[i] = its_delegate;
	assert_int_equal(load_at(&authority, "ca.der", many, 0, NOW, &err), CLINCH_E_ARGUMENT);
	assert_int_equal(load_at(&authority, "ca.der", many, ROWS(many), NOW, &err), CLINCH_E_ARGUMENT);
	assert_non_null(strstr(err.text, "1 to 8 signers"));
	authority = load("ca.der", many, AUTHORITY_SIGNERS_MAX);
	authority_unref(authority);

	const char *path = desk_path("ca.der"), *key = desk_path("ca.key");
	const struct signer_conf signer = { .cert = path, .key = key };
	struct authority_conf conf = { .ca = path, .signers = &signer, .n_signers = 1, .validity_s = 0 };
	assert_int_equal(authority_load(&authority, &conf, NOW, NULL, NULL, &err), CLINCH_E_ARGUMENT);
	conf.validity_s = 1;
	conf.archive_cutoff_s = -1;
	assert_int_equal(authority_load(&authority, &conf, NOW, NULL, NULL, &err), CLINCH_E_ARGUMENT);
	conf.archive_cutoff_s = 7 * DAY;
	conf.never_issued = NEVER_ISSUED_UNKNOWN;
	conf.nonce = NONCE_IGNORE;
	assert_int_equal(authority_load(&authority, &conf, NOW, NULL, NULL, &err), 0);
	assert_int_equal(authority->validity_s, 1);
	assert_int_equal(authority->archive_cutoff_s, 7 * DAY);
	assert_int_equal(authority->never_issued, NEVER_ISSUED_UNKNOWN);
	assert_int_equal(authority->nonce, NONCE_IGNORE);
	assert_string_equal(authority->name, "CN=" CA_NAME);
	authority_unref(authority_ref(authority));
	authority_unref(authority);
	authority_unref(NULL);
}

static void what_does_not_keep_it_from_signing_is_told(void **state)
{
	(void)state;
	const struct signer_conf without = { .cert = "without-nocheck.der", .key = "delegate.key" };
	authority_unref(load("ca.der", &its_delegate, 1));
	assert_int_equal(n_told, 0);
	authority_unref(load("ca.der", &without, 1));
	assert_int_equal(n_told, 1);
	assert_non_null(strstr(told[0], "no id-pkix-ocsp-nocheck"));
	authority_unref(load("ca.der", (struct signer_conf[]){ past, its_delegate, future }, 3));
	assert_int_equal(n_told, 2);
	assert_non_null(strstr(told[0], "past.der"));
	assert_non_null(strstr(told[1], "future.der"));
	authority_unref(load("old-ca.der", &its_delegate, 1));
	assert_int_equal(n_told, 1);
	assert_non_null(strstr(told[0], "old-ca.der: the CA's certificate was valid until 2026-05-01"));
	authority_unref(load("ca.der", &ca_itself, 1));
	assert_int_equal(n_told, 0);
	const struct signer_conf certificates_only = { .cert = "certificates-only-ca.der", .key = "ca.key" };
	authority_unref(load("ca.der", &certificates_only, 1));
	assert_int_equal(n_told, 1);
	assert_non_null(strstr(told[0], "the CA signs itself, and its keyUsage lacks digitalSignature"));
	authority_unref(load("certificates-only-ca.der", &its_delegate, 1));
	assert_int_equal(n_told, 0);
}

/* ---- signing ---- */

static signer_id sign_at(struct authority *authority, int64_t now, struct ocsp_single *single)
{
	auto_datum out = { NULL, 0 };
	signer_id id = 0;
	uint8_t memory[256];
	struct clinch_error err = { 0 };
	struct ocsp_response response;
	const struct der serial = der_of("\x4c", 1);
	size_t len = ocsp_cert_id_write(memory, sizeof(memory), authority->issuer, HASH_SHA1, serial);

	*single = (struct ocsp_single){
		.cert_id = der_of(memory, len), .status = CLINCH_GOOD, .this_update = now - 60, .next_update = now + 4 * DAY
	};
	if (authority_sign(&out, authority, single, 1, now, NULL, &id, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ocsp_response_parse(&response, der_of(out.data, out.size)), CLINCH_REASON_GOOD);
	assert_true(id != 0);
	assert_true(authority_has_signer(authority, id));
	return id;
}

static void the_first_signer_that_is_valid_signs_and_cuts_to_its_own_end(void **state)
{
	(void)state;
	const int64_t short_end = NOW + 12 * HOUR; /* 2026-06-16T00:00:00Z */
	struct authority *authority = load("ca.der", (struct signer_conf[]){ past, shorter, its_delegate }, 3);
	struct ocsp_single single;
	assert_int_equal(authority_signs_until(authority, NOW), short_end);
	signer_id first = sign_at(authority, NOW, &single);
	assert_int_equal(single.next_update, short_end);
	assert_int_equal(sign_at(authority, short_end - 1, &single), first);
	assert_int_equal(single.next_update, short_end);
	signer_id second = sign_at(authority, short_end, &single); /* the first could only sign what is over at once */
	assert_true(second != first);
	assert_int_equal(single.next_update, short_end + 4 * DAY);
	assert_false(authority_has_signer(authority, first ^ second));
	assert_false(authority_has_signer(authority, 0));
	authority_unref(authority);
}

static void nobody_signs_when_none_is_valid(void **state)
{
	(void)state;
	struct authority *authority = load("ca.der", &shorter, 1);
	struct ocsp_single single = { .cert_id = der_of("\x30\x00", 2), .status = CLINCH_GOOD };
	struct clinch_error err = { 0 };
	gnutls_datum_t out = { NULL, 0 };
	int64_t late = NOW + DAY;
	assert_int_equal(authority_signs_until(authority, late), INT64_MIN);
	assert_int_equal(authority_sign(&out, authority, &single, 1, late, NULL, NULL, &err), CLINCH_E_MISSING);
	assert_non_null(strstr(err.text, "CN=" CA_NAME));
	assert_null(out.data);
	authority_unref(authority);
}

/* ---- the table ---- */

static struct cert_id id_by(struct blob blob)
{
	struct der in = der_of(blob.data, blob.len);
	struct cert_id id;

	assert_true(cert_id_take(&in, &id));
	return id;
}

static void a_cert_id_means_the_ca_with_both_its_hashes(void **state)
{
	(void)state;
	static const gnutls_digest_algorithm_t digests[] = { GNUTLS_DIG_SHA1, GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384,
							     GNUTLS_DIG_SHA512 };
	const struct signer_conf of_party = { .cert = "party-delegate.pem", .key = "party-delegate.key" };
	struct authority *list[] = { load("ca.der", &its_delegate, 1), load("party.pem", &of_party, 1) };
	struct authority_table *table = NULL;
	assert_int_equal(authority_table_new(&table, list, 2, NULL), 0);
	for (size_t i = 0; i < ROWS(digests); i++) {
		struct blob id = cert_id(digests[i], CA_NAME, KEY_CA, blob_hex("05"));
		struct cert_id asked = id_by(id);
		assert_int_equal(authority_table_find(table, &asked), 0);
		asked = id_by(cert_id(digests[i], CA_NAME, KEY_OTHER, blob_hex("05")));
		assert_int_equal(authority_table_find(table, &asked), -1);
		asked = id_by(cert_id(digests[i], "Party CA", KEY_CA, blob_hex("05")));
		assert_int_equal(authority_table_find(table, &asked), -1);
	}
	struct cert_id asked = id_by(cert_id(GNUTLS_DIG_SHA224, CA_NAME, KEY_CA, blob_hex("05")));
	assert_int_equal(authority_table_find(table, &asked), -1);
	asked = id_by(SEQ(SEQ(oid("2b0e03021a")), OCTETS(blob_of(list[1]->issuer->name_hash[HASH_SHA1], 20)),
			  OCTETS(blob_of(list[1]->issuer->key_hash[HASH_SHA1], 20)), tlv(0x02, blob_hex("05"))));
	assert_int_equal(authority_table_find(table, &asked), 1);
	asked.key_hash.end--;
	assert_int_equal(authority_table_find(table, &asked), -1);
	authority_table_free(table);
	authority_unref(list[0]);
	authority_unref(list[1]);
}

static void one_ca_cannot_stand_there_twice(void **state)
{
	(void)state;
	struct authority *list[] = { load("ca.der", &its_delegate, 1), load("old-ca.der", &ca_itself, 1) };
	struct authority_table *table = NULL;
	struct clinch_error err = { 0 };
	assert_int_equal(authority_table_new(&table, list, 2, &err), CLINCH_E_ARGUMENT);
	assert_null(table);
	assert_non_null(strstr(err.text, "CN=" CA_NAME ": stands there twice"));
	assert_int_equal(authority_table_new(&table, list, 0, &err), 0);
	struct cert_id asked = id_by(cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("05")));
	assert_int_equal(authority_table_find(table, &asked), -1);
	authority_table_free(table);
	authority_table_free(NULL);
	authority_unref(list[0]);
	authority_unref(list[1]);
}

static void a_thousand_cas_are_told_apart(void **state)
{
	(void)state;
	enum { N = 1000 };
	static struct authority all[N];
	static struct authority *list[N];
	struct authority_table *table = NULL;
	for (size_t i = 0; i < N; i++) {
		struct blob number = digest(GNUTLS_DIG_SHA512, blob_of(&i, sizeof(i)));
		all[i].issuer = calloc(1, sizeof(*all[i].issuer));
		assert_non_null(all[i].issuer);
		atomic_init(&all[i].refs, 2);
		for (int hash = 0; hash < SUBJECT_HASHES; hash++) {
			memcpy(all[i].issuer->key_hash[hash], number.data, number.len);
			memset(all[i].issuer->name_hash[hash], (int)i % 7, 64); /* names that several share */
		}
		list[i] = &all[i];
	}
	assert_int_equal(authority_table_new(&table, list, N, NULL), 0);
	for (size_t i = 0; i < N; i++) {
		const struct cert_id id = { .hash_oid = der_of("\x2b\x0e\x03\x02\x1a", 5),
					    .name_hash = der_of(all[i].issuer->name_hash[HASH_SHA1], 20),
					    .key_hash = der_of(all[i].issuer->key_hash[HASH_SHA1], 20) };
		assert_int_equal(authority_table_find(table, &id), (long)i);
	}
	authority_table_free(table);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(atomic_load(&all[i].refs), 2);
		free(all[i].issuer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_cannot_sign_is_refused_with_a_sentence),
		T(a_ca_has_one_to_eight_signers_and_sound_times),
		T(what_does_not_keep_it_from_signing_is_told),
		T(the_first_signer_that_is_valid_signs_and_cuts_to_its_own_end),
		T(nobody_signs_when_none_is_valid),
		T(a_cert_id_means_the_ca_with_both_its_hashes),
		T(one_ca_cannot_stand_there_twice),
		T(a_thousand_cas_are_told_apart),
	};
	return cmocka_run_group_tests_name("authority", tests, set_up, tear_down);
}
