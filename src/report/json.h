/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Building JSON without a check at each line: the first failure is remembered, and finish() then gives NULL. */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include "base/buf.h"
#include "der/der.h"
#include <jansson.h>

struct json_maker {
	json_t *object;
	bool failed;
};

struct json_maker json_maker_new(void);
void json_put(struct json_maker *maker, const char *key, json_t *value);         /* takes `value`, NULL is a failure */
void json_put_text(struct json_maker *maker, const char *key, const char *text); /* our own text, ASCII; NULL: null */
void json_put_bytes(struct json_maker *maker, const char *key, const void *text,
		    size_t len);                                                      /* a stranger's, made printable */
void json_put_buf(struct json_maker *maker, const char *key, const struct buf *text); /* printable already */
void json_put_name(struct json_maker *maker, const char *key, struct der name);       /* .at NULL: null */
void json_put_hex(struct json_maker *maker, const char *key, struct der bytes);       /* .at NULL: null */
void json_put_number(struct json_maker *maker, const char *key, int64_t number);
void json_put_bool(struct json_maker *maker, const char *key, bool value);
void json_put_time(struct json_maker *maker, const char *key, int64_t at); /* 0: null */
json_t *json_maker_finish(struct json_maker *maker);                       /* the caller's; NULL: no memory */

/* An array that takes `value`; both are given up without memory. False: no memory. */
bool json_add(json_t *array, json_t *value);

/* "keyCompromise" for 1 (RFC 5280 5.3.1); NULL: not defined there. */
const char *report_revocation_reason(int reason);

#endif
