/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of cases (tests/data/cases/README), and whether a verdict is what it wants. */
#ifndef CASES_TABLE_H
#define CASES_TABLE_H

#include "base/buf.h"
#include "world.h"
#include <clinch/ocsp.h>

#define CASES_NOW INT64_C(1907755200) /* 2030-06-15T12:00:00Z */

/* Every string points into the table and lives until table_done(). */
struct test_case {
	const char *name, *keys, *leaf, *issuer;
	int64_t at;
	const char *says;                              /* NULL: nothing more */
	const char *want, *findings;                   /* as they stand in the table; findings NULL: any */
	const char *trusted, *nonce;                   /* of the policy; NULL: not set */
	struct clinch_policy policy;                   /* without its pointers */
	const char *not_tls, *not_tls13, *not_command; /* why not; NULL: it goes */
};

struct table {
	struct test_case *cases;
	unsigned n;
};

void table_read(struct table *out); /* ends the program when it cannot */
void table_done(struct table *table);
int64_t table_instant(const char *text); /* "+301s", "-2d", "0s" from now; or YYYYMMDDHHMMSS */
bool case_is_made_in(const struct test_case *one, const char *kind);

/* What was found, however it was found. status and reason by name; fresh and findings as they are. */
struct found {
	const char *status, *reason;
	bool fresh;
	uint64_t findings;
	const struct clinch_verdict *verdict; /* NULL: not all of it is known */
};
struct found found_of(const struct clinch_verdict *verdict);

/* Does it want this? If not, the difference is added to `why`. */
bool case_wants(const struct test_case *one, const struct found *found, struct buf *why);
bool case_wants_status(const struct test_case *one, const char *status);

/* One line of TAP; the lines of `why` behind it as diagnostics when it failed. tap_not(): no test, a remark. */
void tap_line(bool passed, const char *way, const char *kind, const char *name, const struct buf *why);
void tap_not(const char *way, const char *kind, const char *name, const char *why);
int tap_end(void); /* the plan; the exit status */

#endif
