/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/issuers.h"
#include "der/oid.h"
#include "x509/signature.h"
#include <gnutls/crypto.h>
#include <string.h>

static inline void cleanup_trust(gnutls_x509_trust_list_t *held)
{
	if (*held)
		gnutls_x509_trust_list_deinit(*held, 1);
}

static bool key_id(struct der *out, const struct cert_view *view, const char *oid, size_t oid_len, uint8_t tag)
{
	struct der_extension extension;
	struct der within;

	if (!cert_view_extension(view, oid, oid_len, &extension))
		return false;
	within = extension.value;
	if (tag != DER_OCTET_STRING && !der_take(&extension.value, DER_SEQUENCE, &within))
		return false;
	return der_take(&within, tag, out) && der_len(*out) > 0;
}

/* RFC 5280 4.2.1.1: the certificate says by which key it was signed, and the issuer's says that this is it. */
static bool names_key_of(const struct cert_view *cert, const struct issuer *issuer)
{
	struct der wanted, there;

	return key_id(&wanted, cert, OID_AUTHORITY_KEY_ID, sizeof(OID_AUTHORITY_KEY_ID) - 1, DER_CONTEXT_PRIMITIVE(0)) &&
	       key_id(&there, &issuer->view, OID_SUBJECT_KEY_ID, sizeof(OID_SUBJECT_KEY_ID) - 1, DER_OCTET_STRING) &&
	       der_equals(wanted, there);
}

static struct issuer *next_namesake(const struct issuers *issuers, const struct cert_view *cert, size_t *i)
{
	while (*i < issuers->n) {
		struct issuer *issuer = issuers->at[(*i)++];
		if (der_equals(issuer->view.subject, cert->issuer))
			return issuer;
	}
	return NULL;
}

/*
 * Where there is one of that name, and both certificates name its key, that is who issued it. A signature would say no more
 * of use, and cost as much as judging a response: a response is judged by the issuer's key, whatever the certificate.
 */
struct issuer *issuers_find(const struct issuers *issuers, const struct cert_view *cert)
{
	size_t i = 0, more;
	struct issuer *first = next_namesake(issuers, cert, &i), *issuer;

	more = i;
	if (first && !next_namesake(issuers, cert, &more) && names_key_of(cert, first))
		return first;
	for (issuer = first; issuer; issuer = next_namesake(issuers, cert, &i))
		if (signature_check_issued(cert, issuer->key, issuer->key_kind) == 0)
			return issuer;
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
