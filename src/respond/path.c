/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/path.h"
#include <string.h>
#include <strings.h>

#define PREFIXES_MAX 16 /* places where a request is looked for: each costs a walk to the end */

/* One more than the value; 0: not of base64. RFC 4648 4 and 5: "-" and "_" are "+" and "/" of the other alphabet. */
static const uint8_t values[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,
	['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27,
	['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45,
	['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
	['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64, ['-'] = 63, ['_'] = 64,
};

static int hex(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The characters of a path, percent signs resolved; false: one without its two digits. */
struct chars {
	const char *at, *end;
};

static bool next_char(struct chars *chars, uint8_t *out)
{
	uint8_t c = (uint8_t)*chars->at++;

	if (c != '%') {
		*out = c;
		return true;
	}
	if (chars->end - chars->at < 2)
		return false;
	int high = hex((uint8_t)chars->at[0]), low = hex((uint8_t)chars->at[1]);
	chars->at += 2;
	*out = (uint8_t)((unsigned)high << 4 | (unsigned)low);
	return high >= 0 && low >= 0;
}

static bool pads_fit(size_t n, unsigned pads)
{
	if (n % 4 == 1)
		return false;
	return pads == 0 || (n + pads) % 4 == 0;
}

/* False: it is no base64, or it is longer than `size`. */
static bool decode(uint8_t *out, size_t size, size_t *len, struct chars chars)
{
	uint32_t bits = 0;
	size_t n = 0, filled = 0;
	unsigned pads = 0;
	uint8_t c;

	while (chars.at < chars.end) {
		if (!next_char(&chars, &c))
			return false;
		if (c == '=' && pads < 2) {
			pads++;
			continue;
		}
		if (!values[c] || pads)
			return false;
		bits = bits << 6 | (values[c] - 1U);
		n++;
		if (n % 4 == 1)
			continue;
		if (filled == size)
			return false;
		out[filled++] = (uint8_t)(bits >> (2 * (3 - (n - 1) % 4)));
	}
	/* Bits that encode nothing are zero (RFC 4648 3.5): one question has one form. */
	unsigned rest = n % 4 == 2 ? 0xf : n % 4 == 3 ? 0x3 : 0;
	*len = filled;
	return pads_fit(n, pads) && (bits & rest) == 0;
}

/* A SEQUENCE, and nothing behind it. */
static bool is_request(const uint8_t *bytes, size_t len)
{
	struct der in = der_of(bytes, len), content;

	return der_take(&in, DER_SEQUENCE, &content) && der_at_end(&in);
}

/*
 * "/" is a character of base64 too, so a prefix is found by what follows it: the first place after a "/" from where on the
 * path is one SEQUENCE. Its base64 begins with "M", whose six bits are those of 0x30.
 */
static bool find_behind_prefix(uint8_t *out, size_t size, size_t *len, struct chars chars)
{
	bool after_slash = false;
	unsigned tried = 0;
	struct chars here;
	uint8_t c;

	while (chars.at < chars.end) {
		here = chars;
		if (!next_char(&chars, &c))
			return false;
		if (after_slash && c == 'M' && tried++ == PREFIXES_MAX)
			return false;
		if (after_slash && c == 'M' && decode(out, size, len, here) && is_request(out, *len))
			return true;
		after_slash = c == '/';
	}
	return false;
}

/* Behind the scheme and the authority of a whole URL, which every server has to take (RFC 9112 3.2.2). */
static size_t skip_origin(const char *path, size_t len)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		size_t n = strlen(schemes[i]);
		if (len < n || strncasecmp(path, schemes[i], n) != 0)
			continue;
		const char *slash = memchr(path + n, '/', len - n);
		return slash ? (size_t)(slash - path) : len;
	}
	return 0;
}

enum path_kind path_decode(uint8_t *out, size_t size, size_t *len, const char *path, size_t path_len)
{
	struct chars chars = { path + skip_origin(path, path_len), path + path_len };

	while (chars.at < chars.end && *chars.at == '/')
		chars.at++;
	if (chars.at == chars.end)
		return PATH_EMPTY;
	bool is_base64 = decode(out, size, len, chars);
	if (is_base64 && is_request(out, *len))
		return PATH_REQUEST;
	if (find_behind_prefix(out, size, len, chars))
		return PATH_REQUEST;
	return is_base64 && decode(out, size, len, chars) ? PATH_REQUEST : PATH_BAD;
}
