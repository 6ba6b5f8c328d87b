/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/ahead.h"
#include "base/cleanup.h"
#include <gnutls/crypto.h>
#include <pthread.h>
#include <time.h>

#define DUE_MAX 4096    /* answers that wait to be signed anew; the walk finds the others the next time */
#define BATCH 8         /* signatures in one piece of work */
#define ROUND_S 60      /* the table is walked through in so long, or faster where it is small */
#define STEP_MIN 262144 /* slots a second */
#define SERIAL_SIZE 128
#define CERT_ID_SIZE 320

struct ahead {
	struct prepared_table *table;
	struct counted_slot *state;
	pthread_mutex_t lock; /* of all below */
	struct prepared *due[DUE_MAX];
	size_t due_at, n_due;
	struct snapshot *preparing; /* a reference; NULL: nothing */
	size_t ca, serial;          /* the next one */
	unsigned hash;              /* bit of respond_prepare */
	unsigned working;           /* pieces under way */
	bool told;
	uint64_t n_prepared;
	size_t walk; /* of ahead_look() alone */
	_Atomic int64_t failed_at;
};

struct ahead *ahead_new(struct prepared_table *table, struct counted_slot *state)
{
	struct ahead *ahead = calloc(1, sizeof(*ahead));

	if (!ahead)
		return NULL;
	ahead->table = table;
	ahead->state = state;
	ahead->told = true;
	pthread_mutex_init(&ahead->lock, NULL);
	return ahead;
}

void ahead_free(struct ahead *ahead)
{
	if (!ahead)
		return;
	for (; ahead->n_due; ahead->n_due--)
		prepared_unref(ahead->due[ahead->due_at++ % DUE_MAX]);
	snapshot_unref(ahead->preparing);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}

/* ---- signing and keeping one ---- */

static uint32_t any(void)
{
	uint32_t number = 0;

	gnutls_rnd(GNUTLS_RND_NONCE, &number, sizeof(number));
	return number;
}

struct prepared *ahead_keep(struct prepared_table *table, const struct snapshot_ca *ca, enum subject_hash hash,
			    struct der serial, const gnutls_datum_t *der, const struct ocsp_single *single, signer_id signer,
			    int64_t now)
{
	struct prepared_key key = { ca->id, hash, serial };
	struct prepared *answer =
		prepared_new(&key, der, single, 1, signer, prepared_refresh_at(single, ca->refresh_s, now, any()));

	if (answer)
		prepared_put(table, prepared_ref(answer));
	return answer;
}

static bool sign_one(struct ahead *ahead, const struct snapshot_ca *ca, enum subject_hash hash, struct der serial,
		     int64_t now)
{
	uint8_t cert_id[CERT_ID_SIZE];
	struct ocsp_single single;
	enum ocsp_refusal refusal;
	auto_datum der = { NULL, 0 };
	signer_id signer;

	if (!decide_single(&single, ca, serial, now, &refusal))
		return true;
	size_t len = ocsp_cert_id_write(cert_id, sizeof(cert_id), ca->authority->issuer, hash, serial);
	single.cert_id = der_of(cert_id, len);
	if (len == 0 || authority_sign(&der, ca->authority, &single, 1, now, NULL, &signer, NULL) < 0)
		return false;
	prepared_unref(ahead_keep(ahead->table, ca, hash, serial, &der, &single, signer, now));
	return true;
}

static bool worked(struct ahead *ahead, bool good, int64_t now)
{
	if (!good)
		atomic_store(&ahead->failed_at, now);
	return good;
}

/* ---- refreshing ---- */

static const struct snapshot_ca *find_ca(const struct snapshot *state, uint64_t id)
{
	for (size_t i = 0; i < state->n; i++)
		if (state->ca[i].id == id)
			return &state->ca[i];
	return NULL;
}

static bool is_wanted(const struct prepared *answer, const struct snapshot_ca *ca)
{
	unsigned bit = answer->hash == HASH_SHA1 ? PREPARE_SHA1 : PREPARE_SHA256;

	return ca->prepare & bit || atomic_load_explicit(&answer->used, memory_order_relaxed);
}

/* What nobody asked for since it was signed is not signed again; in the end its place is taken. */
static bool refresh(struct ahead *ahead, struct prepared *answer)
{
	struct snapshot *state = (struct snapshot *)counted_take(ahead->state);
	const struct snapshot_ca *ca = find_ca(state, answer->ca);
	int64_t now = (int64_t)time(NULL);
	bool good = true;

	if (ca && is_wanted(answer, ca))
		good = sign_one(ahead, ca, (enum subject_hash)answer->hash, prepared_serial(answer), now);
	else if (!ca || answer->next_update <= now)
		prepared_drop(ahead->table, answer);
	snapshot_unref(state);
	prepared_unref(answer);
	return worked(ahead, good, now);
}

static void on_due(struct prepared *answer, void *user)
{
	struct ahead *ahead = user;

	pthread_mutex_lock(&ahead->lock);
	bool fits = ahead->n_due < DUE_MAX;
	if (fits)
		ahead->due[(ahead->due_at + ahead->n_due++) % DUE_MAX] = answer;
	pthread_mutex_unlock(&ahead->lock);
	if (!fits)
		prepared_unref(answer);
}

bool ahead_look(struct ahead *ahead, int64_t now)
{
	size_t step = prepared_slots(ahead->table) / ROUND_S;

	pthread_mutex_lock(&ahead->lock);
	bool idle = ahead->n_due == 0;
	pthread_mutex_unlock(&ahead->lock);
	if (idle) /* else they would be found twice */
		prepared_walk(ahead->table, &ahead->walk, step > STEP_MIN ? step : STEP_MIN, now, on_due, ahead);
	pthread_mutex_lock(&ahead->lock);
	bool work = ahead->n_due || ahead->preparing;
	pthread_mutex_unlock(&ahead->lock);
	return work;
}

/* ---- preparing ---- */

void ahead_prepare(struct ahead *ahead)
{
	struct snapshot *state = (struct snapshot *)counted_take(ahead->state);
	bool wanted = false;

	for (size_t i = 0; i < state->n; i++)
		wanted |= state->ca[i].prepare != PREPARE_NONE && source_size(state->ca[i].source) > 0;
	pthread_mutex_lock(&ahead->lock);
	snapshot_unref(ahead->preparing);
	ahead->preparing = wanted ? state : NULL;
	ahead->ca = ahead->serial = 0;
	ahead->hash = PREPARE_SHA1;
	ahead->n_prepared = 0;
	ahead->told = !wanted;
	pthread_mutex_unlock(&ahead->lock);
	if (!wanted)
		snapshot_unref(state);
}

struct stretch { /* serials of one CA and digest */
	struct snapshot *state;
	const struct snapshot_ca *ca;
	enum subject_hash hash;
	size_t from, n;
};

static bool skip_ca(struct ahead *ahead)
{
	const struct snapshot_ca *ca = &ahead->preparing->ca[ahead->ca];

	return !(ca->prepare & ahead->hash) || ahead->serial >= source_size(ca->source);
}

/* The lock is held. What could not be signed is signed when it is asked for. */
static void end_if_done(struct ahead *ahead)
{
	if (!ahead->preparing || ahead->ca < ahead->preparing->n || ahead->working)
		return;
	snapshot_unref(ahead->preparing);
	ahead->preparing = NULL;
}

/* The lock is held. False: nothing is left. */
static bool take_stretch(struct ahead *ahead, struct stretch *out)
{
	while (ahead->preparing && ahead->ca < ahead->preparing->n && skip_ca(ahead)) {
		ahead->serial = 0;
		ahead->ca += ahead->hash == PREPARE_SHA256;
		ahead->hash = ahead->hash == PREPARE_SHA1 ? PREPARE_SHA256 : PREPARE_SHA1;
	}
	if (!ahead->preparing || ahead->ca == ahead->preparing->n) {
		end_if_done(ahead);
		return false;
	}
	const struct snapshot_ca *ca = &ahead->preparing->ca[ahead->ca];
	size_t left = source_size(ca->source) - ahead->serial;
	*out = (struct stretch){ .state = snapshot_ref(ahead->preparing),
				 .ca = ca,
				 .hash = ahead->hash == PREPARE_SHA1 ? HASH_SHA1 : HASH_SHA256,
				 .from = ahead->serial,
				 .n = left < BATCH ? left : BATCH };
	ahead->serial += out->n;
	return true;
}

static bool is_ready(struct ahead *ahead, const struct stretch *stretch, struct der serial, int64_t now)
{
	struct prepared_key key = { stretch->ca->id, stretch->hash, serial };
	struct prepared *answer = prepared_find(ahead->table, &key, prepared_hash(ahead->table, &key));
	struct ocsp_single single;
	enum ocsp_refusal refusal;
	bool fits = answer && decide_single(&single, stretch->ca, serial, now, &refusal) &&
		    prepared_fits(answer, stretch->ca, &single, now);

	prepared_unref(answer);
	return fits;
}

static bool prepare_stretch(struct ahead *ahead, const struct stretch *stretch)
{
	int64_t now = (int64_t)time(NULL);
	uint8_t serial[SERIAL_SIZE];
	bool good = true;

	for (size_t i = 0; i < stretch->n && good; i++) {
		struct der view =
			der_of(serial, source_serial(stretch->ca->source, stretch->from + i, serial, sizeof(serial)));
		if (der_len(view) && !is_ready(ahead, stretch, view, now))
			good = sign_one(ahead, stretch->ca, stretch->hash, view, now);
	}
	return worked(ahead, good, now);
}

static void end_stretch(struct ahead *ahead, const struct stretch *stretch)
{
	pthread_mutex_lock(&ahead->lock);
	ahead->working--;
	if (stretch->state == ahead->preparing)
		ahead->n_prepared += stretch->n;
	end_if_done(ahead);
	pthread_mutex_unlock(&ahead->lock);
	snapshot_unref(stretch->state);
}

bool ahead_is_done(struct ahead *ahead, uint64_t *n)
{
	pthread_mutex_lock(&ahead->lock);
	bool done = !ahead->told && !ahead->preparing && ahead->working == 0;
	ahead->told |= done;
	*n = ahead->n_prepared;
	pthread_mutex_unlock(&ahead->lock);
	return done;
}

/* ---- a thread of the pool ---- */

/* A key that does not sign is tried once a second. */
bool ahead_work(void *user)
{
	struct ahead *ahead = user;
	struct prepared *due = NULL;
	struct stretch stretch;
	bool prepares = false;

	if (atomic_load(&ahead->failed_at) == (int64_t)time(NULL))
		return false;
	pthread_mutex_lock(&ahead->lock);
	if (ahead->n_due) {
		due = ahead->due[ahead->due_at++ % DUE_MAX];
		ahead->n_due--;
	} else {
		prepares = take_stretch(ahead, &stretch);
		ahead->working += prepares;
	}
	pthread_mutex_unlock(&ahead->lock);
	if (due)
		return refresh(ahead, due);
	if (!prepares)
		return false;
	bool good = prepare_stretch(ahead, &stretch);
	end_stretch(ahead, &stretch);
	return good;
}
