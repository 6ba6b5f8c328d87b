/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every key of the file. A key stands here when something obeys it, and not before: an unknown one is refused. */
#include "conf/schema.h"
#include "conf/rows.h"
#include <gnutls/gnutls.h>
#include <string.h>

uint64_t conf_bit(const struct conf_table *table, const char *name)
{
	for (size_t i = 0; table->keys[i].name; i++)
		if (!strcmp(table->keys[i].name, name))
			return UINT64_C(1) << i;
	return 0;
}

bool conf_wrong_at(struct conf_wrong *wrong, const char *key, const char *format, ...)
{
	va_list arguments;

	wrong->key = key;
	va_start(arguments, format);
	vsnprintf(wrong->text, sizeof(wrong->text), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- log, metrics, fetch ---- */

static const struct conf_word levels[] = {
	{ "error", KEEP_ERROR }, { "warning", KEEP_WARNING }, { "info", KEEP_INFO }, { "debug", KEEP_DEBUG }, { NULL, 0 },
};
static const struct conf_word formats[] = { { "text", false }, { "json", true }, { NULL, 0 } };
static const struct conf_key log_keys[] = {
	{ "level", CHOICE(conf, log.level), .words = levels, .preset = "info",
	  .help = "the least serious that is said: error, warning, info or debug" },
	{ "format", CHOICE(conf, log.json), .words = formats, .preset = "text",
	  .help = "text or json, one line each, always on stderr" },
	{ 0 },
};
static const struct conf_table log_table = { "log", log_keys };

static const struct conf_word each_words[] = {
	{ "all", METRICS_ALL },
	{ "troubled", METRICS_TROUBLED },
	{ "none", METRICS_NONE },
	{ NULL, 0 },
};
static const struct conf_key metrics_keys[] = {
	{ "listen", CONF_TEXT, AT(conf, metrics.listen), .check = check_metrics_listen, .example = "127.0.0.1:9469",
	  .help = "where the keeper has / (a page for people), /metrics, /status.json, /livez and /readyz" },
	{ "per_certificate", CHOICE(conf, metrics.per_certificate), .words = each_words, .preset = "troubled",
	  .help = "which certificates get rows of their own: all, troubled or none" },
	{ 0 },
};
static const struct conf_table metrics_table = { "metrics", metrics_keys };

static const struct conf_word hashes[] = {
	{ "sha1", GNUTLS_DIG_SHA1 },
	{ "sha256", GNUTLS_DIG_SHA256 },
	{ "sha384", GNUTLS_DIG_SHA384 },
	{ "sha512", GNUTLS_DIG_SHA512 },
	{ NULL, 0 },
};
static const struct conf_key fetch_keys[] = {
	{ "proxy", CONF_TEXT, AT(conf, keep.limits.proxies.all), .check = check_proxy, .preset = "env",
	  .help = "env (http_proxy and its like), none, or the URL of a proxy" },
	{ "per_responder", CONF_COUNT, AT(conf, keep.limits.per_responder), .min = 1, .max = 64, .preset = "4",
	  .help = "questions at a time to one responder" },
	{ "total", CONF_COUNT, AT(conf, keep.limits.total), .min = 1, .max = 1024, .preset = "64",
	  .help = "questions at a time to all of them" },
	{ "timeout", CONF_DURATION, AT(conf, keep.fetch.timeout_ms), .min = 100, .max = 10 * M, .preset = "15s",
	  .help = "for one fetch, name resolution and all its URLs together" },
	{ "connect_timeout", CONF_DURATION, AT(conf, keep.fetch.connect_ms), .min = 100, .max = 10 * M, .preset = "5s",
	  .help = "for a connection to be there, name resolution and TLS included" },
	{ "max_size", CONF_SIZE, AT(conf, keep.fetch.max_size), .min = KIB, .max = KIB * KIB, .preset = "64KiB",
	  .help = "a larger answer is refused while it is read" },
	{ "hash", CHOICE(conf, keep.fetch.hash), .words = hashes, .preset = "sha1",
	  .help = "of the CertID: sha1, which every responder and client knows, or sha256, sha384, sha512" },
	{ "ca", CONF_TEXT, AT(conf, keep.fetch.ca_file), .check = check_path, .example = "/etc/clinch/responders.pem",
	  .help = "the roots that https responders are trusted by, instead of the system's" },
	{ "fallback", CONF_TEXT, AT(conf, keep.fallback), .check = check_url, .example = "http://ocsp.corp.example/",
	  .help = "a responder to ask after all others" },
	{ 0 },
};

/* The text of `proxy` was put where a proxy's URL belongs. */
static bool fetch_finish(void *base, uint64_t given, struct conf_wrong *wrong)
{
	struct conf *conf = base;
	struct fetch_proxies *proxies = &conf->keep.limits.proxies;

	(void)given;
	conf->proxy_of_environment = !strcmp(proxies->all, "env");
	if (conf->proxy_of_environment || !strcmp(proxies->all, "none"))
		proxies->all = NULL;
	conf->keep.policy.max_len = conf->keep.fetch.max_size;
	if (conf->keep.fetch.connect_ms > conf->keep.fetch.timeout_ms)
		return conf_wrong_at(wrong, "timeout", "timeout is shorter than connect_timeout");
	return true;
}
static const struct conf_table fetch_table = { "fetch", fetch_keys, .finish = fetch_finish };

/* ---- keep ---- */

static const struct conf_word on_revoked[] = { { "serve", false }, { "drop", true }, { NULL, 0 } };
static const struct conf_key source_keys[] = {
	{ "path", CONF_TEXT, .required = true, AT(keep_source, path), .check = check_pattern,
	  .example = "/etc/letsencrypt/live/*/fullchain.pem",
	  .help = "a chain file, a pattern, or a directory of .pem, .crt and .cer; private keys are skipped" },
	{ "responder", CONF_TEXT, AT(keep_source, responder), .check = check_url, .example = "http://ocsp.corp.example/",
	  .help = "asked instead of the certificate's own" },
	{ "on_revoked", CHOICE(keep_source, drop_revoked), .words = on_revoked, .preset = "serve",
	  .help = "what outputs do with a response that says revoked: serve it, or drop it" },
	{ 0 },
};
static const struct conf_table source_table = { "certificates", source_keys, .size = sizeof(struct keep_source) };

static const struct conf_word when_expired[] = { { "leave", false }, { "remove", true }, { NULL, 0 } };
static const struct conf_word servers[] = {
	{ "any", OUTLET_ANY_SERVER },
	{ "nginx", OUTLET_NGINX },
	{ "haproxy", OUTLET_FOR_HAPROXY },
	{ "lighttpd", OUTLET_LIGHTTPD },
	{ "hitch", OUTLET_HITCH },
	{ "exim", OUTLET_EXIM },
	{ NULL, 0 },
};
static const struct conf_key output_keys[] = {
	{ "der", CONF_TEXT, AT(outlet_conf, target), .check = check_file_template,
	  .example = "/var/lib/clinch/nginx/{name}.{key_type}.der",
	  .help = "a file for each certificate, by {name}, {fingerprint}, {key_type}" },
	{ "pem", CONF_TEXT, AT(outlet_conf, target), .check = check_file_template,
	  .example = "/var/lib/clinch/exim/{name}.{key_type}.pem", .help = "the same in PEM, as exim wants it" },
	{ "haproxy", CONF_TEXT, AT(outlet_conf, target), .check = check_socket_path, .example = "/run/haproxy/admin.sock",
	  .help = "HAProxy's runtime socket (level admin)" },
	{ "run", CONF_TEXTS, LIST(outlet_conf, argv, n_argv), .check = check_argument, .min = 1, .max = 64,
	  .example = "[ /usr/bin/systemctl, reload, nginx ]", .help = "a command after a change; no shell reads it" },
	{ "for", CONF_TEXTS, LIST(outlet_conf, only, n_only), .check = check_pattern, .min = 1, .max = 10000,
	  .example = "[ /etc/letsencrypt/live/*/fullchain.pem ]", .help = "these chain files alone, or patterns of them" },
	{ "chain", CONF_BOOL, AT(outlet_conf, with_chain), .preset = "false", .help = "for the CAs' certificates too" },
	{ "server", CHOICE(outlet_conf, server), .words = servers, .preset = "any",
	  .help = "whose file it is: any, nginx, haproxy, lighttpd, hitch or exim" },
	{ "when_expired", CHOICE(outlet_conf, remove_expired), .words = when_expired, .preset = "leave",
	  .help = "leave the file, or remove it (not for nginx, hitch and exim)" },
	{ "mode", CONF_MODE, AT(outlet_conf, mode), .preset = "0644", .help = "of the file" },
	{ "after", CONF_DURATION, AT(outlet_conf, after_ms), .min = 1, .max = H, .preset = "5s",
	  .help = "changes are gathered for so long, then one run is for all of them" },
	{ "at_most_every", CONF_DURATION, AT(outlet_conf, at_most_every_ms), .min = 1, .max = D, .preset = "5m",
	  .help = "between two runs; earlier only when a life would end before" },
	{ "timeout", CONF_DURATION, AT(outlet_conf, timeout_ms), .min = 100, .max = H, .preset = "30s",
	  .help = "for one run, or one conversation with HAProxy" },
	{ 0 },
};
static bool output_finish(void *base, uint64_t given, struct conf_wrong *wrong);
static const struct conf_table output_table = {
	"outputs",
	output_keys,
	.size = sizeof(struct outlet_conf),
	.finish = output_finish,
};

/* Which keys belong to which kind; the others may have all the rest. */
static const struct {
	const char *key;
	bool file, haproxy, run;
} belongs[] = {
	{ "chain", .file = true },
	{ "server", .file = true },
	{ "when_expired", .file = true },
	{ "mode", .file = true },
	{ "after", .haproxy = true, .run = true },
	{ "at_most_every", .run = true },
	{ "timeout", .haproxy = true, .run = true },
};

static bool output_finish(void *base, uint64_t given, struct conf_wrong *wrong)
{
	struct outlet_conf *output = base;
	unsigned n = 0;

	for (int kind = OUTLET_DER; kind <= OUTLET_RUN; kind++)
		if (given & conf_bit(&output_table, outlet_kind_name(kind)) && ++n)
			output->kind = kind;
	if (n != 1)
		return conf_wrong_at(wrong, NULL, "an output has one of der, pem, haproxy and run, this one has %s",
				     n ? "several" : "none");
	for (size_t i = 0; i < sizeof(belongs) / sizeof(*belongs); i++) {
		bool fits = output->kind == OUTLET_RUN       ? belongs[i].run
			    : output->kind == OUTLET_HAPROXY ? belongs[i].haproxy
							     : belongs[i].file;

		if (!fits && given & conf_bit(&output_table, belongs[i].key))
			return conf_wrong_at(wrong, belongs[i].key, "%s says nothing about an output of %s", belongs[i].key,
					     outlet_kind_name(output->kind));
	}
	if (output->kind == OUTLET_RUN && output->argv[0][0] != '/')
		return conf_wrong_at(wrong, "run",
				     "run wants the absolute path of a program: there is no shell to look for it");
	if (output->remove_expired &&
	    (output->server == OUTLET_NGINX || output->server == OUTLET_HITCH || output->server == OUTLET_EXIM))
		return conf_wrong_at(wrong, "when_expired",
				     "when_expired: remove is not for nginx, hitch and exim: "
				     "they need the file that they are told of");
	return true;
}

static const struct conf_key keep_keys[] = {
	{ "socket", CONF_TEXT, AT(conf, socket), .check = check_socket_or_none, .preset = CONF_SOCKET,
	  .help = "for clinch status and clinch put; its mode is 0660; none: there is none" },
	{ "issuers", CONF_TEXT, AT(conf, keep.issuers), .check = check_path, .example = "/etc/clinch/issuers.d",
	  .help = "a file or directory of issuers, for chain files that are without" },
	{ "ready_timeout", CONF_DURATION, AT(conf, keep.ready_timeout_ms), .min = 1, .max = H, .preset = "10s",
	  .help = "ready by then, also when a response is still missing" },
	{ "rescan", CONF_DURATION, AT(conf, keep.rescan_ms), .min = S, .max = 7 * D, .preset = "10m",
	  .help = "all files are looked at so often, beside being watched" },
	{ "certificates", CONF_ENTRIES, .required = true, LIST(conf, keep.source, keep.n_sources), .min = 1, .max = 100000,
	  .table = &source_table, .help = "whose responses are kept" },
	{ "outputs", CONF_ENTRIES, LIST(conf, output, n_outputs), .max = 1000, .table = &output_table,
	  .help = "how other servers get them, each with one of der, pem, haproxy and run" },
	{ 0 },
};
static bool keep_finish(void *base, uint64_t given, struct conf_wrong *wrong)
{
	struct conf *conf = base;

	(void)given;
	(void)wrong;
	if (!strcmp(conf->socket, "none"))
		conf->socket = NULL;
	return true;
}
static const struct conf_table keep_table = { "keep", keep_keys, .finish = keep_finish };

/* ---- serve ---- */

static const struct conf_word must_staple[] = { { "serve", false }, { "wait", true }, { NULL, 0 } };
static const struct conf_key served_keys[] = {
	{ "chain", CONF_TEXT, .required = true, AT(serve_certificate, chain), .check = check_path,
	  .example = "/etc/ssl/mail.pem", .help = "the certificate and its intermediates, PEM" },
	{ "key", CONF_TEXT, .required = true, AT(serve_certificate, key), .check = check_key,
	  .example = "/etc/ssl/private/mail.key", .help = "its key, PEM or a pkcs11: URL" },
	{ "responder", CONF_TEXT, AT(serve_certificate, responder), .check = check_url,
	  .example = "http://ocsp.corp.example/", .help = "asked instead of the certificate's own" },
	{ "must_staple", CHOICE(serve_certificate, wait), .words = must_staple, .preset = "serve",
	  .help = "wait: it is not served before it has its staple; serve: at once" },
	{ 0 },
};
static const struct conf_table served_table = { "certificates", served_keys, .size = sizeof(struct serve_certificate) };

static const struct conf_key limit_keys[] = {
	{ "connections", CONF_COUNT, AT(conf, serve.connections), .min = 1, .max = 1000000, .preset = "20000",
	  .help = "open at a time" },
	{ "handshake", CONF_DURATION, AT(conf, serve.handshake_ms), .min = 100, .max = 10 * M, .preset = "10s",
	  .help = "from the first byte to the end of the handshake" },
	{ "connect", CONF_DURATION, AT(conf, serve.connect_ms), .min = 100, .max = 10 * M, .preset = "5s",
	  .help = "for the connection to the backend" },
	{ "idle", CONF_DURATION, AT(conf, serve.idle_ms), .min = 100, .max = 7 * D, .preset = "5m",
	  .help = "without a byte either way" },
	{ "drain", CONF_DURATION, AT(conf, serve.drain_ms), .min = 1, .max = D, .preset = "30s",
	  .help = "for open connections to end after SIGTERM" },
	{ 0 },
};
static const struct conf_table limit_table = { "limits", limit_keys };

static const struct conf_word proxy_protocol[] = { { "none", false }, { "v2", true }, { NULL, 0 } };
static const struct conf_word on_unstapled[] = { { "serve", false }, { "refuse", true }, { NULL, 0 } };
static const struct conf_word switched_on[] = { { "on", false }, { "off", true }, { NULL, 0 } };
static const struct conf_word keepers[] = { { "child", false }, { "none", true }, { NULL, 0 } };
static const struct conf_key serve_keys[] = {
	{ "listen", CONF_TEXTS, .required = true, LIST(conf, serve.listen, serve.n_listen), .check = check_listen, .min = 1,
	  .max = 64, .example = "[ \"0.0.0.0:443\", \"[::]:443\" ]", .help = "addresses and ports" },
	{ "backend", CONF_TEXT, .required = true, AT(conf, serve.backend), .check = check_backend,
	  .example = "127.0.0.1:8080", .help = "where the plain bytes go: an address and a port, or unix: and a path" },
	{ "certificates", CONF_ENTRIES, .required = true, LIST(conf, serve.certificate, serve.n_certificates), .min = 1,
	  .max = 100000, .table = &served_table, .help = "what is served, by name and key type" },
	{ "issuers", CONF_TEXT, AT(conf, serve.issuers), .check = check_path, .example = "/etc/clinch/issuers.pem",
	  .help = "a file of issuers, for chain files that are without" },
	{ "alpn", CONF_TEXTS, LIST(conf, serve.alpn, serve.n_alpn), .check = check_alpn, .min = 1, .max = 32,
	  .example = "[ h2, http/1.1 ]", .help = "protocols the backend speaks, the preferred one first" },
	{ "priority", CONF_TEXT, AT(conf, serve.priority), .check = check_word, .example = "NORMAL:-VERS-ALL:+VERS-TLS1.3",
	  .help = "GnuTLS's priority string; without it NORMAL, from TLS 1.2 on" },
	{ "proxy_protocol", CHOICE(conf, serve.proxy_protocol), .words = proxy_protocol, .preset = "none",
	  .help = "v2: the backend is told the client's address by a PROXY header" },
	{ "accept_proxy_protocol", CHOICE(conf, serve.accept_proxy), .words = proxy_protocol, .preset = "none",
	  .help = "v2: every connection must begin with a PROXY header" },
	{ "on_unstapled", CHOICE(conf, serve.refuse_unstapled), .words = on_unstapled, .preset = "serve",
	  .help = "a must-staple certificate whose staple has ended: serve it without, or refuse" },
	{ "on_revoked", CHOICE(conf, serve.drop_revoked), .words = on_revoked, .preset = "serve",
	  .help = "serve a staple that says revoked, or drop it" },
	{ "tickets", CHOICE(conf, serve.no_tickets), .words = switched_on, .preset = "on",
	  .help = "session tickets, on or off" },
	{ "keeper", CHOICE(conf, serve.no_keeper), .words = keepers, .preset = "child",
	  .help = "child: one of its own fills the store; none: another one does" },
	{ "threads", CONF_COUNT, AT(conf, serve.threads), .max = 1024, .preset = "0", .help = "0: one a core" },
	{ "ready_timeout", CONF_DURATION, AT(conf, serve.ready_timeout_ms), .min = 1, .max = H, .preset = "10s",
	  .help = "it listens by then, also when a staple is still missing" },
	{ "limits", CONF_SECTION, .table = &limit_table, .help = "what a client and the backend may take" },
	{ "metrics_listen", CONF_TEXT, AT(conf, serve_metrics), .check = check_metrics_listen, .example = "127.0.0.1:9470",
	  .help = "where serve has /metrics, /livez and /readyz; metrics.listen is its keeper's" },
	{ 0 },
};
static const struct conf_table serve_table = { "serve", serve_keys };

/* ---- the file ---- */

static const struct conf_key root_keys[] = {
	{ "store", CONF_TEXT, AT(conf, store), .check = check_path, .preset = CONF_STORE,
	  .help = "the directory of verified responses" },
	{ "user", CONF_TEXT, AT(conf, user), .check = check_word, .example = "clinch",
	  .help = "whom a daemon becomes that was started as root" },
	{ "log", CONF_SECTION, .table = &log_table, .help = "what is said" },
	{ "metrics", CONF_SECTION, .table = &metrics_table, .help = "for Prometheus and for probes" },
	{ "fetch", CONF_SECTION, .table = &fetch_table, .help = "how responders are asked" },
	{ "keep", CONF_SECTION, .flag_at = offsetof(struct conf, has_keep), .table = &keep_table,
	  .help = "clinch keep: responses for other people's servers" },
	{ "serve", CONF_SECTION, .flag_at = offsetof(struct conf, has_serve), .table = &serve_table,
	  .help = "clinch serve: a TLS front end" },
	{ "respond", CONF_SECTION, .flag_at = offsetof(struct conf, has_respond), .table = &conf_respond,
	  .help = "clinch respond: a responder for one's own CAs" },
	{ 0 },
};

static bool root_finish(void *base, uint64_t given, struct conf_wrong *wrong)
{
	struct conf *conf = base;

	(void)given;
	(void)wrong;
	conf->keep.store = conf->serve.store = conf->store;
	return true;
}

const struct conf_table conf_root = { "the file", root_keys, .finish = root_finish };
