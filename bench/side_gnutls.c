/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"
#include <gnutls/ocsp.h>

DEFINE_CLEANUP(gnutls_ocsp_resp_t, cleanup_response, gnutls_ocsp_resp_deinit)
#define auto_gnutls_response AUTO(cleanup_response) gnutls_ocsp_resp_t

static bool raw(const struct material *material, const struct signed_bytes *is)
{
	return gnutls_pubkey_verify_data2(is->key, material->algorithm, 0, &is->tbs, &is->signature) >= 0;
}

static bool raw_direct(const struct material *material)
{
	return raw(material, &material->direct_signed);
}

static bool raw_delegated(const struct material *material)
{
	return raw(material, &material->delegated_signed);
}

static bool raw_two(const struct material *material)
{
	return raw(material, &material->delegate_signed) && raw(material, &material->delegated_signed);
}

static bool import_and_verify(const struct material *material)
{
	auto_gnutls_response response = NULL;
	unsigned wrong = 0;

	return gnutls_ocsp_resp_init(&response) >= 0 && gnutls_ocsp_resp_import(response, &material->delegated) >= 0 &&
	       gnutls_ocsp_resp_verify(response, material->trust, &wrong, 0) >= 0 && wrong == 0;
}

static bool import(const struct material *material)
{
	auto_gnutls_response response = NULL;

	return gnutls_ocsp_resp_init(&response) >= 0 && gnutls_ocsp_resp_import(response, &material->parse) >= 0;
}

const struct side gnutls_sides[] = {
	{ "raw-direct", raw_direct },           { "raw-delegated", raw_delegated }, { "raw-two", raw_two },
	{ "gnutls-verify", import_and_verify }, { "gnutls-parse", import },         { NULL, NULL },
};
