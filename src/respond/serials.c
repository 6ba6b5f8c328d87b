/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/serials.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys ---- */

bool serial_from_der(struct serial_key *out, struct der content)
{
	size_t len;

	/* X.690 8.3.2: nine equal bits in front say nothing */
	while (der_len(content) > 1 &&
	       ((content.at[0] == 0x00 && !(content.at[1] & 0x80)) || (content.at[0] == 0xff && (content.at[1] & 0x80))))
		content.at++;
	len = der_len(content);
	if (len == 0 || len > SERIAL_CONTENT || (len == SERIAL_CONTENT && content.at[0] != 0x00))
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out->bytes, content.at, len);
	out->len = (uint8_t)len;
	return true;
}

static const int8_t digit_values[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
	['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static int digit(char c)
{
	return digit_values[(uint8_t)c] - 1;
}

bool serial_from_hex(struct serial_key *out, const char *digits, size_t len)
{
	const char *end = digits + len;
	bool odd;

	if (len == 0)
		return false;
	while (digits < end - 1 && *digits == '0')
		digits++;
	len = (size_t)(end - digits);
	odd = len & 1;
	if (len > (size_t)2 * SERIAL_BYTES)
		return false;
	memset(out, 0, sizeof(*out));
	/* A number whose first bit is set has a zero before it (X.690 8.3.3). */
	out->len = !odd && digit(*digits) >= 8;
	for (; digits < end; digits += odd ? 1 : 2, odd = false) {
		int high = odd ? 0 : digit(digits[0]), low = digit(digits[odd ? 0 : 1]);
		if (high < 0 || low < 0)
			return false;
		out->bytes[out->len++] = (uint8_t)(high << 4 | low);
	}
	return true;
}

const char *serial_text(char out[SERIAL_TEXT], const struct serial_key *key)
{
	static const char digits[] = "0123456789ABCDEF";
	bool negative = key->bytes[0] & 0x80, carry = negative;
	uint8_t magnitude[SERIAL_CONTENT];
	char *at = out;

	for (size_t i = key->len; i-- > 0;) {
		magnitude[i] = negative ? (uint8_t)(~key->bytes[i] + carry) : key->bytes[i];
		carry = carry && key->bytes[i] == 0;
	}
	if (negative)
		*at++ = '-';
	for (size_t i = key->len > 1 && magnitude[0] == 0; i < key->len; i++) {
		*at++ = digits[magnitude[i] >> 4];
		*at++ = digits[magnitude[i] & 15];
	}
	*at = '\0';
	return out;
}

/* ---- rows ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t word_at(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Whole words: what is behind the key's end is zero, and its length tells those apart that end in zeros. */
static uint64_t hash_of(const uint8_t *bytes, uint8_t len)
{
	uint64_t hash = mix(len, word_at(bytes));
	uint32_t last;

	hash = mix(hash, word_at(bytes + 8));
	memcpy(&last, bytes + 16, sizeof(last));
	hash = mix(hash, last);
	for (size_t i = SERIAL_INLINE; i < len; i++)
		hash = mix(hash, bytes[i]);
	return hash ^ hash >> 29;
}

static uint32_t offset_of(const struct serial_row *row)
{
	uint32_t offset;

	memcpy(&offset, row->bytes, sizeof(offset));
	return offset;
}

static const uint8_t *bytes_of(const struct serials *serials, const struct serial_row *row)
{
	return row->len <= SERIAL_INLINE ? row->bytes : serials->aside + offset_of(row);
}

static bool make_room(struct serials *serials)
{
	size_t size = serials->size ? serials->size * 2 : 1024;
	struct serial_row *row;
	uint32_t *origin;

	if (serials->n < serials->size)
		return true;
	if (serials->n >= UINT32_MAX / 2)
		return false;
	row = reallocarray(serials->row, size, sizeof(*row));
	if (!row)
		return false;
	serials->row = row;
	origin = reallocarray(serials->origin, size, sizeof(*origin));
	if (!origin)
		return false;
	serials->origin = origin;
	serials->size = size;
	return true;
}

static bool set_aside(struct serials *serials, struct serial_row *row, const struct serial_key *key)
{
	uint32_t offset = (uint32_t)serials->aside_len;

	if (serials->aside_size - serials->aside_len < key->len) {
		size_t size = serials->aside_size ? serials->aside_size * 2 : 4096;
		uint8_t *aside = size > UINT32_MAX ? NULL : realloc(serials->aside, size);
		if (!aside)
			return false;
		serials->aside = aside;
		serials->aside_size = size;
	}
	memcpy(serials->aside + offset, key->bytes, key->len);
	serials->aside_len += key->len;
	memcpy(row->bytes, &offset, sizeof(offset));
	return true;
}

bool serials_add(struct serials *serials, const struct serial_key *key, const struct source_status *status, uint32_t origin)
{
	struct serial_row row = { .len = key->len,
				  .says = (uint8_t)status->says,
				  .reason = (int8_t)status->reason,
				  .not_after = status->not_after,
				  .revoked_at = status->revoked_at };

	if (!make_room(serials))
		return false;
	if (key->len <= SERIAL_INLINE)
		memcpy(row.bytes, key->bytes, SERIAL_INLINE);
	else if (!set_aside(serials, &row, key))
		return false;
	serials->origin[serials->n] = origin;
	serials->row[serials->n++] = row;
	return true;
}

void serials_key(const struct serials *serials, const struct serial_row *row, struct serial_key *out)
{
	memset(out, 0, sizeof(*out));
	out->len = row->len;
	memcpy(out->bytes, bytes_of(serials, row), row->len);
}

bool serial_rows_agree(const struct serial_row *a, const struct serial_row *b)
{
	return a->says == b->says && a->reason == b->reason && a->not_after == b->not_after &&
	       a->revoked_at == b->revoked_at;
}

bool serial_row_is_worse(const struct serial_row *a, const struct serial_row *b)
{
	bool a_is_held = a->reason == 6, b_is_held = b->reason == 6;

	if (a->says != b->says)
		return a->says == SOURCE_REVOKED;
	if (a->says != SOURCE_REVOKED)
		return a->not_after < b->not_after;
	return a_is_held != b_is_held ? b_is_held : a->revoked_at < b->revoked_at;
}

/* ---- finding ---- */

/* The slot where the key is, or where it would go. `bytes`: SERIAL_INLINE of them at least. */
static size_t slot_of(const struct serials *serials, const uint8_t *bytes, uint8_t len)
{
	size_t compared = len < SERIAL_INLINE ? SERIAL_INLINE : len;
	size_t at = hash_of(bytes, len) & serials->mask;

	for (; serials->slot[at]; at = (at + 1) & serials->mask) {
		const struct serial_row *row = &serials->row[serials->slot[at] - 1];
		if (row->len == len && memcmp(bytes_of(serials, row), bytes, compared) == 0)
			break;
	}
	return at;
}

const struct serial_row *serials_find(const struct serials *serials, const struct serial_key *key)
{
	uint32_t found = serials->slot ? serials->slot[slot_of(serials, key->bytes, key->len)] : 0;

	return found ? &serials->row[found - 1] : NULL;
}

/* At most three quarters of the slots are taken. */
static bool make_slots(struct serials *serials)
{
	size_t size = 16;

	while (size / 4 * 3 < serials->n)
		size *= 2;
	serials->slot = calloc(size, sizeof(*serials->slot));
	serials->mask = size - 1;
	return serials->slot != NULL;
}

static void trim(struct serials *serials)
{
	struct serial_row *row = serials->n ? reallocarray(serials->row, serials->n, sizeof(*row)) : NULL;

	if (row)
		serials->row = row;
	serials->size = serials->n;
	free(serials->origin);
	serials->origin = NULL;
}

bool serials_seal(struct serials *serials, serials_judge *judge, void *user)
{
	size_t kept = 0;

	if (!make_slots(serials))
		return false;
	for (size_t i = 0; i < serials->n; i++) {
		const struct serial_row *row = &serials->row[i];
		size_t slot = slot_of(serials, bytes_of(serials, row), row->len), first = serials->slot[slot];
		size_t place = first ? first - 1 : kept;
		if (first && !judge(&serials->row[place], serials->origin[place], row, serials->origin[i], user))
			continue;
		serials->row[place] = *row;
		serials->origin[place] = serials->origin[i];
		if (!first)
			serials->slot[slot] = (uint32_t)++kept;
	}
	serials->n = kept;
	trim(serials);
	return true;
}

void serials_note(struct serials *serials, const char *format, ...)
{
	va_list arguments;

	if (serials->n_odd++ > 0)
		return;
	va_start(arguments, format);
	vsnprintf(serials->odd, sizeof(serials->odd), format, arguments);
	va_end(arguments);
}

void serials_done(struct serials *serials)
{
	free(serials->row);
	free(serials->origin);
	free(serials->aside);
	free(serials->slot);
	*serials = (struct serials){ 0 };
}
