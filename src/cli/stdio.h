/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_STDIO_H
#define CLI_STDIO_H

/*
 * The first thing main() does: descriptors 0 to 2 that whoever started us had closed are opened on /dev/null, or the next
 * file or socket would become standard output. Reading gives nothing; writing to a standard output that was closed stays an
 * error.
 */
void stdio_open(void);

#endif
