/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the outlets: one outlet, what its kind does, and what all kinds share. */
#ifndef KEEP_OUTLET_INSIDE_H
#define KEEP_OUTLET_INSIDE_H

#include "base/buf.h"
#include "keep/marks.h"
#include "keep/outlet.h"
#include <sys/types.h>

#define OUTLET_RETRY_MS 30000 /* after a failure, doubling ... */
#define OUTLET_RETRY_MOST_MS 300000
#define OUTLET_FILES_AFTER_MS 200 /* files are written as soon as a batch is over */
#define OUTLET_TEXT_SIZE 400

struct outlet;

/* What a kind does with a batch: outlet->batch, n_batch of them. It ends with one call of outlet_ended(). */
struct outlet_ops {
	void (*begin)(struct outlet *outlet);
	/* Whatever is going on ends, and no call of outlet_ended() comes; handles are closed by way of the loop and counted
	 * in outlet->open_handles. NULL: begin() is all there is. */
	void (*cancel)(struct outlet *outlet);
	/* What is going on goes on for `to`, which has the batch then. NULL: it is cancelled, and begun anew there. */
	void (*hand_over)(struct outlet *from, struct outlet *to);
};
extern const struct outlet_ops outlet_file_ops, outlet_haproxy_ops, outlet_run_ops;

struct outlet_owner {       /* of a file: who may write it, where two certificates have one name */
	uint64_t path_hash; /* 0: the slot is free */
	uint8_t fingerprint[FINGERPRINT_LEN];
};

struct outlet {
	struct outlets *all;
	const struct outlet_conf *conf;
	const struct outlet_ops *ops;
	void *kind; /* the kind's own; freed by it when cancelled, or with free() at the end */
	uv_timer_t timer;
	unsigned open_handles; /* that lead here and are not closed yet */
	bool closing;

	struct marks marks;
	int64_t first_change_ms; /* the loop's clock; 0: nothing changed since the last batch began */
	int64_t soonest_end;     /* Unix seconds: of what is put out now and has a successor; INT64_MAX: nothing */
	bool busy;               /* between begin() and outlet_ended() */
	uint8_t (*batch)[FINGERPRINT_LEN];
	size_t n_batch, batch_at, batch_failed;
	int64_t began_ms;     /* the last batch; 0: none yet */
	int64_t last_success; /* Unix seconds */
	unsigned failures;    /* in a row */
	char text[OUTLET_TEXT_SIZE];
	bool due_noted;  /* RUN: the store says that a run is due; */
	bool due_before; /* since an earlier process, which did not come to it: what is loaded is pending */

	struct outlet_owner *owners; /* files */
	size_t n_owner_slots, n_owners;
	bool review; /* a certificate has gone: another one may take its file */
};

struct outlets {
	uv_loop_t *loop;
	struct keeper *keeper;
	struct outlet **outlet;
	size_t n;
	outlet_notice *notice;
	void *user;
	bool stopped, flushing;
	unsigned alive; /* outlets whose handles are not all closed */
	bool freed;
};

/* ---- outlet.c ---- */
int64_t outlet_now(void); /* Unix seconds */
int64_t outlets_mono_ms(const struct outlets *outlets);
void outlets_on_event(const struct keep_event *event, void *outlets);
bool outlet_is_busy(const struct outlet *outlet);   /* at work, or about to be; what is to be tried again does not count */
int64_t outlet_due_ms(const struct outlet *outlet); /* on the loop's clock; of an outlet with something pending */
void outlet_plan(struct outlet *outlet);
void outlet_look_at_all(struct outlet *outlet); /* everything that is held, as if it had just come */
void outlet_say(const struct outlet *outlet, enum keep_level level, const char *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The failure that the batch will be told of; the first one counts. */
void outlet_fail(struct outlet *outlet, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* This one of the batch failed: it is pending again. */
void outlet_again(struct outlet *outlet, const uint8_t *fingerprint);
void outlet_ended(struct outlet *outlet);
/* A file of `row` is about to be another one, and is now: commands are to run for it. */
void outlet_file_changes(struct outlets *outlets, const struct keep_row *row);
void outlet_file_changed(struct outlets *outlets, const struct keep_row *row);
/* May what is held of it be put out by this outlet, now? */
bool outlet_wants(const struct outlet *outlet, const struct keep_row *row, const struct keep_view *view);

/* ---- outlet_due.c: for a command alone; the others look at what they wrote ---- */
void outlet_due_find(struct outlet *outlet); /* at the start */
/* Before or with the first mark; nothing when it is noted already. */
void outlet_due_note(struct outlet *outlet);
void outlet_due_forget(struct outlet *outlet);

/* ---- outlets.c ---- */
/* The same file, socket or command, for whatever certificates. */
bool outlet_is_same(const struct outlet *one, const struct outlet *other);
/* For uv_close() of a handle whose data is an outlet: it was counted in open_handles. */
void outlet_handle_closed(uv_handle_t *handle);

#endif
