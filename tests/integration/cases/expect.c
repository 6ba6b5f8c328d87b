/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned lines, failures;

struct found found_of(const struct clinch_verdict *verdict)
{
	return (struct found){ clinch_status_name(verdict->status), clinch_reason_name(verdict->reason), verdict->fresh,
			       verdict->findings, verdict };
}

/* Is `name` the n-th word of `words`, or one of the "|" separated alternatives that stand there? */
static bool word_is(const char *words, unsigned n, const char *name)
{
	size_t len = strlen(name);

	while (n-- && words)
		words = strchr(words, ' ') ? strchr(words, ' ') + 1 : NULL;
	while (words && *words && *words != ' ') {
		if (strncmp(words, name, len) == 0 && strchr("| ", words[len]))
			return true;
		words += strcspn(words, "| ");
		words += *words == '|';
	}
	return false;
}

bool case_wants_status(const struct test_case *one, const char *status)
{
	return word_is(one->want, 0, status);
}

static uint64_t finding_bit(const char *name, size_t len)
{
	for (int i = 0; i < CLINCH_FINDING_COUNT; i++)
		if (strlen(clinch_finding_name(i)) == len && strncmp(clinch_finding_name(i), name, len) == 0)
			return UINT64_C(1) << i;
	broken("no such finding", name);
}

static bool wants_findings(const struct test_case *one, uint64_t findings)
{
	uint64_t with = 0, without = 0;
	bool exactly = one->findings && *one->findings == '=';

	for (const char *at = one->findings; at && *at; at += *at == ',') {
		bool is_not = *at == '-';
		at += strchr("=+-", *at) != NULL;
		size_t len = strcspn(at, ",");
		*(is_not ? &without : &with) |= finding_bit(at, len);
		at += len;
	}
	return (findings & with) == with && !(findings & without) && (!exactly || findings == with);
}

static void say_findings(struct buf *why, uint64_t findings)
{
	for (int i = 0; i < CLINCH_FINDING_COUNT; i++)
		if (findings >> i & 1)
			(void)buf_printf(why, " %s", clinch_finding_name(i));
	(void)buf_printf(why, "\n");
}

static int64_t said_by(const struct clinch_verdict *verdict, const char *key, size_t len)
{
	const struct {
		const char *key;
		int64_t value;
	} said[] = { { "produced", verdict->produced_at },     { "this", verdict->this_update },
		     { "next", verdict->next_update },         { "revoked", verdict->revoked_at },
		     { "reason", verdict->revocation_reason }, { "fresh-until", verdict->fresh_until } };

	for (unsigned i = 0; i < sizeof(said) / sizeof(*said); i++)
		if (strlen(said[i].key) == len && strncmp(said[i].key, key, len) == 0)
			return said[i].value;
	broken("a verdict does not say that", key);
}

static int64_t to_be_said(const char *value, bool is_code)
{
	if (strcmp(value, "none") == 0)
		return is_code ? -1 : 0;
	return is_code ? strtoll(value, NULL, 10) : table_instant(value);
}

static bool wants_said(const struct test_case *one, const struct clinch_verdict *verdict, struct buf *why)
{
	char value[32];
	bool same = true;

	for (const char *at = one->says; at && *at; at += strcspn(at, " "), at += *at == ' ') {
		size_t key_len = strcspn(at, "="), word_len = strcspn(at, " ");

		if (key_len >= word_len || word_len - key_len > sizeof(value))
			broken("KEY=VALUE is expected", at);
		snprintf(value, sizeof(value), "%.*s", (int)(word_len - key_len - 1), at + key_len + 1);
		int64_t wanted = to_be_said(value, strncmp(at, "reason=", 7) == 0);
		int64_t found = said_by(verdict, at, key_len);
		if (found == wanted)
			continue;
		(void)buf_printf(why, "wanted: %.*s, that is %lld\nfound: %lld\n", (int)word_len, at, (long long)wanted,
				 (long long)found);
		same = false;
	}
	return same;
}

bool case_wants(const struct test_case *one, const struct found *found, struct buf *why)
{
	const char *fresh = strrchr(one->want, ' ') + 1;
	bool is_said = strcmp(fresh, "fresh") == 0 || strcmp(fresh, "stale") == 0;
	bool same = word_is(one->want, 0, found->status) && word_is(one->want, 1, found->reason) &&
		    (!is_said || found->fresh == (*fresh == 'f'));
	bool invalid_fresh = found->fresh && strcmp(found->status, "invalid") == 0;

	if (!same || invalid_fresh)
		(void)buf_printf(why, "wanted: %s\nfound: %s %s %s\n", one->want, found->status, found->reason,
				 found->fresh ? "fresh" : "stale");
	bool findings_fit = wants_findings(one, found->findings);
	if (!findings_fit) {
		(void)buf_printf(why, "wanted findings: %s\nfound:", one->findings);
		say_findings(why, found->findings);
	}
	return (!found->verdict || wants_said(one, found->verdict, why)) && same && !invalid_fresh && findings_fit;
}

/* ---- TAP ---- */

void tap_line(bool passed, const char *way, const char *kind, const char *name, const struct buf *why)
{
	printf("%s %u - %s %s %s\n", passed ? "ok" : "not ok", ++lines, name, kind, way);
	if (passed)
		return;
	failures++;
	for (size_t at = 0, next; why && at < why->len; at = next + 1) {
		const uint8_t *end = memchr(why->data + at, '\n', why->len - at);

		next = end ? (size_t)(end - why->data) : why->len;
		printf("# %.*s\n", (int)(next - at), (const char *)why->data + at);
	}
}

void tap_not(const char *way, const char *kind, const char *name, const char *why)
{
	printf("# %s %s does not go by %s: %s\n", name, kind, way, why);
}

int tap_end(void)
{
	printf("1..%u\n", lines);
	return failures || !lines ? EXIT_FAILURE : EXIT_SUCCESS;
}
