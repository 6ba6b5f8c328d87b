/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which keys a ClientHello asks for. The hellos are written by hand from RFC 8446 4.1.2 and RFC 5246 7.4.1.2. */
#include "tls/hello.h"
#include "unit.h"
#include <string.h>

#define RANDOM "0000000000000000000000000000000000000000000000000000000000000000"
#define HEAD "0303" RANDOM "00" /* version, random, empty session id */
#define NULL_COMPRESSION "0100"
#define GROUPS_P256_X25519 "000a 0006 0004 0017 001d"
#define GROUPS_P384 "000a 0004 0002 0018"
#define SIGS_ECDSA_P256 "000d 0004 0002 0403"
#define SIGS_RSA "000d 0008 0006 0804 0401 0501"
#define SIGS_BOTH "000d 0006 0004 0403 0401"
#define SIGS_EDDSA "000d 0004 0002 0807"
#define SIGS_PSS_KEY "000d 0004 0002 0809"

static const struct row {
	const char *name, *hex;
	bool parsed;
	unsigned keys_13, keys_12;
	uint8_t suite[4];
	unsigned n_suites;
} rows[] = {
	{ "ECDSA and RSA, ECDSA first",
	  HEAD "0004 c02b c02f" NULL_COMPRESSION "0014" SIGS_BOTH GROUPS_P256_X25519,
	  true,
	  HELLO_P256,
	  HELLO_RSA | HELLO_P256,
	  { HELLO_ECC, HELLO_ANY_RSA },
	  2 },
	{ "RSA first",
	  HEAD "0004 c02f c02b" NULL_COMPRESSION "0014" SIGS_BOTH GROUPS_P256_X25519,
	  true,
	  HELLO_P256,
	  HELLO_RSA | HELLO_P256,
	  { HELLO_ANY_RSA, HELLO_ECC },
	  2 },
	{ "TLS 1.3 suites authenticate with nothing",
	  HEAD "0006 1301 1302 c02b" NULL_COMPRESSION "0008" SIGS_ECDSA_P256,
	  true,
	  HELLO_P256,
	  HELLO_ECDSA,
	  { HELLO_ECC },
	  1 },
	{ "key transport takes a key that decrypts",
	  HEAD "0002 009c" NULL_COMPRESSION "000c" SIGS_RSA,
	  true,
	  HELLO_RSA,
	  HELLO_RSA,
	  { HELLO_RSA },
	  1 },
	{ "a curve the client has not",
	  HEAD "0002 c02b" NULL_COMPRESSION "0010" SIGS_ECDSA_P256 GROUPS_P384,
	  true,
	  HELLO_P256,
	  HELLO_P384,
	  { HELLO_ECC },
	  1 },
	{ "EdDSA",
	  HEAD "0002 c02b" NULL_COMPRESSION "0008" SIGS_EDDSA,
	  true,
	  HELLO_ED25519,
	  HELLO_ED25519,
	  { HELLO_ECC },
	  1 },
	{ "a key for PSS only",
	  HEAD "0002 c02f" NULL_COMPRESSION "0008" SIGS_PSS_KEY,
	  true,
	  HELLO_RSA_PSS,
	  HELLO_RSA_PSS,
	  { HELLO_ANY_RSA },
	  1 },
	{ "no extensions at all: SHA-1, RSA or ECDSA",
	  HEAD "0002 002f" NULL_COMPRESSION,
	  true,
	  0,
	  HELLO_RSA | HELLO_ECDSA,
	  { HELLO_RSA },
	  1 },
	{ "DTLS has a cookie",
	  "fefd" RANDOM "00"
	  "02 aabb"
	  "0002 c02b" NULL_COMPRESSION "0008" SIGS_ECDSA_P256,
	  true,
	  HELLO_P256,
	  HELLO_ECDSA,
	  { HELLO_ECC },
	  1 },
	{ "a suite nobody knows",
	  HEAD "0004 eaea c02b" NULL_COMPRESSION "0008" SIGS_ECDSA_P256,
	  true,
	  HELLO_P256,
	  HELLO_ECDSA,
	  { HELLO_ECC },
	  1 },
	{ "nothing", "", false, 0, 0, { 0 }, 0 },
	{ "cut in the random", "0303 0000", false, 0, 0, { 0 }, 0 },
	{ "half a suite", HEAD "0003 c02bc0" NULL_COMPRESSION, false, 0, 0, { 0 }, 0 },
	{ "suites longer than the message", HEAD "ffff c02b", false, 0, 0, { 0 }, 0 },
	{ "extensions longer than the message", HEAD "0002 c02b" NULL_COMPRESSION "0100", false, 0, 0, { 0 }, 0 },
	{ "bytes behind the extensions",
	  HEAD "0002 c02b" NULL_COMPRESSION "0008" SIGS_ECDSA_P256 "00",
	  false,
	  0,
	  0,
	  { 0 },
	  0 },
	{ "half a signature scheme", HEAD "0002 c02b" NULL_COMPRESSION "0007 000d 0003 0001 04", false, 0, 0, { 0 }, 0 },
	{ "a list that disagrees with its extension",
	  HEAD "0002 c02b" NULL_COMPRESSION "0008 000d 0004 0004 0403",
	  false,
	  0,
	  0,
	  { 0 },
	  0 },
};

static void each_hello_is_read_as_it_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *row = &rows[i];
		struct blob bytes = blob_hex(row->hex);
		struct hello hello;
		check_int(row->name, hello_parse(&hello, bytes.data, bytes.len), row->parsed);
		check_int(row->name, hello.parsed, row->parsed);
		check_int(row->name, hello.keys_13, row->keys_13);
		check_int(row->name, hello.keys_12, row->keys_12);
		check_int(row->name, hello.n_suites, row->n_suites);
		check(row->name, memcmp(hello.suite, row->suite, row->n_suites) == 0);
	}
}

/* Cut anywhere: never read past the end (the sanitizers watch), never half a result. */
static void a_cut_hello_is_no_hello(void **state)
{
	(void)state;
	struct blob bytes = blob_hex(rows[0].hex);
	for (size_t len = 0; len < bytes.len; len++) {
		struct hello hello;
		struct blob cut = blob_of(bytes.data, len);
		bool parsed = hello_parse(&hello, cut.data, cut.len);
		/* Without any extension it is whole: RFC 5246 lets the list be absent. */
		assert_int_equal(parsed, len == bytes.len - 22);
		assert_true(parsed || hello.n_suites == 0);
	}
}

static void a_thousand_suites_are_bounded(void **state)
{
	(void)state;
	static uint8_t bytes[2 + 32 + 1 + 2 + 4000 + 2];
	bytes[0] = bytes[1] = 3;
	bytes[35] = 4000 >> 8;
	bytes[36] = 4000 & 0xff;
	for (unsigned i = 0; i < 2000; i++) {
		bytes[37 + 2 * i] = 0xc0;
		bytes[38 + 2 * i] = i % 2 ? 0x2b : 0x2f;
	}
	bytes[37 + 4000] = 1;
	struct hello hello;
	assert_true(hello_parse(&hello, bytes, sizeof(bytes)));
	assert_int_equal(hello.n_suites, HELLO_SUITES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_hello_is_read_as_it_stands),
		T(a_cut_hello_is_no_hello),
		T(a_thousand_suites_are_bounded),
	};
	return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
