/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509/cert_view.h"
#include "der/oid.h"

#define SHORT_LIVED_S (7 * 86400)

static bool skip_unique_ids(struct der *tbs)
{
	struct der content;

	for (uint8_t n = 1; n <= 2; n++)
		if (der_next_is(tbs, DER_CONTEXT_PRIMITIVE(n)) && !der_take(tbs, DER_CONTEXT_PRIMITIVE(n), &content))
			return false;
	return true;
}

static bool take_name(struct der *in, struct der *name)
{
	struct der content;

	return der_take_whole(in, DER_SEQUENCE, &content, name) && der_is_well_formed(content);
}

static bool take_spki(struct der *in, struct cert_view *out)
{
	struct der spki, algorithm;

	return der_take_whole(in, DER_SEQUENCE, &spki, &out->spki) && der_take(&spki, DER_SEQUENCE, &algorithm) &&
	       der_take_bits(&spki, &out->key_bits) && der_at_end(&spki);
}

static bool take_validity(struct der *in, struct cert_view *out)
{
	struct der validity;

	return der_take(in, DER_SEQUENCE, &validity) && der_take_validity_time(&validity, &out->not_before) &&
	       der_take_validity_time(&validity, &out->not_after) && der_at_end(&validity);
}

static bool skip_version(struct der *tbs)
{
	struct der content;
	int64_t version;

	if (!der_next_is(tbs, DER_CONTEXT(0)))
		return true;
	return der_take(tbs, DER_CONTEXT(0), &content) && der_take_small(&content, DER_INTEGER, &version) && version >= 0 &&
	       version <= 2 && der_at_end(&content);
}

/* The two AlgorithmIdentifiers must be the same (RFC 5280 4.1.1.2). */
static bool parse_tbs(struct cert_view *out, struct der tbs)
{
	struct der algorithm;

	return skip_version(&tbs) && der_take(&tbs, DER_INTEGER, &out->serial) && der_len(out->serial) > 0 &&
	       der_take(&tbs, DER_SEQUENCE, &algorithm) && der_equals(algorithm, out->signature_algorithm) &&
	       take_name(&tbs, &out->issuer) && take_validity(&tbs, out) && take_name(&tbs, &out->subject) &&
	       take_spki(&tbs, out) && skip_unique_ids(&tbs) &&
	       der_take_extensions(&tbs, 3, true, &out->extensions) == DER_LIST_GOOD && der_at_end(&tbs);
}

bool cert_view_parse(struct cert_view *out, struct der in)
{
	struct der certificate, tbs;

	if (!der_take_whole(&in, DER_SEQUENCE, &certificate, &out->whole) || !der_at_end(&in))
		return false;
	if (!der_take_whole(&certificate, DER_SEQUENCE, &tbs, &out->tbs))
		return false;
	if (!der_take(&certificate, DER_SEQUENCE, &out->signature_algorithm) ||
	    !der_take_bits(&certificate, &out->signature) || !der_at_end(&certificate))
		return false;
	return parse_tbs(out, tbs);
}

bool cert_view_extension(const struct cert_view *view, const void *oid, size_t oid_len, struct der_extension *out)
{
	struct der left = view->extensions;

	while (der_take_extension(&left, out))
		if (der_equals_bytes(out->oid, oid, oid_len))
			return true;
	return false;
}

#define EXTENSION(view, name, out) cert_view_extension(view, OID_##name, sizeof(OID_##name) - 1, out)

/* A list that cannot be read to its end might have asked for it. */
bool cert_view_must_staple(const struct cert_view *view)
{
	struct der_extension extension;
	struct der features;
	int64_t feature;

	if (!EXTENSION(view, TLS_FEATURE, &extension))
		return false;
	if (!der_take(&extension.value, DER_SEQUENCE, &features) || !der_at_end(&extension.value))
		return true;
	while (!der_at_end(&features))
		if (!der_take_small(&features, DER_INTEGER, &feature) || feature == 5)
			return true;
	return false;
}

bool cert_view_is_ca(const struct cert_view *view)
{
	struct der_extension extension;
	struct der content;
	bool is_ca;

	return EXTENSION(view, BASIC_CONSTRAINTS, &extension) && der_take(&extension.value, DER_SEQUENCE, &content) &&
	       der_next_is(&content, DER_BOOLEAN) && der_take_boolean(&content, &is_ca) && is_ca;
}

bool cert_view_self_issued(const struct cert_view *view)
{
	return der_equals(view->issuer, view->subject);
}

/* GnuTLS has the first byte of the bits in the low byte of its number. */
unsigned cert_view_key_usage(const struct cert_view *view)
{
	struct der_extension extension;
	struct der bits;

	if (!EXTENSION(view, KEY_USAGE, &extension) || !der_take(&extension.value, DER_BIT_STRING, &bits) ||
	    !der_at_end(&extension.value) || der_len(bits) < 2)
		return 0;
	return bits.at[1] | (der_len(bits) > 2 ? (unsigned)bits.at[2] << 8 : 0);
}

/* dNSName is [2] of GeneralName (RFC 5280 4.2.1.6). */
bool cert_view_dns_name(const struct cert_view *view, unsigned i, struct der *name)
{
	struct der_extension extension;
	struct der all, content, whole;
	uint8_t tag;

	if (!EXTENSION(view, SUBJECT_ALT_NAME, &extension) || !der_take(&extension.value, DER_SEQUENCE, &all))
		return false;
	while (der_take_any(&all, &tag, &content, &whole)) {
		if (tag != DER_CONTEXT_PRIMITIVE(2) || i-- > 0)
			continue;
		*name = content;
		return true;
	}
	return false;
}

bool cert_view_access_url(const struct cert_view *view, const void *method, size_t method_len, unsigned i, struct der *url)
{
	struct der_extension extension;
	struct der all, description, oid, location, whole;
	uint8_t tag;

	if (!EXTENSION(view, AUTHORITY_INFO_ACCESS, &extension) || !der_take(&extension.value, DER_SEQUENCE, &all))
		return false;
	while (der_take(&all, DER_SEQUENCE, &description)) {
		if (!der_take_oid(&description, &oid) || !der_take_any(&description, &tag, &location, &whole))
			return false;
		/* accessLocation is a GeneralName; [6] is a URI (RFC 5280 4.2.1.6). */
		if (tag != DER_CONTEXT_PRIMITIVE(6) || !der_equals_bytes(oid, method, method_len))
			continue;
		if (i-- == 0) {
			*url = location;
			return true;
		}
	}
	return false;
}

enum cert_response cert_view_response(const struct cert_view *view, bool elsewhere)
{
	struct der url;

	if (cert_view_self_issued(view))
		return CERT_SELF_ISSUED;
	if (view->not_after - view->not_before < SHORT_LIVED_S && !cert_view_must_staple(view))
		return CERT_SHORT_LIVED;
	if (!elsewhere && !cert_view_access_url(view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, 0, &url))
		return CERT_NO_RESPONDER;
	return CERT_RESPONSE_TO_HAVE;
}
