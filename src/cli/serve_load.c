/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration of `serve`, read anew with each SIGHUP, and what its child is told of it. */
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/serve_settings.h"
#include <string.h>

#define FOR_CHILD_MAX (64 * 1024)

DEFINE_CLEANUP(struct serve_loaded *, cleanup_loaded, serve_loaded_free)

void serve_loaded_free(struct serve_loaded *loaded)
{
	if (!loaded)
		return;
	conf_done(&loaded->file);
	buf_done(&loaded->for_child);
	free(loaded);
}

static bool put_text(struct buf *out, const char *key, const char *value)
{
	if (!value)
		return true;
	bool good = buf_printf(out, "  %s: \"", key);
	for (; good && *value; value++)
		good = (!strchr("\"\\", *value) || buf_add(out, "\\", 1)) && buf_add(out, value, 1);
	return good && buf_printf(out, "\"\n");
}

static const char *proxy_of(const struct conf *file)
{
	const struct fetch_proxies *proxies = &file->keep.limits.proxies;

	return file->proxy_of_environment ? "env" : proxies->all ? proxies->all : "none";
}

static const char *hash_name(gnutls_digest_algorithm_t hash)
{
	return hash == GNUTLS_DIG_SHA256   ? "sha256"
	       : hash == GNUTLS_DIG_SHA384 ? "sha384"
	       : hash == GNUTLS_DIG_SHA512 ? "sha512"
					   : "sha1";
}

static bool put_fetch(struct buf *out, const struct conf *file)
{
	const struct fetch_options *fetch = &file->keep.fetch;
	const struct fetch_limits *limits = &file->keep.limits;

	return buf_printf(out,
			  "fetch:\n  per_responder: %u\n  total: %u\n  timeout: %ums\n  connect_timeout: %ums\n"
			  "  max_size: %uB\n  hash: %s\n",
			  (unsigned)limits->per_responder, (unsigned)limits->total, (unsigned)fetch->timeout_ms,
			  (unsigned)fetch->connect_ms, (unsigned)fetch->max_size, hash_name(fetch->hash)) &&
	       put_text(out, "proxy", proxy_of(file)) && put_text(out, "ca", fetch->ca_file) &&
	       put_text(out, "fallback", file->keep.fallback);
}

/* The address is the child's, unless another keeper of the same file has it. */
static bool put_metrics(struct buf *out, const struct conf *file)
{
	static const char *const each[] = {
		[METRICS_TROUBLED] = "troubled", [METRICS_ALL] = "all", [METRICS_NONE] = "none"
	};

	if (!file->metrics.listen || file->has_keep)
		return true;
	return buf_printf(out, "metrics:\n  per_certificate: %s\n", each[file->metrics.per_certificate]) &&
	       put_text(out, "listen", file->metrics.listen);
}

static const char *level_word(enum keep_level level)
{
	return level == KEEP_ERROR ? "error" : level == KEEP_WARNING ? "warning" : level == KEEP_INFO ? "info" : "debug";
}

/* The child logs as we do, to the same place. */
static bool put_settings(struct serve_loaded *loaded, const struct serve_settings *set)
{
	const struct conf *file = &loaded->file;
	bool json = set->daemon.file ? file->log.json || set->daemon.json : set->daemon.json;
	const char *level = set->daemon.verbose ? "debug" : set->daemon.file ? level_word(file->log.level) : "info";
	bool good = buf_printf(&loaded->for_child, "log:\n  level: %s\n  format: %s\n", level, json ? "json" : "text");

	if (set->daemon.file)
		good = good && put_fetch(&loaded->for_child, file) && put_metrics(&loaded->for_child, file);
	return good && buf_add(&loaded->for_child, "", 1);
}

static int read_conf(struct serve_loaded *loaded, const struct serve_settings *set, struct clinch_error *err)
{
	if (!set->daemon.file) {
		loaded->conf = set->options;
		loaded->metrics = set->metrics;
		return 0;
	}
	int code = conf_read(&loaded->file, set->daemon.file, err);
	if (code < 0)
		return code;
	if (!loaded->file.has_serve)
		return error_set(err, CLINCH_E_FORMAT, "%s: it has no section \"serve\"", set->daemon.file);
	loaded->conf = loaded->file.serve;
	loaded->conf.fallback = loaded->file.keep.fallback;
	loaded->metrics = loaded->file.serve_metrics;
	return 0;
}

int serve_load(struct serve_loaded **out, const struct serve_settings *set, struct clinch_error *err)
{
	AUTO(cleanup_loaded) struct serve_loaded *loaded = calloc(1, sizeof(*loaded));

	if (!loaded)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the configuration");
	loaded->for_child.max = FOR_CHILD_MAX;
	int code = read_conf(loaded, set, err);
	if (code < 0)
		return code;
	if (!put_settings(loaded, set))
		return error_set(err, CLINCH_E_MEMORY, "no memory for the configuration of clinch-keep");
	loaded->conf.keeper_settings = (const char *)loaded->for_child.data;
	*out = TAKE(loaded);
	return 0;
}
