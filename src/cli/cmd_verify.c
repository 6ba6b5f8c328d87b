/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `clinch verify`: is this response to be believed, and what does it say of this certificate? */
#include "base/error.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "report/report.h"
#include "x509/chain.h"
#include "x509/subject.h"
#include <stdio.h>
#include <time.h>

#define DAY_S 86400

enum { CERT = 1, ISSUER, AT, MAX_AGE, SKEW, MAX_SIZE, ALLOW_SHA1, TRUST_SIGNER, FORMAT, JSON };

static const struct cli_option options[] = {
	{ CERT, 'c', "cert", "FILE", "the certificate; of a chain file, the first", "FILE" },
	{ ISSUER, 'i', "issuer", "FILE", "its issuer; not needed when the chain file has it", "FILE" },
	{ AT, 0, "at", "TIME", "judge as of this instant (RFC 3339), not now", NULL },
	{ MAX_AGE, 0, "max-age", "S", "refuse a thisUpdate longer ago, whatever nextUpdate says", NULL },
	{ SKEW, 0, "skew", "S", "by how much clocks may differ (300)", NULL },
	{ MAX_SIZE, 0, "max-size", "BYTES", "refuse a larger response (65536)", NULL },
	{ ALLOW_SHA1, 0, "allow-sha1", NULL, "believe a response that is signed with SHA-1", NULL },
	{ TRUST_SIGNER, 0, "trust-signer", "FILE", "this certificate may sign for the issuer too", "FILE" },
	{ FORMAT, 0, "format", "FORMAT", "text or json", "text json" },
	{ JSON, 0, "json", NULL, "the same as --format json", NULL },
	{ 0 },
};

struct settings {
	const char *cert, *issuer, *trust_signer, *response;
	int64_t at;
	uint32_t max_age_s, skew_s, max_len;
	bool allow_sha1;
	int json; /* --format: 0 is text */
};

static int take(const struct cli *cli, int id, void *user)
{
	struct settings *set = user;

	switch (id) {
	case CLI_OPERAND:
		return cli_only(cli, "response", &set->response);
	case CERT:
		set->cert = cli->value;
		return -1;
	case ISSUER:
		set->issuer = cli->value;
		return -1;
	case TRUST_SIGNER:
		set->trust_signer = cli->value;
		return -1;
	case AT:
		return cli_time(cli, &set->at);
	case MAX_AGE:
		return cli_number(cli, 1, UINT32_MAX, &set->max_age_s);
	case SKEW:
		return cli_number(cli, 1, DAY_S, &set->skew_s);
	case MAX_SIZE:
		return cli_number(cli, 1, INPUT_MAX, &set->max_len);
	case ALLOW_SHA1:
		set->allow_sha1 = true;
		return -1;
	case JSON:
		set->json = 1;
		return -1;
	default:
		return cli_choice(cli, &set->json);
	}
}

/* -1: go on; else the exit status. */
static int parse(struct settings *set, int argc, char **argv, const struct cli_command *self)
{
	int status = cli_parse(self, argc, argv, take, set);

	if (status >= 0)
		return status;
	if (!set->cert)
		return cli_usage(self, "which certificate? --cert LEAF.pem");
	if (!set->response)
		return cli_usage(self, "which response? a file, or - for standard input");
	return cli_one_stdin(self, set->cert, set->issuer, set->response);
}

/* ---- the subject ---- */

static bool is_swapped(const gnutls_datum_t *cert, const gnutls_datum_t *issuer)
{
	auto_issuer *leaf_as_issuer = NULL;
	auto_subject *subject = NULL;

	return !issuer_new(&leaf_as_issuer, cert, NULL) && !subject_new(&subject, issuer, leaf_as_issuer, true, NULL);
}

static int prepare(clinch_subject_t **out, const struct settings *set, const gnutls_datum_t *cert,
		   const gnutls_datum_t *issuer_cert, struct clinch_error *err)
{
	const char *issuer_name = set->issuer ? set->issuer : set->cert;
	auto_issuer *issuer = NULL;
	struct clinch_error why = { 0 };
	int rc = issuer_new(&issuer, issuer_cert, &why);

	if (rc)
		return error_set(err, rc, "%s: %s", issuer_name, why.text);
	rc = subject_new(out, cert, issuer, true, &why);
	if (rc != CLINCH_E_NOT_ISSUER)
		return rc ? error_set(err, rc, "%s: %s", set->cert, why.text) : CLINCH_OK;
	if (is_swapped(cert, issuer_cert))
		return error_set(err, rc, "%s issued %s, and not the other way round: swap --cert and --issuer", set->cert,
				 issuer_name);
	return error_set(err, rc, "%s did not issue %s: give the certificate that signed it", issuer_name, set->cert);
}

/* The certificate with its issuer from the issuer's file, or from its own. */
static int load_subject(clinch_subject_t **out, const struct settings *set, struct clinch_error *err)
{
	auto_chain chain = { 0 };
	auto_chain issuers = { 0 };
	const gnutls_datum_t *issuer;
	int rc = chain_read(&chain, set->cert, err);

	if (!rc && set->issuer)
		rc = chain_read(&issuers, set->issuer, err);
	if (rc)
		return rc;
	issuer = chain_find_issuer(set->issuer ? &issuers : &chain, &chain.cert[0]);
	if (!issuer && !set->issuer)
		return error_set(err, CLINCH_E_ARGUMENT,
				 "%s is without the certificate's issuer: name it, --issuer ISSUER.pem", set->cert);
	return prepare(out, set, &chain.cert[0], issuer ? issuer : &issuers.cert[0], err);
}

/* ---- the judgement ---- */

static bool print(const struct settings *set, const struct cli_command *self, gnutls_datum_t der,
		  const clinch_subject_t *subject, const struct clinch_verdict *verdict)
{
	struct report_style style = report_style_of(stdout);
	auto_buf text = { .max = INPUT_MAX };
	json_t *json = NULL;
	bool made;

	if (set->json) {
		json = report_staple_json(der, subject, verdict, set->at);
		made = json && (!json_dumpf(json, stdout, 0) || ferror(stdout));
		putchar('\n');
		json_decref(json);
	} else {
		made = report_staple_text(&text, &style, der, subject, verdict, set->at);
		fwrite(text.data, 1, text.len, stdout);
	}
	if (!made)
		cli_say(self, "no memory for the report");
	return made;
}

static int judge(const struct settings *set, const struct cli_command *self, gnutls_datum_t der,
		 const clinch_subject_t *subject, const gnutls_datum_t *trusted)
{
	struct clinch_policy policy = {
		.skew_s = set->skew_s,
		.max_age_s = set->max_age_s,
		.max_len = set->max_len,
		.allow_sha1_signature = set->allow_sha1,
		.trusted = trusted,
	};
	struct clinch_verdict verdict;

	clinch_verify(NULL, &verdict, &der, subject, set->at, &policy);
	if (!print(set, self, der, subject, &verdict))
		return EXIT_NOT_FOUND_OUT;
	return report_exit(verdict.status == CLINCH_GOOD && verdict.fresh, verdict.reason, verdict.status);
}

static int failed(const struct cli_command *self, const struct clinch_error *err)
{
	cli_say(self, "%s", err->text);
	return err->code == CLINCH_E_NOT_ISSUER || err->code == CLINCH_E_ARGUMENT ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
}

static int run(int argc, char **argv, const struct cli_command *self)
{
	struct settings set = { .at = time(NULL) };
	struct clinch_error err = { 0 };
	auto_chain trusted = { 0 };
	auto_subject *subject = NULL;
	auto_buf response = { .max = INPUT_MAX };
	int status = parse(&set, argc, argv, self);

	if (status >= 0)
		return status;
	if (load_subject(&subject, &set, &err))
		return failed(self, &err);
	if (set.trust_signer && chain_read(&trusted, set.trust_signer, &err))
		return failed(self, &err);
	if (input_read(&response, set.response, &err))
		return failed(self, &err);
	return judge(&set, self, input_view(&response), subject, set.trust_signer ? &trusted.cert[0] : NULL);
}

const struct cli_command cmd_verify = {
	.name = "verify",
	.summary = "judge a response about a certificate",
	.operands = "RESPONSE.der|-",
	.options = options,
	.run = run,
	.examples = "  clinch verify --cert leaf.pem --issuer ca.pem response.der\n"
		    "  clinch verify --cert fullchain.pem --at 2026-11-23T17:00:00Z --json - <response.der\n",
};
