/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job that asks about a certificate, and what its answers are worth. */
#include "base/error.h"
#include "fetch/job.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool is_responders_error(int reason)
{
	return reason >= CLINCH_REASON_RESPONDER_MALFORMED_REQUEST && reason <= CLINCH_REASON_RESPONDER_UNAUTHORIZED;
}

/* Not one OCSP response in strict DER. The rows of reasons.def keep their groups. */
static bool is_malformed(int reason)
{
	return reason >= CLINCH_REASON_RESPONSE_EMPTY && reason <= CLINCH_REASON_CERTS_MALFORMED &&
	       !is_responders_error(reason);
}

static bool is_old(const struct clinch_verdict *verdict)
{
	if (verdict->status == CLINCH_REVOKED)
		return !verdict->fresh;
	return verdict->reason == CLINCH_REASON_EXPIRED || verdict->reason == CLINCH_REASON_UNDATED_TOO_OLD ||
	       verdict->reason == CLINCH_REASON_OLDER_THAN_MAX_AGE;
}

static enum fetch_failure failure_of(const struct clinch_verdict *verdict)
{
	if (verdict->status == CLINCH_UNKNOWN)
		return FETCH_SAID_UNKNOWN;
	if (verdict->status == CLINCH_REVOKED)
		return FETCH_STALE_REVOKED;
	if (verdict->reason == CLINCH_REASON_RESPONDER_TRY_LATER ||
	    verdict->reason == CLINCH_REASON_RESPONDER_INTERNAL_ERROR)
		return FETCH_TRY_LATER;
	return verdict->reason == CLINCH_REASON_INTERNAL ? FETCH_INTERNAL : FETCH_NOT_BELIEVED;
}

static enum attempt_next next_of(const struct attempt *attempt)
{
	const struct clinch_verdict *verdict = &attempt->verdict;
	bool by_get = !attempt->exchange.posts;

	if (by_get && (is_malformed(verdict->reason) || verdict->reason == CLINCH_REASON_RESPONDER_MALFORMED_REQUEST))
		return NEXT_BY_POST;
	if (!attempt->asked_uncached && is_old(verdict))
		return NEXT_UNCACHED;
	return NEXT_GIVE_UP;
}

static enum attempt_next judge_bytes(struct fetch_job *job, struct attempt *attempt)
{
	struct fetch_outcome *outcome = &attempt->exchange.outcome;
	struct clinch_policy policy = job->options.policy;
	gnutls_datum_t der = { attempt->exchange.body.data, (unsigned)attempt->exchange.body.len };

	policy.max_len = job->settings.max_size;
	policy.nonce = job->nonce_view.size ? &job->nonce_view : NULL;
	clinch_verify(&job->response, &attempt->verdict, &der, job->subject, time(NULL), &policy);
	outcome->phase = is_malformed(attempt->verdict.reason) ? FETCH_PARSE : FETCH_VERIFY;
	snprintf(outcome->text, sizeof(outcome->text), "%s", clinch_reason_text(attempt->verdict.reason));
	if (job->response)
		return NEXT_WON;
	outcome->failure = failure_of(&attempt->verdict);
	return next_of(attempt);
}

static enum attempt_next judge(struct fetch_job *job, struct attempt *attempt)
{
	const struct exchange *exchange = &attempt->exchange;
	const struct fetch_outcome *outcome = &exchange->outcome;

	if (outcome->failure == FETCH_OK)
		return judge_bytes(job, attempt);
	if (exchange->posts)
		return NEXT_GIVE_UP;
	if (outcome->failure == FETCH_NOT_HTTP)
		return NEXT_BY_POST;
	if (outcome->failure == FETCH_CLIENT_ERROR && outcome->http_status >= 400 && outcome->http_status <= 499)
		return NEXT_BY_POST;
	return NEXT_GIVE_UP;
}

static bool add_own_urls(struct fetch_job *job)
{
	gnutls_datum_t url;

	for (unsigned i = 0; i < FETCH_URLS_MAX && clinch_subject_ocsp_url(job->subject, i, &url) == 0; i++)
		if (!job_add_url(job, url.data, url.size))
			return false;
	return true;
}

static bool add_urls(struct fetch_job *job, const struct fetch_options *options)
{
	for (unsigned i = 0; i < options->n_urls; i++)
		if (!job_add_url(job, options->urls[i], strlen(options->urls[i])))
			return false;
	if (options->n_urls == 0 && !add_own_urls(job))
		return false;
	return !options->fallback || job_add_url(job, options->fallback, strlen(options->fallback));
}

static int build_request(struct fetch_job *job, const struct fetch_options *options, struct clinch_error *err)
{
	gnutls_digest_algorithm_t hash = options->hash ? options->hash : GNUTLS_DIG_SHA1;
	int rc;

	if (options->nonce) {
		rc = gnutls_rnd(GNUTLS_RND_NONCE, job->nonce, sizeof(job->nonce));
		if (rc < 0)
			return error_gnutls(err, rc, "no random bytes for a nonce");
		job->nonce_view = (gnutls_datum_t){ job->nonce, sizeof(job->nonce) };
	}
	rc = clinch_request_build(&job->request, job->subject, hash, options->nonce ? &job->nonce_view : NULL);
	if (rc < 0)
		return error_set(err, rc, "the request cannot be built: %s", clinch_strerror(rc));
	job->settings.request = job->request;
	job->settings.accept = "application/ocsp-response";
	job->settings.request_type = "application/ocsp-request";
	return 0;
}

int fetch_job_start(struct fetch_job **out, struct fetch_engine *engine, clinch_subject_t *subject,
		    const struct fetch_options *options, fetch_callback *callback, void *user, struct clinch_error *err)
{
	struct fetch_job *job = job_new(engine, options, callback, user);
	int rc;

	if (!job)
		return error_set(err, CLINCH_E_MEMORY, "no memory to fetch a response");
	job->judge = judge;
	job->subject = clinch_subject_ref(subject);
	rc = build_request(job, options, err);
	if (rc == 0 && !add_urls(job, options))
		rc = error_set(err, CLINCH_E_MEMORY, "no memory to fetch a response");
	if (rc < 0) {
		fetch_job_cancel(job);
		return rc;
	}
	job_go(job);
	*out = job;
	return 0;
}
