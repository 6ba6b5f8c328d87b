/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reader over any bytes, each way of taking; and what it takes whole, the writer writes again byte for byte. */
#include "der/der.h"
#include "der/writer.h"
#include "fuzz.h"
#include <string.h>

#define MEMORY (1 << 17)

static struct der part(struct der all)
{
	struct der content;
	return der_take(&all, DER_SEQUENCE, &content) ? content : all;
}

static void must_have_moved(struct der all, const struct der *in, bool taken)
{
	MUST(!taken || (in->at > all.at && in->at <= all.end && in->end == all.end));
}

#define TRY(call)                                                                                                           \
	do {                                                                                                                \
		in = all;                                                                                                   \
		bool taken = (call);                                                                                        \
		must_have_moved(all, &in, taken);                                                                           \
	} while (0)

static void take_as_each_type(struct der all)
{
	struct der in, content, whole;
	struct der_extension extension;
	int64_t number;
	bool value;
	uint8_t tag;

	TRY(der_take(&in, DER_SEQUENCE, &content));
	TRY(der_take_any(&in, &tag, &content, &whole));
	TRY(der_take_whole(&in, DER_SET, &content, &whole));
	TRY(der_take_boolean(&in, &value));
	TRY(der_take_integer(&in, &content));
	TRY(der_take_small(&in, DER_INTEGER, &number));
	TRY(der_take_small(&in, DER_ENUMERATED, &number));
	TRY(der_take_oid(&in, &content));
	TRY(der_take_octets(&in, &content));
	TRY(der_take_bits(&in, &content));
	TRY(der_take_null(&in));
	TRY(der_take_time(&in, &number));
	TRY(der_take_validity_time(&in, &number));
	TRY(der_take_extension(&in, &extension));
	in = all;
	while (der_take_extension(&in, &extension))
		(void)der_extension_repeats(all, &extension);
}

/* From the last element to the first, as the writer wants it: by recursion over what the reader finds. */
static bool write_again(struct der_writer *writer, struct der all, unsigned depth)
{
	struct der content, whole;
	uint8_t tag;

	if (der_at_end(&all))
		return true;
	if (!der_take_any(&all, &tag, &content, &whole) || depth > 1000 || !write_again(writer, all, depth + 1))
		return false;
	if (!(tag & 0x20)) {
		der_put(writer, tag, content.at, der_len(content));
		return true;
	}
	const uint8_t *mark = der_mark(writer);
	if (!write_again(writer, content, depth + 1))
		return false;
	der_close(writer, tag, mark);
	return true;
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[MEMORY];
	struct der all = der_of(data, size);
	struct der_writer writer = der_writer_on(memory, sizeof(memory)), small = der_writer_on(memory, size / 2);

	if (size > MEMORY / 2)
		return 0;
	take_as_each_type(all);
	take_as_each_type(part(all));
	if (der_is_well_formed(all) && write_again(&writer, all, 0)) {
		MUST(!writer.overflow);
		MUST(der_equals_bytes(all, writer.at, (size_t)(writer.end - writer.at)));
		MUST(write_again(&small, all, 0));
		MUST(small.overflow == (size > 0));
	}
	return 0;
}

FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t mutated = seed % 2 ? der_mutate(data, size, max_size, seed / 2) : 0;

	return mutated > 0 ? mutated : LLVMFuzzerMutate(data, size, max_size);
}
