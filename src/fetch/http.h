/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The few header fields of a responder's answer that count (RFC 9110, RFC 9111). All of it is a stranger's word: advice
 * only. */
#ifndef FETCH_HTTP_H
#define FETCH_HTTP_H

#include "fetch/url.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX (32 * 1024)               /* bytes of all header lines of one answer, interim answers included */
#define HTTP_SECONDS_MAX ((int64_t)365 * 86400) /* no number of seconds is read as more */

struct http_head {
	size_t total;  /* bytes seen */
	bool complete; /* the empty line has come */
	bool has_date;
	int64_t date;          /* Date */
	int64_t age_s;         /* Age; 0 without one */
	int64_t retry_after_s; /* Retry-After; -1: none */
	int64_t max_age_s;     /* Cache-Control: max-age; -1: none */
	bool has_location;
	char location[URL_LEN_MAX + 1]; /* cut ones are not kept: has_location with "" */
};

void http_head_begin(struct http_head *head);

/* One line as it came, with or without its line end. A status line begins anew. False: more than HTTP_HEAD_MAX bytes. */
bool http_head_line(struct http_head *head, const char *line, size_t len, int64_t now);

/* "120" or an HTTP-date; never negative; false when it is neither. */
bool http_retry_after(int64_t *seconds, const char *value, int64_t now);
bool http_max_age(int64_t *seconds, const char *cache_control);

#endif
