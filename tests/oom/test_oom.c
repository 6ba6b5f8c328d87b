/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The n-th allocation fails, ours or GnuTLS's, for each n until the call succeeds. Whatever fails: no crash, nothing leaked,
 * what is bad is never good, and what is good is good or an honest failure.
 */
#include "../support/scratch.h"
#include "base/cleanup.h"
#include "ocsp/describe.h"
#include "pair.h"
#include "unit.h"
#include "until.h"
#include "x509/chain.h"
#include "x509/subject.h"
#include <clinch/client.h>
#include <stdio.h>
#include <string.h>

/* ---- subject, request, chain, names ---- */

static gnutls_x509_crt_t ca_cert, leaf_cert;
static clinch_subject_t *subject;

static int make_world(void **state)
{
	(void)state;
	ca_cert = import_cert(world_ca());
	leaf_cert = import_cert(world_leaf());
	return clinch_subject_new(&subject, leaf_cert, ca_cert, NULL);
}

static int drop_world(void **state)
{
	(void)state;
	clinch_subject_unref(subject);
	gnutls_x509_crt_deinit(ca_cert);
	gnutls_x509_crt_deinit(leaf_cert);
	maker_done();
	return 0;
}

static enum outcome prepare_subject(const void *nothing)
{
	struct clinch_error err = { 0 };
	clinch_subject_t *made = NULL;
	(void)nothing;
	int rc = clinch_subject_new(&made, leaf_cert, ca_cert, &err);
	if (rc < 0)
		return made || rc != err.code ? WRONG : HONEST_FAILURE;
	clinch_subject_unref(made);
	return SUCCEEDED;
}

static void a_subject(void **state)
{
	(void)state;
	until_it_succeeds(prepare_subject, NULL);
}

static enum outcome build_request(const void *nothing)
{
	static const gnutls_datum_t nonce = { (unsigned char *)(uintptr_t) "0123456789", 10 };
	gnutls_datum_t out = { NULL, 0 };
	(void)nothing;
	int rc = clinch_request_build(&out, subject, GNUTLS_DIG_SHA256, &nonce);
	if (rc < 0)
		return out.data || rc != CLINCH_E_MEMORY ? WRONG : HONEST_FAILURE;
	gnutls_free(out.data);
	return SUCCEEDED;
}

static void a_request(void **state)
{
	(void)state;
	until_it_succeeds(build_request, NULL);
}

static enum outcome parse_and_find(const void *file)
{
	const struct blob *bytes = file;
	struct clinch_error err = { 0 };
	auto_chain chain = { .n = 0 };
	int rc = chain_parse(&chain, bytes->data, bytes->len, "file", &err);
	if (rc < 0)
		return chain.n > 0 || rc != err.code ? WRONG : HONEST_FAILURE;
	const gnutls_datum_t *issuer = chain_find_issuer(&chain, &chain.cert[0]);
	if (issuer && issuer != &chain.cert[1])
		return WRONG;
	return issuer ? SUCCEEDED : HONEST_FAILURE;
}

static struct blob pem_of(struct blob der)
{
	const gnutls_datum_t in = blob_datum(der);
	gnutls_datum_t out;
	assert_int_equal(gnutls_pem_base64_encode2("CERTIFICATE", &in, &out), 0);
	struct blob copy = blob_of(out.data, out.size);
	gnutls_free(out.data);
	return copy;
}

static void a_chain_and_its_issuer(void **state)
{
	(void)state;
	struct blob file = CAT(blob_text(maker_key_pem[KEY_CA]), pem_of(world_leaf()), pem_of(world_ca()));
	until_it_succeeds(parse_and_find, &file);
}

static enum outcome read_file(const void *path)
{
	struct clinch_error err = { 0 };
	auto_chain chain = { .n = 0 };
	int rc = chain_read(&chain, path, &err);
	if (rc < 0)
		return chain.n > 0 || rc != err.code ? WRONG : HONEST_FAILURE;
	return chain.n == 1 ? SUCCEEDED : WRONG;
}

static void a_file(void **state)
{
	(void)state;
	char path[SCRATCH_SIZE];
	int fd = mkstemp(scratch_template(path, "oom"));
	struct blob bytes = pem_of(world_leaf());
	assert_int_equal(write(fd, bytes.data, bytes.len), bytes.len);
	close(fd);
	until_it_succeeds(read_file, path);
	unlink(path);
}

static enum outcome describe(const void *response)
{
	const struct blob *bytes = response;
	struct ocsp_response parsed;
	struct ocsp_description description;
	auto_datum text = { NULL, 0 };
	if (ocsp_response_parse(&parsed, der_of(bytes->data, bytes->len)) != CLINCH_REASON_GOOD)
		return WRONG;
	ocsp_describe(&description, &parsed, subject);
	if (!ocsp_name_text(&text, description.signer_name))
		return text.data ? WRONG : HONEST_FAILURE;
	return SUCCEEDED;
}

static struct blob good_entry_der(void)
{
	const struct entry_spec entry = good_entry();
	return make_entry(&entry);
}

static void a_description(void **state)
{
	(void)state;
	const struct response_spec spec = delegated_with(good_entry_der());
	struct blob response = make_response(&spec);
	until_it_succeeds(describe, &response);
}

/* ---- the verdict ---- */

struct judged {
	struct blob response;
	enum clinch_reason expected;
	bool remember;
};

static unsigned internal_verdicts;

/* Without memory: INVALID for whatever reason, with nothing kept. With memory: what it is. Never better than it is. */
static enum outcome verify(const void *what)
{
	const struct judged *judged = what;
	const gnutls_datum_t der = blob_datum(judged->response);
	struct clinch_policy policy = { 0 };
	struct clinch_verdict verdict;
	clinch_response_t *out = NULL;
	if (judged->remember && clinch_signers_new(&policy.signers, 2) < 0)
		return HONEST_FAILURE;
	enum outcome outcome = SUCCEEDED;
	for (unsigned i = 0; i < 2 && outcome == SUCCEEDED; i++) {
		clinch_verify(&out, &verdict, &der, subject, NOW, &policy);
		bool as_expected = verdict.reason == (int)judged->expected;
		internal_verdicts += verdict.reason == CLINCH_REASON_INTERNAL;
		if ((out && !as_expected) || (verdict.status == CLINCH_GOOD && !as_expected))
			outcome = WRONG;
		else if (!as_expected)
			outcome = verdict.status == CLINCH_INVALID && !verdict.fresh ? HONEST_FAILURE : WRONG;
		clinch_response_unref(out);
	}
	clinch_signers_unref(policy.signers);
	return outcome;
}

static struct blob delegated_by(enum key key, enum scheme scheme, enum key cert_signer, struct blob entry)
{
	struct cert_spec cert = delegate_spec();
	struct response_spec spec = delegated_with(entry);
	cert.key = spec.signer = key;
	cert.signer = cert_signer;
	spec.scheme = scheme;
	spec.responder = responder_by_key(key);
	spec.certs = make_cert(&cert);
	return make_response(&spec);
}

static void a_good_verdict(void **state)
{
	(void)state;
	const struct response_spec issuer = response_with(good_entry_der());
	const struct judged rows[] = {
		{ make_response(&issuer), CLINCH_REASON_GOOD, false },
		{ delegated_by(KEY_DELEGATE, ECDSA_SHA256, KEY_CA, good_entry_der()), CLINCH_REASON_GOOD, false },
		{ delegated_by(KEY_DELEGATE, ECDSA_SHA256, KEY_CA, good_entry_der()), CLINCH_REASON_GOOD, true },
		{ delegated_by(KEY_RSA, RSA_SHA256, KEY_CA, good_entry_der()), CLINCH_REASON_GOOD, true },
		{ delegated_by(KEY_RSA, PSS_SHA256, KEY_CA, good_entry_der()), CLINCH_REASON_GOOD, false },
		{ delegated_by(KEY_ED25519, ED25519_PURE, KEY_CA, good_entry_der()), CLINCH_REASON_GOOD, true },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		until_it_succeeds(verify, &rows[i]);
	assert_true(internal_verdicts > 0); /* near: internal, each row's last try, which has memory, is good */
}

static void a_bad_verdict(void **state)
{
	(void)state;
	struct entry_spec revoked = good_entry(), expired = good_entry();
	revoked.status = status_revoked("20260601000000Z", 1);
	expired.next_update = "20260615100000Z";
	struct response_spec impostor = response_with(good_entry_der());
	impostor.signer = KEY_OTHER;
	const struct judged rows[] = {
		{ make_response(&impostor), CLINCH_REASON_SIGNATURE_BAD, false },
		{ delegated_by(KEY_DELEGATE, ECDSA_SHA256, KEY_OTHER, good_entry_der()), CLINCH_REASON_DELEGATE_SIGNATURE,
		  true },
		{ delegated_by(KEY_DELEGATE, ECDSA_SHA256, KEY_CA, make_entry(&revoked)), CLINCH_REASON_REVOKED, true },
		{ delegated_by(KEY_RSA, PSS_SHA256, KEY_CA, make_entry(&expired)), CLINCH_REASON_EXPIRED, false },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		until_it_succeeds(verify, &rows[i]);
}

/* ---- a handshake: only the client's side of it is short of memory ---- */

struct session {
	struct pair_setup setup;
	bool is_good;
	enum clinch_reason expected;
	clinch_signers_t *signers;
};

static void only_the_client(bool entering)
{
	heap_pause(!entering);
}

static enum outcome judge_session(const struct session *session, struct pair *pair)
{
	const struct clinch_policy policy = { .at = NOW, .signers = session->signers };
	heap_pause(false);
	int rc = clinch_client_attach(pair->client, "leaf.test", &policy);
	heap_pause(true);
	if (rc < 0)
		return HONEST_FAILURE;
	pair_handshake(pair);
	heap_pause(false);
	const struct clinch_report *report = clinch_client_report(pair->client);
	heap_pause(true);
	if (report && report->accepted && !session->is_good)
		return WRONG;
	if (pair->client_rc == 0 && !(report && report->accepted))
		return WRONG; /* the handshake must have broken off */
	if (report && report->reason == CLINCH_REASON_ISSUER_UNPREPARED)
		return WRONG; /* nothing is wrong with the issuer */
	if (report && report->reason == (int)session->expected)
		return SUCCEEDED;
	return HONEST_FAILURE;
}

static enum outcome handshake(const void *what)
{
	static struct pair pair;
	const struct session *session = what;
	heap_pause(true);
	pair_begin(&pair, &session->setup, NULL);
	pair.around_client = only_the_client;
	enum outcome outcome = judge_session(session, &pair);
	pair_end(&pair);
	heap_pause(false);
	return outcome;
}

static struct blob leaf_named(struct blob more)
{
	struct cert_spec spec = leaf_spec();
	spec.extensions = CAT(extension("551d11", -1, SEQ(tlv(0x82, blob_text("leaf.test")))), more);
	return make_cert(&spec);
}

static void shake_with(struct blob leaf, struct blob staple, bool is_good, enum clinch_reason expected)
{
	static const char *const versions[] = { PAIR_TLS12, PAIR_TLS13 };
	for (size_t i = 0; i < ROWS(versions); i++) {
		struct session session = { .is_good = is_good, .expected = expected };
		session.setup = (struct pair_setup){ .priority = versions[i],
						     .chain = { leaf },
						     .key = KEY_LEAF,
						     .staple = { staple },
						     .trust = world_ca() };
		assert_int_equal(clinch_signers_new(&session.signers, 4), 0);
		until_it_succeeds(handshake, &session);
		clinch_signers_unref(session.signers);
	}
}

static void a_handshake_with_a_good_staple(void **state)
{
	(void)state;
	shake_with(leaf_named(BLOB_NONE), delegated_by(KEY_DELEGATE, ECDSA_SHA256, KEY_CA, good_entry_der()), true,
		   CLINCH_REASON_GOOD);
}

static void a_handshake_with_a_revoked_one(void **state)
{
	(void)state;
	struct entry_spec revoked = good_entry();
	revoked.status = status_revoked("20260601000000Z", 1);
	const struct response_spec spec = response_with(make_entry(&revoked));
	shake_with(leaf_named(BLOB_NONE), make_response(&spec), false, CLINCH_REASON_REVOKED);
}

static void a_handshake_without_one_that_must_be(void **state)
{
	(void)state;
	shake_with(leaf_named(must_staple()), BLOB_NONE, false, CLINCH_REASON_MISSING_MUST_STAPLE);
}

/* The arena is not forgotten between tests: the world stands in it. */
#define IN_WORLD(function) cmocka_unit_test(function)

int main(void)
{
	heap_spare_what_cannot_fail();
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_subject),
		IN_WORLD(a_request),
		IN_WORLD(a_chain_and_its_issuer),
		IN_WORLD(a_file),
		IN_WORLD(a_description),
		IN_WORLD(a_good_verdict),
		IN_WORLD(a_bad_verdict),
		IN_WORLD(a_handshake_with_a_good_staple),
		IN_WORLD(a_handshake_with_a_revoked_one),
		IN_WORLD(a_handshake_without_one_that_must_be),
	};
	return cmocka_run_group_tests_name("oom", tests, make_world, drop_world);
}
