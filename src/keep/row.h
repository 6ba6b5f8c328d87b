/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A row is one certificate that the keeper keeps a response for, known by its fingerprint; several files may name it. Rows
 * are the keeper's and small (a hundred thousand of them are normal), so they hold no certificate and mostly no response:
 * views read them through keep_view, which is borrowed and good until the loop goes on.
 */
#ifndef KEEP_ROW_H
#define KEEP_ROW_H

#include "fetch/fetch.h"
#include <clinch/ocsp.h>

struct keep_row;
struct keeper;

enum keep_state {
	KEEP_MISSING, /* nothing held yet, or nothing that was believed */
	KEEP_GOOD,    /* held and fresh */
	KEEP_REVOKED, /* held: the certificate is revoked */
	KEEP_EXPIRED, /* what is held is no longer fresh */
	KEEP_STATES
};
const char *keep_state_name(enum keep_state state); /* "good"; static */

struct keep_trouble { /* the last failure; failures in a row are counted beside it */
	int64_t at;   /* Unix seconds */
	enum fetch_phase phase;
	enum fetch_failure failure;
	int reason;      /* enum clinch_reason; 0: nothing was judged */
	int http_status; /* 0: none came */
	const char *url, *text;
};

struct keep_view {                  /* pointers are borrowed, times Unix seconds */
	const uint8_t *fingerprint; /* SHA-256 of the certificate, 32 bytes */
	const char *name;     /* the first dNSName, else the CN, else the fingerprint's start; printable ASCII, no "/" */
	const char *path;     /* a chain file that names it; "" once none does any more */
	unsigned place;       /* in that file: 0 is the leaf */
	const char *key_type; /* "rsa", "ecdsa", "eddsa", "other"; static */
	bool is_ca, must_staple;
	bool drop_revoked; /* on_revoked: drop; such a response is not put out */
	enum keep_state state;
	int64_t not_after;
	/* Of what is held; 0 while the state is KEEP_MISSING. */
	int64_t this_update, next_update /* 0: absent */, fresh_until, revoked_at /* 0: not revoked */;
	bool in_store;       /* what is held is on disk; false: in memory alone, since the store does not take it */
	bool fetching;       /* at this moment, or waiting for its responder's turn */
	int64_t next_try;    /* 0: now, or as soon as its turn has come */
	unsigned failures;   /* in a row */
	unsigned latency_ms; /* of the last fetch that was answered; 0: none yet */
	const struct keep_trouble *trouble; /* NULL: none since the last success */
};

void keep_row_view(const struct keeper *keeper, const struct keep_row *row, struct keep_view *out);

/* The i-th chain file that names it; NULL: no more. A CA's certificate may be in very many. */
const char *keep_row_path(const struct keep_row *row, unsigned i);

/* Does `text` mean it: by its name, one of its paths, or the start (8 or more digits) of its fingerprint in hexadecimal? */
bool keep_row_is(const struct keep_row *row, const char *text);

/* May a server send this now: good, or revoked without drop_revoked, and fresh by the margin at `now`? */
bool keep_view_is_stapled(const struct keep_view *view, int64_t now);

#endif
