/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"
#include <openssl/ocsp.h>
#include <openssl/x509_vfy.h>

DEFINE_CLEANUP(OCSP_RESPONSE *, cleanup_response, OCSP_RESPONSE_free)
DEFINE_CLEANUP(OCSP_BASICRESP *, cleanup_basic, OCSP_BASICRESP_free)
DEFINE_CLEANUP(X509 *, cleanup_x509, X509_free)
DEFINE_CLEANUP(X509_STORE *, cleanup_store, X509_STORE_free)
#define auto_openssl_response AUTO(cleanup_response) OCSP_RESPONSE
#define auto_openssl_basic AUTO(cleanup_basic) OCSP_BASICRESP
#define auto_openssl_x509 AUTO(cleanup_x509) X509
#define auto_openssl_store AUTO(cleanup_store) X509_STORE

void *openssl_store_new(const gnutls_datum_t *ca)
{
	const unsigned char *at = ca->data;
	auto_openssl_x509 *cert = d2i_X509(NULL, &at, (long)ca->size);
	auto_openssl_store *store = X509_STORE_new();

	if (!cert || !store || X509_STORE_add_cert(store, cert) != 1)
		return NULL;
	return TAKE(store);
}

const char *openssl_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}

static OCSP_BASICRESP *read_basic(const gnutls_datum_t *der)
{
	const unsigned char *at = der->data;
	auto_openssl_response *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der->size);

	return response ? OCSP_response_get1_basic(response) : NULL;
}

static bool read_and_verify(const struct material *material)
{
	auto_openssl_basic *basic = read_basic(&material->delegated);

	return basic && OCSP_basic_verify(basic, NULL, material->store, 0) == 1;
}

static bool read_only(const struct material *material)
{
	auto_openssl_basic *basic = read_basic(&material->parse);

	return basic != NULL;
}

const struct side openssl_sides[] = {
	{ "openssl-verify", read_and_verify },
	{ "openssl-parse", read_only },
	{ NULL, NULL },
};
