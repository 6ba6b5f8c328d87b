/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CRLs of one CA out of their files, DER or PEM ("X509 CRL", several in one file), checked, and newest first. */
#ifndef RESPOND_CRL_FILES_H
#define RESPOND_CRL_FILES_H

#include "respond/crl.h"
#include "respond/serials.h"

#define CRLS_MAX 256                      /* of one CA, partitions and all */
#define CRL_FILE_MAX (1024 * 1024 * 1024) /* bytes */

struct crl_part {
	struct crl crl;     /* views of der */
	gnutls_datum_t der; /* owned */
	char *name;         /* for messages; owned */
	size_t place;       /* among all, in the order of the files */
	uint32_t first;     /* the origin of its first entry among the serials */
};

struct crl_files { /* zeroed: empty */
	struct crl_part part[CRLS_MAX];
	size_t n;
};

/* Adds the CRLs of one file; each is checked, as crl_check() says. */
int crl_files_read(struct crl_files *files, const char *path, const struct issuer *ca, int64_t now,
		   struct clinch_error *err);
/* The same of bytes, without crl_check() when `ca` is NULL. */
int crl_files_parse(struct crl_files *files, const void *bytes, size_t len, const char *name, const struct issuer *ca,
		    int64_t now, struct clinch_error *err);

/* Do they speak for all certificates of the CA, those of CAs and those of users? */
bool crl_files_cover_all(const struct crl_files *files);

/* Adds all entries to `out`, of the newest CRL first; the order of the parts changes. */
int crl_files_add(struct crl_files *files, struct serials *out, struct clinch_error *err);

/*
 * For serials_seal(), `user` a struct crl_judging: of two CRLs the newer one is right, what was issued may be revoked, and
 * of two entries in one CRL the worse counts, with a note.
 */
struct crl_judging {
	const struct crl_files *files;
	struct serials *serials;
};
bool crl_files_judge(const struct serial_row *first, uint32_t first_origin, const struct serial_row *second,
		     uint32_t second_origin, void *user);

void crl_files_done(struct crl_files *files);

#endif
