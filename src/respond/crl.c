/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/crl.h"
#include "base/error.h"
#include "base/time.h"
#include "der/oid.h"
#include "x509/signature.h"

#define SKEW_S 300

/* ---- the extensions of the whole ---- */

struct scope {
	bool users_only, cas_only, attributes_only, some_reasons, indirect;
};

/* [n] IMPLICIT BOOLEAN DEFAULT FALSE */
static bool take_flag(struct der *in, unsigned n, bool *value)
{
	uint8_t tag = (uint8_t)DER_CONTEXT_PRIMITIVE(n);
	struct der content;

	if (!der_next_is(in, tag))
		return true;
	if (!der_take(in, tag, &content) || der_len(content) != 1 || (*content.at != 0xff && *content.at != 0x00))
		return false;
	*value = *content.at == 0xff;
	return true;
}

/* RFC 5280 5.2.5. The distribution point's name says for which certificates it is; which those are is the operator's word.
 */
static bool scope_of(struct der value, struct scope *out)
{
	struct der in, content;

	if (!der_take(&value, DER_SEQUENCE, &in) || !der_at_end(&value))
		return false;
	if (der_next_is(&in, DER_CONTEXT(0)) && !der_take(&in, DER_CONTEXT(0), &content))
		return false;
	if (!take_flag(&in, 1, &out->users_only) || !take_flag(&in, 2, &out->cas_only))
		return false;
	out->some_reasons = der_next_is(&in, DER_CONTEXT_PRIMITIVE(3));
	if (out->some_reasons && !der_take(&in, DER_CONTEXT_PRIMITIVE(3), &content))
		return false;
	return take_flag(&in, 4, &out->indirect) && take_flag(&in, 5, &out->attributes_only) && der_at_end(&in);
}

static int take_scope(struct crl *out, struct der value, const char *name, struct clinch_error *err)
{
	struct scope scope = { false };

	if (!scope_of(value, &scope))
		return error_set(err, CLINCH_E_FORMAT, "%s: its issuingDistributionPoint is not well-formed", name);
	if (scope.indirect)
		return error_set(err, CLINCH_E_UNSUPPORTED,
				 "%s: is an indirect CRL, which speaks for several CAs; give the CRL of this one", name);
	if (scope.some_reasons)
		return error_set(err, CLINCH_E_UNSUPPORTED,
				 "%s: names what was revoked for some reasons only (onlySomeReasons); give the complete CRL",
				 name);
	if (scope.attributes_only)
		return error_set(err, CLINCH_E_UNSUPPORTED, "%s: is for attribute certificates only", name);
	out->users_only = scope.users_only;
	out->cas_only = scope.cas_only;
	return 0;
}

static int take_extension(struct crl *out, const struct der_extension *one, const char *name, struct clinch_error *err)
{
	if (OID_IS(one->oid, DELTA_CRL_INDICATOR))
		return error_set(err, CLINCH_E_UNSUPPORTED,
				 "%s: is a delta CRL, which names what changed since another one; give the complete CRL",
				 name);
	if (OID_IS(one->oid, ISSUING_DISTRIBUTION_POINT))
		return take_scope(out, one->value, name, err);
	if (!one->critical || OID_IS(one->oid, CRL_NUMBER) || OID_IS(one->oid, AUTHORITY_KEY_ID))
		return 0;
	return error_set(err, CLINCH_E_UNSUPPORTED, "%s: has a critical extension that is not known here", name);
}

static int take_extensions(struct crl *out, const char *name, struct clinch_error *err)
{
	struct der_extension one;
	int code = 0;

	for (struct der left = out->extensions; code == 0 && der_take_extension(&left, &one);)
		code = take_extension(out, &one, name, err);
	return code;
}

/* ---- the whole ---- */

static bool take_name(struct der *in, struct der *name)
{
	struct der content;

	return der_take_whole(in, DER_SEQUENCE, &content, name) && der_is_well_formed(content);
}

/* v2 is 1, and v1 says nothing. */
static bool skip_version(struct der *in)
{
	int64_t version;

	return !der_next_is(in, DER_INTEGER) || (der_take_small(in, DER_INTEGER, &version) && version == 1);
}

static bool is_time(const struct der *in)
{
	return der_next_is(in, DER_UTC_TIME) || der_next_is(in, DER_GENERALIZED_TIME);
}

static int malformed(const char *name, const char *what, struct clinch_error *err)
{
	return error_set(err, CLINCH_E_FORMAT, "%s: is not a CRL in strict DER: %s", name, what);
}

static int parse_tbs(struct crl *out, struct der tbs, const char *name, struct clinch_error *err)
{
	struct der algorithm, whole;

	if (!skip_version(&tbs))
		return malformed(name, "its version", err);
	if (!der_take(&tbs, DER_SEQUENCE, &algorithm) || !der_equals(algorithm, out->signature_algorithm))
		return malformed(name, "its signature algorithm", err);
	if (!take_name(&tbs, &out->issuer))
		return malformed(name, "its issuer", err);
	if (!der_take_validity_time(&tbs, &out->this_update))
		return malformed(name, "its thisUpdate", err);
	if (!is_time(&tbs))
		return error_set(err, CLINCH_E_UNSUPPORTED,
				 "%s: has no nextUpdate, so it cannot be told when it is too old (RFC 5280 5.1.2.5)", name);
	if (!der_take_validity_time(&tbs, &out->next_update))
		return malformed(name, "its nextUpdate", err);
	out->entries = der_of(tbs.at, 0);
	if (der_next_is(&tbs, DER_SEQUENCE) && !der_take_large(&tbs, DER_SEQUENCE, &out->entries, &whole))
		return malformed(name, "its list of entries", err);
	if (der_take_extensions(&tbs, 0, true, &out->extensions) != DER_LIST_GOOD || !der_at_end(&tbs))
		return malformed(name, "its extensions", err);
	return 0;
}

int crl_parse(struct crl *out, struct der in, const char *name, struct clinch_error *err)
{
	struct der list, whole, tbs;
	int code;

	*out = (struct crl){ .users_only = false };
	if (!der_take_large(&in, DER_SEQUENCE, &list, &whole) || !der_at_end(&in))
		return malformed(name, "it is cut off, or something follows it", err);
	if (!der_take_large(&list, DER_SEQUENCE, &tbs, &out->tbs) ||
	    !der_take(&list, DER_SEQUENCE, &out->signature_algorithm) || !der_take_bits(&list, &out->signature) ||
	    !der_at_end(&list))
		return malformed(name, "its outer parts", err);
	code = parse_tbs(out, tbs, name, err);
	return code < 0 ? code : take_extensions(out, name, err);
}

/* ---- whose it is ---- */

/* RFC 5280 6.3.3 (f): a keyUsage, where there is one, has the bit cRLSign. */
static bool may_sign_crls(const struct cert_view *ca)
{
	struct der_extension extension;
	struct der usage;

	if (!cert_view_extension(ca, OID_KEY_USAGE, sizeof(OID_KEY_USAGE) - 1, &extension))
		return true;
	return der_take(&extension.value, DER_BIT_STRING, &usage) && der_len(usage) >= 2 && usage.at[1] & 0x02;
}

static int check_signature(const struct crl *crl, const struct issuer *ca, const char *name, struct clinch_error *err)
{
	struct signature_algorithm algorithm;
	int rc;

	if (signature_algorithm_parse(&algorithm, crl->signature_algorithm) != SIGNATURE_PARSED)
		return error_set(err, CLINCH_E_UNSUPPORTED, "%s: its signature algorithm is not known here", name);
	if (algorithm.weak)
		return error_set(err, CLINCH_E_UNSUPPORTED,
				 "%s: its signature is %s, which can be forged; have the CA sign it with SHA-256", name,
				 algorithm.name);
	if (!signature_suits_key(&algorithm, ca->key, ca->key_kind))
		return error_set(err, CLINCH_E_NOT_ISSUER, "%s: its signature is %s, and the CA's key is of another kind",
				 name, algorithm.name);
	rc = signature_verify(&algorithm, ca->key, crl->tbs, crl->signature);
	if (rc == GNUTLS_E_PK_SIG_VERIFY_FAILED)
		return error_set(err, CLINCH_E_NOT_ISSUER,
				 "%s: has the CA's name, but its signature is not of the CA's key; it was changed, or is of "
				 "another CA of that name",
				 name);
	return rc < 0 ? error_gnutls(err, rc, "%s: its signature cannot be checked", name) : 0;
}

int crl_check(const struct crl *crl, const struct issuer *ca, int64_t now, const char *name, struct clinch_error *err)
{
	char at[TIME_TEXT_SIZE];

	if (!der_equals(crl->issuer, ca->view.subject))
		return error_set(err, CLINCH_E_NOT_ISSUER, "%s: is the CRL of another CA: its issuer has another name",
				 name);
	if (!may_sign_crls(&ca->view))
		return error_set(err, CLINCH_E_NOT_ISSUER,
				 "%s: the CA's certificate does not allow it to sign CRLs (keyUsage without cRLSign)", name);
	if (crl->this_update > now + SKEW_S)
		return error_set(err, CLINCH_E_FORMAT, "%s: its thisUpdate, %s, is in the future; is a clock wrong?", name,
				 time_format(at, crl->this_update));
	return check_signature(crl, ca, name, err);
}

/* ---- entries ---- */

static int bad_entry(uint32_t number, const char *name, const char *what, struct clinch_error *err)
{
	return error_set(err, CLINCH_E_FORMAT, "%s: entry %u: %s", name, number, what);
}

/*
 * RFC 5280 5.3.1: 7 is not used, and 8 (removeFromCRL) is for delta CRLs. A CRL that is refused would hide each later
 * revocation: what it names is revoked, without a reason.
 */
static const char *take_reason(struct der value, struct crl_entry *out)
{
	int64_t number;

	if (!der_take_small(&value, DER_ENUMERATED, &number) || !der_at_end(&value))
		return "its reasonCode is not well-formed";
	if (number < 0 || number == 7 || number == 8 || number > 10)
		out->odd = number == 8 ? "removeFromCRL has no place in a complete CRL: it is revoked without a reason"
				       : "its reasonCode is not one of RFC 5280 5.3.1: it is revoked without a reason";
	else
		out->reason = (int)number;
	return NULL;
}

/* NULL, or what is wrong with them. */
static const char *take_entry_extensions(struct der in, struct crl_entry *out)
{
	struct der_extension one;
	const char *wrong;
	struct der all;

	if (!der_take(&in, DER_SEQUENCE, &all) || !der_at_end(&in) || der_at_end(&all))
		return "is not well-formed";
	for (struct der left = all; !der_at_end(&left);) {
		if (!der_take_extension(&left, &one) || der_extension_repeats(all, &one))
			return "its extensions are not well-formed";
		if (OID_IS(one.oid, CERTIFICATE_ISSUER))
			return "has a certificateIssuer: indirect CRLs are not taken";
		wrong = OID_IS(one.oid, REASON_CODE) ? take_reason(one.value, out)
			: one.critical               ? "has a critical extension that is not known here"
						     : NULL;
		if (wrong)
			return wrong;
	}
	return NULL;
}

int crl_entry_next(struct der *entries, struct crl_entry *out, uint32_t number, const char *name, struct clinch_error *err)
{
	const char *wrong = NULL;
	struct der entry;

	if (der_at_end(entries))
		return 0;
	out->reason = -1;
	out->odd = NULL;
	if (!der_take(entries, DER_SEQUENCE, &entry) || !der_take(&entry, DER_INTEGER, &out->serial) ||
	    !der_take_validity_time(&entry, &out->revoked_at))
		return bad_entry(number, name, "is not well-formed", err);
	if (!der_at_end(&entry))
		wrong = take_entry_extensions(entry, out);
	return wrong ? bad_entry(number, name, wrong, err) : 1;
}
