/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crls.h"

struct blob utc(const char *text)
{
	return tlv(0x17, blob_text(text));
}

struct crl_spec crl_of(struct blob entries)
{
	return (struct crl_spec){ .issuer = CA_NAME,
				  .key = KEY_CA,
				  .scheme = ECDSA_SHA256,
				  .version = blob_hex("020101"),
				  .this_update = utc("260614120000Z"),
				  .next_update = utc("260617120000Z"),
				  .entries = entries };
}

struct blob make_crl_tbs(const struct crl_spec *spec)
{
	return SEQ(spec->version, algorithm_of(spec->scheme), common_name(spec->issuer), spec->this_update,
		   spec->next_update, spec->entries.len ? SEQ(spec->entries) : BLOB_NONE,
		   spec->extensions.len ? tlv(0xa0, SEQ(spec->extensions)) : BLOB_NONE);
}

struct blob make_whole_crl(const struct crl_spec *spec)
{
	struct blob tbs = make_crl_tbs(spec);

	return SEQ(tbs, algorithm_of(spec->scheme), bits(sign(spec->key, spec->scheme, tbs)));
}

struct blob crl_entry_with(const char *serial, struct blob extensions)
{
	return SEQ(tlv(0x02, blob_hex(serial)), utc("260601000000Z"), extensions.len ? SEQ(extensions) : BLOB_NONE);
}

struct blob crl_entry(const char *serial)
{
	return crl_entry_with(serial, BLOB_NONE);
}

struct blob crl_reason(uint8_t number)
{
	return extension(X_REASON_CODE, -1, enumerated(number));
}
