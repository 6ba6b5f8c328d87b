/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server half: certificates, their keys, and a fresh staple for each, in one object that any number of sessions share.
 *
 *	clinch_stapler_new(&stapler, &(struct clinch_stapler_options){ .store_dir = "/var/lib/clinch/store" }, &err);
 *	clinch_stapler_add_file(stapler, "/etc/ssl/mail.pem", "/etc/ssl/private/mail.key", &err);
 *	... for each connection: clinch_stapler_attach(stapler, session) in place of gnutls_credentials_set() ...
 *	... from a timer, once a minute: clinch_stapler_refresh(stapler, time(NULL), &err) ...
 *
 * No thread, no signal handler, and in a handshake no I/O, no allocation and no lock. Staples come from the store directory,
 * which `clinch keep` fills, or are handed over (clinch_stapler_offer()); each is judged in full before it is used.
 *
 * A staple is sent while now < fresh_until - margin (the smaller of 5 minutes and a tenth of its life): never an expired
 * one, an error, or an "unknown". In TLS 1.2 the leaf's goes out, in TLS 1.3 one for each certificate of the chain that has
 * one. Of several certificates the one is chosen that GnuTLS's own credentials would choose: by server name, then by what
 * the client can verify, in the order of its cipher suites (TLS 1.2) or in the order they were added (TLS 1.3).
 */
#ifndef CLINCH_STAPLER_H
#define CLINCH_STAPLER_H

#include <clinch/ocsp.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clinch_stapler clinch_stapler_t;

enum clinch_chain_staples {
	CLINCH_CHAIN_STAPLES_AUTO = 0, /* leaves out what GnuTLS clients that were not sent the root refuse:
					  a CA's staple that is byKey with its signer not embedded */
	CLINCH_CHAIN_STAPLES_ON,
	CLINCH_CHAIN_STAPLES_OFF, /* the leaf's only */
};

/* {0} is the default of every field. What the pointers lead to is copied. */
struct clinch_stapler_options {
	const char *store_dir;    /* NULL: only clinch_stapler_offer() feeds it */
	const char *issuers_file; /* PEM: issuers that are missing from chain files; the system's trust is looked at too */
	enum clinch_chain_staples chain_staples;
	bool drop_revoked; /* staple nothing when the staple says "revoked"; the default is to send it: it is the truth */
	bool refuse_unstapled;       /* fail the handshake of a must-staple certificate that has no staple */
	struct clinch_policy policy; /* skew_s, undated_age_s, max_len, allow_sha1_signature */
	uintptr_t reserved[4];       /* 0 */
};

/* `options` NULL: all defaults. A store directory that is not there yet is looked for again at each refresh. */
CLINCH_API CLINCH_MUST_USE int clinch_stapler_new(clinch_stapler_t **out, const struct clinch_stapler_options *options,
						  struct clinch_error *err);
/* Sessions that are attached keep what they need until gnutls_deinit(). NULL-safe. */
CLINCH_API void clinch_stapler_free(clinch_stapler_t *stapler);

/*
 * A chain (leaf first, PEM) and its key: a PEM file, or a "pkcs11:" URL as GnuTLS takes it. Both are watched from
 * clinch_stapler_refresh() on. CLINCH_E_FORMAT when they do not fit each other. The staple, where the store has one, is
 * loaded at once.
 */
CLINCH_API CLINCH_MUST_USE int clinch_stapler_add_file(clinch_stapler_t *stapler, const char *chain_pem,
						       const char *key_pem_or_url, struct clinch_error *err);
/* Many at once, from several threads where loading them all takes time. Of certificates that suit a client equally, the one
 * with the lower `order` is sent, then the one that was added first. All are added, or none. */
struct clinch_stapler_pair {
	const char *chain_pem, *key_pem_or_url;
	unsigned order;
};
CLINCH_API CLINCH_MUST_USE int clinch_stapler_add_files(clinch_stapler_t *stapler, const struct clinch_stapler_pair *pairs,
							unsigned n, struct clinch_error *err);
/* The same from memory; it does not change by itself. The key is PEM. */
CLINCH_API CLINCH_MUST_USE int clinch_stapler_add_mem(clinch_stapler_t *stapler, const gnutls_datum_t *chain_pem,
						      const gnutls_datum_t *key_pem, struct clinch_error *err);

/*
 * The credentials the sessions get, for what else a server sets there (gnutls_certificate_set_x509_trust_file() for its
 * clients' certificates). Change them before the first clinch_stapler_attach() only: credentials in use are read-only.
 */
CLINCH_API gnutls_certificate_credentials_t clinch_stapler_credentials(clinch_stapler_t *stapler);

/*
 * Before gnutls_handshake(), in place of gnutls_credentials_set(). The certificates as they are now belong to the session
 * until gnutls_deinit(); a later change is for later sessions. Takes the session's hook for the ClientHello
 * (gnutls_handshake_set_hook_function) and the private-use extension number 65312. On a client's session (for mutual TLS)
 * the client's own staple goes along in TLS 1.3; attach after clinch_client_attach(), which asks for the server's: without
 * that a client must not send one (RFC 8446 4.4.2.1). CLINCH_E_ARGUMENT: attached before. CLINCH_E_MISSING: no certificate
 * was added.
 */
CLINCH_API CLINCH_MUST_USE int clinch_stapler_attach(clinch_stapler_t *stapler, gnutls_session_t session);

/*
 * Look for changes: chain and key files (taken as a pair, and only when they fit: until then the old pair stays), and files
 * of the store. Call it from a timer; never from a handshake. Returns 0 when all is as it should be, or the first error,
 * after having done everything that could be done; what was held stays.
 */
CLINCH_API int clinch_stapler_refresh(clinch_stapler_t *stapler, int64_t now, struct clinch_error *err);

/*
 * A response handed over: judged like all, and used when the store rule takes it (newer than what is held). Where several
 * certificates are loaded it goes to the one that it is about. 0 when it was taken or is what is held already;
 * CLINCH_E_FORMAT when it is not to be believed, CLINCH_E_MISSING when it is about none of the certificates,
 * CLINCH_E_ARGUMENT when it is older than what is held. `verdict` (may be NULL) says more. It is not written to the store
 * directory.
 */
CLINCH_API CLINCH_MUST_USE int clinch_stapler_offer(clinch_stapler_t *stapler, const gnutls_datum_t *der, int64_t now,
						    struct clinch_verdict *verdict);

/* ---- telling ---- */

struct clinch_stapler_state {
	const char *chain_file;         /* "" from memory; borrowed until the next change */
	uint8_t fingerprint[32];        /* SHA-256 of the leaf */
	bool must_staple, wants_staple; /* wants: it names an OCSP responder, or must staple; 7 days of life at least */
	bool is_stapled;                /* a session that began now would be given its staple */
	struct clinch_verdict verdict;  /* of the leaf's staple; MISSING when there is none */
	uintptr_t reserved[4];          /* 0 */
};

/* The i-th certificate; CLINCH_E_MISSING when there are no more. */
CLINCH_API int clinch_stapler_state(clinch_stapler_t *stapler, unsigned i, int64_t now, struct clinch_stapler_state *out);

/* How many staples this session was given to send; -1: not attached, or no certificate was chosen yet. */
CLINCH_API int clinch_stapler_sent(gnutls_session_t session);

#ifdef __cplusplus
}
#endif
#endif
