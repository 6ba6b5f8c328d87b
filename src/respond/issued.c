/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/issued.h"
#include "base/error.h"
#include "respond/lines.h"
#include <string.h>
#include <strings.h>

#define DIGITS_MAX (2 * SERIAL_BYTES + 2)

struct list {
	struct serials *serials;
	const char *name;
};

struct text {
	const char *at;
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct text trimmed(const char *line, size_t len)
{
	const char *comment = len ? memchr(line, '#', len) : NULL;
	struct text text = { line, comment ? (size_t)(comment - line) : len };

	while (text.len && is_space(*text.at))
		text.at++, text.len--;
	while (text.len && is_space(text.at[text.len - 1]))
		text.len--;
	return text;
}

static void drop(struct text *text, const char *before)
{
	size_t len = strlen(before);

	if (text->len > len && strncasecmp(text->at, before, len) == 0) {
		text->at += len;
		text->len -= len;
	}
}

/* A colon stands between two digits. `text` is trimmed. */
static bool number_of(struct serial_key *out, struct text text)
{
	char digits[DIGITS_MAX];
	size_t n = 0;

	drop(&text, "serial=");
	drop(&text, "0x");
	for (size_t i = 0; i < text.len; i++) {
		bool between = i > 0 && i + 1 < text.len && text.at[i - 1] != ':';
		if (text.at[i] == ':' && between)
			continue;
		if (text.at[i] == ':' || n == sizeof(digits))
			return false;
		digits[n++] = text.at[i];
	}
	return serial_from_hex(out, digits, n);
}

static int take_line(const struct line *line, void *user, struct clinch_error *err)
{
	static const struct source_status valid = { .says = SOURCE_VALID, .reason = -1 };
	const struct list *list = user;
	struct text text = trimmed(line->text, line->len);
	struct serial_key key;
	char shown[48];

	if (text.len == 0)
		return 0;
	if (!number_of(&key, text))
		return error_set(err, CLINCH_E_FORMAT,
				 "%s: line %u: \"%s\" is not a serial number in hexadecimal, of at most %d bytes",
				 list->name, line->number, error_printable(shown, sizeof(shown), text.at, text.len),
				 SERIAL_BYTES);
	if (!serials_add(list->serials, &key, &valid, line->number))
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for line %u", list->name, line->number);
	return 0;
}

bool issued_number(struct serial_key *out, const char *text)
{
	return number_of(out, trimmed(text, strlen(text)));
}

int issued_read(struct serials *out, const char *path, struct clinch_error *err)
{
	struct list list = { out, path };
	int64_t modified_at;

	return lines_read(path, take_line, &list, &modified_at, err);
}

int issued_parse(struct serials *out, const void *bytes, size_t len, const char *name, struct clinch_error *err)
{
	struct list list = { out, name };

	return lines_parse(bytes, len, name, take_line, &list, err);
}
