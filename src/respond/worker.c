/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread that answers: it turns libmicrohttpd's epoll itself, and looks at its connections between two turns, so that
 * their list needs no lock. libmicrohttpd's own time-out counts from the last byte: one byte a second would hold a
 * connection for ever. Here each has an absolute end.
 */
#include "base/error.h"
#include "respond/http_inside.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTION_MEMORY (16 * 1024) /* of libmicrohttpd: a request's header, and the answer's */
#define TURN_MS 200
#define PRESSED_MS 1000 /* what an idle connection gets where there are hardly any left */

const char *http_count_name(enum http_count count)
{
	static const char *const names[HTTP_COUNTS] = {
		[HTTP_GOOD] = "good",
		[HTTP_REVOKED] = "revoked",
		[HTTP_UNKNOWN] = "unknown",
		[HTTP_SEVERAL] = "several",
		[HTTP_RELAYED] = "relayed",
		[HTTP_NOT_MODIFIED] = "not_modified",
		[HTTP_MALFORMED] = "malformed_request",
		[HTTP_TRY_LATER] = "try_later",
		[HTTP_UNAUTHORIZED] = "unauthorized",
		[HTTP_INTERNAL] = "internal_error",
		[HTTP_HEALTH] = "health",
		[HTTP_FAULT] = "http_error",
		[HTTP_READY] = "ready",
	};

	return names[count];
}

int64_t http_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- connections ---- */

static struct exchange *exchange_new(struct http_worker *worker, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->worker = worker;
	exchange->connection = connection;
	exchange->fd = info->connect_fd;
	exchange->since_ms = http_clock_ms();
	exchange->body = exchange->small;
	exchange->next = worker->exchanges;
	if (exchange->next)
		exchange->next->previous = exchange;
	worker->exchanges = exchange;
	worker->open++;
	atomic_fetch_add_explicit(&worker->shared->open, 1, memory_order_relaxed);
	return exchange;
}

static void exchange_free(struct exchange *exchange)
{
	struct http_worker *worker = exchange->worker;

	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		worker->exchanges = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
	worker->open--;
	atomic_fetch_sub_explicit(&worker->shared->open, 1, memory_order_relaxed);
	http_forget_request(exchange);
	free(exchange);
}

/* Without memory for it the connection's first request finds nothing, and is its last. */
static void on_connection(void *user, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = exchange_new(user, connection);
	else if (*context)
		exchange_free(*context);
}

static int64_t allowance(const struct http_worker *worker, const struct exchange *exchange)
{
	const struct http_shared *shared = worker->shared;
	int64_t ms = exchange->is_busy || !exchange->was_answered ? shared->request_ms : shared->idle_ms;

	if (exchange->is_busy)
		return ms;
	if (atomic_load_explicit(&shared->draining, memory_order_relaxed))
		return 0;
	return worker->open > shared->connections * 7 / 8 && ms > PRESSED_MS ? PRESSED_MS : ms;
}

/* What waits for a signature was woken by pool_expire() in time, unless it is being made: nobody can end that, and a module
 * for tokens that hangs keeps the connection, cut as it is, until it comes back. */
static void sweep(struct http_worker *worker, int64_t now)
{
	for (struct exchange *exchange = worker->exchanges; exchange; exchange = exchange->next) {
		if (exchange->cut || now - exchange->since_ms < allowance(worker, exchange))
			continue;
		exchange->cut = true;
		shutdown(exchange->fd, SHUT_RDWR);
	}
}

/* ---- the thread ---- */

static void stop_listening(struct http_worker *worker)
{
	MHD_socket fd = MHD_quiesce_daemon(worker->daemon);

	if (fd != MHD_INVALID_SOCKET)
		close(fd);
	worker->is_quiet = true;
}

/* Edge-triggered, so that nobody has to read what is written. */
void http_wake(struct http_worker *worker)
{
	uint64_t one = 1;

	if (atomic_load(&worker->has_resumed) && atomic_exchange(&worker->has_resumed, false) &&
	    write(worker->wake_fd, &one, sizeof(one)) < 0)
		atomic_store(&worker->has_resumed, true);
}

void http_wake_all(struct http_shared *shared)
{
	size_t n = atomic_load(&shared->n_workers);

	for (size_t i = 0; i < n; i++)
		http_wake(shared->worker[i]);
}

static bool prepare_poll(struct http_worker *worker)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct epoll_event theirs = { .events = EPOLLIN }, ours = { .events = EPOLLIN | EPOLLET };

	worker->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return info && worker->poll_fd >= 0 && worker->wake_fd >= 0 &&
	       epoll_ctl(worker->poll_fd, EPOLL_CTL_ADD, info->epoll_fd, &theirs) == 0 &&
	       epoll_ctl(worker->poll_fd, EPOLL_CTL_ADD, worker->wake_fd, &ours) == 0;
}

/* Only what this thread has set aside is resumed: while there is nothing of that, the daemon's own epoll is enough, and the
 * other one would cost every prepared answer a second wait. */
static void turn(struct http_worker *worker)
{
	struct epoll_event events[2];
	MHD_UNSIGNED_LONG_LONG wait_ms = TURN_MS;

	if (worker->asked == 0) {
		MHD_run_wait(worker->daemon, TURN_MS);
		return;
	}
	if (MHD_get_timeout(worker->daemon, &wait_ms) != MHD_YES || wait_ms > TURN_MS)
		wait_ms = TURN_MS;
	if (wait_ms > 0)
		epoll_wait(worker->poll_fd, events, 2, (int)wait_ms);
	MHD_run(worker->daemon);
}

static void *run(void *user)
{
	struct http_worker *worker = user;
	struct http_shared *shared = worker->shared;
	int64_t swept = http_clock_ms(), now;

	while (!atomic_load(&shared->stopping)) {
		turn(worker);
		now = http_clock_ms();
		if (now - swept < TURN_MS)
			continue;
		swept = now;
		http_follow_state(worker);
		if (!worker->is_quiet && atomic_load(&shared->draining))
			stop_listening(worker);
		pool_expire(shared->pool);
		sweep(worker, now);
	}
	return NULL;
}

/* The default cuts a path at "%00", and leaves "%2F" and "/" alike. */
static size_t leave_path_alone(void *user, struct MHD_Connection *connection, char *path)
{
	(void)user, (void)connection;
	return strlen(path);
}

static void say_nothing(void *user, const char *format, va_list arguments)
{
	(void)user, (void)format, (void)arguments;
}

static struct MHD_Daemon *start_daemon(struct http_worker *worker, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, /* */
				http_on_request, worker,                                                 /* */
				MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,                           /* */
				MHD_OPTION_LISTEN_SOCKET, fd,                                            /* */
				MHD_OPTION_CONNECTION_LIMIT, worker->shared->connections,                /* */
				MHD_OPTION_CONNECTION_TIMEOUT, 0U,                                       /* */
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,           /* */
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, worker,                     /* */
				MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, worker,                  /* */
				MHD_OPTION_UNESCAPE_CALLBACK, leave_path_alone, NULL,                    /* */
				MHD_OPTION_END);
}

static bool make_texts(struct http_worker *worker)
{
	bool good = true;

	for (int i = 0; i < HTTP_TEXTS; i++) {
		worker->text[i] = reply_text(http_texts[i].text, http_texts[i].allow, http_texts[i].close);
		good &= worker->text[i] != NULL;
	}
	for (int i = OCSP_MALFORMED_REQUEST; i <= OCSP_UNAUTHORIZED; i++) {
		worker->refusal[i] = reply_refusal((enum ocsp_refusal)i);
		good &= worker->refusal[i] != NULL;
	}
	return good;
}

/* Signals are for the main thread, until the end. */
static int start_thread(struct http_worker *worker)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int http_worker_start(struct http_shared *shared, int fd, struct clinch_error *err)
{
	struct http_worker *worker = calloc(1, sizeof(*worker));

	if (worker) {
		worker->shared = shared;
		worker->poll_fd = worker->wake_fd = -1;
	}
	if (worker && make_texts(worker))
		worker->daemon = start_daemon(worker, fd);
	if (!worker || !worker->daemon)
		close(fd);
	if (!worker || !worker->daemon || !prepare_poll(worker)) {
		http_worker_free(worker);
		return error_set(err, CLINCH_E_MEMORY, "the HTTP server does not start");
	}
	http_follow_state(worker);
	int rc = start_thread(worker);
	if (rc != 0) {
		http_worker_free(worker);
		return error_set(err, CLINCH_E_MEMORY, "a thread of the HTTP server does not start: %s", strerror(rc));
	}
	shared->worker[atomic_load(&shared->n_workers)] = worker;
	atomic_fetch_add(&shared->n_workers, 1);
	return 0;
}

void http_worker_join(struct http_worker *worker)
{
	pthread_join(worker->thread, NULL);
}

/* One more turn sends what the end of the pool has answered. */
void http_worker_free(struct http_worker *worker)
{
	if (!worker)
		return;
	if (worker->daemon) {
		MHD_run(worker->daemon);
		MHD_stop_daemon(worker->daemon);
	}
	if (worker->poll_fd >= 0)
		close(worker->poll_fd);
	if (worker->wake_fd >= 0)
		close(worker->wake_fd);
	for (int i = 0; i < HTTP_READY_SLOTS; i++)
		http_ready_drop(&worker->ready[i]);
	for (int i = 0; i < HTTP_TEXTS; i++)
		if (worker->text[i])
			MHD_destroy_response(worker->text[i]);
	for (int i = 0; i <= OCSP_UNAUTHORIZED; i++)
		if (worker->refusal[i])
			MHD_destroy_response(worker->refusal[i]);
	snapshot_unref(worker->state);
	free(worker);
}

void http_worker_count(const struct http_worker *worker, uint64_t sum[HTTP_COUNTS])
{
	for (int i = 0; i < HTTP_COUNTS; i++)
		sum[i] += atomic_load_explicit(&worker->counts[i], memory_order_relaxed);
}
