/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers that were signed and are kept. An answer is one allocation, immutable but for its mark of use. The table finds one
 * without a lock; it is bounded by memory, and what was not asked for lately goes first. An answer is served only when it
 * says what the source says now (prepared_fits), so nothing has to be taken out of the table when something is revoked.
 */
#ifndef RESPOND_PREPARED_H
#define RESPOND_PREPARED_H

#include "respond/decide.h"

#define PREPARED_SERIAL_MAX 64
#define PREPARED_ETAG_SIZE 19 /* quotes and NUL included */

struct prepared {
	struct counted counted;
	uint64_t ca; /* snapshot_ca.id */
	signer_id signer;
	uint64_t etag;
	int64_t this_update, next_update, refresh_at, revoked_at;
	uint32_t der_len;
	atomic_bool used; /* was asked for since the clock came by */
	int8_t reason;
	uint8_t status; /* enum clinch_status; 0: of several certificates */
	uint8_t hash;   /* enum subject_hash */
	uint8_t serial_len;
	uint8_t bytes[]; /* the serial, then the response */
};

static inline struct der prepared_serial(const struct prepared *answer)
{
	return der_of(answer->bytes, answer->serial_len);
}

static inline struct der prepared_der(const struct prepared *answer)
{
	return der_of(answer->bytes + answer->serial_len, answer->der_len);
}

/* Marked as asked for; written only where it was not, since many threads read the line. */
static inline void prepared_use(struct prepared *answer)
{
	if (!atomic_load_explicit(&answer->used, memory_order_relaxed))
		atomic_store_explicit(&answer->used, true, memory_order_relaxed);
}

struct prepared_key {
	uint64_t ca;
	enum subject_hash hash;
	struct der serial;
};

/*
 * Of what was signed: `single` is the first that it speaks of, with nextUpdate as it was signed. `refresh_at` is when it is
 * to be signed anew. NULL: no memory.
 */
struct prepared *prepared_new(const struct prepared_key *key, const gnutls_datum_t *der, const struct ocsp_single *single,
			      unsigned n, signer_id signer, int64_t refresh_at);
struct prepared *prepared_ref(struct prepared *answer);
void prepared_unref(struct prepared *answer); /* NULL-safe */

/* May it be served at `now`, where `single` is what the source says? Its refresh may be due all the same. */
bool prepared_fits(const struct prepared *answer, const struct snapshot_ca *ca, const struct ocsp_single *single,
		   int64_t now);
bool prepared_is_for(const struct prepared *answer, const struct prepared_key *key);
void prepared_etag(char out[PREPARED_ETAG_SIZE], uint64_t etag);

/* When an answer with this life is signed anew; `random` spreads those that were signed together. */
int64_t prepared_refresh_at(const struct ocsp_single *single, int64_t refresh_s, int64_t now, uint32_t random);

/* ---- the table ---- */

struct prepared_table;

/* `max` bytes: answers, what malloc() takes beside them, and the table itself. */
struct prepared_table *prepared_table_new(uint64_t max); /* NULL: no memory */
void prepared_table_free(struct prepared_table *table);  /* NULL-safe; nobody reads any more */

/* Of a key; another one in each process. */
uint64_t prepared_hash(const struct prepared_table *table, const struct prepared_key *key);
/* A reference, the caller's, and its mark of use is set; NULL: none. From any thread; no lock. */
struct prepared *prepared_find(struct prepared_table *table, const struct prepared_key *key, uint64_t hash);
/* Takes the place of the one with the same key, and the caller's reference. */
void prepared_put(struct prepared_table *table, struct prepared *answer);
/* Takes this very one out. */
void prepared_drop(struct prepared_table *table, const struct prepared *answer);

/*
 * The next slots of a walk through all of them, at most `n` beside empty stretches; each answer that is due for refresh at
 * `now` is given to `due` with a reference that is the callee's. True: the walk has come round.
 */
bool prepared_walk(struct prepared_table *table, size_t *at, size_t n, int64_t now,
		   void (*due)(struct prepared *answer, void *user), void *user);
/* How many there are. */
size_t prepared_slots(const struct prepared_table *table);

struct prepared_counts {
	uint64_t answers, bytes, evicted;
};
void prepared_table_counts(struct prepared_table *table, struct prepared_counts *out);

#endif
