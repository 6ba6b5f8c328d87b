/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest web server there is: the same answer to whoever asks. It is the plain backend, and whoever lies. */
#ifndef DEMO_TELLER_H
#define DEMO_TELLER_H

#include "demo/stage.h"

/* Listens on 127.0.0.1:*port (0: any, and it is written there) and answers as `part`, until that is stopped. `body` is read
 * from this process's memory: no file. */
int teller_start(struct stage *stage, enum stage_part part, uint16_t *port, const char *content_type, const void *body,
		 size_t len, struct clinch_error *err);

#endif
