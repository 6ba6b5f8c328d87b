/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OpenSSL's index.txt, as `openssl ca`, and easy-rsa with it, keeps it: one line a certificate, six fields with a tab
 *between them, of which a backslash makes a tab part of its field; a line that begins with "#" is passed over.
 *
 *	V, R or E; its notAfter; when it was revoked[,why[,more]]; serial in hexadecimal; file; subject
 *
 * Strict, as OpenSSL is, and beyond it: a last line that is not finished is refused, where OpenSSL leaves it out. Of a
 *serial that is there twice (which OpenSSL refuses) the lines say the same, or the later one revokes what the earlier one
 *issued; all else is a contradiction, and refused. Subjects may be there twice.
 */
#ifndef RESPOND_INDEX_H
#define RESPOND_INDEX_H

#include "respond/serials.h"

/* `out` is zeroed, and on failure to be freed by serials_done() all the same. */
int index_read(struct serials *out, const char *path, int64_t *modified_at, struct clinch_error *err);
int index_parse(struct serials *out, const void *bytes, size_t len, const char *name, struct clinch_error *err);

#endif
