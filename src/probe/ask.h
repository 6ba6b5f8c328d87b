/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking a certificate's own responder: `clinch-keep fetch` in a process of its own, because only clinch-keep links an HTTP
 * client. The URL is a stranger's, so private addresses are forbidden to it unless the caller allows them.
 */
#ifndef PROBE_ASK_H
#define PROBE_ASK_H

#include "base/buf.h"
#include <clinch/error.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

struct ask {
	const char *keep_path;
	gnutls_datum_t cert, issuer; /* DER */
	bool allow_private;
	int64_t deadline; /* of probe/deadline.h */
};

/*
 * The answer's DER into `out` (at most out->max bytes), as clinch-keep believed it: to be judged again. *exit_status is
 * clinch-keep's, -1 when it did not exit. Without an answer CLINCH_E_... and, where it said one, clinch-keep's own sentence.
 */
int ask_responder(struct buf *out, const struct ask *ask, int *exit_status, struct clinch_error *err);

#endif
