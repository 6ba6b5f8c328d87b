/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling the listener. */
#ifndef SERVE_EVENT_H
#define SERVE_EVENT_H

#include "serve/serve.h"

/* Fills in what is not set: text "", and n is taken as it stands. */
void event_tell(const struct serve_hooks *hooks, struct serve_event event);
void event_say(const struct serve_hooks *hooks, enum serve_event_kind kind, enum serve_level level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
