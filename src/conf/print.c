/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --print-defaults. What has a default is written with it; what has none is a comment, unless the file needs it. */
#include "conf/schema.h"

#define COMMENT_COLUMN 46

static void print_table(FILE *stream, const struct conf_table *table, int indent, const char *first, bool commented);

static void print_help(FILE *stream, int used, const char *help)
{
	if (used < COMMENT_COLUMN)
		fprintf(stream, "%*s# %s\n", COMMENT_COLUMN - used, "", help);
	else
		fprintf(stream, "  # %s\n", help);
}

static void print_key(FILE *stream, const struct conf_key *key, int indent, const char *first, bool commented)
{
	const char *value = key->preset ? key->preset : key->example;
	bool nested = key->type == CONF_SECTION || key->type == CONF_ENTRIES;
	bool hidden = commented || (!key->preset && !key->required && key->type != CONF_SECTION);
	const char *quote = !nested && key->type != CONF_TEXTS && value && value[0] == '[' ? "\"" : "";
	int used = fprintf(stream, "%s%*s%s%s:", hidden ? "# " : "", indent, "", first, key->name);

	if (!nested)
		used += fprintf(stream, " %s%s%s", quote, value ? value : "", quote);
	print_help(stream, used, key->help);
	if (nested)
		print_table(stream, key->table, indent + (int)sizeof("  ") - 1, key->type == CONF_ENTRIES ? "- " : "",
			    hidden);
}

/* `first` stands before the first key, and room for it before the others: "- " of a list's entry. */
static void print_table(FILE *stream, const struct conf_table *table, int indent, const char *first, bool commented)
{
	const char *lead = first;

	for (const struct conf_key *key = table->keys; key->name; key++) {
		print_key(stream, key, indent, lead, commented);
		lead = *first ? "  " : "";
	}
}

void conf_print_defaults(FILE *stream)
{
	fprintf(stream,
		"# clinch.yaml(5): every key, its default, and what it is for. What has no default is commented out, or an\n"
		"# example. A duration is a number with a unit (500ms 30s 10m 4h 7d), a size too (64KiB).\n");
	print_table(stream, &conf_root, 0, "", false);
}
