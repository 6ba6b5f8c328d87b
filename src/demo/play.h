/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The play: who is on the stage, what a client sees, and what came out so far. */
#ifndef DEMO_PLAY_H
#define DEMO_PLAY_H

#include "demo/pki.h"
#include "demo/stage.h"
#include "x509/subject.h"

#define PLAY_ROWS 16
#define PLAY_LIFE_S 32 /* of a response: the loop goes round in a quarter of it */

/* What `clinch check` says of a server. */
struct seen {
	int status;
	char verdict[16], reason[40];
	int64_t this_update; /* of the staple on the wire; 0: none */
};

enum staple_is { STAPLE_ANY, STAPLE_HELD, STAPLE_NEWER, STAPLE_NONE };
struct expected {
	int status;
	const char *verdict, *reason;
	enum staple_is staple;
};

struct play {
	struct stage stage;
	struct demo_identity root, issuing, delegate, server;
	struct demo_identity stranger_ca, stranger; /* of the same names, with keys of their own */
	struct issuer *ca;                          /* issuing */
	char responder_at[STAGE_ADDRESS], server_at[STAGE_ADDRESS];
	uint16_t responder_port, backend_port;
	int64_t held; /* thisUpdate of the staple that a client saw last */
	struct play_row {
		const char *what;
		struct seen seen;
		bool newer, right;
	} row[PLAY_ROWS];
	unsigned n_rows;
};

/* The CA, its files and its index; `url` is where its responder is. */
int play_make_authority(struct play *play, struct clinch_error *err);
int play_make_server(struct play *play, struct clinch_error *err);
int play_write_index(struct play *play, bool revoked, struct clinch_error *err);

int play_start_responder(struct play *play, struct clinch_error *err);
int play_start_server(struct play *play, struct clinch_error *err);

/* clinch check, for us to judge: not shown. */
int play_look(struct play *play, const char *address, struct seen *out, struct clinch_error *err);
/* The same, `shown` to the person whole or as a line, judged and noted. A wrong one is CLINCH_E_FORMAT: the play ends. */
int play_judge(struct play *play, const char *what, const char *address, const struct expected *expected, bool shown,
	       struct clinch_error *err);
/* Waits until a client sees a newer staple, or a verdict. */
int play_wait_newer(struct play *play, struct clinch_error *err);
int play_wait_verdict(struct play *play, const char *verdict, struct clinch_error *err);

/* A line of the server's log, behind `since`, shown. */
int play_wait_log(struct play *play, size_t since, const char *pattern, struct clinch_error *err);

enum lie { LIE_FORGED, LIE_EXPIRED, LIE_REPLAYED };
/* A response about the server's certificate, as somebody might send it who stands in the way. */
int play_make_lie(struct play *play, enum lie lie, gnutls_datum_t *out, struct clinch_error *err);

#endif
