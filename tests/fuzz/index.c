/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A CA's index.txt and a list of issued serials: read, or refused with the line; what was read is found again. The first
 * byte of an input says which of the two the rest is.
 */
#include "respond/index.h"
#include "fuzz.h"
#include "respond/issued.h"
#include <string.h>

static bool first_stands(const struct serial_row *first, uint32_t first_line, const struct serial_row *second,
			 uint32_t second_line, void *user)
{
	(void)user;
	MUST(first_line < second_line && serial_rows_agree(first, second));
	return false;
}

static void must_be_whole(const struct serials *serials)
{
	char text[SERIAL_TEXT];
	struct serial_key key, again;

	for (size_t i = 0; i < serials->n; i++) {
		const struct serial_row *row = &serials->row[i];
		serials_key(serials, row, &key);
		MUST(serials_find(serials, &key) == row);
		MUST(row->says == SOURCE_VALID || row->says == SOURCE_REVOKED);
		MUST(row->reason >= -1 && row->reason <= 10 && row->reason != 7 && row->reason != 8);
		MUST(row->says == SOURCE_REVOKED || (row->reason == -1 && row->revoked_at == 0));
		serial_text(text, &key);
		MUST(serial_from_hex(&again, text, strlen(text)));
		MUST(again.len == key.len && memcmp(again.bytes, key.bytes, key.len) == 0);
		MUST(serial_from_der(&again, der_of(key.bytes, key.len)) && again.len == key.len);
	}
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clinch_error err = { .text = "" };
	struct serials serials = { 0 };
	unsigned line = 0;
	int rc;

	if (size < 1)
		return 0;
	if (data[0] % 2) {
		rc = issued_parse(&serials, data + 1, size - 1, "file", &err);
		MUST(rc < 0 || serials_seal(&serials, first_stands, NULL));
	} else {
		rc = index_parse(&serials, data + 1, size - 1, "file", 1767225600, &err);
	}
	if (rc == 0) {
		MUST(size == 1 || data[size - 1] == '\n');
		must_be_whole(&serials);
	} else {
		MUST(rc == CLINCH_E_FORMAT && err.code == rc);
		MUST(sscanf(err.text, "file: line %u", &line) == 1 && line > 0);
	}
	serials_done(&serials);
	return 0;
}
