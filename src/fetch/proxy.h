/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which proxy a URL goes by. Decided here and not by libcurl, because who judges the connected address must know whether it
 * is the responder's or the proxy's, and because the environment is read in one place, at the top.
 */
#ifndef FETCH_PROXY_H
#define FETCH_PROXY_H

#include "fetch/url.h"

/* What http_proxy, https_proxy, all_proxy and no_proxy say; the caller's strings; NULL or "": not set. */
struct fetch_proxies {
	const char *http, *https, *all;
	const char *except; /* "*", or names and addresses by comma or space: "corp.example .local 10.0.0.0/8 [::1]" */
};

/* NULL: none, go directly. */
const char *proxy_for(const struct fetch_proxies *proxies, const struct url *url);

/* The proxy for a message: without user and password. At least URL_HOST_SIZE + 16 bytes. */
const char *proxy_text(char *out, size_t size, const char *proxy);

#endif
