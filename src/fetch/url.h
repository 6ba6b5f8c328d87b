/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs of responders: a stranger's text made safe to ask, and the GET form of a request (RFC 6960 A.1). */
#ifndef FETCH_URL_H
#define FETCH_URL_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

#define URL_LEN_MAX 1024 /* of a URL that is written in a certificate, an option or a Location */
#define URL_PATH_MAX 255 /* of an escaped request in a path: longer ones are posted */
#define URL_SIZE (URL_LEN_MAX + URL_PATH_MAX + 8)
#define URL_HOST_SIZE 260

struct url {
	char text[URL_SIZE];           /* http or https, printable ASCII, without user, password and fragment */
	char lane[URL_HOST_SIZE + 16]; /* "https://host:port", lower case: whom a limit per responder is about */
	char host[URL_HOST_SIZE];      /* IPv6 literals in brackets */
	bool https, has_query;
};

/* A URL that may be asked; user, password and fragment are taken off. On failure *why is a few words; static. */
bool url_vet(struct url *out, const void *bytes, size_t len, const char **why);

/* A Location, absolute or relative to where it came from. `out` and `base` may be the same. */
bool url_follow(struct url *out, const struct url *base, const char *location, const char **why);

/*
 * The base64 of `request` with "+", "/" and "=" escaped, ended by a NUL: its length, or 0 when that is more than
 * URL_PATH_MAX. `out` has URL_PATH_MAX + 1 bytes.
 */
size_t url_request_path(char *out, const gnutls_datum_t *request);

/* `base` with that path behind it. False when it is to be posted: too long, or the URL has a query. */
bool url_for_get(struct url *out, const struct url *base, const gnutls_datum_t *request);

#endif
