/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libcurl says of a transfer, in our words: where it failed, whether trying again helps, and a sentence. */
#include "base/error.h"
#include "fetch/address.h"
#include "fetch/engine.h"
#include <stdio.h>
#include <string.h>

static bool reached(CURL *easy, CURLINFO which)
{
	curl_off_t at_us = 0;

	return curl_easy_getinfo(easy, which, &at_us) == CURLE_OK && at_us > 0;
}

/* As far as it came. A connection that is used again has all of it behind it. */
enum fetch_phase outcome_phase(struct exchange *exchange)
{
	if (reached(exchange->easy, CURLINFO_PRETRANSFER_TIME_T))
		return FETCH_HTTP;
	if (!reached(exchange->easy, CURLINFO_NAMELOOKUP_TIME_T))
		return FETCH_DNS;
	if (!reached(exchange->easy, CURLINFO_CONNECT_TIME_T) && (!exchange->connected || exchange->proxy))
		return FETCH_CONNECT;
	return exchange->url.https ? FETCH_TLS : FETCH_HTTP;
}

static void say(struct exchange *exchange, const char *text)
{
	snprintf(exchange->outcome.text, sizeof(exchange->outcome.text), "%s", text);
}

static void say_curl(struct exchange *exchange, CURLcode code)
{
	const char *text = exchange->curl_text[0] ? exchange->curl_text : curl_easy_strerror(code);

	error_printable(exchange->outcome.text, sizeof(exchange->outcome.text), text, strlen(text));
}

void outcome_say_time_out(struct exchange *exchange)
{
	struct fetch_outcome *outcome = &exchange->outcome;

	if (outcome->phase == FETCH_DNS)
		say(exchange, "the name was not resolved in time");
	else if (outcome->phase == FETCH_CONNECT)
		say(exchange, "no connection in time");
	else if (outcome->phase == FETCH_TLS)
		say(exchange, "the TLS handshake was not done in time");
	else
		snprintf(outcome->text, sizeof(outcome->text), "no complete answer in time, %zu bytes of it came",
			 exchange->body.len);
}

static void say_refused(struct exchange *exchange)
{
	struct fetch_outcome *outcome = &exchange->outcome;
	char by[URL_HOST_SIZE + 16] = "";
	long number = 0;

	if (exchange->easy)
		curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &number);
	if (exchange->proxy)
		proxy_text(by, sizeof(by), exchange->proxy);
	snprintf(outcome->text, sizeof(outcome->text), "%s (%s%s%s)", number ? strerror((int)number) : "no connection",
		 exchange->address[0] ? exchange->address : exchange->url.host, by[0] ? ", the proxy " : "", by);
}

static void say_forbidden(struct exchange *exchange)
{
	struct fetch_outcome *outcome = &exchange->outcome;

	outcome->failure = FETCH_PRIVATE_ADDRESS;
	outcome->phase = FETCH_CONNECT;
	snprintf(outcome->text, sizeof(outcome->text), "it leads to %s, which is not a public address",
		 exchange->address[0] ? exchange->address : exchange->url.host);
}

static void say_too_large(struct exchange *exchange)
{
	struct fetch_outcome *outcome = &exchange->outcome;

	outcome->failure = FETCH_TOO_LARGE;
	outcome->phase = FETCH_HTTP;
	if (exchange->head_too_large)
		snprintf(outcome->text, sizeof(outcome->text), "the header of the answer is larger than %d bytes",
			 HTTP_HEAD_MAX);
	else
		snprintf(outcome->text, sizeof(outcome->text), "the answer is larger than %u bytes",
			 exchange->settings->max_size);
}

/* libcurl's codes, and ours for them; the sentence is libcurl's own. */
static const struct {
	CURLcode code;
	uint8_t failure, phase;
} known[] = {
	{ CURLE_COULDNT_RESOLVE_PROXY, FETCH_PROXY_FAILED, FETCH_DNS },
	{ CURLE_PROXY, FETCH_PROXY_FAILED, FETCH_CONNECT },
	{ CURLE_PEER_FAILED_VERIFICATION, FETCH_UNTRUSTED, FETCH_TLS },
	{ CURLE_SSL_ISSUER_ERROR, FETCH_UNTRUSTED, FETCH_TLS },
	{ CURLE_SSL_CACERT_BADFILE, FETCH_UNTRUSTED, FETCH_TLS },
	{ CURLE_SSL_CONNECT_ERROR, FETCH_TLS_FAILED, FETCH_TLS },
	{ CURLE_SSL_CERTPROBLEM, FETCH_TLS_FAILED, FETCH_TLS },
	{ CURLE_SSL_CIPHER, FETCH_TLS_FAILED, FETCH_TLS },
	{ CURLE_SSL_INVALIDCERTSTATUS, FETCH_UNTRUSTED, FETCH_TLS },
	{ CURLE_GOT_NOTHING, FETCH_BROKEN_OFF, FETCH_HTTP },
	{ CURLE_PARTIAL_FILE, FETCH_BROKEN_OFF, FETCH_HTTP },
	{ CURLE_SEND_ERROR, FETCH_BROKEN_OFF, FETCH_HTTP },
	{ CURLE_RECV_ERROR, FETCH_BROKEN_OFF, FETCH_HTTP },
	{ CURLE_UNSUPPORTED_PROTOCOL, FETCH_NOT_HTTP, FETCH_HTTP },
	{ CURLE_WEIRD_SERVER_REPLY, FETCH_NOT_HTTP, FETCH_HTTP },
	{ CURLE_BAD_CONTENT_ENCODING, FETCH_NOT_HTTP, FETCH_HTTP },
	{ CURLE_HTTP_RETURNED_ERROR, FETCH_CLIENT_ERROR, FETCH_HTTP },
	{ CURLE_URL_MALFORMAT, FETCH_BAD_URL, FETCH_NOWHERE },
	{ CURLE_OUT_OF_MEMORY, FETCH_NO_MEMORY, FETCH_NOWHERE },
};

static void name_failure(struct exchange *exchange, CURLcode code)
{
	struct fetch_outcome *outcome = &exchange->outcome;
	long connect_status = 0;

	outcome->failure = FETCH_INTERNAL;
	outcome->phase = FETCH_HTTP;
	say_curl(exchange, code);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].code == code) {
			outcome->failure = known[i].failure;
			outcome->phase = known[i].phase;
		}
	if (!exchange->proxy || !exchange->url.https || !exchange->easy)
		return;
	/* a CONNECT that the proxy did not grant is told apart from a broken connection by its status alone */
	curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	if (connect_status != 0 && connect_status != 200) {
		outcome->failure = FETCH_PROXY_FAILED;
		outcome->phase = FETCH_CONNECT;
	}
}

/* A header line beyond libcurl's own limit of 100 KB is to it a lack of memory, and to later versions code 100. */
static bool is_line_too_long(struct exchange *exchange, CURLcode code)
{
	if (code != CURLE_OUT_OF_MEMORY && (int)code != 100)
		return false;
	return exchange->easy && !exchange->head.complete && reached(exchange->easy, CURLINFO_STARTTRANSFER_TIME_T);
}

static void on_failure(struct exchange *exchange, CURLcode code)
{
	struct fetch_outcome *outcome = &exchange->outcome;

	if (exchange->forbidden && (code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK)) {
		say_forbidden(exchange);
		return;
	}
	name_failure(exchange, code);
	exchange->head_too_large |= is_line_too_long(exchange, code);
	if (code == CURLE_FILESIZE_EXCEEDED || exchange->too_large || exchange->head_too_large) {
		say_too_large(exchange);
	} else if (exchange->no_memory) {
		outcome->failure = FETCH_NO_MEMORY;
	} else if (code == CURLE_COULDNT_RESOLVE_HOST) {
		outcome->failure = FETCH_NAME_TEMPORARY;
		outcome->phase = FETCH_DNS;
	} else if (code == CURLE_COULDNT_CONNECT) {
		outcome->failure = FETCH_REFUSED;
		outcome->phase = FETCH_CONNECT;
		say_refused(exchange);
	} else if (code == CURLE_OPERATION_TIMEDOUT) {
		outcome->failure = FETCH_TIMED_OUT;
		outcome->phase = outcome_phase(exchange);
		outcome_say_time_out(exchange);
	}
}

static void take_head(struct exchange *exchange)
{
	struct fetch_outcome *outcome = &exchange->outcome;
	const struct http_head *head = &exchange->head;

	outcome->retry_after_s = head->retry_after_s;
	outcome->max_age_s = head->max_age_s;
	outcome->has_date = head->has_date;
	outcome->skew_s = head->has_date ? head->date + head->age_s - (int64_t)time(NULL) : 0;
}

/* RFC 9110 15.5.9, RFC 6585 4: these two of the 4xx say "not now", and asking again by POST would be the opposite. */
static bool is_passing(long status)
{
	return (status >= 500 && status <= 599) || status == 408 || status == 429;
}

void outcome_of_transfer(struct exchange *exchange, CURLcode code)
{
	struct fetch_outcome *outcome = &exchange->outcome;
	long status = 0;

	take_head(exchange);
	if (exchange->easy)
		curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	outcome->http_status = (int)status;
	outcome->phase = FETCH_HTTP;
	outcome->failure = FETCH_OK;
	outcome->text[0] = 0;
	if (code != CURLE_OK) {
		on_failure(exchange, code);
		return;
	}
	if (!exchange->head.complete) { /* libcurl takes a header that ends with the connection for a whole one */
		outcome->failure = FETCH_BROKEN_OFF;
		say(exchange, "the connection ended within the header of the answer");
		return;
	}
	if (status == 200 || status == 203)
		return;
	outcome->failure = is_passing(status) ? FETCH_SERVER_ERROR : FETCH_CLIENT_ERROR;
	snprintf(outcome->text, sizeof(outcome->text), "HTTP status %ld", status);
}
