/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PROXY header of version 2 as a balancer, or a stranger, sends it to `serve`; and what `serve` writes of it to the
 * backend. */
#include "serve/proxy.h"
#include "fuzz.h"
#include <string.h>

static bool same(const struct endpoint *a, const struct endpoint *b)
{
	return a->len == b->len && memcmp(&a->any, &b->any, a->len) == 0;
}

/* An address that came from a header is one that a person could have written. */
static void must_be_an_address(const struct endpoint *address)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint again;

	MUST(address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6);
	MUST(endpoint_parse(&again, endpoint_text(text, address), false, "", NULL) == 0);
	MUST(same(&again, address));
}

/* Written in a place of its exact size, and read back; a byte less is not enough. */
static void must_come_back(const struct proxy_client *client)
{
	uint8_t out[PROXY_WRITE_MAX];
	struct endpoint source = { .len = 0 }, destination = { .len = 0 };
	size_t len = proxy_write(out, sizeof(out), client);

	if (len == 0)
		return;
	uint8_t *exact = malloc(len);
	MUST(exact && proxy_write(exact, len, client) == len && memcmp(exact, out, len) == 0);
	MUST(proxy_write(exact, len - 1, client) == 0);
	free(exact);
	MUST(proxy_body_len(out) == (int)(len - PROXY_HEAD_LEN));
	MUST(proxy_read(out, out + PROXY_HEAD_LEN, &source, &destination));
	if (source.len)
		MUST(same(&source, client->source) && same(&destination, client->destination));
}

static void write_of(const struct endpoint *source, const struct endpoint *destination, const uint8_t *rest, size_t size)
{
	char name[256];
	size_t len = size < sizeof(name) ? size : sizeof(name) - 1;

	if (len > 0)
		memcpy(name, rest, len);
	name[len] = '\0';
	const struct proxy_client client = { .source = source,
					     .destination = destination,
					     .alpn = { (unsigned char *)(uintptr_t)rest, (unsigned)(size % 256) },
					     .server_name = name,
					     .tls_version = "TLSv1.3",
					     .cipher_suite = size % 2 ? "TLS_AES_256_GCM_SHA384" : NULL };
	must_come_back(&client);
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct endpoint none = { .len = 0 };
	struct endpoint source = none, destination = none;
	uint8_t head[PROXY_HEAD_LEN];

	if (size < sizeof(head))
		return 0;
	memcpy(head, data, sizeof(head));
	int len = proxy_body_len(head);
	MUST(len == -1 || (len <= PROXY_BODY_MAX && len == (head[14] << 8 | head[15])));
	if (len < 0 || size - sizeof(head) < (size_t)len)
		return 0;
	/* Of its exact size, so that a byte too many is seen. */
	uint8_t *body = malloc(len ? (size_t)len : 1);
	MUST(body);
	memcpy(body, data + sizeof(head), (size_t)len);
	if (proxy_read(head, body, &source, &destination)) {
		MUST(same(&source, &none) == same(&destination, &none) || source.len == destination.len);
		if (source.len) {
			must_be_an_address(&source);
			must_be_an_address(&destination);
		}
		MUST((head[12] & 15) == 1 || source.len == 0);
		write_of(&source, &destination, body, (size_t)len);
	}
	free(body);
	return 0;
}
