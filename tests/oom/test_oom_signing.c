/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The n-th allocation fails while a key is loaded, a signer or an authority made, a response signed: an honest failure,
 * nothing leaked, and what is signed in the end is what it should be.
 */
#include "base/cleanup.h"
#include "desk.h"
#include "respond/pool.h"
#include "until.h"
#include "x509/private_key.h"
#include <semaphore.h>

static clinch_subject_t *subject;
static struct issuer *issuer;

static void write_blob(const char *name, struct blob blob)
{
	desk_write(name, blob.data, blob.len);
}

static int set_up(void **state)
{
	(void)state;
	const gnutls_datum_t ca = blob_datum(world_ca()), leaf = blob_datum(world_leaf());
	heap_spare_what_cannot_fail();
	desk_open("oom");
	write_blob("ca.der", world_ca());
	write_blob("delegate.der", world_delegate());
	for (int key = 0; key < KEYS; key++) {
		char name[16];
		snprintf(name, sizeof(name), "%d.key", key);
		write_blob(name, blob_text(maker_key_pem[key]));
	}
	assert_int_equal(issuer_new(&issuer, &ca, NULL), 0);
	return subject_new(&subject, &leaf, issuer, true, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	clinch_subject_unref(subject);
	issuer_unref(issuer);
	desk_close();
	maker_done();
	return 0;
}

static const char *key_file(enum key key)
{
	char name[16];

	snprintf(name, sizeof(name), "%d.key", (int)key);
	return desk_path(name);
}

/* ---- one signer ---- */

struct signing {
	struct blob cert;
	enum key key;
	unsigned options;
	enum clinch_status status;
	uint8_t id[128];
	size_t id_len;
};

static struct ocsp_single single_of(const struct signing *signing)
{
	return (struct ocsp_single){ .cert_id = der_of(signing->id, signing->id_len),
				     .status = signing->status,
				     .revoked_at = NOW - DAY,
				     .revocation_reason = 1,
				     .this_update = NOW - 60,
				     .next_update = NOW + DAY };
}

static enum outcome judge(const gnutls_datum_t *response, const gnutls_datum_t *nonce, enum clinch_status want)
{
	const struct clinch_policy policy = { .nonce = nonce };
	struct clinch_verdict verdict;

	heap_pause(true);
	clinch_verify(NULL, &verdict, response, subject, NOW, &policy);
	heap_pause(false);
	return verdict.status == want && verdict.fresh ? SUCCEEDED : WRONG;
}

static enum outcome sign_one(const void *what)
{
	static const uint8_t nonce_bytes[16] = "0123456789abcde";
	const gnutls_datum_t asked = { (uint8_t *)nonce_bytes, sizeof(nonce_bytes) };
	const struct der nonce = der_of(nonce_bytes, sizeof(nonce_bytes));
	const struct signing *signing = what;
	const struct ocsp_single single = single_of(signing);
	const gnutls_datum_t cert = blob_datum(signing->cert);
	struct clinch_error err = { 0 };
	gnutls_privkey_t key = NULL;
	struct ocsp_signer *signer = NULL;
	auto_datum out = { NULL, 0 };
	heap_pause(true);
	assert_int_equal(private_key_load(&key, key_file(signing->key), NULL, &err), 0);
	heap_pause(false);
	int code = ocsp_signer_new(&signer, &cert, issuer, key, signing->options, &err);
	if (code < 0)
		return signer || err.code != code ? WRONG : HONEST_FAILURE;
	code = ocsp_sign(&out, signer, &single, 1, NOW, &nonce, &err);
	ocsp_signer_unref(signer);
	if (code < 0)
		return out.data || err.code != code ? WRONG : HONEST_FAILURE;
	return judge(&out, &asked, signing->status);
}

static struct blob delegate_with(enum key key)
{
	struct cert_spec spec = delegate_spec();

	spec.key = key;
	return make_cert(&spec);
}

static void a_signer_and_its_response(void **state)
{
	(void)state;
	struct signing rows[] = {
		{ .cert = world_ca(), .key = KEY_CA, .status = CLINCH_GOOD },
		{ .cert = world_delegate(), .key = KEY_DELEGATE, .options = OCSP_SIGNER_BY_NAME, .status = CLINCH_REVOKED },
		{ .cert = delegate_with(KEY_RSA), .key = KEY_RSA, .status = CLINCH_GOOD },
		{ .cert = delegate_with(KEY_RSA), .key = KEY_RSA, .options = OCSP_SIGNER_PSS, .status = CLINCH_GOOD },
		{ .cert = delegate_with(KEY_ED25519), .key = KEY_ED25519, .status = CLINCH_REVOKED },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		rows[i].id_len = ocsp_cert_id_write(rows[i].id, sizeof(rows[i].id), issuer, HASH_SHA1, subject->view.serial);
		until_it_succeeds(sign_one, &rows[i]);
	}
}

/* An Ed25519 key is not among them: gnutls_x509_privkey_import_pkcs8() loses a piece of its own (lib/x509/privkey_pkcs8.c).
 */
static enum outcome load_key(const void *path)
{
	struct clinch_error err = { 0 };
	gnutls_privkey_t key = NULL;
	int code = private_key_load(&key, path, NULL, &err);
	if (code < 0)
		return key || err.code != code ? WRONG : HONEST_FAILURE;
	gnutls_privkey_deinit(key);
	return SUCCEEDED;
}

static void a_key(void **state)
{
	(void)state;
	until_it_succeeds(load_key, key_file(KEY_CA));
	until_it_succeeds(load_key, key_file(KEY_RSA));
}

/* ---- an authority, and the table of them ---- */

static enum outcome load_authority(const void *paths)
{
	const char *const *path = paths;
	const struct signer_conf signers[] = { { .cert = path[1], .key = path[2] }, { .cert = path[0], .key = path[3] } };
	const struct authority_conf conf = { .ca = path[0], .signers = signers, .n_signers = 2, .validity_s = DAY };
	struct authority *authority = NULL;
	struct authority_table *table = NULL;
	struct clinch_error err = { 0 };
	int code = authority_load(&authority, &conf, NOW, NULL, NULL, &err);
	if (code < 0)
		return authority || err.code != code ? WRONG : HONEST_FAILURE;
	code = authority_table_new(&table, &authority, 1, &err);
	if (code < 0 && (table || code != CLINCH_E_MEMORY))
		return WRONG;
	authority_table_free(table);
	authority_unref(authority);
	return code < 0 ? HONEST_FAILURE : SUCCEEDED;
}

static void an_authority_of_two_signers(void **state)
{
	(void)state;
	const char *paths[] = { desk_path("ca.der"), desk_path("delegate.der"), key_file(KEY_DELEGATE), key_file(KEY_CA) };
	until_it_succeeds(load_authority, paths);
}

/* ---- the pool: what its thread is refused is the job's failure alone ---- */

struct posted {
	struct pool_job job;
	sem_t ended;
};

static void post(struct pool_job *job)
{
	sem_post(&((struct posted *)job)->ended);
}

struct pool_of_one {
	struct pool *pool;
	struct authority *authority;
};

/* Nothing else asks for memory while the pool's thread does. */
static enum outcome sign_in_pool(const void *what)
{
	const struct pool_of_one *one = what;
	struct signing signing = { .status = CLINCH_GOOD };
	signing.id_len = ocsp_cert_id_write(signing.id, sizeof(signing.id), issuer, HASH_SHA1, subject->view.serial);
	struct ocsp_single single = single_of(&signing);
	struct posted posted = { .job = { .authority = one->authority,
					  .single = &single,
					  .n = 1,
					  .produced_at = NOW,
					  .deadline_ms = INT64_MAX,
					  .done = post } };
	sem_init(&posted.ended, 0, 0);
	if (!pool_submit(one->pool, POOL_KEPT, &posted.job))
		return WRONG;
	sem_wait(&posted.ended);
	if (posted.job.code < 0)
		return posted.job.answer.data || posted.job.code != posted.job.err.code ? WRONG : HONEST_FAILURE;
	enum outcome outcome = judge(&posted.job.answer, NULL, CLINCH_GOOD);
	gnutls_free(posted.job.answer.data);
	return outcome;
}

static void a_job_of_the_pool(void **state)
{
	(void)state;
	const struct signer_conf signer = { .cert = desk_path("delegate.der"), .key = key_file(KEY_DELEGATE) };
	const struct authority_conf conf = {
		.ca = desk_path("ca.der"), .signers = &signer, .n_signers = 1, .validity_s = DAY
	};
	struct pool_of_one one = { 0 };
	assert_int_equal(authority_load(&one.authority, &conf, NOW, NULL, NULL, NULL), 0);
	assert_int_equal(pool_new(&one.pool, &(struct pool_options){ .threads = 1 }, NULL), 0);
	until_it_succeeds(sign_in_pool, &one);
	pool_free(one.pool);
	authority_unref(one.authority);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key),
		T(a_signer_and_its_response),
		T(an_authority_of_two_signers),
		T(a_job_of_the_pool),
	};
	return cmocka_run_group_tests_name("oom_signing", tests, set_up, tear_down);
}
