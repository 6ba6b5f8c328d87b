/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/delegate.h"
#include "der/oid.h"
#include "x509/signature.h"
#include <gnutls/crypto.h>

#define EXTENSION(view, name, out) cert_view_extension(view, OID_##name, sizeof(OID_##name) - 1, out)

enum clinch_reason delegate_read(struct delegate *out, struct der whole)
{
	*out = (struct delegate){ .key = NULL };
	if (!cert_view_parse(&out->view, whole))
		return CLINCH_REASON_DELEGATE_MALFORMED;
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, out->view.key_bits.at, der_len(out->view.key_bits), out->key_hash) < 0)
		return CLINCH_REASON_INTERNAL;
	return CLINCH_REASON_GOOD;
}

bool delegate_has_nocheck(const struct cert_view *cert)
{
	struct der_extension extension;

	return EXTENSION(cert, OCSP_NOCHECK, &extension);
}

bool delegate_has_purpose(const struct cert_view *cert)
{
	struct der_extension extension;
	struct der purposes, oid;
	bool found = false;

	if (!EXTENSION(cert, EXTENDED_KEY_USAGE, &extension))
		return false;
	if (!der_take(&extension.value, DER_SEQUENCE, &purposes) || !der_at_end(&extension.value))
		return false;
	while (!der_at_end(&purposes)) {
		if (!der_take_oid(&purposes, &oid))
			return false;
		found |= OID_IS(oid, KP_OCSP_SIGNING);
	}
	return found;
}

/* RFC 5280 4.2.1.3: bit 0 is digitalSignature, bit 1 nonRepudiation. Without the extension every use is allowed. */
static bool may_sign(const struct cert_view *cert)
{
	struct der_extension extension;
	struct der bits;

	if (!EXTENSION(cert, KEY_USAGE, &extension))
		return true;
	if (!der_take(&extension.value, DER_BIT_STRING, &bits) || !der_at_end(&extension.value))
		return false;
	return der_len(bits) >= 2 && bits.at[0] <= 7 && (bits.at[1] & 0xc0);
}

/* The ones whose meaning is processed here, or cannot matter to a signature made directly under the issuer. */
static bool is_processed(const struct der_extension *extension)
{
	return OID_IS(extension->oid, KEY_USAGE) || OID_IS(extension->oid, EXTENDED_KEY_USAGE) ||
	       OID_IS(extension->oid, BASIC_CONSTRAINTS) || OID_IS(extension->oid, OCSP_NOCHECK) ||
	       OID_IS(extension->oid, SUBJECT_ALT_NAME) || OID_IS(extension->oid, CERTIFICATE_POLICIES) ||
	       OID_IS(extension->oid, SUBJECT_KEY_ID) || OID_IS(extension->oid, AUTHORITY_KEY_ID);
}

static bool has_unprocessed(const struct cert_view *cert)
{
	struct der_extension extension;

	for (struct der left = cert->extensions; der_take_extension(&left, &extension);)
		if (extension.critical && !is_processed(&extension))
			return true;
	return false;
}

enum clinch_reason delegate_check(const struct delegate *delegate, const struct issuer *issuer, int64_t now)
{
	const struct cert_view *cert = &delegate->view;

	if (!der_equals(cert->issuer, issuer->view.subject))
		return CLINCH_REASON_DELEGATE_ISSUER;
	if (!delegate_has_purpose(cert))
		return CLINCH_REASON_DELEGATE_EKU;
	if (!may_sign(cert))
		return CLINCH_REASON_DELEGATE_KEY_USAGE;
	if (has_unprocessed(cert))
		return CLINCH_REASON_DELEGATE_CRITICAL;
	if (now < cert->not_before)
		return CLINCH_REASON_DELEGATE_NOT_YET;
	if (now > cert->not_after)
		return CLINCH_REASON_DELEGATE_EXPIRED;
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason check_signature(const struct cert_view *cert, const struct issuer *issuer)
{
	struct signature_algorithm algorithm;

	if (signature_algorithm_parse(&algorithm, cert->signature_algorithm) != SIGNATURE_PARSED || algorithm.weak)
		return CLINCH_REASON_DELEGATE_WEAK_SIGNATURE;
	int rc = signature_suits_key(&algorithm, issuer->key, issuer->key_kind)
			 ? signature_verify(&algorithm, issuer->key, cert->tbs, cert->signature)
			 : GNUTLS_E_PK_SIG_VERIFY_FAILED;
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return CLINCH_REASON_INTERNAL;
	if (rc < 0)
		return CLINCH_REASON_DELEGATE_SIGNATURE;
	return CLINCH_REASON_GOOD;
}

enum clinch_reason delegate_import_key(struct delegate *delegate)
{
	struct der spki = delegate->view.spki;
	const gnutls_datum_t view = { (uint8_t *)spki.at, (unsigned)der_len(spki) };
	int rc = gnutls_pubkey_init(&delegate->key);

	if (rc >= 0)
		rc = gnutls_pubkey_import(delegate->key, &view, GNUTLS_X509_FMT_DER);
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return CLINCH_REASON_INTERNAL;
	/* A key that GnuTLS cannot read keeps the kind 0, which is not strong. */
	if (rc >= 0)
		delegate->key_kind = gnutls_pubkey_get_pk_algorithm(delegate->key, &delegate->key_bits);
	if (!signature_key_is_strong(delegate->key_kind, delegate->key_bits))
		return CLINCH_REASON_DELEGATE_WEAK_KEY;
	return CLINCH_REASON_GOOD;
}

enum clinch_reason delegate_meet(struct delegate *delegate, const struct issuer *issuer)
{
	enum clinch_reason reason = delegate_import_key(delegate);

	return reason == CLINCH_REASON_GOOD ? check_signature(&delegate->view, issuer) : reason;
}
