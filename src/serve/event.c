/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/event.h"
#include <stdarg.h>
#include <stdio.h>

const char *serve_event_name(enum serve_event_kind kind)
{
	static const char *const names[SERVE_EVENT_KINDS] = {
		[SERVE_LISTENING] = "listening",
		[SERVE_READY] = "ready",
		[SERVE_STAPLED] = "stapled",
		[SERVE_REFRESHED] = "refreshed",
		[SERVE_REVOKED] = "revoked",
		[SERVE_UNSTAPLED] = "unstapled",
		[SERVE_NO_RESPONDER] = "no-responder",
		[SERVE_WAITING] = "waiting",
		[SERVE_RENEWED] = "renewed",
		[SERVE_REFRESH_FAILED] = "refresh-failed",
		[SERVE_BACKEND_DOWN] = "backend-down",
		[SERVE_BACKEND_UP] = "backend-up",
		[SERVE_LIMIT] = "limit",
		[SERVE_RELOADING] = "reloading",
		[SERVE_RELOADED] = "reloaded",
		[SERVE_RELOAD_FAILED] = "reload-failed",
		[SERVE_KEEPER_STARTED] = "keeper-started",
		[SERVE_KEEPER_ENDED] = "keeper-ended",
		[SERVE_DRAINING] = "draining",
		[SERVE_STOPPED] = "stopped",
		[SERVE_CONNECTION_FAILED] = "connection-failed",
		[SERVE_NOTICE] = "notice",
	};

	return kind < SERVE_EVENT_KINDS ? names[kind] : "event";
}

void event_tell(const struct serve_hooks *hooks, struct serve_event event)
{
	if (!event.text)
		event.text = "";
	if (hooks->listener)
		hooks->listener(&event, hooks->user);
}

void event_say(const struct serve_hooks *hooks, enum serve_event_kind kind, enum serve_level level, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	event_tell(hooks, (struct serve_event){ .kind = kind, .level = level, .text = text, .n = -1 });
}
