/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the configuration: one row for each key, which the reader, --print-defaults and the check of the man page go by. */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/conf.h"

enum conf_type {
	CONF_TEXT,     /* const char *; judged by `check` */
	CONF_TEXTS,    /* a list of them: const char *const *, ended by NULL, and its count; judged by `check` each */
	CONF_BOOL,     /* bool; "true" or "false" */
	CONF_CHOICE,   /* one of `words`; a bool or an enum, by `size` */
	CONF_DURATION, /* uint32_t, milliseconds; a number and ms, s, m, h or d */
	CONF_SECONDS,  /* int64_t, seconds; a number and s, m, h or d */
	CONF_SIZE,     /* uint32_t, bytes; a number and B, KiB, MiB or GiB */
	CONF_COUNT,    /* unsigned */
	CONF_MODE,     /* unsigned; octal, in quotes or not: 0644 */
	CONF_SECTION,  /* a mapping by `table`, into the same structure; flag_at: a bool, it is there */
	CONF_ENTRIES,  /* a list of mappings by `table`, one element each; and its count */
};

struct conf_word {
	const char *word;
	int value;
};

/* NULL: it may be; else the middle of a sentence: "is not an absolute path". Static. */
typedef const char *conf_check(const char *text);

struct conf_table;

#define CONF_NOWHERE SIZE_MAX /* at: nothing is written, the key is for finish() alone */

struct conf_key {
	const char *name;
	enum conf_type type;
	bool required;
	size_t at, count_at, flag_at;  /* in the structure */
	size_t size;                   /* CHOICE: of the field */
	int64_t min, max;              /* DURATION (ms), SECONDS, SIZE, COUNT; TEXTS, ENTRIES: how many */
	const struct conf_word *words; /* ended by NULL */
	conf_check *check;
	const struct conf_table *table;
	const char *preset;  /* the default, as one would write it; NULL: none */
	const char *example; /* where there is no default */
	const char *help;    /* one line, lower case, no full stop */
};

struct conf_wrong {      /* what finish() found */
	const char *key; /* where it points at; NULL: the whole mapping */
	char text[160];  /* the whole sentence */
};

struct conf_table {
	const char *name;            /* for messages: "keep" */
	const struct conf_key *keys; /* ended by a NULL name */
	size_t size;                 /* of an element of ENTRIES */
	/* What one key alone cannot tell, after all were read; `given` has a bit for each row that was written. False:
	 * *wrong is filled. NULL: nothing. */
	bool (*finish)(void *base, uint64_t given, struct conf_wrong *wrong);
};

extern const struct conf_table conf_root;

/* The bit of the row with this name. */
uint64_t conf_bit(const struct conf_table *table, const char *name);

/* ---- value.c: one scalar by its row. False: `why` is the middle of a sentence about it. ---- */
#define CONF_WHY_SIZE 224
bool conf_duration(const char *text, int64_t min, int64_t max, uint32_t *out, char why[CONF_WHY_SIZE]);
bool conf_seconds(const char *text, int64_t min, int64_t max, int64_t *out, char why[CONF_WHY_SIZE]);
bool conf_size(const char *text, int64_t min, int64_t max, uint32_t *out, char why[CONF_WHY_SIZE]);
bool conf_count(const char *text, int64_t min, int64_t max, unsigned *out, char why[CONF_WHY_SIZE]);
bool conf_mode(const char *text, unsigned *out, char why[CONF_WHY_SIZE]);
/* Into the field of *base; `text` stays where it is. For every type but TEXTS, SECTION and ENTRIES. */
bool conf_scalar(const struct conf_key *key, const char *text, void *base, char why[CONF_WHY_SIZE]);
/* As one would write it: 90000 is "90s". */
const char *conf_duration_text(char out[24], int64_t ms);
const char *conf_size_text(char out[24], int64_t bytes);

/* ---- check.c ---- */
conf_check check_path, check_pattern, check_file_template, check_socket_path, check_socket_or_none, check_url, check_proxy,
	check_listen, check_metrics_listen, check_backend, check_key, check_alpn, check_word, check_argument, check_serial;

#endif
