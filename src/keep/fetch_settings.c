/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of `fetch`, and the environment: the one place that reads it. */
#include "cli/fetch_options.h"
#include "keep/fetch_command.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define TIMEOUT_MAX_S 600
#define SIZE_MAX_BYTES (16 * 1024 * 1024)
#define YEAR_S (366 * 86400)

static const char *environment(const char *lower, const char *upper)
{
	const char *value = getenv(lower);

	return value || !upper ? value : getenv(upper);
}

/* HTTP_PROXY in capitals is what a CGI program gets from a client's "Proxy:" header, so nobody reads it. */
void proxies_of_environment(struct fetch_proxies *out)
{
	out->http = environment("http_proxy", NULL);
	out->https = environment("https_proxy", "HTTPS_PROXY");
	out->all = environment("all_proxy", "ALL_PROXY");
	out->except = environment("no_proxy", "NO_PROXY");
}

static bool is_proxy_url(const char *text)
{
	static const char *const schemes[] = { "http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0 && text[strlen(schemes[i])])
			return true;
	return false;
}

static int take_proxy(struct fetch_settings *set, const struct cli *cli)
{
	struct fetch_proxies *proxies = &set->limits.proxies;

	*proxies = (struct fetch_proxies){ 0 };
	if (strcmp(cli->value, "none") == 0)
		return -1;
	if (strcmp(cli->value, "env") == 0) {
		proxies_of_environment(proxies);
		return -1;
	}
	if (!is_proxy_url(cli->value))
		return cli_usage(cli->command, "--proxy wants env, none or a URL like http://proxy.example:3128");
	proxies->all = cli->value;
	return -1;
}

static int check_url(const struct cli *cli)
{
	struct url url;
	const char *why;

	if (url_vet(&url, cli->value, strlen(cli->value), &why))
		return -1;
	return cli_usage(cli->command, "--%s %s: %s", cli->option->name, cli->value, why);
}

static int take_url(struct fetch_settings *set, const struct cli *cli)
{
	if (set->options.n_urls == FETCH_URLS_MAX)
		return cli_usage(cli->command, "more than %d times --url", FETCH_URLS_MAX);
	set->urls[set->options.n_urls++] = cli->value;
	return check_url(cli);
}

static int take_hash(struct fetch_settings *set, const struct cli *cli)
{
	static const gnutls_digest_algorithm_t hashes[] = { GNUTLS_DIG_SHA1, GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384,
							    GNUTLS_DIG_SHA512 };
	int which, status = cli_choice(cli, &which);

	if (status < 0)
		set->options.hash = hashes[which];
	return status;
}

static int take_report(struct fetch_settings *set, const struct cli *cli)
{
	uint32_t fd;
	int status = cli_number(cli, 2, 1023, &fd);

	if (status >= 0)
		return status;
	set->report_fd = (int)fd;
	if (fcntl(set->report_fd, F_GETFD) < 0)
		return cli_usage(cli->command, "--report %d: there is no such file descriptor", set->report_fd);
	return -1;
}

static int take(const struct cli *cli, int id, void *user)
{
	struct fetch_settings *set = user;

	switch (id) {
	case CLI_OPERAND:
		return cli_only(cli, "chain file", &set->chain);
	case FETCH_ISSUER:
		set->issuer = cli->value;
		return -1;
	case FETCH_URL:
		return take_url(set, cli);
	case FETCH_FALLBACK_URL:
		set->options.fallback = cli->value;
		return check_url(cli);
	case FETCH_NONCE:
		set->options.nonce = true;
		return -1;
	case FETCH_OUT:
		set->out = cli->value;
		return -1;
	case FETCH_PROXY:
		return take_proxy(set, cli);
	case FETCH_CA:
		set->options.ca_file = cli->value;
		return -1;
	case FETCH_FORBID_PRIVATE:
	case FETCH_ALLOW_PRIVATE:
		set->options.forbid_private = id == FETCH_FORBID_PRIVATE;
		return -1;
	case FETCH_HASH:
		return take_hash(set, cli);
	case FETCH_ALLOW_SHA1:
		set->options.policy.allow_sha1_signature = true;
		return -1;
	case FETCH_TRUST_SIGNER:
		set->trust_signer = cli->value;
		return -1;
	case FETCH_JSON:
		set->json = 1;
		return -1;
	case FETCH_FORMAT:
		return cli_choice(cli, &set->json);
	case FETCH_QUIET:
		set->quiet = true;
		return -1;
	case FETCH_VERBOSE:
		set->verbose = true;
		return -1;
	case FETCH_TIMEOUT:
		return cli_seconds(cli, TIMEOUT_MAX_S, &set->options.timeout_ms);
	case FETCH_MAX_SIZE:
		return cli_number(cli, 1, SIZE_MAX_BYTES, &set->options.max_size);
	case FETCH_MAX_AGE:
		return cli_number(cli, 1, YEAR_S, &set->options.policy.max_age_s);
	default:
		return take_report(set, cli);
	}
}

static bool same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return a && b && stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

/* A slip of the hand must not cost a certificate. */
static int check_out(const struct fetch_settings *set, const struct cli_command *self)
{
	if (!set->out)
		return -1;
	if (!*set->out)
		return cli_usage(self, "-o wants the name of a file");
	if (set->json && strcmp(set->out, "-") == 0)
		return cli_usage(self, "--json and -o - both want standard output: name a file, -o OUT.der");
	if (same_file(set->out, set->chain) || same_file(set->out, set->issuer) || same_file(set->out, set->trust_signer))
		return cli_usage(self, "-o %s would overwrite a certificate: name another file", set->out);
	return -1;
}

int fetch_settings_parse(struct fetch_settings *set, int argc, char **argv, const struct cli_command *self)
{
	int status;

	*set = (struct fetch_settings){ .report_fd = -1 };
	proxies_of_environment(&set->limits.proxies);
	status = cli_parse(self, argc, argv, take, set);
	if (status >= 0)
		return status;
	if (!set->chain)
		return cli_usage(self, "which certificate? CHAIN.pem");
	status = cli_one_stdin(self, set->chain, set->issuer, NULL);
	return status >= 0 ? status : check_out(set, self);
}

struct fetch_options fetch_settings_options(const struct fetch_settings *set)
{
	struct fetch_options options = set->options;

	options.urls = set->urls;
	return options;
}
