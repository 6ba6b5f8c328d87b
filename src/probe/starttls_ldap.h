/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LDAP's StartTLS: the one request and the one answer (RFC 4511 4.12 and 4.14). */
#ifndef PROBE_STARTTLS_LDAP_H
#define PROBE_STARTTLS_LDAP_H

#include <stddef.h>
#include <stdint.h>

enum ldap_reply { LDAP_MORE, LDAP_SUCCESS, LDAP_REFUSAL, LDAP_NONSENSE };

/* LDAPMessage { messageID 1, [APPLICATION 23] { [0] "1.3.6.1.4.1.1466.20037" } } */
extern const uint8_t ldap_starttls_request[31];

/* All bytes so far. LDAP_REFUSAL: `said` has the result code and the server's words, printable. */
enum ldap_reply ldap_starttls_reply(const uint8_t *bytes, size_t len, char *said, size_t size);

#endif
