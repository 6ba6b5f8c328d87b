/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON of show, for a person: a line a member, what is absent left out. So both say the same. */
#include "report/show.h"
#include <string.h>

#define COLUMN 23
#define STEP 2

/* "this_update" is "this update" for a person. */
static void put_key(struct buf *out, int indent, const char *key)
{
	size_t start;

	buf_printf(out, "%*s", indent, "");
	start = out->len;
	buf_printf(out, "%s", key);
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] == '_')
			out->data[i] = ' ';
}

static void put_scalar(struct buf *out, const json_t *value)
{
	if (json_is_string(value))
		buf_add(out, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value))
		buf_printf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		buf_printf(out, "%s", json_is_true(value) ? "yes" : "no");
}

static void put_line(struct buf *out, int indent, const char *key, const json_t *value)
{
	int pad = COLUMN - indent - (int)strlen(key);

	put_key(out, indent, key);
	buf_printf(out, "%*s", pad > 1 ? pad : 1, "");
	put_scalar(out, value);
	buf_printf(out, "\n");
}

static void put_findings(struct buf *out, const struct report_style *style, int indent, const json_t *findings)
{
	size_t i;
	json_t *finding;

	json_array_foreach(findings, i, finding)
	{
		const char *level = json_string_value(json_object_get(finding, "level"));
		int pad = COLUMN - indent - (int)strlen(level);

		buf_printf(out, "%*s", indent, "");
		report_tone(out, style, strcmp(level, "warning") ? REPORT_FAINT : REPORT_DOUBTFUL, level);
		buf_printf(out, "%*s%s: %s\n", pad > 1 ? pad : 1, "", json_string_value(json_object_get(finding, "id")),
			   json_string_value(json_object_get(finding, "text")));
	}
}

/* OID, importance and bytes in one line */
static void put_extension(struct buf *out, int indent, const json_t *extension)
{
	put_key(out, indent, "extension");
	buf_printf(out, "%*s%s%s %s\n", COLUMN - indent - 9, "", json_string_value(json_object_get(extension, "oid")),
		   json_is_true(json_object_get(extension, "critical")) ? " critical" : "",
		   json_string_value(json_object_get(extension, "value")));
}

static const char *singular(const char *key)
{
	static const char *const words[][2] = {
		{ "entries", "entry" },
		{ "certificates", "certificate" },
		{ "ocsp_urls", "ocsp_url" },
		{ "ca_issuers_urls", "ca_issuers_url" },
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(key, words[i][0]))
			return words[i][1];
	return key;
}

static void put_object(struct buf *out, const struct report_style *style, int indent, const json_t *object);

static void put_array(struct buf *out, const struct report_style *style, int indent, const char *key, const json_t *array)
{
	size_t i;
	json_t *member;

	json_array_foreach(array, i, member)
	{
		if (!strcmp(key, "extensions")) {
			put_extension(out, indent, member);
		} else if (json_is_object(member)) {
			put_key(out, indent, singular(key));
			buf_printf(out, " %zu\n", i + 1);
			put_object(out, style, indent + STEP, member);
		} else {
			put_line(out, indent, singular(key), member);
		}
	}
}

static void put_object(struct buf *out, const struct report_style *style, int indent, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (!strcmp(key, "findings"))
			put_findings(out, style, indent, value);
		else if (json_is_array(value))
			put_array(out, style, indent, key, value);
		else if (!json_is_null(value) && strcmp(key, "schema") && strcmp(key, "kind") && strcmp(key, "verified") &&
			 strcmp(key, "understood"))
			put_line(out, indent, key, value);
	}
}

bool show_text(struct buf *out, const struct report_style *style, const json_t *shown)
{
	const char *kind = json_string_value(json_object_get(shown, "kind"));

	if (!kind)
		return true;
	buf_printf(out, "%s ", kind);
	report_tone(out, style, REPORT_FAINT, "(as it stands: not verified)");
	buf_printf(out, "\n");
	put_object(out, style, STEP, shown);
	return buf_printf(out, "%s", "");
}
