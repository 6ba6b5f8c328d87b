/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many certificates into a stapler, on all cores: keys, paths and staples take their time to verify. */
#ifndef SERVE_LOAD_H
#define SERVE_LOAD_H

#include <clinch/stapler.h>

/* What `before` (NULL: none), a stapler that is in use, has of them is taken over from it: stapler_inherit_entry(). The
 * first error there is, in the order of `pairs`. */
int load_pairs(clinch_stapler_t *stapler, const clinch_stapler_t *before, const struct clinch_stapler_pair *pairs,
	       unsigned n, int64_t now, struct clinch_error *err);

#endif
