/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keep/metrics.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/metrics_http.h"
#include "keep/metrics_text.h"
#include "keep/page.h"
#include "keep/status.h"
#include <time.h>

struct metrics {
	struct keeper *keeper;
	const struct outlets *outlets;
	enum metrics_each each;
	struct metrics_counters counters;
	struct metrics_http *http;
};

static bool write_metrics(struct buf *out, void *user)
{
	const struct metrics *metrics = user;

	return metrics_text(out, &metrics->counters, metrics->keeper, metrics->each);
}

static void *open_status(void *user)
{
	const struct metrics *metrics = user;

	return status_new(metrics->keeper, metrics->outlets, NULL);
}

static bool more_status(void *status, struct buf *out)
{
	return status_more(status, out) && (!status_is_whole(status) || buf_add(out, "\n", 1));
}

static bool is_status_whole(const void *status)
{
	return status_is_whole(status);
}

static void close_status(void *status)
{
	status_free(status);
}

static const struct metrics_stream status_stream = { open_status, more_status, is_status_whole, close_status };

static bool write_page(struct buf *out, void *user)
{
	const struct metrics *metrics = user;

	return page_html(out, metrics->keeper, metrics->outlets, time(NULL));
}

static bool is_ready(void *user)
{
	const struct metrics *metrics = user;

	return keeper_is_ready(metrics->keeper);
}

static void on_event(const struct keep_event *event, void *user)
{
	struct metrics *metrics = user;

	metrics_count(&metrics->counters, event);
}

int metrics_new(struct metrics **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
		const char *listen, enum metrics_each each, struct clinch_error *err)
{
	auto_free struct metrics *metrics = calloc(1, sizeof(*metrics));
	const struct metrics_pages pages = { .metrics = write_metrics,
					     .status_stream = &status_stream,
					     .page = write_page,
					     .page_style = page_style,
					     .is_ready = is_ready,
					     .user = metrics };

	if (!metrics)
		return error_set(err, CLINCH_E_MEMORY, "metrics.listen: no memory");
	*metrics = (struct metrics){ .keeper = keeper, .outlets = outlets, .each = each };
	int code = metrics_http_new(&metrics->http, loop, listen, "metrics.listen", &pages, err);
	if (code < 0)
		return code;
	keeper_listen(keeper, on_event, metrics);
	*out = TAKE(metrics);
	return 0;
}

const char *metrics_bound(const struct metrics *metrics)
{
	return metrics_http_bound(metrics->http);
}

void metrics_stop(struct metrics *metrics)
{
	if (metrics)
		metrics_http_free(TAKE(metrics->http));
}

void metrics_free(struct metrics *metrics)
{
	free(metrics);
}
