/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calendar arithmetic on Unix seconds, without the C library's: no locale, no time zone, no clock. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Days of the proleptic Gregorian calendar. False for a date that does not exist (second 60 too). */
bool time_from_civil(int64_t *out, int year, int month, int day, int hour, int minute, int second);

/* RFC 3339 in UTC, "2026-11-23T17:00:00Z": TIME_TEXT_SIZE bytes with the NUL. */
#define TIME_TEXT_SIZE 24
const char *time_format(char out[TIME_TEXT_SIZE], int64_t at);

/* The same without what parts it, "20261123170000Z", as GeneralizedTime has it (RFC 5280 4.1.2.5.2): 15 bytes, no NUL. False
 * for a year that has not four digits. */
#define TIME_COMPACT_LEN 15
bool time_compact(uint8_t out[TIME_COMPACT_LEN], int64_t at);

/* RFC 3339 with "Z" or an offset; fractions of a second are cut. False when it is anything else. */
bool time_parse(int64_t *out, const char *text);

/* "3 d 4 h", "12 min", "9 s": the two largest units, of |seconds|. */
#define TIME_SPAN_SIZE 32
const char *time_span(char out[TIME_SPAN_SIZE], int64_t seconds);

#endif
