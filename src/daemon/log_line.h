/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of a daemon, whichever it is: a line on stderr where something changed, key=value or JSON, in one write. Of one
 * kind of event and level at most so many lines are written in a while; how many were left out is said. From any thread.
 */
#ifndef MONITOR_LOG_LINE_H
#define MONITOR_LOG_LINE_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_BURST 200  /* lines of one kind and level ... */
#define LOG_WHILE_S 60 /* ... in so many seconds; without limit where the sink's level is debug */
#define LOG_KINDS_MAX 32
#define LOG_LEVEL_ERROR 3 /* levels are syslog's */
#define LOG_LEVEL_WARNING 4
#define LOG_LEVEL_INFO 6
#define LOG_LEVEL_DEBUG 7

struct log_sink {
	atomic_int level; /* and what is more urgent */
	atomic_bool json;
	bool prefixed;        /* "<6>" before each line, for the journal, which has the time itself */
	pthread_mutex_t lock; /* of `rate` */
	struct log_rate {
		int64_t since;
		unsigned lines, left_out;
	} rate[LOG_KINDS_MAX][LOG_LEVEL_DEBUG + 1];
};

void log_sink_init(struct log_sink *sink); /* level info, text; prefixes by JOURNAL_STREAM. Nothing has to be released */

struct log_line {
	struct log_sink *sink;
	int level;
	json_t *members; /* in their order */
};

/*
 * The line gets time, level and event. False: this is not written (too quiet, or too many of `kind`), nothing was taken.
 * `kind` is the caller's number for `event`, below LOG_KINDS_MAX; `at` Unix seconds.
 */
bool log_line_begin(struct log_line *line, struct log_sink *sink, unsigned kind, const char *event, int level, int64_t at);
void log_line_text(struct log_line *line, const char *key, const char *text); /* what is no UTF-8 becomes "?" */
void log_line_time(struct log_line *line, const char *key, int64_t at);       /* 0: left out */
void log_line_number(struct log_line *line, const char *key, int64_t number);
/* "cert", a name, and "fingerprint", the first four bytes of it; NULL: not known. */
void log_line_certificate(struct log_line *line, const char *name, const uint8_t *fingerprint);
void log_line_end(struct log_line *line); /* writes it, and releases what it holds */

#endif
