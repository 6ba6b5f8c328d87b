/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"
#include "bench.h"
#include "ocsp/response.h"
#include "x509/cert_view.h"
#include <stdio.h>
#include <time.h>

#define FILE_LIMIT 65536

static bool read_der(gnutls_datum_t *out, const char *folder, const char *name, bool optional)
{
	auto_buf bytes = { .max = FILE_LIMIT };
	struct clinch_error err;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.der", folder, name);
	if (optional && access(path, F_OK))
		return true;
	if (file_read(&bytes, path, &err)) {
		fprintf(stderr, "bench: %s\n", err.text);
		return false;
	}
	out->size = (unsigned)bytes.len;
	out->data = TAKE(bytes.data);
	return true;
}

static gnutls_datum_t datum_of(struct der view)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)view.at, (unsigned)der_len(view) };
}

static bool import_key(gnutls_pubkey_t *out, const gnutls_datum_t *cert)
{
	auto_crt crt = NULL;

	return gnutls_x509_crt_init(&crt) >= 0 && gnutls_x509_crt_import(crt, cert, GNUTLS_X509_FMT_DER) >= 0 &&
	       gnutls_pubkey_init(out) >= 0 && gnutls_pubkey_import_x509(*out, crt, 0) >= 0;
}

static bool take_response(struct signed_bytes *out, const gnutls_datum_t *der, gnutls_pubkey_t key)
{
	struct ocsp_response response;

	if (ocsp_response_parse(&response, der_of(der->data, der->size)) != CLINCH_REASON_GOOD)
		return false;
	*out = (struct signed_bytes){ datum_of(response.tbs), datum_of(response.signature), key };
	return true;
}

static bool take_certificate(struct signed_bytes *out, const gnutls_datum_t *der, gnutls_pubkey_t key)
{
	struct cert_view view;

	if (!cert_view_parse(&view, der_of(der->data, der->size)))
		return false;
	*out = (struct signed_bytes){ datum_of(view.tbs), datum_of(view.signature), key };
	return true;
}

static bool prepare_raw(struct material *out)
{
	gnutls_pubkey_t issuer_key = NULL;
	gnutls_pubkey_t delegate_key = NULL;

	if (!import_key(&issuer_key, &out->ca) || !import_key(&delegate_key, &out->delegate))
		return false;
	out->algorithm = gnutls_pubkey_get_pk_algorithm(issuer_key, NULL) == GNUTLS_PK_RSA ? GNUTLS_SIGN_RSA_SHA256
											   : GNUTLS_SIGN_ECDSA_SHA256;
	return take_response(&out->direct_signed, &out->direct, issuer_key) &&
	       take_response(&out->delegated_signed, &out->delegated, delegate_key) &&
	       take_certificate(&out->delegate_signed, &out->delegate, issuer_key);
}

static bool prepare_trust(struct material *out)
{
	gnutls_x509_crt_t ca = NULL;

	out->store = openssl_store_new(&out->ca);
	/* The list owns the certificate from then on. */
	return out->store && gnutls_x509_crt_init(&ca) >= 0 &&
	       gnutls_x509_crt_import(ca, &out->ca, GNUTLS_X509_FMT_DER) >= 0 &&
	       gnutls_x509_trust_list_init(&out->trust, 0) >= 0 &&
	       gnutls_x509_trust_list_add_cas(out->trust, &ca, 1, 0) == 1;
}

static bool prepare_subject(struct material *out)
{
	struct clinch_error err;
	auto_crt leaf = NULL;
	auto_crt ca = NULL;

	if (gnutls_x509_crt_init(&leaf) < 0 || gnutls_x509_crt_import(leaf, &out->leaf, GNUTLS_X509_FMT_DER) < 0 ||
	    gnutls_x509_crt_init(&ca) < 0 || gnutls_x509_crt_import(ca, &out->ca, GNUTLS_X509_FMT_DER) < 0)
		return false;
	if (clinch_subject_new(&out->subject, leaf, ca, &err)) {
		fprintf(stderr, "bench: %s\n", err.text);
		return false;
	}
	return clinch_signers_new(&out->signers, 0) == 0;
}

bool material_load(struct material *out, const char *folder)
{
	out->now = time(NULL);
	if (!read_der(&out->ca, folder, "ca", false) || !read_der(&out->leaf, folder, "leaf", false) ||
	    !read_der(&out->delegate, folder, "delegate", false) || !read_der(&out->direct, folder, "direct", false) ||
	    !read_der(&out->delegated, folder, "delegated", false) || !read_der(&out->parse, folder, "parse", true))
		return false;
	if (!prepare_raw(out) || !prepare_trust(out) || !prepare_subject(out)) {
		fprintf(stderr, "bench: %s: what was made there cannot be read back\n", folder);
		return false;
	}
	return true;
}
