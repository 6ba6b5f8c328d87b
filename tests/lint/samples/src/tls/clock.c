/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ocsp/response.h"
#include <time.h>

int64_t tls_now(void)
{
	fprintf(stderr, "x"); /* WRONG(effects): fprintf(): tls talks to nobody */
	return time(NULL);    /* the one floor below 5 that may */
}
