/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates and OCSP responses for the C tests, made by a DER encoder that shares no code with src/, so that a test does
 * not ask the code under test what is right. Blobs live in one arena until maker_reset(); nothing is freed one by one. What
 * cannot be made ends the process: it is the test that is wrong then.
 */
#ifndef UNIT_MAKER_H
#define UNIT_MAKER_H

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
	const uint8_t *data;
	size_t len;
};

void maker_reset(void); /* forgets every blob; keys stay */
void maker_done(void);  /* keys too */

/* ---- bytes ---- */

struct blob blob_of(const void *bytes, size_t len);
struct blob blob_text(const char *text);
struct blob blob_hex(const char *digits); /* spaces allowed */
struct blob blob_fill(uint8_t byte, size_t len);
struct blob blob_cat(const struct blob *parts); /* up to BLOB_END */
#define BLOB_NONE ((struct blob){ NULL, 0 })
#define BLOB_END ((struct blob){ NULL, SIZE_MAX })
#define CAT(...) blob_cat((const struct blob[]){ __VA_ARGS__, BLOB_END })
gnutls_datum_t blob_datum(struct blob blob);

/* ---- DER (X.690), lengths always minimal: what is to be wrong is written with blob_hex() ---- */

struct blob tlv(uint8_t tag, struct blob content);
#define SEQ(...) tlv(0x30, CAT(__VA_ARGS__))
#define SET_OF(...) tlv(0x31, CAT(__VA_ARGS__))
#define OCTETS(...) tlv(0x04, CAT(__VA_ARGS__))
struct blob oid(const char *digits); /* content in hexadecimal */
struct blob null_value(void);
struct blob boolean(int value);
struct blob enumerated(uint8_t value);
struct blob generalized(const char *text); /* YYYYMMDDHHMMSSZ */
struct blob bits(struct blob content);     /* BIT STRING, no unused bits */
struct blob common_name(const char *text); /* a Name of one CN; NULL: an empty Name */

/* `critical`: -1 leaves the default out, 0 writes FALSE, 1 TRUE. `value` goes into the OCTET STRING. */
struct blob extension(const char *oid_digits, int critical, struct blob value);

#define X_NONCE "2b0601050507300102"
#define X_CRL_ID "2b0601050507300103"
#define X_NOCHECK "2b0601050507300105"
#define X_BASIC_CONSTRAINTS "551d13"
#define X_KEY_USAGE "551d0f"
#define X_EXTENDED_KEY_USAGE "551d25"
#define X_REASON_CODE "551d15"
#define X_INVALIDITY_DATE "551d18"
#define X_ACCESS_INFO "2b06010505070101"
#define X_TLS_FEATURE "2b06010505070118"
#define X_MADE_UP "2a0304050607"

struct blob eku_ocsp_signing(void);            /* the extension */
struct blob access_info_ocsp(const char *url); /* the extension, one accessDescription */
struct blob must_staple(void);                 /* the extension */
struct blob ca_constraints(void);              /* the extension */

/* ---- keys ---- */

enum key { KEY_CA, KEY_DELEGATE, KEY_LEAF, KEY_OTHER, KEY_ED25519, KEY_RSA, KEY_RSA_1024, KEYS };
extern const char *const maker_key_pem[KEYS];

enum scheme { ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA1, RSA_SHA256, RSA_SHA1, PSS_SHA256, PSS_SHA384, ED25519_PURE, SCHEMES };

gnutls_privkey_t maker_key(enum key key); /* borrowed */
struct blob key_spki(enum key key);       /* SubjectPublicKeyInfo */
struct blob key_bits(enum key key);       /* content of its BIT STRING, without the count of unused bits */
struct blob digest(gnutls_digest_algorithm_t algorithm, struct blob of);
struct blob algorithm_of(enum scheme scheme); /* AlgorithmIdentifier */
struct blob sign(enum key key, enum scheme scheme, struct blob what);

/* ---- certificates ---- */

struct cert_spec {
	struct blob serial; /* content of the INTEGER */
	const char *issuer, *subject;
	enum key key, signer;
	enum scheme scheme;
	const char *not_before, *not_after; /* GeneralizedTime or UTCTime, by length */
	struct blob extensions;             /* content of the SEQUENCE OF; empty: none */
};

struct blob make_cert(const struct cert_spec *spec);
gnutls_x509_crt_t import_cert(struct blob der); /* the caller's, to gnutls_x509_crt_deinit() */

/* A CRL of the CA's that revokes one serial (RFC 5280 5.1); `next_update` as in a certificate. */
struct blob make_crl(const char *next_update, struct blob serial);

/* ---- responses ---- */

struct blob cert_id(gnutls_digest_algorithm_t hash, const char *issuer, enum key issuer_key, struct blob serial);
struct blob status_good(void);
struct blob status_unknown(void);
struct blob status_revoked(const char *at, int reason); /* reason -1: none */

struct entry_spec {
	struct blob cert_id, status;
	const char *this_update, *next_update; /* next_update NULL: absent */
	struct blob extensions;                /* content of the SEQUENCE OF; empty: none */
};
struct blob make_entry(const struct entry_spec *spec);

struct response_spec {
	struct blob version; /* with its [0]; empty: absent */
	struct blob responder;
	const char *produced_at;
	struct blob entries;    /* SingleResponses one after the other */
	struct blob extensions; /* content of the SEQUENCE OF; empty: none */
	enum key signer;
	enum scheme scheme;
	struct blob certs; /* Certificates one after the other; empty: none */
};

struct blob responder_by_key(enum key key);
struct blob responder_by_name(const char *subject);
struct blob make_tbs(const struct response_spec *spec);
struct blob make_basic(struct blob tbs, struct blob algorithm, struct blob signature, struct blob certs);
struct blob wrap_basic(struct blob basic); /* the successful OCSPResponse around a BasicOCSPResponse */
struct blob make_response(const struct response_spec *spec);

/* ---- the world most tests stand in: a CA, a leaf, a delegate; NOW is in the middle of everything ---- */

#define NOW INT64_C(1781524800) /* 2026-06-15T12:00:00Z */
#define HOUR 3600
#define DAY 86400
#define CA_NAME "Test CA"
#define LEAF_NAME "leaf.test"
#define DELEGATE_NAME "Test OCSP Delegate"
#define LEAF_SERIAL "0a0b0c0d"

struct cert_spec ca_spec(void);
struct blob world_ca(void);
struct blob world_leaf(void);
struct blob world_delegate(void);
struct cert_spec leaf_spec(void);
struct cert_spec delegate_spec(void);
struct entry_spec good_entry(void);                       /* this update at NOW - 1 day, next update at NOW + 3 days */
struct response_spec response_with(struct blob entries);  /* signed by the CA, byKey, produced at NOW - 1 day */
struct response_spec delegated_with(struct blob entries); /* signed by the delegate, which is embedded */

#endif
