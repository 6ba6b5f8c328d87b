/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BASE_DISTANCE_H
#define BASE_DISTANCE_H

/* How many letters a typing mistake changed, dropped, added or swapped; UINT_MAX: one of the words is longer than 32
 * letters, too long to be one. A hint takes 2 at most, of a short word 1: distance_hint(). */
unsigned distance_between(const char *a, const char *b);

/* The most that a hint takes for what was typed. */
unsigned distance_hint(const char *typed);

#endif
