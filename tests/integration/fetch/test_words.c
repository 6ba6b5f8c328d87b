/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure parts of fetching: URLs and the border of GET, classes of addresses, header fields, whose turn it is, which
 * proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "fetch/http.h"
#include "fetch/url.h"
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define NOW INT64_C(1764000000) /* 2025-11-24T16:00:00Z */

/* ---- URLs ---- */

static struct url vetted(const char *text)
{
	struct url url;
	const char *why = "";

	if (!url_vet(&url, text, strlen(text), &why))
		fail_msg("%s: %s", text, why);
	return url;
}

static void vets_urls(void **state)
{
	static const struct {
		const char *in, *out, *lane;
	} rows[] = {
		{ "http://ocsp.example.org", "http://ocsp.example.org/", "http://ocsp.example.org:80" },
		{ "HTTP://OCSP.Example.org/A", "http://OCSP.Example.org/A", "http://ocsp.example.org:80" },
		{ "http://ocsp.example.org:8080/x?y=1#z", "http://ocsp.example.org:8080/x?y=1",
		  "http://ocsp.example.org:8080" },
		{ "https://user:secret@ocsp.example.org/a", "https://ocsp.example.org/a", "https://ocsp.example.org:443" },
		{ "http://[2001:db8::1]:81/", "http://[2001:db8::1]:81/", "http://[2001:db8::1]:81" },
		{ "http://example.org/a/../b//", "http://example.org/a/../b//", "http://example.org:80" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct url url = vetted(rows[i].in);

		assert_string_equal(url.text, rows[i].out);
		assert_string_equal(url.lane, rows[i].lane);
	}
}

static void refuses_what_is_not_http(void **state)
{
	static const char *const bad[] = { "",
					   "ocsp.example.org",
					   "ftp://example.org/",
					   "file:///etc/passwd",
					   "ldap://example.org/",
					   "http://",
					   "http:///x",
					   "http://a b/",
					   "http://example.org/\n",
					   "http://example.org/\x7f",
					   "http://\xc3\xa4.example/",
					   "javascript:1",
					   "http://example.org:99999/",
					   "http://exa\\mple.org:x/" };
	struct url url;
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		why = NULL;
		if (url_vet(&url, bad[i], strlen(bad[i]), &why))
			fail_msg("%s was taken as %s", bad[i], url.text);
		assert_non_null(why);
	}
	assert_false(url_vet(&url, "http://a\0b/", 11, &why));
}

static void refuses_a_url_of_more_than_1024_bytes(void **state)
{
	char text[URL_LEN_MAX + 2];
	struct url url;
	const char *why;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "http://example.org/", 19);
	assert_true(url_vet(&url, text, URL_LEN_MAX, &why));
	assert_int_equal(strlen(url.text), URL_LEN_MAX);
	assert_false(url_vet(&url, text, URL_LEN_MAX + 1, &why));
}

static void follows_locations(void **state)
{
	static const struct {
		const char *location, *out; /* NULL: refused */
	} rows[] = {
		{ "/other", "http://a.example/other" },
		{ "other", "http://a.example/x/other" },
		{ "//b.example/", "http://b.example/" },
		{ "https://b.example/q", "https://b.example/q" },
		{ "http://u:p@b.example/", "http://b.example/" },
		{ "file:///etc/passwd", NULL },
		{ "ftp://b.example/", NULL },
		{ "", NULL },
		{ "http://b.example/ x", NULL },
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct url url = vetted("http://a.example/x/y");

		assert_int_equal(url_follow(&url, &url, rows[i].location, &why), rows[i].out != NULL);
		if (rows[i].out)
			assert_string_equal(url.text, rows[i].out);
	}
}

static void escapes_base64_in_a_path(void **state)
{
	static uint8_t bytes[] = { 0xfb, 0xff, 0xfe, 0x00 }; /* base64 "+//+AA==" */
	gnutls_datum_t request = { bytes, sizeof(bytes) };
	struct url base = vetted("http://a.example/x/"), url;
	char path[URL_PATH_MAX + 1];

	(void)state;
	assert_int_equal(url_request_path(path, &request), 20);
	assert_string_equal(path, "%2B%2F%2F%2BAA%3D%3D");
	assert_true(url_for_get(&url, &base, &request));
	assert_string_equal(url.text, "http://a.example/x/%2B%2F%2F%2BAA%3D%3D");
	base = vetted("http://a.example/x");
	assert_true(url_for_get(&url, &base, &request));
	assert_string_equal(url.text, "http://a.example/x/%2B%2F%2F%2BAA%3D%3D");
	base = vetted("http://a.example/x?y");
	assert_false(url_for_get(&url, &base, &request));
}

/* 3 n bytes of zero are 4 n letters "A"; each leading 0xff 0xff 0xff is "////", which escaped is 12 letters. */
static size_t path_len(unsigned triples, unsigned slashes, unsigned rest)
{
	uint8_t bytes[300] = { 0 };
	char path[URL_PATH_MAX + 1];
	gnutls_datum_t request = { bytes, triples * 3 + rest };
	size_t len;

	memset(bytes, 0xff, slashes * 3);
	memset(path, '!', sizeof(path));
	len = url_request_path(path, &request);
	if (len)
		assert_int_equal(strlen(path), len);
	return len;
}

/* The lengths are even, so 254 is the longest that goes and 256 the shortest that does not. */
static void gets_at_most_255_bytes_of_path(void **state)
{
	(void)state;
	assert_int_equal(path_len(63, 0, 0), 252);
	assert_int_equal(path_len(62, 0, 2), 254); /* 62 * 4 + "AAA%3D" */
	assert_int_equal(path_len(62, 0, 1), 0);   /* 62 * 4 + "AA%3D%3D" = 256 */
	assert_int_equal(path_len(64, 0, 0), 0);   /* 256 */
}

static void counts_escapes_at_the_border(void **state)
{
	(void)state;
	assert_int_equal(path_len(61, 1, 0), 252); /* 60 * 4 + 12 */
	assert_int_equal(path_len(60, 1, 2), 254); /* 59 * 4 + 12 + "AAA%3D" */
	assert_int_equal(path_len(62, 1, 0), 0);   /* 61 * 4 + 12 = 256 */
	assert_int_equal(path_len(61, 1, 2), 0);   /* 258 */
}

static void fits_the_longest_url_and_path(void **state)
{
	uint8_t bytes[189] = { 0 };
	gnutls_datum_t request = { bytes, sizeof(bytes) };
	char text[URL_LEN_MAX + 1];
	struct url base, url;
	const char *why;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "http://example.org/", 19);
	assert_true(url_vet(&base, text, URL_LEN_MAX, &why));
	assert_true(url_for_get(&url, &base, &request));
	assert_int_equal(strlen(url.text), URL_LEN_MAX + 1 + 252);
}

/* ---- header fields ---- */

static void reads_retry_after(void **state)
{
	static const struct {
		const char *value;
		int64_t seconds; /* -1: refused */
	} rows[] = {
		{ "0", 0 },
		{ "120", 120 },
		{ "99999999999999999999999", HTTP_SECONDS_MAX },
		{ "-1", -1 },
		{ "12x", -1 },
		{ "soon", -1 },
		{ "", -1 },
		{ "Mon, 24 Nov 2025 16:02:00 GMT", 120 },
		{ "Monday, 24-Nov-25 16:02:00 GMT", 120 },
		{ "Mon, 24 Nov 2025 15:00:00 GMT", 0 },
		{ "Fri, 24 Nov 2034 16:00:00 GMT", HTTP_SECONDS_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t seconds = -1;

		if (http_retry_after(&seconds, rows[i].value, NOW) != (rows[i].seconds >= 0) || seconds != rows[i].seconds)
			fail_msg("\"%s\" is %lld", rows[i].value, (long long)seconds);
	}
}

static void reads_max_age(void **state)
{
	static const struct {
		const char *value;
		int64_t seconds;
	} rows[] = {
		{ "max-age=60", 60 },     { "public, MAX-AGE=60, no-transform", 60 },
		{ "max-age=\"60\"", 60 }, { "s-maxage=5", -1 },
		{ "no-cache", -1 },       { "max-age=", -1 },
		{ "max-age=-1", -1 },     { "private,max-age=7", 7 },
		{ "x-max-age=1", -1 },    { "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t seconds = -1;

		if (http_max_age(&seconds, rows[i].value) != (rows[i].seconds >= 0) || seconds != rows[i].seconds)
			fail_msg("\"%s\" is %lld", rows[i].value, (long long)seconds);
	}
}

static bool line(struct http_head *head, const char *text)
{
	return http_head_line(head, text, strlen(text), NOW);
}

static void begins_anew_at_each_status_line(void **state)
{
	struct http_head head = { 0 };

	(void)state;
	assert_true(line(&head, "HTTP/1.1 103 Early Hints\r\n") && line(&head, "Retry-After: 5\r\n") && line(&head, "\r\n"));
	assert_true(head.complete);
	assert_true(line(&head, "HTTP/1.1 200 OK\r\n"));
	assert_false(head.complete);
	assert_int_equal(head.retry_after_s, -1);
	assert_true(line(&head, "date:Mon, 24 Nov 2025 16:00:30 GMT \r\n") && line(&head, "AGE: 7\r\n") &&
		    line(&head, "Location: /a\r\n"));
	assert_true(line(&head, "Location: /b\r\n") && line(&head, "no colon here\r\n") && line(&head, ": no name\r\n") &&
		    line(&head, "\r\n"));
	assert_true(head.complete && head.has_date && head.date == NOW + 30 && head.age_s == 7);
	assert_string_equal(head.location, "/a");
}

static void does_not_keep_a_location_that_is_too_long(void **state)
{
	char text[URL_LEN_MAX + 32];
	struct http_head head = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "Location: ", 10);
	assert_true(http_head_line(&head, text, 10 + URL_LEN_MAX, NOW));
	assert_int_equal(strlen(head.location), URL_LEN_MAX);
	head = (struct http_head){ 0 };
	assert_true(http_head_line(&head, text, 10 + URL_LEN_MAX + 1, NOW));
	assert_true(head.has_location && head.location[0] == 0);
}

static void bounds_all_headers_together(void **state)
{
	char text[1024];
	struct http_head head = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text));
	for (int i = 0; i < HTTP_HEAD_MAX / 1024; i++)
		assert_true(http_head_line(&head, text, sizeof(text), NOW));
	assert_false(line(&head, "HTTP/1.1 200 OK\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vets_urls),
		cmocka_unit_test(refuses_what_is_not_http),
		cmocka_unit_test(refuses_a_url_of_more_than_1024_bytes),
		cmocka_unit_test(follows_locations),
		cmocka_unit_test(escapes_base64_in_a_path),
		cmocka_unit_test(gets_at_most_255_bytes_of_path),
		cmocka_unit_test(counts_escapes_at_the_border),
		cmocka_unit_test(fits_the_longest_url_and_path),
		cmocka_unit_test(reads_retry_after),
		cmocka_unit_test(reads_max_age),
		cmocka_unit_test(begins_anew_at_each_status_line),
		cmocka_unit_test(does_not_keep_a_location_that_is_too_long),
		cmocka_unit_test(bounds_all_headers_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
