/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper: which files a configured path means, and which directories must be watched to learn of others. */
#ifndef KEEP_PATHS_H
#define KEEP_PATHS_H

#include <stdbool.h>

struct paths_taker {
	void (*file)(const char *path, void *user); /* it may be there or not */
	void (*dir)(const char *path, void *user);  /* new files may appear in it; it may not be there yet */
	void *user;
};

/*
 * A directory means each file in it whose name ends in .pem, .crt or .cer and does not begin with a dot; a pattern (glob(7))
 * what it matches; anything else itself. False: no memory, or a directory that cannot be read (errno).
 */
bool paths_expand(const char *source, const struct paths_taker *taker);

/*
 * The directories whose events tell that `path` has become another file: that of the path and of each symbolic link on the
 * way, the nearest one that is there for what is missing. `dir` is called for each.
 */
void paths_on_the_way(const char *path, const struct paths_taker *taker);

#endif
