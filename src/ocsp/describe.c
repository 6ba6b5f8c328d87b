/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/describe.h"
#include "x509/signature.h"
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

static bool is_named(const struct ocsp_response *response, const struct cert_view *cert)
{
	uint8_t hash[20];

	if (!response->by_key)
		return der_equals(response->responder, cert->subject);
	return gnutls_hash_fast(GNUTLS_DIG_SHA1, cert->key_bits.at, der_len(cert->key_bits), hash) >= 0 &&
	       der_equals_bytes(response->responder, hash, sizeof(hash));
}

static void describe_signer(struct ocsp_description *out, const struct ocsp_response *response,
			    const clinch_subject_t *subject)
{
	struct der left = response->certs, content, whole;
	struct cert_view cert;

	if (subject && is_named(response, &subject->issuer->view)) {
		out->signer = OCSP_SIGNER_ISSUER;
		out->signer_name = subject->issuer->view.subject;
		return;
	}
	while (der_take_whole(&left, DER_SEQUENCE, &content, &whole)) {
		if (!cert_view_parse(&cert, whole) || !is_named(response, &cert))
			continue;
		out->signer = OCSP_SIGNER_DELEGATE;
		out->signer_name = cert.subject;
		return;
	}
	if (!response->by_key)
		out->signer_name = response->responder;
}

static const char *hash_name(const struct ocsp_response *response, const clinch_subject_t *subject)
{
	struct ocsp_entry entry;
	const char *first = NULL;

	for (struct der left = response->entries; ocsp_entry_next(&left, &entry);) {
		enum subject_hash hash = cert_id_hash(entry.id.hash_oid);
		const char *name = hash < SUBJECT_HASHES ? subject_digests[hash].name : "unknown";
		if (subject && cert_id_is_of(&entry.id, subject))
			return name;
		first = first ? first : name;
	}
	return first ? first : "unknown";
}

void ocsp_describe(struct ocsp_description *out, const struct ocsp_response *response, const clinch_subject_t *subject)
{
	struct signature_algorithm algorithm;

	*out = (struct ocsp_description){ .signature = "unknown" };
	describe_signer(out, response, subject);
	if (signature_algorithm_parse(&algorithm, response->signature_algorithm) == SIGNATURE_PARSED)
		out->signature = algorithm.name;
	out->cert_id_hash = hash_name(response, subject);
}

bool ocsp_name_text(gnutls_datum_t *out, struct der name)
{
	const gnutls_datum_t der = { (uint8_t *)name.at, (unsigned)der_len(name) };
	gnutls_x509_dn_t dn;

	if (gnutls_x509_dn_init(&dn) < 0)
		return false;
	bool ok = gnutls_x509_dn_import(dn, &der) >= 0 && gnutls_x509_dn_get_str2(dn, out, 0) >= 0;
	gnutls_x509_dn_deinit(dn);
	return ok;
}
