/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/starttls_ldap.h"
#include "base/error.h"
#include "der/der.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TAG_EXTENDED_RESPONSE 0x78 /* [APPLICATION 24] */

#define START_TLS_OID "1.3.6.1.4.1.1466.20037"

const uint8_t ldap_starttls_request[31] = {
	DER_SEQUENCE,
	29,
	DER_INTEGER,
	1,
	1,
	0x77,
	24,
	DER_CONTEXT_PRIMITIVE(0),
	sizeof(START_TLS_OID) - 1,
	'1',
	'.',
	'3',
	'.',
	'6',
	'.',
	'1',
	'.',
	'4',
	'.',
	'1',
	'.',
	'1',
	'4',
	'6',
	'6',
	'.',
	'2',
	'0',
	'0',
	'3',
	'7',
};

/*
 * LDAP is BER with definite lengths (RFC 4511 5.1), and Active Directory writes each length of a constructed type as 84 and
 * four bytes. So the two outer headers are read here, and only what is in them by the strict reader.
 */
static enum ldap_reply ber_take(struct der *in, uint8_t tag, struct der *content)
{
	size_t have = der_len(*in), length, header = 2;

	if (have && in->at[0] != tag)
		return LDAP_NONSENSE;
	if (have < 2)
		return LDAP_MORE;
	length = in->at[1];
	if (length & 0x80) {
		unsigned bytes = length & 0x7f;

		if (!bytes || bytes > 4)
			return LDAP_NONSENSE;
		if (have < 2 + bytes)
			return LDAP_MORE;
		length = 0;
		for (header = 2; header < 2 + bytes; header++)
			length = length << 8 | in->at[header];
	}
	if (length > have - header)
		return LDAP_MORE;
	*content = der_of(in->at + header, length);
	in->at += header + length;
	return LDAP_SUCCESS;
}

/* LDAPResult: resultCode, matchedDN, diagnosticMessage; what may follow is not needed. */
static enum ldap_reply read_result(struct der result, char *said, size_t size)
{
	struct der matched, message;
	char words[100];
	int64_t code;

	if (!der_take_small(&result, DER_ENUMERATED, &code) || !der_take_octets(&result, &matched) ||
	    !der_take_octets(&result, &message))
		return LDAP_NONSENSE;
	if (!code)
		return LDAP_SUCCESS;
	error_printable(words, sizeof(words), message.at, der_len(message));
	snprintf(said, size, "LDAP result %lld \"%s\"", (long long)code, words);
	return LDAP_REFUSAL;
}

enum ldap_reply ldap_starttls_reply(const uint8_t *bytes, size_t len, char *said, size_t size)
{
	struct der in = der_of(bytes, len), message, result;
	enum ldap_reply outer = ber_take(&in, DER_SEQUENCE, &message);
	int64_t id;

	if (outer != LDAP_SUCCESS)
		return outer;
	/* messageID 0 is a Notice of Disconnection (4.4.1): a refusal whose words are worth reading too */
	if (!der_take_small(&message, DER_INTEGER, &id) || (id != 0 && id != 1) ||
	    ber_take(&message, TAG_EXTENDED_RESPONSE, &result) != LDAP_SUCCESS)
		return LDAP_NONSENSE;
	outer = read_result(result, said, size);
	return outer == LDAP_SUCCESS && id != 1 ? LDAP_NONSENSE : outer;
}
