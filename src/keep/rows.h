/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: what a row is made of, the table of rows by fingerprint, and the heap of rows by what is due next. */
#ifndef KEEP_ROWS_H
#define KEEP_ROWS_H

#include "keep/row.h"
#include "keep/schedule.h"
#include "x509/subject.h"

struct keep_place;
struct keep_fetch;

struct keep_row {
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct keep_place *places;    /* where it stands in files; NULL: nowhere any more */
	struct issuer *issuer;        /* a reference */
	char *name;                   /* owned */
	const char *lane;             /* the responder that is asked first; interned, the keeper's */
	struct keep_fetch *fetch;     /* NULL: it does not wait for its turn and is not being fetched */
	clinch_subject_t *subject;    /* NULL: its file is read again when it is needed */
	clinch_response_t *held;      /* NULL: the store has it, or nothing is held */
	struct keep_trouble *trouble; /* owned, its strings behind it; NULL: none */
	struct schedule_life life;    /* of what is held; 0: nothing */
	int64_t next_update, revoked_at, not_after;
	int64_t due_ms;      /* the loop's clock; the heap's key */
	int64_t next_try_ms; /* the loop's clock; INT64_MAX: never */
	uint32_t heap_at;    /* index + 1; 0: not in it */
	uint32_t found_s;    /* the loop's clock */
	uint32_t latency_ms;
	uint16_t failures;
	uint8_t status;    /* enum clinch_status of what is held */
	uint8_t state;     /* enum keep_state */
	uint8_t life_told; /* the last mark that was told: 100, 50, 25, 10, 0 */
	uint8_t key_type;  /* index into key_types */
	bool is_ca : 1, must_staple : 1;
	bool awaited : 1;  /* READY waits for its first try */
	bool tried : 1;    /* since it was found */
	bool asked : 1;    /* since what is held came */
	bool unsaved : 1;  /* `held` is not in the store */
	bool past_end : 1; /* its certificate has ended; said */
};

struct keep_rows { /* zeroed: empty */
	struct keep_row **slot;
	size_t n_slots, n;
};

struct keep_row *rows_find(const struct keep_rows *rows, const uint8_t *fingerprint);
bool rows_add(struct keep_rows *rows, struct keep_row *row); /* false: no memory */
void rows_remove(struct keep_rows *rows, const struct keep_row *row);
/* In no order; nothing may be added or removed meanwhile. */
struct keep_row *rows_next(const struct keep_rows *rows, const struct keep_row *after);
void rows_done(struct keep_rows *rows); /* the rows too */

struct keep_row *row_new(const clinch_subject_t *subject); /* NULL: no memory */
void row_free(struct keep_row *row);

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
