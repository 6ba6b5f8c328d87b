/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a server or a proxy says in the clear, in pieces: the same bytes in other pieces lead to the same end. */
#include "probe/starttls.h"
#include "fuzz.h"
#include <string.h>

struct end {
	enum starttls_step step;
	size_t taken, sent;
};

static struct end talk(const uint8_t *data, size_t size, enum starttls_protocol protocol, size_t piece)
{
	struct starttls dialogue;
	struct end end = { .step = starttls_begin(&dialogue, protocol, "[127.0.0.1]") };
	size_t rounds = 0;

	while (end.step == STARTTLS_MORE || end.step == STARTTLS_SEND) {
		if (end.step == STARTTLS_SEND) {
			MUST(dialogue.send_len > 0 && dialogue.send_len <= sizeof(dialogue.send));
			end.sent += dialogue.send_len;
		}
		size_t left = size - end.taken, n = left < piece ? left : piece, used = 0;
		if (n == 0)
			break;
		end.step = starttls_feed(&dialogue, data + end.taken, n, &used);
		MUST(used <= n);
		MUST(used > 0 || end.step == STARTTLS_READY || end.step == STARTTLS_REFUSED || end.step == STARTTLS_SEND);
		MUST(++rounds <= 2 * size + 16);
		end.taken += used;
	}
	if (end.step == STARTTLS_REFUSED)
		MUST(dialogue.refusal[0] && memchr(dialogue.refusal, 0, sizeof(dialogue.refusal)));
	return end;
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum starttls_protocol protocol = data[0] % STARTTLS_PROTOCOLS;
	const struct end whole = talk(data + 2, size - 2, protocol, SIZE_MAX);
	const struct end bytes = talk(data + 2, size - 2, protocol, 1);
	talk(data + 2, size - 2, protocol, 1u + data[1]);
	MUST(whole.step != STARTTLS_READY || protocol != STARTTLS_NONE || whole.taken == 0);
	/* What stands behind the permission for TLS is refused when it is seen; byte by byte it is not there yet. */
	if (whole.step == STARTTLS_READY)
		MUST(bytes.step == STARTTLS_READY && bytes.sent == whole.sent);
	return 0;
}
