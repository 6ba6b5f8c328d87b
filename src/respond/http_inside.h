/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the HTTP front: what a thread has, and what a connection is at. */
#ifndef RESPOND_HTTP_INSIDE_H
#define RESPOND_HTTP_INSIDE_H

#include "respond/ask.h"
#include "respond/http.h"
#include "respond/reply.h"
#include <pthread.h>

#define HTTP_SMALL 256        /* most requests are shorter */
#define HTTP_READY_SLOTS 1024 /* responses that a thread has with their headers made */

enum http_text_id {
	HTTP_TEXT_HEALTH,
	HTTP_TEXT_BAD,
	HTTP_TEXT_FRAMING,
	HTTP_TEXT_HOST,
	HTTP_TEXT_METHOD,
	HTTP_TEXT_BODY,
	HTTP_TEXT_PATH,
	HTTP_TEXT_HEADER,
	HTTP_TEXT_MEMORY,
	HTTP_TEXTS
};
struct http_text {
	unsigned status;
	const char *text, *allow;
	bool close;
};
extern const struct http_text http_texts[HTTP_TEXTS];

struct ready { /* a prepared answer as it goes out */
	struct prepared *answer;
	struct MHD_Response *response;
	int64_t max_age;
};

struct exchange { /* a connection, and the request that it is at */
	struct exchange *next, *previous;
	struct http_worker *worker;
	struct MHD_Connection *connection;
	struct ask *ask;  /* its signature is waited for, or there */
	int64_t since_ms; /* the connection, its last answer, or this request began */
	int fd;
	bool is_busy, was_answered, is_get, cut;
	struct reply_condition condition;
	size_t len;
	uint8_t *body; /* `small`, or of its own */
	uint8_t small[HTTP_SMALL];
};

struct http_worker {
	struct http_shared *shared;
	struct MHD_Daemon *daemon;
	pthread_t thread;
	int poll_fd, wake_fd;     /* the daemon's epoll and wake_fd are in poll_fd */
	_Atomic bool has_resumed; /* connections go on, and it has not been woken for them */
	struct snapshot *state;   /* a reference to what was current at the last request or turn */
	struct exchange *exchanges;
	unsigned open, asked; /* connections; those that have an ask */
	bool is_quiet;        /* it does not listen any more */
	struct MHD_Response *text[HTTP_TEXTS], *refusal[OCSP_UNAUTHORIZED + 1];
	_Atomic uint64_t counts[HTTP_COUNTS];
	struct ready ready[HTTP_READY_SLOTS];
};

int64_t http_clock_ms(void);                /* CLOCK_MONOTONIC, as coarse as the kernel's tick */
void http_wake(struct http_worker *worker); /* where connections go on; from any thread */
void http_follow_state(struct http_worker *worker);
void http_ready_drop(struct ready *ready);
void http_forget_request(struct exchange *exchange);

/* Of libmicrohttpd. */
enum MHD_Result http_on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
				const char *version, const char *body, size_t *body_len, void **request);
void http_on_completed(void *user, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code);

#endif
