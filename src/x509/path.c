/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509/path.h"
#include "base/cleanup.h"
#include "base/datum.h"
#include "x509/cert_view.h"
#include <string.h>

/* What GnuTLS's own staple check may set. It is no part of the path: the judgement of a staple is clinch_verify()'s. */
#define STAPLE_BITS (GNUTLS_CERT_MISSING_OCSP_STATUS | GNUTLS_CERT_INVALID_OCSP_STATUS)
#define STAPLE_OR_CRL_BITS (GNUTLS_CERT_REVOKED | GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED)

/* Room for the attempts of a chain of cross-signed certificates; more is refused. */
#define MAX_LINKS 64

struct link {
	gnutls_datum_t cert, issuer;
	unsigned status;
};

struct record {
	struct link link[MAX_LINKS];
	unsigned n;
	unsigned crl_status; /* of all callbacks with a CRL */
	int64_t now;
	unsigned any_status; /* of all callbacks */
	bool failed;
};

/* GnuTLS's output function has no user pointer. It is set for the length of one call, on the thread that makes it. */
static _Thread_local struct record *recording;

static void record_done(struct record *record)
{
	for (unsigned i = 0; i < record->n; i++) {
		gnutls_free(record->link[i].cert.data);
		gnutls_free(record->link[i].issuer.data);
	}
}

/* GnuTLS looks at its own clock, or, where the session is judged as of another instant, not at all (RFC 5280 6.3.3 (a)). */
static unsigned judge_crl_dates(gnutls_x509_crl_t crl, int64_t now)
{
	time_t this_update = gnutls_x509_crl_get_this_update(crl), next_update = gnutls_x509_crl_get_next_update(crl);

	if (this_update == (time_t)-1 || this_update > now)
		return GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE;
	return next_update != (time_t)-1 && next_update < now ? GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED : 0;
}

static int on_link(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer, gnutls_x509_crl_t crl, unsigned status)
{
	struct record *record = recording;

	if (!record)
		return 0;
	record->any_status |= status;
	if (crl) {
		record->crl_status |= status | judge_crl_dates(crl, record->now);
		return 0;
	}
	if (record->n == MAX_LINKS) {
		record->failed = true;
		return 0;
	}
	struct link *link = &record->link[record->n];
	*link = (struct link){ .status = status };
	record->n++;
	if (gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &link->cert) < 0 ||
	    (issuer && gnutls_x509_crt_export2(issuer, GNUTLS_X509_FMT_DER, &link->issuer) < 0))
		record->failed = true;
	return 0;
}

static bool same(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	return a->size == b->size && a->size > 0 && memcmp(a->data, b->data, a->size) == 0;
}

/* A path is tried more than once: the last word on a certificate counts. */
static struct link *last_link_of(struct record *record, const gnutls_datum_t *cert)
{
	for (unsigned i = record->n; i > 0; i--)
		if (same(&record->link[i - 1].cert, cert))
			return &record->link[i - 1];
	return NULL;
}

static bool add_member(struct path *path, const gnutls_datum_t *cert, const gnutls_datum_t *issuer)
{
	struct path_member *member = &path->member[path->n++];

	return datum_copy(&member->cert, cert) && datum_copy(&member->issuer, issuer);
}

static bool lacks_the_issuers_feature(const struct link *link)
{
	struct cert_view cert, issuer;

	return cert_view_parse(&cert, der_of(link->cert.data, link->cert.size)) &&
	       cert_view_parse(&issuer, der_of(link->issuer.data, link->issuer.size)) && cert_view_must_staple(&issuer) &&
	       !cert_view_must_staple(&cert);
}

/* The reason for a set of GnuTLS's bits, the most telling one first; GOOD when none is left. */
static enum clinch_reason reason_of(unsigned status)
{
	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		return CLINCH_REASON_PATH_UNTRUSTED;
	if (status & GNUTLS_CERT_SIGNATURE_FAILURE)
		return CLINCH_REASON_PATH_SIGNATURE;
	if (status & GNUTLS_CERT_EXPIRED)
		return CLINCH_REASON_PATH_EXPIRED;
	if (status & GNUTLS_CERT_NOT_ACTIVATED)
		return CLINCH_REASON_PATH_NOT_YET;
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return CLINCH_REASON_PATH_WEAK;
	if (status &
	    (GNUTLS_CERT_SIGNER_NOT_CA | GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE | GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS))
		return CLINCH_REASON_PATH_CONSTRAINT;
	if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
		return CLINCH_REASON_PATH_PURPOSE;
	if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
		return CLINCH_REASON_PATH_NAME;
	if (status & ~(unsigned)GNUTLS_CERT_INVALID)
		return CLINCH_REASON_PATH_OTHER;
	return CLINCH_REASON_GOOD;
}

/* A second attempt may end with "signer not found" where the first one knew better: only bits that GnuTLS's final status has
 * give the reason. */
static enum clinch_reason judge_link(const struct link *link, unsigned final)
{
	if (link->status == 0)
		return CLINCH_REASON_GOOD;
	if (link->status & GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE && lacks_the_issuers_feature(link))
		return CLINCH_REASON_PATH_MUST_STAPLE;
	enum clinch_reason reason = reason_of(link->status & final);
	return reason == CLINCH_REASON_GOOD ? CLINCH_REASON_PATH_OTHER : reason;
}

/* From the peer's certificate upwards, to the one that nobody vouched for: the anchor, which is not judged. */
static enum clinch_reason walk(struct path *path, struct record *record, const gnutls_datum_t *leaf)
{
	static const gnutls_datum_t none = { NULL, 0 };
	enum clinch_reason reason = CLINCH_REASON_GOOD;
	gnutls_datum_t at = *leaf;

	for (struct link *link;; at = link->issuer) {
		link = last_link_of(record, &at);
		bool is_anchor = !link || (link->status == 0 && (!link->issuer.size || same(&link->cert, &link->issuer)));
		if (is_anchor && path->n > 0)
			return reason;
		if (path->n == PATH_MAX_MEMBERS)
			return CLINCH_REASON_PATH_OTHER;
		if (!add_member(path, &at, link && !is_anchor ? &link->issuer : &none))
			return CLINCH_REASON_INTERNAL;
		if (is_anchor)
			return reason; /* the peer's own certificate is trusted as such */
		if (reason == CLINCH_REASON_GOOD)
			reason = judge_link(link, path->status);
		if (!link->issuer.size)
			return reason;
	}
}

static enum clinch_reason judge_date(const gnutls_datum_t *cert, int64_t now)
{
	struct cert_view view;

	if (!cert_view_parse(&view, der_of(cert->data, cert->size)))
		return CLINCH_REASON_ISSUER_UNPREPARED;
	if (now > view.not_after)
		return CLINCH_REASON_PATH_EXPIRED;
	if (now < view.not_before)
		return CLINCH_REASON_PATH_NOT_YET;
	return CLINCH_REASON_GOOD;
}

static enum clinch_reason judge_dates(const struct path *path, const struct path_wish *wish)
{
	enum clinch_reason reason = CLINCH_REASON_GOOD;

	for (unsigned i = 0; i < path->n && reason == CLINCH_REASON_GOOD; i++)
		reason = judge_date(&path->member[i].cert, wish->now);
	if (reason == CLINCH_REASON_GOOD && wish->dates_are_ours && path->member[path->n - 1].issuer.size)
		reason = judge_date(&path->member[path->n - 1].issuer, wish->now);
	return reason;
}

/*
 * GnuTLS said nothing of the peer's own certificate. Where it found one of those that were sent on the trust list's list of
 * distrusted ones, it looked no further: its REVOKED is not the staple's then.
 */
static enum clinch_reason judge_unverified(unsigned status)
{
	enum clinch_reason reason = reason_of(status & ~(unsigned)(STAPLE_BITS | STAPLE_OR_CRL_BITS));

	if (reason != CLINCH_REASON_GOOD)
		return reason;
	return status & GNUTLS_CERT_REVOKED ? CLINCH_REASON_PATH_DISTRUSTED : CLINCH_REASON_PATH_OTHER;
}

/* What is left of the status when GnuTLS's staple check is taken out of it. */
static enum clinch_reason judge_status(unsigned status, const struct record *record)
{
	unsigned of_the_staple = STAPLE_BITS | (STAPLE_OR_CRL_BITS & ~record->any_status);

	if (record->crl_status)
		return CLINCH_REASON_PATH_CRL;
	enum clinch_reason reason = reason_of(status & ~of_the_staple);
	if (reason != CLINCH_REASON_GOOD)
		return reason;
	/* INVALID, and nothing that would say why: not even the staple. */
	if (status & GNUTLS_CERT_INVALID && !(status & of_the_staple))
		return CLINCH_REASON_PATH_OTHER;
	return CLINCH_REASON_GOOD;
}

static int verify_peers(gnutls_session_t session, const struct path_wish *wish, struct record *record, unsigned *status)
{
	gnutls_typed_vdata_st data[2];
	unsigned n = 0;

	if (wish->host)
		data[n++] = (gnutls_typed_vdata_st){ GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)wish->host, 0 };
	data[n++] = (gnutls_typed_vdata_st){ GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)wish->purpose, 0 };
	gnutls_session_set_verify_output_function(session, on_link);
	recording = record;
	int rc = gnutls_certificate_verify_peers(session, data, n, status);
	recording = NULL;
	return rc;
}

static enum clinch_reason judge(struct path *path, gnutls_session_t session, const struct path_wish *wish)
{
	__attribute__((cleanup(record_done))) struct record record = { .now = wish->now };
	unsigned sent;
	const gnutls_datum_t *leaf = gnutls_certificate_get_peers(session, &sent);

	if (!leaf || sent == 0 || gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_X509)
		return CLINCH_REASON_NO_CERTIFICATE;
	int rc = verify_peers(session, wish, &record, &path->status);
	if (rc == GNUTLS_E_MEMORY_ERROR || record.failed)
		return CLINCH_REASON_INTERNAL;
	if (rc < 0)
		return CLINCH_REASON_PATH_OTHER; /* such as more certificates than the credentials allow */
	enum clinch_reason reason = walk(path, &record, leaf);
	if (!last_link_of(&record, leaf))
		return judge_unverified(path->status);
	if (reason == CLINCH_REASON_GOOD)
		reason = judge_status(path->status, &record);
	if (reason == CLINCH_REASON_GOOD)
		reason = judge_dates(path, wish);
	return reason;
}

void path_judge(struct path *out, gnutls_session_t session, const struct path_wish *wish)
{
	*out = (struct path){ .n = 0 };
	out->reason = judge(out, session, wish);
}

void path_done(struct path *path)
{
	for (unsigned i = 0; i < path->n; i++) {
		gnutls_free(path->member[i].cert.data);
		gnutls_free(path->member[i].issuer.data);
	}
	path->n = 0;
}
