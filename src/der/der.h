/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A strict DER reader that copies nothing (X.690): definite and minimal lengths only, one-byte tags only, nothing read past
 * the end. A `struct der` is a view of bytes still to read; every take moves it on. A function that returns false leaves its
 * outputs unspecified; what it read from is then of no use any more.
 */
#ifndef DER_DER_H
#define DER_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct der {
	const uint8_t *at, *end;
};

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0xa0 | (n))           /* [n] constructed: EXPLICIT, or IMPLICIT of a SEQUENCE */
#define DER_CONTEXT_PRIMITIVE(n) (0x80 | (n)) /* [n] IMPLICIT of a primitive type */

/* `bytes` may be NULL where `len` is 0. */
static inline struct der der_of(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	return (struct der){ at, len ? at + len : at };
}

static inline size_t der_len(struct der view)
{
	return (size_t)(view.end - view.at);
}

static inline bool der_at_end(const struct der *in)
{
	return in->at == in->end;
}

static inline bool der_next_is(const struct der *in, uint8_t tag)
{
	return in->at != in->end && *in->at == tag;
}

bool der_equals(struct der a, struct der b);
bool der_equals_bytes(struct der a, const void *bytes, size_t len);

/* The next element, which must have this tag: its content. */
bool der_take(struct der *in, uint8_t tag, struct der *content);

/* The next element whole, with its header; its tag. */
bool der_take_any(struct der *in, uint8_t *tag, struct der *content, struct der *whole);

/* The next element with this tag, whole, with its header, and its content. */
bool der_take_whole(struct der *in, uint8_t tag, struct der *content, struct der *whole);

/* The same of up to 4 GiB, where all others take 16 MiB: for a CRL, which has no other limit. */
bool der_take_large(struct der *in, uint8_t tag, struct der *content, struct der *whole);

bool der_take_boolean(struct der *in, bool *value);               /* 00 or FF */
bool der_take_integer(struct der *in, struct der *content);       /* minimal */
bool der_take_small(struct der *in, uint8_t tag, int64_t *value); /* minimal INTEGER or ENUMERATED of at most 7 bytes */
bool der_take_oid(struct der *in, struct der *content);           /* well-formed arcs */
bool der_take_octets(struct der *in, struct der *content);
bool der_take_bits(struct der *in, struct der *bits); /* a whole number of bytes */
bool der_take_null(struct der *in);
bool der_take_time(struct der *in, int64_t *at);          /* GeneralizedTime YYYYMMDDHHMMSSZ */
bool der_take_validity_time(struct der *in, int64_t *at); /* that, or UTCTime YYMMDDHHMMSSZ (RFC 5280 4.1.2.5) */

/* Is everything in `content` well-formed, to a depth of 16? For what is compared but not read, such as a Name. */
bool der_is_well_formed(struct der content);

/* An Extension of X.509 and of OCSP (RFC 5280 4.1): one taken from the SEQUENCE OF that `in` stands in. */
struct der_extension {
	struct der oid, value; /* value: what is in the OCTET STRING */
	bool critical;
	bool default_written; /* critical FALSE stands there, which DER leaves out: for the caller to refuse */
};
bool der_take_extension(struct der *in, struct der_extension *out);

/* The most that one list may hold: finding a repeated one compares each with all before it. */
#define DER_EXTENSIONS_MAX 64
/* Does the OID of `extension` stand in [all.at, extension) already? `all` is where taking began. */
bool der_extension_repeats(struct der all, const struct der_extension *extension);

enum der_list { DER_LIST_GOOD, DER_LIST_MALFORMED, DER_LIST_REPEATED };
/*
 * Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension, under [n] EXPLICIT, none of them twice (RFC 5280 4.2): what stands in
 * the SEQUENCE, nothing when it is absent. With `defaults` a critical FALSE may be written, as some certificates have it.
 */
enum der_list der_take_extensions(struct der *in, unsigned n, bool defaults, struct der *all);

#endif
