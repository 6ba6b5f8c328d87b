/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/issuers.h"
#include "x509/signature.h"
#include <gnutls/crypto.h>
#include <string.h>

static inline void cleanup_trust(gnutls_x509_trust_list_t *held)
{
	if (*held)
		gnutls_x509_trust_list_deinit(*held, 1);
}

struct issuer *issuers_find(const struct issuers *issuers, const struct cert_view *cert)
{
	for (size_t i = 0; i < issuers->n; i++) {
		struct issuer *issuer = issuers->at[i];
		if (der_equals(issuer->view.subject, cert->issuer) &&
		    signature_check_issued(cert, issuer->key, issuer->key_kind) == 0)
			return issuer;
	}
	return NULL;
}

static bool is_known(const struct issuers *issuers, const uint8_t *fingerprint)
{
	for (size_t i = 0; i < issuers->n; i++)
		if (memcmp(issuers->at[i]->fingerprint, fingerprint, FINGERPRINT_LEN) == 0)
			return true;
	return false;
}

static bool make_room(struct issuers *issuers)
{
	size_t size = issuers->size ? 2 * issuers->size : 16;
	struct issuer **at;

	if (issuers->n < issuers->size)
		return true;
	at = reallocarray(issuers->at, size, sizeof(struct issuer *));
	if (!at)
		return false;
	issuers->at = at;
	issuers->size = size;
	return true;
}

bool issuers_add(struct issuers *issuers, const gnutls_datum_t *der)
{
	uint8_t fingerprint[FINGERPRINT_LEN];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, fingerprint) < 0)
		return false;
	if (is_known(issuers, fingerprint))
		return true;
	if (!make_room(issuers) || issuer_new(&issuers->at[issuers->n], der, NULL) < 0)
		return false;
	issuers->n++;
	return true;
}

void issuers_add_from_chain(struct issuers *issuers, const struct chain *chain, const struct cert_view *cert)
{
	struct cert_view view;

	for (unsigned i = 0; i < chain->n; i++)
		if (cert_view_parse(&view, der_of(chain->cert[i].data, chain->cert[i].size)) &&
		    der_equals(view.subject, cert->issuer))
			issuers_add(issuers, &chain->cert[i]);
}

bool issuers_add_from_system(struct issuers *issuers, const gnutls_datum_t *cert)
{
	AUTO(cleanup_trust) gnutls_x509_trust_list_t trust = NULL;
	auto_crt crt = NULL;
	auto_crt issuer = NULL;
	auto_datum der = { NULL, 0 };

	if (gnutls_x509_crt_init(&crt) < 0 || gnutls_x509_crt_import(crt, cert, GNUTLS_X509_FMT_DER) < 0)
		return false;
	if (gnutls_x509_trust_list_init(&trust, 0) < 0 || gnutls_x509_trust_list_add_system_trust(trust, 0, 0) <= 0)
		return false;
	if (gnutls_x509_trust_list_get_issuer(trust, crt, &issuer, GNUTLS_TL_GET_COPY) < 0)
		return false;
	return gnutls_x509_crt_export2(issuer, GNUTLS_X509_FMT_DER, &der) >= 0 && issuers_add(issuers, &der);
}

void issuers_done(struct issuers *issuers)
{
	for (size_t i = 0; i < issuers->n; i++)
		issuer_unref(issuers->at[i]);
	free(issuers->at);
	*issuers = (struct issuers){ 0 };
}
