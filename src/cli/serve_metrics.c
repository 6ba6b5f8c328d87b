/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The counters of `serve`, in the text format of Prometheus: in a file, and over HTTP. */
#include "base/error.h"
#include "base/file.h"
#include "cli/serve_settings.h"
#include "daemon/metrics_http.h"
#include <gnutls/gnutls.h>

#define TEXT_MAX 4096

static bool put(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	return metrics_head(out, name, type, help) && buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static bool put_handshakes(struct buf *out, const struct serve_counters *counters)
{
	return metrics_head(out, "clinch_handshakes_total", "counter", "Handshakes, by the staple that was sent.") &&
	       buf_printf(out,
			  "clinch_handshakes_total{staple=\"sent\"} %llu\n"
			  "clinch_handshakes_total{staple=\"none\"} %llu\n"
			  "clinch_handshakes_total{staple=\"resumed\"} %llu\n"
			  "clinch_handshakes_total{staple=\"failed\"} %llu\n",
			  (unsigned long long)counters->stapled, (unsigned long long)counters->unstapled,
			  (unsigned long long)counters->resumed, (unsigned long long)counters->failed);
}

bool serve_metrics_text(struct buf *out, const struct serve_counters *counters)
{
	return metrics_head(out, "clinch_build_info", "gauge", "Versions.") &&
	       buf_printf(out, "clinch_build_info{version=\"%s\",gnutls=\"%s\"} 1\n", CLINCH_VERSION,
			  gnutls_check_version(NULL)) &&
	       put_handshakes(out, counters) &&
	       put(out, "clinch_connections_total", "counter", "Connections that were accepted.", counters->accepted) &&
	       put(out, "clinch_connections", "gauge", "Connections that are open.", counters->open) &&
	       put(out, "clinch_backend_failures_total", "counter", "Connections to the backend that failed.",
		   counters->backend_failures);
}

int serve_write_metrics(const char *path, const struct serve_counters *counters, struct clinch_error *err)
{
	auto_buf text = { .max = TEXT_MAX };

	if (!serve_metrics_text(&text, counters))
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for the metrics", path);
	return file_replace(path, text.data, text.len, 0644, err);
}
