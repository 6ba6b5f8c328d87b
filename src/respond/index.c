/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/index.h"
#include "base/error.h"
#include "base/time.h"
#include "respond/lines.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum field { STATUS, NOT_AFTER, REVOKED, SERIAL, FILE_NAME, SUBJECT, FIELDS };

struct text {
	const char *at;
	size_t len;
};

struct indexing {
	struct serials *serials;
	const char *name;
	int64_t now;
};

__attribute__((format(printf, 4, 5))) static int refuse(const struct indexing *in, const struct line *line,
							struct clinch_error *err, const char *format, ...)
{
	va_list arguments;
	char text[200];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error_set(err, CLINCH_E_FORMAT, "%s: line %u: %s", in->name, line->number, text);
}

/* The most of a field that is quoted in a message. */
#define QUOTED 48
static const char *quoted(char out[QUOTED], struct text text)
{
	return error_printable(out, QUOTED, text.at, text.len);
}

/* ---- fields ---- */

static unsigned split(struct text field[FIELDS], const struct line *line)
{
	const char *at = line->text, *end = at + line->len, *tab = at;
	unsigned n = 0;

	while ((tab = memchr(tab, '\t', (size_t)(end - tab)))) {
		bool escaped = tab > line->text && tab[-1] == '\\';
		if (!escaped && n < FIELDS)
			field[n] = (struct text){ at, (size_t)(tab - at) };
		if (!escaped) {
			n++;
			at = tab + 1;
		}
		tab++;
	}
	if (n < FIELDS)
		field[n] = (struct text){ at, (size_t)(end - at) };
	return n + 1;
}

static int number(const char *at, size_t digits)
{
	int value = 0;

	for (; digits > 0; digits--, at++) {
		if (*at < '0' || *at > '9')
			return -1;
		value = value * 10 + (*at - '0');
	}
	return value;
}

/* UTCTime or GeneralizedTime, by the length, as RFC 5280 4.1.2.5 has them. */
static bool time_of(int64_t *out, struct text text)
{
	size_t digits = text.len == 13 ? 2 : 4;
	int year;

	if ((text.len != 13 && text.len != 15) || text.at[text.len - 1] != 'Z')
		return false;
	year = number(text.at, digits);
	if (year < 0)
		return false;
	if (digits == 2)
		year += year >= 50 ? 1900 : 2000;
	text.at += digits;
	return time_from_civil(out, year, number(text.at, 2), number(text.at + 2, 2), number(text.at + 4, 2),
			       number(text.at + 6, 2), number(text.at + 8, 2));
}

/* ---- why it was revoked ---- */

/* The names of `openssl ca -crl_reason`, and the three that stand for a reason and something more about it. Not
 * removeFromCRL: that is for delta CRLs, and whoever writes R means that it is revoked. */
static const struct reason {
	const char *name;
	int number; /* RFC 5280 5.3.1 */
} reasons[] = {
	{ "unspecified", 0 },
	{ "keyCompromise", 1 },
	{ "CACompromise", 2 },
	{ "affiliationChanged", 3 },
	{ "superseded", 4 },
	{ "cessationOfOperation", 5 },
	{ "certificateHold", 6 },
	{ "holdInstruction", 6 },
	{ "keyTime", 1 },
	{ "CAkeyTime", 2 },
	/* RFC 5280 has them, OpenSSL's index not yet */
	{ "privilegeWithdrawn", 9 },
	{ "AACompromise", 10 },
};

static const struct reason *find_reason(struct text name)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (strlen(reasons[i].name) == name.len && strncasecmp(reasons[i].name, name.at, name.len) == 0)
			return &reasons[i];
	return NULL;
}

static struct text until_comma(struct text *left, bool *comma)
{
	const char *found = left->len ? memchr(left->at, ',', left->len) : NULL;
	struct text text = { left->at, found ? (size_t)(found - left->at) : left->len };

	*comma = found;
	left->at += text.len + (found ? 1 : 0);
	left->len -= text.len + (found ? 1 : 0);
	return text;
}

/* What is behind a reason, an instruction or a time, goes no further than this. */
static void take_reason(const struct indexing *in, const struct line *line, struct text left, int *out)
{
	char shown[QUOTED];
	bool more;
	struct text name = until_comma(&left, &more);
	const struct reason *reason = find_reason(name);

	if (reason)
		*out = reason->number;
	else
		serials_note(in->serials, "%s: line %u: \"%s\" is not a reason for a revocation: it is revoked without one",
			     in->name, line->number, quoted(shown, name));
}

static int take_revocation(const struct indexing *in, const struct line *line, struct text left, struct source_status *out,
			   struct clinch_error *err)
{
	char shown[QUOTED];
	bool more;
	struct text at = until_comma(&left, &more);

	out->says = SOURCE_REVOKED;
	if (!time_of(&out->revoked_at, at))
		return refuse(in, line, err, "\"%s\" is not when it was revoked, YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ",
			      quoted(shown, at));
	if (more)
		take_reason(in, line, left, &out->reason);
	return 0;
}

/* ---- a line ---- */

static int take_status(const struct indexing *in, const struct line *line, const struct text field[FIELDS],
		       struct source_status *out, struct clinch_error *err)
{
	char shown[QUOTED];
	char status = field[STATUS].len == 1 ? *field[STATUS].at : '\0';

	if (status != 'V' && status != 'R' && status != 'E')
		return refuse(in, line, err, "the status is \"%s\", not V, R or E", quoted(shown, field[STATUS]));
	if (!time_of(&out->not_after, field[NOT_AFTER]))
		return refuse(in, line, err, "\"%s\" is not the certificate's end, YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ",
			      quoted(shown, field[NOT_AFTER]));
	if (status == 'R')
		return take_revocation(in, line, field[REVOKED], out, err);
	if (field[REVOKED].len)
		return refuse(in, line, err, "the status is %c, and it has the time of a revocation", status);
	if (status == 'E' && out->not_after >= in->now) /* whoever writes E means that it is over */
		out->not_after = in->now - 1;
	return 0;
}

static int take_line(const struct line *line, void *user, struct clinch_error *err)
{
	const struct indexing *in = user;
	struct source_status status = { .says = SOURCE_VALID, .reason = -1 };
	struct text field[FIELDS];
	struct serial_key key;
	char shown[QUOTED];
	unsigned n;
	int code;

	if (line->len && *line->text == '#')
		return 0;
	n = split(field, line);
	if (n != FIELDS)
		return refuse(in, line, err, "%u fields with a tab between them, not %d", n, FIELDS);
	code = take_status(in, line, field, &status, err);
	if (code < 0)
		return code;
	if (field[SERIAL].len & 1 || !serial_from_hex(&key, field[SERIAL].at, field[SERIAL].len))
		return refuse(in, line, err, "\"%s\" is not a serial number: pairs of hexadecimal digits, at most %d",
			      quoted(shown, field[SERIAL]), SERIAL_BYTES);
	if (!serials_add(in->serials, &key, &status, line->number))
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for line %u", in->name, line->number);
	return 0;
}

/* ---- the whole ---- */

/* Some CAs only ever append: a revocation may stand behind the line of what it revokes, and is nothing odd. */
static bool is_appended(const struct serial_row *first, const struct serial_row *second)
{
	return first->says == SOURCE_VALID && second->says == SOURCE_REVOKED && first->not_after == second->not_after;
}

/* A line that is refused would hide each later revocation: what is odd is taken at its worst instead, and said. */
static bool judge(const struct serial_row *first, uint32_t first_line, const struct serial_row *second, uint32_t second_line,
		  void *user)
{
	const struct indexing *in = user;
	struct serial_key key;
	char text[SERIAL_TEXT];

	if (!serial_rows_agree(first, second) && !is_appended(first, second)) {
		serials_key(in->serials, first, &key);
		serials_note(in->serials, "%s: lines %u and %u say different things of serial %s: the worse counts",
			     in->name, first_line, second_line, serial_text(text, &key));
	}
	return serial_row_is_worse(second, first);
}

static int seal(struct indexing *in, struct clinch_error *err)
{
	return serials_seal(in->serials, judge, in)
		       ? 0
		       : error_set(err, CLINCH_E_MEMORY, "%s: no memory for %zu serials", in->name, in->serials->n);
}

int index_read(struct serials *out, const char *path, int64_t now, int64_t *modified_at, struct clinch_error *err)
{
	struct indexing in = { out, path, now };
	int code = lines_read(path, take_line, &in, modified_at, err);

	return code < 0 ? code : seal(&in, err);
}

int index_parse(struct serials *out, const void *bytes, size_t len, const char *name, int64_t now, struct clinch_error *err)
{
	struct indexing in = { out, name, now };
	int code = lines_parse(bytes, len, name, take_line, &in, err);

	return code < 0 ? code : seal(&in, err);
}
