/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/resolve.h"
#include "base/error.h"
#include "probe/deadline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Outlives its caller when the name service is late: then the last callback frees it. */
struct lookup {
	uv_getaddrinfo_t request;
	struct resolver *resolver;
	bool done, late;
	int rc;
};

static void on_answer(uv_getaddrinfo_t *request, int rc, struct addrinfo *found)
{
	struct lookup *lookup = request->data;

	lookup->done = true;
	lookup->rc = rc;
	if (!lookup->late)
		return;
	uv_freeaddrinfo(found);
	lookup->resolver->late--;
	free(lookup);
}

static void on_deadline(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void on_closed(uv_handle_t *handle)
{
	*(bool *)handle->data = true;
}

/* The timer is the caller's memory: not left before the loop has let go of it. */
static int wait_for(struct resolver *resolver, struct lookup *lookup, int64_t deadline)
{
	bool passed = false, closed = false;
	uv_timer_t timer = { .data = &passed };

	uv_timer_init(&resolver->loop, &timer);
	uv_update_time(&resolver->loop);
	uv_timer_start(&timer, on_deadline, (uint64_t)deadline_left(deadline), 0);
	while (!lookup->done && !passed)
		uv_run(&resolver->loop, UV_RUN_ONCE);
	timer.data = &closed;
	uv_close((uv_handle_t *)&timer, on_closed);
	while (!closed)
		uv_run(&resolver->loop, UV_RUN_NOWAIT);
	return lookup->done ? lookup->rc : UV_ETIMEDOUT;
}

static bool is_no_such_name(int rc)
{
	return rc == UV_EAI_NONAME || rc == UV_EAI_NODATA || rc == UV_EAI_ADDRFAMILY || rc == UV_EAI_FAMILY;
}

static int explain(int rc, const struct target *target, int family, struct clinch_error *err)
{
	const char *kind = family == AF_INET ? "IPv4 " : family == AF_INET6 ? "IPv6 " : "";

	if (rc == UV_ETIMEDOUT)
		return error_set(
			err, CLINCH_E_TIMEOUT,
			"the name service did not answer in time for \"%s\": look at /etc/resolv.conf, or raise --timeout",
			target->host);
	if (rc == UV_ENOMEM || rc == UV_EAI_MEMORY)
		return error_set(err, CLINCH_E_MEMORY, "no memory to look up \"%s\"", target->host);
	if (is_no_such_name(rc))
		return error_set(err, CLINCH_E_MISSING, "there is no %saddress for \"%s\": is the name right?", kind,
				 target->host);
	return error_set(err, CLINCH_E_NETWORK, "the name service could not say the address of \"%s\": %s", target->host,
			 uv_strerror(rc));
}

static int start(struct resolver *resolver)
{
	int rc = resolver->started ? 0 : uv_loop_init(&resolver->loop);

	resolver->started = resolver->started || rc == 0;
	return rc;
}

static int look_up(struct resolver *resolver, struct addrinfo **out, const struct target *target,
		   const struct addrinfo *hints, int64_t deadline)
{
	char service[8];
	struct lookup *lookup;
	int rc = start(resolver);

	if (rc)
		return rc;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return UV_ENOMEM;
	lookup->resolver = resolver;
	lookup->request.data = lookup;
	snprintf(service, sizeof(service), "%u", target->port);
	rc = uv_getaddrinfo(&resolver->loop, &lookup->request, on_answer, target->host, service, hints);
	if (!rc)
		rc = wait_for(resolver, lookup, deadline);
	if (rc == UV_ETIMEDOUT && !lookup->done && !uv_cancel((uv_req_t *)&lookup->request))
		while (!lookup->done) /* it was still queued: its callback comes at once */
			uv_run(&resolver->loop, UV_RUN_ONCE);
	if (rc == UV_ETIMEDOUT && !lookup->done) {
		lookup->late = true;
		resolver->late++;
		return rc;
	}
	if (!rc)
		*out = lookup->request.addrinfo;
	free(lookup);
	return rc;
}

int resolve(struct resolver *resolver, struct addrinfo **out, const struct target *target, int family, int type,
	    int64_t deadline, struct clinch_error *err)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = type, .ai_flags = AI_NUMERICSERV };
	char service[8];
	int rc;

	if (target->literal) {
		hints.ai_flags |= AI_NUMERICHOST;
		snprintf(service, sizeof(service), "%u", target->port);
		rc = getaddrinfo(target->host, service, &hints, out);
		if (!rc)
			return 0;
		return error_set(err, CLINCH_E_MISSING, "\"%s\" is not an address that can be connected to%s: %s",
				 target->host,
				 family == AF_UNSPEC ? ""
				 : family == AF_INET ? " with -4"
						     : " with -6",
				 gai_strerror(rc));
	}
	rc = look_up(resolver, out, target, &hints, deadline);
	return rc ? explain(rc, target, family, err) : 0;
}

bool resolver_done(struct resolver *resolver)
{
	if (!resolver->started)
		return true;
	uv_run(&resolver->loop, UV_RUN_NOWAIT);
	if (resolver->late)
		return false;
	resolver->started = false;
	return uv_loop_close(&resolver->loop) == 0;
}
