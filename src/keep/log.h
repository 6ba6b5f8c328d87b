/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log as a view of events: a line on stderr where something changed, key=value or JSON. Each attempt is at debug. Of one
 * kind of event and level at most so many lines are written in a while; how many were left out is said.
 */
#ifndef KEEP_LOG_H
#define KEEP_LOG_H

#include "keep/keeper.h"

#define LOG_BURST 200  /* lines of one kind and level ... */
#define LOG_WHILE_S 60 /* ... in so many seconds */

struct keep_log {
	const struct keeper *keeper;
	enum keep_level level; /* and what is more urgent */
	bool json;
	bool prefixed; /* "<6>" before each line, for the journal, which has the time itself */
	struct keep_log_rate {
		int64_t since;
		unsigned lines, left_out;
	} rate[KEEP_EVENT_KINDS][KEEP_DEBUG + 1];
};

void keep_log_init(struct keep_log *log, const struct keeper *keeper); /* level info, text; prefixes by JOURNAL_STREAM */
void keep_log_event(const struct keep_event *event, void *log);
void keep_log_say(struct keep_log *log, enum keep_level level, const char *path, const char *text);

#endif
