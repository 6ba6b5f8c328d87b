/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys, signatures, certificates and responses of maker.h. */
#include "maker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gnutls_privkey_t keys[KEYS];

static const struct {
	const char *algorithm; /* content of AlgorithmIdentifier, RFC 4055 3.1 and 5, RFC 5758 3.2, RFC 8410 3 */
	gnutls_sign_algorithm_t gnutls;
} schemes[SCHEMES] = {
	[ECDSA_SHA256] = { "06082a8648ce3d040302", GNUTLS_SIGN_ECDSA_SHA256 },
	[ECDSA_SHA384] = { "06082a8648ce3d040303", GNUTLS_SIGN_ECDSA_SHA384 },
	[ECDSA_SHA1] = { "06072a8648ce3d0401", GNUTLS_SIGN_ECDSA_SHA1 },
	[RSA_SHA256] = { "06092a864886f70d01010b0500", GNUTLS_SIGN_RSA_SHA256 },
	[RSA_SHA1] = { "06092a864886f70d0101050500", GNUTLS_SIGN_RSA_SHA1 },
	[PSS_SHA256] = { "06092a864886f70d01010a3034"
			 "a00f300d06096086480165030402010500"
			 "a11c301a06092a864886f70d010108300d06096086480165030402010500"
			 "a203020120",
			 GNUTLS_SIGN_RSA_PSS_SHA256 },
	[PSS_SHA384] = { "06092a864886f70d01010a3034"
			 "a00f300d06096086480165030402020500"
			 "a11c301a06092a864886f70d010108300d06096086480165030402020500"
			 "a203020130",
			 GNUTLS_SIGN_RSA_PSS_SHA384 },
	[ED25519_PURE] = { "06032b6570", GNUTLS_SIGN_EDDSA_ED25519 },
};

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "maker: %s: %s\n", what, gnutls_strerror(rc));
	abort();
}

gnutls_privkey_t maker_key(enum key key)
{
	if (keys[key])
		return keys[key];
	const gnutls_datum_t pem = { (unsigned char *)(uintptr_t)maker_key_pem[key], (unsigned)strlen(maker_key_pem[key]) };
	must(gnutls_privkey_init(&keys[key]), "key");
	must(gnutls_privkey_import_x509_raw(keys[key], &pem, GNUTLS_X509_FMT_PEM, NULL, 0), "key");
	return keys[key];
}

void maker_done(void)
{
	for (unsigned i = 0; i < KEYS; i++) {
		if (keys[i])
			gnutls_privkey_deinit(keys[i]);
		keys[i] = NULL;
	}
	maker_reset();
}

static struct blob own(gnutls_datum_t *datum)
{
	struct blob copy = blob_of(datum->data, datum->size);
	gnutls_free(datum->data);
	return copy;
}

struct blob key_spki(enum key key)
{
	gnutls_pubkey_t public;
	gnutls_datum_t der;
	must(gnutls_pubkey_init(&public), "public key");
	must(gnutls_pubkey_import_privkey(public, maker_key(key), 0, 0), "public key");
	must(gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &der), "public key");
	gnutls_pubkey_deinit(public);
	return own(&der);
}

static size_t header_len(const uint8_t *element)
{
	return element[1] < 0x80 ? 2 : 2u + (element[1] & 0x7fu);
}

static size_t element_len(const uint8_t *element)
{
	size_t len = element[1];
	if (len >= 0x80) {
		unsigned width = element[1] & 0x7f;
		len = 0;
		for (unsigned i = 0; i < width; i++)
			len = len << 8 | element[2 + i];
	}
	return header_len(element) + len;
}

struct blob key_bits(enum key key)
{
	struct blob spki = key_spki(key);
	const uint8_t *algorithm = spki.data + header_len(spki.data);
	const uint8_t *string = algorithm + element_len(algorithm);
	size_t skip = header_len(string) + 1;
	return (struct blob){ string + skip, element_len(string) - skip };
}

struct blob digest(gnutls_digest_algorithm_t algorithm, struct blob of)
{
	uint8_t out[64];
	must(gnutls_hash_fast(algorithm, of.data, of.len, out), "digest");
	return blob_of(out, gnutls_hash_get_len(algorithm));
}

struct blob algorithm_of(enum scheme scheme)
{
	return tlv(0x30, blob_hex(schemes[scheme].algorithm));
}

struct blob sign(enum key key, enum scheme scheme, struct blob what)
{
	const gnutls_datum_t data = blob_datum(what);
	gnutls_datum_t signature;
	unsigned flags = scheme <= ECDSA_SHA1 ? GNUTLS_PRIVKEY_FLAG_REPRODUCIBLE : 0;
	must(gnutls_privkey_sign_data2(maker_key(key), schemes[scheme].gnutls, flags, &data, &signature), "signature");
	return own(&signature);
}

static struct blob validity_time(const char *text)
{
	return tlv(strlen(text) == 13 ? 0x17 : 0x18, blob_text(text));
}

struct blob make_cert(const struct cert_spec *spec)
{
	struct blob extensions = BLOB_NONE;
	if (spec->extensions.len > 0)
		extensions = tlv(0xa3, tlv(0x30, spec->extensions));
	struct blob tbs =
		SEQ(blob_hex("a003020102"), tlv(0x02, spec->serial), algorithm_of(spec->scheme), common_name(spec->issuer),
		    SEQ(validity_time(spec->not_before), validity_time(spec->not_after)), common_name(spec->subject),
		    key_spki(spec->key), extensions);
	return SEQ(tbs, algorithm_of(spec->scheme), bits(sign(spec->signer, spec->scheme, tbs)));
}

gnutls_x509_crt_t import_cert(struct blob der)
{
	gnutls_x509_crt_t cert;
	const gnutls_datum_t datum = blob_datum(der);
	must(gnutls_x509_crt_init(&cert), "certificate");
	must(gnutls_x509_crt_import(cert, &datum, GNUTLS_X509_FMT_DER), "certificate");
	return cert;
}

struct blob make_crl(const char *next_update, struct blob serial)
{
	struct blob revoked = SEQ(tlv(0x02, serial), validity_time("260101000000Z"));
	struct blob tbs = SEQ(blob_hex("020101"), algorithm_of(ECDSA_SHA256), common_name(CA_NAME),
			      validity_time("260101000000Z"), validity_time(next_update), SEQ(revoked));
	return SEQ(tbs, algorithm_of(ECDSA_SHA256), bits(sign(KEY_CA, ECDSA_SHA256, tbs)));
}

static const char *digest_oid(gnutls_digest_algorithm_t hash)
{
	switch (hash) {
	case GNUTLS_DIG_SHA1:
		return "2b0e03021a";
	case GNUTLS_DIG_SHA256:
		return "608648016503040201";
	case GNUTLS_DIG_SHA384:
		return "608648016503040202";
	default:
		return "608648016503040203";
	}
}

struct blob cert_id(gnutls_digest_algorithm_t hash, const char *issuer, enum key issuer_key, struct blob serial)
{
	return SEQ(SEQ(oid(digest_oid(hash)), null_value()), OCTETS(digest(hash, common_name(issuer))),
		   OCTETS(digest(hash, key_bits(issuer_key))), tlv(0x02, serial));
}

struct blob status_good(void)
{
	return blob_hex("8000");
}

struct blob status_unknown(void)
{
	return blob_hex("8200");
}

struct blob status_revoked(const char *at, int reason)
{
	return tlv(0xa1, CAT(generalized(at), reason < 0 ? BLOB_NONE : tlv(0xa0, enumerated((uint8_t)reason))));
}

struct blob make_entry(const struct entry_spec *spec)
{
	return SEQ(spec->cert_id, spec->status, generalized(spec->this_update),
		   spec->next_update ? tlv(0xa0, generalized(spec->next_update)) : BLOB_NONE,
		   spec->extensions.len > 0 ? tlv(0xa1, tlv(0x30, spec->extensions)) : BLOB_NONE);
}

struct blob responder_by_key(enum key key)
{
	return tlv(0xa2, OCTETS(digest(GNUTLS_DIG_SHA1, key_bits(key))));
}

struct blob responder_by_name(const char *subject)
{
	return tlv(0xa1, common_name(subject));
}

struct blob make_tbs(const struct response_spec *spec)
{
	return SEQ(spec->version, spec->responder, generalized(spec->produced_at), tlv(0x30, spec->entries),
		   spec->extensions.len > 0 ? tlv(0xa1, tlv(0x30, spec->extensions)) : BLOB_NONE);
}

struct blob make_basic(struct blob tbs, struct blob algorithm, struct blob signature, struct blob certs)
{
	return SEQ(tbs, algorithm, bits(signature), certs.len > 0 ? tlv(0xa0, tlv(0x30, certs)) : BLOB_NONE);
}

struct blob wrap_basic(struct blob basic)
{
	return SEQ(enumerated(0), tlv(0xa0, SEQ(oid("2b0601050507300101"), tlv(0x04, basic))));
}

struct blob make_response(const struct response_spec *spec)
{
	struct blob tbs = make_tbs(spec);
	return wrap_basic(make_basic(tbs, algorithm_of(spec->scheme), sign(spec->signer, spec->scheme, tbs), spec->certs));
}

struct cert_spec ca_spec(void)
{
	return (struct cert_spec){ .serial = blob_hex("01"),
				   .issuer = CA_NAME,
				   .subject = CA_NAME,
				   .key = KEY_CA,
				   .signer = KEY_CA,
				   .scheme = ECDSA_SHA256,
				   .not_before = "250101000000Z",
				   .not_after = "350101000000Z",
				   .extensions = ca_constraints() };
}

struct blob world_ca(void)
{
	const struct cert_spec spec = ca_spec();
	return make_cert(&spec);
}

struct cert_spec leaf_spec(void)
{
	return (struct cert_spec){ .serial = blob_hex(LEAF_SERIAL),
				   .issuer = CA_NAME,
				   .subject = LEAF_NAME,
				   .key = KEY_LEAF,
				   .signer = KEY_CA,
				   .scheme = ECDSA_SHA256,
				   .not_before = "260101000000Z",
				   .not_after = "270101000000Z",
				   .extensions = access_info_ocsp("http://ocsp.test/") };
}

struct blob world_leaf(void)
{
	const struct cert_spec spec = leaf_spec();
	return make_cert(&spec);
}

struct cert_spec delegate_spec(void)
{
	return (struct cert_spec){ .serial = blob_hex("33"),
				   .issuer = CA_NAME,
				   .subject = DELEGATE_NAME,
				   .key = KEY_DELEGATE,
				   .signer = KEY_CA,
				   .scheme = ECDSA_SHA256,
				   .not_before = "260101000000Z",
				   .not_after = "270101000000Z",
				   .extensions = CAT(eku_ocsp_signing(), extension(X_NOCHECK, -1, null_value())) };
}

struct blob world_delegate(void)
{
	const struct cert_spec spec = delegate_spec();
	return make_cert(&spec);
}

struct entry_spec good_entry(void)
{
	return (struct entry_spec){ .cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL)),
				    .status = status_good(),
				    .this_update = "20260614120000Z",
				    .next_update = "20260618120000Z" };
}

struct response_spec response_with(struct blob entries)
{
	return (struct response_spec){ .responder = responder_by_key(KEY_CA),
				       .produced_at = "20260614120000Z",
				       .entries = entries,
				       .signer = KEY_CA,
				       .scheme = ECDSA_SHA256 };
}

struct response_spec delegated_with(struct blob entries)
{
	return (struct response_spec){ .responder = responder_by_key(KEY_DELEGATE),
				       .produced_at = "20260614120000Z",
				       .entries = entries,
				       .signer = KEY_DELEGATE,
				       .scheme = ECDSA_SHA256,
				       .certs = world_delegate() };
}
