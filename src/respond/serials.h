/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table of serial numbers with what is said of each: filled once, sealed, then only read. 40 bytes a serial of up to 20
 * (RFC 5280 4.1.2.2), and 5 to 11 for finding it.
 */
#ifndef RESPOND_SERIALS_H
#define RESPOND_SERIALS_H

#include "der/der.h"
#include "respond/source.h"

#define SERIAL_BYTES 64                    /* the longest number; RFC 5280 allows 20 */
#define SERIAL_CONTENT (SERIAL_BYTES + 1)  /* of the INTEGER: a zero may stand before it */
#define SERIAL_TEXT (2 * SERIAL_BYTES + 4) /* in hexadecimal, with a minus sign and the NUL */

/* The content of an INTEGER as DER has it, minimal: one number, one key. What is behind `len` is zero. */
struct serial_key {
	uint8_t len;
	uint8_t bytes[SERIAL_CONTENT];
};

/* From the content of an INTEGER, minimal or not; false: none, or a number of more than SERIAL_BYTES. */
bool serial_from_der(struct serial_key *out, struct der content);
/* From hexadecimal digits, an even or odd number of them; false: none, something else among them, or too long. */
bool serial_from_hex(struct serial_key *out, const char *digits, size_t len);
/* As written above: "0A1B", "-80". */
const char *serial_text(char out[SERIAL_TEXT], const struct serial_key *key);

#define SERIAL_INLINE 20

struct serial_row {
	uint8_t bytes[SERIAL_INLINE]; /* a longer key: its offset among those set aside */
	uint8_t len;
	uint8_t says;  /* enum source_says */
	int8_t reason; /* -1: none given */
	uint8_t unused;
	int64_t not_after, revoked_at;
};

#define SERIALS_ODD_SIZE 300

struct serials { /* zeroed: empty */
	struct serial_row *row;
	size_t n, size;
	uint32_t *origin; /* beside row, until it is sealed */
	uint8_t *aside;
	size_t aside_len, aside_size;
	uint32_t *slot; /* row + 1; 0: empty */
	size_t mask;
	size_t n_odd;
	char odd[SERIALS_ODD_SIZE];
};

/* `origin`: a number of the caller's (the line, the entry), for serials_judge. False: no memory, or 2^32 rows. */
bool serials_add(struct serials *serials, const struct serial_key *key, const struct source_status *status, uint32_t origin);

/* Two rows of one serial, in the order they were added. True: the second one stands; the other is forgotten. */
typedef bool serials_judge(const struct serial_row *first, uint32_t first_origin, const struct serial_row *second,
			   uint32_t second_origin, void *user);
/* Finds those that are there twice, and makes it ready for reading. Nothing may be added afterwards. False: no memory. */
bool serials_seal(struct serials *serials, serials_judge *judge, void *user);

/* Something was odd, and taken at its worst: the first such sentence is kept, and how many there are. */
__attribute__((format(printf, 2, 3))) void serials_note(struct serials *serials, const char *format, ...);

const struct serial_row *serials_find(const struct serials *serials, const struct serial_key *key); /* NULL: none */
void serials_key(const struct serials *serials, const struct serial_row *row, struct serial_key *out);
void serials_done(struct serials *serials);

/* Do they say the same? And if not, is `a` the worse: revoked, not only held, earlier, sooner at its end? */
bool serial_rows_agree(const struct serial_row *a, const struct serial_row *b);
bool serial_row_is_worse(const struct serial_row *a, const struct serial_row *b);

#endif
