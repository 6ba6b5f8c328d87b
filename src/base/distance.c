/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/distance.h"
#include <limits.h>
#include <stddef.h>
#include <string.h>

#define WORD_MAX 32

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Damerau and Levenshtein's distance, with swapped neighbours counted once. */
unsigned distance_between(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned cost[WORD_MAX + 1][WORD_MAX + 1];

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return UINT_MAX;
	for (unsigned i = 0; i <= a_len; i++)
		cost[i][0] = i;
	for (unsigned j = 0; j <= b_len; j++)
		cost[0][j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned changed = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			cost[i][j] = smallest(cost[i - 1][j] + 1, cost[i][j - 1] + 1, changed);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cost[i][j] = smallest(cost[i][j], cost[i - 2][j - 2] + 1, UINT_MAX);
		}
	}
	return cost[a_len][b_len];
}

unsigned distance_hint(const char *typed)
{
	return strlen(typed) < 4 ? 1 : 2;
}
