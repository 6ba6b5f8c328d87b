/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demo/pki.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include <gnutls/x509-ext.h>
#include <string.h>

#define DAY 86400
#define BACKDATED_S (40 * DAY)
#define PEM_MAX 65536

DEFINE_CLEANUP(gnutls_x509_tlsfeatures_t, cleanup_features, gnutls_x509_tlsfeatures_deinit)

static void set(int *rc, int result)
{
	if (*rc >= 0 && result < 0)
		*rc = result;
}

static void set_validity(int *rc, gnutls_x509_crt_t crt, const struct demo_request *request, int64_t now)
{
	set(rc, gnutls_x509_crt_set_activation_time(crt, now - BACKDATED_S));
	set(rc, gnutls_x509_crt_set_expiration_time(crt, now + (int64_t)request->days * DAY));
}

static void set_ca(int *rc, gnutls_x509_crt_t crt)
{
	set(rc, gnutls_x509_crt_set_basic_constraints(crt, 1, -1));
	set(rc, gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
}

/* id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1): nobody is asked about the one who answers. */
static void set_delegate(int *rc, gnutls_x509_crt_t crt)
{
	set(rc, gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	set(rc, gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_OCSP_SIGNING, 0));
	set(rc, gnutls_x509_crt_set_extension_by_oid(crt, "1.3.6.1.5.5.7.48.1.5", "\x05\x00", 2, 0));
}

static void set_must_staple(int *rc, gnutls_x509_crt_t crt)
{
	AUTO(cleanup_features) gnutls_x509_tlsfeatures_t features = NULL;

	set(rc, gnutls_x509_tlsfeatures_init(&features));
	if (*rc < 0)
		return;
	set(rc, gnutls_x509_tlsfeatures_add(features, 5)); /* status_request, RFC 7633 */
	set(rc, gnutls_x509_crt_set_tlsfeatures(crt, features));
}

static void set_server(int *rc, gnutls_x509_crt_t crt, const struct demo_request *request)
{
	gnutls_datum_t url = { (unsigned char *)request->ocsp_url,
			       request->ocsp_url ? (unsigned)strlen(request->ocsp_url) : 0 };

	set(rc, gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	set(rc, gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	set(rc, gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET));
	set(rc, gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, "\x7f\x00\x00\x01", 4, GNUTLS_FSAN_APPEND));
	if (url.size)
		set(rc, gnutls_x509_crt_set_authority_info_access(crt, GNUTLS_IA_OCSP_URI, &url));
	if (request->must_staple)
		set_must_staple(rc, crt);
}

static void set_key_ids(int *rc, gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
	unsigned char id[64];
	size_t size = sizeof(id);

	set(rc, gnutls_x509_crt_get_key_id(crt, 0, id, &size));
	if (*rc >= 0)
		set(rc, gnutls_x509_crt_set_subject_key_id(crt, id, size));
	size = sizeof(id);
	set(rc, gnutls_x509_crt_get_key_id(issuer, 0, id, &size));
	if (*rc >= 0)
		set(rc, gnutls_x509_crt_set_authority_key_id(crt, id, size));
}

static int make_key(gnutls_x509_privkey_t *key)
{
	int rc = gnutls_x509_privkey_init(key);

	return rc < 0 ? rc
		      : gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
						     0);
}

static int fill(struct demo_identity *made, const struct demo_identity *issuer, const struct demo_request *request,
		int64_t now)
{
	const struct demo_identity *by = issuer ? issuer : made;
	int rc = make_key(&made->key);

	set(&rc, rc < 0 ? rc : gnutls_x509_crt_init(&made->crt));
	if (rc < 0)
		return rc;
	set(&rc, gnutls_x509_crt_set_version(made->crt, 3));
	set(&rc, gnutls_x509_crt_set_serial(made->crt, (const uint8_t[]){ 0x10, request->serial }, 2));
	set(&rc, gnutls_x509_crt_set_dn_by_oid(made->crt, GNUTLS_OID_X520_COMMON_NAME, 0, request->name,
					       (unsigned)strlen(request->name)));
	set(&rc, gnutls_x509_crt_set_key(made->crt, made->key));
	set_validity(&rc, made->crt, request, now);
	if (request->ca)
		set_ca(&rc, made->crt);
	else if (request->ocsp_signing)
		set_delegate(&rc, made->crt);
	else
		set_server(&rc, made->crt, request);
	set_key_ids(&rc, made->crt, by->crt);
	if (rc >= 0)
		rc = gnutls_x509_crt_sign2(made->crt, by->crt, by->key, GNUTLS_DIG_SHA256, 0);
	return rc;
}

int demo_issue(struct demo_identity *out, const struct demo_identity *issuer, const struct demo_request *request,
	       int64_t now, struct clinch_error *err)
{
	struct demo_identity made = { NULL, NULL };
	int rc = fill(&made, issuer, request, now);

	if (rc < 0) {
		demo_identity_done(&made);
		return error_gnutls(err, rc, "the certificate of %s cannot be made", request->name);
	}
	*out = made;
	return 0;
}

void demo_identity_done(struct demo_identity *identity)
{
	if (identity->crt)
		gnutls_x509_crt_deinit(identity->crt);
	if (identity->key)
		gnutls_x509_privkey_deinit(identity->key);
	*identity = (struct demo_identity){ NULL, NULL };
}

int demo_write_chain(const char *path, gnutls_x509_crt_t const *chain, struct clinch_error *err)
{
	auto_buf text = { .max = PEM_MAX };

	for (; *chain; chain++) {
		auto_datum pem = { NULL, 0 };
		int rc = gnutls_x509_crt_export2(*chain, GNUTLS_X509_FMT_PEM, &pem);

		if (rc < 0)
			return error_gnutls(err, rc, "%s", path);
		if (!buf_add(&text, pem.data, pem.size))
			return error_set(err, CLINCH_E_MEMORY, "%s: no memory", path);
	}
	return file_replace(path, text.data, text.len, 0644, err);
}

int demo_write_key(const char *path, gnutls_x509_privkey_t key, struct clinch_error *err)
{
	auto_datum pem = { NULL, 0 };
	int rc = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);

	return rc < 0 ? error_gnutls(err, rc, "%s", path) : file_replace(path, pem.data, pem.size, 0600, err);
}
