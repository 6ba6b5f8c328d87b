/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Delegates verified before: a ring, behind a lock that is held for as long as it takes to compare and count. */
#include "ocsp/delegate.h"
#include <pthread.h>
#include <string.h>

#define DEFAULT_LIMIT 64
#define LARGEST_LIMIT 65536

struct clinch_signers {
	atomic_uint refs;
	pthread_mutex_t lock;
	unsigned limit, n, next; /* next: where the next one goes, and the oldest one stands once it is full */
	struct remembered *slot[];
};

int clinch_signers_new(clinch_signers_t **out, unsigned limit)
{
	if (limit > LARGEST_LIMIT)
		return CLINCH_E_ARGUMENT;
	limit = limit ? limit : DEFAULT_LIMIT;
	clinch_signers_t *signers = calloc(1, sizeof(*signers) + limit * sizeof(signers->slot[0]));
	if (!signers)
		return CLINCH_E_MEMORY;
	if (pthread_mutex_init(&signers->lock, NULL) != 0) {
		free(signers);
		return CLINCH_E_MEMORY;
	}
	atomic_init(&signers->refs, 1);
	signers->limit = limit;
	*out = signers;
	return 0;
}

clinch_signers_t *clinch_signers_ref(clinch_signers_t *signers)
{
	if (signers)
		atomic_fetch_add_explicit(&signers->refs, 1, memory_order_relaxed);
	return signers;
}

void clinch_signers_unref(clinch_signers_t *signers)
{
	if (!signers || atomic_fetch_sub_explicit(&signers->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < signers->n; i++)
		remembered_unref(signers->slot[i]);
	pthread_mutex_destroy(&signers->lock);
	free(signers);
}

void remembered_unref(struct remembered *remembered)
{
	if (!remembered || atomic_fetch_sub_explicit(&remembered->refs, 1, memory_order_acq_rel) != 1)
		return;
	gnutls_pubkey_deinit(remembered->delegate.key);
	free(remembered);
}

/* The whole certificate and its issuer are compared, no digest of them: the same bytes have the same signature. */
static bool is_it(const struct remembered *remembered, struct der cert, const struct issuer *issuer)
{
	return der_equals_bytes(cert, remembered->der, remembered->len) &&
	       memcmp(remembered->issuer, issuer->fingerprint, FINGERPRINT_LEN) == 0;
}

struct remembered *signers_find(clinch_signers_t *signers, struct der cert, const struct issuer *issuer)
{
	struct remembered *found = NULL;

	if (!signers)
		return NULL;
	pthread_mutex_lock(&signers->lock);
	for (unsigned i = 0; i < signers->n && !found; i++)
		if (is_it(signers->slot[i], cert, issuer))
			found = signers->slot[i];
	if (found)
		atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&signers->lock);
	return found;
}

static struct remembered *remembered_new(struct delegate *delegate, const struct issuer *issuer)
{
	struct der cert = delegate->view.whole;
	struct remembered *remembered = malloc(sizeof(*remembered) + der_len(cert));

	if (!remembered)
		return NULL;
	atomic_init(&remembered->refs, 1);
	remembered->delegate = *delegate;
	memcpy(remembered->issuer, issuer->fingerprint, FINGERPRINT_LEN);
	remembered->len = der_len(cert);
	memcpy(remembered->der, cert.at, remembered->len);
	/* It was parsed a moment ago: only the place of the bytes is another. */
	if (!cert_view_parse(&remembered->delegate.view, der_of(remembered->der, remembered->len))) {
		free(remembered);
		return NULL;
	}
	delegate->key = NULL;
	return remembered;
}

void signers_add(clinch_signers_t *signers, struct delegate *delegate, const struct issuer *issuer)
{
	struct remembered *oldest, *newest = signers ? remembered_new(delegate, issuer) : NULL;

	if (!newest)
		return;
	pthread_mutex_lock(&signers->lock);
	oldest = signers->slot[signers->next];
	signers->slot[signers->next] = newest;
	signers->next = (signers->next + 1) % signers->limit;
	if (signers->n < signers->limit)
		signers->n++;
	pthread_mutex_unlock(&signers->lock);
	remembered_unref(oldest);
}
