/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log as a view of events: a line where something changed; each attempt is at debug. */
#ifndef KEEP_LOG_H
#define KEEP_LOG_H

#include "daemon/log_line.h"
#include "keep/keeper.h"

struct keep_log {
	const struct keeper *keeper;
	struct log_sink sink; /* its level: enum keep_level */
};

void keep_log_init(struct keep_log *log, const struct keeper *keeper); /* as log_sink_init() */
void keep_log_event(const struct keep_event *event, void *log);
void keep_log_say(struct keep_log *log, enum keep_level level, const char *path, const char *text);

#endif
