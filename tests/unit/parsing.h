/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a response without believing it. */
#ifndef UNIT_PARSING_H
#define UNIT_PARSING_H

#include "ocsp/response.h"
#include "unit.h"
#include <string.h>

static enum clinch_reason parse(struct ocsp_response *out, struct blob bytes)
{
	return ocsp_response_parse(out, der_of(bytes.data, bytes.len));
}

static void expect(const char *row, struct blob bytes, enum clinch_reason reason)
{
	struct ocsp_response out;
	check_str(row, clinch_reason_name(parse(&out, bytes)), clinch_reason_name(reason));
}

/* A response that is not signed by anybody: parsing does not look. */
static struct blob unsigned_response(struct blob tbs)
{
	return wrap_basic(make_basic(tbs, algorithm_of(ECDSA_SHA256), blob_hex("3006020101020101"), BLOB_NONE));
}

#endif
