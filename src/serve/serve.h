/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TLS front end: it ends TLS, with a staple, and passes bytes to a plain backend and back. A thread a core, each with
 * its own listening sockets (SO_REUSEPORT) and its own loop: a connection stays on its thread. Staples come from the store
 * directory alone; a child without keys, `clinch-keep keep`, fills it. Nothing here logs: what changed is told as an event.
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include <clinch/ocsp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct serve_certificate {
	const char *chain, *key; /* PEM; the key may be a "pkcs11:" URL */
	const char *responder;   /* asked instead of the certificate's own URLs; NULL: those */
	bool wait;               /* must_staple: wait. It is not served before it has its staple */
};

/* Filled by src/conf, or from options. {0} is the default of each field but listen, backend, certificate and store. */
struct serve_conf {
	const char *const *listen; /* "192.0.2.1:443", "[::]:443"; port 0: any. "[::]" is IPv6 alone */
	size_t n_listen;
	const char *backend; /* "127.0.0.1:8080", "[::1]:8080", "unix:/run/app.sock" */
	const struct serve_certificate *certificate;
	size_t n_certificates;
	const char *store;       /* directory; the child fills it */
	const char *fallback;    /* is asked about certificates that name no responder; NULL: nobody is */
	const char *issuers;     /* a PEM file of issuers that chain files are without; NULL: none */
	const char *const *alpn; /* in the server's order of preference; none: ALPN is not answered */
	size_t n_alpn;
	const char *priority;        /* GnuTLS's priority string; NULL: "NORMAL" without TLS 1.0 and 1.1 */
	bool proxy_protocol;         /* v2, to the backend */
	bool accept_proxy;           /* v2, from a load balancer in front: every connection must begin with it */
	bool refuse_unstapled;       /* on_unstapled: refuse */
	bool drop_revoked;           /* on_revoked: drop */
	bool no_tickets;             /* tickets: off */
	bool no_keeper;              /* no child: another `clinch keep` fills the store */
	const char *keeper_settings; /* YAML that goes before the child\'s section "keep"; NULL: none */
	uint32_t ticket_key_ms;      /* how long a key of tickets is used; 0: 12 hours */
	unsigned threads;            /* 0: one a core this process may use */
	unsigned connections;        /* 0: 20000 */
	uint32_t handshake_ms;       /* from accept to the end of the handshake; 0: 10000 */
	uint32_t connect_ms;         /* to the backend; 0: 5000 */
	uint32_t idle_ms;            /* without a byte either way; 0: 300000 */
	uint32_t drain_ms;           /* after SIGTERM; 0: 30000 */
	uint32_t ready_timeout_ms;   /* 0: 10000 */
};

/* ---- events: each is told once, in order of its thread; `listener` is called from any thread ---- */

enum serve_event_kind {
	SERVE_LISTENING,      /* text: the bound address */
	SERVE_READY,          /* ready; text: what is still missing, or "" */
	SERVE_STAPLED,        /* the first staple of a certificate, or the first after SERVE_UNSTAPLED */
	SERVE_REFRESHED,      /* a newer one */
	SERVE_REVOKED,        /* it says "revoked" */
	SERVE_UNSTAPLED,      /* the staple's time is over and no newer one came */
	SERVE_NO_RESPONDER,   /* once a certificate: there is nothing to staple; text: why */
	SERVE_WAITING,        /* must_staple: wait; it is not served yet */
	SERVE_RENEWED,        /* another certificate (or key) came from the same files */
	SERVE_REFRESH_FAILED, /* a file cannot be used; what was held stays. Told when the sentence changes */
	SERVE_BACKEND_DOWN,   /* the first connection that failed to reach it; then SERVE_BACKEND_UP */
	SERVE_BACKEND_UP,
	SERVE_LIMIT,             /* the limit of connections was reached, or descriptors ran out: once until it is left */
	SERVE_RELOADING,         /* SIGHUP came */
	SERVE_RELOADED,          /* the new configuration is in use */
	SERVE_RELOAD_FAILED,     /* ... it is not; the old one stays */
	SERVE_KEEPER_STARTED,    /* pid */
	SERVE_KEEPER_ENDED,      /* text: how; it is started again */
	SERVE_DRAINING,          /* n: connections that are open */
	SERVE_STOPPED,           /* n: connections that were cut off */
	SERVE_CONNECTION_FAILED, /* for debugging: a handshake, a PROXY header or a relay that ended badly */
	SERVE_NOTICE,            /* a sentence of general interest */
	SERVE_EVENT_KINDS
};
const char *serve_event_name(enum serve_event_kind kind); /* "stapled"; static */

enum serve_level { SERVE_ERROR = 3, SERVE_WARNING = 4, SERVE_INFO = 6, SERVE_DEBUG = 7 }; /* syslog's */

struct serve_event {
	enum serve_event_kind kind;
	enum serve_level level;
	const char *certificate;              /* the chain file; NULL: about none */
	const uint8_t *fingerprint;           /* SHA-256 of the leaf, with `certificate`; NULL: not known */
	const struct clinch_verdict *verdict; /* of its staple; NULL: none */
	const char *peer;                     /* the client's address; NULL: about none */
	const char *text;                     /* a sentence or a word; never NULL */
	int64_t n;                            /* a number, as said above; -1: none */
};
typedef void serve_listener(const struct serve_event *event, void *user);

/* ---- counters, for metrics: clinch_handshakes_total{staple} ---- */

struct serve_counters {                               /* summed over threads; they only grow */
	uint64_t stapled, unstapled, resumed, failed; /* handshakes by what was sent */
	uint64_t accepted, open;                      /* connections; open: now */
	uint64_t backend_failures;
};

/* ---- the server ---- */

struct uv_loop_s;

/* All but `listener` are called by the thread that runs serve_run(). Each but `listener` may be NULL. */
struct serve_hooks {
	/* SIGHUP: another configuration, which must live until `release` is called with it. NULL, the reason having been
	 * told: the one before stays. Without this hook SIGHUP reads the files of the same configuration again. */
	const struct serve_conf *(*reload)(void *user);
	void (*release)(const struct serve_conf *conf, void *user);
	serve_listener *listener;
	const atomic_bool *wants_debug; /* is SERVE_CONNECTION_FAILED wanted? NULL: no. It may change */
	/* Once the ports are bound, before any file is opened: root becomes somebody else. Not 0: it has said why, end. */
	int (*become)(void *user);
	void (*ready)(const char *const *bound, size_t n, void *user);    /* once: the addresses, in the order of `listen` */
	void (*alive)(const struct serve_counters *counters, void *user); /* once a second, and at the end */
	/* With the main thread's loop, for what else is to turn in it; `end` closes that again, when all connections ended.
	 */
	int (*begin)(struct uv_loop_s *loop, void *user, struct clinch_error *err);
	void (*end)(void *user);
	void *user;
};

struct serve_start {                     /* what is settled once */
	const char *keeper_path;         /* the executable clinch-keep; NULL: as with no_keeper */
	char *const *keeper_environment; /* ended by NULL; NULL: an empty one */
};

/*
 * Runs until SIGTERM or SIGINT and the drain after it. 0, or CLINCH_E_... with nothing served: CLINCH_E_ARGUMENT is the
 * configuration's fault (a bad address), the others a file's, a port's or the system's. A process runs
 * one server: it takes SIGHUP, SIGTERM, SIGINT, SIGCHLD and SIGPIPE.
 */
int serve_run(const struct serve_conf *conf, const struct serve_start *start, const struct serve_hooks *hooks,
	      struct clinch_error *err);

/* Is this configuration one that could be started, by its text alone (no file is opened)? For --check-config. */
int serve_check(const struct serve_conf *conf, struct clinch_error *err);

#endif
