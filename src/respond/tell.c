/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/tell.h"

const char *respond_event_name(enum respond_event_kind kind)
{
	static const char *const names[RESPOND_EVENT_KINDS] = {
		[RESPOND_LISTENING] = "listening",
		[RESPOND_READY] = "ready",
		[RESPOND_LOADED] = "loaded",
		[RESPOND_RELAYS] = "relays",
		[RESPOND_REFUSED] = "refused",
		[RESPOND_SOURCE_OVER] = "source-over",
		[RESPOND_SOURCE_BACK] = "source-back",
		[RESPOND_SIGNER_OVER] = "signer-over",
		[RESPOND_SIGNER_BACK] = "signer-back",
		[RESPOND_SIGNING_FAILS] = "signing-fails",
		[RESPOND_SIGNING_AGAIN] = "signing-again",
		[RESPOND_PREPARED] = "prepared",
		[RESPOND_RELOADING] = "reloading",
		[RESPOND_RELOADED] = "reloaded",
		[RESPOND_RELOAD_FAILED] = "reload-failed",
		[RESPOND_SHEDDING] = "shedding",
		[RESPOND_DRAINING] = "draining",
		[RESPOND_STOPPED] = "stopped",
		[RESPOND_NOTICE] = "notice",
	};

	return kind < RESPOND_EVENT_KINDS ? names[kind] : "event";
}

void respond_tell(const struct respond_hooks *hooks, struct respond_event event)
{
	if (!event.text)
		event.text = "";
	if (hooks->listener)
		hooks->listener(&event, hooks->user);
}

void respond_say(const struct respond_hooks *hooks, enum respond_event_kind kind, enum respond_level level,
		 const char *authority, const char *text)
{
	respond_tell(hooks,
		     (struct respond_event){ .kind = kind, .level = level, .authority = authority, .text = text, .n = -1 });
}
