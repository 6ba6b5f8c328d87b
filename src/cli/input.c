/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/input.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include <stdio.h>
#include <string.h>

static int undo_pem(struct buf *bytes, const char *label, const char *path, struct clinch_error *err)
{
	gnutls_datum_t pem = input_view(bytes);
	auto_datum der = { 0 };
	int rc = gnutls_pem_base64_decode2(label, &pem, &der);

	if (rc < 0)
		return error_set(err, CLINCH_E_FORMAT, "%s: the base64 of \"%s\" is damaged", path, label);
	buf_reset(bytes);
	return buf_add(bytes, der.data, der.size) ? CLINCH_OK : error_set(err, CLINCH_E_MEMORY, "%s: no memory", path);
}

int input_read(struct buf *out, const char *path, struct clinch_error *err)
{
	static const char *const labels[] = { "OCSP RESPONSE", "OCSP REQUEST" };
	int rc = file_read(out, path, err);

	for (unsigned i = 0; !rc && i < sizeof(labels) / sizeof(*labels); i++) {
		char begin[40];
		int len = snprintf(begin, sizeof(begin), "-----BEGIN %s-----", labels[i]);

		if (out->len && memmem(out->data, out->len, begin, (size_t)len))
			return undo_pem(out, labels[i], path, err);
	}
	return rc;
}
