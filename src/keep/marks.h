/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside an outlet: a set of certificates by fingerprint, and which of them changed and were not put out yet. */
#ifndef KEEP_MARKS_H
#define KEEP_MARKS_H

#include "x509/subject.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mark {
	uint8_t fingerprint[FINGERPRINT_LEN];
	bool used, pending;
	int64_t served_until; /* the end of what was put out last; 0: nothing was */
};

struct marks { /* zeroed: empty */
	struct mark *slot;
	size_t n_slots, n, n_pending;
};

struct mark *marks_find(const struct marks *marks, const uint8_t *fingerprint); /* NULL: it is not there */
/* Found or added; good until the next one is added. NULL: no memory. */
struct mark *marks_put(struct marks *marks, const uint8_t *fingerprint);
void marks_set(struct marks *marks, struct mark *mark, bool pending);
void marks_remove(struct marks *marks, const uint8_t *fingerprint);

/* The fingerprints of all that are pending, which are no longer: *n of them, the caller's to free(). NULL with *n == 0:
 * there are none; with *n > 0: no memory, and nothing was changed. */
uint8_t (*marks_take(struct marks *marks, size_t *n))[FINGERPRINT_LEN];
void marks_done(struct marks *marks);

#endif
