/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The validated path of a session's peer: GnuTLS builds and judges it (the session's trust, CRLs, flags and profile count),
 * we write down which certificate issued which. GnuTLS's own staple check is kept out of the judgement.
 */
#ifndef X509_PATH_H
#define X509_PATH_H

#include <clinch/ocsp.h>

#define PATH_MAX_MEMBERS 16

struct path_member {
	gnutls_datum_t cert, issuer; /* DER, owned; issuer empty: none known */
};

struct path {
	struct path_member member[PATH_MAX_MEMBERS]; /* the peer's certificate first, each below the trust anchor */
	unsigned n;
	unsigned status;           /* gnutls_certificate_status_t, all of it */
	enum clinch_reason reason; /* CLINCH_REASON_GOOD, or why the path is refused */
};

struct path_wish {
	const char *host;    /* a name or an IP literal; NULL: any */
	const char *purpose; /* GNUTLS_KP_TLS_WWW_SERVER, GNUTLS_KP_TLS_WWW_CLIENT */
	bool dates_are_ours; /* GnuTLS was told to leave all dates alone: the anchor's, which it judges otherwise, too */
	int64_t now;         /* the dates of each member are judged at this instant, whatever GnuTLS's clock says */
};

/* Always fills *out; a failure of GnuTLS or memory is a refusal (INTERNAL). path_done() frees. */
void path_judge(struct path *out, gnutls_session_t session, const struct path_wish *wish);
void path_done(struct path *path);

#endif
