/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PROXY protocol, version 2 (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt): who the client is, said in
 * front of the stream. Pure: bytes in, bytes out.
 */
#ifndef SERVE_PROXY_H
#define SERVE_PROXY_H

#include "daemon/endpoint.h"
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_HEAD_LEN 16
#define PROXY_BODY_MAX 4096 /* addresses and TLVs; those of balancers are some hundred bytes */

/* How many bytes follow the first sixteen; -1: this is no header of version 2, or one that is larger than we take. */
int proxy_body_len(const uint8_t head[PROXY_HEAD_LEN]);

/*
 * Source and destination. A LOCAL connection (the balancer's own, a health check) and families other than TCP over IP leave
 * them as they were: the connection's own addresses count. False: the addresses do not fit into the body.
 */
bool proxy_read(const uint8_t head[PROXY_HEAD_LEN], const uint8_t *body, struct endpoint *source,
		struct endpoint *destination);

struct proxy_client {
	const struct endpoint *source, *destination;
	gnutls_datum_t alpn;      /* what was agreed on; empty: nothing */
	const char *server_name;  /* what the client asked for; "": none */
	const char *tls_version;  /* "TLSv1.3" */
	const char *cipher_suite; /* "TLS_AES_256_GCM_SHA384"; NULL: not known */
};

/* The header with addresses and the TLVs ALPN, AUTHORITY and SSL. The number of bytes, 0 when it does not fit into `size`.
 */
#define PROXY_WRITE_MAX 1024
size_t proxy_write(uint8_t *out, size_t size, const struct proxy_client *client);

#endif
