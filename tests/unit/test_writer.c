/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "der/der.h"
#include "der/writer.h"
#include "unit.h"
#include <string.h>

static struct blob written(const struct der_writer *writer)
{
	return blob_of(writer->at, (size_t)(writer->end - writer->at));
}

static void assert_bytes(struct blob got, struct blob want)
{
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
}

static void writes_from_the_end_to_the_front(void **state)
{
	(void)state;
	uint8_t memory[64];
	struct der_writer writer = der_writer_on(memory, sizeof(memory));
	const uint8_t *outer = der_mark(&writer);
	der_put(&writer, DER_NULL, NULL, 0);
	der_put(&writer, DER_OID, "\x55\x04\x03", 3);
	der_close(&writer, DER_SEQUENCE, outer);
	assert_false(writer.overflow);
	assert_bytes(written(&writer), blob_hex("3007 0603550403 0500"));
}

static void closes_what_is_inside_only(void **state)
{
	(void)state;
	uint8_t memory[64];
	struct der_writer writer = der_writer_on(memory, sizeof(memory));
	const uint8_t *outer = der_mark(&writer);
	der_put(&writer, DER_INTEGER, "\x05", 1);
	const uint8_t *inner = der_mark(&writer);
	der_put(&writer, DER_OCTET_STRING, "ab", 2);
	der_close(&writer, DER_CONTEXT(0), inner);
	der_close(&writer, DER_SEQUENCE, outer);
	assert_bytes(written(&writer), blob_hex("3009 a004 04026162 020105"));
}

static void an_empty_element_is_closed_too(void **state)
{
	(void)state;
	uint8_t memory[8];
	struct der_writer writer = der_writer_on(memory, sizeof(memory));
	der_close(&writer, DER_SEQUENCE, der_mark(&writer));
	assert_bytes(written(&writer), blob_hex("3000"));
}

/* X.690 10.1 */
static void lengths_are_as_short_as_they_can_be(void **state)
{
	(void)state;
	static uint8_t memory[80000], content[70000];
	static const struct {
		size_t len;
		const char *header;
	} rows[] = { { 0, "0400" },       { 127, "047f" },       { 128, "048180" },      { 255, "0481ff" },
		     { 256, "04820100" }, { 65535, "0482ffff" }, { 65536, "0483010000" } };
	for (size_t i = 0; i < ROWS(rows); i++) {
		maker_reset();
		struct der_writer writer = der_writer_on(memory, sizeof(memory));
		der_put(&writer, DER_OCTET_STRING, content, rows[i].len);
		assert_bytes(written(&writer), CAT(blob_hex(rows[i].header), blob_fill(0, rows[i].len)));
	}
}

static void raw_bytes_go_in_as_they_are(void **state)
{
	(void)state;
	uint8_t memory[3];
	struct der_writer writer = der_writer_on(memory, sizeof(memory));
	der_put_raw(&writer, "\x05\x00", 2);
	der_put_raw(&writer, "\xff", 1);
	assert_false(writer.overflow);
	assert_bytes(written(&writer), blob_hex("ff0500"));
}

/* Every size too small by any number of bytes: nothing outside the memory is touched, and it is remembered. */
static void an_overflow_is_remembered_and_touches_nothing(void **state)
{
	(void)state;
	const size_t needed = 9;
	for (size_t size = 0; size <= needed; size++) {
		uint8_t memory[32];
		memset(memory, 0xee, sizeof(memory));
		struct der_writer writer = der_writer_on(memory + 8, size);
		const uint8_t *outer = der_mark(&writer);
		der_put(&writer, DER_NULL, NULL, 0);
		der_put(&writer, DER_OID, "\x55\x04\x03", 3);
		der_close(&writer, DER_SEQUENCE, outer);
		assert_int_equal(writer.overflow, size < needed);
		for (size_t i = 0; i < sizeof(memory); i++)
			if (i < 8 || i >= 8 + size)
				assert_int_equal(memory[i], 0xee);
	}
}

static void an_overflow_does_not_go_away(void **state)
{
	(void)state;
	uint8_t memory[4];
	struct der_writer writer = der_writer_on(memory, sizeof(memory));
	der_put(&writer, DER_OCTET_STRING, "abc", 3);
	assert_true(writer.overflow);
	der_put(&writer, DER_NULL, NULL, 0);
	assert_true(writer.overflow);
}

static void the_reader_reads_what_was_written(void **state)
{
	(void)state;
	static uint8_t memory[70100], content[70000];
	for (size_t len = 0; len < 70000; len = len * 3 / 2 + 1) {
		struct der_writer writer = der_writer_on(memory, sizeof(memory));
		const uint8_t *outer = der_mark(&writer);
		der_put(&writer, DER_OCTET_STRING, content, len);
		der_close(&writer, DER_SEQUENCE, outer);
		assert_false(writer.overflow);
		struct der in = der_of(writer.at, (size_t)(writer.end - writer.at)), inside, octets;
		assert_true(der_take(&in, DER_SEQUENCE, &inside));
		assert_true(der_at_end(&in));
		assert_true(der_take_octets(&inside, &octets));
		assert_true(der_at_end(&inside));
		assert_int_equal(der_len(octets), len);
	}
}

static void a_time_is_written_or_an_overflow(void **state)
{
	(void)state;
	uint8_t memory[32];
	int64_t read;
	struct der_writer writer = der_writer_on(memory, sizeof(memory));
	der_put_time(&writer, 1795453200);
	assert_false(writer.overflow);
	struct der in = der_of(writer.at, (size_t)(writer.end - writer.at));
	assert_true(der_take_time(&in, &read));
	assert_int_equal(read, 1795453200);
	assert_true(der_at_end(&in));
	der_put_time(&writer, INT64_MAX);
	assert_true(writer.overflow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_time_is_written_or_an_overflow),
		T(writes_from_the_end_to_the_front),
		T(closes_what_is_inside_only),
		T(an_empty_element_is_closed_too),
		T(lengths_are_as_short_as_they_can_be),
		T(raw_bytes_go_in_as_they_are),
		T(an_overflow_is_remembered_and_touches_nothing),
		T(an_overflow_does_not_go_away),
		T(the_reader_reads_what_was_written),
	};
	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
