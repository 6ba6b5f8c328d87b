/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers as HTTP has them (RFC 9110, RFC 9111, RFC 9919 5): headers made once for each answer, 304 where the client has it.
 */
#ifndef RESPOND_REPLY_H
#define RESPOND_REPLY_H

#include "respond/prepared.h"
#include <microhttpd.h>

#define REPLY_DATE_SIZE 30 /* "Mon, 23 Nov 2026 17:00:00 GMT" */

void reply_date(char out[REPLY_DATE_SIZE], int64_t at);
/* One of the three forms of RFC 9110 5.6.7. */
bool reply_date_parse(int64_t *out, const char *text, size_t len);

/* What a cache goes by. */
struct reply_life {
	uint64_t etag;
	int64_t this_update, next_update;
	int64_t max_age; /* seconds */
};

/* max-age: the smaller of the time to our own refresh and the configured limit. */
int64_t reply_max_age(const struct prepared *answer, int64_t limit, int64_t now);

/* Cacheable; each takes a reference of what it sends. NULL: no memory. */
struct MHD_Response *reply_prepared(struct prepared *answer, int64_t max_age);
struct MHD_Response *reply_relayed(clinch_response_t *response, const struct reply_life *life);
struct reply_life reply_life_of(const struct prepared *answer, int64_t max_age);
struct reply_life reply_life_of_relayed(const clinch_response_t *response, int64_t limit, int64_t now);

/* Not cacheable. `der` is taken over; gnutls_free(). */
struct MHD_Response *reply_once(gnutls_datum_t *der);
struct MHD_Response *reply_refusal(enum ocsp_refusal refusal);
/* Plain text, static. `close`: the connection is of no more use. */
struct MHD_Response *reply_text(const char *text, const char *allow, bool close);

/* If-None-Match (which goes first) and If-Modified-Since; .len 0: absent. */
struct reply_condition {
	const char *none_match, *modified_since;
	size_t none_match_len, modified_since_len;
};
bool reply_is_known(const struct reply_condition *condition, const struct reply_life *life);

#endif
