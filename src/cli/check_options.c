/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/check_options.h"
#include "base/file.h"
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define TIMEOUT_MAX_S 3600
#define TARGETS_FILE_MAX (16 * 1024 * 1024)
#define LIMIT_MAX_S (10LL * 366 * 86400)

enum {
	CA = 1,
	REQUIRE,
	STARTTLS,
	SERVERNAME,
	CONNECT,
	TLS,
	UDP,
	ASK_RESPONDER,
	ALLOW_PRIVATE,
	CLIENT_CERT,
	CLIENT_KEY,
	PROXY,
	TARGETS,
	TIMEOUT,
	AT,
	MAX_AGE,
	ONLY_4,
	ONLY_6,
	FORMAT,
	JSON,
	WARN_BELOW,
	CRITICAL_BELOW,
	QUIET,
	VERBOSE,
};

const struct cli_option check_options[] = {
	{ CA, 0, "ca", "FILE", "trust these roots, and not the system's", "FILE" },
	{ REQUIRE, 0, "require", "WHOSE",
	  "whose staple must be there: none, must-staple (of a certificate that says so), leaf, chain",
	  "none must-staple leaf chain" },
	{ STARTTLS, 0, "starttls", "PROTO", "begin in the clear: smtp, imap, pop3, ldap, postgres",
	  "smtp imap pop3 ldap postgres" },
	{ SERVERNAME, 0, "servername", "NAME", "ask for this name, and want a certificate for it", NULL },
	{ CONNECT, 0, "connect", "ADDR:PORT", "connect there, whatever the target's address is", NULL },
	{ TLS, 0, "tls", "VERSION", "this version of TLS only", "1.2 1.3" },
	{ UDP, 0, "udp", NULL, "DTLS", NULL },
	{ ASK_RESPONDER, 0, "ask-responder", NULL, "ask the certificate's own responder too, and compare", NULL },
	{ ALLOW_PRIVATE, 0, "allow-private", NULL, "a responder may have a private address, wherever the target is", NULL },
	{ CLIENT_CERT, 0, "client-cert", "FILE", "the client's certificate chain, or its PKCS #11 URL", "FILE" },
	{ CLIENT_KEY, 0, "client-key", "FILE", "its key, when that is in another file", "FILE" },
	{ PROXY, 0, "proxy", "HOST:PORT", "reach the targets through this HTTP proxy (CONNECT)", NULL },
	{ TARGETS, 0, "targets", "FILE", "more targets, one a line; \"#\" begins a comment", "FILE" },
	{ TIMEOUT, 0, "timeout", "S", "seconds for all of a target, 10 by default; 0.5 is fine", NULL },
	{ AT, 0, "at", "TIME", "judge as of this instant (RFC 3339), not now", NULL },
	{ MAX_AGE, 0, "max-age", "S", "refuse a thisUpdate longer ago, whatever nextUpdate says", NULL },
	{ ONLY_4, '4', "ipv4", NULL, "IPv4 addresses only", NULL },
	{ ONLY_6, '6', "ipv6", NULL, "IPv6 addresses only", NULL },
	{ FORMAT, 0, "format", "FORMAT", "text, json (a line a target) or nagios", "text json nagios" },
	{ JSON, 0, "json", NULL, "the same as --format json", NULL },
	{ WARN_BELOW, 0, "warn-below", "DURATION", "nagios: WARNING when a staple remains for less (12h, 2d)", NULL },
	{ CRITICAL_BELOW, 0, "critical-below", "DURATION", "nagios: CRITICAL when a staple remains for less", NULL },
	{ QUIET, 'q', "quiet", NULL, "no report, the exit status alone", NULL },
	{ VERBOSE, 'v', "verbose", NULL, "each step on stderr, each staple and finding in full", NULL },
	{ 0 },
};

/* ---- values ---- */

/* Seconds with at most three decimals. */
static int take_timeout(struct check_settings *set, const struct cli *cli)
{
	const char *text = cli->value;
	size_t whole = strspn(text, "0123456789"), part = 0;
	int64_t ms = 0, scale = 100;

	if (text[whole] == '.')
		part = strspn(text + whole + 1, "0123456789");
	for (size_t i = 0; i < whole && ms <= TIMEOUT_MAX_S * 1000LL; i++)
		ms = ms * 10 + (text[i] - '0') * 1000LL;
	for (size_t i = 0; i < part && scale; i++, scale /= 10)
		ms += (text[whole + 1 + i] - '0') * scale;
	if (!(whole + part) || text[whole + part + (text[whole] == '.')] || ms < 1 || ms > TIMEOUT_MAX_S * 1000LL)
		return cli_usage(cli->command, "--timeout wants seconds from 0.001 to %d, not \"%s\"", TIMEOUT_MAX_S, text);
	set->probe.timeout_ms = ms;
	return -1;
}

static int64_t seconds_of(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	default:
		return 0;
	}
}

/* A number with a unit, as in the configuration file: a bare number would be read as whatever one hoped. */
static int take_duration(int64_t *out, const struct cli *cli)
{
	const char *text = cli->value;
	size_t digits = strspn(text, "0123456789");
	int64_t unit = seconds_of(text[digits]), number = 0;

	for (size_t i = 0; i < digits && number <= LIMIT_MAX_S; i++)
		number = number * 10 + (text[i] - '0');
	if (!digits || !unit || text[digits + 1] || number > LIMIT_MAX_S / unit || !number)
		return cli_usage(cli->command, "--%s wants a duration with its unit, such as 90m, 12h or 2d, not \"%s\"",
				 cli->option->name, text);
	*out = number * unit;
	return -1;
}

static int take_address(struct target *out, bool *has, const struct cli *cli)
{
	struct clinch_error err;

	*has = !target_parse(out, cli->value, 0, &err);
	return *has ? -1 : cli_usage(cli->command, "--%s: %s", cli->option->name, err.text);
}

static int take_servername(struct check_settings *set, const struct cli *cli)
{
	struct clinch_error err;
	struct target target;

	if (target_parse(&target, cli->value, UINT16_MAX, &err))
		return cli_usage(cli->command, "--servername: %s", err.text);
	if (target.port != UINT16_MAX)
		return cli_usage(cli->command, "--servername wants a name without a port, not \"%s\"", cli->value);
	target_name(set->servername, &target);
	set->has_servername = true;
	return -1;
}

/* Zero is "now" to a policy, and must not be what a slip of the hand comes to. */
static int take_at(struct check_settings *set, const struct cli *cli)
{
	int64_t at;
	int status = cli_time(cli, &at);

	if (status >= 0)
		return status;
	if (!at)
		return cli_usage(cli->command, "--at wants another instant than \"%s\": none is judged as of the epoch",
				 cli->value);
	set->probe.policy.at = at;
	return -1;
}

static int take_word(struct check_settings *set, const struct cli *cli, int id)
{
	static const enum clinch_require whose[] = { CLINCH_REQUIRE_NONE, CLINCH_REQUIRE_MUST_STAPLE, CLINCH_REQUIRE_LEAF,
						     CLINCH_REQUIRE_CHAIN };
	static const enum starttls_protocol protocols[] = { STARTTLS_SMTP, STARTTLS_IMAP, STARTTLS_POP3, STARTTLS_LDAP,
							    STARTTLS_POSTGRES };
	static const int versions[] = { 12, 13 };
	int chosen, status = cli_choice(cli, &chosen);

	if (status >= 0)
		return status;
	if (id == REQUIRE)
		set->probe.policy.require = whose[chosen];
	else if (id == STARTTLS)
		set->probe.starttls = protocols[chosen];
	else
		set->probe.tls = versions[chosen];
	return -1;
}

/* ---- targets ---- */

static bool add_target(struct check_settings *set, char *text)
{
	struct check_target *more;

	if ((set->n_targets & (set->n_targets - 1)) == 0) { /* full at each power of two */
		more = reallocarray(set->targets, set->n_targets ? set->n_targets * 2 : 1, sizeof(*more));
		if (!more)
			return false;
		set->targets = more;
	}
	set->targets[set->n_targets++] = (struct check_target){ .text = text };
	return true;
}

static char *trim(char *line)
{
	size_t len = strcspn(line, "#");

	while (len && strchr(" \t\r", line[len - 1]))
		len--;
	line[len] = 0;
	return line + strspn(line, " \t");
}

static int no_memory(const struct cli_command *self)
{
	cli_say(self, "no memory for the targets");
	return EXIT_NOT_FOUND_OUT;
}

/* The targets point into the file's bytes. */
static int take_targets(struct check_settings *set, const struct cli *cli)
{
	struct buf *file = &set->targets_file;
	struct clinch_error err;
	char *line, *end;

	if (file->len)
		return cli_usage(cli->command, "--targets can be given once; %s is the second", cli->value);
	file->max = TARGETS_FILE_MAX;
	if (file_read(file, cli->value, &err)) {
		cli_say(cli->command, "--targets: %s", err.text);
		return EXIT_NOT_FOUND_OUT;
	}
	file->max++; /* for the NUL */
	if (!buf_add(file, "", 1))
		return no_memory(cli->command);
	if (memchr(file->data, 0, file->len - 1))
		return cli_usage(cli->command, "--targets: %s is not a text file", cli->value);
	for (line = (char *)file->data; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = 0;
		line = trim(line);
		if (*line && !add_target(set, line))
			return no_memory(cli->command);
	}
	return -1;
}

/* ---- options ---- */

static int take_flag(struct check_settings *set, int id)
{
	switch (id) {
	case UDP:
		set->probe.udp = true;
		break;
	case ASK_RESPONDER:
		set->ask_responder = true;
		break;
	case ALLOW_PRIVATE:
		set->probe.allow_private = true;
		break;
	case ONLY_4:
		set->probe.family = AF_INET;
		break;
	case ONLY_6:
		set->probe.family = AF_INET6;
		break;
	case JSON:
		set->format = CHECK_JSON;
		break;
	case QUIET:
		set->quiet = true;
		break;
	default:
		set->verbose = true;
	}
	return -1;
}

static int take(const struct cli *cli, int id, void *user)
{
	struct check_settings *set = user;

	switch (id) {
	case CLI_OPERAND:
		return add_target(set, cli->argv[cli->at - 1]) ? -1 : no_memory(cli->command);
	case CA:
		set->probe.ca_file = cli->value;
		return -1;
	case CLIENT_CERT:
		set->probe.cert_file = cli->value;
		return -1;
	case CLIENT_KEY:
		set->probe.key_file = cli->value;
		return -1;
	case REQUIRE:
	case STARTTLS:
	case TLS:
		return take_word(set, cli, id);
	case FORMAT:
		return cli_choice(cli, &set->format);
	case SERVERNAME:
		return take_servername(set, cli);
	case CONNECT:
		return take_address(&set->connect, &set->has_connect, cli);
	case PROXY:
		return take_address(&set->proxy, &set->has_proxy, cli);
	case TARGETS:
		return take_targets(set, cli);
	case TIMEOUT:
		return take_timeout(set, cli);
	case AT:
		return take_at(set, cli);
	case MAX_AGE:
		return cli_number(cli, 1, UINT32_MAX, &set->probe.policy.max_age_s);
	case WARN_BELOW:
		return take_duration(&set->limits.warn_below_s, cli);
	case CRITICAL_BELOW:
		return take_duration(&set->limits.critical_below_s, cli);
	default:
		return take_flag(set, id);
	}
}

/* ---- all together ---- */

static const char *contradiction(const struct check_settings *set)
{
	if (!set->n_targets)
		return "which target? HOST[:PORT]";
	if (set->probe.udp && set->probe.starttls)
		return "--udp and --starttls exclude each other: STARTTLS is on TCP";
	if (set->probe.udp && set->has_proxy)
		return "--udp and --proxy exclude each other: CONNECT is on TCP";
	if (set->probe.udp && set->probe.tls == 13)
		return "--udp and --tls 1.3 exclude each other: GnuTLS has no DTLS 1.3";
	if (set->probe.key_file && !set->probe.cert_file)
		return "--client-key is of no use without --client-cert";
	if (set->format != CHECK_NAGIOS && (set->limits.warn_below_s || set->limits.critical_below_s))
		return "--warn-below and --critical-below are for --format nagios";
	if (set->limits.warn_below_s && set->limits.warn_below_s < set->limits.critical_below_s)
		return "--warn-below must not be less than --critical-below";
	return NULL;
}

/* The default port depends on --starttls, which may come last: so the targets are read at the end. */
static int parse_targets(struct check_settings *set, const struct cli_command *self)
{
	uint16_t port = starttls_port(set->probe.starttls);
	struct clinch_error err;

	for (size_t i = 0; i < set->n_targets; i++)
		if (target_parse(&set->targets[i].target, set->targets[i].text, port, &err))
			return cli_usage(self, "the target %s", err.text);
	return -1;
}

static int parse(struct check_settings *set, int argc, char **argv, const struct cli_command *self)
{
	const char *wrong;
	int status = cli_parse(self, argc, argv, take, set);

	if (status >= 0)
		return status;
	wrong = contradiction(set);
	return wrong ? cli_usage(self, "%s", wrong) : parse_targets(set, self);
}

/* Whether a monitor asks, also when the mistake stands before the option that says so. */
static bool is_for_nagios(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--format=nagios") ||
		    (!strcmp(argv[i], "--format") && i + 1 < argc && !strcmp(argv[i + 1], "nagios")))
			return true;
	return false;
}

int check_settings_parse(struct check_settings *out, int argc, char **argv, const struct cli_command *self)
{
	int status;

	*out = (struct check_settings){ .probe = { .family = AF_UNSPEC, .timeout_ms = TIMEOUT_MS } };
	status = parse(out, argc, argv, self);
	if (out->has_connect)
		out->probe.connect = &out->connect;
	if (out->has_proxy)
		out->probe.proxy = &out->proxy;
	if (out->has_servername)
		out->probe.servername = out->servername;
	/* 2 would be CRITICAL to a monitor, and nothing is known of the target */
	return status == EXIT_USAGE && is_for_nagios(argc, argv) ? (int)NAGIOS_UNKNOWN : status;
}

void check_settings_done(struct check_settings *settings)
{
	free(settings->targets);
	buf_done(&settings->targets_file);
}
