/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/respond_settings.h"
#include <time.h>

_Static_assert(RESPOND_EVENT_KINDS <= LOG_KINDS_MAX, "each kind has its rate");

static const char *number_name(enum respond_event_kind kind)
{
	return kind == RESPOND_LOADED     ? "serials"
	       : kind == RESPOND_READY    ? "authorities"
	       : kind == RESPOND_RELAYS   ? "responses"
	       : kind == RESPOND_PREPARED ? "answers"
	       : kind == RESPOND_SHEDDING ? "requests"
					  : "connections";
}

void respond_log_event(struct log_sink *sink, const struct respond_event *event)
{
	struct log_line line;

	if (!log_line_begin(&line, sink, event->kind, respond_event_name(event->kind), (int)event->level,
			    (int64_t)time(NULL)))
		return;
	if (event->authority)
		log_line_text(&line, "ca", event->authority);
	if (event->kind == RESPOND_LISTENING)
		log_line_text(&line, "address", event->text);
	else if (*event->text)
		log_line_text(&line, "text", event->text);
	log_line_time(&line, "since", event->at);
	if (event->n >= 0)
		log_line_number(&line, number_name(event->kind), event->n);
	log_line_end(&line);
}
