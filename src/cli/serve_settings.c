/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `serve` is told, by options or by a configuration. */
#include "cli/serve_settings.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum serve_option {
	SERVE_CONF = 1,
	SERVE_LISTEN,
	SERVE_BACKEND,
	SERVE_CERT,
	SERVE_KEY,
	SERVE_STORE,
	SERVE_RESPONDER,
	SERVE_ISSUERS,
	SERVE_MUST_STAPLE,
	SERVE_ON_UNSTAPLED,
	SERVE_ON_REVOKED,
	SERVE_ALPN,
	SERVE_PRIORITY,
	SERVE_PROXY_PROTOCOL,
	SERVE_ACCEPT_PROXY,
	SERVE_NO_TICKETS,
	SERVE_TICKET_KEY_LIFE,
	SERVE_NO_KEEPER,
	SERVE_THREADS,
	SERVE_CONNECTIONS,
	SERVE_HANDSHAKE_TIMEOUT,
	SERVE_CONNECT_TIMEOUT,
	SERVE_IDLE_TIMEOUT,
	SERVE_DRAIN_TIMEOUT,
	SERVE_READY_TIMEOUT,
	SERVE_METRICS,
	/* from here on beside -c too */
	SERVE_METRICS_FILE,
	SERVE_READY_FILE,
	SERVE_CHECK_CONFIG,
	SERVE_USER,
	SERVE_ALLOW_ROOT,
	SERVE_FORMAT,
	SERVE_VERBOSE,
};

#define ON_UNSTAPLED_WORDS "serve refuse"
#define ON_REVOKED_WORDS "serve drop"
#define PROXY_WORDS "none v2"

const struct cli_option serve_options[] = {
	{ SERVE_CONF, 'c', "config", "FILE", "the configuration (/etc/clinch/clinch.yaml); - is standard input", "FILE" },
	{ SERVE_LISTEN, 0, "listen", "A:P", "an address and port to listen on; port 0: any; may be repeated", NULL },
	{ SERVE_BACKEND, 0, "backend", "A:P", "where the plain bytes go; unix:PATH for a Unix socket", NULL },
	{ SERVE_CERT, 0, "cert", "FILE", "a chain, leaf first (PEM); may be repeated, each with its --key", "FILE" },
	{ SERVE_KEY, 0, "key", "FILE", "the key of the --cert before it: PEM, or a pkcs11: URL", "FILE" },
	{ SERVE_STORE, 0, "store", "DIR", "the directory of responses (/var/lib/clinch/store)", "DIR" },
	{ SERVE_RESPONDER, 0, "responder", "URL", "ask this responder, not the certificates' own", NULL },
	{ SERVE_ISSUERS, 0, "issuers", "FILE", "issuers that chain files are without (PEM)", "FILE" },
	{ SERVE_MUST_STAPLE, 0, "must-staple", "serve|wait", "wait: a certificate is not served before its staple is there",
	  "serve wait" },
	{ SERVE_ON_UNSTAPLED, 0, "on-unstapled", "serve|refuse", "a must-staple certificate without a staple (serve)",
	  ON_UNSTAPLED_WORDS },
	{ SERVE_ON_REVOKED, 0, "on-revoked", "serve|drop", "a staple that says revoked (serve)", ON_REVOKED_WORDS },
	{ SERVE_ALPN, 0, "alpn", "LIST", "protocols of the backend, the best first: h2,http/1.1", NULL },
	{ SERVE_PRIORITY, 0, "priority", "STRING", "GnuTLS's priority string (TLS 1.2 and 1.3)", NULL },
	{ SERVE_PROXY_PROTOCOL, 0, "proxy-protocol", "none|v2", "tell the backend who the client is (none)", PROXY_WORDS },
	{ SERVE_ACCEPT_PROXY, 0, "accept-proxy", NULL, "every connection begins with a PROXY v2 header", NULL },
	{ SERVE_NO_TICKETS, 0, "no-tickets", NULL, "no session tickets", NULL },
	{ SERVE_TICKET_KEY_LIFE, 0, "ticket-key-life", "S", "a new key for session tickets every S seconds (43200)", NULL },
	{ SERVE_NO_KEEPER, 0, "no-keeper", NULL, "start no clinch-keep: another one fills the store", NULL },
	{ SERVE_THREADS, 0, "threads", "N", "threads (0: one a core)", NULL },
	{ SERVE_CONNECTIONS, 0, "connections", "N", "connections at a time (20000)", NULL },
	{ SERVE_HANDSHAKE_TIMEOUT, 0, "handshake-timeout", "S", "from accept to the end of the handshake (10)", NULL },
	{ SERVE_CONNECT_TIMEOUT, 0, "connect-timeout", "S", "for the backend to accept (5)", NULL },
	{ SERVE_IDLE_TIMEOUT, 0, "idle-timeout", "S", "without a byte either way (300)", NULL },
	{ SERVE_DRAIN_TIMEOUT, 0, "drain-timeout", "S", "for open connections to end after SIGTERM (30)", NULL },
	{ SERVE_READY_TIMEOUT, 0, "ready-timeout", "S", "listen by then, also without a staple (10)", NULL },
	{ SERVE_METRICS, 0, "metrics", "A:P", "have /metrics, /livez and /readyz there", NULL },
	{ SERVE_METRICS_FILE, 0, "metrics-file", "FILE", "write counters here, for node_exporter's textfile collector",
	  "FILE" },
	{ SERVE_READY_FILE, 0, "ready-file", "FILE", "once it listens, write the addresses here, one a line", "FILE" },
	{ SERVE_CHECK_CONFIG, 0, "check-config", NULL, "read the configuration, say what is wrong with it, end", NULL },
	{ SERVE_USER, 0, "user", "NAME", "become this user, when started as root", NULL },
	{ SERVE_ALLOW_ROOT, 0, "allow-root", NULL, "run as root all the same", NULL },
	{ SERVE_FORMAT, 0, "format", "text|json", "of the log (text)", "text json" },
	{ SERVE_VERBOSE, 'v', "verbose", NULL, "log at level debug: each connection that fails too", NULL },
	{ 0 },
};

/* ---- options ---- */

struct parse {
	struct cli cli;
	struct serve_settings *set;
	const char *responder;
	const char *given; /* the first option that does not go with -c */
	bool wait;
};

static int no_memory(const struct serve_settings *set)
{
	cli_say(set->self, "no memory");
	return EXIT_NOT_FOUND_OUT;
}

/* Owned by the settings; NULL without memory. */
static char *own(struct serve_settings *set, char *text)
{
	if (text)
		set->owned[set->n_owned++] = text;
	return text;
}

/* The keeper is told paths that mean the same wherever it is started. */
static const char *absolute(struct serve_settings *set, const char *path)
{
	char here[PATH_MAX];
	char *text = NULL;

	if (*path == '/' || strncmp(path, "pkcs11:", 7) == 0)
		return path;
	if (!getcwd(here, sizeof(here)) || asprintf(&text, "%s/%s", here, path) < 0)
		return NULL;
	return own(set, text);
}

static int add_listen(struct parse *parse)
{
	struct serve_settings *set = parse->set;

	if (set->options.n_listen == SERVE_LIST_MAX)
		return cli_usage(set->self, "--listen: at most %d; a configuration may have more", SERVE_LIST_MAX);
	set->listen[set->options.n_listen++] = parse->cli.value;
	return -1;
}

static int add_cert(struct parse *parse)
{
	struct serve_settings *set = parse->set;
	size_t n = set->options.n_certificates;

	if (n == SERVE_LIST_MAX)
		return cli_usage(set->self, "--cert: at most %d; a configuration may have more", SERVE_LIST_MAX);
	if (n && !set->certificate[n - 1].key)
		return cli_usage(set->self, "--cert %s is without its --key", set->certificate[n - 1].chain);
	set->certificate[n].chain = absolute(set, parse->cli.value);
	set->options.n_certificates++;
	return set->certificate[n].chain ? -1 : no_memory(set);
}

static int add_key(struct parse *parse)
{
	struct serve_settings *set = parse->set;
	size_t n = set->options.n_certificates;

	if (n == 0 || set->certificate[n - 1].key)
		return cli_usage(set->self, "--key %s: give the --cert that it belongs to before it", parse->cli.value);
	set->certificate[n - 1].key = parse->cli.value;
	return -1;
}

static int add_alpn(struct parse *parse)
{
	struct serve_settings *set = parse->set;
	char *list = own(set, strdup(parse->cli.value)), *next;

	if (!list)
		return no_memory(set);
	while (list) {
		next = strchr(list, ',');
		if (next)
			*next++ = '\0';
		if (set->options.n_alpn == SERVE_LIST_MAX)
			return cli_usage(set->self, "--alpn: too many protocols");
		set->alpn[set->options.n_alpn++] = list;
		list = next;
	}
	return -1;
}

static int take_seconds(struct parse *parse, const char *name, uint32_t *out_ms)
{
	int64_t seconds;

	if (!cli_number(&parse->cli, name, 1, 604800, &seconds))
		return EXIT_USAGE;
	*out_ms = (uint32_t)seconds * 1000;
	return -1;
}

static int take_number(struct parse *parse, const char *name, int64_t max, unsigned *out)
{
	int64_t number;

	if (!cli_number(&parse->cli, name, 0, max, &number))
		return EXIT_USAGE;
	*out = (unsigned)number;
	return -1;
}

/* The second word is the one that sets it. */
static int take_choice(struct parse *parse, const char *name, const char *words, bool *out)
{
	int choice = cli_choice(&parse->cli, name, words);

	*out = choice == 1;
	return choice < 0 ? EXIT_USAGE : -1;
}

static int take_path(struct parse *parse, const char **out)
{
	*out = absolute(parse->set, parse->cli.value);
	return *out ? -1 : no_memory(parse->set);
}

static int take_server(struct parse *parse, int id)
{
	struct serve_conf *conf = &parse->set->options;

	switch (id) {
	case SERVE_LISTEN:
		return add_listen(parse);
	case SERVE_BACKEND:
		conf->backend = parse->cli.value;
		return -1;
	case SERVE_CERT:
		return add_cert(parse);
	case SERVE_KEY:
		return add_key(parse);
	case SERVE_STORE:
		return take_path(parse, &conf->store);
	case SERVE_RESPONDER:
		parse->responder = parse->cli.value;
		return -1;
	case SERVE_ISSUERS:
		return take_path(parse, &conf->issuers);
	case SERVE_MUST_STAPLE:
		return take_choice(parse, "must-staple", "serve wait", &parse->wait);
	case SERVE_ON_UNSTAPLED:
		return take_choice(parse, "on-unstapled", ON_UNSTAPLED_WORDS, &conf->refuse_unstapled);
	case SERVE_ON_REVOKED:
		return take_choice(parse, "on-revoked", ON_REVOKED_WORDS, &conf->drop_revoked);
	case SERVE_ALPN:
		return add_alpn(parse);
	case SERVE_METRICS:
		parse->set->metrics = parse->cli.value;
		return -1;
	case SERVE_PRIORITY:
		conf->priority = parse->cli.value;
		return -1;
	default:
		return -2; /* none of these */
	}
}

static int take_limit(struct parse *parse, int id)
{
	struct serve_conf *conf = &parse->set->options;

	switch (id) {
	case SERVE_PROXY_PROTOCOL:
		return take_choice(parse, "proxy-protocol", PROXY_WORDS, &conf->proxy_protocol);
	case SERVE_ACCEPT_PROXY:
		conf->accept_proxy = true;
		return -1;
	case SERVE_NO_TICKETS:
		conf->no_tickets = true;
		return -1;
	case SERVE_TICKET_KEY_LIFE:
		return take_seconds(parse, "ticket-key-life", &conf->ticket_key_ms);
	case SERVE_NO_KEEPER:
		conf->no_keeper = true;
		return -1;
	case SERVE_THREADS:
		return take_number(parse, "threads", 1024, &conf->threads);
	case SERVE_CONNECTIONS:
		return take_number(parse, "connections", 1000000, &conf->connections);
	case SERVE_HANDSHAKE_TIMEOUT:
		return take_seconds(parse, "handshake-timeout", &conf->handshake_ms);
	case SERVE_CONNECT_TIMEOUT:
		return take_seconds(parse, "connect-timeout", &conf->connect_ms);
	case SERVE_IDLE_TIMEOUT:
		return take_seconds(parse, "idle-timeout", &conf->idle_ms);
	case SERVE_DRAIN_TIMEOUT:
		return take_seconds(parse, "drain-timeout", &conf->drain_ms);
	case SERVE_READY_TIMEOUT:
		return take_seconds(parse, "ready-timeout", &conf->ready_timeout_ms);
	default:
		return -2;
	}
}

static int take_process(struct parse *parse, int id)
{
	struct serve_settings *set = parse->set;

	switch (id) {
	case SERVE_CONF:
		set->file = parse->cli.value;
		return -1;
	case SERVE_METRICS_FILE:
		set->metrics_file = parse->cli.value;
		return -1;
	case SERVE_READY_FILE:
		set->ready_file = parse->cli.value;
		return -1;
	case SERVE_CHECK_CONFIG:
		set->check_config = true;
		return -1;
	case SERVE_USER:
		set->user = parse->cli.value;
		return -1;
	case SERVE_ALLOW_ROOT:
		set->allow_root = true;
		return -1;
	case SERVE_FORMAT:
		return take_choice(parse, "format", "text json", &set->json);
	case SERVE_VERBOSE:
		set->verbose = true;
		return -1;
	case CLI_OPERAND:
		return cli_usage(set->self, "it takes no operand: \"%s\"", parse->cli.value);
	default:
		return id == CLI_HELP ? EXIT_ACCEPTED : EXIT_USAGE;
	}
}

static const char *name_of(int id)
{
	for (const struct cli_option *row = serve_options; row->id; row++)
		if (row->id == id)
			return row->name;
	return "";
}

static int take(struct parse *parse, int id)
{
	if (id > SERVE_CONF && id < SERVE_METRICS_FILE && !parse->given)
		parse->given = name_of(id);
	int status = take_server(parse, id);
	if (status == -2)
		status = take_limit(parse, id);
	return status == -2 ? take_process(parse, id) : status;
}

static int finish(struct parse *parse)
{
	struct serve_settings *set = parse->set;
	struct serve_conf *conf = &set->options;

	if (set->file && parse->given)
		return cli_usage(set->self, "--%s does not go with -c: it stands in the configuration", parse->given);
	if (!set->file && !parse->given)
		set->file = CONF_PATH;
	if (set->file)
		return -1;
	for (size_t i = 0; i < conf->n_certificates; i++) {
		if (!set->certificate[i].key)
			return cli_usage(set->self, "--cert %s is without its --key", set->certificate[i].chain);
		set->certificate[i].responder = parse->responder;
		set->certificate[i].wait = parse->wait;
	}
	if (conf->n_listen == 0 || !conf->backend || conf->n_certificates == 0)
		return cli_usage(set->self, "give --listen, --backend, and --cert with --key; or a configuration with -c");
	conf->listen = set->listen;
	conf->alpn = set->alpn;
	conf->certificate = set->certificate;
	conf->store = conf->store ? conf->store : CONF_STORE;
	return -1;
}

int serve_settings_parse(struct serve_settings *set, int argc, char **argv, const struct cli_command *self)
{
	struct parse parse = { .set = set };
	int id, status;

	*set = (struct serve_settings){ .self = self };
	cli_init(&parse.cli, self, argc, argv);
	while ((id = cli_next(&parse.cli)) != CLI_END) {
		status = take(&parse, id);
		if (status >= 0)
			return status;
	}
	return finish(&parse);
}

void serve_settings_done(struct serve_settings *set)
{
	while (set->n_owned)
		free(set->owned[--set->n_owned]);
}
