/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the tables of the schema: how a row says where its value goes. */
#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#include "conf/schema.h"

#define S 1000LL
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)
#define KIB 1024LL

#define AT(owner, field) .at = offsetof(struct owner, field)
#define CHOICE(owner, field) .type = CONF_CHOICE, AT(owner, field), .size = sizeof(((struct owner *)NULL)->field)
#define LIST(owner, pointer, count) .at = offsetof(struct owner, pointer), .count_at = offsetof(struct owner, count)

/* What finish() says: false. */
bool conf_wrong_at(struct conf_wrong *wrong, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

extern const struct conf_table conf_respond;

#endif
