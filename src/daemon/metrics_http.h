/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /metrics for Prometheus, /status.json, /livez, /readyz and a page for people of a daemon, by libmicrohttpd's epoll on the
 * daemon's own loop. GET and HEAD alone; a request has an absolute deadline, and there is a limit on connections.
 */
#ifndef DAEMON_METRICS_HTTP_H
#define DAEMON_METRICS_HTTP_H

#include "base/buf.h"
#include <clinch/error.h>
#include <uv.h>

struct metrics_stream {                              /* an answer in pieces */
	void *(*open)(void *user);                   /* NULL: no memory */
	bool (*more)(void *stream, struct buf *out); /* adds the next piece, perhaps an empty one; false: no memory */
	bool (*is_whole)(const void *stream);        /* there is no more */
	void (*close)(void *stream);
};

struct metrics_pages { /* each is called by the loop's thread; false: no memory */
	bool (*metrics)(struct buf *out, void *user);
	bool (*status)(struct buf *out, void *user); /* JSON; NULL: there is no /status.json */
	bool (*is_ready)(void *user);
	void *user;
	const struct metrics_stream *status_stream; /* in place of `status`; NULL: that */
	bool (*page)(struct buf *out, void *user);  /* HTML for people, at "/"; NULL: there is none */
	const char *page_style;                     /* the one <style> in it; nothing else is let in */
};

struct metrics_http;

/*
 * `listen` is "127.0.0.1:9469" or "[::1]:9469"; port 0: any. `what` is the setting, for the message: CLINCH_E_ARGUMENT names
 * the address that cannot be bound. `pages` is copied.
 */
int metrics_http_new(struct metrics_http **out, uv_loop_t *loop, const char *listen, const char *what,
		     const struct metrics_pages *pages, struct clinch_error *err);
const char *metrics_http_bound(const struct metrics_http *http); /* "127.0.0.1:9469" */
/* Closes by way of the loop; no page is asked for from here on. NULL-safe. */
void metrics_http_free(struct metrics_http *http);

/* "# HELP name help", "# TYPE name type": what stands before the series of a name. */
bool metrics_head(struct buf *out, const char *name, const char *type, const char *help);

#endif
