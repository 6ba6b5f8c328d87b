/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "conf/schema.h"
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};
static const struct unit sizes[] = {
	{ "B", 1 }, { "KiB", 1024 }, { "MiB", 1048576 }, { "GiB", 1073741824 }, { NULL, 0 },
};

__attribute__((format(printf, 2, 3))) static bool no(char why[CONF_WHY_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, CONF_WHY_SIZE, format, arguments);
	va_end(arguments);
	return false;
}

/* The digits at the beginning of `text`; NULL: there are none, or a leading zero, which some would take for octal. A number
 * that is too large stays at INT64_MAX. */
static const char *digits(const char *text, int64_t *out)
{
	int64_t number = 0;
	size_t len = strspn(text, "0123456789");

	if (len == 0 || (text[0] == '0' && len > 1))
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, text[i] - '0', &number))
			number = INT64_MAX;
	*out = number;
	return text + len;
}

static const char *in_units(char out[24], const struct unit *units, int64_t value)
{
	const struct unit *largest = units;

	for (const struct unit *unit = units; unit->name; unit++)
		if (value && value % unit->factor == 0)
			largest = unit;
	snprintf(out, 24, "%lld%s", (long long)(value / largest->factor), largest->name);
	return out;
}

const char *conf_duration_text(char out[24], int64_t ms)
{
	return ms ? in_units(out, durations, ms) : "0s";
}

const char *conf_size_text(char out[24], int64_t bytes)
{
	return in_units(out, sizes, bytes);
}

static bool with_unit(const char *text, const struct unit *units, const char *hint, int64_t *out, char why[CONF_WHY_SIZE])
{
	char shown[64];
	int64_t number;
	const char *rest = digits(text, &number);

	error_printable(shown, sizeof(shown), text, strlen(text));
	if (!rest)
		return no(why, "wants a whole number with a unit (%s), not \"%s\"", hint, shown);
	if (!*rest)
		return no(why, "has no unit: \"%s\" could be anything, write %s", shown, hint);
	for (const struct unit *unit = units; unit->name; unit++)
		if (!strcmp(rest, unit->name)) {
			if (__builtin_mul_overflow(number, unit->factor, out))
				*out = INT64_MAX;
			return true;
		}
	return no(why, "does not know the unit of \"%s\": write %s", shown, hint);
}

bool conf_duration(const char *text, int64_t min, int64_t max, uint32_t *out, char why[CONF_WHY_SIZE])
{
	char least[24], most[24];
	int64_t ms;

	if (!with_unit(text, durations, "500ms, 30s, 10m, 4h or 7d", &ms, why))
		return false;
	if (ms < min || ms > max)
		return no(why, "is %s: from %s to %s it may be", text, conf_duration_text(least, min),
			  conf_duration_text(most, max));
	*out = (uint32_t)ms;
	return true;
}

/* Longer than a duration in milliseconds can be, and no part of a second. */
bool conf_seconds(const char *text, int64_t min, int64_t max, int64_t *out, char why[CONF_WHY_SIZE])
{
	char least[24], most[24];
	int64_t ms;

	if (!with_unit(text, durations, "30s, 10m, 4h or 7d", &ms, why))
		return false;
	if (ms % 1000 || ms / 1000 < min || ms / 1000 > max)
		return no(why, "is %s: whole seconds from %s to %s it may be", text, conf_duration_text(least, min * 1000),
			  conf_duration_text(most, max * 1000));
	*out = ms / 1000;
	return true;
}

bool conf_size(const char *text, int64_t min, int64_t max, uint32_t *out, char why[CONF_WHY_SIZE])
{
	char least[24], most[24];
	int64_t bytes;

	if (!with_unit(text, sizes, "512B, 64KiB, 1MiB or 1GiB", &bytes, why))
		return false;
	if (bytes < min || bytes > max)
		return no(why, "is %s: from %s to %s it may be", text, conf_size_text(least, min),
			  conf_size_text(most, max));
	*out = (uint32_t)bytes;
	return true;
}

bool conf_count(const char *text, int64_t min, int64_t max, unsigned *out, char why[CONF_WHY_SIZE])
{
	char shown[64];
	int64_t number;
	const char *rest = digits(text, &number);

	error_printable(shown, sizeof(shown), text, strlen(text));
	if (!rest || *rest)
		return no(why, "wants a whole number, not \"%s\"", shown);
	if (number < min || number > max)
		return no(why, "is %s: from %lld to %lld it may be", shown, (long long)min, (long long)max);
	*out = (unsigned)number;
	return true;
}

/* Octal, as chmod(1) has it: three digits, or four that begin with 0. No bit is for running or setting users. */
bool conf_mode(const char *text, unsigned *out, char why[CONF_WHY_SIZE])
{
	const char *at = text[0] == '0' ? text + 1 : text;
	unsigned mode = 0;
	char shown[64];

	if (strlen(at) != 3 || strspn(at, "01234567") != 3)
		return no(why, "wants a mode like \"0644\", not \"%s\"",
			  error_printable(shown, sizeof(shown), text, strlen(text)));
	for (; *at; at++)
		mode = mode * 8 + (unsigned)(*at - '0');
	if (mode & 0133 || (mode & 0600) != 0600)
		return no(why, "is %s: 0600, 0640, 0644, 0660 or 0664 it may be", text);
	*out = mode;
	return true;
}

static bool choice(const struct conf_key *key, const char *text, void *field, char why[CONF_WHY_SIZE])
{
	char shown[64], words[128] = "";

	for (const struct conf_word *row = key->words; row->word; row++) {
		if (!strcmp(row->word, text)) {
			if (key->size == sizeof(bool))
				*(bool *)field = row->value;
			else
				*(int *)field = row->value;
			return true;
		}
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s",
			 row == key->words ? "" : (row[1].word ? ", " : " or "), row->word);
	}
	return no(why, "wants %s, not \"%s\"", words, error_printable(shown, sizeof(shown), text, strlen(text)));
}

static bool truth(const char *text, bool *out, char why[CONF_WHY_SIZE])
{
	char shown[64];

	if (strcmp(text, "true") && strcmp(text, "false"))
		return no(why, "wants true or false, not \"%s\"", error_printable(shown, sizeof(shown), text, strlen(text)));
	*out = text[0] == 't';
	return true;
}

static bool word(const struct conf_key *key, const char *text, const char **out, char why[CONF_WHY_SIZE])
{
	char shown[96];
	const char *sentence = key->check ? key->check(text) : NULL;

	if (sentence)
		return no(why, "%s: \"%s\"", sentence, error_printable(shown, sizeof(shown), text, strlen(text)));
	*out = text;
	return true;
}

bool conf_scalar(const struct conf_key *key, const char *text, void *base, char why[CONF_WHY_SIZE])
{
	void *field = (char *)base + key->at;

	switch (key->type) {
	case CONF_TEXT:
		return word(key, text, field, why);
	case CONF_BOOL:
		return truth(text, field, why);
	case CONF_CHOICE:
		return choice(key, text, field, why);
	case CONF_DURATION:
		return conf_duration(text, key->min, key->max, field, why);
	case CONF_SECONDS:
		return conf_seconds(text, key->min, key->max, field, why);
	case CONF_SIZE:
		return conf_size(text, key->min, key->max, field, why);
	case CONF_COUNT:
		return conf_count(text, key->min, key->max, field, why);
	case CONF_MODE:
		return conf_mode(text, field, why);
	default:
		return no(why, "wants no single value");
	}
}
