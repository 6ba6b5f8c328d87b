/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls/known.h"

int known_init(struct known *known)
{
	return pthread_mutex_init(&known->lock, NULL) == 0 ? 0 : CLINCH_E_MEMORY;
}

void known_done(struct known *known)
{
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		issuer_unref(known->issuer[i]);
		clinch_subject_unref(known->subject[i]);
	}
	pthread_mutex_destroy(&known->lock);
}

static bool is_datum(struct der whole, const gnutls_datum_t *der)
{
	return der_equals_bytes(whole, der->data, der->size);
}

static struct issuer *find_issuer(struct known *known, const gnutls_datum_t *der)
{
	struct issuer *found = NULL;

	pthread_mutex_lock(&known->lock);
	for (unsigned i = 0; i < KNOWN_MAX && !found; i++)
		if (known->issuer[i] && is_datum(known->issuer[i]->view.whole, der))
			found = issuer_ref(known->issuer[i]);
	pthread_mutex_unlock(&known->lock);
	return found;
}

int known_issuer(struct known *known, const gnutls_datum_t *der, struct issuer **out)
{
	*out = find_issuer(known, der);
	if (*out)
		return 0;
	int code = issuer_new(out, der, NULL);
	if (code < 0)
		return code;
	pthread_mutex_lock(&known->lock);
	struct issuer **place = &known->issuer[known->n_issuers++ % KNOWN_MAX], *before = *place;
	*place = issuer_ref(*out);
	pthread_mutex_unlock(&known->lock);
	issuer_unref(before);
	return 0;
}

static clinch_subject_t *find_subject(struct known *known, const gnutls_datum_t *cert, const struct issuer *issuer)
{
	clinch_subject_t *found = NULL;

	pthread_mutex_lock(&known->lock);
	for (unsigned i = 0; i < KNOWN_MAX && !found; i++)
		if (known->subject[i] && known->subject[i]->issuer == issuer &&
		    is_datum(known->subject[i]->view.whole, cert))
			found = clinch_subject_ref(known->subject[i]);
	pthread_mutex_unlock(&known->lock);
	return found;
}

int known_subject(struct known *known, const gnutls_datum_t *cert, struct issuer *issuer, clinch_subject_t **out)
{
	*out = find_subject(known, cert, issuer);
	if (*out)
		return 0;
	int code = subject_new(out, cert, issuer, false, NULL);
	if (code < 0)
		return code;
	pthread_mutex_lock(&known->lock);
	clinch_subject_t **place = &known->subject[known->n_subjects++ % KNOWN_MAX], *before = *place;
	*place = clinch_subject_ref(*out);
	pthread_mutex_unlock(&known->lock);
	clinch_subject_unref(before);
	return 0;
}
