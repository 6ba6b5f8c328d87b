/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: what a row is made of, the table of rows by fingerprint, and the heap of rows by what is due next. */
#ifndef KEEP_ROWS_H
#define KEEP_ROWS_H

#include "fetch/queue.h"
#include "keep/row.h"
#include "keep/schedule.h"
#include "keep/table.h"
#include "x509/subject.h"

struct keep_place;

/* What few rows have at a time: made when there is something to put in, freed when there is nothing left. */
struct keep_side {
	struct queue_item item; /* first: the queue hands it back. Has a lane: it waits, or is being fetched */
	struct keeper *keeper;
	struct keep_row *row;
	struct fetch_job *job;         /* NULL: it waits */
	clinch_subject_t *job_subject; /* while the job runs */
	clinch_subject_t *subject;     /* NULL: its file is read again when it is needed */
	clinch_response_t *held;       /* NULL: the store has it, or nothing is held */
	struct keep_trouble *trouble;  /* owned, its strings behind it; NULL: none */
	int64_t revoked_at;            /* of what is held; 0: not revoked */
};

struct keep_row { /* a hundred thousand of them: one block each, and most have nothing at their side */
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct keep_place *places;    /* where it stands in files; NULL: nowhere any more */
	struct issuer *issuer;        /* a reference */
	const char *lane;             /* the responder that is asked first; interned, the keeper's */
	const struct keep_side *side; /* owned; never NULL: an empty one that all share. To be written by row_side() */
	int64_t not_after;
	int64_t due_ms;                                 /* the loop's clock; the heap's key */
	int64_t next_try_ms;                            /* the loop's clock; INT64_MAX: never */
	uint32_t this_update, fresh_until, next_update; /* row_set_life() */
	uint32_t heap_at;                               /* index + 1; 0: not in it */
	uint32_t found_s;                               /* the loop's clock */
	uint16_t latency_ms;                            /* UINT16_MAX: that, or more */
	uint16_t failures;
	uint8_t life_told;    /* the last mark that was told: 100, 50, 25, 10, 0 */
	uint8_t status : 3;   /* enum clinch_status of what is held */
	uint8_t state : 2;    /* enum keep_state */
	uint8_t key_type : 3; /* name_key_type() */
	bool is_ca : 1, must_staple : 1;
	bool awaited : 1;  /* READY waits for its first try */
	bool tried : 1;    /* since it was found */
	bool asked : 1;    /* since what is held came */
	bool unsaved : 1;  /* `held` is not in the store */
	bool past_end : 1; /* its certificate has ended; said */
	bool recall : 1;   /* the store is to be read again: the clock was set */
	char name[];
};

struct keep_row *row_new(const clinch_subject_t *subject);                /* NULL: no memory */
struct keep_row *row_named(const uint8_t *fingerprint, const char *name); /* what of it is not its certificate's */
void row_free(struct keep_row *row);
struct keep_side *row_side(struct keep_row *row); /* made where there is none; NULL: no memory */
void row_tidy(struct keep_row *row);              /* after something was taken from its side */
bool row_is_fetching(const struct keep_row *row); /* or waits for its turn */

/* Of what is held; this_update 0: nothing. Kept in 32 bits: what is later than 2106 counts as that. */
struct schedule_life row_life(const struct keep_row *row);
void row_set_life(struct keep_row *row, const struct clinch_verdict *verdict);

uint64_t row_hash(const uint8_t *fingerprint); /* as in the table, rising from 0 to UINT64_MAX */
struct keep_table rows_empty(void);
struct keep_row *rows_find(const struct keep_table *rows, const uint8_t *fingerprint);
void rows_done(struct keep_table *rows); /* the rows too */

struct keep_heap { /* zeroed: empty */
	struct keep_row **at;
	size_t n, size;
};

/* In, or to its new place. There is always room for as many as were made room for. */
bool heap_make_room(struct keep_heap *heap, size_t n); /* false: no memory */
void heap_put(struct keep_heap *heap, struct keep_row *row);
void heap_remove(struct keep_heap *heap, struct keep_row *row);
struct keep_row *heap_first(const struct keep_heap *heap); /* NULL: empty */

#endif
