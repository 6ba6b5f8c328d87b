/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/prepared.h"
#include <gnutls/crypto.h>
#include <pthread.h>
#include <string.h>

#define MARGIN_S 60 /* before its end an answer is no longer given away: it has to arrive, and be used */

/* ---- one answer ---- */

static void destroy(struct counted *counted)
{
	free(counted);
}

static uint64_t etag_of(const gnutls_datum_t *der)
{
	uint8_t digest[32] = { 0 };
	uint64_t etag;

	gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, digest);
	memcpy(&etag, digest, sizeof(etag));
	return etag;
}

struct prepared *prepared_new(const struct prepared_key *key, const gnutls_datum_t *der, const struct ocsp_single *single,
			      unsigned n, signer_id signer, int64_t refresh_at)
{
	size_t serial_len = der_len(key->serial);
	struct prepared *answer = malloc(sizeof(*answer) + serial_len + der->size);

	if (!answer)
		return NULL;
	*answer = (struct prepared){ .ca = key->ca,
				     .signer = signer,
				     .etag = etag_of(der),
				     .this_update = single->this_update,
				     .next_update = single->next_update,
				     .refresh_at = refresh_at,
				     .revoked_at = single->revoked_at,
				     .der_len = der->size,
				     .reason = (int8_t)single->revocation_reason,
				     .status = n == 1 ? (uint8_t)single->status : 0,
				     .hash = (uint8_t)key->hash,
				     .serial_len = (uint8_t)serial_len };
	counted_init(&answer->counted, destroy);
	memcpy(answer->bytes, key->serial.at, serial_len);
	memcpy(answer->bytes + serial_len, der->data, der->size);
	return answer;
}

struct prepared *prepared_ref(struct prepared *answer)
{
	counted_ref(&answer->counted);
	return answer;
}

void prepared_unref(struct prepared *answer)
{
	if (answer)
		counted_unref(&answer->counted);
}

static int64_t margin_of(const struct prepared *answer)
{
	int64_t tenth = (answer->next_update - answer->this_update) / 10;

	return tenth < MARGIN_S ? tenth : MARGIN_S;
}

bool prepared_fits(const struct prepared *answer, const struct snapshot_ca *ca, const struct ocsp_single *single,
		   int64_t now)
{
	return answer->ca == ca->id && answer->status == (uint8_t)single->status &&
	       answer->revoked_at == single->revoked_at && answer->reason == (int8_t)single->revocation_reason &&
	       answer->this_update <= now && now < answer->next_update - margin_of(answer) &&
	       answer->next_update <= source_until(ca->source) && authority_has_signer(ca->authority, answer->signer);
}

bool prepared_is_for(const struct prepared *answer, const struct prepared_key *key)
{
	return answer->ca == key->ca && answer->hash == (uint8_t)key->hash &&
	       der_equals(prepared_serial(answer), key->serial);
}

void prepared_etag(char out[PREPARED_ETAG_SIZE], uint64_t etag)
{
	*out++ = '"';
	for (int shift = 60; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[etag >> shift & 15];
	memcpy(out, "\"", 2);
}

int64_t prepared_refresh_at(const struct ocsp_single *single, int64_t refresh_s, int64_t now, uint32_t random)
{
	int64_t life = single->next_update - single->this_update;
	int64_t age = refresh_s && refresh_s < life ? refresh_s : life / 2;
	int64_t at = single->this_update + age - (int64_t)((uint64_t)(age / 8) * random >> 32);

	return at > now ? at : now + 1;
}

/* ---- the table: buckets of eight, each answer in one of two ---- */

#define WAYS 8
#define BYTES_A_SLOT 256  /* what an answer takes at least, about, for the number of slots */
#define BUCKETS_A_BLOCK 8 /* of which one number says whether they are all empty */
#define BESIDE 16         /* what malloc() keeps for itself */

struct bucket {
	_Atomic uint32_t tag[WAYS]; /* of the hash; 0: empty */
	struct counted_slot slot[WAYS];
};

struct prepared_table {
	uint64_t seed[2];
	size_t mask; /* buckets - 1 */
	struct bucket *bucket;
	_Atomic uint32_t *in_block; /* answers in each block of buckets */
	uint64_t max;
	/* Who changes a slot holds the lock; who reads one does not. */
	pthread_mutex_t lock;
	uint64_t bytes, answers, evicted;
	size_t hand; /* of the clock: a slot's number */
};

struct prepared_table *prepared_table_new(uint64_t max)
{
	struct prepared_table *table = calloc(1, sizeof(*table));
	size_t buckets = BUCKETS_A_BLOCK;

	while (buckets * WAYS < max / BYTES_A_SLOT && buckets < SIZE_MAX / 2 / sizeof(struct bucket))
		buckets *= 2;
	if (!table)
		return NULL;
	table->mask = buckets - 1;
	table->max = max;
	table->bytes = buckets * sizeof(struct bucket);
	table->bucket = calloc(buckets, sizeof(*table->bucket));
	table->in_block = calloc(buckets / BUCKETS_A_BLOCK, sizeof(*table->in_block));
	if (!table->bucket || !table->in_block || pthread_mutex_init(&table->lock, NULL) != 0 ||
	    gnutls_rnd(GNUTLS_RND_NONCE, table->seed, sizeof(table->seed)) < 0) {
		free(table->bucket);
		free(table->in_block);
		free(table);
		return NULL;
	}
	return table;
}

void prepared_table_free(struct prepared_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i <= table->mask; i++)
		for (unsigned way = 0; way < WAYS; way++)
			if (table->bucket[i].tag[way])
				counted_publish(&table->bucket[i].slot[way], NULL);
	pthread_mutex_destroy(&table->lock);
	free(table->bucket);
	free(table->in_block);
	free(table);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t prepared_hash(const struct prepared_table *table, const struct prepared_key *key)
{
	uint64_t sum = table->seed[0] ^ key->ca, word;
	size_t len = der_len(key->serial);

	for (size_t i = 0; i < len; i += 8) {
		word = 0;
		memcpy(&word, key->serial.at + i, len - i < 8 ? len - i : 8);
		sum = fold(sum ^ word, table->seed[1] | 1);
	}
	return fold(sum ^ len, UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)key->hash * 2);
}

static uint32_t tag_of(uint64_t hash)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	return tag ? tag : 1;
}

static size_t bucket_of(const struct prepared_table *table, uint64_t hash, unsigned choice)
{
	return (choice ? fold(hash, UINT64_C(0xd6e8feb86659fd93)) : hash) & table->mask;
}

struct prepared *prepared_find(struct prepared_table *table, const struct prepared_key *key, uint64_t hash)
{
	uint32_t tag = tag_of(hash);

	for (unsigned choice = 0; choice < 2; choice++) {
		struct bucket *bucket = &table->bucket[bucket_of(table, hash, choice)];
		for (unsigned way = 0; way < WAYS; way++) {
			if (atomic_load_explicit(&bucket->tag[way], memory_order_acquire) != tag)
				continue;
			struct prepared *answer = (struct prepared *)counted_take(&bucket->slot[way]);
			if (answer && prepared_is_for(answer, key)) {
				prepared_use(answer);
				return answer;
			}
			prepared_unref(answer);
		}
	}
	return NULL;
}

/* ---- changing it; the lock is held ---- */

static uint64_t size_of(const struct prepared *answer)
{
	return sizeof(*answer) + answer->serial_len + answer->der_len + BESIDE;
}

/* What is in a slot. It stays while the lock is held: the table's own reference keeps it. */
static struct prepared *held(struct bucket *bucket, unsigned way)
{
	if (!bucket->tag[way])
		return NULL;
	struct counted *object = counted_take(&bucket->slot[way]);
	counted_unref(object);
	return (struct prepared *)object;
}

static void set(struct prepared_table *table, size_t place, unsigned way, uint32_t tag, struct prepared *answer)
{
	struct bucket *bucket = &table->bucket[place];
	const struct prepared *before = held(bucket, way);
	_Atomic uint32_t *in_block = &table->in_block[place / BUCKETS_A_BLOCK];

	if (before) {
		table->bytes -= size_of(before);
		table->answers--;
		atomic_fetch_sub(in_block, 1);
	}
	if (answer) {
		table->bytes += size_of(answer);
		table->answers++;
		atomic_fetch_add(in_block, 1);
	}
	/* A reader that comes between the two finds another key, or nothing. */
	if (!answer)
		atomic_store_explicit(&bucket->tag[way], 0, memory_order_release);
	counted_publish(&bucket->slot[way], answer ? &answer->counted : NULL);
	if (answer)
		atomic_store_explicit(&bucket->tag[way], tag, memory_order_release);
}

/* Not asked for since it came by the last time. */
static bool evict_if_idle(struct prepared_table *table, size_t place, unsigned way)
{
	struct prepared *answer = held(&table->bucket[place], way);

	if (!answer || atomic_exchange_explicit(&answer->used, false, memory_order_relaxed))
		return false;
	set(table, place, way, 0, NULL);
	table->evicted++;
	return true;
}

static void make_room(struct prepared_table *table, uint64_t size)
{
	while (table->bytes + size > table->max && table->answers) {
		if (!table->in_block[table->hand / WAYS / BUCKETS_A_BLOCK])
			table->hand += WAYS * BUCKETS_A_BLOCK;
		else
			evict_if_idle(table, table->hand / WAYS, (unsigned)(table->hand % WAYS)), table->hand++;
		if (table->hand / WAYS > table->mask)
			table->hand = 0;
	}
}

struct place {
	size_t bucket;
	unsigned way;
};

static bool find_place(struct prepared_table *table, const struct prepared *answer, uint64_t hash, struct place *out)
{
	struct prepared_key key = { answer->ca, (enum subject_hash)answer->hash, prepared_serial(answer) };

	for (unsigned choice = 0; choice < 2; choice++) {
		size_t place = bucket_of(table, hash, choice);
		for (unsigned way = 0; way < WAYS; way++) {
			const struct prepared *there = held(&table->bucket[place], way);
			if (!there || !prepared_is_for(there, &key))
				continue;
			*out = (struct place){ place, way };
			return true;
		}
	}
	return false;
}

static unsigned count_free(const struct bucket *bucket, unsigned *way)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WAYS; i++)
		if (!bucket->tag[i]) {
			n++;
			*way = i;
		}
	return n;
}

/* The emptier of its two buckets; where both are full, what is idle there goes. */
static struct place free_place(struct prepared_table *table, uint64_t hash)
{
	size_t first = bucket_of(table, hash, 0), second = bucket_of(table, hash, 1);
	unsigned way[2] = { 0, 0 };
	unsigned free_first = count_free(&table->bucket[first], &way[0]);
	unsigned free_second = count_free(&table->bucket[second], &way[1]);

	if (free_first || free_second)
		return free_first >= free_second ? (struct place){ first, way[0] } : (struct place){ second, way[1] };
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < WAYS; i++)
			if (evict_if_idle(table, first, i))
				return (struct place){ first, i };
	return (struct place){ first, 0 };
}

void prepared_put(struct prepared_table *table, struct prepared *answer)
{
	struct prepared_key key = { answer->ca, (enum subject_hash)answer->hash, prepared_serial(answer) };
	uint64_t hash = prepared_hash(table, &key), size = size_of(answer);
	struct place place;

	pthread_mutex_lock(&table->lock);
	if (!find_place(table, answer, hash, &place)) {
		make_room(table, size);
		place = free_place(table, hash);
	}
	if (table->bytes + size > table->max && !table->answers)
		prepared_unref(answer);
	else
		set(table, place.bucket, place.way, tag_of(hash), answer);
	pthread_mutex_unlock(&table->lock);
}

void prepared_drop(struct prepared_table *table, const struct prepared *answer)
{
	struct prepared_key key = { answer->ca, (enum subject_hash)answer->hash, prepared_serial(answer) };
	uint64_t hash = prepared_hash(table, &key);
	struct place place;

	pthread_mutex_lock(&table->lock);
	if (find_place(table, answer, hash, &place) && held(&table->bucket[place.bucket], place.way) == answer)
		set(table, place.bucket, place.way, 0, NULL);
	pthread_mutex_unlock(&table->lock);
}

/* ---- walking through it ---- */

size_t prepared_slots(const struct prepared_table *table)
{
	return (table->mask + 1) * WAYS;
}

static void look_at(struct bucket *bucket, unsigned way, int64_t now, void (*due)(struct prepared *, void *), void *user)
{
	if (!atomic_load_explicit(&bucket->tag[way], memory_order_acquire))
		return;
	struct prepared *answer = (struct prepared *)counted_take(&bucket->slot[way]);
	if (answer && answer->refresh_at <= now)
		due(answer, user);
	else
		prepared_unref(answer);
}

bool prepared_walk(struct prepared_table *table, size_t *at, size_t n, int64_t now,
		   void (*due)(struct prepared *answer, void *user), void *user)
{
	size_t slots = prepared_slots(table);

	while (n && *at < slots) {
		if (*at % (WAYS * BUCKETS_A_BLOCK) == 0 && !atomic_load(&table->in_block[*at / WAYS / BUCKETS_A_BLOCK])) {
			*at += WAYS * BUCKETS_A_BLOCK;
			continue;
		}
		look_at(&table->bucket[*at / WAYS], (unsigned)(*at % WAYS), now, due, user);
		++*at;
		n--;
	}
	if (*at < slots)
		return false;
	*at = 0;
	return true;
}

void prepared_table_counts(struct prepared_table *table, struct prepared_counts *out)
{
	pthread_mutex_lock(&table->lock);
	*out = (struct prepared_counts){ table->answers, table->bytes, table->evicted };
	pthread_mutex_unlock(&table->lock);
}
