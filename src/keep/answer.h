/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the keeper's socket: what a line that somebody sent is answered. The lines are in keep/socket.h. */
#ifndef KEEP_ANSWER_H
#define KEEP_ANSWER_H

#include "keep/status.h"

/*
 * The answer to one line, without its newline, is added to `out`. *status, NULL before, is set where more of it comes from
 * there: the caller's to free. False: no memory, or more than out->max. `outlets` may be NULL.
 */
bool answer_question(struct buf *out, struct status **status, struct keeper *keeper, const struct outlets *outlets,
		     const void *line, size_t len);

/* "clinch-error-1". `reason`: enum clinch_reason, or 0. */
bool answer_error(struct buf *out, const char *error, int reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
