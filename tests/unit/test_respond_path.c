/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The request in a GET's path, in all the forms that clients and proxies leave it in. */
#include "respond/path.h"
#include "unit.h"
#include <string.h>
#include <time.h>

/* A SEQUENCE of eight bytes whose base64 has both characters that a path does not like, and padding. */
#define BYTES "30 08 fb ef be ff ff ff 3e 01"
#define BASE64 "MAj7777///8+AQ=="

static void is_read_as(const char *path, struct blob want)
{
	uint8_t bytes[64];
	size_t len = 0;

	check_int(path, path_decode(bytes, sizeof(bytes), &len, path, strlen(path)), PATH_REQUEST);
	check_int(path, len, want.len);
	check(path, memcmp(bytes, want.data, len) == 0);
}

static void reads_every_form_of_the_same_request(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"/" BASE64,
		"/MAj7777%2F%2F%2F8%2BAQ%3D%3D",
		"/MAj7777%2f%2f%2f8%2bAQ%3d%3d",
		"/MAj7777/%2F/8%2BAQ==",
		"/%4d%41j7777///8+AQ==",
		"/MAj7777___8-AQ==",
		"/MAj7777_/_8-AQ",
		"/MAj7777///8+AQ",
		"//" BASE64,
		"///" BASE64,
		BASE64,
		"/ocsp/" BASE64,
		"/ocsp//" BASE64,
		"/a/b.c/d-e/" BASE64,
		"/Mail/M/My/" BASE64,
		"/ocsp/MAj7777%2F%2F%2F8%2BAQ%3D%3D",
		"/ocsp%2FMAj7777%2F%2F%2F8%2BAQ",
		"http://ocsp.example.org/" BASE64,
		"HTTPS://[::1]:8080/a/" BASE64,
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		is_read_as(rows[i], blob_hex(BYTES));
}

static void hands_on_what_is_base64_and_no_request(void **state)
{
	(void)state;
	is_read_as("/abcd", blob_hex("69 b7 1d"));
	is_read_as("/MAj7", blob_hex("30 08 fb"));
	is_read_as("/MAj7777///8+AQAA", blob_hex("30 08 fb ef be ff ff ff 3e 01 00 00"));
}

static void tells_what_is_no_base64_from_no_question(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		enum path_kind kind;
	} rows[] = {
		{ "/", PATH_EMPTY },
		{ "", PATH_EMPTY },
		{ "//", PATH_EMPTY },
		{ "http://ocsp.example.org/", PATH_EMPTY },
		{ "http://ocsp.example.org", PATH_EMPTY },
		{ "http://ocsp.example.org/a", PATH_BAD },
		{ "ftp://ocsp.example.org/", PATH_BAD },
		{ "/%", PATH_BAD },
		{ "/%4", PATH_BAD },
		{ "/%zz", PATH_BAD },
		{ "/MAj7777%2", PATH_BAD },
		{ "/MAj7777%2G", PATH_BAD },
		{ "/MAj7777///8+AQ%00", PATH_BAD },
		{ "/MAj7777///8+AQ== ", PATH_BAD },
		{ "/MAj7777///8+AQ=", PATH_BAD },
		{ "/MAj7777///8+AQ===", PATH_BAD },
		{ "/MAj7777///8+A=Q=", PATH_BAD },
		{ "/MAj7777///8+AR==", PATH_BAD }, /* bits that encode nothing */
		{ "/M", PATH_BAD },
		{ "/MAj77", PATH_BAD },
		{ "/=", PATH_BAD },
		{ "/favicon.ico", PATH_BAD },
		{ "/\xc3\xa4", PATH_BAD },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[64];
		size_t len;

		check_int(rows[i].path, path_decode(bytes, sizeof(bytes), &len, rows[i].path, strlen(rows[i].path)),
			  rows[i].kind);
	}
}

static void writes_no_more_than_there_is_room_for(void **state)
{
	(void)state;
	uint8_t bytes[11];
	size_t len;

	memset(bytes, 0xaa, sizeof(bytes));
	assert_int_equal(path_decode(bytes, 10, &len, "/" BASE64, strlen("/" BASE64)), PATH_REQUEST);
	assert_int_equal(bytes[10], 0xaa);
	assert_int_equal(path_decode(bytes, 9, &len, "/" BASE64, strlen("/" BASE64)), PATH_BAD);
}

/* Each "/M" could be where a request begins: the work stays in proportion. */
static void a_path_full_of_beginnings_costs_a_few_walks(void **state)
{
	(void)state;
	static char path[8192];
	static uint8_t bytes[8192];
	size_t len;

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? 'M' : '/';
	clock_t before = clock();
	for (int i = 0; i < 200; i++)
		path_decode(bytes, sizeof(bytes), &len, path, sizeof(path));
	assert_true(clock() - before < 3 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_every_form_of_the_same_request),        T(hands_on_what_is_base64_and_no_request),
		T(tells_what_is_no_base64_from_no_question),    T(writes_no_more_than_there_is_room_for),
		T(a_path_full_of_beginnings_costs_a_few_walks),
	};
	return cmocka_run_group_tests_name("respond_path", tests, NULL, NULL);
}
