/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside src/fetch: the shared multi handle on the loop, and one question put to one URL. */
#ifndef FETCH_ENGINE_H
#define FETCH_ENGINE_H

#include "base/buf.h"
#include "fetch/fetch.h"
#include "fetch/http.h"
#include "fetch/queue.h"
#include <curl/curl.h>

struct fetch_engine {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer; /* libcurl's */
	uv_timer_t kick;  /* somebody new is in the queue */
	unsigned open_handles;
	bool closing;
	struct queue queue;
	struct fetch_proxies proxies;
	struct fetch_job *jobs; /* a list through job.h */
};

/* What a job's questions have in common; lives as long as they do. */
struct exchange_settings {
	uint32_t connect_ms, max_size;
	bool forbid_private;
	const char *ca_file;
	const char *accept;       /* media type for Accept */
	const char *request_type; /* media type of what is posted */
	gnutls_datum_t request;   /* posted, or put into the path */
};

struct lookup;

#define EXCHANGE_SOCKETS 8

/* One question: through the queue, over redirects, to an outcome. Its owner's memory; zeroed before exchange_start(). */
struct exchange {
	struct queue_item item; /* first: the queue hands it back */
	struct fetch_engine *engine;
	const struct exchange_settings *settings;
	void (*started)(struct exchange *exchange); /* it has its place; once, not for redirects */
	void (*done)(struct exchange *exchange);    /* never from within exchange_start() */
	void *owner;

	struct url url; /* of this hop, with the request in it */
	bool posts, no_cache;
	unsigned redirects;
	uint64_t deadline_ms; /* on the loop's clock; set by started() */

	CURL *easy; /* NULL: not running */
	struct curl_slist *fields;
	struct lookup *lookup; /* why a name was not found */
	char curl_text[CURL_ERROR_SIZE];
	const char *proxy; /* NULL: directly */
	bool too_large, head_too_large, no_memory, forbidden;
	char address[48];                   /* the last one that was tried */
	curl_socket_t fd[EXCHANGE_SOCKETS]; /* opened for it; to compare, not to use */
	unsigned n_fds;
	bool connected; /* one of them was then read from */
	struct http_head head;
	struct buf body;
	uint64_t began_ms;
	struct fetch_outcome outcome;
};

/* Ask `base`: by GET when `get` and it can be done, else by POST. False: no memory; done() is then not called. */
bool exchange_start(struct exchange *exchange, const struct url *base, bool get, bool no_cache, bool urgent);

/* Cut off; done() is not called. What was received and the outcome so far stay; a phase and the time are filled in. */
void exchange_cancel(struct exchange *exchange);
void exchange_release(struct exchange *exchange); /* cancels; frees the body */

/* For engine.c: it has a place, or the transfer has ended. */
bool exchange_begin(struct exchange *exchange);
void exchange_ended(struct exchange *exchange, CURLcode code);
void exchange_failed_to_begin(struct exchange *exchange);

/* Inside exchange: the outcome of a transfer that has ended with `code`. */
void outcome_of_transfer(struct exchange *exchange, CURLcode code);
enum fetch_phase outcome_phase(struct exchange *exchange); /* while it runs */
void outcome_say_time_out(struct exchange *exchange);      /* its text, by its phase */

void engine_kick(struct fetch_engine *engine); /* whoever may go, goes: at the loop's next turn */

/* libcurl waits for this socket to become readable. */
void exchange_reads(struct exchange *exchange, curl_socket_t fd);

/* setup.c: a handle for the exchange's URL, all restrictions set; NULL: no memory. */
CURL *exchange_handle(struct exchange *exchange);

/* lookup.c: a name that libcurl could not resolve is looked up once more, because libcurl does not say whether the name is
 * wrong or resolution does not work. `done` gets 0 or an EAI_... of libuv; never from within lookup_start(). NULL: no
 * memory. */
struct lookup *lookup_start(uv_loop_t *loop, const char *host, void (*done)(void *owner, int status), void *owner);
void lookup_cancel(struct lookup *lookup);

#endif
