/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is loaded once for all targets. */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "probe/probe.h"
#include "x509/chain.h"
#include <string.h>

#define CA_FILE_MAX (8 * 1024 * 1024) /* bytes; Debian's bundle has 220 KiB */

/* Not PEM that GnuTLS takes: one certificate in DER, or an error that says what the file holds instead. */
static int add_other_trust(struct probe *probe, const struct buf *file, struct clinch_error *err)
{
	const char *path = probe->options.ca_file;
	auto_chain chain = { .n = 0 };
	int rc = chain_parse(&chain, file->data, file->len, path, err);

	for (unsigned i = 0; !rc && i < chain.n; i++) {
		int added = gnutls_certificate_set_x509_trust_mem(probe->credentials, &chain.cert[i], GNUTLS_X509_FMT_DER);

		if (added < 1)
			rc = error_gnutls(err, added, "%s: certificate %u cannot be taken as a root", path, i + 1);
	}
	return rc;
}

static int load_ca_file(struct probe *probe, struct clinch_error *err)
{
	auto_buf file = { .max = CA_FILE_MAX };
	int rc = file_read(&file, probe->options.ca_file, err);
	gnutls_datum_t datum;

	if (rc)
		return rc;
	datum = (gnutls_datum_t){ file.data, (unsigned)file.len };
	if (file.len && gnutls_certificate_set_x509_trust_mem(probe->credentials, &datum, GNUTLS_X509_FMT_PEM) > 0)
		return 0;
	return add_other_trust(probe, &file, err);
}

static int load_trust(struct probe *probe, struct clinch_error *err)
{
	int added;

	if (probe->options.ca_file)
		return load_ca_file(probe, err);
	added = gnutls_certificate_set_x509_system_trust(probe->credentials);
	if (added > 0)
		return 0;
	return error_set(err, CLINCH_E_FILE,
			 "this system trusts no root at all: install ca-certificates, or name a file of roots with --ca");
}

static bool is_url(const char *name)
{
	return !strncmp(name, "pkcs11:", 7) || !strncmp(name, "tpmkey:", 7) || !strncmp(name, "system:", 7);
}

static int explain_pair(int rc, const char *cert, const char *key, struct clinch_error *err)
{
	if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return error_set(err, CLINCH_E_FORMAT, "the key in %s is not the one of the certificate in %s", key, cert);
	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		return error_set(err, CLINCH_E_UNSUPPORTED,
				 "the key in %s is encrypted; decrypt it first, nothing here asks for a password", key);
	return error_gnutls(err, rc, "the client's certificate %s and key %s cannot be used", cert, key);
}

static int load_pair(struct probe *probe, const char *cert, const char *key, struct clinch_error *err)
{
	auto_buf cert_file = { .max = CHAIN_FILE_MAX }, key_file = { .max = CHAIN_FILE_MAX };
	auto_chain chain = { .n = 0 };
	gnutls_datum_t cert_pem, key_pem;
	int rc = file_read(&cert_file, cert, err);

	if (!rc)
		rc = chain_parse(&chain, cert_file.data, cert_file.len, cert, err);
	if (!rc)
		rc = file_read(&key_file, key, err);
	if (rc)
		return rc;
	cert_pem = (gnutls_datum_t){ cert_file.data, (unsigned)cert_file.len };
	key_pem = (gnutls_datum_t){ key_file.data, (unsigned)key_file.len };
	rc = gnutls_certificate_set_x509_key_mem2(probe->credentials, &cert_pem, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	return rc < 0 ? explain_pair(rc, cert, key, err) : 0;
}

static int load_client(struct probe *probe, struct clinch_error *err)
{
	const char *cert = probe->options.cert_file;
	const char *key = probe->options.key_file ? probe->options.key_file : cert;
	int rc;

	if (!cert)
		return 0;
	if (!is_url(cert) && !is_url(key))
		return load_pair(probe, cert, key, err);
	rc = gnutls_certificate_set_x509_key_file2(probe->credentials, cert, key, GNUTLS_X509_FMT_PEM, NULL, 0);
	return rc < 0 ? explain_pair(rc, cert, key, err) : 0;
}

static const char *versions(const struct probe_options *options)
{
	if (options->udp)
		return NULL; /* DTLS 1.2 and 1.0 are what there is */
	if (options->tls == 12)
		return "-VERS-ALL:+VERS-TLS1.2";
	return options->tls == 13 ? "-VERS-ALL:+VERS-TLS1.3" : NULL;
}

int probe_load(struct probe *probe, struct clinch_error *err)
{
	const char *appended = versions(&probe->options);
	int rc = gnutls_certificate_allocate_credentials(&probe->credentials);

	if (rc < 0)
		return error_gnutls(err, rc, "credentials");
	rc = gnutls_priority_init2(&probe->priority, appended, NULL, appended ? GNUTLS_PRIORITY_INIT_DEF_APPEND : 0);
	if (rc < 0)
		return error_gnutls(err, rc, "the priority string");
	rc = load_trust(probe, err);
	return rc ? rc : load_client(probe, err);
}
