/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inputs that fuzzing starts from: one of each kind of thing the targets read. `seeds DIR` writes DIR/<target>/<number>;
 * what libFuzzer finds beyond them and keeps is what is committed in corpus/.
 */
#include "../unit/crls.h"
#include "fuzz.h"
#include "maker.h"
#include "probe/starttls.h"
#include <string.h>
#include <sys/stat.h>

static const char *root;

static void put(const char *target, struct blob bytes)
{
	static unsigned number;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, target);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%04u", root, target, number++);
	FILE *file = fopen(path, "wb");
	MUST(file);
	MUST(fwrite(bytes.data, 1, bytes.len, file) == bytes.len);
	MUST(fclose(file) == 0);
}

static struct blob form(uint8_t first, struct blob rest)
{
	return CAT(blob_of(&first, 1), rest);
}

static struct blob every_extension(void)
{
	return CAT(extension(X_NONCE, -1, OCTETS(blob_text("nonce"))), extension(X_CRL_ID, -1, SEQ(BLOB_NONE)),
		   extension("2b0601050507300106", -1, generalized("20250101000000Z")),
		   extension("2b0601050507300109", 1, null_value()), extension(X_MADE_UP, -1, null_value()));
}

static void of_entries(struct entry_spec entry)
{
	for (int i = 0; i < 4; i++) {
		entry.status = i == 0 ? status_good() : i == 1 ? status_unknown() : status_revoked("20260601000000Z", i - 3);
		struct response_spec spec = response_with(make_entry(&entry));
		put("response", form(1, make_tbs(&spec)));
		put("der", make_tbs(&spec));
		spec.responder = i % 2 ? responder_by_name(CA_NAME) : spec.responder;
		spec.version = i == 3 ? blob_hex("a003020100") : BLOB_NONE;
		spec.extensions = every_extension();
		put("response", form(1, make_tbs(&spec)));
		put("response", form(0, make_response(&spec)));
	}
}

static void responses(void)
{
	static const gnutls_digest_algorithm_t hashes[] = { GNUTLS_DIG_SHA1, GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384,
							    GNUTLS_DIG_SHA512 };
	struct entry_spec entry = good_entry();
	for (size_t i = 0; i < 4; i++) {
		entry.cert_id = cert_id(hashes[i], CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL));
		of_entries(entry);
	}
	entry.extensions = CAT(extension(X_REASON_CODE, -1, enumerated(1)),
			       extension(X_INVALIDITY_DATE, -1, generalized("20260101000000Z")));
	of_entries(entry);
	entry = good_entry();
	entry.next_update = NULL;
	of_entries(entry);
	entry = good_entry();
	struct blob two = CAT(make_entry(&entry), make_entry(&entry));
	static const enum key keys[] = { KEY_DELEGATE, KEY_RSA, KEY_ED25519 };
	static const enum scheme schemes[] = { ECDSA_SHA256, PSS_SHA256, ED25519_PURE };
	for (uint8_t i = 0; i < 3; i++) {
		struct response_spec spec = delegated_with(two);
		struct cert_spec cert = delegate_spec();
		cert.key = spec.signer = keys[i];
		spec.scheme = schemes[i];
		spec.responder = responder_by_key(keys[i]);
		spec.certs = make_cert(&cert);
		put("response", form((uint8_t)(2 + i), make_tbs(&spec)));
		put("response", form(0, make_response(&spec)));
	}
	for (uint8_t status = 1; status < 8; status++)
		put("response", form(0, SEQ(enumerated(status))));
}

/* Each with one wrong thing that is not in what is signed. */
static void wrong_ones(void)
{
	struct entry_spec entry = good_entry();
	struct response_spec spec = response_with(make_entry(&entry)), by_delegate = delegated_with(make_entry(&entry));
	struct blob tbs = make_tbs(&spec), none = blob_fill(0, 70);
	static const char *const algorithms[] = { "2a0304050607",       "2a864886f70d010104", "2a8648ce3d0401",
						  "2a864886f70d01010b", "2a864886f70d01010a", "2b6571" };
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		for (unsigned null = 0; null < 2; null++)
			put("response",
			    form(0, wrap_basic(make_basic(tbs, SEQ(oid(algorithms[i]), null ? null_value() : BLOB_NONE),
							  none, BLOB_NONE))));
	static const enum key keys[] = { KEY_CA, KEY_OTHER, KEY_RSA, KEY_RSA_1024 };
	static const enum scheme schemes[] = { ECDSA_SHA1, ECDSA_SHA256, RSA_SHA256, RSA_SHA1 };
	for (unsigned i = 0; i < 4; i++) {
		struct cert_spec cert = delegate_spec();
		cert.signer = keys[i];
		cert.scheme = schemes[i];
		by_delegate.certs = CAT(make_cert(&cert), world_leaf(), SEQ(BLOB_NONE));
		put("response", form(0, make_response(&by_delegate)));
	}
	struct cert_spec small = delegate_spec();
	small.key = by_delegate.signer = KEY_RSA_1024;
	by_delegate.scheme = RSA_SHA256;
	by_delegate.responder = responder_by_key(KEY_RSA_1024);
	by_delegate.certs = make_cert(&small);
	put("response", form(0, make_response(&by_delegate)));
	spec.responder = responder_by_key(KEY_OTHER);
	put("response", form(6, make_tbs(&spec)));
	spec.responder = responder_by_name("Own");
	put("response", form(6, make_tbs(&spec)));
}

/* The tbsCertificate is the first element inside. */
static struct blob tbs_of(const struct cert_spec *spec)
{
	struct blob cert = make_cert(spec);
	const uint8_t *tbs = cert.data + (cert.data[1] == 0x81 ? 3 : 4);
	size_t len = tbs[1] == 0x81 ? 3u + tbs[2] : 4u + ((size_t)tbs[2] << 8 | tbs[3]);
	return blob_of(tbs, len);
}

static void certificates(void)
{
	struct cert_spec delegate = delegate_spec(), leaf = leaf_spec(), ca = ca_spec();
	leaf.extensions =
		CAT(must_staple(), access_info_ocsp("http://ocsp.test/"), extension(X_KEY_USAGE, 1, blob_hex("03020780")));
	put("response", form(5, tbs_of(&delegate)));
	delegate.extensions = CAT(eku_ocsp_signing(), extension(X_KEY_USAGE, 1, blob_hex("03020640")), ca_constraints());
	put("response", form(5, tbs_of(&delegate)));
	put("cert", form(1, tbs_of(&delegate)));
	put("cert", form(1, tbs_of(&leaf)));
	put("cert", form(1, tbs_of(&ca)));
	leaf.key = KEY_RSA;
	put("cert", form(1, tbs_of(&leaf)));
	put("cert", form(0, make_cert(&leaf)));
	put("cert", form(0, blob_text(maker_key_pem[KEY_CA])));
	const gnutls_datum_t der = blob_datum(make_cert(&leaf)), der_ca = blob_datum(make_cert(&ca));
	gnutls_datum_t pem, pem_ca;
	MUST(gnutls_pem_base64_encode2("CERTIFICATE", &der, &pem) == 0);
	MUST(gnutls_pem_base64_encode2("CERTIFICATE", &der_ca, &pem_ca) == 0);
	struct blob file =
		CAT(blob_of(pem.data, pem.size), blob_text(maker_key_pem[KEY_LEAF]), blob_of(pem_ca.data, pem_ca.size));
	put("cert", form(0, file));
	gnutls_free(pem.data);
	gnutls_free(pem_ca.data);
}

static void requests(void)
{
	struct blob one = SEQ(good_entry().cert_id),
		    two = SEQ(good_entry().cert_id, tlv(0xa0, SEQ(extension(X_MADE_UP, 1, BLOB_NONE))));
	put("request", SEQ(SEQ(SEQ(one))));
	put("request", SEQ(SEQ(tlv(0xa1, tlv(0xa4, common_name("me"))), SEQ(one, two), tlv(0xa2, SEQ(every_extension())))));
	put("request", SEQ(SEQ(SEQ(one)), tlv(0xa0, SEQ(algorithm_of(ECDSA_SHA256), bits(blob_hex("00"))))));
	put("der", SEQ(SEQ(tlv(0xa1, tlv(0xa4, common_name("me"))), SEQ(one, two), tlv(0xa2, SEQ(every_extension())))));
	put("der", CAT(boolean(1), blob_hex("020180"), enumerated(3), bits(blob_hex("ab")), null_value(),
		       generalized("20260614120000Z"), tlv(0x17, blob_text("260614120000Z")), oid(X_MADE_UP),
		       extension(X_MADE_UP, 0, BLOB_NONE)));
	put("der", CAT(every_extension(), every_extension()));
}

static void urls(void)
{
	static const char *const rows[] = {
		"http://ocsp.test",
		"http://ocsp.test/",
		"https://ocsp.test:8443/a/b?c=d#e",
		"http://user:pass@[2001:db8::1]:80/x y",
		"HTTP://OCSP.Test/%41",
		"ldap://x/",
		"http://127.0.0.1/",
		"//x/",
		"http:///",
		"http://x:99999/",
		"http://\xc3\xa9/",
	};
	static const char *const ways[] = { "/y", "http://z/", "?q", "../up", "https://z:1/", "#f", "//host/p", "ftp://z/" };
	static const char *const heads[] = { "HTTP/1.1 200 OK\r\n",
					     "Date: Mon, 23 Nov 2026 17:00:00 GMT\r\n",
					     "Age: 7\r\n",
					     "Retry-After: 120\r\n",
					     "Retry-After: Mon, 23 Nov 2026 18:00:00 GMT\r\n",
					     "Cache-Control: public, max-age=3600\r\n",
					     "Location: http://z/\r\n",
					     "X: y\r\n" };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct blob all = CAT(blob_of(rows[i], strlen(rows[i]) + 1), blob_of(ways[i % 8], strlen(ways[i % 8]) + 1));
		for (size_t j = 0; j < sizeof(heads) / sizeof(heads[0]); j++)
			all = CAT(all, blob_of(heads[j], strlen(heads[j]) + 1));
		put("url", all);
	}
}

static void replies(void)
{
	static const struct {
		enum starttls_protocol protocol;
		const char *text;
	} rows[] = {
		{ STARTTLS_SMTP, "220-one\r\n220 two\r\n250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n220 go\r\n" },
		{ STARTTLS_SMTP, "220 x\r\n250 mail\r\n" },
		{ STARTTLS_SMTP, "554 no\r\n" },
		{ STARTTLS_SMTP, "220 x\r\n250 STARTTLS\r\n454 later\r\n" },
		{ STARTTLS_IMAP, "* OK ready\r\n* CAPABILITY IMAP4rev1\r\na1 OK begin\r\n" },
		{ STARTTLS_IMAP, "* BYE\r\n" },
		{ STARTTLS_IMAP, "* OK ready\r\na1 NO\r\n" },
		{ STARTTLS_POP3, "+OK ready\r\n+OK begin\r\n" },
		{ STARTTLS_POP3, "+OK ready\r\n-ERR no\r\n" },
		{ STARTTLS_POSTGRES, "S" },
		{ STARTTLS_POSTGRES, "N" },
		{ STARTTLS_POSTGRES, "E no\n" },
		{ STARTTLS_HTTP_CONNECT, "HTTP/1.1 200 OK\r\nX: y\r\n\r\n" },
		{ STARTTLS_HTTP_CONNECT, "HTTP/1.0 407 Proxy\r\n\r\n" },
	};
	static const char *const ldap[] = {
		"300c020101 7807 0a0100 0400 0400", "300c020101 7807 0a0102 0400 0400",
		"3024020101 781f 0a0100 0400 0400 8a16312e332e362e312e342e312e313436362e3230303337"
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put("starttls", form((uint8_t)rows[i].protocol, form(2, blob_text(rows[i].text))));
	for (size_t i = 0; i < 3; i++)
		put("starttls", form(STARTTLS_LDAP, form(2, blob_hex(ldap[i]))));
}

static void balancers(void)
{
	static const char magic[] = "0d0a0d0a000d0a515549540a";
	static const char *const rows[] = {
		"2100 0000",
		"2000 0000",
		"2000 0003 040000",
		"2111 000c c0000201 cb007105 c350 01bb",
		"2011 000c c0000201 cb007105 c350 01bb",
		"2121 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 c350 01bb",
		"2111 0020 7f000001 7f000001 0001 ffff 0100026832 020004612e6200 0400050000000000",
		"2112 000c c0000201 cb007105 c350 01bb",
		"2111 000b c0000201 cb007105 c350 01",
		"2131 0002 2f00",
		"2111 ffff c0000201",
		"2211 000c c0000201 cb007105 c350 01bb",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put("proxy", CAT(blob_hex(magic), blob_hex(rows[i])));
	put("proxy", blob_text("PROXY TCP4 192.0.2.1 203.0.113.5 50000 443\r\n"));
}

static void indexes(void)
{
	static const char *const rows[] = {
		"V\t270101000000Z\t\t0A\tunknown\t/CN=x\n",
		"V\t20610101000000Z\t\t00FF\tunknown\t/CN=a\\\tb\r\n# remark\n",
		"E\t260101000000Z\t\t11223344556677889900AABBCCDDEEFF1122334455\tunknown\t/CN=x\n",
		"R\t270101000000Z\t260201000000Z\t0B\tunknown\t/CN=x\n",
		"R\t270101000000Z\t20260201000000Z,keyCompromise\t0C\tunknown\t/CN=x\n",
		"R\t270101000000Z\t260201000000Z,holdInstruction,holdInstructionReject\t0D\tunknown\t/CN=x\n",
		"R\t270101000000Z\t260201000000Z,CAkeyTime,20260101000000Z\t0E\tunknown\t/CN=x\n",
		"R\t270101000000Z\t260201000000Z\t0A\tunknown\t/CN=x\n",
		"V\t270101000000Z\t\t0F\tunknown\t/CN=cut",
	};
	struct blob all = BLOB_NONE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		all = CAT(all, blob_text(rows[i]));
		put("index", form(0, blob_text(rows[i])));
		put("index", form(0, all));
	}
	put("index", form(0, BLOB_NONE));
	put("index", form(1, blob_text("# by hand\n0A\n 0x0b \nserial=0C # x\n00:0D:0e\r\n\n0A\n")));
	put("index", form(1, blob_text("-1\n")));
}

static void crls(void)
{
	static const char *const scopes[] = { "30038101ff", "30038201ff", "3009a007a0058603613a62", "300483020640",
					      "30038401ff" };
	struct crl_spec spec = crl_of(CAT(
		crl_entry("0a"), crl_entry_with("0080", crl_reason(1)),
		crl_entry_with("0b", CAT(crl_reason(6), extension(X_INVALIDITY_DATE, -1, generalized("20260101000000Z")))),
		crl_entry_with("0c", extension(X_CERTIFICATE_ISSUER, 1, SEQ(BLOB_NONE)))));
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		spec.extensions =
			CAT(extension(X_CRL_NUMBER, -1, blob_hex("020101")), extension(X_SCOPE, 1, blob_hex(scopes[i])));
		put("crl", form(0, make_whole_crl(&spec)));
		put("crl", form(1, make_crl_tbs(&spec)));
		spec.entries =
			i % 2 ? BLOB_NONE : CAT(crl_entry("0a"), crl_entry_with("0b", crl_reason(4)), crl_entry("0a"));
	}
	spec.extensions = BLOB_NONE;
	put("crl", form(1, make_crl_tbs(&spec)));
	const gnutls_datum_t der = blob_datum(make_whole_crl(&spec));
	gnutls_datum_t pem;
	MUST(gnutls_pem_base64_encode2("X509 CRL", &der, &pem) == 0);
	put("crl",
	    form(0, CAT(blob_text("one\n"), blob_of(pem.data, pem.size), blob_text("two\n"), blob_of(pem.data, pem.size))));
	gnutls_free(pem.data);
}

/* As the body of a POST, and as the path of a GET with each odd character escaped or not. */
static void asked(struct blob request)
{
	gnutls_datum_t datum = blob_datum(request), text;
	char escaped[4096];
	size_t n = 0;

	put("responder", form(1, request));
	MUST(gnutls_base64_encode2(&datum, &text) == 0);
	put("responder", form(0, CAT(blob_text("/"), blob_of(text.data, text.size))));
	for (unsigned i = 0; i < text.size && n + 4 < sizeof(escaped); i++)
		n += (size_t)snprintf(escaped + n, sizeof(escaped) - n, strchr("+/=", text.data[i]) ? "%%%02X" : "%c",
				      text.data[i]);
	put("responder", form(0, CAT(blob_text("//ocsp/"), blob_of(escaped, n))));
	gnutls_free(text.data);
}

static void responder_requests(void)
{
	static const char *const serials[] = { LEAF_SERIAL, "02", "04", "05", "00ff", "80" };
	static const gnutls_digest_algorithm_t hashes[] = { GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384, GNUTLS_DIG_SHA512 };
	struct blob one = SEQ(good_entry().cert_id);
	struct blob nonce = extension(X_NONCE, -1, OCTETS(blob_fill(7, 16)));

	for (size_t i = 0; i < sizeof(serials) / sizeof(*serials); i++)
		asked(SEQ(SEQ(SEQ(SEQ(cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(serials[i])))))));
	for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++)
		asked(SEQ(SEQ(SEQ(SEQ(cert_id(hashes[i], CA_NAME, KEY_CA, blob_hex(LEAF_SERIAL)))))));
	asked(SEQ(SEQ(SEQ(one, one, one), tlv(0xa2, SEQ(nonce, extension(X_MADE_UP, -1, null_value()))))));
	asked(SEQ(SEQ(tlv(0xa1, tlv(0xa4, common_name("me"))), SEQ(one)),
		  tlv(0xa0, SEQ(SEQ(oid("2b6570")), bits(blob_hex("00"))))));
}

int main(int argc, char **argv)
{
	MUST(argc == 2);
	root = argv[1];
	mkdir(root, 0755);
	responses();
	wrong_ones();
	certificates();
	requests();
	responder_requests();
	urls();
	replies();
	balancers();
	indexes();
	crls();
	maker_done();
	return 0;
}
