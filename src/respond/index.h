/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OpenSSL's index.txt, as `openssl ca`, and easy-rsa with it, keeps it: one line a certificate, six fields with a tab
 *between them, of which a backslash makes a tab part of its field; a line that begins with "#" is passed over.
 *
 *	V, R or E; its notAfter; when it was revoked[,why[,more]]; serial in hexadecimal; file; subject
 *
 * A line that has not this form is refused, and the index with it; so is a last line that is not finished, which OpenSSL
 * leaves out. What has the form and is odd is taken at its worst, and noted (serials_note()): a serial that is there twice
 * (OpenSSL refuses it) is revoked when one of its lines says so, and a reason that is none is left out. A revocation
 * appended behind the line of what it revokes is nothing odd, nor is a subject that is there twice.
 */
#ifndef RESPOND_INDEX_H
#define RESPOND_INDEX_H

#include "respond/serials.h"

/* A line that says E is of a certificate that has ended at `now`. `out` is zeroed, and on failure to be freed by
 * serials_done() all the same. */
int index_read(struct serials *out, const char *path, int64_t now, int64_t *modified_at, struct clinch_error *err);
int index_parse(struct serials *out, const void *bytes, size_t len, const char *name, int64_t now, struct clinch_error *err);

#endif
