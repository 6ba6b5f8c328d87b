/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509/private_key.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include <string.h>

#define KEY_FILE_MAX (256 * 1024)
#define PASSWORD_MAX 1024

DEFINE_CLEANUP(gnutls_privkey_t, cleanup_privkey, gnutls_privkey_deinit)

bool private_key_is_url(const char *where)
{
	return gnutls_url_is_supported(where) != 0;
}

/* A PIN may stand among the attributes of the query: it is not for messages (RFC 7512 2.4). */
static int from_url(gnutls_privkey_t key, const char *url, struct clinch_error *err)
{
	int rc = gnutls_privkey_import_url(key, url, 0);

	return rc < 0 ? error_gnutls(err, rc, "%.*s: the key cannot be used", (int)strcspn(url, "?"), url) : 0;
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
		return error_set(err, CLINCH_E_FORMAT, "%s: its first line, the password of a key, is empty", path);
	return buf_add(out, "", 1) ? 0 : error_set(err, CLINCH_E_MEMORY, "%s: no memory", path);
}

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
	int code = private_key_is_url(where) ? from_url(key, where, err) : from_file(key, where, password_file, err);
	if (code == 0)
		*out = TAKE(key);
	return code;
}
