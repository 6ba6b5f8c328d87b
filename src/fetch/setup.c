/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A transfer's restrictions. Everything that libcurl could do by itself and that we do not want is switched off by name. */
#include "fetch/address.h"
#include "fetch/engine.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static size_t take_line(char *line, size_t size, size_t n, void *user)
{
	struct exchange *exchange = user;
	size_t len = size * n;

	if (http_head_line(&exchange->head, line, len, time(NULL)))
		return len;
	exchange->head_too_large = true;
	return 0;
}

static size_t take_bytes(char *bytes, size_t size, size_t n, void *user)
{
	struct exchange *exchange = user;
	size_t len = size * n;

	if (len > exchange->body.max - exchange->body.len) {
		exchange->too_large = true;
		return 0;
	}
	if (!buf_add(&exchange->body, bytes, len)) {
		exchange->no_memory = true;
		return 0;
	}
	return len;
}

/* A proxy's address is the operator's own; what lies behind it is not seen from here. */
static bool may_connect(struct exchange *exchange, const struct sockaddr *address)
{
	if (!exchange->settings->forbid_private || exchange->proxy || address_class_of(address) == ADDRESS_PUBLIC)
		return true;
	exchange->forbidden = true;
	return false;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct exchange *exchange = user;
	curl_socket_t fd;

	(void)purpose;
	address_text(exchange->address, sizeof(exchange->address), &address->addr);
	if (!may_connect(exchange, &address->addr))
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd >= 0 && exchange->n_fds < EXCHANGE_SOCKETS)
		exchange->fd[exchange->n_fds++] = fd;
	return fd;
}

/* While a socket connects, libcurl waits for it to become writable only; its times do not tell connecting from TLS. */
void exchange_reads(struct exchange *exchange, curl_socket_t fd)
{
	for (unsigned i = 0; i < exchange->n_fds; i++)
		exchange->connected |= exchange->fd[i] == fd;
}

/* A connection that is used again was opened for somebody else, to whom the address may have been allowed. */
static int before_request(void *user, char *address, char *local_address, int port, int local_port)
{
	struct exchange *exchange = user;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	bool is6 = inet_pton(AF_INET6, address, &in6.sin6_addr) == 1;
	bool is4 = !is6 && inet_pton(AF_INET, address, &in4.sin_addr) == 1;

	(void)local_address;
	(void)port;
	(void)local_port;
	if (!exchange->settings->forbid_private || exchange->proxy)
		return CURL_PREREQFUNC_OK;
	snprintf(exchange->address, sizeof(exchange->address), "%s", address);
	if (is6 && may_connect(exchange, (const struct sockaddr *)&in6))
		return CURL_PREREQFUNC_OK;
	if (is4 && may_connect(exchange, (const struct sockaddr *)&in4))
		return CURL_PREREQFUNC_OK;
	exchange->forbidden = true;
	return CURL_PREREQFUNC_ABORT;
}

static bool add_field(struct exchange *exchange, const char *name, const char *value)
{
	char line[128];
	struct curl_slist *longer;

	snprintf(line, sizeof(line), "%s:%s%s", name, *value ? " " : "", value);
	longer = curl_slist_append(exchange->fields, line);
	if (longer)
		exchange->fields = longer;
	return longer != NULL;
}

static bool add_fields(struct exchange *exchange)
{
	const struct exchange_settings *settings = exchange->settings;

	if (!add_field(exchange, "Accept", settings->accept))
		return false;
	if (exchange->no_cache &&
	    (!add_field(exchange, "Cache-Control", "no-cache") || !add_field(exchange, "Pragma", "no-cache")))
		return false;
	/* an empty Expect: the request is small, nobody is to wait for "100 Continue" */
	return !exchange->posts ||
	       (add_field(exchange, "Content-Type", settings->request_type) && add_field(exchange, "Expect", ""));
}

#define SET(option, value)                                                                                                  \
	do {                                                                                                                \
		if (curl_easy_setopt(easy, CURLOPT_##option, value) != CURLE_OK)                                            \
			return false;                                                                                       \
	} while (0)

static bool set_protocol(CURL *easy)
{
	SET(PROTOCOLS_STR, "http,https");
	SET(FOLLOWLOCATION, 0L); /* redirects are ours to judge */
	SET(DISALLOW_USERNAME_IN_URL, 1L);
	SET(NETRC, (long)CURL_NETRC_IGNORED);
	SET(HTTPAUTH, (long)CURLAUTH_NONE);
	SET(PATH_AS_IS, 1L);
	SET(HTTP09_ALLOWED, 0L);
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(HTTP_CONTENT_DECODING, 0L);
	SET(HEADEROPT, (long)CURLHEADER_SEPARATE);
	SET(SUPPRESS_CONNECT_HEADERS, 1L);
	SET(USERAGENT, "clinch/" CLINCH_VERSION);
	return true;
}

static bool set_process(CURL *easy)
{
	SET(NOSIGNAL, 1L);
	/* without it libcurl joins the resolver's thread when a transfer ends, however long the name server is silent */
	SET(QUICK_EXIT, 1L);
	SET(BUFFERSIZE, 16384L);
	return true;
}

static bool set_watch(CURL *easy, struct exchange *exchange)
{
	SET(MAXFILESIZE_LARGE, (curl_off_t)exchange->settings->max_size);
	SET(OPENSOCKETFUNCTION, open_socket);
	SET(OPENSOCKETDATA, exchange);
	SET(PREREQFUNCTION, before_request);
	SET(PREREQDATA, exchange);
	SET(HEADERFUNCTION, take_line);
	SET(HEADERDATA, exchange);
	SET(WRITEFUNCTION, take_bytes);
	SET(WRITEDATA, exchange);
	SET(ERRORBUFFER, exchange->curl_text);
	SET(PRIVATE, exchange);
	return true;
}

static bool set_tls(CURL *easy, struct exchange *exchange)
{
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!exchange->settings->ca_file)
		return true;
	SET(CAINFO, exchange->settings->ca_file);
	SET(CAPATH, NULL); /* that file, and not the system's beside it */
	return true;
}

static bool set_request(CURL *easy, struct exchange *exchange)
{
	const gnutls_datum_t *request = &exchange->settings->request;

	SET(URL, exchange->url.text);
	SET(PROXY, exchange->proxy ? exchange->proxy : ""); /* "": none, whatever the environment says */
	SET(NOPROXY, "");
	SET(HTTPHEADER, exchange->fields);
	if (!exchange->posts)
		return true;
	SET(POST, 1L);
	SET(POSTFIELDSIZE, (long)request->size);
	SET(POSTFIELDS, (const char *)request->data);
	return true;
}

static bool set_times(CURL *easy, struct exchange *exchange)
{
	uint64_t now = uv_now(exchange->engine->loop);
	uint64_t left = exchange->deadline_ms > now ? exchange->deadline_ms - now : 1;

	SET(TIMEOUT_MS, (long)left);
	SET(CONNECTTIMEOUT_MS, (long)(exchange->settings->connect_ms < left ? exchange->settings->connect_ms : left));
	return true;
}

CURL *exchange_handle(struct exchange *exchange)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	if (add_fields(exchange) && set_protocol(easy) && set_process(easy) && set_watch(easy, exchange) &&
	    set_tls(easy, exchange) && set_request(easy, exchange) && set_times(easy, exchange))
		return easy;
	curl_easy_cleanup(easy);
	return NULL;
}
