/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/reply.h"
#include "base/cleanup.h"
#include "base/time.h"
#include <gnutls/crypto.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400
#define CACHE_CONTROL ", public, no-transform, must-revalidate"
#define CACHE_CONTROL_SIZE (8 + 20 + sizeof(CACHE_CONTROL)) /* max-age= and its number before it */

/* ---- dates ---- */

static char *put(char *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

/* Twice in each answer whose headers are made: not worth a snprintf(). */
void reply_date(char out[REPLY_DATE_SIZE], int64_t at)
{
	static const char days[7][5] = { "Thu,", "Fri,", "Sat,", "Sun,", "Mon,", "Tue,", "Wed," };
	static const char months[12][6] = { " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ",
					    " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec " };
	uint8_t civil[TIME_COMPACT_LEN]; /* YYYYMMDDHHMMSSZ */

	if (at < 0 || !time_compact(civil, at))
		time_compact(civil, at = 0);
	out = put(put(put(out, days[at / DAY_S % 7], 4), " ", 1), civil + 6, 2);
	out = put(put(out, months[(civil[4] - '0') * 10 + civil[5] - '0' - 1], 5), civil, 4);
	out = put(put(put(put(out, " ", 1), civil + 8, 2), ":", 1), civil + 10, 2);
	put(put(put(out, ":", 1), civil + 12, 2), " GMT", 5);
}

bool reply_date_parse(int64_t *out, const char *text, size_t len)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
					     "%a %b %e %H:%M:%S %Y" };
	char ended[64];

	if (len >= sizeof(ended))
		return false;
	memcpy(ended, text, len);
	ended[len] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(ended, forms[i], &tm);
		if (end && !*end)
			return time_from_civil(out, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
					       tm.tm_sec);
	}
	return false;
}

/* ---- what a cache goes by ---- */

int64_t reply_max_age(const struct prepared *answer, int64_t limit, int64_t now)
{
	int64_t left = answer->refresh_at - now;

	return left < 0 ? 0 : left < limit ? left : limit;
}

struct reply_life reply_life_of(const struct prepared *answer, int64_t max_age)
{
	return (struct reply_life){ answer->etag, answer->this_update, answer->next_update, max_age };
}

/* The keeper has a fresher one by half of its life. */
struct reply_life reply_life_of_relayed(const clinch_response_t *response, int64_t limit, int64_t now)
{
	const struct clinch_verdict *verdict = clinch_response_verdict(response);
	gnutls_datum_t der = clinch_response_der(response);
	int64_t half = verdict->this_update + (verdict->fresh_until - verdict->this_update) / 2;
	int64_t left = (half > now ? half : verdict->fresh_until) - now;
	struct reply_life life = { .this_update = verdict->this_update, .next_update = verdict->fresh_until };
	uint8_t digest[32] = { 0 };

	gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, digest);
	memcpy(&life.etag, digest, sizeof(life.etag));
	life.max_age = half > now ? left : left / 2;
	life.max_age = life.max_age < 0 ? 0 : life.max_age < limit ? life.max_age : limit;
	return life;
}

/* ---- conditions ---- */

/* A list of entity tags, compared weakly (RFC 9110 13.1.2); none has a quote or a comma inside that would be ours. */
static bool lists_tag(const char *list, size_t len, const char *tag)
{
	size_t tag_len = strlen(tag);

	if (len == 1 && *list == '*')
		return true;
	for (size_t i = 0; i + tag_len <= len; i++)
		if (memcmp(list + i, tag, tag_len) == 0)
			return true;
	return false;
}

/* The very date that was sent, and no later one: an answer's thisUpdate lies before it was made, so that of a revocation may
 * be older than the moment at which a client had the answer before (RFC 9110 8.8.2.2). */
bool reply_is_known(const struct reply_condition *condition, const struct reply_life *life)
{
	char tag[PREPARED_ETAG_SIZE];
	int64_t since;

	if (condition->none_match_len) {
		prepared_etag(tag, life->etag);
		return lists_tag(condition->none_match, condition->none_match_len, tag);
	}
	return condition->modified_since_len &&
	       reply_date_parse(&since, condition->modified_since, condition->modified_since_len) &&
	       life->this_update == since;
}

/* ---- responses ---- */

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

static struct MHD_Response *or_none(struct MHD_Response *response, bool good)
{
	if (response && !good) {
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

static void cache_control(char out[CACHE_CONTROL_SIZE], int64_t max_age)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + max_age % 10);
	while (max_age /= 10);
	out = put(put(out, "max-age=", 8), at, (size_t)(digits + sizeof(digits) - at));
	put(out, CACHE_CONTROL, sizeof(CACHE_CONTROL));
}

static bool add_life(struct MHD_Response *response, const struct reply_life *life)
{
	char cache[CACHE_CONTROL_SIZE], modified[REPLY_DATE_SIZE], expires[REPLY_DATE_SIZE], tag[PREPARED_ETAG_SIZE];

	prepared_etag(tag, life->etag);
	reply_date(modified, life->this_update);
	reply_date(expires, life->next_update);
	cache_control(cache, life->max_age);
	return add(response, "Content-Type", "application/ocsp-response") && add(response, "Last-Modified", modified) &&
	       add(response, "Expires", expires) && add(response, "ETag", tag) && add(response, "Cache-Control", cache);
}

static void release_prepared(void *user)
{
	prepared_unref(user);
}

struct MHD_Response *reply_prepared(struct prepared *answer, int64_t max_age)
{
	struct reply_life life = reply_life_of(answer, max_age);
	struct der der = prepared_der(answer);
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
		der_len(der), (void *)(uintptr_t)der.at, release_prepared, answer);

	if (!response)
		return NULL;
	prepared_ref(answer);
	return or_none(response, add_life(response, &life));
}

static void release_relayed(void *user)
{
	clinch_response_unref(user);
}

struct MHD_Response *reply_relayed(clinch_response_t *relayed, const struct reply_life *life)
{
	gnutls_datum_t der = clinch_response_der(relayed);
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(der.size, der.data, release_relayed, relayed);

	if (!response)
		return NULL;
	clinch_response_ref(relayed);
	return or_none(response, add_life(response, life));
}

static bool add_once(struct MHD_Response *response)
{
	return add(response, "Content-Type", "application/ocsp-response") && add(response, "Cache-Control", "no-store");
}

static void release_once(void *user)
{
	gnutls_free(user);
}

struct MHD_Response *reply_once(gnutls_datum_t *der)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(der->size, der->data, release_once, der->data);

	if (!response)
		return NULL;
	*der = (gnutls_datum_t){ NULL, 0 };
	return or_none(response, add_once(response));
}

struct MHD_Response *reply_refusal(enum ocsp_refusal refusal)
{
	gnutls_datum_t der = ocsp_refuse(refusal);
	struct MHD_Response *response = MHD_create_response_from_buffer(der.size, der.data, MHD_RESPMEM_PERSISTENT);

	return or_none(response, response && add_once(response));
}

struct MHD_Response *reply_text(const char *text, const char *allow, bool close)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	return or_none(response, response && add(response, "Content-Type", "text/plain; charset=utf-8") &&
					 add(response, "Cache-Control", "no-store") &&
					 (!allow || add(response, "Allow", allow)) &&
					 (!close || add(response, "Connection", "close")));
}
