/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the configuration, for the check of its man page: "path TAB type TAB default TAB bounds TAB words" a line. */
#include "conf/schema.h"
#include <inttypes.h>

static const char *const types[] = { "text", "list",  "bool", "choice",  "duration", "seconds",
				     "size", "count", "mode", "section", "entries" };

static void print_bounds(const struct conf_key *key)
{
	char least[24], most[24];

	if (key->type == CONF_DURATION)
		printf("%s to %s", conf_duration_text(least, key->min), conf_duration_text(most, key->max));
	if (key->type == CONF_SECONDS)
		printf("%s to %s", conf_duration_text(least, key->min * 1000), conf_duration_text(most, key->max * 1000));
	if (key->type == CONF_SIZE)
		printf("%s to %s", conf_size_text(least, key->min), conf_size_text(most, key->max));
	if (key->type == CONF_COUNT)
		printf("%" PRId64 " to %" PRId64, key->min, key->max);
}

static void print_table(const struct conf_table *table, const char *above)
{
	for (const struct conf_key *key = table->keys; key->name; key++) {
		char path[128];

		snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", key->name);
		printf("%s\t%s\t%s\t", path, types[key->type],
		       key->preset     ? key->preset
		       : key->required ? "(required)"
				       : "");
		print_bounds(key);
		printf("\t");
		for (const struct conf_word *word = key->words; word && word->word; word++)
			printf("%s ", word->word);
		printf("\n");
		if (key->table)
			print_table(key->table, path);
	}
}

int main(void)
{
	print_table(&conf_root, "");
	return 0;
}
