/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/certid.h"
#include "x509/signature.h"

static bool serial_is_minimal(struct der serial)
{
	return der_len(serial) == 1 || serial.at[0] != 0x00 || serial.at[1] & 0x80;
}

bool cert_id_take(struct der *in, struct cert_id *out)
{
	struct der content;

	if (!der_take(in, DER_SEQUENCE, &content) || !signature_take_digest(&content, &out->hash_oid))
		return false;
	if (!der_take_octets(&content, &out->name_hash) || !der_take_octets(&content, &out->key_hash))
		return false;
	/* Not der_take_integer(): some certificates carry a padded or a negative serial, and a CertID repeats what stands
	 * there. */
	if (!der_take(&content, DER_INTEGER, &out->serial) || der_at_end(&out->serial) || !der_at_end(&content))
		return false;
	bool positive = !(out->serial.at[0] & 0x80) && !(der_len(out->serial) == 1 && out->serial.at[0] == 0);
	out->serial_minimal = positive && serial_is_minimal(out->serial);
	return true;
}

enum subject_hash cert_id_hash(struct der hash_oid)
{
	int i = 0;

	while (i < SUBJECT_HASHES && !der_equals_bytes(hash_oid, subject_digests[i].oid, subject_digests[i].oid_len))
		i++;
	return (enum subject_hash)i;
}

bool cert_id_is_of(const struct cert_id *id, const clinch_subject_t *subject)
{
	enum subject_hash hash = cert_id_hash(id->hash_oid);

	if (hash == SUBJECT_HASHES || !der_equals(id->serial, subject->view.serial))
		return false;
	size_t len = subject_digests[hash].len;
	return der_equals_bytes(id->name_hash, subject->name_hash[hash], len) &&
	       der_equals_bytes(id->key_hash, subject->issuer->key_hash[hash], len);
}
