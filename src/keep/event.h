/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens to rows, once, in order. The log, the metrics, the status and the outputs are views of these events; nothing
 * else tells them. An event and all it leads to is borrowed for the time of the call.
 */
#ifndef KEEP_EVENT_H
#define KEEP_EVENT_H

#include "keep/row.h"
#include "store/store.h"

enum keep_event_kind {
	/* about a row */
	KEEP_FOUND,        /* a certificate that was not known before; nothing was loaded or fetched for it yet */
	KEEP_LOADED,       /* what the store held of it was verified, and is in use */
	KEEP_ATTEMPT,      /* one question of a fetch has its outcome; for debugging */
	KEEP_FIRST_STAPLE, /* a fetch (or `put`) gave the first response; or one where what was held counted for nothing */
	KEEP_REFRESHED,    /* ... a newer one */
	KEEP_UNCHANGED,    /* ... the same again, or an older one (see answer) */
	KEEP_FAILED,       /* a fetch failed; what is held stays */
	KEEP_RECOVERED, /* after FIRST_STAPLE, REFRESHED or UNCHANGED, where failures went before; not a fetch of its own */
	KEEP_LIFE_50,   /* so much of the life is left, or less, and no newer one came */
	KEEP_LIFE_25,
	KEEP_LIFE_10,
	KEEP_EXPIRED_NOW, /* no longer fresh, and no newer one came */
	KEEP_REVOKED_NOW, /* beside LOADED, FIRST_STAPLE or REFRESHED: it says "revoked" for the first time */
	KEEP_GONE,        /* no file names the certificate any more; the row goes after this event */
	/* about the keeper; row is NULL (or the one in question, with KEEP_NOTICE) */
	KEEP_BATCH_END, /* what was taken since the last one is on disk (or is kept in memory, and that was said) */
	KEEP_READY,     /* the store is loaded and the missing ones were tried, or ready_timeout is over; once */
	KEEP_NOTICE,    /* a sentence for the log: `level`, `text`, and perhaps `path` */
	KEEP_EVENT_KINDS
};
const char *keep_event_name(enum keep_event_kind kind); /* "first-staple"; static */

enum keep_level { KEEP_ERROR = 3, KEEP_WARNING = 4, KEEP_INFO = 6, KEEP_DEBUG = 7 }; /* syslog's */

struct keep_event {
	enum keep_event_kind kind;
	const struct keep_row *row;
	int64_t at; /* Unix seconds */

	/* ATTEMPT, FIRST_STAPLE, REFRESHED, UNCHANGED, FAILED; NULL for what was put by hand */
	const struct fetch_outcome *outcome;  /* phase, failure, url, http_status, took_ms, skew_s, text */
	const struct clinch_verdict *verdict; /* with LOADED too; zeroed when nothing was judged */
	enum store_answer answer;             /* of the store rule, where something was offered to it */
	clinch_response_t *response;          /* LOADED, FIRST_STAPLE, REFRESHED: what is held now; _ref() to keep it */
	bool by_hand;                         /* it was put, not fetched */

	enum keep_level level; /* KEEP_NOTICE */
	const char *text, *path;
};

typedef void keep_listener(const struct keep_event *event, void *user);

#endif
