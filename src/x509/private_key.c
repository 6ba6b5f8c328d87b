/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509/private_key.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include <limits.h>
#include <string.h>

#define KEY_FILE_MAX (256 * 1024)
#define PASSWORD_MAX 1024
#define URL_MAX 16384
#define PIN_SOURCE "pin-source="

DEFINE_CLEANUP(gnutls_privkey_t, cleanup_privkey, gnutls_privkey_deinit)

bool private_key_is_url(const char *where)
{
	return gnutls_url_is_supported(where) != 0;
}

static int read_password(struct buf *out, const char *path, struct clinch_error *err)
{
	int code = file_read(out, path, err);

	if (code < 0)
		return code;
	const uint8_t *end = out->len ? memchr(out->data, '\n', out->len) : NULL;
	if (end)
		out->len = (size_t)(end - out->data);
	if (out->len && out->data[out->len - 1] == '\r')
		out->len--;
	if (out->len == 0)
		return error_set(err, CLINCH_E_FORMAT, "%s: its first line, a password or a PIN, is empty", path);
	return buf_add(out, "", 1) ? 0 : error_set(err, CLINCH_E_MEMORY, "%s: no memory", path);
}

/* ---- tokens ---- */

/* The attribute of the URL's query that begins with `name`, and its end; NULL: it has none (RFC 7512 2.4). */
static const char *find_attribute(const char *url, const char *name, size_t *len)
{
	for (const char *at = strchr(url, '?'); at; at = strchr(at, '&')) {
		at++;
		if (strncmp(at, name, strlen(name)) == 0) {
			*len = strcspn(at, "&");
			return at;
		}
	}
	return NULL;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool put_decoded(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = i + 2 < len && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
		int low = high < 0 ? -1 : hex_digit(text[i + 2]);
		char byte = low < 0 ? text[i] : (char)(high << 4 | low);
		if (!buf_add(out, &byte, 1))
			return false;
		i += low < 0 ? 0 : 2;
	}
	return buf_add(out, "", 1);
}

/* Of pin-source, a path or a "file:" URI of one. */
static const char *path_of(const char *source)
{
	if (strncmp(source, "file:", 5) == 0)
		source += 5;
	return strncmp(source, "///", 3) == 0 ? source + 2 : source;
}

/* `url` with the PIN itself in place of its source, every byte of it escaped. */
static bool put_pin(struct buf *out, const char *url, const char *source, size_t source_len, const struct buf *pin)
{
	const char *behind = source + source_len;

	if (!buf_add(out, url, (size_t)(source - url)) || !buf_printf(out, "pin-value="))
		return false;
	for (size_t i = 0; i + 1 < pin->len; i++)
		if (!buf_printf(out, "%%%02x", pin->data[i]))
			return false;
	return buf_add(out, behind, strlen(behind) + 1);
}

/*
 * The file of a PIN is read here: p11-kit, which would do it, takes the end of the line for a part of the PIN, and "file:",
 * which RFC 7512 has there, for a part of the path.
 */
static int read_pin(struct buf *out, const char *url, const char *source, size_t len, struct clinch_error *err)
{
	auto_buf name = { .max = PATH_MAX };
	auto_buf pin = { .max = PASSWORD_MAX };
	size_t before = strlen(PIN_SOURCE);

	if (!put_decoded(&name, source + before, len - before))
		return error_set(err, CLINCH_E_TOO_LARGE, "the path of a token's PIN is too long");
	int code = read_password(&pin, path_of((const char *)name.data), err);
	if (code == 0 && !put_pin(out, url, source, len, &pin))
		code = error_set(err, CLINCH_E_TOO_LARGE, "the URL of a key is too long");
	return code;
}

/* No attribute of the query is for messages: a PIN may stand there. */
static int import_url(gnutls_privkey_t key, const char *url, const char *full_url, struct clinch_error *err)
{
	int rc = gnutls_privkey_import_url(key, full_url, 0);

	return rc < 0 ? error_gnutls(err, rc, "%.*s: the key cannot be used", (int)strcspn(url, "?"), url) : 0;
}

static int from_url(gnutls_privkey_t key, const char *url, const char *password_file, struct clinch_error *err)
{
	auto_buf with_pin = { .max = URL_MAX };
	size_t len;
	const char *source = find_attribute(url, PIN_SOURCE, &len);

	if (password_file)
		return error_set(err, CLINCH_E_ARGUMENT,
				 "%.*s: the PIN of a token is not in a password file but in ?pin-source=file:PATH",
				 (int)strcspn(url, "?"), url);
	if (!source)
		return import_url(key, url, url, err);
	int code = read_pin(&with_pin, url, source, len, err);
	return code < 0 ? code : import_url(key, url, (const char *)with_pin.data, err);
}

/* ---- files ---- */

static int from_pem(gnutls_privkey_t key, const struct buf *file, const char *password, const char *path,
		    struct clinch_error *err)
{
	const gnutls_datum_t pem = { file->data, (unsigned)file->len };
	int rc = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, password, 0);

	if (rc >= 0)
		return 0;
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return error_gnutls(err, rc, "%s", path);
	if (rc == GNUTLS_E_DECRYPTION_FAILED && password)
		return error_set(err, CLINCH_E_FORMAT, "%s: the password given does not open this key", path);
	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		return error_set(err, CLINCH_E_FORMAT, "%s: the key is encrypted: name the file with its password", path);
	error_gnutls(err, rc, "%s: holds no private key that can be used", path);
	if (err)
		err->code = CLINCH_E_FORMAT;
	return CLINCH_E_FORMAT;
}

static int from_file(gnutls_privkey_t key, const char *path, const char *password_file, struct clinch_error *err)
{
	auto_buf file = { .max = KEY_FILE_MAX };
	auto_buf password = { .max = PASSWORD_MAX };
	int code = file_read(&file, path, err);

	if (code == 0 && password_file)
		code = read_password(&password, password_file, err);
	if (code < 0)
		return code;
	return from_pem(key, &file, password_file ? (const char *)password.data : NULL, path, err);
}

int private_key_load(gnutls_privkey_t *out, const char *where, const char *password_file, struct clinch_error *err)
{
	AUTO(cleanup_privkey) gnutls_privkey_t key = NULL;
	int rc = gnutls_privkey_init(&key);

	if (rc < 0)
		return error_gnutls(err, rc, "no key can be loaded");
	int code = private_key_is_url(where) ? from_url(key, where, password_file, err)
					     : from_file(key, where, password_file, err);
	if (code == 0)
		*out = TAKE(key);
	return code;
}
