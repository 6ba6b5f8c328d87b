/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "fetch/address.h"
#include "fetch/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool into_queue(struct exchange *exchange, bool urgent)
{
	if (!queue_add(&exchange->engine->queue, &exchange->item, exchange->url.lane, urgent))
		return false;
	engine_kick(exchange->engine);
	return true;
}

static void show_url(struct exchange *exchange, const struct url *url)
{
	snprintf(exchange->outcome.url, sizeof(exchange->outcome.url), "%.*s", URL_LEN_MAX, url->text);
}

bool exchange_start(struct exchange *exchange, const struct url *base, bool get, bool no_cache, bool urgent)
{
	exchange->no_cache = no_cache;
	exchange->redirects = 0;
	exchange->began_ms = 0;
	exchange->outcome = (struct fetch_outcome){ .retry_after_s = -1, .max_age_s = -1 };
	show_url(exchange, base);
	exchange->url = *base;
	if (exchange->settings->request.size == 0)
		exchange->posts = false;
	else
		exchange->posts = !get || !url_for_get(&exchange->url, base, &exchange->settings->request);
	exchange->outcome.method = exchange->posts ? "POST" : "GET";
	return into_queue(exchange, urgent);
}

/* By a proxy the address is out of sight, so what the URL itself says must do. */
static bool names_private_host(const struct exchange *exchange)
{
	enum address_class class;

	return exchange->settings->forbid_private && exchange->proxy && address_class_of_host(&class, exchange->url.host) &&
	       class != ADDRESS_PUBLIC;
}

bool exchange_begin(struct exchange *exchange)
{
	if (exchange->began_ms == 0) {
		uv_update_time(exchange->engine->loop);
		exchange->began_ms = uv_now(exchange->engine->loop);
		exchange->started(exchange);
	}
	exchange->too_large = exchange->head_too_large = exchange->no_memory = exchange->forbidden = false;
	exchange->address[0] = exchange->curl_text[0] = 0;
	exchange->n_fds = 0;
	exchange->connected = false;
	exchange->head.total = 0;
	http_head_begin(&exchange->head);
	exchange->body.max = exchange->settings->max_size;
	buf_reset(&exchange->body);
	exchange->proxy = proxy_for(&exchange->engine->proxies, &exchange->url);
	if (names_private_host(exchange)) {
		exchange->forbidden = true;
		return false;
	}
	exchange->easy = exchange_handle(exchange);
	return exchange->easy != NULL;
}

static void take_time(struct exchange *exchange)
{
	uv_update_time(exchange->engine->loop);
	if (exchange->began_ms)
		exchange->outcome.took_ms = (int64_t)(uv_now(exchange->engine->loop) - exchange->began_ms);
}

/* The transfer's handle goes, and its place in the queue. */
static void leave(struct exchange *exchange)
{
	if (exchange->easy) {
		curl_multi_remove_handle(exchange->engine->multi, exchange->easy);
		curl_easy_cleanup(exchange->easy);
		exchange->easy = NULL;
	}
	curl_slist_free_all(exchange->fields);
	exchange->fields = NULL;
	queue_leave(&exchange->engine->queue, &exchange->item);
	engine_kick(exchange->engine);
}

void exchange_failed_to_begin(struct exchange *exchange)
{
	outcome_of_transfer(exchange, exchange->forbidden ? CURLE_COULDNT_CONNECT : CURLE_OUT_OF_MEMORY);
	leave(exchange);
	take_time(exchange);
	exchange->done(exchange);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool refuse_redirect(struct exchange *exchange, const char *what, const char *where)
{
	struct fetch_outcome *outcome = &exchange->outcome;
	char shown[120];

	outcome->failure = FETCH_REDIRECTED;
	outcome->phase = FETCH_HTTP;
	error_printable(shown, sizeof(shown), where, strlen(where));
	snprintf(outcome->text, sizeof(outcome->text), "%s%s%s", what, *where ? ": " : "", shown);
	return false;
}

/* RFC 9110 15.4: a POST stays one, because a GET without the request asks nothing; only 303 says that the answer is
 * elsewhere. */
static bool follow(struct exchange *exchange)
{
	const char *location = exchange->head.location, *why = "";
	char what[80];

	if (exchange->redirects >= FETCH_REDIRECTS_MAX)
		return refuse_redirect(exchange, "redirected more than 3 times, at last to", location);
	if (!location[0])
		return refuse_redirect(exchange, "redirected without saying where to", "");
	if (!url_follow(&exchange->url, &exchange->url, location, &why)) {
		snprintf(what, sizeof(what), "redirected to where we do not go, %s", why);
		return refuse_redirect(exchange, what, location);
	}
	exchange->redirects++;
	show_url(exchange, &exchange->url);
	if (exchange->outcome.http_status == 303) {
		exchange->posts = false;
		exchange->outcome.method = "GET";
	}
	if (into_queue(exchange, true))
		return true;
	exchange->outcome.failure = FETCH_NO_MEMORY;
	return false;
}

/* 0: this time it was found. */
static void name_not_found(struct exchange *exchange, int status)
{
	struct fetch_outcome *outcome = &exchange->outcome;
	const char *host = exchange->url.host;

	outcome->failure = FETCH_NO_NAME;
	if (status == UV_EAI_NONAME || status == UV_EAI_NODATA) {
		snprintf(outcome->text, sizeof(outcome->text), "the name %s does not exist", host);
	} else if (status == UV_EAI_FAIL || status == UV_EAI_FAMILY || status == UV_EAI_ADDRFAMILY) {
		snprintf(outcome->text, sizeof(outcome->text), "the name %s cannot be resolved: %s", host,
			 uv_strerror(status));
	} else {
		outcome->failure = FETCH_NAME_TEMPORARY;
		snprintf(outcome->text, sizeof(outcome->text), "the name %s cannot be resolved at present%s%s", host,
			 status ? ": " : "", status ? uv_strerror(status) : "");
	}
}

static void on_lookup(void *owner, int status)
{
	struct exchange *exchange = owner;

	exchange->lookup = NULL;
	name_not_found(exchange, status);
	take_time(exchange);
	exchange->done(exchange);
}

void exchange_ended(struct exchange *exchange, CURLcode code)
{
	outcome_of_transfer(exchange, code);
	leave(exchange);
	take_time(exchange);
	if (code == CURLE_OK && is_redirect(exchange->outcome.http_status) && follow(exchange))
		return;
	if (code == CURLE_COULDNT_RESOLVE_HOST) {
		exchange->lookup = lookup_start(exchange->engine->loop, exchange->url.host, on_lookup, exchange);
		if (exchange->lookup)
			return;
	}
	exchange->done(exchange);
}

void exchange_cancel(struct exchange *exchange)
{
	if (!exchange->engine)
		return;
	if (exchange->easy)
		exchange->outcome.phase = outcome_phase(exchange);
	if (exchange->lookup)
		lookup_cancel(exchange->lookup);
	exchange->lookup = NULL;
	take_time(exchange);
	leave(exchange);
}

void exchange_release(struct exchange *exchange)
{
	exchange_cancel(exchange);
	buf_done(&exchange->body);
}
