/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/schema.h"
#include "unit.h"
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

static struct clinch_error error;

static int parse(struct conf *out, const char *text)
{
	error = (struct clinch_error){ 0 };
	return conf_parse(out, "f", text, strlen(text), &error);
}

/* ---- what comes out ---- */

static void what_is_not_written_has_its_default(void **state)
{
	(void)state;
	struct conf conf;
	assert_int_equal(parse(&conf, "log: { level: debug }\n"), 0);
	assert_string_equal(conf.store, CONF_STORE);
	assert_string_equal(conf.keep.store, CONF_STORE);
	assert_string_equal(conf.serve.store, CONF_STORE);
	assert_string_equal(conf.socket, CONF_SOCKET);
	assert_null(conf.user);
	assert_int_equal(conf.log.level, KEEP_DEBUG);
	assert_false(conf.log.json);
	assert_null(conf.metrics.listen);
	assert_int_equal(conf.metrics.per_certificate, METRICS_TROUBLED);
	assert_true(conf.proxy_of_environment);
	assert_null(conf.keep.limits.proxies.all);
	assert_int_equal(conf.keep.limits.per_responder, 4);
	assert_int_equal(conf.keep.limits.total, 64);
	assert_int_equal(conf.keep.fetch.timeout_ms, 15000);
	assert_int_equal(conf.keep.fetch.connect_ms, 5000);
	assert_int_equal(conf.keep.fetch.max_size, 65536);
	assert_int_equal(conf.keep.policy.max_len, 65536);
	assert_int_equal(conf.keep.fetch.hash, GNUTLS_DIG_SHA1);
	assert_int_equal(conf.keep.rescan_ms, 600000);
	assert_int_equal(conf.keep.ready_timeout_ms, 10000);
	assert_false(conf.has_keep);
	assert_false(conf.has_serve);
	assert_int_equal(conf.serve.connections, 20000);
	assert_int_equal(conf.serve.idle_ms, 300000);
	conf_done(&conf);
}

static const char everything[] =
	"store: /s\nuser: clinch\nlog: { level: error, format: json }\n"
	"metrics: { listen: \"[::1]:9469\", per_certificate: all }\n"
	"fetch: { proxy: \"http://proxy:3128\", per_responder: 2, total: 3, timeout: 4s, connect_timeout: 1s, max_size: 2KiB,\n"
	"  hash: sha256, ca: /ca.pem, fallback: \"http://last/\" }\n"
	"keep:\n  socket: /k.sock\n  issuers: /i\n  ready_timeout: 1m\n  rescan: 2h\n  certificates:\n"
	"    - path: /c/*.pem\n    - { path: /d, responder: \"https://r/\", on_revoked: drop }\n"
	"  outputs:\n    - der: \"/o/{name}.der\"\n      for: [ /c/x.pem, /c/y.pem ]\n      chain: true\n      server: hitch\n"
	"      mode: \"0640\"\n    - { pem: /o/e.pem, server: exim }\n    - { haproxy: /h, timeout: 2s, after: 1s }\n"
	"    - { run: [ /bin/echo, \"a b\", \"*\" ], at_most_every: 1h }\n"
	"serve:\n  listen: [ \"[::]:443\", \"0.0.0.0:443\" ]\n  backend: unix:/b\n  certificates:\n"
	"    - { chain: /c, key: /k }\n    - { chain: /c2, key: \"pkcs11:object=x\", responder: \"http://q/\", must_staple: wait }\n"
	"  issuers: /j\n  alpn: [ h2, http/1.1 ]\n  priority: NORMAL\n  proxy_protocol: v2\n  accept_proxy_protocol: v2\n"
	"  on_unstapled: refuse\n  on_revoked: drop\n  tickets: \"off\"\n  keeper: none\n  threads: 2\n  ready_timeout: 3s\n"
	"  limits: { connections: 5, handshake: 1s, connect: 2s, idle: 3s, drain: 4s }\n"
	"respond:\n  listen: [ \"[::]:80\" ]\n  relay: true\n  cache: { memory: 2MiB, max_age: 5m }\n  threads: 3\n"
	"  metrics_listen: \"[::1]:9471\"\n"
	"  limits: { connections: 6, certificates: 7, request: 8s, idle: 9s, drain: 10s }\n  authorities:\n"
	"    - { ca: /ca, signers: [ { cert: /s, key: \"pkcs11:object=o\", pss: true }, { cert: /t, key: /k, password_file: /p } ],\n"
	"        index: /i, accept_unrevoked: [ 0A ] }\n"
	"    - { ca: /cb, signers: [ { cert: /s, key: /k } ], crl: [ /r, /q ], issued: /l, never_issued: unknown, validity: 7d,\n"
	"        refresh: 1d, archive_cutoff: 3650d, nonce: ignore, responder_id: name, prepare: both }\n"
	"    - { ca: /cc, signers: [ { cert: /s, key: /k } ], crl: [ /r ], crl_means: good }\n";

static void everything_that_can_be_written_arrives_in_keep(void **state)
{
	(void)state;
	struct conf conf;
	if (parse(&conf, everything) != 0)
		fail_msg("%s", error.text);
	assert_string_equal(conf.keep.store, "/s");
	assert_string_equal(conf.user, "clinch");
	assert_int_equal(conf.log.level, KEEP_ERROR);
	assert_true(conf.log.json);
	assert_string_equal(conf.metrics.listen, "[::1]:9469");
	assert_int_equal(conf.metrics.per_certificate, METRICS_ALL);
	assert_false(conf.proxy_of_environment);
	assert_string_equal(conf.keep.limits.proxies.all, "http://proxy:3128");
	assert_int_equal(conf.keep.limits.per_responder, 2);
	assert_int_equal(conf.keep.limits.total, 3);
	assert_int_equal(conf.keep.fetch.timeout_ms, 4000);
	assert_int_equal(conf.keep.fetch.connect_ms, 1000);
	assert_int_equal(conf.keep.policy.max_len, 2048);
	assert_int_equal(conf.keep.fetch.hash, GNUTLS_DIG_SHA256);
	assert_string_equal(conf.keep.fetch.ca_file, "/ca.pem");
	assert_string_equal(conf.keep.fallback, "http://last/");
	assert_true(conf.has_keep);
	assert_string_equal(conf.socket, "/k.sock");
	assert_string_equal(conf.keep.issuers, "/i");
	assert_int_equal(conf.keep.ready_timeout_ms, 60000);
	assert_int_equal(conf.keep.rescan_ms, 7200000);
	assert_int_equal(conf.keep.n_sources, 2);
	assert_string_equal(conf.keep.source[0].path, "/c/*.pem");
	assert_null(conf.keep.source[0].responder);
	assert_false(conf.keep.source[0].drop_revoked);
	assert_string_equal(conf.keep.source[1].responder, "https://r/");
	assert_true(conf.keep.source[1].drop_revoked);
	conf_done(&conf);
	assert_null(conf.memory);
}

static void everything_that_can_be_written_arrives_in_outputs(void **state)
{
	(void)state;
	struct conf conf;
	assert_int_equal(parse(&conf, everything), 0);
	assert_int_equal(conf.n_outputs, 4);
	const struct outlet_conf *out = conf.output;
	assert_int_equal(out->kind, OUTLET_DER);
	assert_string_equal(out->target, "/o/{name}.der");
	assert_int_equal(out->n_only, 2);
	assert_string_equal(out->only[1], "/c/y.pem");
	assert_true(out->with_chain);
	assert_int_equal(out->server, OUTLET_HITCH);
	assert_int_equal(out->mode, 0640);
	out++;
	assert_int_equal(out->kind, OUTLET_PEM);
	assert_int_equal(out->mode, 0644);
	assert_int_equal(out->n_only, 0);
	out++;
	assert_int_equal(out->kind, OUTLET_HAPROXY);
	assert_string_equal(out->target, "/h");
	assert_int_equal(out->timeout_ms, 2000);
	assert_int_equal(out->after_ms, 1000);
	out++;
	assert_int_equal(out->kind, OUTLET_RUN);
	assert_int_equal(out->n_argv, 3);
	assert_string_equal(out->argv[1], "a b");
	assert_null(out->argv[3]);
	assert_int_equal(out->after_ms, 5000);
	assert_int_equal(out->at_most_every_ms, 3600000);
	assert_int_equal(out->timeout_ms, 30000);
	conf_done(&conf);
}

static void everything_that_can_be_written_arrives_in_serve(void **state)
{
	(void)state;
	struct conf conf;
	assert_int_equal(parse(&conf, everything), 0);
	const struct serve_conf *serve = &conf.serve;
	assert_true(conf.has_serve);
	assert_string_equal(serve->store, "/s");
	assert_int_equal(serve->n_listen, 2);
	assert_string_equal(serve->listen[0], "[::]:443");
	assert_string_equal(serve->backend, "unix:/b");
	assert_int_equal(serve->n_certificates, 2);
	assert_string_equal(serve->certificate[0].chain, "/c");
	assert_false(serve->certificate[0].wait);
	assert_string_equal(serve->certificate[1].key, "pkcs11:object=x");
	assert_string_equal(serve->certificate[1].responder, "http://q/");
	assert_true(serve->certificate[1].wait);
	assert_string_equal(serve->issuers, "/j");
	assert_int_equal(serve->n_alpn, 2);
	assert_string_equal(serve->alpn[1], "http/1.1");
	assert_string_equal(serve->priority, "NORMAL");
	assert_true(serve->proxy_protocol && serve->accept_proxy && serve->refuse_unstapled);
	assert_true(serve->drop_revoked && serve->no_tickets && serve->no_keeper);
	assert_int_equal(serve->threads, 2);
	assert_int_equal(serve->ready_timeout_ms, 3000);
	assert_int_equal(serve->connections, 5);
	assert_int_equal(serve->handshake_ms, 1000);
	assert_int_equal(serve->connect_ms, 2000);
	assert_int_equal(serve->idle_ms, 3000);
	assert_int_equal(serve->drain_ms, 4000);
	conf_done(&conf);
}

static void everything_that_can_be_written_arrives_in_respond(void **state)
{
	(void)state;
	struct conf conf;
	assert_int_equal(parse(&conf, everything), 0);
	const struct respond_conf *respond = &conf.respond;
	assert_true(conf.has_respond && conf.respond_relay);
	assert_string_equal(respond->listen[0], "[::]:80");
	assert_int_equal(respond->cache_bytes, 2 << 20);
	assert_int_equal(respond->max_age_ms, 300000);
	assert_int_equal(respond->threads, 3);
	assert_string_equal(respond->metrics, "[::1]:9471");
	assert_int_equal(respond->connections, 6);
	assert_int_equal(respond->ids, 7);
	assert_int_equal(respond->request_ms, 8000);
	assert_int_equal(respond->idle_ms, 9000);
	assert_int_equal(respond->drain_ms, 10000);
	assert_int_equal(respond->n_authorities, 3);
	conf_done(&conf);
}

static void everything_that_can_be_written_arrives_in_its_authorities(void **state)
{
	(void)state;
	struct conf conf;
	assert_int_equal(parse(&conf, everything), 0);
	const struct respond_authority *ca = conf.respond.authority;
	assert_string_equal(ca->conf.ca, "/ca");
	assert_int_equal(ca->conf.n_signers, 2);
	assert_string_equal(ca->conf.signers[0].key, "pkcs11:object=o");
	assert_true(ca->conf.signers[0].pss && !ca->conf.signers[1].pss);
	assert_string_equal(ca->conf.signers[1].password_file, "/p");
	assert_int_equal(ca->conf.source.kind, SOURCE_INDEX);
	assert_string_equal(ca->conf.source.index, "/i");
	assert_string_equal(ca->accepted[0], "0A");
	assert_int_equal(ca->conf.validity_s, 4 * 86400);
	assert_int_equal(ca->conf.never_issued, NEVER_ISSUED_UNAUTHORIZED);
	assert_int_equal(ca->conf.nonce, NONCE_SIGN);
	assert_int_equal(ca->prepare, PREPARE_NONE);
	ca++;
	assert_int_equal(ca->conf.source.kind, SOURCE_CRL);
	assert_string_equal(ca->conf.source.crl[1], "/q");
	assert_string_equal(ca->conf.source.issued, "/l");
	assert_int_equal(ca->conf.never_issued, NEVER_ISSUED_UNKNOWN);
	assert_int_equal(ca->conf.validity_s, 7 * 86400);
	assert_int_equal(ca->refresh_s, 86400);
	assert_int_equal(ca->conf.archive_cutoff_s, INT64_C(3650) * 86400);
	assert_int_equal(ca->conf.nonce, NONCE_IGNORE);
	assert_true(ca->conf.by_name && !ca->conf.source.crl_means_good);
	assert_int_equal(ca->prepare, PREPARE_BOTH);
	assert_true(ca[1].conf.source.crl_means_good);
	conf_done(&conf);
}

/* ---- the table ---- */

static void each_row_is_sound(const struct conf_table *table)
{
	size_t n = 0;

	for (const struct conf_key *key = table->keys; key->name; key++, n++) {
		char why[CONF_WHY_SIZE];
		max_align_t base[(sizeof(struct conf) + sizeof(struct outlet_conf)) / sizeof(max_align_t) + 1];

		check(key->name, key->help && *key->help && strlen(key->help) < 100);
		check(key->name, key->help[strlen(key->help) - 1] != '.');
		check(key->name, !(key->required && key->preset));
		check(key->name, (key->type == CONF_SECTION || key->type == CONF_ENTRIES) == !!key->table);
		check(key->name, (key->type == CONF_CHOICE) == !!key->words);
		check(key->name, key->table || key->preset || key->example);
		if (key->preset && !conf_scalar(key, key->preset, base, why))
			fail_msg("the default of %s %s", key->name, why);
		if (key->table)
			each_row_is_sound(key->table);
	}
	check(table->name, n > 0 && n < 64);
}

static void each_row_has_help_and_a_default_that_it_accepts(void **state)
{
	(void)state;
	each_row_is_sound(&conf_root);
}

static void the_defaults_that_are_printed_can_be_read_back(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	struct conf conf;
	FILE *stream = open_memstream(&text, &len);
	assert_non_null(stream);
	conf_print_defaults(stream);
	assert_int_equal(fclose(stream), 0);
	if (conf_parse(&conf, "defaults", text, len, &error) != 0)
		fail_msg("%s", error.text);
	assert_true(conf.has_keep && conf.has_serve);
	assert_int_equal(conf.serve.n_listen, 2);
	conf_done(&conf);
	for (const char *line = strstr(text, "\n# "); line; line = strstr(line + 1, "\n# "))
		assert_non_null(strchr(line + 1, ':'));
	free(text);
}

static void durations_and_sizes_are_printed_in_their_largest_unit(void **state)
{
	(void)state;
	static const struct {
		int64_t value;
		const char *duration, *size;
	} rows[] = {
		{ 1, "1ms", "1B" },
		{ 1500, "1500ms", "1500B" },
		{ 90000, "90s", "90000B" },
		{ 86400000, "1d", "84375KiB" },
		{ 1048576, "1048576ms", "1MiB" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		char text[24];
		check_str(rows[i].duration, conf_duration_text(text, rows[i].value), rows[i].duration);
		check_str(rows[i].size, conf_size_text(text, rows[i].value), rows[i].size);
	}
}

static void a_file_that_is_not_there_is_named(void **state)
{
	(void)state;
	struct conf conf;
	assert_int_equal(conf_read(&conf, "/nonexistent/clinch.yaml", &error), CLINCH_E_FILE);
	assert_non_null(strstr(error.text, "/nonexistent/clinch.yaml"));
}

static void done_may_be_called_on_anything(void **state)
{
	(void)state;
	struct conf conf = { 0 };
	conf_done(NULL);
	conf_done(&conf);
	assert_int_equal(parse(&conf, "store: /a\n"), 0);
	conf_done(&conf);
	conf_done(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_not_written_has_its_default),
		T(everything_that_can_be_written_arrives_in_keep),
		T(everything_that_can_be_written_arrives_in_outputs),
		T(everything_that_can_be_written_arrives_in_serve),
		T(everything_that_can_be_written_arrives_in_respond),
		T(everything_that_can_be_written_arrives_in_its_authorities),
		T(each_row_has_help_and_a_default_that_it_accepts),
		T(the_defaults_that_are_printed_can_be_read_back),
		T(durations_and_sizes_are_printed_in_their_largest_unit),
		T(a_file_that_is_not_there_is_named),
		T(done_may_be_called_on_anything),
	};
	return cmocka_run_group_tests_name("conf_values", tests, NULL, NULL);
}
