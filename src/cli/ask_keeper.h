/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking the keeper by its Unix socket: keep/socket.h has what it understands. */
#ifndef CLI_ASK_KEEPER_H
#define CLI_ASK_KEEPER_H

#include <clinch/error.h>
#include <jansson.h>

#define ASK_PATH_SIZE 4096

/*
 * Where the keeper's socket is: `socket`, else what the configuration `conf` says, else what that of the system says, if it
 * is there, else its default. CLINCH_E_MISSING: the configuration says "none". CLINCH_E_FORMAT: it is wrong.
 */
int ask_socket_path(char out[ASK_PATH_SIZE], const char *socket, const char *conf, struct clinch_error *err);

/*
 * One question, one answer; *out is the caller's. CLINCH_E_NETWORK: nobody listens there, or it is not a keeper;
 * CLINCH_E_TIMEOUT; CLINCH_E_FILE: no permission.
 */
int ask_keeper(json_t **out, const char *path, json_t *question, struct clinch_error *err);

/* A string of an object; "" when there is none. */
const char *ask_text(const json_t *object, const char *key);

#endif
