/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clinch-bench-world FOLDER N [R [hang]]: a CA, N P-256 certificates of it and their responder, for the rows that count
 *certificates. FOLDER/ca.pem, FOLDER/key.pem		the CA; the one key that all certificates have FOLDER/0/NNNNNN.pem,
 *FOLDER/1/...	the certificates, the first half of them and the second Every answer is signed before the port is printed,
 *and lies in memory with its header: the responder's share of a run is a look into a table. R responders, one a certificate
 *in turn, are as many addresses of the loopback network; with "hang" the first of them takes connections and says nothing.
 *HTTP/1.1 with keep-alive, GET and POST. It serves until its standard input ends.
 */
#include "../tests/unit/maker.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST 1000000
#define PATH_SIZE 4096
#define REQUEST_SIZE 4096
#define EVENTS 64
#define ISSUER "Clinch Bench CA"

struct answer {
	char *bytes; /* head and body */
	size_t len;
};

struct listener {
	int fd;
	bool hangs;
};

struct client {
	int fd;
	size_t len;
	char request[REQUEST_SIZE + 1];
};

static struct answer *answers;
static unsigned answers_n;
static struct listener *listeners;
static unsigned listeners_n = 1;
static char not_before[20], not_after[20], this_update[20], next_update[20];

static void end(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- certificates and answers ---- */

static void write_time(char out[20], time_t at)
{
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(out, 20, "%Y%m%d%H%M%SZ", &tm);
}

/* Eight bytes, so that its place in a request is found by the first four. */
static struct blob serial_of(unsigned i)
{
	const uint8_t bytes[8] = {
		'A', 'b', 'n', 'c', (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i
	};

	return blob_of(bytes, sizeof(bytes));
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "we");

	if (!file || fwrite(text, 1, len, file) != len || fclose(file))
		end(path);
}

static void write_pem(const char *path, struct blob der)
{
	const gnutls_datum_t datum = blob_datum(der);
	gnutls_datum_t pem;

	if (gnutls_pem_base64_encode2("CERTIFICATE", &datum, &pem) < 0)
		end("PEM");
	write_file(path, (char *)pem.data, pem.size);
	gnutls_free(pem.data);
}

static struct blob ca_key_id(void)
{
	return digest(GNUTLS_DIG_SHA1, key_bits(KEY_CA));
}

static void make_certificate(const char *folder, unsigned i, const char *url)
{
	char path[PATH_SIZE], name[64];

	snprintf(name, sizeof(name), "host%06u.example", i);
	struct blob dns_name = extension("551d11", -1, SEQ(tlv(0x82, blob_text(name))));
	struct blob issuer_key = extension("551d23", -1, SEQ(tlv(0x80, ca_key_id())));
	const struct cert_spec spec = { .serial = serial_of(i),
					.issuer = ISSUER,
					.subject = name,
					.key = KEY_LEAF,
					.signer = KEY_CA,
					.scheme = ECDSA_SHA256,
					.not_before = not_before,
					.not_after = not_after,
					.extensions = CAT(access_info_ocsp(url), dns_name, issuer_key) };
	snprintf(path, sizeof(path), "%s/%u/%06u.pem", folder, i >= answers_n / 2, i);
	write_pem(path, make_cert(&spec));
}

static void make_answer(struct answer *out, unsigned i)
{
	const struct entry_spec entry = { .cert_id = cert_id(GNUTLS_DIG_SHA1, ISSUER, KEY_CA, serial_of(i)),
					  .status = status_good(),
					  .this_update = this_update,
					  .next_update = next_update };
	const struct response_spec spec = { .responder = responder_by_key(KEY_CA),
					    .produced_at = this_update,
					    .entries = make_entry(&entry),
					    .signer = KEY_CA,
					    .scheme = ECDSA_SHA256 };
	struct blob der = make_response(&spec);
	char head[160];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: %zu\r\n\r\n",
			 der.len);

	out->len = (size_t)n + der.len;
	out->bytes = malloc(out->len);
	if (!out->bytes)
		end("memory");
	memcpy(out->bytes, head, (size_t)n);
	memcpy(out->bytes + n, der.data, der.len);
}

static struct in_addr address_of(unsigned listener)
{
	return (struct in_addr){ htonl(INADDR_LOOPBACK + listener) };
}

static void make_all(const char *folder, unsigned port)
{
	char path[PATH_SIZE], url[64];
	struct cert_spec ca = ca_spec();

	for (unsigned half = 0; half < 2; half++) {
		snprintf(path, sizeof(path), "%s/%u", folder, half);
		if (mkdir(path, 0755))
			end(path);
	}
	ca.issuer = ca.subject = ISSUER;
	ca.extensions = CAT(ca_constraints(), extension("551d0e", -1, OCTETS(ca_key_id())));
	snprintf(path, sizeof(path), "%s/ca.pem", folder);
	write_pem(path, make_cert(&ca));
	snprintf(path, sizeof(path), "%s/key.pem", folder);
	write_file(path, maker_key_pem[KEY_LEAF], strlen(maker_key_pem[KEY_LEAF]));
	for (unsigned i = 0; i < answers_n; i++) {
		maker_reset();
		snprintf(url, sizeof(url), "http://%s:%u/", inet_ntoa(address_of(i % listeners_n)), port);
		make_certificate(folder, i, url);
		make_answer(&answers[i], i);
	}
}

/* ---- the responder ---- */

static const struct answer *look_up(const char *request, size_t len)
{
	const char *at = memmem(request, len,
				"\x02\x08"
				"Abnc",
				6);
	uint32_t i;

	if (!at || (size_t)(request + len - at) < 10)
		return NULL;
	memcpy(&i, at + 6, sizeof(i));
	i = ntohl(i);
	return i < answers_n ? &answers[i] : NULL;
}

/* The path of a GET: Base64, its + / = perhaps escaped. */
static const struct answer *look_up_path(const char *path, size_t len)
{
	char plain[REQUEST_SIZE];
	size_t n = 0;
	gnutls_datum_t der;

	for (size_t i = 0; i < len; i++) {
		unsigned byte;
		if (path[i] == '%' && i + 2 < len && sscanf(path + i + 1, "%2x", &byte) == 1) {
			plain[n++] = (char)byte;
			i += 2;
		} else {
			plain[n++] = path[i];
		}
	}
	const gnutls_datum_t base64 = { (unsigned char *)plain, (unsigned)n };
	if (gnutls_base64_decode2(&base64, &der) < 0)
		return NULL;
	const struct answer *found = look_up((char *)der.data, der.size);
	gnutls_free(der.data);
	return found;
}

/* Length of the first request that is there as a whole; 0: not yet. */
static size_t whole_request(struct client *client, size_t *head)
{
	client->request[client->len] = 0;
	const char *blank = strstr(client->request, "\r\n\r\n");
	if (!blank)
		return 0;
	*head = (size_t)(blank + 4 - client->request);
	const char *length = strcasestr(client->request, "\r\ncontent-length:");
	size_t body = length && length < blank ? strtoul(length + 17, NULL, 10) : 0;
	return client->len >= *head + body ? *head + body : 0;
}

/* False: nothing more is said to this client. */
static bool answer_one(struct client *client, size_t head, size_t whole)
{
	const struct answer *answer = NULL;
	const char *space = strchr(client->request, ' ');

	if (strncmp(client->request, "POST ", 5) == 0)
		answer = look_up(client->request + head, whole - head);
	else if (strncmp(client->request, "GET /", 5) == 0 && (space = strchr(space + 1, ' ')))
		answer = look_up_path(client->request + 5, (size_t)(space - client->request) - 5);
	if (!answer || send(client->fd, answer->bytes, answer->len, MSG_NOSIGNAL) != (ssize_t)answer->len)
		return false;
	client->len -= whole;
	memmove(client->request, client->request + whole, client->len);
	return true;
}

static bool talk(struct client *client)
{
	size_t head, whole;
	ssize_t n = recv(client->fd, client->request + client->len, REQUEST_SIZE - client->len, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	client->len += (size_t)n;
	while ((whole = whole_request(client, &head)) > 0)
		if (!answer_one(client, head, whole))
			return false;
	return client->len < REQUEST_SIZE;
}

static void greet(int epoll, const struct listener *listener)
{
	const int on = 1;
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		end("memory");
	client->fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client->fd < 0) {
		free(client);
		return;
	}
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	if (!listener->hangs && epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event))
		end("epoll_ctl");
}

static void watch(int epoll, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		end("epoll_ctl");
}

static bool is_listener(const void *what)
{
	return what >= (void *)listeners && what < (void *)(listeners + listeners_n);
}

static int serve(void)
{
	static char input; /* its address stands for it */
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		end("epoll");
	watch(epoll, STDIN_FILENO, &input);
	for (unsigned i = 0; i < listeners_n; i++)
		watch(epoll, listeners[i].fd, &listeners[i]);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct client *client = events[i].data.ptr;
			if (events[i].data.ptr == &input)
				return 0;
			if (is_listener(events[i].data.ptr)) {
				greet(epoll, events[i].data.ptr);
			} else if (!talk(client)) {
				close(client->fd);
				free(client);
			}
		}
	}
}

/* All at one port, which the first of them finds. */
static unsigned listen_all(bool hang)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	for (unsigned i = 0; i < listeners_n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		address.sin_addr = address_of(i);
		if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) || listen(fd, 1024) ||
		    getsockname(fd, (struct sockaddr *)&address, &len))
			end("a port");
		listeners[i] = (struct listener){ fd, hang && i == 0 };
	}
	return ntohs(address.sin_port);
}

/* A descriptor for each responder, and for each connection to it. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		end("descriptors");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		end("descriptors");
}

int main(int argc, char **argv)
{
	unsigned long n = argc >= 3 ? strtoul(argv[2], NULL, 10) : 0, r = argc >= 4 ? strtoul(argv[3], NULL, 10) : 1;
	bool hang = argc == 5 && strcmp(argv[4], "hang") == 0;
	time_t now = time(NULL);

	if (n < 2 || n > MOST || r < 1 || r > n || argc > 5 || (argc == 5 && !hang)) {
		fprintf(stderr, "usage: clinch-bench-world FOLDER N [R [hang]]\n");
		return 2;
	}
	answers_n = (unsigned)n;
	listeners_n = (unsigned)r;
	answers = calloc(n, sizeof(*answers));
	listeners = calloc(r, sizeof(*listeners));
	if (!answers || !listeners)
		end("memory");
	write_time(not_before, now - 86400);
	write_time(not_after, now + 90 * 86400);
	write_time(this_update, now - 3600);
	write_time(next_update, now + 4 * 86400);
	allow_descriptors();
	unsigned port = listen_all(hang);
	make_all(argv[1], port);
	printf("%u\n", port);
	fflush(stdout);
	return serve();
}
