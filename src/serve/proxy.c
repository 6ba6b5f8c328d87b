/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/proxy.h"
#include <string.h>

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21 };
enum { TLV_ALPN = 0x01, TLV_AUTHORITY = 0x02, TLV_SSL = 0x20, TLV_SSL_VERSION = 0x21, TLV_SSL_CIPHER = 0x23 };
enum { CLIENT_SSL = 0x01 };
enum { TCP4_LEN = 12, TCP6_LEN = 36 };

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

int proxy_body_len(const uint8_t head[PROXY_HEAD_LEN])
{
	if (memcmp(head, signature, sizeof(signature)) != 0)
		return -1;
	if (head[12] != COMMAND_LOCAL && head[12] != COMMAND_PROXY)
		return -1;
	/* Section 2.2: the receiver must drop unknown families and protocols. */
	if ((head[13] >> 4) > 3 || (head[13] & 15) > 2)
		return -1;
	unsigned len = get16(head + 14);
	return len <= PROXY_BODY_MAX ? (int)len : -1;
}

static void read_v4(struct endpoint *out, const uint8_t *host, const uint8_t *port)
{
	out->v4 = (struct sockaddr_in){ .sin_family = AF_INET };
	memcpy(&out->v4.sin_addr, host, 4);
	memcpy(&out->v4.sin_port, port, 2);
	out->len = sizeof(out->v4);
}

static void read_v6(struct endpoint *out, const uint8_t *host, const uint8_t *port)
{
	out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	memcpy(&out->v6.sin6_addr, host, 16);
	memcpy(&out->v6.sin6_port, port, 2);
	out->len = sizeof(out->v6);
}

bool proxy_read(const uint8_t head[PROXY_HEAD_LEN], const uint8_t *body, struct endpoint *source,
		struct endpoint *destination)
{
	unsigned len = get16(head + 14);

	if (head[12] == COMMAND_LOCAL)
		return true;
	if (head[13] == FAMILY_TCP4) {
		if (len < TCP4_LEN)
			return false;
		read_v4(source, body, body + 8);
		read_v4(destination, body + 4, body + 10);
	} else if (head[13] == FAMILY_TCP6) {
		if (len < TCP6_LEN)
			return false;
		read_v6(source, body, body + 32);
		read_v6(destination, body + 16, body + 34);
	}
	return true;
}

/* ---- writing ---- */

struct writer {
	uint8_t *data;
	size_t len, size;
	bool full;
};

static void put(struct writer *writer, const void *bytes, size_t len)
{
	if (len > writer->size - writer->len) {
		writer->full = true;
		return;
	}
	memcpy(writer->data + writer->len, bytes, len);
	writer->len += len;
}

static void put_tlv_head(struct writer *writer, uint8_t type, size_t len)
{
	const uint8_t head[3] = { type, (uint8_t)(len >> 8), (uint8_t)len };

	put(writer, head, sizeof(head));
}

static void put_tlv(struct writer *writer, uint8_t type, const void *bytes, size_t len)
{
	put_tlv_head(writer, type, len);
	put(writer, bytes, len);
}

static bool is_both(const struct proxy_client *client, sa_family_t family)
{
	return client->source->len && client->destination->len && client->source->any.sa_family == family &&
	       client->destination->any.sa_family == family;
}

/* The family byte; 0 (unspecified) where the two ends are of different families. */
static uint8_t put_addresses(struct writer *writer, const struct proxy_client *client)
{
	const struct endpoint *source = client->source, *destination = client->destination;

	if (is_both(client, AF_INET)) {
		put(writer, &source->v4.sin_addr, 4);
		put(writer, &destination->v4.sin_addr, 4);
		put(writer, &source->v4.sin_port, 2);
		put(writer, &destination->v4.sin_port, 2);
		return FAMILY_TCP4;
	}
	if (is_both(client, AF_INET6)) {
		put(writer, &source->v6.sin6_addr, 16);
		put(writer, &destination->v6.sin6_addr, 16);
		put(writer, &source->v6.sin6_port, 2);
		put(writer, &destination->v6.sin6_port, 2);
		return FAMILY_TCP6;
	}
	return 0;
}

/* Section 2.2.5: the client came over TLS, and showed no certificate: "verify" is not zero. */
static void put_ssl(struct writer *writer, const struct proxy_client *client)
{
	static const uint8_t client_and_verify[5] = { CLIENT_SSL, 0, 0, 0, 1 };
	size_t version_len = strlen(client->tls_version),
	       cipher_len = client->cipher_suite ? strlen(client->cipher_suite) : 0;

	put_tlv_head(writer, TLV_SSL, sizeof(client_and_verify) + 3 + version_len + (cipher_len ? 3 + cipher_len : 0));
	put(writer, client_and_verify, sizeof(client_and_verify));
	put_tlv(writer, TLV_SSL_VERSION, client->tls_version, version_len);
	if (cipher_len)
		put_tlv(writer, TLV_SSL_CIPHER, client->cipher_suite, cipher_len);
}

size_t proxy_write(uint8_t *out, size_t size, const struct proxy_client *client)
{
	struct writer writer = { out, PROXY_HEAD_LEN, size, false };

	if (size < PROXY_HEAD_LEN)
		return 0;
	memcpy(out, signature, sizeof(signature));
	out[12] = COMMAND_PROXY;
	out[13] = put_addresses(&writer, client);
	if (client->alpn.size)
		put_tlv(&writer, TLV_ALPN, client->alpn.data, client->alpn.size);
	if (*client->server_name)
		put_tlv(&writer, TLV_AUTHORITY, client->server_name, strlen(client->server_name));
	put_ssl(&writer, client);
	if (writer.full)
		return 0;
	out[14] = (uint8_t)((writer.len - PROXY_HEAD_LEN) >> 8);
	out[15] = (uint8_t)(writer.len - PROXY_HEAD_LEN);
	return writer.len;
}
