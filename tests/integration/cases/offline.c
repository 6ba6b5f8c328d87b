/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "ways.h"
#include <string.h>

DEFINE_CLEANUP(clinch_subject_t *, cleanup_subject, clinch_subject_unref)
DEFINE_CLEANUP(clinch_signers_t *, cleanup_signers, clinch_signers_unref)
DEFINE_CLEANUP(clinch_response_t *, cleanup_response, clinch_response_unref)

static clinch_subject_t *subject_of(const struct test_case *one, const struct world *world)
{
	auto_crt cert = world_certificate(world, one->leaf), issuer = world_certificate(world, one->issuer);
	clinch_subject_t *subject = NULL;
	struct clinch_error err;

	if (clinch_subject_new(&subject, cert, issuer, &err) < 0)
		broken(err.text, one->name);
	return subject;
}

/* The policy with its pointers; `nonce` is where that one is put. */
static struct clinch_policy policy_of(const struct test_case *one, const struct world *world, gnutls_datum_t *nonce)
{
	struct clinch_policy policy = one->policy;

	if (one->trusted)
		policy.trusted = world_item(world, "certificate", one->trusted);
	if (one->nonce) {
		gnutls_datum_t hex = { (unsigned char *)one->nonce, (unsigned)strlen(one->nonce) };

		if (gnutls_hex_decode2(&hex, nonce) < 0)
			broken("not hexadecimal", one->nonce);
		policy.nonce = nonce;
	}
	return policy;
}

/* Believed bytes come out for a fresh good or revoked, and for nothing else; they are the bytes that went in. */
static bool response_fits(const clinch_response_t *response, const struct clinch_verdict *verdict, const gnutls_datum_t *der,
			  struct buf *why)
{
	bool is_due = verdict->fresh && (verdict->status == CLINCH_GOOD || verdict->status == CLINCH_REVOKED);

	if (is_due != (response != NULL)) {
		(void)buf_printf(why, "a response %s\n", response ? "came out of what is not fresh and sure" : "is missing");
		return false;
	}
	gnutls_datum_t held = response ? clinch_response_der(response) : *der;
	if (held.size == der->size && (!der->size || memcmp(held.data, der->data, der->size) == 0))
		return true;
	(void)buf_printf(why, "the believed bytes are not those that were judged\n");
	return false;
}

static bool judge(const struct test_case *one, const struct world *world, const clinch_subject_t *subject,
		  const struct clinch_policy *policy, struct buf *why)
{
	const gnutls_datum_t *der = world_item(world, "response", one->name);
	AUTO(cleanup_response) clinch_response_t *response = NULL;
	struct clinch_verdict verdict;

	clinch_verify(&response, &verdict, der, subject, one->at, policy);
	struct found found = found_of(&verdict);
	bool wanted = case_wants(one, &found, why);
	return response_fits(response, &verdict, der, why) && wanted;
}

bool go_offline(const struct test_case *one, const struct world *world, struct buf *why)
{
	AUTO(cleanup_subject) clinch_subject_t *subject = subject_of(one, world);
	AUTO(cleanup_signers) clinch_signers_t *signers = NULL;
	auto_datum nonce = { NULL, 0 };
	struct clinch_policy policy = policy_of(one, world, &nonce);

	if (!judge(one, world, subject, &policy, why))
		return false;
	if (clinch_signers_new(&signers, 0) < 0)
		broken("no memory for signers", one->name);
	policy.signers = signers;
	for (unsigned i = 0; i < 2; i++)
		if (!judge(one, world, subject, &policy, why)) {
			(void)buf_printf(why, "that was with a memory of signers, time %u\n", i + 1);
			return false;
		}
	return true;
}
