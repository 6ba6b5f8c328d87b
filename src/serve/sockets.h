/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening sockets: one a thread and address. */
#ifndef SERVE_SOCKETS_H
#define SERVE_SOCKETS_H

#include "serve/serve.h"

struct sockets {
	size_t n; /* addresses */
	unsigned threads;
	int *fd;      /* [thread * n + address]; -1: none, or a thread's by now */
	char **bound; /* [address]: "127.0.0.1:443", as bound */
};

/* Binds them, and does not listen. CLINCH_E_FILE names the address. */
int sockets_bind(struct sockets *out, const struct serve_conf *conf, unsigned threads, struct clinch_error *err);
int sockets_listen(int fd); /* as listen(2) */
void sockets_done(struct sockets *sockets);

#endif
