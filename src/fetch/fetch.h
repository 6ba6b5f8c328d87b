/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fetching: an OCSP response about one certificate, asked of its responders and judged before anybody sees it; and, where
 * the issuer is missing, its certificate. Asynchronous, on libuv's loop and libcurl's multi socket interface: any number of
 * jobs on one engine, one thread. No globals, no logging, no environment. The wall clock is read to judge, the monotonic one
 * to wait.
 *
 * A job, in the order of its URLs (those of options, or the certificate's own, then the fallback):
 *  - GET when the escaped request has at most 255 bytes and the URL no query, else POST (RFC 6960 A.1);
 *  - POST after a 4xx or nonsense to a GET; once more with "Cache-Control: no-cache" after an expired answer;
 *  - the next URL when one has failed, or after `silence_ms` without an answer of the one before. All of them run on, the
 * first believed "good" or "revoked" wins, the rest is cut off.
 *  - `timeout_ms` in all from the first question on, name resolution included. Waiting for a free place does not count.
 * At most three redirects, to http and https only; no cookies, no user and password of a URL, no netrc.
 *
 * Not done: the status of an https responder's own certificate is not asked for.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "fetch/proxy.h"
#include <clinch/ocsp.h>
#include <uv.h>

#define FETCH_URLS_MAX 8 /* of one job; more of them are left out */
#define FETCH_REDIRECTS_MAX 3
#define FETCH_NONCE_LEN 32 /* RFC 9654 2.1 */

/* How far it came; with a failure: where it failed. */
enum fetch_phase { FETCH_NOWHERE, FETCH_DNS, FETCH_CONNECT, FETCH_TLS, FETCH_HTTP, FETCH_PARSE, FETCH_VERIFY };
const char *fetch_phase_name(enum fetch_phase phase); /* "dns"; static */

enum fetch_failure {
	FETCH_OK = 0,
	FETCH_NO_URL,          /* the certificate names no responder (or no issuer), and no option does */
	FETCH_BAD_URL,         /* not http or https, or not a URL */
	FETCH_NO_NAME,         /* the name does not exist */
	FETCH_NAME_TEMPORARY,  /* name resolution does not work at present */
	FETCH_PRIVATE_ADDRESS, /* it leads to this machine or a private network, which was forbidden */
	FETCH_REFUSED,         /* no connection */
	FETCH_TIMED_OUT,
	FETCH_UNTRUSTED, /* the https responder's certificate */
	FETCH_TLS_FAILED,
	FETCH_PROXY_FAILED,
	FETCH_BROKEN_OFF,    /* the connection, before the answer was complete */
	FETCH_NOT_HTTP,      /* bytes that are not an HTTP answer */
	FETCH_TOO_LARGE,     /* the body or the header */
	FETCH_REDIRECTED,    /* too often, or to where we do not go */
	FETCH_CLIENT_ERROR,  /* HTTP 4xx, and anything else that is not 200 */
	FETCH_SERVER_ERROR,  /* HTTP 5xx, 408 and 429 */
	FETCH_TRY_LATER,     /* OCSP tryLater or internalError */
	FETCH_NOT_BELIEVED,  /* see the verdict */
	FETCH_SAID_UNKNOWN,  /* believed, and "unknown": no response to keep */
	FETCH_STALE_REVOKED, /* believed, and "revoked", but not fresh: no response to keep */
	FETCH_NO_ISSUER,     /* what came from a caIssuers URL did not issue the certificate */
	FETCH_NOT_ASKED,     /* nobody was: something of our own is wrong */
	FETCH_NO_MEMORY,
	FETCH_INTERNAL,
	FETCH_FAILURES
};
const char *fetch_failure_name(enum fetch_failure failure); /* "timed-out"; stable, static */
bool fetch_failure_is_temporary(enum fetch_failure failure);

#define FETCH_URL_SIZE (URL_LEN_MAX + 1)

struct fetch_outcome { /* of one question, or of a whole job */
	enum fetch_failure failure;
	enum fetch_phase phase;
	char url[FETCH_URL_SIZE]; /* who was asked; without the request in the path. "": nobody */
	const char *method;       /* "GET", "POST"; static; NULL: not asked */
	int http_status;          /* 0: none came */
	int64_t took_ms;          /* of a job: from its first question to its end */
	int64_t retry_after_s;    /* -1: not said */
	int64_t max_age_s;        /* Cache-Control; -1: not said */
	bool has_date;
	int64_t skew_s; /* Date (and Age) against our clock; positive: the responder's is ahead */
	char text[384]; /* what happened, in a sentence's middle: "connection refused (127.0.0.1)"; printable */
};

enum fetch_event_kind {
	FETCH_ASKED, /* one question has its outcome, or was cut off; the job goes on. Not for questions cut off by
			cancelling */
	FETCH_DONE,  /* the job is over; exactly once, and the last; the job is gone when the callback returns */
};

struct fetch_event { /* borrowed, all of it, for the time of the callback */
	enum fetch_event_kind kind;
	const struct fetch_outcome *outcome;  /* of a DONE job that failed: the failure that came furthest */
	const struct clinch_verdict *verdict; /* zeroed (unjudged) when nothing was received */
	clinch_response_t *response;          /* believed, fresh, good or revoked; NULL otherwise. _ref() to keep it */
	gnutls_datum_t body;                  /* what was received and judged, believed or not; empty: nothing */
	gnutls_datum_t issuer; /* fetch_issuer_start() only: the issuer's certificate in DER; empty: not found */
	void *user;
};

/* Never called from within fetch_job_start() or fetch_job_cancel(). May start and cancel jobs; must not free the engine. */
typedef void fetch_callback(const struct fetch_event *event);

struct fetch_options {
	const char *const *urls; /* asked instead of the certificate's own; copied */
	unsigned n_urls;
	const char *fallback;           /* asked last; NULL: none; copied */
	gnutls_digest_algorithm_t hash; /* of the CertID; 0: SHA-1 */
	bool nonce;
	bool forbid_private;         /* for a stranger's certificate: see address.h */
	uint32_t timeout_ms;         /* 0: 15000 */
	uint32_t connect_ms;         /* 0: 5000; name resolution and TLS included */
	uint32_t silence_ms;         /* 0: 3000 */
	uint32_t max_size;           /* bytes of a body; 0: 65536 */
	const char *ca_file;         /* PEM that https responders are trusted by; NULL: the system's. Outlives the job */
	struct clinch_policy policy; /* nonce, max_len, require and at are ours. Pointers outlive the job */
};

struct fetch_limits {                 /* {0} is the default of every field */
	unsigned per_responder;       /* questions at a time; 0: 4 */
	unsigned total;               /* 0: 64 */
	struct fetch_proxies proxies; /* pointers outlive the engine */
};

struct fetch_engine;
struct fetch_job;

/* CLINCH_E_MEMORY. The loop is the caller's. SIGPIPE must be ignored by the process. */
int fetch_engine_new(struct fetch_engine **out, uv_loop_t *loop, const struct fetch_limits *limits,
		     struct clinch_error *err);

/* Cancels all jobs. What is left is freed as the loop runs on: uv_run() before uv_loop_close(). NULL-safe. */
void fetch_engine_free(struct fetch_engine *engine);

/* A job that waits costs about 8 KiB a URL: who has a million of them starts some thousands at a time.
 * Takes a reference to the subject. CLINCH_E_MEMORY, or CLINCH_E_ARGUMENT for a hash that is not known; everything else is
 * an event. *out is good until FETCH_DONE or fetch_job_cancel(). */
int fetch_job_start(struct fetch_job **out, struct fetch_engine *engine, clinch_subject_t *subject,
		    const struct fetch_options *options, fetch_callback *callback, void *user, struct clinch_error *err);

/* The certificate's issuer by its caIssuers URLs (RFC 5280 4.2.2.1): DER, PEM or a certs-only PKCS#7. What comes in
 * event->issuer has issued `cert`; whether it is trusted is the caller's to judge. Of options: urls, forbid_private,
 * ca_file, times and size. */
int fetch_issuer_start(struct fetch_job **out, struct fetch_engine *engine, const gnutls_datum_t *cert,
		       const struct fetch_options *options, fetch_callback *callback, void *user, struct clinch_error *err);

/* No event comes any more. NULL-safe. */
void fetch_job_cancel(struct fetch_job *job);

#endif
