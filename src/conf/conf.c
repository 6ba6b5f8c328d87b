/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk through a document by the schema. Texts are not copied: they stay in the document, which lives as long as the
 * configuration does. */
#include "base/cleanup.h"
#include "base/distance.h"
#include "base/error.h"
#include "base/file.h"
#include "conf/load.h"
#include "conf/schema.h"
#include <stdio.h>
#include <string.h>

/* An alias costs two bytes, and may stand for a list of a hundred thousand entries. */
#define VISITS_MAX 1000000

struct block { /* an array that the configuration leads to */
	struct block *next;
	max_align_t bytes[];
};

struct conf_memory {
	yaml_document_t document;
	struct block *blocks;
};

struct reading {
	const char *name;
	struct conf_memory *memory;
	struct clinch_error *err;
	size_t visits;
};

#define refuse(reading, node, ...) load_refuse((reading)->err, (reading)->name, (node)->start_mark, __VA_ARGS__)

static int no_memory(const struct reading *reading)
{
	return error_set(reading->err, CLINCH_E_MEMORY, "%s: no memory for what it says", reading->name);
}

/* Zeroed. */
static void *allot(struct reading *reading, size_t n, size_t size)
{
	struct block *block;
	size_t len;

	if (__builtin_mul_overflow(n, size, &len) || __builtin_add_overflow(len, sizeof(*block), &len))
		return NULL;
	block = calloc(1, len);
	if (!block)
		return NULL;
	block->next = reading->memory->blocks;
	reading->memory->blocks = block;
	return block->bytes;
}

static yaml_node_t *node_at(struct reading *reading, int id)
{
	return yaml_document_get_node(&reading->memory->document, id);
}

static const char *kind_of(const yaml_node_t *node)
{
	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	return node->type == YAML_SEQUENCE_NODE ? "a list" : "a single value";
}

/* ---- texts ---- */

static bool is_plain(const yaml_node_t *node)
{
	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int text_of(struct reading *reading, const yaml_node_t *node, const char *key, const char **out)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE)
		return refuse(reading, node, "%s wants a single value, not %s", key, kind_of(node));
	text = (const char *)node->data.scalar.value;
	if (strlen(text) != node->data.scalar.length)
		return refuse(reading, node, "%s has a NUL character", key);
	if (!*text || (is_plain(node) && (!strcmp(text, "~") || !strcasecmp(text, "null"))))
		return refuse(reading, node, "%s has no value: write one, or leave the key out", key);
	*out = text;
	return 0;
}

static int read_scalar(struct reading *reading, const yaml_node_t *node, const struct conf_key *key, void *base)
{
	char why[CONF_WHY_SIZE];
	const char *text = NULL;
	int rc = text_of(reading, node, key->name, &text);

	if (rc)
		return rc;
	if (key->type == CONF_BOOL && !is_plain(node))
		return refuse(reading, node, "%s wants true or false, without quotes", key->name);
	return conf_scalar(key, text, base, why) ? 0 : refuse(reading, node, "%s %s", key->name, why);
}

static int count_items(struct reading *reading, const yaml_node_t *node, const struct conf_key *key, size_t *n)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return refuse(reading, node, "%s wants a list, not %s", key->name, kind_of(node));
	*n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	if (*n < (size_t)key->min)
		return refuse(reading, node, "%s wants at least one entry", key->name);
	if (*n > (size_t)key->max)
		return refuse(reading, node, "%s has %zu entries: %lld is the most", key->name, *n, (long long)key->max);
	reading->visits += *n;
	if (reading->visits > VISITS_MAX)
		return refuse(reading, node, "%s: aliases repeat too much", key->name);
	return 0;
}

static int read_texts(struct reading *reading, const yaml_node_t *node, const struct conf_key *key, void *base)
{
	struct conf_key item = *key;
	const char **texts;
	size_t n;
	int rc = count_items(reading, node, key, &n);

	if (rc)
		return rc;
	texts = allot(reading, n + 1, sizeof(*texts));
	if (!texts)
		return no_memory(reading);
	item.type = CONF_TEXT;
	for (size_t i = 0; i < n; i++) {
		item.at = i * sizeof(*texts);
		rc = read_scalar(reading, node_at(reading, node->data.sequence.items.start[i]), &item, texts);
		if (rc)
			return rc;
	}
	*(const char ***)((char *)base + key->at) = texts;
	*(size_t *)((char *)base + key->count_at) = n;
	return 0;
}

/* ---- mappings ---- */

static int read_mapping(struct reading *reading, const yaml_node_t *node, const struct conf_table *table, void *base);

static int read_entries(struct reading *reading, const yaml_node_t *node, const struct conf_key *key, void *base)
{
	char *elements;
	size_t n;
	int rc = count_items(reading, node, key, &n);

	if (rc)
		return rc;
	elements = allot(reading, n, key->table->size);
	if (!elements)
		return no_memory(reading);
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item = node_at(reading, node->data.sequence.items.start[i]);

		if (item->type != YAML_MAPPING_NODE)
			return refuse(reading, item, "an entry of %s is a mapping, not %s", key->name, kind_of(item));
		rc = read_mapping(reading, item, key->table, elements + i * key->table->size);
		if (rc)
			return rc;
	}
	*(void **)((char *)base + key->at) = elements;
	*(size_t *)((char *)base + key->count_at) = n;
	return 0;
}

static int read_section(struct reading *reading, const yaml_node_t *node, const struct conf_key *key, void *base)
{
	const char *text;
	int rc;

	if (node->type == YAML_SCALAR_NODE && (rc = text_of(reading, node, key->name, &text)) != 0)
		return rc;
	if (node->type != YAML_MAPPING_NODE)
		return refuse(reading, node, "%s wants a mapping, not %s", key->name, kind_of(node));
	if (key->flag_at)
		*(bool *)((char *)base + key->flag_at) = true;
	return read_mapping(reading, node, key->table, base);
}

static int read_value(struct reading *reading, const yaml_node_t *node, const struct conf_key *key, void *base)
{
	switch (key->type) {
	case CONF_TEXTS:
		return read_texts(reading, node, key, base);
	case CONF_ENTRIES:
		return read_entries(reading, node, key, base);
	case CONF_SECTION:
		return read_section(reading, node, key, base);
	default:
		return read_scalar(reading, node, key, base);
	}
}

struct home {
	const char *key;
	const struct conf_table *above; /* looked for there and below */
	char path[64];                  /* "respond.authorities" */
};

/* The section that has this key. */
static bool find_home(struct home *home, const struct conf_table *table, const char *path, bool is_below)
{
	char below[sizeof(home->path)];

	is_below |= table == home->above;
	for (const struct conf_key *key = table->keys; is_below && key->name; key++)
		if (!strcmp(key->name, home->key)) {
			snprintf(home->path, sizeof(home->path), "%s", *path ? path : "the top level");
			return true;
		}
	for (const struct conf_key *key = table->keys; key->name; key++) {
		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", key->name);
		if (key->table && find_home(home, key->table, below, is_below))
			return true;
	}
	return false;
}

static int refuse_unknown(struct reading *reading, const yaml_node_t *node, const struct conf_table *table, const char *text)
{
	unsigned least = distance_hint(text) + 1;
	const char *nearest = NULL;
	struct home home = { .key = text, .above = table };
	char shown[64];

	error_printable(shown, sizeof(shown), text, strlen(text));
	bool has_home = find_home(&home, &conf_root, "", false);
	home.above = &conf_root;
	if (has_home || find_home(&home, &conf_root, "", false))
		return refuse(reading, node, "there is no key \"%s\" in %s: it belongs to %s", shown, table->name,
			      home.path);
	for (const struct conf_key *key = table->keys; key->name; key++) {
		unsigned distance = distance_between(key->name, text);

		if (distance < least) {
			least = distance;
			nearest = key->name;
		}
	}
	if (nearest)
		return refuse(reading, node, "there is no key \"%s\" in %s, did you mean \"%s\"?", shown, table->name,
			      nearest);
	return refuse(reading, node, "there is no key \"%s\" in %s", shown, table->name);
}

static int find_key(struct reading *reading, const yaml_node_t *node, const struct conf_table *table,
		    const struct conf_key **out)
{
	const char *text;
	int rc = node->type == YAML_SCALAR_NODE ? text_of(reading, node, "a key", &text)
						: refuse(reading, node, "a key is a word, not %s", kind_of(node));

	if (rc)
		return rc;
	for (const struct conf_key *key = table->keys; key->name; key++)
		if (!strcmp(key->name, text)) {
			*out = key;
			return 0;
		}
	return refuse_unknown(reading, node, table, text);
}

/* Where a key of this mapping stands; the mapping itself when `name` is NULL. */
static const yaml_node_t *place_of(struct reading *reading, const yaml_node_t *node, const char *name)
{
	const yaml_node_pair_t *pairs = node->data.mapping.pairs.start, *top = node->data.mapping.pairs.top;

	for (const yaml_node_pair_t *pair = pairs; name && pair < top; pair++) {
		const yaml_node_t *key = node_at(reading, pair->key);

		if (key->type == YAML_SCALAR_NODE && !strcmp((const char *)key->data.scalar.value, name))
			return key;
	}
	return node;
}

/* What was not written: its default, or a refusal. `node` is NULL where the whole section was not. */
static int complete(struct reading *reading, const yaml_node_t *node, const struct conf_table *table, void *base,
		    uint64_t given)
{
	char why[CONF_WHY_SIZE];

	for (size_t i = 0; table->keys[i].name; i++) {
		const struct conf_key *key = &table->keys[i];

		if (given & UINT64_C(1) << i)
			continue;
		if (node && key->required)
			return refuse(reading, node, "%s wants the key \"%s\"", table->name, key->name);
		if (key->type == CONF_SECTION) {
			int rc = complete(reading, NULL, key->table, base, 0);

			if (rc)
				return rc;
		} else if (key->preset && !conf_scalar(key, key->preset, base, why)) {
			return error_set(reading->err, CLINCH_E_ARGUMENT, "the default of %s %s", key->name, why);
		}
	}
	struct conf_wrong wrong = { 0 };
	if (!table->finish || table->finish(base, given, &wrong))
		return 0;
	if (!node)
		return error_set(reading->err, CLINCH_E_ARGUMENT, "the defaults of %s: %s", table->name, wrong.text);
	return refuse(reading, place_of(reading, node, wrong.key), "%s", wrong.text);
}

static int read_mapping(struct reading *reading, const yaml_node_t *node, const struct conf_table *table, void *base)
{
	const yaml_node_pair_t *top = node->data.mapping.pairs.top;
	uint64_t given = 0;

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < top; pair++) {
		const yaml_node_t *name = node_at(reading, pair->key);
		const struct conf_key *key = NULL;
		int rc = find_key(reading, name, table, &key);

		if (rc)
			return rc;
		if (given & UINT64_C(1) << (key - table->keys))
			return refuse(reading, name, "%s is there twice", key->name);
		given |= UINT64_C(1) << (key - table->keys);
		rc = read_value(reading, node_at(reading, pair->value), key, base);
		if (rc)
			return rc;
	}
	return complete(reading, node, table, base, given);
}

/* ---- the whole ---- */

static void memory_free(struct conf_memory *memory)
{
	struct block *next;

	for (struct block *block = memory->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	yaml_document_delete(&memory->document);
	free(memory);
}

void conf_done(struct conf *conf)
{
	if (!conf)
		return;
	if (conf->memory)
		memory_free(conf->memory);
	*conf = (struct conf){ 0 };
}

int conf_parse(struct conf *out, const char *name, const void *bytes, size_t len, struct clinch_error *err)
{
	struct reading reading = { .name = name, .err = err, .memory = calloc(1, sizeof(*reading.memory)) };
	struct conf conf = { .memory = reading.memory };
	int rc;

	if (!reading.memory)
		return no_memory(&reading);
	rc = load_document(&reading.memory->document, name, bytes, len, err);
	if (rc) {
		free(reading.memory);
		return rc;
	}
	rc = read_mapping(&reading, yaml_document_get_root_node(&reading.memory->document), &conf_root, &conf);
	if (rc) {
		conf_done(&conf);
		return rc;
	}
	*out = conf;
	return 0;
}

int conf_read(struct conf *out, const char *path, struct clinch_error *err)
{
	auto_buf bytes = { .max = CONF_LEN_MAX };
	int rc = file_read(&bytes, path, err);

	if (rc)
		return rc;
	return conf_parse(out, strcmp(path, "-") ? path : "standard input", bytes.data ? bytes.data : (const void *)"",
			  bytes.len, err);
}
