/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"
#include "conf/load.h"
#include "conf/schema.h"
#include "unit.h"
#include <gnutls/gnutls.h>
#include <string.h>
#include <unistd.h>

static struct clinch_error error;

static int parse(struct conf *out, const char *text)
{
	error = (struct clinch_error){ 0 };
	return conf_parse(out, "f", text, strlen(text), &error);
}

/* ---- what is refused, and where ---- */

struct refusal {
	const char *yaml, *at, *words; /* `at` is "LINE:COLUMN", `words` a part of the sentence */
};

static void all_are_refused(const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char start[32];
		struct conf conf = { .store = "untouched" };

		check_int(rows[i].yaml, parse(&conf, rows[i].yaml), CLINCH_E_FORMAT);
		check_str(rows[i].yaml, conf.store, "untouched");
		snprintf(start, sizeof(start), "f:%s: ", rows[i].at);
		if (strncmp(error.text, start, strlen(start)) != 0)
			fail_msg("%s: \"%s\" does not begin with \"%s\"", rows[i].yaml, error.text, start);
		if (!strstr(error.text, rows[i].words))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].yaml, error.text, rows[i].words);
	}
}

static void refuses_what_is_no_yaml(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
		{ "", "1:1", "nothing is configured" },
		{ "# only words\n", "1:1", "nothing is configured" },
		{ "store: a: b\n", "1:9", "mapping values are not allowed" },
		{ "log:\n  level: \"info\n", "3:1", "a quoted scalar that begins in line 2" },
		{ "log: { level: info\nfetch:\n", "2:6", "a flow mapping that begins in line 1" },
		{ "log: *nowhere\n", "1:6", "undefined alias" },
		{ "store: `x`\n", "1:8", "cannot start any token" },
		{ "- store\n", "1:1", "the file is a list" },
		{ "store\n", "1:1", "the file is a single value" },
		{ "log:\n\tlevel: info\n", "2:1", "there is a tab" },
		{ "log:\n  level: info\n \tformat: text\n", "3:2", "there is a tab" },
		{ "store: /a\xff\n", "1:10", "UTF-8" },
		{ "# \xc3\xa4\xc3\xb6\nstore: \"\xc3\xa4\xff\"\n", "2:10", "UTF-8" },
		{ "store: /a\x01\n", "1:10", "control characters" },
		{ "store: \"/a\\0b\"\n", "1:8", "NUL" },
		{ "store: /a\n---\nstore: /b\n", "2:1", "a second document" },
		{ "store: !path /a\n", "1:8", "there is a tag" },
		{ "store: !!str /a\n", "1:8", "there is a tag" },
		{ "log: !!map { level: info }\n", "1:6", "there is a tag" },
	};
	all_are_refused(rows, ROWS(rows));
}

static void refuses_keys_it_does_not_know_and_names_the_nearest(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
		{ "stroe: /a\n", "1:1", "no key \"stroe\" in the file, did you mean \"store\"?" },
		{ "respnod: {}\n", "1:1", "no key \"respnod\" in the file, did you mean \"respond\"?" },
		{ "respond: { listn: [] }\n", "1:12", "no key \"listn\" in respond, did you mean \"listen\"?" },
		{ "log:\n  levle: info\n", "2:3", "no key \"levle\" in log, did you mean \"level\"?" },
		{ "fetch: { proxy: none, timeouts: 1s }\n", "1:23", "did you mean \"timeout\"?" },
		{ "keep:\n  certificates:\n    - pth: /a\n", "3:7",
		  "no key \"pth\" in certificates, did you mean \"path\"?" },
		{ "respond: { validity: 4d }\n", "1:12",
		  "no key \"validity\" in respond: it belongs to respond.authorities" },
		{ "keep: { store: /a }\n", "1:9", "no key \"store\" in keep: it belongs to the top level" },
		{ "log:\n  completely_else: info\n", "2:3", "no key \"completely_else\" in log" },
		{ "log: &l\n  level: info\n  <<: *l\n", "3:3", "no key \"<<\" in log" },
		{ "? [ store ]\n: /a\n", "1:3", "a key is a word, not a list" },
		{ "\"\": /a\n", "1:1", "a key has no value" },
		{ "\"a\\x1b[31mb\": /a\n", "1:1", "no key \"a?[31mb\"" },
	};
	all_are_refused(rows, ROWS(rows));
}

static void refuses_what_is_there_twice_or_not_at_all(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
		{ "store: /a\nlog: { level: info }\nstore: /a\n", "3:1", "store is there twice" },
		{ "log:\n  level: info\n  level: info\n", "3:3", "level is there twice" },
		{ "store:\n", "1:7", "store has no value" },
		{ "store: ~\n", "1:8", "store has no value" },
		{ "store: null\n", "1:8", "store has no value" },
		{ "log:\n  level: \"\"\n", "2:10", "level has no value" },
		{ "log:\nstore: /a\n", "1:5", "log has no value" },
		{ "keep:\n  rescan: 10m\n", "2:3", "keep wants the key \"certificates\"" },
		{ "keep:\n  certificates:\n    - responder: http://x/\n", "3:7", "certificates wants the key \"path\"" },
		{ "keep:\n  certificates: []\n", "2:17", "at least one entry" },
		{ "serve: { listen: [ \"[::]:443\" ], backend: \"unix:/s\" }\n", "1:8",
		  "serve wants the key \"certificates\"" },
		{ "serve:\n  listen: [ x:1 ]\n  backend: x:2\n  certificates:\n  - chain: /c\n", "5:5",
		  "certificates wants the key \"key\"" },
	};
	all_are_refused(rows, ROWS(rows));
}

static void refuses_the_wrong_kind_of_value(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
		{ "store: [ /a ]\n", "1:8", "store wants a single value, not a list" },
		{ "store: { a: b }\n", "1:8", "store wants a single value, not a mapping" },
		{ "store: relative/path\n", "1:8", "store wants an absolute path: \"relative/path\"" },
		{ "log: info\n", "1:6", "log wants a mapping, not a single value" },
		{ "log: [ info ]\n", "1:6", "log wants a mapping, not a list" },
		{ "log: { level: loud }\n", "1:15", "level wants error, warning, info or debug, not \"loud\"" },
		{ "log: { level: Info }\n", "1:15", "not \"Info\"" },
		{ "keep: { certificates: /a }\n", "1:23", "certificates wants a list, not a single value" },
		{ "keep: { certificates: [ /a ] }\n", "1:25", "an entry of certificates is a mapping, not a single value" },
		{ "keep: { certificates: [ { path: /a } ], outputs: [ { der: /a, chain: yes } ] }\n", "1:70",
		  "chain wants true or false, not \"yes\"" },
		{ "keep: { certificates: [ { path: /a } ], outputs: [ { der: /a, chain: True } ] }\n", "1:70", "\"True\"" },
		{ "keep: { certificates: [ { path: /a } ], outputs: [ { der: /a, chain: \"true\" } ] }\n", "1:70",
		  "without quotes" },
		{ "keep: { certificates: [ { path: /a } ], outputs: [ { run: /bin/true } ] }\n", "1:59",
		  "run wants a list, not a single value" },
		{ "keep: { certificates: [ { path: /a } ], outputs: [ { run: [ [ a ] ] } ] }\n", "1:61",
		  "run wants a single value, not a list" },
		{ "fetch:\n  per_responder: 4.5\n", "2:18", "wants a whole number, not \"4.5\"" },
		{ "fetch:\n  per_responder: -1\n", "2:18", "wants a whole number" },
		{ "fetch:\n  per_responder: 010\n", "2:18", "wants a whole number, not \"010\"" },
		{ "fetch:\n  per_responder: 0x4\n", "2:18", "wants a whole number" },
		{ "fetch: { fallback: ocsp.test }\n", "1:20", "fallback wants a URL of http or https" },
		{ "fetch: { fallback: \"ftp://ocsp.test/\" }\n", "1:20", "a URL of http or https" },
		{ "fetch: { fallback: \"http:///x\" }\n", "1:20", "without a host" },
		{ "fetch: { fallback: \"http://me:pw@x/\" }\n", "1:20", "a user" },
		{ "fetch: { proxy: \"gopher://p/\" }\n", "1:17", "proxy wants env, none, or the URL of a proxy" },
		{ "metrics: { listen: 9469 }\n", "1:20", "an address and a port" },
		{ "metrics: { listen: \"127.0.0.1:99999\" }\n", "1:20", "an address and a port" },
		{ "metrics: { listen: \"::1:80\" }\n", "1:20", "brackets around an IPv6 address" },
	};
	all_are_refused(rows, ROWS(rows));
}

static void refuses_durations_and_sizes_without_unit_or_out_of_bounds(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
		{ "fetch: { timeout: 15 }\n", "1:19", "timeout has no unit: \"15\"" },
		{ "fetch: { timeout: 15sec }\n", "1:19", "does not know the unit of \"15sec\"" },
		{ "fetch: { timeout: 1.5s }\n", "1:19", "does not know the unit of \"1.5s\"" },
		{ "fetch: { timeout: 1m30s }\n", "1:19", "does not know the unit of \"1m30s\"" },
		{ "fetch: { timeout: 15 s }\n", "1:19", "does not know the unit" },
		{ "fetch: { timeout: 010s }\n", "1:19", "wants a whole number with a unit" },
		{ "fetch: { timeout: s }\n", "1:19", "wants a whole number with a unit" },
		{ "fetch: { timeout: -1s }\n", "1:19", "wants a whole number with a unit" },
		{ "fetch: { timeout: 99ms }\n", "1:19", "timeout is 99ms: from 100ms to 10m it may be" },
		{ "fetch: { timeout: 601s }\n", "1:19", "from 100ms to 10m it may be" },
		{ "fetch: { timeout: 99999999999999999999d }\n", "1:19", "from 100ms to 10m it may be" },
		{ "fetch: { timeout: 9223372036854775807d }\n", "1:19", "from 100ms to 10m it may be" },
		{ "fetch: { max_size: 65536 }\n", "1:20", "max_size has no unit" },
		{ "fetch: { max_size: 64k }\n", "1:20", "does not know the unit of \"64k\"" },
		{ "fetch: { max_size: 64KB }\n", "1:20", "does not know the unit of \"64KB\"" },
		{ "fetch: { max_size: 1B }\n", "1:20", "from 1KiB to 1MiB it may be" },
		{ "fetch: { max_size: 1025KiB }\n", "1:20", "from 1KiB to 1MiB it may be" },
		{ "fetch: { per_responder: 0 }\n", "1:25", "from 1 to 64 it may be" },
		{ "fetch: { per_responder: 65 }\n", "1:25", "from 1 to 64 it may be" },
		{ "fetch: { connect_timeout: 20s }\n", "1:8", "timeout is shorter than connect_timeout" },
		{ "fetch: { connect_timeout: 6s,\n timeout: 5s }\n", "2:2", "timeout is shorter than connect_timeout" },
	};
	all_are_refused(rows, ROWS(rows));
}

#define OUTPUT(text) "keep:\n  certificates: [ { path: /a } ]\n  outputs:\n    - " text "\n"

static void refuses_outputs_that_make_no_sense(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
		{ OUTPUT("mode: 0644"), "4:7", "one of der, pem, haproxy and run, this one has none" },
		{ OUTPUT("{ der: /a, pem: /b }"), "4:7", "this one has several" },
		{ OUTPUT("{ der: /a/ }"), "4:14", "names a directory" },
		{ OUTPUT("{ der: \"/a/{nmae}.der\" }"), "4:14", "has braces around something else" },
		{ OUTPUT("{ der: \"/a/{name.der\" }"), "4:14", "has braces around something else" },
		{ OUTPUT("{ der: \"/{name}/x.der\" }"), "4:14", "only the file's name" },
		{ OUTPUT("{ haproxy: /s, mode: 0644 }"), "4:22", "mode says nothing about an output of haproxy" },
		{ OUTPUT("{ der: /a, after: 5s }"), "4:18", "after says nothing about an output of der" },
		{ OUTPUT("{ der: /a, at_most_every: 5m }"), "4:18", "at_most_every says nothing about an output of der" },
		{ OUTPUT("{ run: [ /x ], when_expired: leave }"), "4:22",
		  "when_expired says nothing about an output of run" },
		{ OUTPUT("{ run: [ systemctl, reload ] }"), "4:9", "the absolute path of a program" },
		{ OUTPUT("{ run: [] }"), "4:14", "at least one entry" },
		{ OUTPUT("{ der: /a, server: nginx, when_expired: remove }"), "4:33", "not for nginx, hitch and exim" },
		{ OUTPUT("{ pem: /a, server: exim, when_expired: remove }"), "4:32", "not for nginx, hitch and exim" },
		{ OUTPUT("{ der: /a, mode: 644x }"), "4:24", "wants a mode like" },
		{ OUTPUT("{ der: /a, mode: \"0755\" }"), "4:24", "0644" },
		{ OUTPUT("{ der: /a, mode: 0044 }"), "4:24", "is 0044" },
		{ OUTPUT("{ der: /a, for: [ relative ] }"), "4:25", "for wants an absolute path" },
	};
	all_are_refused(rows, ROWS(rows));
}

#define CA(more)                                                                                                            \
	"respond:\n  listen: [ \"[::1]:0\" ]\n  authorities:\n    - ca: /c\n      signers: [ { cert: /s, key: /k } ]\n" more
static void refuses_a_ca_that_nothing_is_known_of(void **state)
{
	(void)state;
	static const struct refusal rows[] = {
		{ CA(""), "4:7", "wants index or crl, which tell what was revoked" },
		{ CA("      crl: [ /r ]\n"), "6:7", "a CRL does not tell what was issued: give the list of it with issued" },
		{ CA("      index: /i\n      crl: [ /r ]\n"), "7:7", "no crl, issued or crl_means beside it" },
		{ CA("      index: /i\n      issued: /r\n"), "7:7", "no crl, issued or crl_means beside it" },
		{ CA("      index: /i\n      crl_means: good\n"), "7:7", "no crl, issued or crl_means beside it" },
		{ CA("      index: /i\n      crl_means: bad\n"), "7:18", "crl_means wants good" },
		{ CA("      index: /i\n      validity: 1500ms\n"), "7:17", "whole seconds from 1s to 365d" },
		{ CA("      index: /i\n      validity: 0s\n"), "7:17", "whole seconds from 1s to 365d" },
		{ CA("      index: /i\n      validity: 2h\n      refresh: 2h\n"), "8:7",
		  "refresh is not shorter than validity" },
		{ CA("      index: /i\n      accept_unrevoked: [ 1g ]\n"), "7:27", "is not a serial in hexadecimal" },
		{ CA("      index: /i\n  limits: { certificates: 101 }\n"), "7:27", "from 1 to 100 it may be" },
		{ CA("      index: /i\n  cache: { memory: 4GiB }\n"), "7:20", "from 1MiB to 3GiB it may be" },
		{ "respond: { relay: true }\n", "1:10", "respond wants the key \"listen\"" },
	};
	all_are_refused(rows, ROWS(rows));
}

/* near: what is refused above, written rightly. */
static void accepts_what_stands_right_beside_the_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"log:\n  level: info # \ttabs\n",
		"store:\t/a\n",
		"\xef\xbb\xbfstore: /a\n",
		"store: \"/\xc3\xa4\"\n",
		"--- \nstore: /a\n...\n",
		"fetch: { timeout: 100ms, connect_timeout: 100ms }\n",
		"fetch: { timeout: 10m }\n",
		"fetch: { timeout: 600s }\n",
		"fetch: { max_size: 1024B }\n",
		"fetch: { max_size: 1MiB }\n",
		"fetch: { per_responder: 64 }\n",
		"fetch: { proxy: \"socks5h://p:1080\" }\n",
		"metrics: { listen: \"[::1]:0\" }\n",
		OUTPUT("{ der: \"/a/{name}.{fingerprint}.{key_type}\", server: lighttpd, when_expired: remove, mode: 0600 }"),
		OUTPUT("{ der: /a, server: nginx, when_expired: leave, chain: true }"),
		OUTPUT("{ haproxy: /s, timeout: 1s, after: 1ms }"),
		"keep:\n  certificates: &c\n    - &one { path: /a }\n    - *one\n",
		CA("      crl: [ /r ]\n      issued: /i\n      accept_unrevoked: [ 0A1b ]\n"),
		CA("      crl: [ /r ]\n      crl_means: good\n      validity: 1s\n"),
		CA("      index: /i\n      validity: 2h\n      refresh: 7199s\n  limits: { certificates: 100 }\n"),
		"respond: { listen: [ \"[::1]:0\" ], relay: true }\n",
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct conf conf;

		if (parse(&conf, rows[i]) != 0)
			fail_msg("%s: %s", rows[i], error.text);
		conf_done(&conf);
	}
}

/* ---- bounds ---- */

/* The result for `head`, `text` n times, and `tail`; of its own memory, as large as it has to be. */
static int parse_repeated(const char *head, const char *text, size_t n, const char *tail)
{
	auto_buf bytes = { .max = CONF_LEN_MAX + 4096 };
	struct conf conf = { 0 };

	assert_true(buf_add(&bytes, head, strlen(head)));
	for (size_t i = 0; i < n; i++)
		assert_true(buf_add(&bytes, text, strlen(text)));
	assert_true(buf_add(&bytes, tail, strlen(tail)));
	int rc = conf_parse(&conf, "f", bytes.data, bytes.len, &error);
	conf_done(&conf);
	return rc;
}

/* libyaml alone takes half a minute for the first and ten seconds for the last. */
static void is_not_slowed_down_by_depth_or_anchors(void **state)
{
	(void)state;
	assert_int_equal(parse_repeated("", "{a,", 300000, ""), CLINCH_E_FORMAT);
	assert_string_equal(error.text, "f:1:49: this is more than 16 levels deep");
	assert_int_equal(parse_repeated("a: ", "[", 300000, ""), CLINCH_E_FORMAT);
	assert_string_equal(error.text, "f:1:19: this is more than 16 levels deep");
	assert_int_equal(parse_repeated("", "? ", 500000, ""), CLINCH_E_FORMAT);

	char text[4096] = "keep:\n  certificates:\n";
	for (unsigned i = 0; i <= CONF_ANCHORS_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "  - { path: &a%u /a }\n", i);
	assert_int_equal(parse_repeated(text, "", 0, ""), CLINCH_E_FORMAT);
	assert_string_equal(error.text, "f:103:13: there are more than 100 anchors");
}

static void a_mapping_inside_itself_ends(void **state)
{
	(void)state;
	struct conf conf;
	assert_int_equal(parse(&conf, "log: &l { level: *l }\n"), CLINCH_E_FORMAT);
	assert_string_equal(error.text, "f:1:6: level wants a single value, not a mapping");
	assert_int_equal(parse(&conf, "keep: &k { certificates: &c [ *c ] }\n"), CLINCH_E_FORMAT);
	assert_string_equal(error.text, "f:1:26: an entry of certificates is a mapping, not a list");
	assert_int_equal(parse(&conf, "keep: &k { certificates: [ *k ] }\n"), CLINCH_E_FORMAT);
	assert_string_equal(error.text, "f:1:12: there is no key \"certificates\" in certificates: it belongs to keep");
}

static void lists_repeated_by_aliases_are_bounded(void **state)
{
	(void)state;
	char list[32768] = "keep:\n  certificates:\n    - { path: /a }\n  outputs:\n    - { der: /a, for: &l [ /b";
	char *at = list + strlen(list);
	for (unsigned i = 1; i < 5000; i++)
		at = stpcpy(at, ", /b");
	stpcpy(at, " ] }\n");
	assert_int_equal(parse_repeated(list, "    - { der: /a, for: *l }\n", 198, ""), 0);
	assert_int_equal(parse_repeated(list, "    - { der: /a, for: *l }\n", 199, ""), CLINCH_E_FORMAT);
	assert_non_null(strstr(error.text, "aliases repeat too much"));
}

static void a_file_above_the_limit_is_refused(void **state)
{
	(void)state;
	static const char head[] = "store: /a\n#";
	assert_int_equal(parse_repeated(head, "x", CONF_LEN_MAX - strlen(head), ""), 0);
	assert_int_equal(parse_repeated(head, "x", CONF_LEN_MAX - strlen(head), "x"), CLINCH_E_TOO_LARGE);
	assert_string_equal(error.text, "f: more than the limit of 16 MiB");
}

static void a_long_name_never_hides_the_place(void **state)
{
	(void)state;
	struct conf conf;
	char name[1000];

	memset(name, 'n', sizeof(name));
	memcpy(name + sizeof(name) - 6, ".yaml", 6);
	assert_int_equal(conf_parse(&conf, name, "a: b\n", 5, &error), CLINCH_E_FORMAT);
	assert_non_null(strstr(error.text, "nnn.yaml:1:1: there is no key \"a\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(refuses_what_is_no_yaml),
		T(refuses_keys_it_does_not_know_and_names_the_nearest),
		T(refuses_what_is_there_twice_or_not_at_all),
		T(refuses_the_wrong_kind_of_value),
		T(refuses_durations_and_sizes_without_unit_or_out_of_bounds),
		T(refuses_outputs_that_make_no_sense),
		T(refuses_a_ca_that_nothing_is_known_of),
		T(accepts_what_stands_right_beside_the_refused),
		T(is_not_slowed_down_by_depth_or_anchors),
		T(a_mapping_inside_itself_ends),
		T(lists_repeated_by_aliases_are_bounded),
		T(a_file_above_the_limit_is_refused),
		T(a_long_name_never_hides_the_place),
	};
	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
