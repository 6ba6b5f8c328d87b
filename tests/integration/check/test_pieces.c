/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure parts of `check`: targets, and what is said before TLS, fed in pieces of every size. */
#include "../../support/scratch.h"
#include "base/buf.h"
#include "probe/ask.h"
#include "probe/deadline.h"
#include "probe/starttls.h"
#include "probe/target.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- targets ---- */

static const struct {
	const char *text, *host, *name;
	uint16_t port;
	bool literal;
} good_targets[] = {
	{ "www.example.org", "www.example.org", "www.example.org", 443, false },
	{ "www.example.org.", "www.example.org.", "www.example.org", 443, false },
	{ "www.example.org:1", "www.example.org", "www.example.org", 1, false },
	{ "www.example.org:65535", "www.example.org", "www.example.org", 65535, false },
	{ "WWW.Example.ORG", "WWW.Example.ORG", "WWW.Example.ORG", 443, false },
	{ "b\xc3\xbc"
	  "cher.example:25",
	  "xn--bcher-kva.example", "xn--bcher-kva.example", 25, false },
	{ "_443._tcp.example.org", "_443._tcp.example.org", "_443._tcp.example.org", 443, false },
	{ "192.0.2.1", "192.0.2.1", "192.0.2.1", 443, true },
	{ "192.0.2.1:8443", "192.0.2.1", "192.0.2.1", 8443, true },
	{ "::1", "::1", "::1", 443, true },
	{ "[::1]", "::1", "::1", 443, true },
	{ "[::1]:8443", "::1", "::1", 8443, true },
	{ "[fe80::1%eth0]:993", "fe80::1%eth0", "fe80::1", 993, true },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1", 443, true },
};

static void reads_targets(void **state)
{
	struct clinch_error err;
	struct target target;
	char name[TARGET_HOST_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good_targets) / sizeof(good_targets[0]); i++) {
		err.text[0] = 0;
		if (target_parse(&target, good_targets[i].text, 443, &err))
			fail_msg("%s: %s", good_targets[i].text, err.text);
		assert_string_equal(target.host, good_targets[i].host);
		assert_string_equal(target_name(name, &target), good_targets[i].name);
		assert_int_equal(target.port, good_targets[i].port);
		assert_int_equal(target.literal, good_targets[i].literal);
	}
}

static void refuses_what_is_no_target_and_names_it(void **state)
{
	static const char *const bad[] = {
		"",        ":443",
		"a:",      "a:0",
		"a:65536", "a:000443",
		"a:-1",    "a: 1",
		"a:1x",    "[::1",
		"[::1]x",  "[::1]:",
		"[a]:443", "a:b:c",
		"::g",     "http://a/",
		"a/b",     "a@b",
		"a b",     "a\tb",
		"a\nb",    "fe80::1%et\x1b",
		"a\"b",    "[]",
		"%lo",     "[%eth0]:443",
		"a\\b",    "[::1%]x:1",
		"\x7f",    "a#b",
		"a?b",     "1.2.3.4:99999",
	};
	struct clinch_error err;
	struct target target = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = 0;
		if (target_parse(&target, bad[i], 443, &err) != CLINCH_E_ARGUMENT)
			fail_msg("\"%s\" was taken as %s", bad[i], target.host);
		for (const char *at = err.text; *at; at++)
			assert_true(*at >= ' ' && *at <= '~');
	}
	assert_int_equal(target_parse(&target, "a.example", 0, &err), CLINCH_E_ARGUMENT);
	assert_non_null(strstr(err.text, "a.example"));
}

/* ---- dialogues ---- */

struct turn {
	const char *server; /* bytes; len 0: its strlen() */
	size_t len;
	const char *client; /* what is said after it; NULL: the end */
};

struct dialogue {
	const char *title;
	enum starttls_protocol protocol;
	const char *opening; /* what the client says first; NULL: nothing */
	struct turn turn[4];
	enum starttls_step end;
	const char *refusal; /* a part of it */
};

#define LDAP_REQUEST                                                                                                        \
	"\x30\x1d\x02\x01\x01\x77\x18\x80\x16"                                                                              \
	"1.3.6.1.4.1.1466.20037"

static const struct dialogue dialogues[] = {
	{ "smtp",
	  STARTTLS_SMTP,
	  NULL,
	  { { "220-a\r\n220 b\r\n", 0, "EHLO me\r\n" },
	    { "250-x\r\n250-StartTLS\r\n250 z\r\n", 0, "STARTTLS\r\n" },
	    { "220 go\r\n", 0, NULL } },
	  STARTTLS_READY,
	  NULL },
	{ "smtp without an offer",
	  STARTTLS_SMTP,
	  NULL,
	  { { "220 a\r\n", 0, "EHLO me\r\n" }, { "250 x\r\n", 0, NULL } },
	  STARTTLS_REFUSED,
	  "does not offer" },
	{ "smtp with a code of two digits",
	  STARTTLS_SMTP,
	  NULL,
	  { { "22 a\r\n", 0, NULL } },
	  STARTTLS_REFUSED,
	  "does not speak SMTP" },
	{ "smtp with a strange fourth byte",
	  STARTTLS_SMTP,
	  NULL,
	  { { "220+a\r\n", 0, NULL } },
	  STARTTLS_REFUSED,
	  "does not speak SMTP" },
	{ "imap",
	  STARTTLS_IMAP,
	  NULL,
	  { { "* OK a\r\n", 0, "c1 STARTTLS\r\n" }, { "* X\r\nc1 OK\r\n", 0, NULL } },
	  STARTTLS_READY,
	  NULL },
	{ "imap of another tag",
	  STARTTLS_IMAP,
	  NULL,
	  { { "* OK a\r\n", 0, "c1 STARTTLS\r\n" }, { "c12 OK\r\n", 0, NULL } },
	  STARTTLS_REFUSED,
	  "does not speak IMAP" },
	{ "pop3", STARTTLS_POP3, NULL, { { "+OK\r\n", 0, "STLS\r\n" }, { "+OK go\r\n", 0, NULL } }, STARTTLS_READY, NULL },
	{ "pop3 with a longer word",
	  STARTTLS_POP3,
	  NULL,
	  { { "+OKAY\r\n", 0, NULL } },
	  STARTTLS_REFUSED,
	  "does not speak POP3" },
	{ "ldap",
	  STARTTLS_LDAP,
	  LDAP_REQUEST,
	  { { "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0", 14, NULL } },
	  STARTTLS_READY,
	  NULL },
	{ "ldap, long lengths",
	  STARTTLS_LDAP,
	  LDAP_REQUEST,
	  { { "\x30\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0a\x01\0\x04\0\x04\0", 22, NULL } },
	  STARTTLS_READY,
	  NULL },
	{ "ldap, indefinite length",
	  STARTTLS_LDAP,
	  LDAP_REQUEST,
	  { { "\x30\x80\x02\x01\x01", 5, NULL } },
	  STARTTLS_REFUSED,
	  "does not answer STARTTLS as LDAP" },
	{ "ldap, a length of five bytes",
	  STARTTLS_LDAP,
	  LDAP_REQUEST,
	  { { "\x30\x85\0\0\0\0\x05", 7, NULL } },
	  STARTTLS_REFUSED,
	  "does not answer STARTTLS as LDAP" },
	{ "ldap, an inner length beyond the outer",
	  STARTTLS_LDAP,
	  LDAP_REQUEST,
	  { { "\x30\x05\x02\x01\x01\x78\x07", 7, NULL } },
	  STARTTLS_REFUSED,
	  "does not answer STARTTLS as LDAP" },
	{ "ldap, notice of disconnection",
	  STARTTLS_LDAP,
	  LDAP_REQUEST,
	  { { "\x30\x0e\x02\x01\0\x78\x09\x0a\x01\x34\x04\0\x04\x02no", 16, NULL } },
	  STARTTLS_REFUSED,
	  "LDAP result 52 \"no\"" },
	{ "ldap, success by message 0",
	  STARTTLS_LDAP,
	  LDAP_REQUEST,
	  { { "\x30\x0c\x02\x01\0\x78\x07\x0a\x01\0\x04\0\x04\0", 14, NULL } },
	  STARTTLS_REFUSED,
	  "does not answer STARTTLS as LDAP" },
	{ "postgres", STARTTLS_POSTGRES, "\0\0\0\x08\x04\xd2\x16\x2f", { { "S", 0, NULL } }, STARTTLS_READY, NULL },
	{ "postgres without",
	  STARTTLS_POSTGRES,
	  "\0\0\0\x08\x04\xd2\x16\x2f",
	  { { "N", 0, NULL } },
	  STARTTLS_REFUSED,
	  "does not do TLS" },
	{ "proxy",
	  STARTTLS_HTTP_CONNECT,
	  "CONNECT me HTTP/1.1\r\nHost: me\r\n\r\n",
	  { { "HTTP/1.0 200\r\nA: b\r\n\r\n", 0, NULL } },
	  STARTTLS_READY,
	  NULL },
	{ "proxy that says no",
	  STARTTLS_HTTP_CONNECT,
	  "CONNECT me HTTP/1.1\r\nHost: me\r\n\r\n",
	  { { "HTTP/1.1 502 No\r\n", 0, NULL } },
	  STARTTLS_REFUSED,
	  "502 No" },
	{ "proxy of HTTP/2",
	  STARTTLS_HTTP_CONNECT,
	  "CONNECT me HTTP/1.1\r\nHost: me\r\n\r\n",
	  { { "HTTP/2 200 OK\r\n", 0, NULL } },
	  STARTTLS_REFUSED,
	  "does not answer CONNECT" },
};

static void expect_said(const struct starttls *dialogue, const char *said, size_t len)
{
	assert_int_equal(dialogue->send_len, len);
	assert_memory_equal(dialogue->send, said, len);
}

static size_t opening_len(const struct dialogue *row)
{
	return row->protocol == STARTTLS_POSTGRES ? 8 : strlen(row->opening);
}

/* One turn in pieces of `piece` bytes; the step that it ends in. */
static enum starttls_step feed_turn(struct starttls *dialogue, const struct turn *turn, size_t piece)
{
	size_t len = turn->len ? turn->len : strlen(turn->server), at = 0, used;
	enum starttls_step step = STARTTLS_MORE;

	while (at < len && step == STARTTLS_MORE) {
		size_t some = piece < len - at ? piece : len - at;

		step = starttls_feed(dialogue, (const uint8_t *)turn->server + at, some, &used);
		assert_true(used <= some);
		at += used;
	}
	if (step != STARTTLS_REFUSED)
		assert_int_equal(at, len);
	return step;
}

static void run(const struct dialogue *row, size_t piece)
{
	static struct starttls dialogue;
	enum starttls_step step = starttls_begin(&dialogue, row->protocol, "me");

	assert_int_equal(step, row->opening ? STARTTLS_SEND : STARTTLS_MORE);
	if (row->opening)
		expect_said(&dialogue, row->opening, opening_len(row));
	for (const struct turn *turn = row->turn; turn->server; turn++) {
		step = feed_turn(&dialogue, turn, piece);
		if (!turn->client)
			break;
		if (step != STARTTLS_SEND)
			fail_msg("%s, by %zu: step %d: %s", row->title, piece, step, dialogue.refusal);
		expect_said(&dialogue, turn->client, strlen(turn->client));
	}
	if (step != row->end)
		fail_msg("%s, by %zu: ended in step %d: %s", row->title, piece, step, dialogue.refusal);
	if (row->refusal && !strstr(dialogue.refusal, row->refusal))
		fail_msg("%s: %s", row->title, dialogue.refusal);
}

static void comes_to_the_same_end_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++)
		for (size_t piece = 1; piece < 64; piece++)
			run(&dialogues[i], piece);
}

static void leaves_the_tunnels_bytes_behind_a_proxys_answer(void **state)
{
	static const char said[] = "HTTP/1.1 200 OK\r\n\r\n220 mail\r\n";
	static struct starttls dialogue;
	size_t used;

	(void)state;
	starttls_begin(&dialogue, STARTTLS_HTTP_CONNECT, "me");
	assert_int_equal(starttls_feed(&dialogue, (const uint8_t *)said, strlen(said), &used), STARTTLS_READY);
	assert_string_equal(said + used, "220 mail\r\n");
}

static void refuses_bytes_behind_the_permission_for_tls(void **state)
{
	static struct starttls dialogue;
	size_t used;

	(void)state;
	starttls_begin(&dialogue, STARTTLS_POSTGRES, "me");
	assert_int_equal(starttls_feed(&dialogue, (const uint8_t *)"S!", 2, &used), STARTTLS_REFUSED);
	assert_non_null(strstr(dialogue.refusal, "plaintext"));
}

static void bounds_a_line_and_a_dialogue(void **state)
{
	static struct starttls dialogue;
	enum starttls_step step = STARTTLS_MORE;
	size_t used, fed = 0;

	(void)state;
	starttls_begin(&dialogue, STARTTLS_SMTP, "me");
	for (; step == STARTTLS_MORE && fed < 2 * STARTTLS_TOTAL_MAX; fed++)
		step = starttls_feed(&dialogue, (const uint8_t *)"2", 1, &used);
	assert_int_equal(step, STARTTLS_REFUSED);
	assert_int_equal(fed, STARTTLS_LINE_MAX + 1);
	starttls_begin(&dialogue, STARTTLS_SMTP, "me");
	for (step = STARTTLS_MORE, fed = 0; step == STARTTLS_MORE && fed < 2 * STARTTLS_TOTAL_MAX; fed += used)
		step = starttls_feed(&dialogue, (const uint8_t *)"220-\r\n", 6, &used);
	assert_int_equal(step, STARTTLS_REFUSED);
	assert_int_equal(fed, STARTTLS_TOTAL_MAX + 1);
}

static void refuses_a_name_that_does_not_fit_into_a_line(void **state)
{
	static const char *const bad[] = { "", "a b", "a\r\nQUIT", "\x80" };
	static struct starttls dialogue;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(starttls_begin(&dialogue, STARTTLS_SMTP, bad[i]), STARTTLS_REFUSED);
		assert_int_equal(starttls_begin(&dialogue, STARTTLS_HTTP_CONNECT, bad[i]), STARTTLS_REFUSED);
	}
}

/* ---- the child that asks ---- */

#define WITHIN_MS 700
#define SLACK_MS 5000

static int ask_by(const char *script, struct buf *out, int *exit_status, struct clinch_error *err)
{
	char path[SCRATCH_SIZE];
	unsigned char byte = 0;
	int fd = mkstemp(scratch_template(path, "keep")), rc;
	struct ask ask = {
		.keep_path = path, .cert = { &byte, 1 }, .issuer = { &byte, 1 }, .deadline = deadline_now() + WITHIN_MS
	};

	assert_true(fd >= 0 && dprintf(fd, "#!/bin/sh\n%s\n", script) > 0 && fchmod(fd, 0700) == 0);
	close(fd);
	rc = ask_responder(out, &ask, exit_status, err);
	unlink(path);
	return rc;
}

static void a_child_that_does_not_end_is_ended_at_the_deadline(void **state)
{
	static const char *const scripts[] = {
		"exec sleep 60",
		"exec sleep 60 >&- 2>&-",
		"exec yes",
		"exec yes >&2 2>/dev/null",
		"yes >&2; exec sleep 60 >&- 2>&-",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct buf out = { .max = 4096 };
		struct clinch_error err = { 0 };
		int64_t begun = deadline_now();
		int exit_status = 0;

		ask_by(scripts[i], &out, &exit_status, &err);
		assert_in_range(deadline_now() - begun, 0, WITHIN_MS + SLACK_MS);
		assert_int_equal(exit_status, -1);
		buf_done(&out);
	}
}

static void what_it_reports_is_said_without_its_advice(void **state)
{
	static const struct {
		const char *script, *text;
	} rows[] = {
		{ "echo 'clinch fetch: x: no; with --url' >&2; echo '{\"url\":\"ldap://x\",\"detail\":\"a; b\"}' >&2; exit 1",
		  "ldap://x: a; b" },
		{ "echo '{\"url\":null,\"outcome\":\"private-address\",\"detail\":\"a\"}' >&2; exit 1",
		  "a; --allow-private permits that" },
		{ "echo '{\"detail\":\"\\u001b[31m\"}' >&2; exit 1", "?[31m" },
		{ "echo 'clinch fetch: usage' >&2; exit 2", "clinch-keep ended with status 2 and no word" },
		{ "exit 1", "clinch-keep ended with status 1 and no word" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { .max = 4096 };
		struct clinch_error err = { 0 };
		int exit_status;

		assert_int_not_equal(ask_by(rows[i].script, &out, &exit_status, &err), 0);
		assert_string_equal(err.text, rows[i].text);
		buf_done(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_targets),
		cmocka_unit_test(refuses_what_is_no_target_and_names_it),
		cmocka_unit_test(comes_to_the_same_end_in_pieces_of_any_size),
		cmocka_unit_test(leaves_the_tunnels_bytes_behind_a_proxys_answer),
		cmocka_unit_test(refuses_bytes_behind_the_permission_for_tls),
		cmocka_unit_test(bounds_a_line_and_a_dialogue),
		cmocka_unit_test(refuses_a_name_that_does_not_fit_into_a_line),
		cmocka_unit_test(a_child_that_does_not_end_is_ended_at_the_deadline),
		cmocka_unit_test(what_it_reports_is_said_without_its_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
