/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void fill(struct clinch_error *err, int code, const char *format,
						       va_list arguments)
{
	if (!err)
		return;
	err->code = code;
	err->gnutls = 0;
	err->sys_errno = 0;
	vsnprintf(err->text, sizeof(err->text), format, arguments);
}

static void add(struct clinch_error *err, const char *cause)
{
	size_t len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", cause);
}

int error_set(struct clinch_error *err, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(err, code, format, arguments);
	va_end(arguments);
	return code;
}

int error_errno(struct clinch_error *err, const char *format, ...)
{
	int number = errno;
	int code = number == ENOMEM ? CLINCH_E_MEMORY : CLINCH_E_FILE;
	va_list arguments;

	va_start(arguments, format);
	fill(err, code, format, arguments);
	va_end(arguments);
	if (err) {
		char text[128];

		err->sys_errno = number;
		add(err, strerror_r(number, text, sizeof(text)));
	}
	errno = number;
	return code;
}

int error_gnutls(struct clinch_error *err, int rc, const char *format, ...)
{
	int code = rc == GNUTLS_E_MEMORY_ERROR ? CLINCH_E_MEMORY : CLINCH_E_GNUTLS;
	va_list arguments;

	va_start(arguments, format);
	fill(err, code, format, arguments);
	va_end(arguments);
	if (err) {
		err->gnutls = rc;
		add(err, gnutls_strerror(rc));
	}
	return code;
}

const char *error_printable(char *out, size_t size, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	size_t n = 0;

	for (; n < len && n + 1 < size; n++)
		out[n] = from[n] >= 0x20 && from[n] < 0x7f ? (char)from[n] : '?';
	if (size)
		out[n] = '\0';
	return out;
}

const char *clinch_strerror(int code)
{
	switch (code) {
	case CLINCH_OK:
		return "success";
	case CLINCH_E_MEMORY:
		return "out of memory";
	case CLINCH_E_ARGUMENT:
		return "the call's arguments are wrong";
	case CLINCH_E_FILE:
		return "a file could not be read or written";
	case CLINCH_E_FORMAT:
		return "the bytes are not what they should be";
	case CLINCH_E_TOO_LARGE:
		return "larger than the limit";
	case CLINCH_E_NOT_ISSUER:
		return "the issuer given did not issue the certificate";
	case CLINCH_E_UNSUPPORTED:
		return "not supported";
	case CLINCH_E_GNUTLS:
		return "GnuTLS failed";
	case CLINCH_E_NETWORK:
		return "the network, a peer or a proxy failed";
	case CLINCH_E_TIMEOUT:
		return "the deadline passed";
	case CLINCH_E_MISSING:
		return "what was asked for is not there";
	default:
		return "unknown error code";
	}
}

bool clinch_is_temporary(int code)
{
	return code == CLINCH_E_MEMORY || code == CLINCH_E_NETWORK || code == CLINCH_E_TIMEOUT;
}
