/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that hold one OCSP message: DER, or PEM around it. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/buf.h"
#include <clinch/error.h>
#include <gnutls/gnutls.h>

#define INPUT_MAX (16 * 1024 * 1024)

/* All of `path` ("-": standard input). An "OCSP RESPONSE" or "OCSP REQUEST" in PEM is replaced by its DER. */
int input_read(struct buf *out, const char *path, struct clinch_error *err);

static inline gnutls_datum_t input_view(const struct buf *bytes)
{
	return (gnutls_datum_t){ bytes->data, (unsigned)bytes->len };
}

#endif
