/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/wrong.h"
#include "x509/subject.h"
#include "tls/client.h" /* WRONG(floors): ocsp (floor 3.2) includes tls/client.h */
#include <clinch/ocsp.h>
#include <uv.h> /* WRONG(floors): ocsp may not use uv.h */

void ocsp_wrong(struct event *event)
{
	event->time(3); /* a member of that name is no clock */
	exit(1);	/* WRONG(effects): exit(): ocsp talks to nobody */
}
