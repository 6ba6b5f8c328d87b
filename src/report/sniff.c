/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report/sniff.h"
#include "base/cleanup.h"
#include "ocsp/request.h"
#include "x509/cert_view.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 24
#define PEM_BEGIN "-----BEGIN "
#define LOOKED_AT 4096

const char *sniff_name(enum sniffed kind)
{
	static const char *const names[SNIFFED_COUNT] = {
		[SNIFF_NOTHING] = "nothing",
		[SNIFF_RESPONSE] = "an OCSP response",
		[SNIFF_REQUEST] = "an OCSP request",
		[SNIFF_CERTIFICATE] = "a certificate",
		[SNIFF_CRL] = "a CRL",
		[SNIFF_CERTIFICATE_REQUEST] = "a certificate signing request",
		[SNIFF_PRIVATE_KEY] = "a private key",
		[SNIFF_PEM] = "PEM",
		[SNIFF_HTML] = "an HTML page",
		[SNIFF_BASE64] = "base64",
		[SNIFF_TEXT] = "text",
		[SNIFF_DER] = "DER of another kind",
		[SNIFF_BINARY] = "binary data that is not DER",
	};

	return kind < SNIFFED_COUNT ? names[kind] : "something";
}

/* ---- DER ---- */

static bool is_crl(const gnutls_datum_t *der)
{
	gnutls_x509_crl_t crl;
	bool is = false;

	if (gnutls_x509_crl_init(&crl))
		return false;
	is = !gnutls_x509_crl_import(crl, der, GNUTLS_X509_FMT_DER);
	gnutls_x509_crl_deinit(crl);
	return is;
}

static bool is_certificate_request(const gnutls_datum_t *der)
{
	gnutls_x509_crq_t request;
	bool is = false;

	if (gnutls_x509_crq_init(&request))
		return false;
	is = !gnutls_x509_crq_import(request, der, GNUTLS_X509_FMT_DER);
	gnutls_x509_crq_deinit(request);
	return is;
}

/* PKCS#1, SEC 1 and PKCS#8 all begin with a small version; PKCS#8 encrypted is an AlgorithmIdentifier and octets. */
static bool is_private_key(struct der content)
{
	struct der algorithm, octets;
	int64_t version;

	if (der_next_is(&content, DER_INTEGER))
		return der_take_small(&content, DER_INTEGER, &version) && version >= 0 && version <= 1 &&
		       !der_at_end(&content);
	return der_take(&content, DER_SEQUENCE, &algorithm) && der_take_octets(&content, &octets) && der_at_end(&content);
}

static enum sniffed sniff_der(const uint8_t *bytes, size_t len, struct der content)
{
	gnutls_datum_t der = { (unsigned char *)(uintptr_t)bytes, (unsigned)len };
	struct ocsp_request request;
	struct cert_view cert;

	if (der_next_is(&content, DER_ENUMERATED))
		return SNIFF_RESPONSE;
	if (cert_view_parse(&cert, der_of(bytes, len)))
		return SNIFF_CERTIFICATE;
	if (ocsp_request_parse(&request, der_of(bytes, len)))
		return SNIFF_REQUEST;
	if (is_private_key(content))
		return SNIFF_PRIVATE_KEY;
	if (is_crl(&der))
		return SNIFF_CRL;
	return is_certificate_request(&der) ? SNIFF_CERTIFICATE_REQUEST : SNIFF_DER;
}

/* ---- text ---- */

/* Latin script, in whatever encoding: DER has more of the high bytes, or zeros. */
static bool is_text(const uint8_t *bytes, size_t len)
{
	size_t high = 0;

	for (size_t i = 0; i < len; i++) {
		if ((bytes[i] < ' ' && !strchr("\t\n\r\f", bytes[i])) || !bytes[i] || bytes[i] == 0x7f)
			return false;
		high += bytes[i] >= 0x80;
	}
	return high <= len / 4;
}

static bool is_base64(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum(bytes[i]) && !strchr("+/=\r\n", bytes[i]))
			return false;
	return len > 16 && !memcmp(bytes, "MI", 2); /* SEQUENCE with a long length */
}

static enum sniffed sniff_text(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;

	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	if (len > 1 && text[0] == '<' && (text[1] == '!' || isalpha((unsigned char)text[1])))
		return SNIFF_HTML;
	return is_base64((const uint8_t *)text, len) ? SNIFF_BASE64 : SNIFF_TEXT;
}

static enum sniffed sniff_pem(const uint8_t *bytes, size_t len)
{
	static const struct {
		const char *label;
		enum sniffed kind;
	} rows[] = {
		{ "CERTIFICATE-----", SNIFF_CERTIFICATE },
		{ "TRUSTED CERTIFICATE-----", SNIFF_CERTIFICATE },
		{ "X509 CRL-----", SNIFF_CRL },
		{ "CERTIFICATE REQUEST-----", SNIFF_CERTIFICATE_REQUEST },
		{ "NEW CERTIFICATE REQUEST-----", SNIFF_CERTIFICATE_REQUEST },
		{ "PRIVATE KEY-----", SNIFF_PRIVATE_KEY },
		{ "EC PRIVATE KEY-----", SNIFF_PRIVATE_KEY },
		{ "RSA PRIVATE KEY-----", SNIFF_PRIVATE_KEY },
		{ "ENCRYPTED PRIVATE KEY-----", SNIFF_PRIVATE_KEY },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (len >= strlen(rows[i].label) && !memcmp(bytes, rows[i].label, strlen(rows[i].label)))
			return rows[i].kind;
	return SNIFF_PEM;
}

enum sniffed sniff(const void *bytes, size_t len)
{
	const uint8_t *pem, *end;
	struct der in, content;

	if (!len)
		return SNIFF_NOTHING;
	end = (const uint8_t *)bytes + len;
	pem = memmem(bytes, len, PEM_BEGIN, strlen(PEM_BEGIN));
	if (pem)
		return sniff_pem(pem + strlen(PEM_BEGIN), (size_t)(end - pem) - strlen(PEM_BEGIN));
	if (is_text(bytes, len < LOOKED_AT ? len : LOOKED_AT))
		return sniff_text(bytes, len < LOOKED_AT ? len : LOOKED_AT);
	in = der_of(bytes, len);
	if (der_take(&in, DER_SEQUENCE, &content) && der_at_end(&in))
		return sniff_der(bytes, len, content);
	/* cut off, or with something behind it, but begun as one */
	in = der_of(bytes, len);
	if (len > 8 && in.at[0] == DER_SEQUENCE && (in.at[1] & 0x80) && in.at[2 + (in.at[1] & 3)] == DER_ENUMERATED)
		return SNIFF_RESPONSE;
	return SNIFF_BINARY;
}

/* ---- where it stops ---- */

/* The bytes of the header at `in`, and how long its content says it is; 0: it is none. */
static size_t header_len(struct der in, size_t *content_len)
{
	size_t n;

	if (der_len(in) < 2 || (in.at[0] & 0x1f) == 0x1f || in.at[1] == 0x80)
		return 0;
	*content_len = in.at[1];
	if (in.at[1] < 0x80)
		return 2;
	n = in.at[1] & 0x7f;
	if (n > sizeof(uint32_t) || der_len(in) < 2 + n)
		return 0;
	*content_len = 0;
	for (size_t i = 0; i < n; i++)
		*content_len = *content_len << 8 | in.at[2 + i];
	return 2 + n;
}

static const uint8_t *first_fault(struct der in, unsigned depth);

/* An element that is longer than what there is: the fault is further in, or at the end. */
static const uint8_t *fault_of_cut(struct der in, unsigned depth)
{
	size_t content_len, header = header_len(in, &content_len);
	const uint8_t *fault = NULL;

	if (!header || content_len <= der_len(in) - header)
		return in.at;
	if (in.at[0] & 0x20)
		fault = first_fault((struct der){ in.at + header, in.end }, depth + 1);
	return fault ? fault : in.end;
}

/* OCTET STRINGs are not looked into: whether they hold DER is for their type to say. */
static const uint8_t *first_fault(struct der in, unsigned depth)
{
	while (!der_at_end(&in)) {
		struct der start = in, content, whole;
		const uint8_t *fault;
		uint8_t tag;

		if (depth > DEPTH_MAX)
			return in.at;
		if (!der_take_any(&in, &tag, &content, &whole))
			return fault_of_cut(start, depth);
		fault = tag & 0x20 ? first_fault(content, depth + 1) : NULL;
		if (fault)
			return fault;
	}
	return NULL;
}

bool sniff_fault(const void *bytes, size_t len, size_t *at)
{
	struct der in, content, whole;
	const uint8_t *fault;
	uint8_t tag;

	*at = 0;
	if (!len)
		return true;
	in = der_of(bytes, len);
	if (!der_take_any(&in, &tag, &content, &whole))
		fault = fault_of_cut(der_of(bytes, len), 0);
	else if (!der_at_end(&in))
		fault = in.at;
	else
		fault = tag & 0x20 ? first_fault(content, 1) : NULL;
	if (fault)
		*at = (size_t)(fault - (const uint8_t *)bytes);
	return fault;
}

void sniff_put_fault(struct buf *out, const void *bytes, size_t len)
{
	size_t at;

	if (!sniff_fault(bytes, len, &at))
		return;
	if (at == len)
		buf_printf(out, ": the bytes end too soon, after %zu", len);
	else
		buf_printf(out, ": the bytes stop making sense at byte %zu of %zu", at, len);
}
