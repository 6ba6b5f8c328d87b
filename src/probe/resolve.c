/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe/resolve.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "probe/deadline.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

/* Outlives its caller when the name service is late: then its thread frees it. */
struct lookup {
	pthread_mutex_t mutex;
	pthread_cond_t answered;
	bool done, late;
	char host[TARGET_HOST_MAX + 1], service[8];
	struct addrinfo hints, *found;
	int rc; /* of getaddrinfo() */
};

static void lookup_free(struct lookup *lookup)
{
	if (lookup->found)
		freeaddrinfo(lookup->found);
	pthread_cond_destroy(&lookup->answered);
	pthread_mutex_destroy(&lookup->mutex);
	free(lookup);
}

DEFINE_CLEANUP(struct lookup *, cleanup_lookup, lookup_free)

static struct lookup *lookup_new(const struct target *target, const struct addrinfo *hints)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	pthread_condattr_t monotonic;

	if (!lookup)
		return NULL;
	snprintf(lookup->host, sizeof(lookup->host), "%s", target->host);
	snprintf(lookup->service, sizeof(lookup->service), "%u", target->port);
	lookup->hints = *hints;
	pthread_mutex_init(&lookup->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&lookup->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return lookup;
}

static void *run(void *user)
{
	struct lookup *lookup = user;
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(lookup->host, lookup->service, &lookup->hints, &found);
	bool late;

	pthread_mutex_lock(&lookup->mutex);
	lookup->rc = rc;
	lookup->found = rc ? NULL : found;
	lookup->done = true;
	late = lookup->late;
	pthread_cond_signal(&lookup->answered);
	pthread_mutex_unlock(&lookup->mutex);
	if (late)
		lookup_free(lookup);
	return NULL;
}

/* False: it is late, and its thread's from now on. */
static bool wait_for(struct lookup *lookup, int64_t deadline)
{
	struct timespec end = { .tv_sec = (time_t)(deadline / 1000), .tv_nsec = (long)(deadline % 1000) * 1000000 };
	int rc = 0;

	pthread_mutex_lock(&lookup->mutex);
	while (!lookup->done && rc == 0)
		rc = pthread_cond_timedwait(&lookup->answered, &lookup->mutex, &end);
	bool done = lookup->done;
	lookup->late = !done;
	pthread_mutex_unlock(&lookup->mutex);
	return done;
}

/* 0, what getaddrinfo() failed with, or a positive errno. */
static int look_up(struct addrinfo **out, const struct target *target, const struct addrinfo *hints, int64_t deadline)
{
	AUTO(cleanup_lookup) struct lookup *lookup = lookup_new(target, hints);
	pthread_t thread;
	int rc;

	if (!lookup)
		return ENOMEM;
	rc = pthread_create(&thread, NULL, run, lookup);
	if (rc)
		return rc;
	pthread_detach(thread);
	if (!wait_for(lookup, deadline)) {
		(void)TAKE(lookup);
		return ETIMEDOUT;
	}
	if (!lookup->rc)
		*out = TAKE(lookup->found);
	return lookup->rc;
}

static bool is_no_such_name(int rc)
{
	return rc == EAI_NONAME || rc == EAI_NODATA || rc == EAI_ADDRFAMILY || rc == EAI_FAMILY;
}

static int explain(int rc, const struct target *target, int family, struct clinch_error *err)
{
	const char *kind = family == AF_INET ? "IPv4 " : family == AF_INET6 ? "IPv6 " : "";

	if (rc == ETIMEDOUT)
		return error_set(
			err, CLINCH_E_TIMEOUT,
			"the name service did not answer in time for \"%s\": look at /etc/resolv.conf, or raise --timeout",
			target->host);
	if (rc > 0 || rc == EAI_MEMORY)
		return error_set(err, CLINCH_E_MEMORY, "no memory or thread to look up \"%s\"", target->host);
	if (is_no_such_name(rc))
		return error_set(err, CLINCH_E_MISSING, "there is no %saddress for \"%s\": is the name right?", kind,
				 target->host);
	return error_set(err, CLINCH_E_NETWORK, "the name service could not say the address of \"%s\": %s", target->host,
			 gai_strerror(rc));
}

static int take_literal(struct addrinfo **out, const struct target *target, struct addrinfo hints, struct clinch_error *err)
{
	const char *option = hints.ai_family == AF_UNSPEC ? "" : hints.ai_family == AF_INET ? " with -4" : " with -6";
	char service[8];
	int rc;

	hints.ai_flags |= AI_NUMERICHOST;
	snprintf(service, sizeof(service), "%u", target->port);
	rc = getaddrinfo(target->host, service, &hints, out);
	if (!rc)
		return 0;
	return error_set(err, CLINCH_E_MISSING, "\"%s\" is not an address that can be connected to%s: %s", target->host,
			 option, gai_strerror(rc));
}

int resolve(struct addrinfo **out, const struct target *target, int family, int type, int64_t deadline,
	    struct clinch_error *err)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = type, .ai_flags = AI_NUMERICSERV };
	int rc;

	if (target->literal)
		return take_literal(out, target, hints, err);
	rc = look_up(out, target, &hints, deadline);
	return rc ? explain(rc, target, family, err) : 0;
}
