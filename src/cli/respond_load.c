/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration of `respond`, read anew with each SIGHUP. */
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/respond_settings.h"

DEFINE_CLEANUP(struct respond_loaded *, cleanup_loaded, respond_loaded_free)

void respond_loaded_free(struct respond_loaded *loaded)
{
	if (!loaded)
		return;
	conf_done(&loaded->file);
	free(loaded->chain);
	free(loaded);
}

/* What the keeper keeps is what is handed on. */
static int take_relay(struct respond_loaded *loaded, const char *path, struct clinch_error *err)
{
	const struct keep_conf *keep = &loaded->file.keep;
	struct relay_files *relay = &loaded->conf.relay;

	if (keep->n_sources == 0)
		return error_set(err, CLINCH_E_FORMAT,
				 "%s: respond.relay hands on what keep.certificates names, and there are none", path);
	loaded->chain = calloc(keep->n_sources, sizeof(*loaded->chain));
	if (!loaded->chain)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the relay");
	for (size_t i = 0; i < keep->n_sources; i++)
		loaded->chain[i] = keep->source[i].path;
	*relay = (struct relay_files){
		.store = loaded->file.store, .chain = loaded->chain, .n_chains = keep->n_sources, .issuers = keep->issuers
	};
	return 0;
}

static int read_conf(struct respond_loaded *loaded, const struct respond_settings *set, struct clinch_error *err)
{
	if (!set->daemon.file) {
		loaded->conf = set->options;
		return 0;
	}
	int code = conf_read(&loaded->file, set->daemon.file, err);
	if (code < 0)
		return code;
	if (!loaded->file.has_respond)
		return error_set(err, CLINCH_E_FORMAT, "%s: it has no section \"respond\"", set->daemon.file);
	loaded->conf = loaded->file.respond;
	if (!loaded->conf.n_authorities && !loaded->file.respond_relay)
		return error_set(err, CLINCH_E_FORMAT, "%s: respond wants authorities, or relay: true, or both",
				 set->daemon.file);
	return loaded->file.respond_relay ? take_relay(loaded, set->daemon.file, err) : 0;
}

int respond_load(struct respond_loaded **out, const struct respond_settings *set, struct clinch_error *err)
{
	AUTO(cleanup_loaded) struct respond_loaded *loaded = calloc(1, sizeof(*loaded));

	if (!loaded)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the configuration");
	int code = read_conf(loaded, set, err);
	if (code < 0)
		return code;
	*out = TAKE(loaded);
	return 0;
}
