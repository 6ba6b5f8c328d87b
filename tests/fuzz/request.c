/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests of strangers. */
#include "ocsp/request.h"
#include "fuzz.h"

static bool inside(struct der part, const uint8_t *data, size_t size)
{
	return part.at >= data && part.end >= part.at && part.end <= data + size;
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ocsp_request request;
	struct ocsp_request_entry entry;
	unsigned n = 0;

	if (!ocsp_request_parse(&request, der_of(data, size)))
		return 0;
	MUST(request.n_requests > 0);
	MUST(inside(request.requests, data, size) && inside(request.extensions, data, size));
	MUST(!request.nonce.at || inside(request.nonce, data, size));
	for (struct der left = request.requests; ocsp_request_next(&left, &entry); n++) {
		MUST(inside(entry.whole_id, data, size) && inside(entry.id.serial, data, size));
		MUST(der_len(entry.id.serial) > 0);
		(void)cert_id_hash(entry.id.hash_oid);
	}
	MUST(n == request.n_requests);
	return 0;
}

FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate_behind(0, data, size, max_size, seed);
}
