/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The responder: OCSP over HTTP for the CAs of a configuration, each with its signers and its source, and for what the store
 * holds of others. Threads that answer have no lock between them and wait for nothing: what is ready is sent, what has to
 * be signed goes to a pool and its connection is set aside. Nothing here logs: what changed is told as an event.
 */
#ifndef RESPOND_RESPOND_H
#define RESPOND_RESPOND_H

#include "respond/authority.h"
#include "respond/relay.h"

enum respond_prepare { PREPARE_NONE, PREPARE_SHA1 = 1, PREPARE_SHA256 = 2, PREPARE_BOTH = 3 };

struct respond_authority {
	struct authority_conf conf;
	const char *const *accepted; /* accept_unrevoked: serials, hexadecimal */
	size_t n_accepted;
	enum respond_prepare prepare; /* which answers are signed before they are asked for */
	int64_t refresh_s;            /* age at which an answer is signed anew; 0: half of its life */
};

#define RESPOND_IDS 32      /* CertIDs of one request */
#define RESPOND_IDS_MAX 100 /* what that can be set to */

#define RESPOND_MEMORY_MIN (INT64_C(1) << 20) /* of cache_bytes */
#define RESPOND_MEMORY_MAX (INT64_C(3) << 30)

/* Filled by src/conf, or from options. {0} is the default of each field but listen and authority. */
struct respond_conf {
	const char *const *listen; /* "192.0.2.1:80", "[::]:80"; port 0: any. "[::]" is IPv6 alone */
	size_t n_listen;
	const struct respond_authority *authority;
	size_t n_authorities;
	struct relay_files relay; /* n_chains 0: no relay */
	uint32_t cache_bytes;     /* prepared answers, all of them together; 0: 512 MiB */
	uint32_t max_age_ms;      /* what an HTTP cache may hold; 0: 1 h */
	unsigned ids;             /* CertIDs of one request; 0: RESPOND_IDS */
	unsigned threads;         /* that answer, each address; 0: one a core this process may use */
	unsigned connections;     /* 0: 20000 */
	uint32_t request_ms;      /* to the end of a first header, and from any to its answer's; 0: 10000 */
	uint32_t idle_ms;         /* from an answer to the next request's header; 0: 60000 */
	uint32_t drain_ms;        /* after SIGTERM; 0: 10000 */
	const char *metrics;      /* "127.0.0.1:9469"; NULL: none */
};

/* ---- events: `listener` is called from any thread ---- */

enum respond_event_kind {
	RESPOND_LISTENING,     /* text: the bound address */
	RESPOND_READY,         /* n: CAs */
	RESPOND_LOADED,        /* a source or signers, first or changed; n: serials it names */
	RESPOND_RELAYS,        /* the store was read; n: responses that are handed on */
	RESPOND_REFUSED,       /* ... that were refused: what was there goes on */
	RESPOND_SOURCE_OVER,   /* a source's own end has come: tryLater from here on */
	RESPOND_SOURCE_BACK,   /* ... and it was renewed */
	RESPOND_SIGNER_OVER,   /* no signer of a CA is valid now */
	RESPOND_SIGNER_BACK,   /* ... one is again */
	RESPOND_SIGNING_FAILS, /* a CA's keys do not sign; text: why; what is prepared goes on */
	RESPOND_SIGNING_AGAIN, /* they do */
	RESPOND_PREPARED,      /* all that was to be prepared is; n: answers */
	RESPOND_RELOADING,     /* SIGHUP */
	RESPOND_RELOADED,      /* ... done */
	RESPOND_RELOAD_FAILED, /* ... and everything is as it was */
	RESPOND_SHEDDING,      /* more to sign than can be signed: tryLater for nonces and odd forms; once a minute */
	RESPOND_DRAINING,      /* SIGTERM */
	RESPOND_STOPPED,
	RESPOND_NOTICE, /* text: a sentence */
	RESPOND_EVENT_KINDS
};

enum respond_level { RESPOND_ERROR = 3, RESPOND_WARNING = 4, RESPOND_INFO = 6, RESPOND_DEBUG = 7 }; /* syslog's */

struct respond_event {
	enum respond_event_kind kind;
	enum respond_level level;
	const char *authority; /* its name; NULL: not about one */
	const char *text;      /* "": nothing to add */
	int64_t at;            /* an instant that belongs to it; 0: none */
	int64_t n;             /* -1: none */
};
typedef void respond_listener(const struct respond_event *event, void *user);
const char *respond_event_name(enum respond_event_kind kind); /* "source-over"; static */

/* All but `listener` are called by the thread that runs respond_run(). Each but `listener` may be NULL. */
struct respond_hooks {
	/* SIGHUP: another configuration, which must live until `release` is called with it. NULL, the reason having been
	 * told: the one before stays. Without this hook SIGHUP reads the files of the same configuration again. */
	const struct respond_conf *(*reload)(void *user);
	void (*release)(const struct respond_conf *conf, void *user);
	respond_listener *listener;
	/* Once the ports are bound, before any file is opened: root becomes somebody else. Not 0: it has said why, end. */
	int (*become)(void *user);
	void (*ready)(const char *const *bound, size_t n, void *user); /* once: the addresses, in the order of `listen` */
	void (*alive)(void *user);                                     /* once a second */
	void *user;
};

/*
 * Runs until SIGTERM or SIGINT and the drain after it. 0, or CLINCH_E_... with nothing answered. A process runs one
 * responder: it takes SIGHUP, SIGTERM, SIGINT and SIGPIPE.
 */
int respond_run(const struct respond_conf *conf, const struct respond_hooks *hooks, struct clinch_error *err);

/* For --check-config: everything is read and checked as at the start, and let go again. Warnings go to hooks->listener. */
int respond_check(const struct respond_conf *conf, const struct respond_hooks *hooks, struct clinch_error *err);

#endif
