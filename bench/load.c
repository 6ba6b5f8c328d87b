/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench-load PORT SECONDS RATE CONNECTIONS REQUEST [RATE CONNECTIONS REQUEST]: requests at a fixed rate, whether or
 *not the ones before were answered; REQUEST is a file, sent byte for byte. Prints of each flow <median> <99th of 100>
 *<largest> <requests> <of them answered by a successful OCSP response> times in ns from when a request was due, not from
 *when a connection was free for it.
 *
 * clinch-bench-load once PORT N CONNECTIONS REQUEST: N requests on a connection each, so many at a time. Prints
 *	<wall time in ns> <good answers>
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLOWS 2
#define EVENTS 64
#define ANSWER_SIZE 8192
#define CONNECTIONS_MOST 8192
#define LATE_NS INT64_C(5000000000) /* what an answer is waited for after the last request */
#define ONCE_MOST_S 120
#define SECOND_NS INT64_C(1000000000)

struct flow {
	uint64_t n, sent, done, good;
	double every; /* ns */
	char *request;
	size_t len;
	int64_t *took;
	struct client *idle;
};

struct client {
	struct client *next; /* of the idle ones */
	struct flow *flow;
	int fd;
	int64_t due;
	size_t len;
	char answer[ANSWER_SIZE];
};

static unsigned port;
static int events;
static int64_t began;

static void end(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * SECOND_NS + at.tv_nsec;
}

static void read_request(struct flow *flow, const char *path)
{
	FILE *file = fopen(path, "re");

	flow->request = malloc(ANSWER_SIZE);
	if (!file || !flow->request)
		end(path);
	flow->len = fread(flow->request, 1, ANSWER_SIZE, file);
	if (ferror(file) || fclose(file) || flow->len == 0)
		end(path);
}

/* ---- one connection ---- */

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		end("connect");
	return fd;
}

static void watch(struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

	const int on = 1;

	client->fd = dial();
	client->len = 0;
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(events, EPOLL_CTL_ADD, client->fd, &event))
		end("epoll_ctl");
}

static void ask(struct client *client)
{
	if (send(client->fd, client->flow->request, client->flow->len, MSG_NOSIGNAL) != (ssize_t)client->flow->len)
		end("send");
	client->flow->sent++;
}

/* OCSPResponse: SEQUENCE { ENUMERATED successful, ... }, its length in two bytes. */
static bool is_good(const char *answer, size_t head, size_t len)
{
	static const char successful[] = { 0x0a, 0x01, 0x00 };

	return strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200 ", 5) == 0 && len - head > 7 &&
	       memcmp(answer + head + 4, successful, sizeof(successful)) == 0;
}

/* Length of the header; 0: it is not there as a whole. `whole`: of it and its body, SIZE_MAX: to the end of the connection.
 */
static size_t measure(struct client *client, size_t *whole)
{
	client->answer[client->len] = '\0';
	const char *blank = strstr(client->answer, "\r\n\r\n");
	if (!blank)
		return 0;
	size_t head = (size_t)(blank + 4 - client->answer);
	const char *length = strcasestr(client->answer, "\r\ncontent-length:");
	*whole = length && length < blank ? head + strtoul(length + 17, NULL, 10) : SIZE_MAX;
	return head;
}

/* False: the connection is at its end. */
static bool take(struct client *client)
{
	ssize_t n = recv(client->fd, client->answer + client->len, ANSWER_SIZE - 1 - client->len, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n > 0)
		client->len += (size_t)n;
	return n > 0 && client->len < ANSWER_SIZE - 1;
}

/* ---- at a fixed rate ---- */

static void finish(struct client *client, size_t head)
{
	struct flow *flow = client->flow;

	flow->took[flow->done++] = now_ns() - client->due;
	flow->good += is_good(client->answer, head, client->len);
	client->len = 0;
	client->next = flow->idle;
	flow->idle = client;
}

static void on_answer(struct client *client)
{
	size_t whole = 0;

	if (!take(client)) {
		errno = ECONNRESET;
		end("a connection was closed");
	}
	size_t head = measure(client, &whole);
	if (head && client->len >= whole)
		finish(client, head);
}

static int64_t due_at(const struct flow *flow)
{
	return flow->sent < flow->n ? began + (int64_t)((double)flow->sent * flow->every) : INT64_MAX;
}

static void send_due(struct flow *flow, int64_t now)
{
	while (flow->idle && due_at(flow) <= now) {
		struct client *client = flow->idle;

		flow->idle = client->next;
		client->due = due_at(flow);
		ask(client);
	}
}

static bool is_over(const struct flow *flow)
{
	return flow->done == flow->n;
}

/* It has a core of its own: to sleep until the next one is due would cost it more than the requests do. */
static void look(void)
{
	struct epoll_event event[EVENTS];
	int n = epoll_wait(events, event, EVENTS, 0);

	for (int i = 0; i < n; i++)
		on_answer(event[i].data.ptr);
}

static void run(struct flow *flow, unsigned n, int64_t seconds)
{
	int64_t over = began + seconds * SECOND_NS + LATE_NS;

	while (!is_over(&flow[0])) {
		int64_t now = now_ns();

		if (now > over) {
			errno = ETIMEDOUT;
			end("answers are missing");
		}
		for (unsigned i = 0; i < n; i++)
			send_due(&flow[i], now);
		look();
	}
}

/* One exchange before anything is measured: the connection is accepted then. */
static void warm(struct client *client)
{
	struct pollfd ready = { .fd = client->fd, .events = POLLIN };
	size_t head = 0, whole = 0;

	ask(client);
	client->flow->sent = 0;
	while (!head || client->len < whole) {
		if (poll(&ready, 1, LATE_NS / 1000000) != 1 || !take(client))
			end("no answer");
		head = measure(client, &whole);
	}
	client->len = 0;
}

static void open_flow(struct flow *flow, int64_t seconds, char **argv)
{
	double rate = strtod(argv[0], NULL);
	unsigned long connections = strtoul(argv[1], NULL, 10);

	if (!(rate > 0 && rate < 1e7) || connections < 1 || connections > CONNECTIONS_MOST) {
		errno = EINVAL;
		end(argv[0]);
	}
	read_request(flow, argv[2]);
	flow->every = (double)SECOND_NS / rate;
	flow->n = (uint64_t)(rate * (double)seconds);
	flow->took = calloc(flow->n, sizeof(*flow->took));
	struct client *client = calloc(connections, sizeof(*client));
	if (!flow->took || !client || flow->n == 0)
		end("memory");
	for (unsigned long i = 0; i < connections; i++) {
		client[i].flow = flow;
		client[i].next = flow->idle;
		flow->idle = &client[i];
		watch(&client[i]);
		warm(&client[i]);
	}
}

static int by_time(const void *a, const void *b)
{
	int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

	return (first > second) - (first < second);
}

static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int steady(int argc, char **argv)
{
	struct flow flow[FLOWS] = { 0 };
	unsigned n = (unsigned)(argc - 3) / 3;
	int64_t seconds = strtoll(argv[2], NULL, 10);

	port = (unsigned)strtoul(argv[1], NULL, 10);
	allow_descriptors();
	for (unsigned i = 0; i < n; i++)
		open_flow(&flow[i], seconds, argv + 3 + i * 3);
	began = now_ns();
	run(flow, n, seconds);
	for (unsigned i = 0; i < n; i++) {
		const struct flow *each = &flow[i];
		qsort(each->took, each->done, sizeof(*each->took), by_time);
		printf("%lld %lld %lld %llu %llu\n", (long long)each->took[each->done / 2],
		       (long long)each->took[each->done * 99 / 100], (long long)each->took[each->done ? each->done - 1 : 0],
		       (unsigned long long)each->done, (unsigned long long)each->good);
	}
	return 0;
}

/* ---- a connection for each ---- */

/* They are answered in about the order in which they came: no need to ask which is ready. */
static void finish_once(struct client *client)
{
	struct flow *flow = client->flow;
	size_t head = 0, whole = SIZE_MAX;
	ssize_t n = 1;

	while (n > 0 && client->len < whole && client->len < ANSWER_SIZE - 1) {
		n = recv(client->fd, client->answer + client->len, ANSWER_SIZE - 1 - client->len, 0);
		client->len += n > 0 ? (size_t)n : 0;
		head = measure(client, &whole);
	}
	close(client->fd);
	flow->good += head && (whole == SIZE_MAX || client->len == whole) && is_good(client->answer, head, client->len);
	flow->done++;
}

static void begin_once(struct client *client)
{
	client->len = 0;
	client->fd = dial();
	ask(client);
}

static int once(char **argv)
{
	struct flow flow = { .n = strtoull(argv[3], NULL, 10) };
	unsigned long connections = strtoul(argv[4], NULL, 10);

	port = (unsigned)strtoul(argv[2], NULL, 10);
	read_request(&flow, argv[5]);
	if (connections < 1 || connections > CONNECTIONS_MOST || flow.n < connections)
		return 2;
	struct client *client = calloc(connections, sizeof(*client));
	if (!client)
		end("memory");
	alarm(ONCE_MOST_S);
	began = now_ns();
	for (unsigned long i = 0; i < connections; i++) {
		client[i].flow = &flow;
		begin_once(&client[i]);
	}
	for (unsigned long i = 0; !is_over(&flow); i = (i + 1) % connections) {
		finish_once(&client[i]);
		if (flow.sent < flow.n)
			begin_once(&client[i]);
	}
	printf("%lld %llu\n", (long long)(now_ns() - began), (unsigned long long)flow.good);
	return 0;
}

int main(int argc, char **argv)
{
	events = epoll_create1(EPOLL_CLOEXEC);
	if (events < 0)
		end("epoll");
	if (argc == 6 && strcmp(argv[1], "once") == 0)
		return once(argv);
	if (argc == 6 || argc == 9)
		return steady(argc, argv);
	fprintf(stderr, "usage: clinch-bench-load PORT SECONDS RATE CONNECTIONS REQUEST [RATE CONNECTIONS REQUEST]\n"
			"       clinch-bench-load once PORT N CONNECTIONS REQUEST\n");
	return 2;
}
