/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CASES_MAX 1024
#define FILES_MAX 32

static char *texts[FILES_MAX];
static unsigned n_texts;

static int64_t number(const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (end == text || *end)
		broken("not a number", text);
	return value;
}

int64_t table_instant(const char *text)
{
	static const struct {
		char unit;
		int seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	long long value = strtoll(text, &end, 10);

	for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (end[0] == units[i].unit && !end[1])
			return CASES_NOW + value * units[i].seconds;
	struct tm civil = { .tm_isdst = 0 };
	end = strptime(text, "%Y%m%d%H%M%S", &civil);
	if (!end || *end)
		broken("not an instant", text);
	return timegm(&civil);
}

static void add_policy(struct test_case *one, char *rest)
{
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		char *value = word, *key = strsep(&value, "=");

		if (strcmp(key, "max-age") == 0)
			one->policy.max_age_s = (uint32_t)number(value);
		else if (strcmp(key, "undated-age") == 0)
			one->policy.undated_age_s = (uint32_t)number(value);
		else if (strcmp(key, "skew") == 0)
			one->policy.skew_s = (uint32_t)number(value);
		else if (strcmp(key, "max-len") == 0)
			one->policy.max_len = (uint32_t)number(value);
		else if (strcmp(key, "sha1") == 0)
			one->policy.allow_sha1_signature = true;
		else if (strcmp(key, "trusted") == 0)
			one->trusted = value;
		else if (strcmp(key, "nonce") == 0)
			one->nonce = value;
		else
			broken("no such policy", key);
	}
}

static void add_not(struct test_case *one, char *rest)
{
	const char *way = strsep(&rest, " ");

	if (strcmp(way, "tls") == 0)
		one->not_tls = rest;
	else if (strcmp(way, "tls1.3") == 0)
		one->not_tls13 = rest;
	else if (strcmp(way, "command") == 0)
		one->not_command = rest;
	else
		broken("no such way", way);
}

/* The lines that say what is built are the generator's; they were made into data. */
static void add_line(struct test_case *one, const char *keyword, char *rest)
{
	if (strcmp(keyword, "keys") == 0)
		one->keys = rest;
	else if (strcmp(keyword, "leaf") == 0)
		one->leaf = rest;
	else if (strcmp(keyword, "issuer") == 0)
		one->issuer = rest;
	else if (strcmp(keyword, "at") == 0)
		one->at = table_instant(rest);
	else if (strcmp(keyword, "want") == 0)
		one->want = rest;
	else if (strcmp(keyword, "findings") == 0)
		one->findings = rest;
	else if (strcmp(keyword, "says") == 0)
		one->says = rest;
	else if (strcmp(keyword, "policy") == 0)
		add_policy(one, rest);
	else if (strcmp(keyword, "not") == 0)
		add_not(one, rest);
}

static void read_file(struct table *table, const char *path)
{
	gnutls_datum_t file;

	if (n_texts == FILES_MAX || gnutls_load_file(path, &file) < 0)
		broken("cannot read", path);
	char *rest = texts[n_texts++] = strndup((char *)file.data, file.size);
	gnutls_free(file.data);
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		const char *keyword = strsep(&line, " ");

		if (strcmp(keyword, "case") == 0) {
			if (table->n == CASES_MAX)
				broken("too many cases", path);
			table->cases[table->n++] = (struct test_case){
				.name = line, .keys = "ec rsa", .leaf = "leaf", .issuer = "issuer", .at = CASES_NOW
			};
		} else if (*keyword && *keyword != '#' && line && table->n) {
			add_line(&table->cases[table->n - 1], keyword, line);
		}
	}
}

void table_read(struct table *out)
{
	char pattern[4096];
	const char *source = getenv("CLINCH_SOURCE");
	glob_t found;

	*out = (struct table){ .cases = calloc(CASES_MAX, sizeof(struct test_case)) };
	snprintf(pattern, sizeof(pattern), "%s/tests/data/cases/*.cases", source ? source : ".");
	if (!out->cases || glob(pattern, 0, NULL, &found) != 0)
		broken("no cases", pattern);
	for (size_t i = 0; i < found.gl_pathc; i++)
		read_file(out, found.gl_pathv[i]);
	globfree(&found);
	for (unsigned i = 0; i < out->n; i++)
		if (!out->cases[i].want)
			broken("nothing is wanted of", out->cases[i].name);
}

void table_done(struct table *table)
{
	free(table->cases);
	while (n_texts)
		free(texts[--n_texts]);
}

bool case_is_made_in(const struct test_case *one, const char *kind)
{
	size_t len = strlen(kind);

	for (const char *at = one->keys; at && *at; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (strncmp(at, kind, len) == 0 && (at[len] == ' ' || !at[len]))
			return true;
	}
	return false;
}
