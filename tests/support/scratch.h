/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>

#define SCRATCH_SIZE 128

/*
 * A template for mkstemp() and mkdtemp() in $TMPDIR, which `make check` expects to be empty in the end: what a test leaves
 * behind is noticed. `out` is returned.
 */
static inline char *scratch_template(char out[SCRATCH_SIZE], const char *name)
{
	const char *dir = getenv("TMPDIR");

	snprintf(out, SCRATCH_SIZE, "%s/clinch-%.32s-XXXXXX", dir && *dir ? dir : "/tmp", name);
	return out;
}

#endif
