/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `respond` is told, by options or by a configuration. */
#include "cli/respond_settings.h"
#include "conf/schema.h"
#include <string.h>

#define YEARS_100_S (36500U * 86400)
#define TIMEOUT_MAX_S (7 * 86400)

enum respond_option {
	RESPOND_LISTEN = 1,
	RESPOND_CA,
	RESPOND_SIGNER,
	RESPOND_KEY,
	RESPOND_KEY_PASSWORD,
	RESPOND_INDEX,
	RESPOND_CRL,
	RESPOND_ISSUED,
	RESPOND_CRL_MEANS_GOOD,
	RESPOND_STORE,
	RESPOND_RELAY,
	RESPOND_ISSUERS,
	RESPOND_NEVER_ISSUED,
	RESPOND_VALIDITY,
	RESPOND_REFRESH,
	RESPOND_ARCHIVE,
	RESPOND_NO_NONCE,
	RESPOND_BY_NAME,
	RESPOND_PSS,
	RESPOND_ACCEPT_UNREVOKED,
	RESPOND_PREPARE,
	RESPOND_MAX_AGE,
	RESPOND_MEMORY,
	RESPOND_IDS_MOST,
	RESPOND_THREADS,
	RESPOND_CONNECTIONS,
	RESPOND_REQUEST_TIMEOUT,
	RESPOND_IDLE_TIMEOUT,
	RESPOND_DRAIN_TIMEOUT,
	RESPOND_METRICS,
};

const struct cli_option respond_options[] = {
	{ DAEMON_CONF, 'c', "config", "FILE", "the configuration, instead of the options up to --metrics", "FILE" },
	{ RESPOND_LISTEN, 0, "listen", "A:P", "listen there; again for more addresses; port 0: any", NULL },
	{ RESPOND_CA, 0, "ca", "FILE", "the CA that is answered for", "FILE" },
	{ RESPOND_SIGNER, 0, "signer", "FILE", "who signs: the CA's own certificate or a delegate's; again: the next one",
	  "FILE" },
	{ RESPOND_KEY, 0, "key", "FILE|URL", "its key: PEM, or a pkcs11: URL", "FILE" },
	{ RESPOND_KEY_PASSWORD, 0, "key-password-file", "FILE", "the password of that key", "FILE" },
	{ RESPOND_INDEX, 0, "index", "FILE", "what the CA issued and revoked: OpenSSL's index.txt", "FILE" },
	{ RESPOND_CRL, 0, "crl", "FILE", "instead of it, what the CA revoked: a CRL; again for more", "FILE" },
	{ RESPOND_ISSUED, 0, "issued", "FILE", "beside a CRL: the serials that were issued, one a line", "FILE" },
	{ RESPOND_CRL_MEANS_GOOD, 0, "crl-means-good", NULL, "every serial that no CRL names is good", NULL },
	{ RESPOND_STORE, 0, "store", "DIR", "hand on the responses of this store, with --relay (" CONF_STORE ")", "DIR" },
	{ RESPOND_RELAY, 0, "relay", "PATH", "... about the certificates of this file, directory or pattern; again for more",
	  "FILE" },
	{ RESPOND_ISSUERS, 0, "issuers", "PATH", "issuers that those files are without", "FILE" },
	{ RESPOND_NEVER_ISSUED, 0, "never-issued", "unauthorized|unknown",
	  "about a serial that was not issued (unauthorized)", "unauthorized unknown" },
	{ RESPOND_VALIDITY, 0, "validity", "TIME", "from thisUpdate to nextUpdate: 3600, 12h (4d)", NULL },
	{ RESPOND_REFRESH, 0, "refresh", "TIME", "sign an answer anew at this age (half of its validity)", NULL },
	{ RESPOND_ARCHIVE, 0, "archive-cutoff", "TIME", "answer about expired certificates for so long, and say so", NULL },
	{ RESPOND_NO_NONCE, 0, "no-nonce", NULL, "answer as if no nonce was there", NULL },
	{ RESPOND_BY_NAME, 0, "by-name", NULL, "name the responder by its name, not by its key", NULL },
	{ RESPOND_PSS, 0, "pss", NULL, "RSASSA-PSS with an ordinary RSA key", NULL },
	{ RESPOND_ACCEPT_UNREVOKED, 0, "accept-unrevoked", "SERIAL",
	  "a revoked serial (hexadecimal) that may be valid again; again for more", NULL },
	{ RESPOND_PREPARE, 0, "prepare", "none|sha1|sha256|both", "sign every answer of the source ahead (none)",
	  "none sha1 sha256 both" },
	{ RESPOND_MAX_AGE, 0, "max-age", "TIME", "what an HTTP cache may hold an answer (1h)", NULL },
	{ RESPOND_MEMORY, 0, "cache-memory", "SIZE", "of all answers that are kept (512MiB)", NULL },
	{ RESPOND_IDS_MOST, 0, "max-certificates", "N", "of one request (32)", NULL },
	{ RESPOND_THREADS, 0, "threads", "N", "threads that answer (0: one a core)", NULL },
	{ RESPOND_CONNECTIONS, 0, "connections", "N", "connections at a time (20000)", NULL },
	{ RESPOND_REQUEST_TIMEOUT, 0, "request-timeout", "S", "for a whole request and its answer (10)", NULL },
	{ RESPOND_IDLE_TIMEOUT, 0, "idle-timeout", "S", "from an answer to the next request (60)", NULL },
	{ RESPOND_DRAIN_TIMEOUT, 0, "drain-timeout", "S", "for requests to end after SIGTERM (10)", NULL },
	{ RESPOND_METRICS, 0, "metrics", "A:P", "have /metrics, /status.json, /livez and /readyz there", NULL },
	{ DAEMON_READY_FILE, 0, "ready-file", "FILE", "once it answers, write the addresses here, one a line", "FILE" },
	{ DAEMON_CHECK_CONFIG, 0, "check-config", NULL, "read everything, say what is wrong with it, end", NULL },
	{ DAEMON_USER, 0, "user", "NAME", "become this user, when started as root", NULL },
	{ DAEMON_ALLOW_ROOT, 0, "allow-root", NULL, "run as root all the same", NULL },
	{ DAEMON_FORMAT, 0, "format", "text|json", "of the log (text)", "text json" },
	{ DAEMON_VERBOSE, 'v', "verbose", NULL, "log at level debug", NULL },
	{ 0 },
};

struct parse {
	const struct cli *cli;
	struct respond_settings *set;
	const char *given; /* the first option that a configuration has instead */
	const char *store, *issuers;
};

/* ---- values ---- */

/* A number of seconds, or one with a unit as in a configuration. */
static int take_time(struct parse *parse, uint32_t max, int64_t *out)
{
	const char *text = parse->cli->value;
	char why[CONF_WHY_SIZE];

	if (*text && strspn(text, "0123456789") == strlen(text)) {
		uint32_t seconds;
		int status = cli_number(parse->cli, 1, max, &seconds);
		if (status < 0)
			*out = seconds;
		return status;
	}
	if (conf_seconds(text, 1, max, out, why))
		return -1;
	return cli_usage(parse->set->self, "--%s %s", parse->cli->option->name, why);
}

static int take_max_age(struct parse *parse)
{
	int64_t seconds;
	int status = take_time(parse, 30 * 86400, &seconds);

	if (status < 0)
		parse->set->options.max_age_ms = (uint32_t)seconds * 1000;
	return status;
}

static int take_memory(struct parse *parse)
{
	char why[CONF_WHY_SIZE];

	if (conf_size(parse->cli->value, RESPOND_MEMORY_MIN, RESPOND_MEMORY_MAX, &parse->set->options.cache_bytes, why))
		return -1;
	return cli_usage(parse->set->self, "--cache-memory %s", why);
}

static int add(struct parse *parse, const char **list, size_t *n)
{
	if (*n == RESPOND_LIST_MAX)
		return cli_usage(parse->set->self, "--%s: at most %d; a configuration may have more",
				 parse->cli->option->name, RESPOND_LIST_MAX);
	list[(*n)++] = parse->cli->value;
	return -1;
}

/* ---- the CA ---- */

static int add_signer(struct parse *parse)
{
	struct respond_settings *set = parse->set;
	size_t n = set->authority.conf.n_signers;

	if (n == AUTHORITY_SIGNERS_MAX)
		return cli_usage(set->self, "--signer: at most %d", AUTHORITY_SIGNERS_MAX);
	if (n && !set->signer[n - 1].key)
		return cli_usage(set->self, "--signer %s is without its --key", set->signer[n - 1].cert);
	set->signer[n].cert = parse->cli->value;
	set->authority.conf.n_signers++;
	return -1;
}

static int add_key(struct parse *parse, bool is_password)
{
	struct respond_settings *set = parse->set;
	size_t n = set->authority.conf.n_signers;
	const char **field = n == 0 ? NULL : is_password ? &set->signer[n - 1].password_file : &set->signer[n - 1].key;

	if (!field || *field)
		return cli_usage(set->self, "--%s %s: give the --signer that it belongs to before it",
				 parse->cli->option->name, parse->cli->value);
	*field = parse->cli->value;
	return -1;
}

static int take_source(struct parse *parse, int id)
{
	struct source_files *files = &parse->set->authority.conf.source;

	switch (id) {
	case RESPOND_INDEX:
		files->index = parse->cli->value;
		return -1;
	case RESPOND_CRL:
		files->kind = SOURCE_CRL;
		files->crl = parse->set->crl;
		return add(parse, parse->set->crl, &files->n_crl);
	case RESPOND_ISSUED:
		files->issued = parse->cli->value;
		return -1;
	case RESPOND_CRL_MEANS_GOOD:
		files->crl_means_good = true;
		return -1;
	default:
		return -2; /* none of these */
	}
}

static int take_authority(struct parse *parse, int id)
{
	struct respond_authority *authority = &parse->set->authority;
	int choice = 0, status;

	switch (id) {
	case RESPOND_CA:
		authority->conf.ca = parse->cli->value;
		return -1;
	case RESPOND_SIGNER:
		return add_signer(parse);
	case RESPOND_KEY:
	case RESPOND_KEY_PASSWORD:
		return add_key(parse, id == RESPOND_KEY_PASSWORD);
	case RESPOND_NEVER_ISSUED:
		status = cli_choice(parse->cli, &choice);
		authority->conf.never_issued = choice == 1 ? NEVER_ISSUED_UNKNOWN : NEVER_ISSUED_UNAUTHORIZED;
		return status;
	case RESPOND_VALIDITY:
		return take_time(parse, 365 * 86400, &authority->conf.validity_s);
	case RESPOND_REFRESH:
		return take_time(parse, 365 * 86400, &authority->refresh_s);
	case RESPOND_ARCHIVE:
		return take_time(parse, YEARS_100_S, &authority->conf.archive_cutoff_s);
	case RESPOND_NO_NONCE:
		authority->conf.nonce = NONCE_IGNORE;
		return -1;
	case RESPOND_BY_NAME:
		authority->conf.by_name = true;
		return -1;
	case RESPOND_PSS:
		for (size_t i = 0; i < AUTHORITY_SIGNERS_MAX; i++)
			parse->set->signer[i].pss = true;
		return -1;
	case RESPOND_ACCEPT_UNREVOKED:
		authority->accepted = parse->set->accepted;
		return add(parse, parse->set->accepted, &authority->n_accepted);
	case RESPOND_PREPARE:
		status = cli_choice(parse->cli, &choice);
		authority->prepare = (enum respond_prepare)choice;
		return status;
	default:
		return -2;
	}
}

/* ---- the rest ---- */

static int take_server(struct parse *parse, int id)
{
	struct respond_settings *set = parse->set;
	struct respond_conf *conf = &set->options;

	switch (id) {
	case RESPOND_LISTEN:
		return add(parse, set->listen, &conf->n_listen);
	case RESPOND_STORE:
		parse->store = parse->cli->value;
		return -1;
	case RESPOND_RELAY:
		return add(parse, set->relay, &conf->relay.n_chains);
	case RESPOND_ISSUERS:
		parse->issuers = parse->cli->value;
		return -1;
	case RESPOND_MAX_AGE:
		return take_max_age(parse);
	case RESPOND_MEMORY:
		return take_memory(parse);
	case RESPOND_IDS_MOST:
		return cli_number(parse->cli, 1, RESPOND_IDS_MAX, &conf->ids);
	case RESPOND_THREADS:
		return cli_number(parse->cli, 0, 1024, &conf->threads);
	case RESPOND_CONNECTIONS:
		return cli_number(parse->cli, 1, 1000000, &conf->connections);
	case RESPOND_REQUEST_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->request_ms);
	case RESPOND_IDLE_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->idle_ms);
	case RESPOND_DRAIN_TIMEOUT:
		return cli_seconds(parse->cli, TIMEOUT_MAX_S, &conf->drain_ms);
	case RESPOND_METRICS:
		conf->metrics = parse->cli->value;
		return -1;
	default:
		return -2;
	}
}

static int take(const struct cli *cli, int id, void *user)
{
	struct parse *parse = user;

	if (id == CLI_OPERAND || id >= DAEMON_CONF)
		return daemon_take(cli, id, &parse->set->daemon);
	parse->cli = cli;
	if (!parse->given)
		parse->given = cli->option->name;
	int status = take_source(parse, id);
	if (status == -2)
		status = take_authority(parse, id);
	return status == -2 ? take_server(parse, id) : status;
}

/* ---- all of it together ---- */

static int finish_relay(struct parse *parse)
{
	struct respond_settings *set = parse->set;
	struct relay_files *relay = &set->options.relay;

	if (parse->store && !relay->n_chains)
		return cli_usage(set->self,
				 "--store %s: a response is handed on only about a certificate that is known: "
				 "give the chain files with --relay",
				 parse->store);
	relay->store = parse->store ? parse->store : CONF_STORE;
	relay->chain = set->relay;
	relay->issuers = parse->issuers;
	return -1;
}

static int finish_source(struct parse *parse)
{
	const struct cli_command *self = parse->set->self;
	struct source_files *files = &parse->set->authority.conf.source;

	if (files->index && (files->n_crl || files->issued || files->crl_means_good))
		return cli_usage(self, "--index tells what was issued and what was revoked: no --crl, --issued or "
				       "--crl-means-good beside it");
	if (!files->index && !files->n_crl)
		return cli_usage(self, "--ca wants --index, or --crl, that tell what was revoked");
	if (!files->index && !files->issued && !files->crl_means_good)
		return cli_usage(self, "a CRL does not tell what was issued: give a list of the serials that were with "
				       "--issued, or --crl-means-good, and every other serial is good");
	return -1;
}

static int finish_authority(struct parse *parse)
{
	struct respond_settings *set = parse->set;
	struct respond_authority *authority = &set->authority;
	size_t n = authority->conf.n_signers;

	if (!authority->conf.ca)
		return n || authority->conf.source.index || authority->conf.source.n_crl
			       ? cli_usage(set->self, "--ca is missing: the CA that is answered for")
			       : -1;
	if (n == 0)
		return cli_usage(set->self, "--ca wants --signer and --key: who signs");
	if (!set->signer[n - 1].key)
		return cli_usage(set->self, "--signer %s is without its --key", set->signer[n - 1].cert);
	authority->conf.signers = set->signer;
	if (!authority->conf.validity_s)
		authority->conf.validity_s = AUTHORITY_VALIDITY_S;
	if (authority->refresh_s >= authority->conf.validity_s)
		return cli_usage(set->self, "--refresh is not shorter than --validity");
	set->options.authority = authority;
	set->options.n_authorities = 1;
	return finish_source(parse);
}

static int finish(struct parse *parse)
{
	struct respond_settings *set = parse->set;
	struct respond_conf *conf = &set->options;
	int status = daemon_settle(&set->daemon, parse->given, set->self);

	if (status >= 0 || set->daemon.file)
		return status;
	status = finish_relay(parse);
	if (status < 0)
		status = finish_authority(parse);
	if (status >= 0)
		return status;
	if (conf->n_listen == 0 || (conf->n_authorities == 0 && conf->relay.n_chains == 0))
		return cli_usage(set->self, "give --listen, and --ca with --signer, --key and --index; or --relay; or a "
					    "configuration with -c");
	conf->listen = set->listen;
	return -1;
}

int respond_settings_parse(struct respond_settings *set, int argc, char **argv, const struct cli_command *self)
{
	struct parse parse = { .set = set };

	*set = (struct respond_settings){ .self = self };
	int status = cli_parse(self, argc, argv, take, &parse);
	return status >= 0 ? status : finish(&parse);
}
