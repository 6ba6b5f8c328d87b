/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/crl_files.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#define BEGIN "-----BEGIN X509 CRL-----"
#define END "-----END X509 CRL-----"

/* ---- reading ---- */

static char *name_of_part(const char *name, unsigned number)
{
	char *text = NULL;

	return asprintf(&text, number > 1 ? "%s (CRL %u)" : "%s", name, number) < 0 ? NULL : text;
}

/* Takes over `der`. What was begun is ended by crl_files_done(). */
static int add(struct crl_files *files, gnutls_datum_t *der, const char *name, unsigned number, struct clinch_error *err)
{
	struct crl_part *part = &files->part[files->n];

	if (files->n == CRLS_MAX) {
		gnutls_free(der->data);
		return error_set(err, CLINCH_E_TOO_LARGE, "%s: more than %d CRLs for one CA", name, CRLS_MAX);
	}
	*part = (struct crl_part){ .der = *der, .name = name_of_part(name, number), .place = files->n };
	files->n++;
	if (!part->name)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", name);
	return crl_parse(&part->crl, der_of(part->der.data, part->der.size), part->name, err);
}

static const char *find(const char *at, const char *end, const char *what)
{
	return memmem(at, (size_t)(end - at), what, strlen(what));
}

static int add_block(struct crl_files *files, const char *begin, const char *end, const char *name, unsigned number,
		     struct clinch_error *err)
{
	gnutls_datum_t block = { (uint8_t *)begin, (unsigned)(end - begin) }, der;
	int rc = gnutls_pem_base64_decode2("X509 CRL", &block, &der);

	if (rc == GNUTLS_E_MEMORY_ERROR)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for CRL %u", name, number);
	if (rc < 0)
		return error_set(err, CLINCH_E_FORMAT, "%s: CRL %u is broken PEM: %s", name, number, gnutls_strerror(rc));
	return add(files, &der, name, number, err);
}

static int parse_pem(struct crl_files *files, const char *at, const char *end, const char *name, struct clinch_error *err)
{
	const char *begin, *close;
	unsigned number = 0;
	int code = 0;

	while (code == 0 && (begin = find(at, end, BEGIN))) {
		close = find(begin, end, END);
		if (!close)
			return error_set(err, CLINCH_E_FORMAT,
					 "%s: CRL %u has no end line: the file is being written, or was cut off", name,
					 number + 1);
		at = close + sizeof(END) - 1;
		code = add_block(files, begin, at, name, ++number, err);
	}
	if (number == 0)
		return error_set(err, CLINCH_E_FORMAT, "%s: holds no CRL, neither PEM (" BEGIN ") nor DER", name);
	return code;
}

static int parse_der(struct crl_files *files, const void *bytes, size_t len, const char *name, struct clinch_error *err)
{
	gnutls_datum_t der = { gnutls_malloc(len), (unsigned)len };

	if (!der.data)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", name);
	memcpy(der.data, bytes, len);
	return add(files, &der, name, 1, err);
}

int crl_files_parse(struct crl_files *files, const void *bytes, size_t len, const char *name, const struct issuer *ca,
		    int64_t now, struct clinch_error *err)
{
	size_t before = files->n;
	const uint8_t *first = bytes;
	int code;

	if (len == 0)
		return error_set(err, CLINCH_E_FORMAT, "%s: is empty", name);
	if (*first == DER_SEQUENCE)
		code = parse_der(files, bytes, len, name, err);
	else
		code = parse_pem(files, bytes, (const char *)bytes + len, name, err);
	for (size_t i = before; code == 0 && ca && i < files->n; i++)
		code = crl_check(&files->part[i].crl, ca, now, files->part[i].name, err);
	return code;
}

int crl_files_read(struct crl_files *files, const char *path, const struct issuer *ca, int64_t now, struct clinch_error *err)
{
	auto_buf buf = { .max = CRL_FILE_MAX };
	int code = file_read(&buf, path, err);

	return code < 0 ? code : crl_files_parse(files, buf.data, buf.len, path, ca, now, err);
}

void crl_files_done(struct crl_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		gnutls_free(files->part[i].der.data);
		free(files->part[i].name);
	}
	files->n = 0;
}

/* ---- what they say ---- */

bool crl_files_cover_all(const struct crl_files *files)
{
	bool users = false, cas = false;

	for (size_t i = 0; i < files->n; i++) {
		users |= !files->part[i].crl.cas_only;
		cas |= !files->part[i].crl.users_only;
	}
	return users && cas;
}

static int compare_newest_first(const void *a, const void *b)
{
	const struct crl_part *left = a, *right = b;

	if (left->crl.this_update != right->crl.this_update)
		return left->crl.this_update > right->crl.this_update ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

static int add_entries(struct crl_part *part, struct serials *out, uint32_t *origin, struct clinch_error *err)
{
	struct crl_entry entry;
	struct serial_key key;
	int code;

	part->first = *origin;
	for (struct der left = part->crl.entries;; (*origin)++) {
		uint32_t number = *origin - part->first + 1;
		code = crl_entry_next(&left, &entry, number, part->name, err);
		if (code <= 0)
			return code;
		struct source_status status = { .says = SOURCE_REVOKED,
						.revoked_at = entry.revoked_at,
						.reason = entry.reason };
		if (!serial_from_der(&key, entry.serial))
			return error_set(err, CLINCH_E_FORMAT,
					 "%s: entry %u: its serial number has no bytes, or more than %d", part->name, number,
					 SERIAL_BYTES);
		if (entry.odd)
			serials_note(out, "%s: entry %u: %s", part->name, number, entry.odd);
		if (!serials_add(out, &key, &status, *origin))
			return error_set(err, CLINCH_E_MEMORY, "%s: no memory for entry %u", part->name, number);
	}
}

int crl_files_add(struct crl_files *files, struct serials *out, struct clinch_error *err)
{
	uint32_t origin = 0;
	int code = 0;

	qsort(files->part, files->n, sizeof(files->part[0]), compare_newest_first);
	for (size_t i = 0; code == 0 && i < files->n; i++)
		code = add_entries(&files->part[i], out, &origin, err);
	return code;
}

static const struct crl_part *part_of(const struct crl_files *files, uint32_t origin)
{
	size_t i = files->n - 1;

	while (i > 0 && files->part[i].first > origin)
		i--;
	return &files->part[i];
}

bool crl_files_judge(const struct serial_row *first, uint32_t first_origin, const struct serial_row *second,
		     uint32_t second_origin, void *user)
{
	const struct crl_judging *judging = user;
	const struct crl_part *part;
	struct serial_key key;
	char text[SERIAL_TEXT];

	if (second->says != SOURCE_REVOKED || serial_rows_agree(first, second))
		return false;
	part = part_of(judging->files, first_origin);
	if (part != part_of(judging->files, second_origin))
		return false;
	serials_key(judging->serials, first, &key);
	serials_note(judging->serials, "%s: entries %u and %u say different things of serial %s: the worse counts",
		     part->name, first_origin - part->first + 1, second_origin - part->first + 1, serial_text(text, &key));
	return serial_row_is_worse(second, first);
}
