/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "maker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (8u << 20)

static _Alignas(16) uint8_t arena[ARENA_SIZE];
static size_t arena_used;

static void die(const char *what)
{
	fprintf(stderr, "maker: %s\n", what);
	abort();
}

void maker_reset(void)
{
	arena_used = 0;
}

static uint8_t *take(size_t len)
{
	if (len > ARENA_SIZE - arena_used)
		die("the arena is full");
	uint8_t *at = arena + arena_used;
	arena_used += len;
	return at;
}

struct blob blob_of(const void *bytes, size_t len)
{
	uint8_t *at = take(len);
	if (len > 0)
		memcpy(at, bytes, len);
	return (struct blob){ at, len };
}

struct blob blob_text(const char *text)
{
	return blob_of(text, strlen(text));
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	die("not a hexadecimal digit");
	return 0;
}

struct blob blob_hex(const char *digits)
{
	uint8_t *start = take(strlen(digits) / 2), *at = start;
	while (*digits) {
		if (*digits == ' ') {
			digits++;
			continue;
		}
		*at++ = (uint8_t)(nibble(digits[0]) << 4 | nibble(digits[1]));
		digits += 2;
	}
	return (struct blob){ start, (size_t)(at - start) };
}

struct blob blob_fill(uint8_t byte, size_t len)
{
	uint8_t *at = take(len);
	memset(at, byte, len);
	return (struct blob){ at, len };
}

struct blob blob_cat(const struct blob *parts)
{
	size_t len = 0;
	for (const struct blob *part = parts; part->len != SIZE_MAX; part++)
		len += part->len;
	uint8_t *start = take(len), *at = start;
	for (const struct blob *part = parts; part->len != SIZE_MAX; part++) {
		if (part->len > 0)
			memcpy(at, part->data, part->len);
		at += part->len;
	}
	return (struct blob){ start, len };
}

gnutls_datum_t blob_datum(struct blob blob)
{
	/* A datum has no const; nobody writes through it. */
	return (gnutls_datum_t){ arena + (blob.data - arena), (unsigned)blob.len };
}

struct blob tlv(uint8_t tag, struct blob content)
{
	uint8_t header[6] = { tag };
	size_t n = 1;
	if (content.len < 0x80) {
		header[n++] = (uint8_t)content.len;
	} else {
		unsigned width = content.len < 0x100 ? 1 : content.len < 0x10000 ? 2 : 3;
		header[n++] = (uint8_t)(0x80 | width);
		while (width-- > 0)
			header[n++] = (uint8_t)(content.len >> (8 * width));
	}
	return CAT(blob_of(header, n), content);
}

struct blob oid(const char *digits)
{
	return tlv(0x06, blob_hex(digits));
}

struct blob null_value(void)
{
	return blob_hex("0500");
}

struct blob boolean(int value)
{
	return blob_hex(value ? "0101ff" : "010100");
}

struct blob enumerated(uint8_t value)
{
	return tlv(0x0a, blob_of(&value, 1));
}

struct blob generalized(const char *text)
{
	return tlv(0x18, blob_text(text));
}

struct blob bits(struct blob content)
{
	return tlv(0x03, CAT(blob_hex("00"), content));
}

struct blob common_name(const char *text)
{
	if (!text)
		return tlv(0x30, BLOB_NONE);
	return SEQ(SET_OF(SEQ(oid("550403"), tlv(0x0c, blob_text(text)))));
}

struct blob extension(const char *oid_digits, int critical, struct blob value)
{
	return SEQ(oid(oid_digits), critical < 0 ? BLOB_NONE : boolean(critical), tlv(0x04, value));
}

struct blob eku_ocsp_signing(void)
{
	return extension(X_EXTENDED_KEY_USAGE, -1, SEQ(oid("2b06010505070309")));
}

struct blob access_info_ocsp(const char *url)
{
	return extension(X_ACCESS_INFO, -1, SEQ(SEQ(oid("2b06010505073001"), tlv(0x86, blob_text(url)))));
}

struct blob must_staple(void)
{
	return extension(X_TLS_FEATURE, -1, SEQ(blob_hex("020105")));
}

struct blob ca_constraints(void)
{
	return extension(X_BASIC_CONSTRAINTS, 1, SEQ(boolean(1)));
}
