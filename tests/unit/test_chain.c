/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificate files: what is taken, and what is said of everything else. */
#include "../support/scratch.h"
#include "base/buf.h"
#include "unit.h"
#include "x509/chain.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct blob pem(const char *label, struct blob der)
{
	gnutls_datum_t out, in = blob_datum(der);
	assert_int_equal(gnutls_pem_base64_encode2(label, &in, &out), 0);
	struct blob copy = blob_of(out.data, out.size);
	gnutls_free(out.data);
	return copy;
}

static struct blob cert_pem(struct blob der)
{
	return pem("CERTIFICATE", der);
}

static int parse(struct chain *out, struct blob bytes, struct clinch_error *err)
{
	return chain_parse(out, bytes.data, bytes.len, "x.pem", err);
}

static void assert_cert(const gnutls_datum_t *cert, struct blob want)
{
	assert_int_equal(cert->size, want.len);
	assert_memory_equal(cert->data, want.data, want.len);
}

static void reads_certificates_in_the_order_of_the_file(void **state)
{
	(void)state;
	auto_chain chain = { .n = 0 };
	assert_int_equal(parse(&chain, CAT(cert_pem(world_leaf()), cert_pem(world_ca())), NULL), 0);
	assert_int_equal(chain.n, 2);
	assert_cert(&chain.cert[0], world_leaf());
	assert_cert(&chain.cert[1], world_ca());
}

static void reads_one_certificate_in_der(void **state)
{
	(void)state;
	auto_chain chain = { .n = 0 };
	assert_int_equal(parse(&chain, world_leaf(), NULL), 0);
	assert_int_equal(chain.n, 1);
	assert_cert(&chain.cert[0], world_leaf());
}

/* RFC 7468 2 and 5.3: text around the blocks is skipped, the old label is taken. */
static void text_keys_and_other_blocks_do_not_disturb(void **state)
{
	(void)state;
	struct blob key = blob_text(maker_key_pem[KEY_CA]), params = pem("EC PARAMETERS", oid("2a8648ce3d030107"));
	struct blob junk_key = blob_text("-----BEGIN PRIVATE KEY-----\n%%% no base64 %%%\n-----END PRIVATE KEY-----\n");
	auto_chain chain = { .n = 0 };
	struct blob file = CAT(blob_text("subject=leaf\r\n"), params, key, cert_pem(world_leaf()), junk_key,
			       blob_text("issuer\n"), pem("X509 CERTIFICATE", world_ca()), blob_text("the end"));
	assert_int_equal(parse(&chain, file, NULL), 0);
	assert_int_equal(chain.n, 2);
	assert_cert(&chain.cert[0], world_leaf());
	assert_cert(&chain.cert[1], world_ca());
}

static void line_ends_of_either_kind_are_taken(void **state)
{
	(void)state;
	struct blob unix_pem = cert_pem(world_leaf());
	auto_buf dos = { .max = 10000 };
	for (size_t i = 0; i < unix_pem.len; i++)
		assert_true(unix_pem.data[i] == '\n' ? buf_add(&dos, "\r\n", 2) : buf_add(&dos, unix_pem.data + i, 1));
	auto_chain chain = { .n = 0 };
	assert_int_equal(chain_parse(&chain, dos.data, dos.len, "x", NULL), 0);
	assert_int_equal(chain.n, 1);
}

static void what_a_file_holds_instead_is_said(void **state)
{
	(void)state;
	struct blob leaf = cert_pem(world_leaf()), broken = blob_of(leaf.data, leaf.len);
	memset((uint8_t *)(uintptr_t)broken.data + 40, '%', 10);
	struct blob cut = blob_of(leaf.data, leaf.len - 30);
	const struct {
		const char *row;
		struct blob bytes;
		int code;
		const char *says;
	} rows[] = {
		{ "nothing", BLOB_NONE, CLINCH_E_FORMAT, "empty" },
		{ "text", blob_text("hello\n"), CLINCH_E_FORMAT, "no certificate" },
		{ "a key", blob_text(maker_key_pem[KEY_CA]), CLINCH_E_FORMAT, "private key" },
		{ "an encrypted key", pem("ENCRYPTED PRIVATE KEY", blob_hex("3000")), CLINCH_E_FORMAT, "private key" },
		{ "a request", pem("CERTIFICATE REQUEST", blob_hex("3000")), CLINCH_E_FORMAT, "CERTIFICATE REQUEST" },
		{ "a CRL", pem("X509 CRL", blob_hex("3000")), CLINCH_E_FORMAT, "X509 CRL" },
		{ "a label of control characters", blob_text("-----BEGIN A\x1b[31m-----\n-----END A\x1b[31m-----\n"),
		  CLINCH_E_FORMAT, "A?[31m" },
		{ "a label without an end", blob_text("-----BEGIN CERTIFICATE"), CLINCH_E_FORMAT, "end line" },
		{ "a very long label",
		  CAT(blob_text("-----BEGIN "), blob_fill('A', 60), blob_text("-----\nAAAA\n-----END "), blob_fill('A', 60),
		      blob_text("-----\n")),
		  CLINCH_E_FORMAT, "end line" },
		{ "no end line", cut, CLINCH_E_FORMAT, "end line" },
		{ "a whole one and one without end", CAT(leaf, cut), CLINCH_E_FORMAT, "PEM block 2" },
		{ "another end line", blob_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n"),
		  CLINCH_E_FORMAT, "end line" },
		{ "broken base64", broken, CLINCH_E_FORMAT, "broken PEM" },
		{ "the second one broken", CAT(leaf, broken), CLINCH_E_FORMAT, "certificate 2" },
		{ "base64 of something else", cert_pem(blob_hex("3003020105")), CLINCH_E_FORMAT, "strict DER" },
		{ "an empty block", blob_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), CLINCH_E_FORMAT,
		  "certificate 1" },
		{ "DER of something else", blob_hex("3003020105"), CLINCH_E_FORMAT, "no certificate" },
		{ "DER with something behind", CAT(world_leaf(), blob_hex("00")), CLINCH_E_FORMAT, "no certificate" },
		{ "a megabyte and one byte", blob_fill('x', CHAIN_FILE_MAX + 1), CLINCH_E_TOO_LARGE, "1048576" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct clinch_error err = { 0 };
		auto_chain chain = { .n = 0 };
		check_int(rows[i].row, parse(&chain, rows[i].bytes, &err), rows[i].code);
		check_int(rows[i].row, err.code, rows[i].code);
		check_int(rows[i].row, chain.n, 0);
		check(rows[i].row, strncmp(err.text, "x.pem: ", 7) == 0);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].row, err.text, rows[i].says);
	}
}

static void holds_as_many_as_it_says_and_no_more(void **state)
{
	(void)state;
	struct blob one = cert_pem(world_leaf()), all = BLOB_NONE;
	auto_chain chain = { .n = 0 };
	struct clinch_error err;
	for (unsigned i = 0; i < CHAIN_MAX; i++)
		all = CAT(all, one);
	assert_int_equal(parse(&chain, all, NULL), 0);
	assert_int_equal(chain.n, CHAIN_MAX);
	chain_done(&chain);
	assert_int_equal(parse(&chain, CAT(all, one), &err), CLINCH_E_TOO_LARGE);
	assert_int_equal(chain.n, 0);
	assert_non_null(strstr(err.text, "64"));
}

static void reads_a_file_and_names_it_when_it_cannot(void **state)
{
	(void)state;
	char path[SCRATCH_SIZE];
	int fd = mkstemp(scratch_template(path, "chain"));
	struct blob bytes = cert_pem(world_leaf());
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.data, bytes.len), bytes.len);
	close(fd);
	auto_chain chain = { .n = 0 };
	assert_int_equal(chain_read(&chain, path, NULL), 0);
	assert_int_equal(chain.n, 1);
	assert_int_equal(unlink(path), 0);
	auto_chain none = { .n = 7 };
	struct clinch_error err;
	assert_int_equal(chain_read(&none, path, &err), CLINCH_E_FILE);
	assert_int_equal(none.n, 0);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(chain_read(&none, "/tmp", &err), CLINCH_E_FILE);
}

static void done_takes_a_zeroed_chain_and_twice(void **state)
{
	(void)state;
	struct chain chain = { .n = 0 };
	chain_done(&chain);
	assert_int_equal(parse(&chain, world_leaf(), NULL), 0);
	chain_done(&chain);
	chain_done(&chain);
	assert_int_equal(chain.n, 0);
}

static void finds_the_issuer_by_name_and_key(void **state)
{
	(void)state;
	struct cert_spec spec = ca_spec();
	spec.key = spec.signer = KEY_OTHER;
	struct blob namesake = make_cert(&spec);
	auto_chain chain = { .n = 0 };
	assert_int_equal(parse(&chain, CAT(cert_pem(world_leaf()), cert_pem(namesake), cert_pem(world_ca())), NULL), 0);
	assert_ptr_equal(chain_find_issuer(&chain, &chain.cert[0]), &chain.cert[2]);
	assert_ptr_equal(chain_find_issuer(&chain, &chain.cert[1]), &chain.cert[1]);
	auto_chain without = { .n = 0 };
	assert_int_equal(parse(&without, CAT(cert_pem(world_leaf()), cert_pem(namesake)), NULL), 0);
	assert_null(chain_find_issuer(&without, &without.cert[0]));
	const gnutls_datum_t junk = blob_datum(blob_hex("3003020105"));
	assert_null(chain_find_issuer(&chain, &junk));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_certificates_in_the_order_of_the_file),
		T(reads_one_certificate_in_der),
		T(text_keys_and_other_blocks_do_not_disturb),
		T(line_ends_of_either_kind_are_taken),
		T(what_a_file_holds_instead_is_said),
		T(holds_as_many_as_it_says_and_no_more),
		T(reads_a_file_and_names_it_when_it_cannot),
		T(done_takes_a_zeroed_chain_and_twice),
		T(finds_the_issuer_by_name_and_key),
	};
	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
