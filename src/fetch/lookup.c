/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch/engine.h"
#include <stdlib.h>

struct lookup {
	uv_getaddrinfo_t request; /* first: libuv hands it back */
	void (*done)(void *owner, int status);
	void *owner; /* NULL: nobody waits any more */
};

static void on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct lookup *lookup = (struct lookup *)request;

	uv_freeaddrinfo(addresses);
	if (lookup->owner)
		lookup->done(lookup->owner, status);
	free(lookup);
}

struct lookup *lookup_start(uv_loop_t *loop, const char *host, void (*done)(void *owner, int status), void *owner)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return NULL;
	lookup->done = done;
	lookup->owner = owner;
	if (uv_getaddrinfo(loop, &lookup->request, on_answer, host, NULL, NULL) == 0)
		return lookup;
	free(lookup);
	return NULL;
}

void lookup_cancel(struct lookup *lookup)
{
	lookup->owner = NULL;
	/* one that a thread works on cannot be taken back: its answer finds nobody */
	(void)uv_cancel((uv_req_t *)&lookup->request);
}
