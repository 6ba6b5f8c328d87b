/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/http.h"
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX URL_LEN_MAX

void http_head_begin(struct http_head *head)
{
	size_t total = head->total;

	memset(head, 0, sizeof(*head));
	head->total = total;
	head->retry_after_s = -1;
	head->max_age_s = -1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Leading digits, capped; *end behind them. False when there are none. */
static bool digits(int64_t *out, const char *text, const char **end)
{
	int64_t value = 0;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++)
		if (value <= HTTP_SECONDS_MAX)
			value = value * 10 + (*text - '0');
	*out = value > HTTP_SECONDS_MAX ? HTTP_SECONDS_MAX : value;
	*end = text;
	return true;
}

bool http_retry_after(int64_t *seconds, const char *value, int64_t now)
{
	const char *end;
	int64_t count;
	time_t at;

	if (digits(&count, value, &end)) {
		if (*end == 0)
			*seconds = count;
		return *end == 0;
	}
	at = curl_getdate(value, NULL);
	if (at == (time_t)-1)
		return false;
	*seconds = at <= now ? 0 : at - now > HTTP_SECONDS_MAX ? HTTP_SECONDS_MAX : at - now;
	return true;
}

bool http_max_age(int64_t *seconds, const char *cache_control)
{
	static const char name[] = "max-age=";
	const char *at = cache_control, *end;

	while (*at) {
		at += strspn(at, " \t,");
		if (strncasecmp(at, name, sizeof(name) - 1) == 0) {
			at += sizeof(name) - 1;
			at += *at == '"';
			return digits(seconds, at, &end);
		}
		at += strcspn(at, ",");
	}
	return false;
}

static void take_location(struct http_head *head, const char *value)
{
	size_t len = strlen(value);

	if (head->has_location)
		return;
	head->has_location = true;
	if (len < sizeof(head->location))
		memcpy(head->location, value, len + 1);
}

static void take_date(struct http_head *head, const char *value)
{
	time_t at = curl_getdate(value, NULL);

	if (at == (time_t)-1)
		return;
	head->has_date = true;
	head->date = at;
}

static void take_field(struct http_head *head, const char *name, size_t name_len, const char *value, int64_t now)
{
	const char *end;

	if (name_len == 4 && strncasecmp(name, "Date", 4) == 0)
		take_date(head, value);
	else if (name_len == 3 && strncasecmp(name, "Age", 3) == 0)
		(void)digits(&head->age_s, value, &end);
	else if (name_len == 8 && strncasecmp(name, "Location", 8) == 0)
		take_location(head, value);
	else if (name_len == 11 && strncasecmp(name, "Retry-After", 11) == 0)
		(void)http_retry_after(&head->retry_after_s, value, now);
	else if (name_len == 13 && strncasecmp(name, "Cache-Control", 13) == 0)
		(void)http_max_age(&head->max_age_s, value);
}

/* The field's value without the space around it; a longer one is cut to VALUE_MAX + 1 bytes, and is then nothing we know. */
static void copy_value(char out[VALUE_MAX + 2], const char *from, const char *end)
{
	size_t len;

	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	while (end > from && strchr(" \t\r\n", end[-1]))
		end--;
	len = (size_t)(end - from);
	if (len > VALUE_MAX + 1)
		len = VALUE_MAX + 1;
	memcpy(out, from, len);
	out[len] = 0;
}

bool http_head_line(struct http_head *head, const char *line, size_t len, int64_t now)
{
	char value[VALUE_MAX + 2];
	const char *colon;

	head->total += len;
	if (head->total > HTTP_HEAD_MAX)
		return false;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		http_head_begin(head);
		return true;
	}
	if (len > 0 && (line[0] == '\r' || line[0] == '\n'))
		head->complete = true;
	colon = memchr(line, ':', len);
	if (!colon)
		return true;
	copy_value(value, colon + 1, line + len);
	take_field(head, line, (size_t)(colon - line), value, now);
	return true;
}
