/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `clinch demo`: the whole loop of stapling on loopback, from clinch's own parts, with a CA made for the occasion.
 * Everything is in a directory of its own that goes at the end, on ^C too.
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <clinch/error.h>

/* 0: every step came out as it must. CLINCH_E_FORMAT: one did not, and it was shown; other errors: something failed.
 * demo_signal() is what interrupted it, or 0. */
int demo_run(struct clinch_error *err);
int demo_signal(void);

#endif
