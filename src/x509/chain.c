/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509/chain.h"
#include "base/error.h"
#include "base/file.h"
#include "x509/signature.h"
#include "x509/subject.h"
#include <stdio.h>
#include <string.h>

void chain_done(struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++)
		gnutls_free(chain->cert[i].data);
	chain->n = 0;
}

/* Takes over `der`, and frees it where it is refused. */
static int add(struct chain *chain, gnutls_datum_t *der, const char *name, struct clinch_error *err)
{
	struct cert_view view;
	int code = 0;

	if (chain->n == CHAIN_MAX)
		code = error_set(err, CLINCH_E_TOO_LARGE, "%s: holds more than %d certificates", name, CHAIN_MAX);
	else if (!cert_view_parse(&view, der_of(der->data, der->size)))
		code = error_set(err, CLINCH_E_FORMAT, "%s: certificate %u is not a certificate in strict DER", name,
				 chain->n + 1);
	if (code < 0) {
		gnutls_free(der->data);
		return code;
	}
	chain->cert[chain->n++] = *der;
	return 0;
}

/* ---- PEM (RFC 7468), block by block, so that a private key is never decoded ---- */

struct pem_block {
	const char *label;
	size_t label_len;
	gnutls_datum_t whole;
};

static const char *find(const char *at, const char *end, const char *what)
{
	return memmem(at, (size_t)(end - at), what, strlen(what));
}

/* The next block at or after *at; its END line is looked for with the same label. */
static bool next_block(const char **at, const char *end, struct pem_block *out)
{
	static const char begin[] = "-----BEGIN ";
	char closing[80];
	const char *start = find(*at, end, begin), *label, *dashes, *close;

	if (!start)
		return false;
	label = start + sizeof(begin) - 1;
	dashes = find(label, end, "-----");
	if (!dashes || dashes - label > 40)
		return false;
	snprintf(closing, sizeof(closing), "-----END %.*s-----", (int)(dashes - label), label);
	close = find(dashes, end, closing);
	if (!close)
		return false;
	*out = (struct pem_block){ label, (size_t)(dashes - label), { (uint8_t *)start, 0 } };
	*at = close + strlen(closing);
	out->whole.size = (unsigned)(*at - start);
	return true;
}

static bool labelled(const struct pem_block *block, const char *label)
{
	return block->label_len == strlen(label) && memcmp(block->label, label, block->label_len) == 0;
}

static bool is_key(const struct pem_block *block)
{
	static const char suffix[] = "PRIVATE KEY";
	size_t len = sizeof(suffix) - 1;

	return block->label_len >= len && memcmp(block->label + block->label_len - len, suffix, len) == 0;
}

struct pem_contents {
	unsigned blocks, keys;
	char other[41]; /* the label of the first block that is neither certificate nor key */
};

static int take_block(struct chain *out, const struct pem_block *block, struct pem_contents *seen, const char *name,
		      struct clinch_error *err)
{
	gnutls_datum_t der;

	seen->blocks++;
	if (is_key(block)) {
		seen->keys++;
		return 0;
	}
	if (!labelled(block, "CERTIFICATE") && !labelled(block, "X509 CERTIFICATE")) {
		if (!seen->other[0])
			error_printable(seen->other, sizeof(seen->other), block->label, block->label_len);
		return 0;
	}
	const char *header = labelled(block, "CERTIFICATE") ? "CERTIFICATE" : "X509 CERTIFICATE";
	int rc = gnutls_pem_base64_decode2(header, &block->whole, &der);
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for certificate %u", name, out->n + 1);
	if (rc < 0)
		return error_set(err, CLINCH_E_FORMAT, "%s: certificate %u is broken PEM: %s", name, out->n + 1,
				 gnutls_strerror(rc));
	return add(out, &der, name, err);
}

static int nothing_found(const struct pem_contents *seen, const char *name, struct clinch_error *err)
{
	if (seen->keys)
		return error_set(err, CLINCH_E_FORMAT,
				 "%s: holds a private key and no certificate; give the certificate's file", name);
	if (seen->blocks)
		return error_set(err, CLINCH_E_FORMAT, "%s: holds a PEM block \"%s\" and no certificate", name, seen->other);
	return error_set(err, CLINCH_E_FORMAT, "%s: holds no certificate, neither PEM (-----BEGIN CERTIFICATE-----) nor DER",
			 name);
}

static int parse_pem(struct chain *out, const char *at, size_t len, const char *name, struct clinch_error *err)
{
	struct pem_contents seen = { .other = "" };
	struct pem_block block;
	const char *end = at + len;

	while (next_block(&at, end, &block)) {
		int code = take_block(out, &block, &seen, name, err);
		if (code < 0)
			return code;
	}
	if (find(at, end, "-----BEGIN "))
		return error_set(err, CLINCH_E_FORMAT, "%s: PEM block %u has no end line", name, seen.blocks + 1);
	return out->n ? 0 : nothing_found(&seen, name, err);
}

static int parse_der(struct chain *out, const void *bytes, size_t len, const char *name, struct clinch_error *err)
{
	gnutls_datum_t der = { gnutls_malloc(len), (unsigned)len };

	if (!der.data)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for a certificate", name);
	memcpy(der.data, bytes, len);
	return add(out, &der, name, err);
}

int chain_parse(struct chain *out, const void *bytes, size_t len, const char *name, struct clinch_error *err)
{
	struct cert_view view;

	out->n = 0;
	if (len == 0)
		return error_set(err, CLINCH_E_FORMAT, "%s: is empty", name);
	if (len > CHAIN_FILE_MAX)
		return error_set(err, CLINCH_E_TOO_LARGE, "%s: larger than %d bytes", name, CHAIN_FILE_MAX);
	if (cert_view_parse(&view, der_of(bytes, len)))
		return parse_der(out, bytes, len, name, err);
	int code = parse_pem(out, bytes, len, name, err);
	if (code < 0)
		chain_done(out);
	return code;
}

int chain_read(struct chain *out, const char *path, struct clinch_error *err)
{
	auto_buf buf = { .max = CHAIN_FILE_MAX };
	int code = file_read(&buf, path, err);

	out->n = 0;
	if (code < 0)
		return code;
	return chain_parse(out, buf.data, buf.len, strcmp(path, "-") == 0 ? "standard input" : path, err);
}

static bool issued(const gnutls_datum_t *candidate, const struct cert_view *cert)
{
	struct cert_view view;
	auto_issuer *issuer = NULL;

	/* The names first: a key is imported and a signature checked only for one that fits. */
	if (!cert_view_parse(&view, der_of(candidate->data, candidate->size)) || !der_equals(view.subject, cert->issuer))
		return false;
	return issuer_new(&issuer, candidate, NULL) == 0 && signature_check_issued(cert, issuer->key, issuer->key_kind) == 0;
}

const gnutls_datum_t *chain_find_issuer(const struct chain *pool, const gnutls_datum_t *cert)
{
	struct cert_view view;

	if (!cert_view_parse(&view, der_of(cert->data, cert->size)))
		return NULL;
	for (unsigned i = 0; i < pool->n; i++)
		if (issued(&pool->cert[i], &view))
			return &pool->cert[i];
	return NULL;
}
