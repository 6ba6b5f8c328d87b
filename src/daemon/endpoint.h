/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses as they stand in a configuration: numbers only, so that nothing waits for a name service. */
#ifndef SERVE_ENDPOINT_H
#define SERVE_ENDPOINT_H

#include <clinch/error.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct endpoint {
	socklen_t len; /* 0: none */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
};

/* "192.0.2.1:443", "[2001:db8::1]:443"; with `local_too` "unix:/run/app.sock". `what` is the setting, for the message. */
int endpoint_parse(struct endpoint *out, const char *text, bool local_too, const char *what, struct clinch_error *err);

/* The same form back. */
#define ENDPOINT_TEXT_SIZE (sizeof(((struct sockaddr_un *)0)->sun_path) + 8)
const char *endpoint_text(char out[ENDPOINT_TEXT_SIZE], const struct endpoint *address);

#endif
