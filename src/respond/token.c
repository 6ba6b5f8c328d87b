/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/token.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "x509/private_key.h"
#include <gnutls/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 5000        /* for calls into modules to come back */
#define SOONEST_MS 500          /* between two attempts to get a token back */
#define LATEST_MS 4000          /* likewise, when no other key is disturbed */
#define LATEST_OF_MANY_MS 64000 /* likewise, when others are */

struct token_key {
	gnutls_privkey_t real; /* NULL: closed */
	bool was_open;
	int algorithm, bits; /* of the public key: it stays the same */
	_Atomic int64_t next_attempt_ms;
	int64_t interval_ms;
	struct token_key *next, **link; /* in `keys` */
	char url[];
};

/*
 * Held for reading by who calls into a module with a key, for writing by who opens or closes one or ends the modules. Who
 * wants to write goes first, or a busy key would keep a lost one from coming back.
 */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static struct token_key *keys;           /* all there are */
static _Atomic int64_t writing_since_ms; /* 0: nobody writes */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct timespec time_of(int64_t ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

/* A module may not come back from a call at all: then the key is not opened, rather than that everybody waits. */
static bool lock_for_writing(void)
{
	struct timespec end = time_of(now_ms() + PATIENCE_MS);

	if (pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &end) != 0)
		return false;
	atomic_store(&writing_since_ms, now_ms());
	return true;
}

/* Behind one that has been writing for too long nobody waits again. */
static bool lock_for_reading(void)
{
	int64_t since = atomic_load(&writing_since_ms);
	struct timespec end = time_of((since ? since : now_ms()) + PATIENCE_MS);

	return pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &end) == 0;
}

static void unlock_writing(void)
{
	atomic_store(&writing_since_ms, 0);
	pthread_rwlock_unlock(&lock);
}

/* ---- opening and closing, under the lock for writing ---- */

static void close_key(struct token_key *key)
{
	if (key->real)
		gnutls_privkey_deinit(key->real);
	key->real = NULL;
}

static int open_key(struct token_key *key, struct clinch_error *err)
{
	close_key(key);
	int code = private_key_load(&key->real, key->url, NULL, err);
	if (code < 0)
		return code;
	unsigned bits = 0;
	key->algorithm = gnutls_privkey_get_pk_algorithm(key->real, &bits);
	key->bits = (int)bits;
	return 0;
}

static bool disturbs_others(const struct token_key *key)
{
	for (const struct token_key *other = keys; other; other = other->next)
		if (other != key && other->real)
			return true;
	return false;
}

/* Those that were open are open again: who signs with them notices nothing. */
static void restart_modules(void)
{
	for (struct token_key *key = keys; key; key = key->next) {
		key->was_open = key->real != NULL;
		close_key(key);
	}
	gnutls_pkcs11_deinit();
	gnutls_pkcs11_init(GNUTLS_PKCS11_FLAG_AUTO, NULL);
	for (struct token_key *key = keys; key; key = key->next)
		if (key->was_open)
			open_key(key, NULL);
}

/* ---- what GnuTLS calls ---- */

/* What both ways to sign have alike. */
struct wish {
	bool is_hash;
	gnutls_sign_algorithm_t algorithm;
	unsigned flags;
	const gnutls_datum_t *what;
	gnutls_datum_t *signature;
};

static int sign_under_lock(const struct token_key *key, const struct wish *wish)
{
	if (!key->real)
		return GNUTLS_E_PKCS11_TOKEN_ERROR;
	if (wish->is_hash)
		return gnutls_privkey_sign_hash2(key->real, wish->algorithm, wish->flags, wish->what, wish->signature);
	return gnutls_privkey_sign_data2(key->real, wish->algorithm, wish->flags, wish->what, wish->signature);
}

static int sign_as_it_is(const struct token_key *key, const struct wish *wish)
{
	if (!lock_for_reading())
		return GNUTLS_E_TIMEDOUT;
	int rc = sign_under_lock(key, wish);
	pthread_rwlock_unlock(&lock);
	return rc;
}

static int open_and_sign(struct token_key *key, const struct wish *wish)
{
	return open_key(key, NULL) < 0 ? GNUTLS_E_PKCS11_TOKEN_ERROR : sign_under_lock(key, wish);
}

static void try_more_rarely(struct token_key *key, int64_t latest)
{
	key->interval_ms = key->interval_ms * 2 < latest ? key->interval_ms * 2 : latest;
}

/* A new session may do; or else all of the modules. What does not help is done more rarely, and so is what takes long. */
static int get_back(struct token_key *key, const struct wish *wish)
{
	int64_t began = now_ms();
	int64_t latest = disturbs_others(key) ? LATEST_OF_MANY_MS : LATEST_MS;
	int rc = open_and_sign(key, wish);

	if (rc >= 0) {
		key->interval_ms = SOONEST_MS;
	} else {
		try_more_rarely(key, latest);
		close_key(key);
		restart_modules();
		rc = open_and_sign(key, wish);
	}
	atomic_store(&key->next_attempt_ms, now_ms() + key->interval_ms + 10 * (now_ms() - began));
	return rc;
}

/* Of several threads that failed one tries. */
static int sign_with_attempt(struct token_key *key, const struct wish *wish, int rc)
{
	int64_t next = atomic_load(&key->next_attempt_ms);

	if (now_ms() < next || !atomic_compare_exchange_strong(&key->next_attempt_ms, &next, INT64_MAX))
		return rc;
	if (!lock_for_writing()) {
		try_more_rarely(key, LATEST_OF_MANY_MS); /* who waits to write keeps others from reading */
		atomic_store(&key->next_attempt_ms, now_ms() + key->interval_ms);
		return rc;
	}
	rc = get_back(key, wish);
	unlock_writing();
	return rc;
}

static int sign(struct token_key *key, const struct wish *wish)
{
	int rc = sign_as_it_is(key, wish);

	return rc < 0 && rc != GNUTLS_E_MEMORY_ERROR && rc != GNUTLS_E_TIMEDOUT ? sign_with_attempt(key, wish, rc) : rc;
}

static int sign_data(gnutls_privkey_t wrapper, gnutls_sign_algorithm_t algorithm, void *user, unsigned flags,
		     const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	(void)wrapper;
	return sign(user, &(struct wish){ false, algorithm, flags, data, signature });
}

static int sign_hash(gnutls_privkey_t wrapper, gnutls_sign_algorithm_t algorithm, void *user, unsigned flags,
		     const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	(void)wrapper;
	return sign(user, &(struct wish){ true, algorithm, flags, hash, signature });
}

static int inform(gnutls_privkey_t wrapper, unsigned flags, void *user)
{
	const struct token_key *key = user;

	(void)wrapper;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return key->algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return key->bits;
	if (!(flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO))
		return -1;
	return gnutls_sign_supports_pk_algorithm(GNUTLS_FLAGS_TO_SIGN_ALGO(flags), (gnutls_pk_algorithm_t)key->algorithm) !=
	       0;
}

static void forget(gnutls_privkey_t wrapper, void *user)
{
	struct token_key *key = user;

	(void)wrapper;
	/* A module that does not come back keeps its key: what it may still be using is not freed. */
	if (!lock_for_writing())
		return;
	*key->link = key->next;
	if (key->next)
		key->next->link = key->link;
	close_key(key);
	unlock_writing();
	free(key);
}

/* ---- making one ---- */

static void add(struct token_key *key)
{
	key->next = keys;
	key->link = &keys;
	if (keys)
		keys->link = &key->next;
	keys = key;
}

static int open_and_add(struct token_key *key, struct clinch_error *err)
{
	if (!lock_for_writing())
		return error_set(err, CLINCH_E_TIMEOUT, "%.*s: a module for tokens does not answer",
				 (int)strcspn(key->url, "?"), key->url);
	int code = open_key(key, err);
	if (code < 0 && !disturbs_others(key)) {
		restart_modules();
		code = open_key(key, err);
	}
	if (code == 0)
		add(key);
	unlock_writing();
	return code;
}

int token_key_open(gnutls_privkey_t *out, const char *url, struct clinch_error *err)
{
	struct token_key *key = calloc(1, sizeof(*key) + strlen(url) + 1);
	gnutls_privkey_t wrapper = NULL;

	if (!key)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a key");
	memcpy(key->url, url, strlen(url) + 1);
	key->interval_ms = SOONEST_MS;
	int code = open_and_add(key, err);
	if (code < 0) {
		free(key);
		return code;
	}
	int rc = gnutls_privkey_init(&wrapper);
	if (rc >= 0)
		rc = gnutls_privkey_import_ext4(wrapper, key, sign_data, sign_hash, NULL, forget, inform, 0);
	if (rc < 0) {
		if (wrapper)
			gnutls_privkey_deinit(wrapper);
		forget(NULL, key);
		return error_gnutls(err, rc, "the key of a token cannot be used");
	}
	*out = wrapper;
	return 0;
}
