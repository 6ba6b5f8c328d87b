/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <string.h>

/* Settings that need not be there: NULL is the same as NULL, and as no text, "" included. */
static inline bool text_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

#endif
