/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening sockets: one a thread and address. */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include <clinch/error.h>
#include <stddef.h>

struct sockets {
	size_t n; /* addresses */
	unsigned threads;
	int *fd;      /* [thread * n + address]; -1: none, or a thread's by now */
	char **bound; /* [address]: "127.0.0.1:443", as bound */
};

/* Binds each of `n` addresses (endpoint.h) for each thread, and does not listen. CLINCH_E_FILE, or CLINCH_E_ARGUMENT for
 * what is no address, names it. sockets_done() is due after a failure too. */
int sockets_bind(struct sockets *out, const char *const *listen_at, size_t n, unsigned threads, struct clinch_error *err);
int sockets_listen(int fd); /* as listen(2) */
void sockets_done(struct sockets *sockets);

#endif
