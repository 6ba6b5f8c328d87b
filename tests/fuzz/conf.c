/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration file: it is read, or refused with its place; nothing else may happen, and not slowly. */
#include "conf/conf.h"
#include "fuzz.h"
#include <string.h>

static void must_be_whole(const struct conf *conf)
{
	MUST(conf->store && conf->store[0] == '/' && conf->keep.store == conf->store);
	MUST(conf->keep.fetch.timeout_ms >= conf->keep.fetch.connect_ms && conf->keep.fetch.connect_ms > 0);
	MUST(conf->socket && conf->keep.rescan_ms > 0 && conf->serve.connections > 0);
	MUST(!conf->has_keep || conf->keep.n_sources > 0);
	for (size_t i = 0; i < conf->keep.n_sources; i++)
		MUST(conf->keep.source[i].path[0] == '/');
	for (size_t i = 0; i < conf->n_outputs; i++) {
		const struct outlet_conf *output = &conf->output[i];

		MUST(output->kind == OUTLET_RUN ? output->argv[0][0] == '/' && !output->argv[output->n_argv]
						: output->target[0] == '/');
		MUST(output->after_ms > 0 && output->timeout_ms > 0 && output->mode);
	}
	MUST(!conf->has_serve || (conf->serve.n_listen > 0 && conf->serve.n_certificates > 0 && conf->serve.backend));
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clinch_error error = { 0 };
	struct conf conf;
	int rc = conf_parse(&conf, "fuzz", data, size, &error);

	if (rc == 0) {
		must_be_whole(&conf);
		conf_done(&conf);
		return 0;
	}
	MUST(rc == CLINCH_E_FORMAT || rc == CLINCH_E_TOO_LARGE);
	MUST(strlen(error.text) < sizeof(error.text));
	unsigned long line = 0, column = 0;
	MUST(rc == CLINCH_E_TOO_LARGE ||
	     (sscanf(error.text, "fuzz:%lu:%lu: ", &line, &column) == 2 && line > 0 && column > 0));
	return 0;
}
