/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/serve_settings.h"
#include <time.h>

_Static_assert(SERVE_EVENT_KINDS <= LOG_KINDS_MAX, "each kind has its rate");

static void add_verdict(struct log_line *line, const struct clinch_verdict *verdict)
{
	if (verdict->status == CLINCH_MISSING)
		return;
	log_line_text(line, "status", clinch_status_name(verdict->status));
	log_line_time(line, "this_update", verdict->this_update);
	log_line_time(line, "next_update", verdict->next_update);
	log_line_time(line, "revoked_at", verdict->revoked_at);
}

static const char *number_name(enum serve_event_kind kind)
{
	return kind == SERVE_KEEPER_STARTED ? "pid" : "connections";
}

void serve_log_event(struct log_sink *sink, const struct serve_event *event)
{
	struct log_line line;

	if (!log_line_begin(&line, sink, event->kind, serve_event_name(event->kind), (int)event->level, (int64_t)time(NULL)))
		return;
	if (event->certificate)
		log_line_certificate(&line, event->certificate, event->fingerprint);
	if (event->verdict)
		add_verdict(&line, event->verdict);
	if (event->peer)
		log_line_text(&line, "peer", event->peer);
	if (event->kind == SERVE_LISTENING)
		log_line_text(&line, "address", event->text);
	else if (*event->text)
		log_line_text(&line, "text", event->text);
	if (event->n >= 0)
		log_line_number(&line, number_name(event->kind), event->n);
	log_line_end(&line);
}
