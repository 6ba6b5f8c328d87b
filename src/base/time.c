/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01. The year is counted from March, so that the leap day is its last. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

bool time_from_civil(int64_t *out, int year, int month, int day, int hour, int minute, int second)
{
	if (year < 0 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return false;
	*out = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t from_march = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* The years 0000 to 9999, which is what RFC 3339 can say. */
#define FIRST_SECOND (-62167219200LL)
#define LAST_SECOND 253402300799LL

/* Whole days, and the seconds of the day that are left. */
static int64_t split(int64_t at, int64_t *left)
{
	*left = at % 86400;
	if (*left < 0)
		*left += 86400;
	return (at - *left) / 86400;
}

static uint8_t *put_digits(uint8_t *out, int n, int64_t value)
{
	for (int i = n; i-- > 0; value /= 10)
		out[i] = (uint8_t)('0' + value % 10);
	return out + n;
}

/* Three times in each signed answer: not worth a snprintf(). */
bool time_compact(uint8_t out[TIME_COMPACT_LEN], int64_t at)
{
	int year, month, day;
	int64_t left;

	if (at < FIRST_SECOND || at > LAST_SECOND)
		return false;
	civil_from_days(split(at, &left), &year, &month, &day);
	out = put_digits(put_digits(put_digits(out, 4, year), 2, month), 2, day);
	out = put_digits(put_digits(put_digits(out, 2, left / 3600), 2, left / 60 % 60), 2, left % 60);
	*out = 'Z';
	return true;
}

const char *time_format(char out[TIME_TEXT_SIZE], int64_t at)
{
	int year, month, day;
	int64_t left;

	if (at < FIRST_SECOND)
		at = FIRST_SECOND;
	if (at > LAST_SECOND)
		at = LAST_SECOND;
	int64_t days = split(at, &left);
	civil_from_days(days, &year, &month, &day);
	snprintf(out, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000, (unsigned)month % 100,
		 (unsigned)day % 100, (unsigned)(left / 3600) % 100, (unsigned)(left / 60 % 60), (unsigned)(left % 60));
	return out;
}

static bool take_digits(const char **text, int n, int *value)
{
	for (*value = 0; n > 0; n--, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		*value = *value * 10 + (**text - '0');
	}
	return true;
}

static bool take_char(const char **text, const char *allowed)
{
	if (!**text || !strchr(allowed, **text))
		return false;
	(*text)++;
	return true;
}

static bool take_offset(const char **text, int64_t *offset_s)
{
	int sign, hours, minutes;

	*offset_s = 0;
	if (take_char(text, "Zz"))
		return true;
	sign = **text == '-' ? -1 : 1;
	if (!take_char(text, "+-") || !take_digits(text, 2, &hours) || !take_char(text, ":") ||
	    !take_digits(text, 2, &minutes))
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return hours < 24 && minutes < 60;
}

bool time_parse(int64_t *out, const char *text)
{
	int year, month, day, hour, minute, second;
	int64_t local, offset_s;

	if (!take_digits(&text, 4, &year) || !take_char(&text, "-") || !take_digits(&text, 2, &month) ||
	    !take_char(&text, "-") || !take_digits(&text, 2, &day) || !take_char(&text, "Tt ") ||
	    !take_digits(&text, 2, &hour) || !take_char(&text, ":") || !take_digits(&text, 2, &minute) ||
	    !take_char(&text, ":") || !take_digits(&text, 2, &second))
		return false;
	if (take_char(&text, ".")) {
		if (*text < '0' || *text > '9')
			return false;
		while (*text >= '0' && *text <= '9')
			text++;
	}
	if (!take_offset(&text, &offset_s) || *text)
		return false;
	if (!time_from_civil(&local, year, month, day, hour, minute, second))
		return false;
	*out = local - offset_s;
	return true;
}

const char *time_span(char out[TIME_SPAN_SIZE], int64_t seconds)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} unit[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	uint64_t left = seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds;
	unsigned i = 0;

	while (i < 3 && left < unit[i].seconds)
		i++;
	uint64_t first = left / unit[i].seconds, second = i < 3 ? left % unit[i].seconds / unit[i + 1].seconds : 0;
	if (second)
		snprintf(out, TIME_SPAN_SIZE, "%llu %s %u %s", (unsigned long long)first, unit[i].name, (unsigned)second,
			 unit[i + 1].name);
	else
		snprintf(out, TIME_SPAN_SIZE, "%llu %s", (unsigned long long)first, unit[i].name);
	return out;
}
