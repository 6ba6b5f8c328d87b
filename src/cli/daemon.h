/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each daemon does around its work: its options, becoming somebody who is not root, telling systemd how it goes. */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include "cli/cli.h"
#include <sys/types.h>

/* In the table of a command beside its own, which are smaller. */
enum daemon_option {
	DAEMON_CONF = 1000,
	DAEMON_READY_FILE,
	DAEMON_CHECK_CONFIG,
	DAEMON_USER,
	DAEMON_ALLOW_ROOT,
	DAEMON_FORMAT,
	DAEMON_VERBOSE,
};

struct daemon_settings {  /* argv's */
	const char *file; /* -c; NULL: the options alone */
	const char *user, *ready_file;
	bool allow_root, check_config, verbose;
	int json; /* --format: 0 is text */
};

/* Takes one of these options; no operand. As a cli_take does. */
int daemon_take(const struct cli *cli, int id, struct daemon_settings *set);

/*
 * After all options, of which `given` (NULL: none) is the first that a configuration has instead: the file of the system is
 * meant where there is nothing else. -1: go on; EXIT_USAGE: both were given, which was said.
 */
int daemon_settle(struct daemon_settings *set, const char *given, const struct cli_command *self);

bool daemon_reads_again(const struct daemon_settings *set); /* a file, which standard input is not */

/*
 * Root becomes set->user, else `user` of the configuration (NULL: nobody was named), with its groups, for good, before any
 * file is opened. EXIT_ACCEPTED: go on; else the exit status, which was said: root without a user and without --allow-root,
 * a user that is not there, somebody who is not root and would have to become another.
 */
int daemon_become(const struct cli_command *self, const struct daemon_settings *set, const char *user);
/* For who has private keys in memory: they are not left in a core when it crashes. Who may read /proc/PID/mem still may. */
void daemon_no_core(void);

/* sd_notify(3), without its library: "READY=1", "STATUS=..."; lines. Nothing happens without NOTIFY_SOCKET. */
void daemon_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
void daemon_notify_reloading(void); /* with the time that systemd wants beside it; READY=1 ends it */

/* How often WATCHDOG=1 is wanted, in milliseconds: half of the time-out. 0: it is not. */
uint32_t daemon_watchdog_ms(void);
/* Once a second, by the thread that matters; `seconds` counts them. */
void daemon_alive(uint32_t watchdog_ms, unsigned seconds);

/* For who gives one a second, and is wanted to oftener. */
#define DAEMON_WATCHDOG_TOO_FAST                                                                                            \
	"the watchdog wants a sign more often than it is given one, once a second: set WatchdogSec= to 2s or more"

/* --ready-file: `text` in a file that appears whole, or not at all. False: it was said. */
bool daemon_ready_file(const struct cli_command *self, const char *path, const char *text);
/* The addresses of a server, one a line. Nothing happens where `path` is NULL. */
void daemon_ready_addresses(const struct cli_command *self, const char *path, const char *const *bound, size_t n);

#endif
