/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `keep` runs in clinch-keep, and the front offers it: what both say of it. */
#ifndef CLI_KEEP_OPTIONS_H
#define CLI_KEEP_OPTIONS_H

#include "cli/cli.h"

enum keep_option {
	KEEP_ONCE = 1,
	KEEP_PRINT_DEFAULTS,
};

#define KEEP_NAME "keep"
#define KEEP_SUMMARY "keep fresh, verified responses for the certificates of any server"
#define KEEP_OPERANDS ""
extern const struct cli_option keep_options[];
extern const char keep_examples[];

#endif
