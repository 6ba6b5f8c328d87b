/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a ClientHello says of the certificates a client can take (RFC 8446 4.1.2, RFC 5246 7.4.1.2). GnuTLS's callback for
 * certificates is asked once, before it says which key it wants, so the choice between RSA and ECDSA is made from this.
 */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a key can do in a handshake; sets of them as bits. */
enum hello_keys {
	HELLO_RSA = 1 << 0,     /* rsaEncryption */
	HELLO_RSA_PSS = 1 << 1, /* id-RSASSA-PSS */
	HELLO_P256 = 1 << 2,
	HELLO_P384 = 1 << 3,
	HELLO_P521 = 1 << 4,
	HELLO_ED25519 = 1 << 5,
	HELLO_ED448 = 1 << 6,
};
#define HELLO_ECDSA (HELLO_P256 | HELLO_P384 | HELLO_P521)
#define HELLO_ECC (HELLO_ECDSA | HELLO_ED25519 | HELLO_ED448)
#define HELLO_ANY_RSA (HELLO_RSA | HELLO_RSA_PSS)

#define HELLO_SUITES 64

struct hello {
	bool parsed;      /* false: nothing is known, any key may do */
	unsigned keys_13; /* keys with a signature algorithm that TLS 1.3 allows and the client has */
	unsigned keys_12; /* the same for TLS 1.2 */
	/* TLS 1.2: for each cipher suite of the client, in its order, the keys it authenticates with; 0: none of ours */
	uint8_t suite[HELLO_SUITES];
	unsigned n_suites;
};

/* The body of a ClientHello of TLS or, told by its version, of DTLS; false (and parsed false) when it is none. Bounded by
 * its length; no allocation. */
bool hello_parse(struct hello *out, const uint8_t *bytes, size_t len);

#endif
