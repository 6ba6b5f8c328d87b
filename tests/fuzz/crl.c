/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRLs and their files. The first byte of an input says what the rest is: a file (PEM or DER), whose signature is left
 * alone, or a tbsCertList, which the CA signs here. What was taken is found again.
 */
#include "fuzz.h"
#include "maker.h"
#include "respond/crl_files.h"
#include <string.h>

static void must_be_found(const struct crl_files *files, const struct serials *serials)
{
	struct crl_entry entry;
	struct serial_key key;

	for (size_t i = 0; i < files->n; i++) {
		struct der left = files->part[i].crl.entries;
		for (uint32_t number = 1; crl_entry_next(&left, &entry, number, "file", NULL) == 1; number++) {
			MUST(serial_from_der(&key, entry.serial));
			const struct serial_row *row = serials_find(serials, &key);
			MUST(row && row->says == SOURCE_REVOKED);
			MUST(row->reason >= -1 && row->reason <= 10 && row->reason != 7 && row->reason != 8);
		}
		MUST(der_at_end(&left));
	}
}

static void read_all(struct crl_files *files, struct blob bytes, const struct issuer *ca)
{
	struct clinch_error err = { .text = "" };
	struct serials serials = { 0 };
	struct crl_judging judging = { files, &serials };
	int rc = crl_files_parse(files, bytes.data, bytes.len, "file", ca, NOW, &err);

	if (rc == 0)
		rc = crl_files_add(files, &serials, &err);
	if (rc == 0 && serials_seal(&serials, crl_files_judge, &judging))
		must_be_found(files, &serials);
	else
		MUST(strncmp(err.text, "file", 4) == 0 && err.code < 0 && err.code != CLINCH_E_MEMORY);
	serials_done(&serials);
	crl_files_done(files);
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crl_files files;
	auto_issuer *ca = NULL;

	if (size < 1)
		return 0;
	maker_reset();
	struct blob rest = blob_of(data + 1, size - 1);
	if (data[0] % 2 == 0) {
		read_all(&files, rest, NULL);
		return 0;
	}
	const gnutls_datum_t der = blob_datum(world_ca());
	MUST(issuer_new(&ca, &der, NULL) == 0);
	read_all(&files, SEQ(rest, algorithm_of(ECDSA_SHA256), bits(sign(KEY_CA, ECDSA_SHA256, rest))), ca);
	return 0;
}

FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate_behind(1, data, size, max_size, seed);
}
