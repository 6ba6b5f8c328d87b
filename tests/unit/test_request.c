/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests (RFC 6960 4.1): built byte for byte as written here by hand, and read strictly. */
#include "ocsp/request.h"
#include "subject.h"
#include <string.h>

static struct blob request_for(struct blob cert_id, struct blob extensions)
{
	struct blob explicit_extensions = extensions.len > 0 ? tlv(0xa2, tlv(0x30, extensions)) : BLOB_NONE;
	return SEQ(SEQ(SEQ(SEQ(cert_id)), explicit_extensions));
}

static void builds_what_the_rfc_says_for_each_hash(void **state)
{
	(void)state;
	static const gnutls_digest_algorithm_t hashes[] = { GNUTLS_DIG_SHA1, GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384,
							    GNUTLS_DIG_SHA512 };
	for (size_t i = 0; i < ROWS(hashes); i++) {
		gnutls_datum_t out = { NULL, 0 };
		assert_int_equal(clinch_request_build(&out, subject, hashes[i], NULL), 0);
		struct blob want = request_for(cert_id(hashes[i], CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL)), BLOB_NONE);
		assert_int_equal(out.size, want.len);
		assert_memory_equal(out.data, want.data, want.len);
		gnutls_free(out.data);
	}
}

/* RFC 9654 2.1: 1 to 128 bytes, an OCTET STRING in the extension's OCTET STRING. */
static void puts_a_nonce_of_any_allowed_length_into_it(void **state)
{
	(void)state;
	static const unsigned lengths[] = { 1, 16, 32, 127, 128 };
	for (size_t i = 0; i < ROWS(lengths); i++) {
		struct blob nonce = blob_fill(0x5a, lengths[i]);
		const gnutls_datum_t datum = blob_datum(nonce);
		gnutls_datum_t out = { NULL, 0 };
		assert_int_equal(clinch_request_build(&out, subject, GNUTLS_DIG_SHA1, &datum), 0);
		struct blob want = request_for(good_entry().cert_id, extension(X_NONCE, -1, tlv(0x04, nonce)));
		assert_int_equal(out.size, want.len);
		assert_memory_equal(out.data, want.data, want.len);
		gnutls_free(out.data);
	}
}

static void refuses_a_call_that_is_wrong(void **state)
{
	(void)state;
	gnutls_datum_t out = { NULL, 0 };
	uint8_t bytes[129] = { 0 };
	const gnutls_datum_t empty = { bytes, 0 }, long_one = { bytes, 129 };
	assert_int_equal(clinch_request_build(&out, subject, GNUTLS_DIG_SHA1, &empty), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_request_build(&out, subject, GNUTLS_DIG_SHA1, &long_one), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_request_build(&out, subject, GNUTLS_DIG_MD5, NULL), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_request_build(&out, subject, GNUTLS_DIG_SHA224, NULL), CLINCH_E_ARGUMENT);
	assert_null(out.data);
}

/* A serial number has no length limit in DER: one of 300 bytes, whose lengths need the long form everywhere. */
static void a_long_serial_fits(void **state)
{
	(void)state;
	struct cert_spec spec = leaf_spec();
	spec.serial = CAT(blob_hex("01"), blob_fill(0x77, 299));
	gnutls_x509_crt_t ca = import_cert(world_ca()), leaf = import_cert(make_cert(&spec));
	clinch_subject_t *own = NULL;
	assert_int_equal(clinch_subject_new(&own, leaf, ca, NULL), 0);
	uint8_t bytes[128] = { 0 };
	const gnutls_datum_t nonce = { bytes, 128 };
	gnutls_datum_t out = { NULL, 0 };
	assert_int_equal(clinch_request_build(&out, own, GNUTLS_DIG_SHA512, &nonce), 0);
	struct blob want = request_for(cert_id(GNUTLS_DIG_SHA512, CA_NAME, KEY_CA, spec.serial),
				       extension(X_NONCE, -1, OCTETS(blob_fill(0, 128))));
	assert_int_equal(out.size, want.len);
	assert_memory_equal(out.data, want.data, want.len);
	gnutls_free(out.data);
	clinch_subject_unref(own);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(leaf);
}

static bool parse(struct ocsp_request *out, struct blob bytes)
{
	return ocsp_request_parse(out, der_of(bytes.data, bytes.len));
}

static void reads_every_field(void **state)
{
	(void)state;
	struct blob cid = good_entry().cert_id, other = cert_id(GNUTLS_DIG_SHA256, "Other", KEY_OTHER, blob_hex("0080"));
	struct blob inner = extension("2b0601050507300107", -1, SEQ(common_name("x")));
	struct blob requestor = tlv(0xa1, tlv(0xa4, common_name("asking")));
	struct blob list = SEQ(SEQ(cid), SEQ(other, tlv(0xa0, SEQ(inner))));
	struct blob nonce = tlv(0xa2, SEQ(extension(X_NONCE, 1, OCTETS(blob_hex("aabb")))));
	struct blob signature = tlv(0xa0, SEQ(algorithm_of(ECDSA_SHA256), bits(blob_hex("00"))));
	struct ocsp_request out;
	assert_true(parse(&out, SEQ(SEQ(requestor, list, nonce), signature)));
	assert_int_equal(out.n_requests, 2);
	assert_true(out.has_requestor);
	assert_true(out.is_signed);
	assert_true(der_equals_bytes(out.nonce, "\xaa\xbb", 2));
	struct ocsp_request_entry entry;
	assert_true(ocsp_request_next(&out.requests, &entry));
	assert_true(der_equals_bytes(entry.whole_id, cid.data, cid.len));
	assert_true(cert_id_is_of(&entry.id, subject));
	assert_true(der_at_end(&entry.extensions));
	assert_true(ocsp_request_next(&out.requests, &entry));
	assert_true(der_equals_bytes(entry.whole_id, other.data, other.len));
	assert_false(cert_id_is_of(&entry.id, subject));
	assert_int_equal(der_len(entry.extensions), inner.len);
	assert_false(ocsp_request_next(&out.requests, &entry));
}

static void the_smallest_one_has_nothing_but_a_cert_id(void **state)
{
	(void)state;
	struct ocsp_request out;
	assert_true(parse(&out, request_for(good_entry().cert_id, BLOB_NONE)));
	assert_int_equal(out.n_requests, 1);
	assert_false(out.has_requestor);
	assert_false(out.is_signed);
	assert_null(out.nonce.at);
	assert_true(der_at_end(&out.extensions));
}

static void everything_else_is_refused(void **state)
{
	(void)state;
	struct blob cid = good_entry().cert_id, request = SEQ(cid), list = SEQ(request),
		    one = extension(X_MADE_UP, -1, BLOB_NONE);
	struct blob nonce = extension(X_NONCE, -1, OCTETS(blob_hex("01")));
	const struct {
		const char *row;
		struct blob bytes;
	} rows[] = {
		{ "nothing", BLOB_NONE },
		{ "empty", SEQ(BLOB_NONE) },
		{ "an empty TBSRequest", SEQ(SEQ(BLOB_NONE)) },
		{ "no request in the list", SEQ(SEQ(SEQ(BLOB_NONE))) },
		{ "an empty Request", SEQ(SEQ(SEQ(SEQ(BLOB_NONE)))) },
		{ "something behind it", CAT(SEQ(SEQ(list)), null_value()) },
		{ "something behind the TBSRequest", SEQ(SEQ(list), null_value()) },
		{ "v1 written out (X.690 11.5)", SEQ(SEQ(blob_hex("a003020100"), list)) },
		{ "v2", SEQ(SEQ(blob_hex("a003020101"), list)) },
		{ "a broken requestor", SEQ(SEQ(blob_hex("a10305"), list)) },
		{ "a NULL among the requests", SEQ(SEQ(SEQ(request, null_value()))) },
		{ "a broken CertID", SEQ(SEQ(SEQ(SEQ(SEQ(null_value()))))) },
		{ "something behind the CertID", SEQ(SEQ(SEQ(SEQ(cid, null_value())))) },
		{ "the same singleRequestExtension twice", SEQ(SEQ(SEQ(SEQ(cid, tlv(0xa0, SEQ(one, one)))))) },
		{ "no singleRequestExtension", SEQ(SEQ(SEQ(SEQ(cid, tlv(0xa0, SEQ(BLOB_NONE)))))) },
		{ "something behind the singleRequestExtensions",
		  SEQ(SEQ(SEQ(SEQ(cid, tlv(0xa0, SEQ(one)), null_value())))) },
		{ "the same requestExtension twice", SEQ(SEQ(list, tlv(0xa2, SEQ(nonce, nonce)))) },
		{ "no requestExtension", SEQ(SEQ(list, tlv(0xa2, SEQ(BLOB_NONE)))) },
		{ "FALSE written out", SEQ(SEQ(list, tlv(0xa2, SEQ(extension(X_MADE_UP, 0, BLOB_NONE))))) },
		{ "something behind the requestExtensions", SEQ(SEQ(list, tlv(0xa2, SEQ(one)), null_value())) },
		{ "a nonce of bare bytes", SEQ(SEQ(list, tlv(0xa2, SEQ(extension(X_NONCE, -1, blob_hex("0102")))))) },
		{ "something behind the nonce",
		  SEQ(SEQ(list, tlv(0xa2, SEQ(extension(X_NONCE, -1, CAT(OCTETS(blob_hex("01")), null_value())))))) },
		{ "a signature of nonsense", SEQ(SEQ(list), blob_hex("a00305")) },
		{ "a signature under [1]", SEQ(SEQ(list), tlv(0xa1, null_value())) },
		{ "something behind the signature", SEQ(SEQ(list), tlv(0xa0, null_value()), null_value()) },
		{ "a SET of requests", SEQ(SEQ(tlv(0x31, request))) },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct ocsp_request out;
		check(rows[i].row, !parse(&out, rows[i].bytes));
	}
}

static void what_is_built_is_read_again(void **state)
{
	(void)state;
	const gnutls_datum_t nonce = blob_datum(blob_fill(0x11, 32));
	gnutls_datum_t built = { NULL, 0 };
	assert_int_equal(clinch_request_build(&built, subject, GNUTLS_DIG_SHA256, &nonce), 0);
	struct ocsp_request out;
	struct ocsp_request_entry entry;
	assert_true(ocsp_request_parse(&out, der_of(built.data, built.size)));
	assert_true(der_equals_bytes(out.nonce, nonce.data, nonce.size));
	assert_true(ocsp_request_next(&out.requests, &entry));
	assert_true(cert_id_is_of(&entry.id, subject));
	gnutls_free(built.data);
}

static void a_cert_id_must_match_in_all_four(void **state)
{
	(void)state;
	const struct {
		const char *row;
		struct blob id;
		bool is_of;
	} rows[] = {
		{ "SHA-1", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL)), true },
		{ "SHA-256", cert_id(GNUTLS_DIG_SHA256, CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL)), true },
		{ "SHA-384", cert_id(GNUTLS_DIG_SHA384, CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL)), true },
		{ "SHA-512", cert_id(GNUTLS_DIG_SHA512, CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL)), true },
		{ "another name", cert_id(GNUTLS_DIG_SHA1, "Test CB", KEY_CA, blob_hex(LEAF_SERIAL)), false },
		{ "another key", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_OTHER, blob_hex(LEAF_SERIAL)), false },
		{ "another serial", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("0a0b0c0e")), false },
		{ "a shorter serial", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("0a0b0c")), false },
		{ "the serial padded", cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex("000a0b0c0d")), false },
		{ "SHA-1 hashes called SHA-256",
		  SEQ(SEQ(oid("608648016503040201"), null_value()), OCTETS(digest(GNUTLS_DIG_SHA1, common_name(CA_NAME))),
		      OCTETS(digest(GNUTLS_DIG_SHA1, key_bits(KEY_CA))), tlv(2, blob_hex(LEAF_SERIAL))),
		  false },
		{ "MD5",
		  SEQ(SEQ(oid("2a864886f70d0205"), null_value()), OCTETS(digest(GNUTLS_DIG_MD5, common_name(CA_NAME))),
		      OCTETS(digest(GNUTLS_DIG_MD5, key_bits(KEY_CA))), tlv(2, blob_hex(LEAF_SERIAL))),
		  false },
		{ "hashes of nothing",
		  SEQ(SEQ(oid("2b0e03021a")), OCTETS(BLOB_NONE), OCTETS(BLOB_NONE), tlv(2, blob_hex(LEAF_SERIAL))), false },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct der in = der_of(rows[i].id.data, rows[i].id.len);
		struct cert_id id;
		check(rows[i].row, cert_id_take(&in, &id));
		check_int(rows[i].row, cert_id_is_of(&id, subject), rows[i].is_of);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(builds_what_the_rfc_says_for_each_hash),
		T(puts_a_nonce_of_any_allowed_length_into_it),
		T(refuses_a_call_that_is_wrong),
		T(a_long_serial_fits),
		T(reads_every_field),
		T(the_smallest_one_has_nothing_but_a_cert_id),
		T(everything_else_is_refused),
		T(what_is_built_is_read_again),
		T(a_cert_id_must_match_in_all_four),
	};
	return cmocka_run_group_tests_name("request", tests, make_subject, drop_subject);
}
