/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef REPORT_EXIT_H
#define REPORT_EXIT_H

/* Exit statuses: an interface, the same in every command (clinch(1)). */
enum cli_exit {
	EXIT_ACCEPTED = 0,
	EXIT_NOT_FOUND_OUT = 1, /* network, file, memory */
	EXIT_USAGE = 2,
	EXIT_REVOKED = 3,
	EXIT_NOT_BELIEVED = 4, /* a staple, a response, a path or a name */
	EXIT_MISSING = 5,
	EXIT_UNKNOWN = 6,
	EXIT_TEMPORARY = 75,
};

#endif
