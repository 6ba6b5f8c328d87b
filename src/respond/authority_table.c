/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CertID -> authority: open addressing over the first bytes of both hashes, one slot for each CA and digest. */
#include "base/error.h"
#include "respond/authority.h"
#include <string.h>

struct slot {
	uint64_t sum;
	uint32_t place; /* in the list, from 1; 0: the slot is empty */
};

struct authority_table {
	struct authority **list;
	size_t n, mask; /* of slots: a power of two, less 1 */
	struct slot slot[];
};

/* They are digests: evenly spread, and nobody can choose both a CA's name and its key to collide here to any use. */
static uint64_t sum_of(const uint8_t *name_hash, const uint8_t *key_hash)
{
	uint64_t name, key;

	memcpy(&name, name_hash, sizeof(name));
	memcpy(&key, key_hash, sizeof(key));
	return name ^ (key << 1 | key >> 63);
}

static bool is_at(const struct authority *authority, enum subject_hash hash, const uint8_t *name_hash,
		  const uint8_t *key_hash)
{
	size_t len = subject_digests[hash].len;

	return memcmp(authority->issuer->name_hash[hash], name_hash, len) == 0 &&
	       memcmp(authority->issuer->key_hash[hash], key_hash, len) == 0;
}

static ptrdiff_t find(const struct authority_table *table, enum subject_hash hash, const uint8_t *name_hash,
		      const uint8_t *key_hash)
{
	uint64_t sum = sum_of(name_hash, key_hash);

	for (size_t i = sum & table->mask; table->slot[i].place; i = (i + 1) & table->mask)
		if (table->slot[i].sum == sum && is_at(table->list[table->slot[i].place - 1], hash, name_hash, key_hash))
			return (ptrdiff_t)table->slot[i].place - 1;
	return -1;
}

static void put(struct authority_table *table, enum subject_hash hash, size_t place)
{
	const struct issuer *issuer = table->list[place]->issuer;
	uint64_t sum = sum_of(issuer->name_hash[hash], issuer->key_hash[hash]);
	size_t i = sum & table->mask;

	while (table->slot[i].place)
		i = (i + 1) & table->mask;
	table->slot[i] = (struct slot){ sum, (uint32_t)place + 1 };
}

static int fill(struct authority_table *table, struct authority *const *list, size_t n, struct clinch_error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct issuer *issuer = list[i]->issuer;
		if (find(table, HASH_SHA256, issuer->name_hash[HASH_SHA256], issuer->key_hash[HASH_SHA256]) >= 0)
			return error_set(err, CLINCH_E_ARGUMENT, "%s: stands there twice, with the same name and key",
					 list[i]->name);
		table->list[table->n++] = authority_ref(list[i]);
		for (int hash = 0; hash < SUBJECT_HASHES; hash++)
			put(table, hash, i);
	}
	return 0;
}

int authority_table_new(struct authority_table **out, struct authority *const *list, size_t n, struct clinch_error *err)
{
	size_t slots = 16;

	while (slots < n * SUBJECT_HASHES * 2)
		slots *= 2;
	struct authority_table *table = calloc(1, sizeof(*table) + slots * sizeof(struct slot));
	if (!table)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the CAs");
	table->mask = slots - 1;
	table->list = calloc(n + 1, sizeof(struct authority *));
	int code = table->list ? fill(table, list, n, err) : error_set(err, CLINCH_E_MEMORY, "no memory for the CAs");
	if (code < 0)
		authority_table_free(table);
	else
		*out = table;
	return code;
}

void authority_table_free(struct authority_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		authority_unref(table->list[i]);
	free(table->list);
	free(table);
}

ptrdiff_t authority_table_find(const struct authority_table *table, const struct cert_id *id)
{
	enum subject_hash hash = cert_id_hash(id->hash_oid);

	if (hash == SUBJECT_HASHES)
		return -1;
	size_t len = subject_digests[hash].len;
	if (der_len(id->name_hash) != len || der_len(id->key_hash) != len)
		return -1;
	return find(table, hash, id->name_hash.at, id->key_hash.at);
}
