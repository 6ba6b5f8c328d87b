/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "der/oid.h"
#include "ocsp/judgement.h"
#include "report/embedded.h"
#include "report/show.h"
#include "report/sniff.h"
#include <gnutls/crypto.h>
#include <string.h>

#define BIT(finding) ((uint64_t)1 << CLINCH_FINDING_##finding)
#define URLS_MAX 32 /* shown; a certificate has one or two */

static void put_urls(struct json_maker *maker, const char *key, const struct cert_view *view, const void *method, size_t len)
{
	json_t *array = json_array();
	struct der url;

	for (unsigned i = 0; i < URLS_MAX && cert_view_access_url(view, method, len, i, &url); i++) {
		auto_buf text = { .max = 64 * 1024 };

		report_printable(&text, url.at, der_len(url));
		if (!json_add(array, json_stringn(text.len ? (const char *)text.data : "", text.len)))
			maker->failed = true;
	}
	json_put(maker, key, array);
}

/* RFC 5280 4.1.2.2: positive, without a leading zero that the sign does not need */
static bool serial_is_minimal(struct der serial)
{
	if (!der_len(serial) || serial.at[0] & 0x80)
		return false;
	if (der_len(serial) == 1)
		return serial.at[0] != 0;
	return serial.at[0] || serial.at[1] & 0x80;
}

/* That nobody can ask about it is worth saying of neither a root nor a responder. */
static uint64_t certificate_findings(const struct cert_view *view, bool is_responder)
{
	uint64_t found = findings_of_certificate(view) | (serial_is_minimal(view->serial) ? 0 : BIT(SERIAL_NOT_MINIMAL));

	return is_responder || cert_view_self_issued(view) ? found & ~BIT(NO_URL) : found;
}

static void put_fingerprint(struct json_maker *maker, struct der der)
{
	uint8_t hash[32];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, der.at, der_len(der), hash))
		json_put(maker, "sha256", json_null());
	else
		json_put_hex(maker, "sha256", der_of(hash, sizeof(hash)));
}

static json_t *unreadable(struct der der)
{
	struct json_maker maker = json_maker_new();

	json_put_text(&maker, "subject", NULL);
	json_put_text(&maker, "detail", "not a certificate in strict DER");
	json_put_number(&maker, "size", (int64_t)der_len(der));
	return json_maker_finish(&maker);
}

static bool has_issuer(const struct chain *file, struct der der)
{
	gnutls_datum_t cert = { (unsigned char *)(uintptr_t)der.at, (unsigned)der_len(der) };

	return chain_find_issuer(file, &cert) != NULL;
}

json_t *show_certificate(struct der der, const struct chain *file)
{
	struct json_maker maker;
	struct cert_view view;
	struct der_extension nocheck;
	bool is_responder;

	if (!cert_view_parse(&view, der))
		return unreadable(der);
	is_responder = cert_view_has_purpose(&view, OID_KP_OCSP_SIGNING, sizeof(OID_KP_OCSP_SIGNING) - 1);
	maker = json_maker_new();
	json_put_name(&maker, "subject", view.subject);
	json_put_name(&maker, "issuer", view.issuer);
	json_put_hex(&maker, "serial", view.serial);
	json_put_time(&maker, "not_before", view.not_before);
	json_put_time(&maker, "not_after", view.not_after);
	json_put_bool(&maker, "is_ca", cert_view_is_ca(&view));
	json_put_bool(&maker, "self_issued", cert_view_self_issued(&view));
	json_put_bool(&maker, "must_staple", cert_view_must_staple(&view));
	put_urls(&maker, "ocsp_urls", &view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1);
	put_urls(&maker, "ca_issuers_urls", &view, OID_AD_CA_ISSUERS, sizeof(OID_AD_CA_ISSUERS) - 1);
	json_put_bool(&maker, "ocsp_signing", is_responder);
	json_put_bool(&maker, "nocheck",
		      cert_view_extension(&view, OID_OCSP_NOCHECK, sizeof(OID_OCSP_NOCHECK) - 1, &nocheck));
	put_fingerprint(&maker, der);
	if (file)
		json_put_bool(&maker, "issuer_in_file", has_issuer(file, der));
	json_put(&maker, "findings", report_findings_json(certificate_findings(&view, is_responder)));
	return json_maker_finish(&maker);
}

json_t *show_chain(const struct chain *chain)
{
	struct json_maker maker = show_begin("certificates", 0);
	json_t *certificates = json_array();
	size_t size = 0;

	json_put_bool(&maker, "understood", true);
	for (unsigned i = 0; i < chain->n; i++) {
		const gnutls_datum_t *cert = &chain->cert[i];

		if (!json_add(certificates, show_certificate(der_of(cert->data, cert->size), chain)))
			maker.failed = true;
		size += cert->size;
	}
	json_put_number(&maker, "size", (int64_t)size);
	json_put(&maker, "certificates", certificates);
	return json_maker_finish(&maker);
}

json_t *show_not_understood(gnutls_datum_t bytes)
{
	struct json_maker maker = show_begin(NULL, bytes.size);
	enum sniffed kind = sniff(bytes.data, bytes.size);
	auto_buf detail = { .max = 64 * 1024 };

	buf_printf(&detail, "%s, not an OCSP request, a response or certificates", sniff_name(kind));
	if (kind == SNIFF_BINARY)
		sniff_put_fault(&detail, bytes.data, bytes.size);
	json_put_bool(&maker, "understood", false);
	json_put_buf(&maker, "detail", &detail);
	if (kind == SNIFF_BINARY)
		show_put_fault(&maker, bytes);
	return json_maker_finish(&maker);
}
