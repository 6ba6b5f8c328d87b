/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CertID (RFC 6960 4.1.1): hash algorithm, hash of the issuer's name, hash of the issuer's key, serial number. */
#ifndef OCSP_CERTID_H
#define OCSP_CERTID_H

#include "der/der.h"
#include "x509/subject.h"

struct cert_id {
	struct der hash_oid, name_hash, key_hash, serial; /* serial: content bytes as they stand */
	bool serial_minimal;
};

bool cert_id_take(struct der *in, struct cert_id *out);
bool cert_id_is_of(const struct cert_id *id, const clinch_subject_t *subject);
/* Which of the known digests; SUBJECT_HASHES: none. */
enum subject_hash cert_id_hash(struct der hash_oid);

#endif
