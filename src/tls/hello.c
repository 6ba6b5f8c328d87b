/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls/hello.h"
#include <string.h>

struct view {
	const uint8_t *at, *end;
};

static bool take(struct view *in, size_t n, struct view *out)
{
	if ((size_t)(in->end - in->at) < n)
		return false;
	*out = (struct view){ in->at, in->at + n };
	in->at += n;
	return true;
}

static bool take_number(struct view *in, unsigned bytes, size_t *out)
{
	struct view view;

	if (!take(in, bytes, &view))
		return false;
	for (*out = 0; view.at != view.end; view.at++)
		*out = *out << 8 | *view.at;
	return true;
}

/* A vector with a length of so many bytes before it (RFC 8446 3.4). */
static bool take_vector(struct view *in, unsigned bytes, struct view *out)
{
	size_t len;

	return take_number(in, bytes, &len) && take(in, len, out);
}

/*
 * By the IANA registry of cipher suites: ECDHE_ECDSA takes ECDSA and EdDSA keys (RFC 8422 5.5), DHE_RSA and ECDHE_RSA both
 * kinds of RSA, and key transport by RSA the kind that can decrypt.
 */
static const uint16_t ecdhe_ecdsa[] = { 0xc006, 0xc007, 0xc008, 0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c,
					0xc072, 0xc073, 0xc086, 0xc087, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xcca9 };
static const uint16_t dhe_rsa[] = { 0x0016, 0x0033, 0x0039, 0x0045, 0x0067, 0x006b, 0x0088, 0x009e, 0x009f, 0x00be, 0x00c4,
				    0xc07c, 0xc07d, 0xc09e, 0xc09f, 0xc0a2, 0xc0a3, 0xccaa, 0xc010, 0xc011, 0xc012, 0xc013,
				    0xc014, 0xc027, 0xc028, 0xc02f, 0xc030, 0xc076, 0xc077, 0xc08a, 0xc08b, 0xcca8 };
static const uint16_t rsa[] = { 0x0001, 0x0002, 0x0004, 0x0005, 0x000a, 0x002f, 0x0035, 0x003b, 0x003c, 0x003d, 0x0041,
				0x0084, 0x009c, 0x009d, 0x00ba, 0x00c0, 0xc07a, 0xc07b, 0xc09c, 0xc09d, 0xc0a0, 0xc0a1 };

static bool is_among(const uint16_t *list, size_t n, size_t suite)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == suite)
			return true;
	return false;
}

#define AMONG(list, suite) is_among(list, sizeof(list) / sizeof((list)[0]), suite)

static unsigned keys_of_suite(size_t suite)
{
	if (AMONG(ecdhe_ecdsa, suite))
		return HELLO_ECC;
	if (AMONG(dhe_rsa, suite))
		return HELLO_ANY_RSA;
	return AMONG(rsa, suite) ? HELLO_RSA : 0;
}

/* SignatureScheme (RFC 8446 4.2.3). In TLS 1.3 an ECDSA scheme names its curve; in TLS 1.2 it names the hash alone. */
static const struct scheme {
	uint16_t code;
	uint8_t keys_13, keys_12;
} schemes[] = {
	{ 0x0403, HELLO_P256, HELLO_ECDSA },
	{ 0x0503, HELLO_P384, HELLO_ECDSA },
	{ 0x0603, HELLO_P521, HELLO_ECDSA },
	{ 0x0303, 0, HELLO_ECDSA },
	{ 0x0203, 0, HELLO_ECDSA },
	{ 0x0804, HELLO_RSA, HELLO_RSA },
	{ 0x0805, HELLO_RSA, HELLO_RSA },
	{ 0x0806, HELLO_RSA, HELLO_RSA },
	{ 0x0809, HELLO_RSA_PSS, HELLO_RSA_PSS },
	{ 0x080a, HELLO_RSA_PSS, HELLO_RSA_PSS },
	{ 0x080b, HELLO_RSA_PSS, HELLO_RSA_PSS },
	{ 0x0401, 0, HELLO_RSA },
	{ 0x0501, 0, HELLO_RSA },
	{ 0x0601, 0, HELLO_RSA },
	{ 0x0301, 0, HELLO_RSA },
	{ 0x0201, 0, HELLO_RSA },
	{ 0x0807, HELLO_ED25519, HELLO_ED25519 },
	{ 0x0808, HELLO_ED448, HELLO_ED448 },
};

static void add_scheme(struct hello *out, size_t code)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (schemes[i].code != code)
			continue;
		out->keys_13 |= schemes[i].keys_13;
		out->keys_12 |= schemes[i].keys_12;
	}
}

static bool take_schemes(struct hello *out, struct view in)
{
	struct view list;
	size_t scheme;

	if (!take_vector(&in, 2, &list) || in.at != in.end)
		return false;
	while (list.at != list.end) {
		if (!take_number(&list, 2, &scheme))
			return false;
		add_scheme(out, scheme);
	}
	return true;
}

/* RFC 8422 5.1.1: in TLS 1.2 the curve of an ECDSA key must be among the supported groups. */
static bool take_groups(unsigned *curves, struct view in)
{
	struct view list;
	size_t group;

	if (!take_vector(&in, 2, &list) || in.at != in.end)
		return false;
	while (list.at != list.end) {
		if (!take_number(&list, 2, &group))
			return false;
		*curves |= group == 23 ? HELLO_P256 : group == 24 ? HELLO_P384 : group == 25 ? HELLO_P521 : 0;
	}
	return true;
}

#define SUPPORTED_GROUPS 10
#define SIGNATURE_ALGORITHMS 13

struct seen {
	bool schemes, groups;
	unsigned curves;
};

static bool take_extensions(struct hello *out, struct view in, struct seen *seen)
{
	struct view list, body;
	size_t type;

	if (in.at == in.end)
		return true;
	if (!take_vector(&in, 2, &list) || in.at != in.end)
		return false;
	while (list.at != list.end) {
		if (!take_number(&list, 2, &type) || !take_vector(&list, 2, &body))
			return false;
		if (type == SIGNATURE_ALGORITHMS) {
			seen->schemes = true;
			if (!take_schemes(out, body))
				return false;
		} else if (type == SUPPORTED_GROUPS) {
			seen->groups = true;
			if (!take_groups(&seen->curves, body))
				return false;
		}
	}
	return true;
}

static bool take_suites(struct hello *out, struct view in)
{
	size_t suite;

	while (in.at != in.end) {
		if (!take_number(&in, 2, &suite))
			return false;
		unsigned keys = keys_of_suite(suite);
		/* Only changes of mind matter: two suites in a row with the same keys are one. */
		if (keys && out->n_suites < HELLO_SUITES && (!out->n_suites || out->suite[out->n_suites - 1] != keys))
			out->suite[out->n_suites++] = (uint8_t)keys;
	}
	return true;
}

static bool parse(struct hello *out, struct view in)
{
	struct view version, skipped, suites;
	struct seen seen = { .curves = 0 };

	/* legacy_version, random, legacy_session_id */
	if (!take(&in, 2, &version) || !take(&in, 32, &skipped) || !take_vector(&in, 1, &skipped))
		return false;
	/* DTLS counts its versions down from 0xfeff, and has a cookie here (RFC 6347 4.2.1). */
	if (version.at[0] == 0xfe && !take_vector(&in, 1, &skipped))
		return false;
	/* cipher_suites, legacy_compression_methods, extensions */
	if (!take_vector(&in, 2, &suites) || !take_vector(&in, 1, &skipped) || !take_suites(out, suites) ||
	    !take_extensions(out, in, &seen))
		return false;
	if (!seen.schemes) /* RFC 5246 7.4.1.4.1: SHA-1 with whatever the suite takes */
		out->keys_12 = HELLO_RSA | HELLO_ECDSA;
	if (seen.groups)
		out->keys_12 &= seen.curves | ~(unsigned)HELLO_ECDSA;
	return true;
}

bool hello_parse(struct hello *out, const uint8_t *bytes, size_t len)
{
	memset(out, 0, sizeof(*out));
	if (!parse(out, (struct view){ bytes, bytes + len }))
		memset(out, 0, sizeof(*out));
	else
		out->parsed = true;
	return out->parsed;
}
