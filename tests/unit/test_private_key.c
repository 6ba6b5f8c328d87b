/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../support/scratch.h"
#include "base/cleanup.h"
#include "unit.h"
#include "x509/private_key.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "correct horse"

static char dir[SCRATCH_SIZE];

static const char *path_of(const char *name)
{
	static char paths[4][SCRATCH_SIZE + 32];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static void write_encrypted(const char *name, unsigned flags)
{
	const gnutls_datum_t pem = blob_datum(blob_text(maker_key_pem[KEY_CA]));
	gnutls_x509_privkey_t key;
	auto_datum out = { NULL, 0 };

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_import(key, &pem, GNUTLS_X509_FMT_PEM), 0);
	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, PASSWORD, flags, &out), 0);
	gnutls_x509_privkey_deinit(key);
	write_file(name, out.data, out.size);
}

static const char *const files[] = {
	"plain.pem", "aes.pem", "des.pem", "with-cert.pem", "cert.pem", "text",   "empty",
	"right",     "bare",    "windows", "wrong",         "blank",    "second", "broken.pem"
};

static int make_files(void **state)
{
	(void)state;
	char all[8192];

	assert_non_null(mkdtemp(scratch_template(dir, "keys")));
	write_text("plain.pem", maker_key_pem[KEY_CA]);
	write_encrypted("aes.pem", GNUTLS_PKCS_PBES2_AES_256);
	write_encrypted("des.pem", GNUTLS_PKCS_PBES2_3DES);
	write_text("cert.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	snprintf(all, sizeof(all), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n%s",
		 maker_key_pem[KEY_CA]);
	write_text("with-cert.pem", all);
	write_text("text", "no key at all\n");
	write_text("empty", "");
	write_text("broken.pem", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
	write_text("right", PASSWORD "\n");
	write_text("bare", PASSWORD);
	write_text("windows", PASSWORD "\r\n");
	write_text("wrong", "battery staple\n");
	write_text("blank", "\n");
	write_text("second", "\n" PASSWORD "\n");
	return 0;
}

static int drop_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(files); i++)
		unlink(path_of(files[i]));
	maker_done();
	return rmdir(dir);
}

static void a_key_is_loaded_or_refused_with_the_reason(void **state)
{
	(void)state;
	static const struct {
		const char *key, *password;
		int code;
		const char *sentence;
	} rows[] = {
		{ "plain.pem", NULL, 0, NULL },
		{ "plain.pem", "right", 0, NULL },
		{ "with-cert.pem", NULL, 0, NULL },
		{ "aes.pem", "right", 0, NULL },
		{ "aes.pem", "bare", 0, NULL },
		{ "aes.pem", "windows", 0, NULL },
		{ "des.pem", "right", 0, NULL },
		{ "aes.pem", NULL, CLINCH_E_FORMAT, "aes.pem: the key is encrypted" },
		{ "aes.pem", "wrong", CLINCH_E_FORMAT, "aes.pem: the password given does not open" },
		{ "aes.pem", "blank", CLINCH_E_FORMAT, "blank: its first line" },
		{ "aes.pem", "second", CLINCH_E_FORMAT, "second: its first line" },
		{ "aes.pem", "empty", CLINCH_E_FORMAT, "empty: its first line" },
		{ "aes.pem", "absent", CLINCH_E_FILE, "absent" },
		{ "absent", NULL, CLINCH_E_FILE, "absent" },
		{ "cert.pem", NULL, CLINCH_E_FORMAT, "cert.pem: holds no private key" },
		{ "broken.pem", NULL, CLINCH_E_FORMAT, "broken.pem: holds no private key" },
		{ "text", NULL, CLINCH_E_FORMAT, "text: holds no private key" },
		{ "empty", NULL, CLINCH_E_FORMAT, "empty: holds no private key" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		gnutls_privkey_t key = NULL;
		struct clinch_error err = { 0 };
		const char *password = rows[i].password ? path_of(rows[i].password) : NULL;
		int code = private_key_load(&key, path_of(rows[i].key), password, &err);
		check_int(rows[i].key, code, rows[i].code);
		check_int(rows[i].key, err.code, rows[i].code);
		check(rows[i].key, (key != NULL) == (code == 0));
		if (code < 0 && !strstr(err.text, rows[i].sentence))
			fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].sentence);
		if (key)
			gnutls_privkey_deinit(key);
	}
}

static void a_token_that_is_not_there_is_named_without_its_pin(void **state)
{
	(void)state;
	gnutls_privkey_t key = NULL;
	struct clinch_error err = { 0 };
	assert_true(private_key_is_url("pkcs11:token=none"));
	assert_false(private_key_is_url("/etc/pki/pkcs11.pem"));
	assert_int_equal(private_key_load(&key, "pkcs11:token=clinch-no-such-token;object=x?pin-value=1234", NULL, &err),
			 CLINCH_E_GNUTLS);
	assert_null(key);
	assert_non_null(strstr(err.text, "pkcs11:token=clinch-no-such-token;object=x: "));
	assert_null(strstr(err.text, "1234"));
}

/* RFC 7512 2.4; what cannot be read is named as it was decoded. */
static void the_file_of_a_pin_is_a_path_or_a_file_uri(void **state)
{
	(void)state;
	static const struct {
		const char *url, *sentence;
	} rows[] = {
		{ "pkcs11:token=x?pin-source=/absent/a", "/absent/a: " },
		{ "pkcs11:token=x?pin-source=file:/absent/b", "/absent/b: " },
		{ "pkcs11:token=x?pin-source=file:///absent/c", "/absent/c: " },
		{ "pkcs11:token=x?module-name=y&pin-source=file:%2Fabsent%2fd%25&a=b", "/absent/d%: " },
		{ "pkcs11:token=x?pin-source=/absent/e%zz%4&a=b", "/absent/e%zz%4: " },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		gnutls_privkey_t key = NULL;
		struct clinch_error err = { 0 };
		check_int(rows[i].url, private_key_load(&key, rows[i].url, NULL, &err), CLINCH_E_FILE);
		if (strncmp(err.text, rows[i].sentence, strlen(rows[i].sentence)) != 0)
			fail_msg("\"%s\" does not begin with \"%s\"", err.text, rows[i].sentence);
	}
	gnutls_privkey_t key = NULL;
	struct clinch_error err = { 0 };
	assert_int_equal(private_key_load(&key, "pkcs11:token=x?pin-value=1", path_of("right"), &err), CLINCH_E_ARGUMENT);
	assert_null(strstr(err.text, "pin-value=1"));
}

static void a_url_is_not_longer_than_it_can_be(void **state)
{
	(void)state;
	static char url[20000];
	gnutls_privkey_t key = NULL;
	struct clinch_error err = { 0 };
	snprintf(url, sizeof(url), "pkcs11:token=x?pin-source=/%0*d", 5000, 0);
	assert_int_equal(private_key_load(&key, url, NULL, &err), CLINCH_E_TOO_LARGE);
	assert_non_null(strstr(err.text, "the path of a token's PIN is too long"));
	snprintf(url, sizeof(url), "pkcs11:token=x?pin-source=%s&a=%0*d", path_of("right"), 18000, 0);
	assert_int_equal(private_key_load(&key, url, NULL, &err), CLINCH_E_TOO_LARGE);
	assert_non_null(strstr(err.text, "the URL of a key is too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key_is_loaded_or_refused_with_the_reason),
		T(a_token_that_is_not_there_is_named_without_its_pin),
		T(the_file_of_a_pin_is_a_path_or_a_file_uri),
		T(a_url_is_not_longer_than_it_can_be),
	};
	return cmocka_run_group_tests_name("private_key", tests, make_files, drop_files);
}
