/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"
#include "ocsp/response.h"

static bool judge(const struct material *material, const gnutls_datum_t *der, clinch_signers_t *signers)
{
	const struct clinch_policy policy = { .signers = signers };
	struct clinch_verdict verdict;

	clinch_verify(NULL, &verdict, der, material->subject, material->now, &policy);
	return verdict.status == CLINCH_GOOD && verdict.fresh;
}

static bool direct(const struct material *material)
{
	return judge(material, &material->direct, NULL);
}

static bool remembered(const struct material *material)
{
	return judge(material, &material->delegated, material->signers);
}

static bool first_sight(const struct material *material)
{
	return judge(material, &material->delegated, NULL);
}

static bool parse(const struct material *material)
{
	struct ocsp_response response;

	return ocsp_response_parse(&response, der_of(material->parse.data, material->parse.size)) == CLINCH_REASON_GOOD;
}

const struct side clinch_sides[] = {
	{ "clinch-direct", direct },
	{ "clinch-remembered", remembered },
	{ "clinch-first-sight", first_sight },
	{ "clinch-parse", parse },
	{ NULL, NULL },
};
