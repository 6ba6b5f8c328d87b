/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a CA says of its serials: a snapshot read from its files at one moment (OpenSSL's index.txt; CRLs, with or without a
 * list of what was issued). Immutable, counted by reference, shared by all threads; finding takes no lock and allocates
 * nothing. A change of the files is a new snapshot.
 */
#ifndef RESPOND_SOURCE_H
#define RESPOND_SOURCE_H

#include "x509/subject.h"

struct source;

enum source_kind { SOURCE_INDEX, SOURCE_CRL };

/* Files of one authority; a configuration's, borrowed for the call. */
struct source_files {
	enum source_kind kind;
	const char *index;
	const char *const *crl;
	size_t n_crl;
	const char *issued;  /* serials, one a line, hexadecimal; NULL: none */
	bool crl_means_good; /* what no CRL names is good; without it and without `issued` source_load() refuses */
};

/*
 * Reads and checks all of them: a CRL's issuer and signature by `ca`, its thisUpdate not after `now` by more than 5 minutes;
 * every line of an index. CLINCH_E_FILE, _FORMAT, _NOT_ISSUER, _UNSUPPORTED, _ARGUMENT: the sentence names the file, and the
 * line or the entry. A CRL past its nextUpdate is read: source_until() says so.
 */
int source_load(struct source **out, const struct source_files *files, struct issuer *ca, int64_t now,
		struct clinch_error *err);
struct source *source_ref(struct source *source);
void source_unref(struct source *source);

enum source_says { SOURCE_NEVER_ISSUED, SOURCE_VALID, SOURCE_REVOKED };
struct source_status {
	enum source_says says;
	int64_t revoked_at;
	int reason;        /* of RFC 5280 5.3.1, never removeFromCRL (8); -1: none given */
	int64_t not_after; /* of the certificate, where the index tells it; 0: not known */
};
/* `serial` is the content of an INTEGER, as it stands in a CertID: compared by value, leading zeros left out. */
struct source_status source_find(const struct source *source, struct der serial);

int64_t source_until(const struct source *source);   /* its own end: the earliest nextUpdate of its CRLs; INT64_MAX: none */
int64_t source_updated(const struct source *source); /* the earliest thisUpdate of its CRLs, mtime of the index */
size_t source_size(const struct source *source);     /* serials that it names */
size_t source_revoked(const struct source *source);  /* how many of them are revoked */
/* What was odd in the files, and taken at its worst: a sentence for a warning, borrowed. NULL: nothing. */
const char *source_odd(const struct source *source);
/* The i-th serial, in the snapshot's own order, for preparing answers ahead; content bytes of an INTEGER. 0: `size` is too
 * small, or there is no such serial. */
size_t source_serial(const struct source *source, size_t i, uint8_t *out, size_t size);

/*
 * May `after` take the place of `before`, of the same files? Not when it is an older CRL, one past its end before the one in
 * use is, or an empty index; and not when a serial that `before` says is revoked is not so any more, or only held, except
 * one that was held itself, one whose certificate ended before the archive begins, and those in `accepted`.
 * CLINCH_E_ARGUMENT: the sentence names the file, and the first such serial.
 */
struct source_succession {
	int64_t now;
	int64_t archive_s;           /* of certificates that ended not longer ago than this, answers are given */
	const char *const *accepted; /* hexadecimal, as in the list of issued ones */
	size_t n_accepted;
};
int source_succeeds(const struct source *before, const struct source *after, const struct source_succession *how,
		    struct clinch_error *err);

DEFINE_CLEANUP(struct source *, cleanup_source, source_unref)
#define auto_source AUTO(cleanup_source) struct source

#endif
