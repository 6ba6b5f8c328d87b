/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job that asks caIssuers URLs for the certificate of whoever issued one (RFC 5280 4.2.2.1, RFC 4325). */
#include "base/cleanup.h"
#include "base/datum.h"
#include "base/error.h"
#include "der/oid.h"
#include "fetch/job.h"
#include "x509/cert_view.h"
#include "x509/chain.h"
#include <gnutls/pkcs7.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(gnutls_pkcs7_t, cleanup_pkcs7, gnutls_pkcs7_deinit)

/* The certificates of a certs-only SignedData, as far as a chain can hold them. Its signatures prove nothing and are not
 * read. */
static bool parse_pkcs7(struct chain *out, const gnutls_datum_t *body)
{
	AUTO(cleanup_pkcs7) gnutls_pkcs7_t pkcs7 = NULL;

	if (gnutls_pkcs7_init(&pkcs7) < 0)
		return false;
	if (gnutls_pkcs7_import(pkcs7, body, GNUTLS_X509_FMT_DER) < 0 &&
	    gnutls_pkcs7_import(pkcs7, body, GNUTLS_X509_FMT_PEM) < 0)
		return false;
	while (out->n < CHAIN_MAX && gnutls_pkcs7_get_crt_raw2(pkcs7, out->n, &out->cert[out->n]) >= 0)
		out->n++;
	return out->n > 0;
}

static bool parse(struct chain *out, const gnutls_datum_t *body)
{
	if (chain_parse(out, body->data, body->size, "caIssuers", NULL) == 0)
		return true;
	chain_done(out);
	*out = (struct chain){ .n = 0 };
	return parse_pkcs7(out, body);
}

static enum attempt_next refuse(struct fetch_outcome *outcome, enum fetch_phase phase, const char *text)
{
	outcome->failure = FETCH_NO_ISSUER;
	outcome->phase = phase;
	snprintf(outcome->text, sizeof(outcome->text), "%s", text);
	return NEXT_GIVE_UP;
}

static enum attempt_next judge(struct fetch_job *job, struct attempt *attempt)
{
	struct fetch_outcome *outcome = &attempt->exchange.outcome;
	gnutls_datum_t body = { attempt->exchange.body.data, (unsigned)attempt->exchange.body.len };
	auto_chain found = { .n = 0 };
	const gnutls_datum_t *issuer;

	if (outcome->failure != FETCH_OK)
		return NEXT_GIVE_UP;
	if (!parse(&found, &body))
		return refuse(outcome, FETCH_PARSE, "what came is neither a certificate nor a certs-only PKCS#7");
	issuer = chain_find_issuer(&found, &job->cert);
	if (!issuer)
		return refuse(outcome, FETCH_VERIFY, "what came is not the certificate's issuer");
	if (!datum_copy(&job->issuer, issuer)) {
		outcome->failure = FETCH_NO_MEMORY;
		return NEXT_GIVE_UP;
	}
	outcome->phase = FETCH_VERIFY;
	return NEXT_WON;
}

static bool add_urls(struct fetch_job *job, const struct fetch_options *options)
{
	struct cert_view view;
	struct der url;

	for (unsigned i = 0; i < options->n_urls; i++)
		if (!job_add_url(job, options->urls[i], strlen(options->urls[i])))
			return false;
	if (options->n_urls > 0 || !cert_view_parse(&view, der_of(job->cert.data, job->cert.size)))
		return true;
	for (unsigned i = 0; i < FETCH_URLS_MAX; i++) {
		if (!cert_view_access_url(&view, OID_AD_CA_ISSUERS, sizeof(OID_AD_CA_ISSUERS) - 1, i, &url))
			return true;
		if (!job_add_url(job, url.at, der_len(url)))
			return false;
	}
	return true;
}

int fetch_issuer_start(struct fetch_job **out, struct fetch_engine *engine, const gnutls_datum_t *cert,
		       const struct fetch_options *options, fetch_callback *callback, void *user, struct clinch_error *err)
{
	struct fetch_job *job = job_new(engine, options, callback, user);

	if (!job)
		return error_set(err, CLINCH_E_MEMORY, "no memory to fetch an issuer");
	job->judge = judge;
	job->settings.accept = "application/pkix-cert, application/pkcs7-mime, */*;q=0.1";
	if (!datum_copy(&job->cert, cert) || !add_urls(job, options)) {
		fetch_job_cancel(job);
		return error_set(err, CLINCH_E_MEMORY, "no memory to fetch an issuer");
	}
	job_go(job);
	*out = job;
	return 0;
}
