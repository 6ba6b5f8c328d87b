/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The C library's allocator with a counter in front: this executable's own malloc, calloc, realloc and free are what every
 * library in the process calls (symbol interposition by the dynamic linker), GnuTLS and nettle too. Armed, the n-th request
 * fails. Left out is what cannot survive it: GMP, whose own functions must not fail (its manual, Custom Allocation: it ends
 * the process), and what heap.c names.
 */
#ifndef OOM_HEAP_H
#define OOM_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Whose request it was that failed: clinch's, or GnuTLS's in a call of clinch's; or gnutls_handshake()'s own; SPARED: it was
 * its turn, and it was let through. */
enum heap_failure { HEAP_NOT_FAILED, HEAP_SPARED, HEAP_FAILED_CLINCH, HEAP_FAILED_GNUTLS };

void heap_spare_what_cannot_fail(void); /* before the first call of GnuTLS that computes */
void heap_arm(unsigned long nth);       /* counted from 1; 0: count and fail nothing */
void heap_pause(bool pause);            /* while armed: requests are neither counted nor failed */
enum heap_failure heap_disarm(void);
unsigned long heap_requests(void); /* seen while armed */
long heap_live(void);              /* allocations not given back, in all of the process */

#endif
