/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling the listener. */
#ifndef RESPOND_TELL_H
#define RESPOND_TELL_H

#include "respond/respond.h"

/* Fills in what is not set: text "". `n` is taken as it stands. */
void respond_tell(const struct respond_hooks *hooks, struct respond_event event);
void respond_say(const struct respond_hooks *hooks, enum respond_event_kind kind, enum respond_level level,
		 const char *authority, const char *text);

#endif
