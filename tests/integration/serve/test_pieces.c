/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of `serve` by themselves: addresses, PROXY headers, the child's configuration, what one must have, a thread's
 * loop. */
#include "base/buf.h"
#include "daemon/endpoint.h"
#include "serve/keeper.h"
#include "serve/loop.h"
#include "serve/proxy.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- addresses ---- */

static void an_address_is_what_it_says(void **state)
{
	static const struct {
		const char *text, *back; /* back NULL: refused */
		bool local_too;
	} rows[] = {
		{ "127.0.0.1:443", "127.0.0.1:443", false },
		{ "0.0.0.0:0", "0.0.0.0:0", false },
		{ "[::1]:65535", "[::1]:65535", false },
		{ "[2001:db8::0:1]:8443", "[2001:db8::1]:8443", false },
		{ "unix:/run/app.sock", "unix:/run/app.sock", true },
		{ "unix:/run/app.sock", NULL, false },
		{ "unix:", NULL, true },
		{ "127.0.0.1", NULL, false },
		{ "127.0.0.1:", NULL, false },
		{ "127.0.0.1:65536", NULL, false },
		{ "127.0.0.1:-1", NULL, false },
		{ "127.0.0.1:+1", NULL, false },
		{ "127.0.0.1: 1", NULL, false },
		{ "127.0.0.1:44 3", NULL, false },
		{ "127.0.0.1:000443", NULL, false },
		{ "::1:443", NULL, false },
		{ "[127.0.0.1]:443", NULL, false },
		{ "[::1:443", NULL, false },
		{ "localhost:443", NULL, false },
		{ "1.2.3:443", NULL, false },
		{ ":443", NULL, false },
		{ "[]:443", NULL, false },
		{ "", NULL, false },
		{ "[11111111112222222222333333333344444444445555555555]:1", NULL, false },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct endpoint endpoint = { .len = 0 };
		struct clinch_error err = { .code = 0 };
		char text[ENDPOINT_TEXT_SIZE];
		int code = endpoint_parse(&endpoint, rows[i].text, rows[i].local_too, "listen", &err);

		print_message("# %s\n", rows[i].text);
		assert_int_equal(code, rows[i].back ? 0 : CLINCH_E_ARGUMENT);
		assert_string_equal(endpoint_text(text, &endpoint), rows[i].back ? rows[i].back : "");
		if (code)
			assert_non_null(strstr(err.text, "listen"));
	}
}

static void the_path_of_a_socket_has_its_limit(void **state)
{
	char text[200] = "unix:";
	struct endpoint endpoint;
	(void)state;

	memset(text + 5, 'p', 107);
	text[112] = '\0';
	assert_int_equal(endpoint_parse(&endpoint, text, true, "backend", NULL), 0);
	text[112] = 'p';
	text[113] = '\0';
	assert_int_equal(endpoint_parse(&endpoint, text, true, "backend", NULL), CLINCH_E_ARGUMENT);
}

/* ---- PROXY ---- */

#define SIGNATURE "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"

static void a_head_says_how_much_follows(void **state)
{
	static const struct {
		const char *head;
		int len;
	} rows[] = {
		{ SIGNATURE "\x21\x11\x00\x0c", 12 },   { SIGNATURE "\x20\x00\x00\x00", 0 },
		{ SIGNATURE "\x21\x21\x10\x00", 4096 }, { SIGNATURE "\x21\x21\x10\x01", -1 },
		{ SIGNATURE "\x21\x31\x00\xd8", 216 },  { SIGNATURE "\x22\x11\x00\x0c", -1 },
		{ SIGNATURE "\x11\x11\x00\x0c", -1 },   { SIGNATURE "\x21\x41\x00\x0c", -1 },
		{ SIGNATURE "\x21\x13\x00\x0c", -1 },   { SIGNATURE "\x21\x11\xff\xff", -1 },
		{ "PROXY TCP4 1.2.3.4 5.6.7.8", -1 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(proxy_body_len((const uint8_t *)rows[i].head), rows[i].len);
	/* each bit of the signature counts */
	for (size_t bit = 0; bit < 12 * 8; bit++) {
		uint8_t head[16];
		memcpy(head, rows[0].head, sizeof(head));
		head[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(proxy_body_len(head), -1);
	}
}

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint = { .len = 0 };

	assert_int_equal(endpoint_parse(&endpoint, text, true, "", NULL), 0);
	return endpoint;
}

static void assert_endpoint(const struct endpoint *endpoint, const char *wanted)
{
	char text[ENDPOINT_TEXT_SIZE];

	assert_string_equal(endpoint_text(text, endpoint), wanted);
}

static void what_is_written_is_read_back(void **state)
{
	static const char *const pairs[][2] = { { "203.0.113.7:40000", "198.51.100.9:443" },
						{ "[2001:db8::7]:40000", "[2001:db8::9]:443" } };
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		const struct endpoint source = endpoint_of(pairs[i][0]), destination = endpoint_of(pairs[i][1]);
		struct endpoint from = { .len = 0 }, to = { .len = 0 };
		const struct proxy_client client = { .source = &source,
						     .destination = &destination,
						     .alpn = { (unsigned char *)"h2", 2 },
						     .server_name = "www.example.org",
						     .tls_version = "TLSv1.3" };
		uint8_t bytes[PROXY_WRITE_MAX];
		size_t len = proxy_write(bytes, sizeof(bytes), &client);

		assert_int_equal(proxy_body_len(bytes), len - PROXY_HEAD_LEN);
		assert_true(proxy_read(bytes, bytes + PROXY_HEAD_LEN, &from, &to));
		assert_endpoint(&from, pairs[i][0]);
		assert_endpoint(&to, pairs[i][1]);
		/* in no less room than it needs */
		assert_int_equal(proxy_write(bytes, len, &client), len);
		for (size_t less = 0; less < len; less++)
			assert_int_equal(proxy_write(bytes, less, &client), 0);
	}
}

static void ends_of_two_families_are_not_told(void **state)
{
	const struct endpoint source = endpoint_of("203.0.113.7:40000"), destination = endpoint_of("[2001:db8::9]:443");
	const struct proxy_client client = {
		.source = &source, .destination = &destination, .server_name = "", .tls_version = "TLSv1.3"
	};
	struct endpoint from = source, to = destination;
	uint8_t bytes[PROXY_WRITE_MAX];
	(void)state;

	assert_true(proxy_write(bytes, sizeof(bytes), &client) > 0);
	assert_int_equal(bytes[13], 0);
	assert_true(proxy_read(bytes, bytes + PROXY_HEAD_LEN, &from, &to));
	assert_endpoint(&from, "203.0.113.7:40000");
}

static void the_longest_of_all_fits(void **state)
{
	static unsigned char alpn[255];
	char name[256];
	const struct endpoint source = endpoint_of("[2001:db8::7]:40000");
	struct proxy_client client = { .source = &source,
				       .destination = &source,
				       .alpn = { alpn, sizeof(alpn) },
				       .server_name = name,
				       .tls_version = "TLSv1.3",
				       .cipher_suite = "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256" };
	uint8_t bytes[PROXY_WRITE_MAX];
	(void)state;

	memset(name, 'n', 255);
	name[255] = '\0';
	assert_true(proxy_write(bytes, sizeof(bytes), &client) > 0);
}

/* ---- the child ---- */

static void the_child_is_told_chains_and_no_key(void **state)
{
	static const struct serve_certificate certificates[] = {
		{ .chain = "/etc/ssl/mail.pem", .key = "/etc/ssl/private/SECRET.key" },
		{ .chain = "/odd/a*b?[c]\\\"\x01.pem", .key = "pkcs11:SECRET", .responder = "http://ocsp.example/" },
	};
	static const struct serve_conf conf = { .store = "/var/lib/clinch/store",
						.certificate = certificates,
						.n_certificates = 2,
						.keeper_settings = "log:\n  level: info\n" };
	auto_buf text = { .max = 4096 };
	(void)state;

	assert_true(keeper_child_write(&text, &conf));
	assert_true(buf_add(&text, "", 1));
	assert_string_equal((char *)text.data,
			    "store: \"/var/lib/clinch/store\"\nlog:\n  level: info\nkeep:\n  socket: none\n"
			    "  certificates:\n    - path: \"/etc/ssl/mail.pem\"\n"
			    "    - path: \"/odd/a\\\\*b\\\\?\\\\[c]\\\\\\\\\\\"\\x01.pem\"\n"
			    "      responder: \"http://ocsp.example/\"\n");
	auto_buf small = { .max = 40 };
	assert_false(keeper_child_write(&small, &conf));
}

/* ---- a configuration ---- */

static void a_configuration_must_have_what_it_needs(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0" }, *const wrong[] = { "localhost:443" }, *const empty[] = { "" };
	static const struct serve_certificate pair[] = { { .chain = "c", .key = "k" } }, half[] = { { .chain = "c" } };
	const struct serve_conf good = { .listen = listen,
					 .n_listen = 1,
					 .backend = "127.0.0.1:80",
					 .certificate = pair,
					 .n_certificates = 1,
					 .store = "/s" };
	struct clinch_error err;
	struct serve_conf conf = good;
	(void)state;

#define REFUSED(field, value, word)                                                                                         \
	do {                                                                                                                \
		conf = good;                                                                                                \
		conf.field = value;                                                                                         \
		assert_int_equal(serve_check(&conf, &err), CLINCH_E_ARGUMENT);                                              \
		assert_non_null(strstr(err.text, word));                                                                    \
	} while (0)
	assert_int_equal(serve_check(&good, &err), 0);
	REFUSED(n_listen, 0, "listen");
	REFUSED(listen, wrong, "localhost:443");
	REFUSED(backend, NULL, "backend");
	REFUSED(backend, "backend.example:80", "backend");
	REFUSED(store, NULL, "store");
	REFUSED(n_certificates, 0, "certificates");
	REFUSED(certificate, half, "key");
	conf = good;
	conf.alpn = empty;
	conf.n_alpn = 1;
	assert_int_equal(serve_check(&conf, &err), CLINCH_E_ARGUMENT);
	assert_non_null(strstr(err.text, "alpn"));
}

/* ---- the loop of a thread ---- */

struct noted {
	struct loop loop;
	struct watch watch;
	int other; /* the far end of what is watched */
	unsigned calls;
	uint32_t events;
};

static void note(struct watch *watch, uint32_t events)
{
	struct noted *noted = watch->owner;

	noted->calls++;
	noted->events = events;
}

static void begin_noted(struct noted *noted)
{
	int ends[2];

	*noted = (struct noted){ .calls = 0 };
	assert_true(loop_init(&noted->loop) >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	noted->watch = (struct watch){ .fd = ends[0], .call = note, .owner = noted };
	noted->other = ends[1];
}

static void end_noted(struct noted *noted)
{
	if (noted->watch.fd >= 0)
		loop_forget(&noted->loop, &noted->watch);
	close(noted->other);
	loop_done(&noted->loop);
}

/* Calls within so many turns, of which none waits. */
static unsigned calls_in(struct noted *noted, unsigned turns)
{
	noted->calls = 0;
	while (turns--)
		loop_turn(&noted->loop, 0);
	return noted->calls;
}

static void what_is_wanted_is_told_each_turn(void **state)
{
	struct noted noted;

	(void)state;
	begin_noted(&noted);
	assert_true(loop_want(&noted.loop, &noted.watch, EPOLLIN));
	assert_int_equal(calls_in(&noted, 3), 0);
	assert_int_equal(write(noted.other, "x", 1), 1);
	assert_int_equal(calls_in(&noted, 3), 3);
	assert_int_equal(noted.events & (EPOLLIN | EPOLLOUT), EPOLLIN);
	assert_true(loop_want(&noted.loop, &noted.watch, EPOLLOUT));
	assert_int_equal(calls_in(&noted, 1), 1);
	assert_int_equal(noted.events & (EPOLLIN | EPOLLOUT), EPOLLOUT);
	end_noted(&noted);
}

static void what_is_not_wanted_is_taken_back_and_can_be_wanted_again(void **state)
{
	struct noted noted;

	(void)state;
	begin_noted(&noted);
	assert_true(loop_want(&noted.loop, &noted.watch, EPOLLIN));
	assert_int_equal(write(noted.other, "x", 1), 1);
	assert_true(loop_want(&noted.loop, &noted.watch, 0));
	assert_true(noted.watch.known);
	assert_int_equal(calls_in(&noted, 2), 0);
	assert_false(noted.watch.known); /* else epoll would never sleep again */
	assert_true(loop_want(&noted.loop, &noted.watch, EPOLLIN));
	assert_int_equal(calls_in(&noted, 1), 1);
	end_noted(&noted);
}

static void an_end_that_nobody_waits_for_does_not_keep_the_loop_awake(void **state)
{
	struct noted noted;

	(void)state;
	begin_noted(&noted);
	assert_true(loop_want(&noted.loop, &noted.watch, EPOLLIN));
	assert_true(loop_want(&noted.loop, &noted.watch, 0));
	shutdown(noted.other, SHUT_RDWR);
	assert_int_equal(calls_in(&noted, 2), 0);
	assert_false(noted.watch.known);
	assert_true(loop_want(&noted.loop, &noted.watch, EPOLLIN));
	assert_int_equal(calls_in(&noted, 1), 1);
	end_noted(&noted);
}

static void forget_the_other(struct watch *watch, uint32_t events)
{
	struct noted *other = watch->owner;

	(void)events;
	if (other->watch.fd >= 0)
		loop_forget(&other->loop, &other->watch);
}

static void what_is_forgotten_in_a_turn_is_not_told_in_it(void **state)
{
	struct noted noted;
	int ends[2];

	(void)state;
	begin_noted(&noted);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	struct watch first = { .fd = ends[0], .call = forget_the_other, .owner = &noted };
	/* epoll tells what is ready first first */
	assert_true(loop_want(&noted.loop, &first, EPOLLIN));
	assert_true(loop_want(&noted.loop, &noted.watch, EPOLLIN));
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(write(noted.other, "x", 1), 1);
	assert_int_equal(calls_in(&noted, 1), 0);
	assert_int_equal(noted.watch.fd, -1);
	loop_forget(&noted.loop, &first);
	close(ends[1]);
	end_noted(&noted);
}

static void every_event_has_a_name(void **state)
{
	(void)state;
	for (int kind = 0; kind < SERVE_EVENT_KINDS; kind++)
		assert_true(*serve_event_name((enum serve_event_kind)kind));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_what_it_says),
		cmocka_unit_test(the_path_of_a_socket_has_its_limit),
		cmocka_unit_test(a_head_says_how_much_follows),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(ends_of_two_families_are_not_told),
		cmocka_unit_test(the_longest_of_all_fits),
		cmocka_unit_test(the_child_is_told_chains_and_no_key),
		cmocka_unit_test(a_configuration_must_have_what_it_needs),
		cmocka_unit_test(what_is_wanted_is_told_each_turn),
		cmocka_unit_test(what_is_not_wanted_is_taken_back_and_can_be_wanted_again),
		cmocka_unit_test(an_end_that_nobody_waits_for_does_not_keep_the_loop_awake),
		cmocka_unit_test(what_is_forgotten_in_a_turn_is_not_told_in_it),
		cmocka_unit_test(every_event_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
