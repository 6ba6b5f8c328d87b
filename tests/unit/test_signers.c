/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of delegates: what it remembers, what it must not, and many threads at once. */
#include "ocsp/delegate.h"
#include "unit.h"
#include "x509/subject.h"
#include <pthread.h>
#include <string.h>

static struct issuer *ca, *namesake;

static int make_issuers(void **state)
{
	(void)state;
	struct cert_spec spec = ca_spec();
	spec.key = spec.signer = KEY_OTHER;
	const gnutls_datum_t one = blob_datum(world_ca()), two = blob_datum(make_cert(&spec));
	return issuer_new(&ca, &one, NULL) == 0 && issuer_new(&namesake, &two, NULL) == 0 ? 0 : -1;
}

static int drop_issuers(void **state)
{
	(void)state;
	issuer_unref(ca);
	issuer_unref(namesake);
	maker_done();
	return 0;
}

static struct blob delegate_number(unsigned i)
{
	struct cert_spec spec = delegate_spec();
	uint8_t serial = (uint8_t)(i + 1);
	spec.serial = blob_of(&serial, 1);
	return make_cert(&spec);
}

/* As the verifier does it, without a response: what is remembered is checked, what is not is read, checked, met and added.
 */
static enum clinch_reason meet_at(struct blob cert, const struct issuer *issuer, clinch_signers_t *signers, int64_t now)
{
	struct remembered *known = signers_find(signers, der_of(cert.data, cert.len), issuer);
	struct delegate delegate;
	enum clinch_reason reason;
	if (known) {
		reason = delegate_check(&known->delegate, issuer, now);
		remembered_unref(known);
		return reason;
	}
	assert_int_equal(delegate_read(&delegate, der_of(cert.data, cert.len)), CLINCH_REASON_GOOD);
	reason = delegate_check(&delegate, issuer, now);
	if (reason == CLINCH_REASON_GOOD)
		reason = delegate_meet(&delegate, issuer);
	if (reason == CLINCH_REASON_GOOD)
		signers_add(signers, &delegate, issuer);
	if (delegate.key)
		gnutls_pubkey_deinit(delegate.key);
	return reason;
}

static enum clinch_reason meet(struct blob cert, const struct issuer *issuer, clinch_signers_t *signers)
{
	return meet_at(cert, issuer, signers, NOW);
}

static bool remembers(clinch_signers_t *signers, struct blob cert, const struct issuer *issuer)
{
	struct remembered *found = signers_find(signers, der_of(cert.data, cert.len), issuer);
	remembered_unref(found);
	return found != NULL;
}

static void remembers_a_delegate_once_it_was_verified(void **state)
{
	(void)state;
	clinch_signers_t *signers = NULL;
	struct blob cert = delegate_number(0);
	assert_int_equal(clinch_signers_new(&signers, 0), 0);
	assert_false(remembers(signers, cert, ca));
	assert_int_equal(meet(cert, ca, signers), CLINCH_REASON_GOOD);
	assert_true(remembers(signers, cert, ca));
	assert_int_equal(meet(cert, ca, signers), CLINCH_REASON_GOOD);
	clinch_signers_unref(signers);
}

static void remembers_nothing_that_was_refused(void **state)
{
	(void)state;
	struct cert_spec forged = delegate_spec();
	forged.signer = KEY_OTHER;
	clinch_signers_t *signers = NULL;
	struct blob cert = make_cert(&forged);
	assert_int_equal(clinch_signers_new(&signers, 0), 0);
	assert_int_equal(meet(cert, ca, signers), CLINCH_REASON_DELEGATE_SIGNATURE);
	assert_false(remembers(signers, cert, ca));
	assert_int_equal(meet(cert, ca, signers), CLINCH_REASON_DELEGATE_SIGNATURE);
	clinch_signers_unref(signers);
}

/* One bit of the certificate, or another issuer of the same name: another delegate. */
static void a_memory_is_of_the_whole_certificate_under_that_issuer(void **state)
{
	(void)state;
	clinch_signers_t *signers = NULL;
	struct blob cert = delegate_number(0), other = blob_of(cert.data, cert.len);
	((uint8_t *)(uintptr_t)other.data)[other.len - 1] ^= 1;
	assert_int_equal(clinch_signers_new(&signers, 0), 0);
	assert_int_equal(meet(cert, ca, signers), CLINCH_REASON_GOOD);
	assert_false(remembers(signers, other, ca));
	assert_int_equal(meet(other, ca, signers), CLINCH_REASON_DELEGATE_SIGNATURE);
	assert_false(remembers(signers, cert, namesake));
	assert_int_equal(meet(cert, namesake, signers), CLINCH_REASON_DELEGATE_SIGNATURE);
	clinch_signers_unref(signers);
}

/* What is remembered is the signature: everything else is judged anew. */
static void a_remembered_delegate_still_expires(void **state)
{
	(void)state;
	clinch_signers_t *signers = NULL;
	struct blob cert = delegate_number(0);
	struct cert_view view;
	assert_int_equal(clinch_signers_new(&signers, 0), 0);
	assert_int_equal(meet(cert, ca, signers), CLINCH_REASON_GOOD);
	assert_true(cert_view_parse(&view, der_of(cert.data, cert.len)));
	assert_int_equal(meet_at(cert, ca, signers, view.not_after + 1), CLINCH_REASON_DELEGATE_EXPIRED);
	assert_int_equal(meet_at(cert, ca, signers, view.not_before - 1), CLINCH_REASON_DELEGATE_NOT_YET);
	clinch_signers_unref(signers);
}

static void the_oldest_one_goes_when_it_is_full(void **state)
{
	(void)state;
	clinch_signers_t *signers = NULL;
	assert_int_equal(clinch_signers_new(&signers, 3), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(meet(delegate_number(i), ca, signers), CLINCH_REASON_GOOD);
	for (unsigned i = 0; i < 3; i++)
		assert_true(remembers(signers, delegate_number(i), ca));
	for (unsigned i = 3; i < 8; i++) {
		assert_int_equal(meet(delegate_number(i), ca, signers), CLINCH_REASON_GOOD);
		for (unsigned j = 0; j <= i; j++)
			assert_int_equal(remembers(signers, delegate_number(j), ca), j + 3 > i);
	}
	clinch_signers_unref(signers);
}

static void what_was_found_outlives_its_place(void **state)
{
	(void)state;
	clinch_signers_t *signers = NULL;
	struct blob cert = delegate_number(0);
	assert_int_equal(clinch_signers_new(&signers, 1), 0);
	assert_int_equal(meet(cert, ca, signers), CLINCH_REASON_GOOD);
	struct remembered *held = signers_find(signers, der_of(cert.data, cert.len), ca);
	assert_non_null(held);
	assert_int_equal(meet(delegate_number(1), ca, signers), CLINCH_REASON_GOOD);
	assert_false(remembers(signers, cert, ca));
	clinch_signers_unref(signers);
	assert_int_equal(atomic_load(&held->refs), 1);
	assert_int_equal(held->delegate.key_kind, GNUTLS_PK_ECDSA);
	assert_int_equal(held->delegate.key_bits, 256);
	assert_true(der_equals_bytes(held->delegate.view.whole, cert.data, cert.len));
	remembered_unref(held);
}

static void no_memory_at_all_is_fine(void **state)
{
	(void)state;
	assert_int_equal(meet(delegate_number(0), ca, NULL), CLINCH_REASON_GOOD);
	assert_false(remembers(NULL, delegate_number(0), ca));
	clinch_signers_unref(NULL);
	assert_null(clinch_signers_ref(NULL));
}

static void a_limit_has_a_limit(void **state)
{
	(void)state;
	clinch_signers_t *signers = NULL;
	assert_int_equal(clinch_signers_new(&signers, UINT32_MAX), CLINCH_E_ARGUMENT);
	assert_null(signers);
	assert_int_equal(clinch_signers_new(&signers, 65536), 0);
	clinch_signers_unref(signers);
}

/* ---- threads: they find, add and push each other's out, in a memory smaller than what they know ---- */

#define DELEGATES 6
#define THREADS 4

struct shared {
	clinch_signers_t *signers;
	clinch_subject_t *subject;
	gnutls_datum_t response[DELEGATES];
	gnutls_datum_t forged;
};

static void *judge_in_a_loop(void *argument)
{
	struct shared *shared = argument;
	const struct clinch_policy policy = { .signers = shared->signers };
	for (unsigned i = 0; i < 300; i++) {
		struct clinch_verdict verdict;
		clinch_response_t *response = NULL;
		clinch_verify(&response, &verdict, &shared->response[i * 7 % DELEGATES], shared->subject, NOW, &policy);
		bool good = verdict.status == CLINCH_GOOD && verdict.fresh && response;
		clinch_response_unref(response);
		clinch_verify(NULL, &verdict, &shared->forged, shared->subject, NOW, &policy);
		if (!good || verdict.reason != CLINCH_REASON_DELEGATE_SIGNATURE)
			return argument;
	}
	clinch_signers_unref(shared->signers);
	return NULL;
}

static void prepare(struct shared *shared)
{
	const struct entry_spec entry = good_entry();
	gnutls_x509_crt_t issuer = import_cert(world_ca()), leaf = import_cert(world_leaf());
	assert_int_equal(clinch_subject_new(&shared->subject, leaf, issuer, NULL), 0);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(leaf);
	struct response_spec spec = delegated_with(make_entry(&entry));
	for (unsigned i = 0; i < DELEGATES; i++) {
		spec.certs = delegate_number(i);
		shared->response[i] = blob_datum(make_response(&spec));
	}
	struct cert_spec forged = delegate_spec();
	forged.signer = KEY_OTHER;
	spec.certs = make_cert(&forged);
	shared->forged = blob_datum(make_response(&spec));
	assert_int_equal(clinch_signers_new(&shared->signers, DELEGATES / 2), 0);
}

static void threads_share_one_memory(void **state)
{
	(void)state;
	struct shared shared;
	pthread_t thread[THREADS];
	prepare(&shared);
	for (unsigned i = 0; i < THREADS; i++) {
		clinch_signers_ref(shared.signers);
		assert_int_equal(pthread_create(&thread[i], NULL, judge_in_a_loop, &shared), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed;
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	clinch_signers_unref(shared.signers);
	clinch_subject_unref(shared.subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(remembers_a_delegate_once_it_was_verified),
		T(remembers_nothing_that_was_refused),
		T(a_memory_is_of_the_whole_certificate_under_that_issuer),
		T(a_remembered_delegate_still_expires),
		T(the_oldest_one_goes_when_it_is_full),
		T(what_was_found_outlives_its_place),
		T(no_memory_at_all_is_fine),
		T(a_limit_has_a_limit),
		T(threads_share_one_memory),
	};
	return cmocka_run_group_tests_name("signers", tests, make_issuers, drop_issuers);
}
