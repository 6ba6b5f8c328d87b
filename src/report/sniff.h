/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What bytes are that are not what they should be: for a message, never for a decision about belief. */
#ifndef REPORT_SNIFF_H
#define REPORT_SNIFF_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sniffed {
	SNIFF_NOTHING, /* no bytes */
	SNIFF_RESPONSE,
	SNIFF_REQUEST,
	SNIFF_CERTIFICATE,
	SNIFF_CRL,
	SNIFF_CERTIFICATE_REQUEST,
	SNIFF_PRIVATE_KEY,
	SNIFF_PEM, /* of whatever kind */
	SNIFF_HTML,
	SNIFF_BASE64, /* of something in DER */
	SNIFF_TEXT,
	SNIFF_DER, /* one element, of a kind not known here */
	SNIFF_BINARY,
	SNIFFED_COUNT,
};

enum sniffed sniff(const void *bytes, size_t len);
const char *sniff_name(enum sniffed kind); /* "an HTML page"; static */

/* Are `bytes` not one element of well-formed DER? Then *at is the offset where they stop being one; `len`: they end too
 * soon. */
bool sniff_fault(const void *bytes, size_t len, size_t *at);

/* ": the bytes stop making sense at byte 12 of 90", ": the bytes end too soon, after 90"; nothing where there is no fault.
 */
void sniff_put_fault(struct buf *out, const void *bytes, size_t len);

#endif
