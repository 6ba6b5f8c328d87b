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
	SERVE_LISTEN = 1,
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
	SERVE_METRICS_FILE, /* beside -c too */
};

#define TIMEOUT_MAX_S (7 * 86400)

const struct cli_option serve_options[] = {
	{ DAEMON_CONF, 'c', "config", "FILE", "the configuration (/etc/clinch/clinch.yaml); - is standard input", "FILE" },
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
	  "serve refuse" },
	{ SERVE_ON_REVOKED, 0, "on-revoked", "serve|drop", "a staple that says revoked (serve)", "serve drop" },
	{ SERVE_ALPN, 0, "alpn", "LIST", "protocols of the backend, the best first: h2,http/1.1", NULL },
	{ SERVE_PRIORITY, 0, "priority", "STRING", "GnuTLS's priority string (TLS 1.2 and 1.3)", NULL },
	{ SERVE_PROXY_PROTOCOL, 0, "proxy-protocol", "none|v2", "tell the backend who the client is (none)", "none v2" },
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
	{ DAEMON_READY_FILE, 0, "ready-file", "FILE", "once it listens, write the addresses here, one a line", "FILE" },
	{ DAEMON_CHECK_CONFIG, 0, "check-config", NULL, "read the configuration, say what is wrong with it, end", NULL },
	{ DAEMON_USER, 0, "user", "NAME", "become this user, when started as root", NULL },
	{ DAEMON_ALLOW_ROOT, 0, "allow-root", NULL, "run as root all the same", NULL },
	{ DAEMON_FORMAT, 0, "format", "text|json", "of the log (text)", "text json" },
	{ DAEMON_VERBOSE, 'v', "verbose", NULL, "log at level debug: each connection that fails too", NULL },
	{ 0 },
};

/* ---- options ---- */

struct parse {
	const struct cli *cli;
	struct serve_settings *set;
	const char *responder;
	const char *given; /* the first option that a configuration has instead */
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
	set->listen[set->options.n_listen++] = parse->cli->value;
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
	set->certificate[n].chain = absolute(set, parse->cli->value);
	set->options.n_certificates++;
	return set->certificate[n].chain ? -1 : no_memory(set);
}

static int add_key(struct parse *parse)
{
	struct serve_settings *set = parse->set;
	size_t n = set->options.n_certificates;

	if (n == 0 || set->certificate[n - 1].key)
		return cli_usage(set->self, "--key %s: give the --cert that it belongs to before it", parse->cli->value);
	set->certificate[n - 1].key = parse->cli->value;
	return -1;
}

static int add_alpn(struct parse *parse)
{
	struct serve_settings *set = parse->set;
	char *list = own(set, strdup(parse->cli->value)), *next;

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

/* The second word is the one that sets it. */
static int take_choice(struct parse *parse, bool *out)
{
	int choice, status = cli_choice(parse->cli, &choice);

	if (status < 0)
		*out = choice == 1;
	return status;
}

static int take_path(struct parse *parse, const char **out)
{
	*out = absolute(parse->set, parse->cli->value);
	return *out ? -1 : no_memory(parse->set);
}

static int take_server(struct parse *parse, int id)
{
	struct serve_conf *conf = &parse->set->options;

	switch (id) {
	case SERVE_LISTEN:
		return add_listen(parse);
	case SERVE_BACKEND:
		conf->backend = parse->cli->value;
		return -1;
	case SERVE_CERT:
		return add_cert(parse);
	case SERVE_KEY:
		return add_key(parse);
	case SERVE_STORE:
		return take_path(parse, &conf->store);
	case SERVE_RESPONDER:
		parse->responder = parse->cli->value;
		return -1;
	case SERVE_ISSUERS:
		return take_path(parse, &conf->issuers);
	case SERVE_MUST_STAPLE:
		return take_choice(parse, &parse->wait);
	case SERVE_ON_UNSTAPLED:
		return take_choice(parse, &conf->refuse_unstapled);
	case SERVE_ON_REVOKED:
		return take_choice(parse, &conf->drop_revoked);
	case SERVE_ALPN:
		return add_alpn(parse);
	case SERVE_METRICS:
		parse->set->metrics = parse->cli->value;
		return -1;
	case SERVE_PRIORITY:
		conf->priority = parse->cli->value;
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
		return take_choice(parse, &conf->proxy_protocol);
	case SERVE_ACCEPT_PROXY:
		conf->accept_proxy = true;
		return -1;
	case SERVE_NO_TICKETS:
		conf->no_tickets = true;
		return -1;
	case SERVE_TICKET_KEY_LIFE:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->ticket_key_ms);
	case SERVE_NO_KEEPER:
		conf->no_keeper = true;
		return -1;
	case SERVE_THREADS:
		return cli_number(parse->cli, 0, 1024, &conf->threads);
	case SERVE_CONNECTIONS:
		return cli_number(parse->cli, 0, 1000000, &conf->connections);
	case SERVE_HANDSHAKE_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->handshake_ms);
	case SERVE_CONNECT_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->connect_ms);
	case SERVE_IDLE_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->idle_ms);
	case SERVE_DRAIN_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->drain_ms);
	case SERVE_READY_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->ready_timeout_ms);
	default:
		return -2;
	}
}

static int take(const struct cli *cli, int id, void *user)
{
	struct parse *parse = user;

	if (id == CLI_OPERAND || id >= DAEMON_CONF)
		return daemon_take(cli, id, &parse->set->daemon);
	if (id == SERVE_METRICS_FILE) {
		parse->set->metrics_file = cli->value;
		return -1;
	}
	parse->cli = cli;
	if (!parse->given)
		parse->given = cli->option->name;
	int status = take_server(parse, id);
	return status == -2 ? take_limit(parse, id) : status;
}

static int finish(struct parse *parse)
{
	struct serve_settings *set = parse->set;
	struct serve_conf *conf = &set->options;
	int status = daemon_settle(&set->daemon, parse->given, set->self);

	if (status >= 0 || set->daemon.file)
		return status;
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

	*set = (struct serve_settings){ .self = self };
	int status = cli_parse(self, argc, argv, take, &parse);
	return status >= 0 ? status : finish(&parse);
}

void serve_settings_done(struct serve_settings *set)
{
	while (set->n_owned)
		free(set->owned[--set->n_owned]);
}
