/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "der/der.h"
#include "base/time.h"
#include <string.h>

bool der_equals_bytes(struct der a, const void *bytes, size_t len)
{
	return der_len(a) == len && (len == 0 || memcmp(a.at, bytes, len) == 0);
}

bool der_equals(struct der a, struct der b)
{
	return der_equals_bytes(a, b.at, der_len(b));
}

/*
 * X.690 10.1: the definite form, in as few bytes as it can be. Three length bytes are enough for 16 MiB, the most that TLS
 * can carry (RFC 6066 8); longer ones are refused before any arithmetic, and all above `widest`, which is 4 at most.
 */
#define USUAL 3

static bool take_length(struct der *in, size_t *len, unsigned widest)
{
	if (in->at == in->end)
		return false;
	uint8_t first = *in->at++;
	if (first < 0x80) {
		*len = first;
		return *len <= der_len(*in);
	}
	unsigned n = first & 0x7f;
	if (n == 0 || n > widest || n > der_len(*in) || *in->at == 0)
		return false;
	for (*len = 0; n > 0; n--)
		*len = *len << 8 | *in->at++;
	return *len >= 0x80 && *len <= der_len(*in);
}

bool der_take_any(struct der *in, uint8_t *tag, struct der *content, struct der *whole)
{
	struct der rest = *in;
	size_t len;

	if (rest.at == rest.end)
		return false;
	*tag = *rest.at++;
	/* X.690 8.1.2.4: tag numbers above 30 take more bytes. Nothing here has one. */
	if ((*tag & 0x1f) == 0x1f || *tag == 0 || !take_length(&rest, &len, USUAL))
		return false;
	*content = der_of(rest.at, len);
	*whole = (struct der){ in->at, content->end };
	in->at = content->end;
	return true;
}

bool der_take_whole(struct der *in, uint8_t tag, struct der *content, struct der *whole)
{
	uint8_t found;

	return der_take_any(in, &found, content, whole) && found == tag;
}

bool der_take(struct der *in, uint8_t tag, struct der *content)
{
	struct der rest = *in;
	size_t len;

	if (!der_next_is(in, tag))
		return false;
	rest.at++;
	if (!take_length(&rest, &len, USUAL))
		return false;
	*content = der_of(rest.at, len);
	in->at = content->end;
	return true;
}

bool der_take_large(struct der *in, uint8_t tag, struct der *content, struct der *whole)
{
	struct der rest = *in;
	size_t len;

	if (!der_next_is(in, tag))
		return false;
	rest.at++;
	if (!take_length(&rest, &len, 4))
		return false;
	*content = der_of(rest.at, len);
	*whole = (struct der){ in->at, content->end };
	in->at = content->end;
	return true;
}

bool der_take_boolean(struct der *in, bool *value)
{
	struct der content;

	if (!der_take(in, DER_BOOLEAN, &content) || der_len(content) != 1)
		return false;
	*value = *content.at == 0xff;
	return *content.at == 0xff || *content.at == 0x00; /* X.690 11.1 */
}

/* X.690 8.3.2: the first nine bits are neither all zero nor all one. */
static bool is_minimal(struct der integer)
{
	if (der_len(integer) == 0)
		return false;
	if (der_len(integer) == 1)
		return true;
	bool high = integer.at[1] & 0x80;
	return !(integer.at[0] == 0x00 && !high) && !(integer.at[0] == 0xff && high);
}

bool der_take_integer(struct der *in, struct der *content)
{
	return der_take(in, DER_INTEGER, content) && is_minimal(*content);
}

bool der_take_small(struct der *in, uint8_t tag, int64_t *value)
{
	struct der content;

	if (!der_take(in, tag, &content) || !is_minimal(content) || der_len(content) > 7)
		return false;
	uint64_t bits = *content.at & 0x80 ? UINT64_MAX : 0;
	for (const uint8_t *at = content.at; at != content.end; at++)
		bits = bits << 8 | *at;
	*value = (int64_t)bits;
	return true;
}

/* X.690 8.19.2: no arc begins with 0x80, and the last one ends. */
bool der_take_oid(struct der *in, struct der *content)
{
	if (!der_take(in, DER_OID, content) || der_len(*content) == 0 || content->end[-1] & 0x80)
		return false;
	bool begins = true;
	for (const uint8_t *at = content->at; at != content->end; at++) {
		if (begins && *at == 0x80)
			return false;
		begins = !(*at & 0x80);
	}
	return true;
}

bool der_take_octets(struct der *in, struct der *content)
{
	return der_take(in, DER_OCTET_STRING, content);
}

bool der_take_bits(struct der *in, struct der *bits)
{
	if (!der_take(in, DER_BIT_STRING, bits) || der_len(*bits) == 0 || *bits->at != 0)
		return false;
	bits->at++;
	return true;
}

bool der_take_null(struct der *in)
{
	struct der content;

	return der_take(in, DER_NULL, &content) && der_len(content) == 0;
}

static int two_digits(const uint8_t *at)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return -1;
	return (at[0] - '0') * 10 + (at[1] - '0');
}

/* MMDDHHMMSSZ; time_from_civil() refuses the -1 of what is no digit. */
static bool after_year(const uint8_t *at, int year, int64_t *out)
{
	if (at[10] != 'Z')
		return false;
	return time_from_civil(out, year, two_digits(at), two_digits(at + 2), two_digits(at + 4), two_digits(at + 6),
			       two_digits(at + 8));
}

bool der_take_time(struct der *in, int64_t *at)
{
	struct der text;

	if (!der_take(in, DER_GENERALIZED_TIME, &text) || der_len(text) != 15)
		return false;
	int century = two_digits(text.at), year = two_digits(text.at + 2);
	if (century < 0 || year < 0)
		return false;
	return after_year(text.at + 4, century * 100 + year, at);
}

bool der_take_validity_time(struct der *in, int64_t *at)
{
	struct der text;

	if (der_next_is(in, DER_GENERALIZED_TIME))
		return der_take_time(in, at);
	if (!der_take(in, DER_UTC_TIME, &text) || der_len(text) != 13)
		return false;
	int year = two_digits(text.at);
	/* RFC 5280 4.1.2.5.1: 50 to 99 are 19YY, 00 to 49 are 20YY. */
	return year >= 0 && after_year(text.at + 2, year >= 50 ? 1900 + year : 2000 + year, at);
}

static bool well_formed(struct der content, unsigned depth)
{
	struct der inner, whole;
	uint8_t tag;

	while (!der_at_end(&content)) {
		if (!der_take_any(&content, &tag, &inner, &whole))
			return false;
		if (tag & 0x20 && (depth == 0 || !well_formed(inner, depth - 1)))
			return false;
	}
	return true;
}

bool der_is_well_formed(struct der content)
{
	return well_formed(content, 16);
}

bool der_take_extension(struct der *in, struct der_extension *out)
{
	struct der extension;

	out->critical = false;
	if (!der_take(in, DER_SEQUENCE, &extension) || !der_take_oid(&extension, &out->oid))
		return false;
	bool written = der_next_is(&extension, DER_BOOLEAN);
	if (written && !der_take_boolean(&extension, &out->critical))
		return false;
	out->default_written = written && !out->critical;
	return der_take_octets(&extension, &out->value) && der_at_end(&extension);
}

bool der_extension_repeats(struct der all, const struct der_extension *extension)
{
	struct der_extension earlier;

	while (der_take_extension(&all, &earlier) && earlier.oid.at < extension->oid.at)
		if (der_equals(earlier.oid, extension->oid))
			return true;
	return false;
}

enum der_list der_take_extensions(struct der *in, unsigned n, bool defaults, struct der *all)
{
	uint8_t tag = (uint8_t)DER_CONTEXT(n);
	struct der_extension one;
	struct der outer;
	unsigned count = 0;

	*all = der_of(in->end, 0);
	if (!der_next_is(in, tag))
		return DER_LIST_GOOD;
	if (!der_take(in, tag, &outer) || !der_take(&outer, DER_SEQUENCE, all) || !der_at_end(&outer) || der_at_end(all))
		return DER_LIST_MALFORMED;
	for (struct der left = *all; !der_at_end(&left);) {
		if (count++ == DER_EXTENSIONS_MAX || !der_take_extension(&left, &one))
			return DER_LIST_MALFORMED;
		if (one.default_written && !defaults)
			return DER_LIST_MALFORMED;
		if (der_extension_repeats(*all, &one))
			return DER_LIST_REPEATED;
	}
	return DER_LIST_GOOD;
}
