/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A certification authority that is answered for: its certificate, who signs, and what its operator decided. Immutable and
 * counted by reference. What it says of its serials is apart (source.h), and changes more often.
 */
#ifndef RESPOND_AUTHORITY_H
#define RESPOND_AUTHORITY_H

#include "ocsp/signer.h"
#include "respond/source.h"
#include <pthread.h>

#define AUTHORITY_SIGNERS_MAX 8

/* What a signer is made of; a configuration's, borrowed for the call. */
struct signer_conf {
	const char *cert;          /* file, PEM or DER: the first certificate in it */
	const char *key;           /* file, or pkcs11: URL */
	const char *password_file; /* NULL: none */
	bool pss;                  /* RSASSA-PSS also with an ordinary RSA key */
};

enum never_issued { NEVER_ISSUED_UNAUTHORIZED, NEVER_ISSUED_UNKNOWN };
enum nonce_policy { NONCE_SIGN, NONCE_IGNORE };

#define AUTHORITY_VALIDITY_S (INT64_C(4) * 86400)

struct authority_conf {
	const char *ca; /* file, PEM or DER: the first certificate in it */
	const struct signer_conf *signers;
	size_t n_signers;
	struct source_files source; /* not read here: source_load() with authority->issuer */
	enum never_issued never_issued;
	enum nonce_policy nonce;
	bool by_name;
	int64_t validity_s;       /* 1 and up */
	int64_t archive_cutoff_s; /* how long before producedAt the archive begins (RFC 6960 4.4.4); 0: none */
};

struct authority_signer;

/* Read-only, but for what it last signed with. */
struct authority {
	atomic_uint refs;
	atomic_bool fails; /* its keys did not sign the last time */
	pthread_mutex_t fault_lock;
	char fault[sizeof(((struct clinch_error *)NULL)->text)]; /* why; fault_lock's */
	struct issuer *issuer;                                   /* its key_hash and name_hash are what a CertID names */
	enum never_issued never_issued;
	enum nonce_policy nonce;
	int64_t validity_s, archive_cutoff_s;
	bool by_name;
	size_t n_signers;
	struct authority_signer *signer; /* in the order of the configuration */
	char name[96];                   /* of the CA, to read: its common name, or all of it */
};

/*
 * Reads the certificates and keys, and refuses with the sentence that says why: what cannot be read; a CA that is none; a
 * signer that ocsp_signer_new() refuses, or that has expired at `now` while no other is valid. `warn` (NULL: nobody) is told
 * what does not keep it from working: a signer not yet or no longer valid, a delegate without id-pkix-ocsp-nocheck, a CA
 * that signs itself without digitalSignature in its keyUsage.
 */
int authority_load(struct authority **out, const struct authority_conf *conf, int64_t now,
		   void (*warn)(const char *sentence, void *user), void *user, struct clinch_error *err);
struct authority *authority_ref(struct authority *authority);
void authority_unref(struct authority *authority); /* NULL-safe */

/* ---- signing ---- */

/* Who signed, and how: of the certificate's fingerprint and its setting `pss`. 0 is nobody's. */
typedef uint64_t signer_id;

/* The end of what the one that signs at `now` may sign: its notAfter; INT64_MIN: none is valid. */
int64_t authority_signs_until(const struct authority *authority, int64_t now);
/* Is this one of its signers? What another signed is not served on: its key may have been given up for a reason. */
bool authority_has_signer(const struct authority *authority, signer_id id);

/*
 * The first signer that is valid at `now` signs; where its key cannot, the next. nextUpdate is never beyond that one's
 * notAfter: single[].next_update is cut to it, which is how the caller learns of it. From any thread. *out as ocsp_sign()
 * has it; `id` may be NULL. CLINCH_E_MISSING: none is valid now. CLINCH_E_GNUTLS: no key can sign now; one of a token will
 * when the token is back (token.h).
 */
int authority_sign(gnutls_datum_t *out, struct authority *authority, struct ocsp_single *single, size_t n, int64_t now,
		   const struct der *nonce, signer_id *id, struct clinch_error *err);

/* True: no key of it signed the last time, and why. From any thread. */
bool authority_fails(struct authority *authority, char *why, size_t size);

/* ---- which authority a CertID means ---- */

struct authority_table;

/* Takes a reference of each. CLINCH_E_ARGUMENT: two of them are one CA (the same name and key). */
int authority_table_new(struct authority_table **out, struct authority *const *list, size_t n, struct clinch_error *err);
void authority_table_free(struct authority_table *table); /* NULL-safe */
/* By digest and both hashes (SHA-1, SHA-256, SHA-384, SHA-512); its place in the list, or -1: none. */
ptrdiff_t authority_table_find(const struct authority_table *table, const struct cert_id *id);

#endif
