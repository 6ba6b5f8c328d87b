/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the outlets: one question to a Unix socket, and all that is answered until the other end closes. */
#ifndef KEEP_TALK_H
#define KEEP_TALK_H

#include "base/buf.h"
#include <uv.h>

#define TALK_ANSWER_MAX (4 * 1024 * 1024)

struct talk;

/* Once. `answer` is ended by a NUL and may be written to; NULL: `trouble` says why there is none. Both are borrowed. */
typedef void talk_answer(char *answer, const char *trouble, void *user);

/* Takes the bytes of `question`. `timeout_ms` is for all of it. The call comes from the loop, never from within; the talk is
 * gone then. NULL: no memory. */
struct talk *talk_start(uv_loop_t *loop, const char *path, struct buf *question, uint32_t timeout_ms, talk_answer *call,
			void *user);
void talk_cancel(struct talk *talk); /* no call comes. NULL-safe */

#endif
