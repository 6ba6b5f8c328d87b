/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper's Unix socket, mode 0660: whoever may connect may ask and may bring a response. One JSON object a line each
 *way, at most SOCKET_LINE_MAX bytes; an answer ends with its line. A connection may ask again; one that is silent or slow is
 *cut.
 *
 *	{"ask":"status"}                     ->
 *{"schema":"clinch-status-1","ready":...,"totals":{...},"certificates":[...],...}
 *	{"ask":"status","name":"NAME"}       -> the same with those alone that NAME means (keeper_match())
 *	{"ask":"put","fingerprint":"HEX","response":"BASE64"}
 *	                                     -> {"schema":"clinch-put-1","answer":"took|same|older",...}
 *	anything else                        -> {"schema":"clinch-error-1","error":"...","text":"..."}
 */
#ifndef KEEP_SOCKET_H
#define KEEP_SOCKET_H

#include "keep/outlet.h"

#define SOCKET_LINE_MAX 131072 /* of a question; an answer of status is as long as there are certificates */

struct keep_socket;

/*
 * Listens at `path` on the loop: a socket there that nobody listens to is replaced, one that somebody does is refused
 * (CLINCH_E_ARGUMENT). `outlets` may be NULL. All must outlive the socket.
 */
int keep_socket_new(struct keep_socket **out, uv_loop_t *loop, struct keeper *keeper, const struct outlets *outlets,
		    const char *path, struct clinch_error *err);
/* Closes by way of the loop and removes the socket's file. NULL-safe. */
void keep_socket_free(struct keep_socket *socket);

#endif
