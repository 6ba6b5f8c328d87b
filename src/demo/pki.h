/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A throw-away PKI: a root, an issuing CA, and whom that CA signs for. Keys are P-256 and live in the demo's directory only.
 * Certificates are backdated, so that responses of the past fall into their validity.
 */
#ifndef DEMO_PKI_H
#define DEMO_PKI_H

#include <clinch/error.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>

struct demo_identity {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

struct demo_request {
	const char *name; /* commonName */
	bool ca, ocsp_signing, must_staple;
	const char *ocsp_url; /* NULL: none */
	uint8_t serial;
	unsigned days; /* from now on */
};

/* `issuer` NULL: signs itself. *out is the caller's: demo_identity_done(). */
int demo_issue(struct demo_identity *out, const struct demo_identity *issuer, const struct demo_request *request,
	       int64_t now, struct clinch_error *err);
void demo_identity_done(struct demo_identity *identity);

/* PEM into `path`, the chain in the order given, ended by NULL; the key with mode 0600. */
int demo_write_chain(const char *path, gnutls_x509_crt_t const *chain, struct clinch_error *err);
int demo_write_key(const char *path, gnutls_x509_privkey_t key, struct clinch_error *err);

#endif
