/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The certificate and its issuer: from --issuer, the chain file, the system's trusted roots, or its caIssuers URL. */
#include "base/cleanup.h"
#include "base/error.h"
#include "keep/fetch_command.h"
#include "report/report.h"
#include "x509/subject.h"
#include <stdio.h>
#include <string.h>

static int failed(const struct fetch_run *run)
{
	int code = run->error.code;

	cli_say(run->self, "%s", run->error.text);
	return code == CLINCH_E_NOT_ISSUER || code == CLINCH_E_ARGUMENT ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
}

static bool import(gnutls_x509_crt_t *out, const gnutls_datum_t *der)
{
	return gnutls_x509_crt_init(out) >= 0 && gnutls_x509_crt_import(*out, der, GNUTLS_X509_FMT_DER) >= 0;
}

/* "CN=www.example.org", for messages. */
static void name_certificate(char *out, size_t size, const gnutls_datum_t *der, bool issuer)
{
	auto_buf text = { .max = size - 1 };
	struct cert_view view;

	snprintf(out, size, "(a certificate without a name)");
	if (cert_view_parse(&view, der_of(der->data, der->size)) &&
	    report_name(&text, issuer ? view.issuer : view.subject) && text.len > 0)
		snprintf(out, size, "%.*s", (int)text.len, (const char *)text.data);
}

static int prepare(struct fetch_run *run, const gnutls_datum_t *issuer_der, struct clinch_error *err)
{
	auto_issuer *issuer = NULL;
	int rc = issuer_new(&issuer, issuer_der, err);

	return rc ? rc : subject_new(&run->subject, &run->chain.cert[0], issuer, true, err);
}

static int by_option(struct fetch_run *run)
{
	auto_chain pool = { .n = 0 };
	const gnutls_datum_t *issuer;

	if (chain_read(&pool, run->set.issuer, &run->error))
		return failed(run);
	issuer = chain_find_issuer(&pool, &run->chain.cert[0]);
	if (!issuer)
		return cli_usage(run->self, "%s did not issue %s (%s): give the certificate that signed it", run->set.issuer,
				 run->set.chain, run->name);
	return prepare(run, issuer, &run->error) ? failed(run) : -1;
}

/* False: it is not among them. */
static bool by_system_trust(struct fetch_run *run)
{
	AUTO(cleanup_trust) gnutls_x509_trust_list_t trust = NULL;
	auto_crt crt = NULL;
	auto_crt issuer = NULL;
	auto_datum der = { NULL, 0 };

	if (!import(&crt, &run->chain.cert[0]) || gnutls_x509_trust_list_init(&trust, 0) < 0)
		return false;
	if (gnutls_x509_trust_list_add_system_trust(trust, 0, 0) <= 0)
		return false;
	if (gnutls_x509_trust_list_get_issuer(trust, crt, &issuer, GNUTLS_TL_GET_COPY) < 0)
		return false;
	return gnutls_x509_crt_export2(issuer, GNUTLS_X509_FMT_DER, &der) >= 0 && prepare(run, &der, NULL) == 0;
}

static int no_issuer(const struct fetch_run *run)
{
	char issuer[128];

	name_certificate(issuer, sizeof(issuer), &run->chain.cert[0], true);
	if (run->outcome.failure != FETCH_NO_URL)
		fetch_say_failure(run, "the issuer's certificate: ");
	cli_say(run->self,
		"%s: the issuer of %s, %s, is neither in the file nor a trusted root of the system%s; add it to the file or give it with "
		"--issuer FILE",
		run->set.chain, run->name, issuer,
		run->outcome.failure == FETCH_NO_URL ? ", and the certificate says no caIssuers URL"
						     : ", and its caIssuers URL did not give it");
	return fetch_failure_is_temporary(run->outcome.failure) ? EXIT_TEMPORARY : EXIT_NOT_FOUND_OUT;
}

static int by_ca_issuers(struct fetch_run *run)
{
	struct fetch_options options = run->set.options;
	struct fetch_job *job;

	options.urls = NULL;
	options.n_urls = 0;
	options.fallback = NULL;
	if (fetch_issuer_start(&job, run->engine, &run->chain.cert[0], &options, fetch_run_event, run, &run->error))
		return failed(run);
	fetch_run_wait(run);
	if (!run->issuer.data)
		return no_issuer(run);
	return prepare(run, &run->issuer, &run->error) ? failed(run) : -1;
}

int fetch_subject_find(struct fetch_run *run)
{
	const gnutls_datum_t *issuer;

	if (chain_read(&run->chain, run->set.chain, &run->error))
		return failed(run);
	name_certificate(run->name, sizeof(run->name), &run->chain.cert[0], false);
	if (run->set.issuer)
		return by_option(run);
	issuer = chain_find_issuer(&run->chain, &run->chain.cert[0]);
	if (issuer)
		return prepare(run, issuer, &run->error) ? failed(run) : -1;
	return by_system_trust(run) ? -1 : by_ca_issuers(run);
}
