/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls/set.h"
#include <stdlib.h>
#include <string.h>

static void set_destroy(struct counted *counted)
{
	struct set *set = (struct set *)counted;

	for (unsigned i = 0; i < set->n; i++)
		counted_unref(&set->identity[i]->counted);
	free(set->identity);
	free(set->names);
	free(set);
}

static int by_name(const void *a, const void *b)
{
	const struct set_name *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : (left->identity > right->identity) - (left->identity < right->identity);
}

static bool index_names(struct set *set)
{
	size_t total = 0;

	for (unsigned i = 0; i < set->n; i++)
		total += set->identity[i]->n_names;
	set->names = malloc((total ? total : 1) * sizeof(*set->names));
	if (!set->names)
		return false;
	for (unsigned i = 0; i < set->n; i++)
		for (unsigned j = 0; j < set->identity[i]->n_names; j++)
			set->names[set->n_names++] = (struct set_name){ set->identity[i]->name[j], i };
	qsort(set->names, set->n_names, sizeof(*set->names), by_name);
	return true;
}

struct set *set_new(struct identity *const *identity, unsigned n)
{
	struct set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	counted_init(&set->counted, set_destroy);
	set->identity = malloc((n ? n : 1) * sizeof(struct identity *));
	if (!set->identity) {
		free(set);
		return NULL;
	}
	for (; set->n < n; set->n++) {
		set->identity[set->n] = identity[set->n];
		counted_ref(&identity[set->n]->counted);
	}
	if (!index_names(set)) {
		counted_unref(&set->counted);
		return NULL;
	}
	return set;
}

/* ---- the choice ---- */

struct match { /* the identities for one name stand together in names[]; without a name, all of them */
	const struct set *set;
	unsigned first, n;
	bool all;
};

static struct identity *at(const struct match *match, unsigned i)
{
	return match->set->identity[match->all ? i : match->set->names[match->first + i].identity];
}

static struct match find(const struct set *set, const char *name)
{
	unsigned low = 0, high = set->n_names;
	struct match match = { .set = set };

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (strcmp(set->names[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	match.first = low;
	while (low + match.n < set->n_names && strcmp(set->names[low + match.n].name, name) == 0)
		match.n++;
	return match;
}

/* RFC 6125 6.4.3: a wildcard stands for one label, the leftmost. */
static struct match find_wildcard(const struct set *set, const char *host)
{
	char name[256] = "*";
	const char *rest = strchr(host, '.');
	size_t len = rest ? strlen(rest) : 0;

	if (!rest || rest == host || len + 2 > sizeof(name))
		return (struct match){ .set = set };
	memcpy(name + 1, rest, len + 1);
	return find(set, name);
}

static struct identity *first_with(const struct match *match, unsigned keys)
{
	for (unsigned i = 0; i < match->n; i++)
		if (at(match, i)->kind & keys)
			return at(match, i);
	return NULL;
}

/* TLS 1.3: the first that the client can verify. TLS 1.2: the client's cipher suites, in its order, decide. */
static struct identity *choose_among(const struct match *match, const struct set_wish *wish)
{
	const struct hello *hello = wish->hello;

	if (!hello->parsed)
		return match->n ? at(match, 0) : NULL;
	if (wish->is_tls13)
		return first_with(match, hello->keys_13);
	for (unsigned i = 0; i < hello->n_suites; i++) {
		struct identity *found = first_with(match, hello->suite[i] & hello->keys_12);
		if (found)
			return found;
	}
	return NULL;
}

struct identity *set_choose(const struct set *set, const struct set_wish *wish)
{
	const struct match all = { .set = set, .n = set->n, .all = true };
	struct identity *found = NULL;

	if (set->n == 0)
		return NULL;
	if (*wish->host) {
		struct match match = find(set, wish->host);
		found = choose_among(&match, wish);
		if (!found) {
			match = find_wildcard(set, wish->host);
			found = choose_among(&match, wish);
		}
	}
	if (!found)
		found = choose_among(&all, wish);
	return found ? found : set->identity[0];
}
