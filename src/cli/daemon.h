/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each daemon does around its work: becoming somebody who is not root, and telling systemd how it goes. */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include "cli/cli.h"
#include <sys/types.h>

/*
 * Root becomes `user` (NULL: nobody was named) with its groups, for good, before any file is opened. EXIT_ACCEPTED: go on;
 * else the exit status, which was said: root without a user and without allow_root, a user that is not there, somebody who
 * is not root and would have to become another.
 */
int daemon_become(const struct cli_command *self, const char *user, bool allow_root);
/* For who has private keys in memory: they are not left in a file when it crashes. */
void daemon_no_core(void);

/* sd_notify(3), without its library: "READY=1", "STATUS=..."; lines. Nothing happens without NOTIFY_SOCKET. */
void daemon_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
void daemon_notify_reloading(void); /* with the time that systemd wants beside it; READY=1 ends it */

/* How often WATCHDOG=1 is wanted, in milliseconds: half of the time-out. 0: it is not. */
uint32_t daemon_watchdog_ms(void);

/* --ready-file: `text` in a file that appears whole, or not at all. False: it was said. */
bool daemon_ready_file(const struct cli_command *self, const char *path, const char *text);

#endif
