/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/name.h"
#include "base/error.h"
#include "der/oid.h"
#include <stdio.h>
#include <string.h>

#define OID_COMMON_NAME "\x55\x04\x03"
#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define OID_EC "\x2a\x86\x48\xce\x3d\x02\x01"

static bool find_dns_name(const struct cert_view *view, struct der *out)
{
	struct der_extension extension;
	struct der names, whole;
	uint8_t tag;

	if (!cert_view_extension(view, OID_SUBJECT_ALT_NAME, sizeof(OID_SUBJECT_ALT_NAME) - 1, &extension) ||
	    !der_take(&extension.value, DER_SEQUENCE, &names))
		return false;
	while (der_take_any(&names, &tag, out, &whole))
		if (tag == DER_CONTEXT_PRIMITIVE(2) && der_len(*out) > 0)
			return true;
	return false;
}

/* The last CN of a Name with its header: the most specific one. */
static bool find_common_name(struct der name, struct der *out)
{
	struct der sets, set, attribute, oid, value, whole;
	bool found = false;
	uint8_t tag;

	if (!der_take(&name, DER_SEQUENCE, &sets))
		return false;
	while (der_take(&sets, DER_SET, &set))
		while (der_take(&set, DER_SEQUENCE, &attribute)) {
			if (!der_take_oid(&attribute, &oid) || !der_take_any(&attribute, &tag, &value, &whole))
				return found;
			if (!OID_IS(oid, COMMON_NAME) || der_len(value) == 0)
				continue;
			*out = value;
			found = true;
		}
	return found;
}

const char *name_of_certificate(char out[NAME_TEXT_SIZE], const struct cert_view *view, const uint8_t *fingerprint)
{
	struct der name;

	if (!find_dns_name(view, &name) && !find_common_name(view->subject, &name)) {
		for (int i = 0; i < 8; i++)
			snprintf(out + 2 * i, 3, "%02x", fingerprint[i]);
		return out;
	}
	error_printable(out, NAME_TEXT_SIZE, name.at, der_len(name));
	for (char *at = out; (at = strchr(at, '/'));)
		*at = '_';
	if (*out == '.')
		*out = '_';
	return out;
}

const char *name_of_issuer(char out[NAME_TEXT_SIZE], const struct cert_view *view)
{
	static const char nameless[] = "(an issuer without a common name)";
	struct der name;

	if (!find_common_name(view->issuer, &name))
		return memcpy(out, nameless, sizeof(nameless));
	memcpy(out, "CN=", 3);
	error_printable(out + 3, NAME_TEXT_SIZE - 3, name.at, der_len(name));
	return out;
}

static const char *const key_types[] = { "other", "rsa", "ecdsa", "eddsa" };

int name_key_type(const struct cert_view *view)
{
	struct der spki = view->spki, content, algorithm, oid;

	if (!der_take(&spki, DER_SEQUENCE, &content) || !der_take(&content, DER_SEQUENCE, &algorithm) ||
	    !der_take_oid(&algorithm, &oid))
		return 0;
	if (OID_IS(oid, RSA) || OID_IS(oid, RSA_PSS))
		return 1;
	if (OID_IS(oid, EC))
		return 2;
	return OID_IS(oid, ED25519) || OID_IS(oid, ED448) ? 3 : 0;
}

const char *name_key_type_text(int type)
{
	return key_types[type];
}
