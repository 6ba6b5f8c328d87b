/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the targets share. Each is one source file with LLVMFuzzerTestOneInput(); replay.c is the main() that reads files. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer's names; they have to be found from outside. */
#define FUZZ_API __attribute__((visibility("default")))
FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));

/* What must hold for every input; not assert(), which a release build takes out. */
#define MUST(condition)                                                                                                     \
	do {                                                                                                                \
		if (!(condition)) {                                                                                         \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                           \
			abort();                                                                                            \
		}                                                                                                           \
	} while (0)

/*
 * One change to DER that leaves every length right: an element somewhere in the tree is altered, taken out, doubled, or
 * given the content of another. `data` holds elements one after the other. The new size; 0 where it is no DER or does not
 * fit.
 */
size_t der_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* That, behind the first `skip` bytes, for three seeds of four; else, and where it gives 0, libFuzzer's own change. */
size_t der_mutate_behind(size_t skip, uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
