/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the demo is played on: a directory of its own, which becomes the working directory; the programs started in it, each
 * with its log; and an end that leaves nothing of them, also after SIGINT, SIGTERM, SIGHUP. One stage a process.
 */
#ifndef DEMO_STAGE_H
#define DEMO_STAGE_H

#include "base/buf.h"
#include "report/report.h"
#include <limits.h>
#include <sys/types.h>

enum stage_part { STAGE_RESPONDER, STAGE_SERVER, STAGE_CARELESS, STAGE_BACKEND, STAGE_PARTS };

struct stage {
	char dir[PATH_MAX], clinch[PATH_MAX];
	struct report_style style;
	int64_t ends_ms; /* the demo as a whole, on the monotonic clock */
	pid_t pid[STAGE_PARTS];
};

#define STAGE_WORDS 32 /* of a command, its NULL included */

/* Makes the directory under $TMPDIR or /tmp; `whole_s` from now on every wait fails. */
int stage_open(struct stage *stage, unsigned whole_s, struct clinch_error *err);
/* Ends every part, removes the directory. */
void stage_close(struct stage *stage);
/* The signal that asks for the end; 0: none came. Every wait fails after one. */
int stage_signal(void);

/*
 * Starts `clinch` with these words (ended by NULL) as `part`, shows the command, and waits until `ready` is there with a
 * line in it: the address, into `address`. The log goes to stage_log(part).
 */
#define STAGE_ADDRESS 64
int stage_start(struct stage *stage, enum stage_part part, const char *const *words, const char *ready,
		char address[STAGE_ADDRESS], struct clinch_error *err);
const char *stage_log(enum stage_part part);
/* Runs `work(user)` in a process of its own, as `part`. */
int stage_fork(struct stage *stage, enum stage_part part, void (*work)(void *user), void *user, struct clinch_error *err);
void stage_stop(struct stage *stage, enum stage_part part); /* SIGTERM, and SIGKILL where that is not heard */

/* Runs `clinch` with these words to its end. `out` NULL: shown, command and all; else its stdout. */
int stage_run(struct stage *stage, const char *const *words, struct buf *out, int *status, struct clinch_error *err);

/* Waits until true(user) is, for `seconds` at most; `what` is for the message. */
int stage_wait(struct stage *stage, bool (*is_true)(void *user), void *user, unsigned seconds, const char *what,
	       struct clinch_error *err);
/* The first line of a part's log behind `since` that matches an extended regular expression, into `line`. */
int stage_wait_log(struct stage *stage, enum stage_part part, size_t since, const char *pattern, struct buf *line,
		   struct clinch_error *err);
size_t stage_log_size(enum stage_part part);

/* Talk, on stdout. */
void stage_title(const struct stage *stage, const char *title);
void stage_say(const struct stage *stage, enum report_tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
