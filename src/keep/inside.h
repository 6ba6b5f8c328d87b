/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: the object that its parts share, and what each part offers the others. */
#ifndef KEEP_INSIDE_H
#define KEEP_INSIDE_H

#include "fetch/queue.h"
#include "keep/issuers.h"
#include "keep/keeper.h"
#include "keep/rows.h"
#include "keep/watches.h"
#include <sys/stat.h>

struct keep_place { /* a row in a file */
	struct keep_row *row;
	struct keep_place *next, *previous; /* of the same row */
	uint16_t at;                        /* 0: the file's first certificate */
	uint16_t index;                     /* in file->place */
};

struct keep_file {
	uint64_t seen;           /* which content was read last; 0: none, read it */
	uint32_t absent_since_s; /* the loop's clock; 0: it is there */
	uint32_t source;         /* index of the configuration */
	uint32_t round;          /* the scan that met it last */
	uint16_t n_places;
	bool is_bad : 1;           /* it could not be read or understood; said */
	bool wants_issuer : 1;     /* of at least one of its certificates */
	bool without_url : 1;      /* the leaf is no row, and need not be */
	bool in_work : 1;          /* to be read */
	struct keep_place place[]; /* n_places of them, and behind them the path */
};

#define NO_SOURCE UINT32_MAX

struct keep_lane { /* an interned string: mostly the name of a responder, once for all rows that ask it */
	struct keep_lane *next;
	char name[];
};

struct quest; /* an issuer that is looked for by caIssuers */

enum keep_timer {
	TIMER_TICK,  /* every few seconds: clocks, the store, what could not be written */
	TIMER_SCAN,  /* the next look at all files */
	TIMER_SLICE, /* files to read */
	TIMER_PULSE, /* rows that are due */
	TIMER_BATCH, /* what was taken is to be synced */
	TIMER_READY,
	TIMERS
};

#define LISTENERS_MAX 8
#define LANES 256

enum keep_entry_state { ENTRY_FINE, ENTRY_UNREAD, ENTRY_EMPTY };

struct keeper {
	uv_loop_t *loop;
	struct keep_conf own_conf;
	const struct keep_conf *conf; /* that */
	struct clinch_policy policy;  /* of the configuration, with the signers */
	clinch_signers_t *signers;
	struct {
		keep_listener *call;
		void *user;
	} listener[LISTENERS_MAX];
	unsigned n_listeners;
	uv_timer_t timer[TIMERS];
	bool started, stopped;

	struct keep_table rows;
	struct keep_heap due;
	struct keep_lane *lane[LANES];

	/* scan.c, examine.c */
	struct keep_table files; /* by path */
	size_t work_at;          /* slot of `files`: those before it have been read in this scan */
	size_t work_since_trim;  /* files read, fetches ended */
	struct watches *watches;
	uint32_t round, source; /* of the scan; the configuration's entry it is at */
	uint8_t *entry_state;   /* of each entry: enum keep_entry_state, as it was said. NULL: all are fine */
	bool entry_matches;     /* the one it is at: some file */
	bool scanning, scanned; /* now; once */
	bool scan_wanted;       /* one more, after this one */
	bool watch_all;         /* in this scan: what is known too */
	int64_t full_due_ms;    /* when it is to be so again */
	int64_t first_news_ms;  /* since the last scan; 0: none */
	int64_t scan_rest_ms;   /* not before */
	bool watch_trouble;     /* said */
	bool has_absent, may_have_orphans;
	struct issuers issuers;
	size_t issuers_then;  /* how many there were when files that lack one were read last */
	size_t subject_bytes; /* of rows' certificates in memory */
	struct quest *quests;
	size_t quests_running;

	/* attempts.c */
	struct fetch_engine *engine;
	struct queue queue;
	size_t fetching; /* rows that wait for their turn, or are being fetched */
	size_t awaited;  /* rows without a response, not tried yet, that READY waits for */
	bool ready;
	int64_t wall_then, mono_then_ms; /* at the last tick */

	/* holding.c */
	struct store *store;
	struct stat store_is; /* when it was opened */
	bool store_works;     /* else it was said */
	bool unsynced;        /* taken since the last sync */
	struct gathered {     /* what is written with the next sync: to be kept in memory when that fails */
		uint8_t fingerprint[FINGERPRINT_LEN];
		clinch_response_t *response;
	} gathered[STORE_GATHERED_MAX];
	size_t n_gathered;
	bool may_have_lost; /* a file of it was removed */
	size_t held_bytes;  /* of responses that are in the store too */
	size_t unsaved;     /* rows whose response is in memory alone */
	struct watches *store_watches;
	struct sweep *sweep;
};

/* ---- keeper.c ---- */
int64_t keeper_now(void);                                   /* Unix seconds */
int64_t keeper_mono_ms(const struct keeper *keeper);        /* the loop's clock */
void tell(struct keeper *keeper, struct keep_event *event); /* fills in .at */
void tell_row(struct keeper *keeper, enum keep_event_kind kind, struct keep_row *row);
void tell_notice(struct keeper *keeper, enum keep_level level, const struct keep_row *row, const char *path,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));
void keeper_timer(struct keeper *keeper, enum keep_timer which, int64_t in_ms, uv_timer_cb call);
/* The same string once for all, until the end. NULL: no memory. */
const char *keeper_intern(struct keeper *keeper, const char *name);
void keeper_check_ready(struct keeper *keeper);
void keeper_trim(struct keeper *keeper);         /* after much work: what was needed for it goes back to the system */
void keeper_read_issuers(struct keeper *keeper); /* keep.issuers */

/* ---- scan.c ---- */
void scan_soon(struct keeper *keeper);     /* something changed */
void scan_all_anew(struct keeper *keeper); /* each file is read again, whether it changed or not */
void scan_again_where_issuers_lack(struct keeper *keeper);
void scan_open(struct keeper *keeper);
void scan_restart(struct keeper *keeper); /* under another configuration */
void scan_close(struct keeper *keeper);
void scan_done(struct keeper *keeper);
const char *file_path(const struct keep_file *file);
struct keep_file *place_file(const struct keep_place *place);
/* The same file with room for so many places, which are the caller's to fill. NULL: no memory. Then file_become() puts it
 * into the table, and drops the old one with its places. */
struct keep_file *file_again(const struct keep_file *file, uint16_t n_places);
void file_become(struct keeper *keeper, struct keep_file *old, struct keep_file *file);

/* ---- examine.c ---- */
void examine_file(struct keeper *keeper, struct keep_file *file);
void examine_forget(struct keeper *keeper, struct keep_row *row); /* it goes */
int examine_subject(const struct keep_row *row, clinch_subject_t **out, struct clinch_error *err);
const struct keep_source *row_source(const struct keeper *keeper, const struct keep_row *row);

/* ---- quests.c ---- */
/* By the system's trusted roots; else it is looked for by caIssuers, and NULL is returned for now. Borrowed. */
struct issuer *quest_for_issuer(struct keeper *keeper, const struct keep_file *file, const gnutls_datum_t *cert,
				const struct cert_view *view);
void quests_tick(struct keeper *keeper);
void quests_load(struct keeper *keeper); /* what was found before, from the store's directory */
void quests_done(struct keeper *keeper);

/* ---- attempts.c ---- */
void attempts_plan(struct keeper *keeper, struct keep_row *row, int64_t wait_ms); /* INT64_MAX: never */
void attempts_plan_loaded(struct keeper *keeper, struct keep_row *row);
void attempts_replan_all(struct keeper *keeper);
void attempts_await(struct keeper *keeper, struct keep_row *row);
void attempts_forget(struct keeper *keeper, struct keep_row *row); /* it goes */
void attempts_pulse(struct keeper *keeper);
struct attempts_arrival {
	clinch_response_t *response;
	const struct fetch_outcome *outcome; /* NULL: brought by hand */
};
/* A believed response to the store and to the views, and the row planned anew. CLINCH_E_MEMORY. */
int attempts_take(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject,
		  const struct attempts_arrival *arrival, enum store_answer *answer, struct clinch_error *err);
int attempts_open(struct keeper *keeper, struct clinch_error *err);
void attempts_stop(struct keeper *keeper);

/* ---- holding.c ---- */
int holding_open(struct keeper *keeper, struct clinch_error *err);
/* What the store has of it, judged, held and told. */
void holding_load(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject);
/* The same after the clock was set: what counted for nothing may count now. What memory alone has is told instead. */
void holding_recall(struct keeper *keeper, struct keep_row *row);
/* The store rule, and to disk; to memory alone where that does not take it. CLINCH_OK, or no memory. */
int holding_offer(struct keeper *keeper, struct keep_row *row, const clinch_subject_t *subject, clinch_response_t *response,
		  enum store_answer *answer, struct clinch_error *err);
void holding_drop(struct keeper *keeper, struct keep_row *row); /* from memory */
void holding_sync(struct keeper *keeper);
void holding_tick(struct keeper *keeper);
void holding_watch(struct keeper *keeper);
void holding_stop(struct keeper *keeper);
void holding_judge_state(struct keeper *keeper, struct keep_row *row, int64_t now);
void holding_close(struct keeper *keeper);

/* ---- sweep.c: files of certificates that are gone ---- */
void sweep_tick(struct keeper *keeper);
void sweep_done(struct keeper *keeper);
/* Is it what a keeper left that was killed? The store's lock says that no other is at work. */
bool sweep_is_temporary(const char *name);

#endif
