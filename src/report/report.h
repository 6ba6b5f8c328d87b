/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found, for people and for programs. Text goes to stdout; nothing here decides anything. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "base/buf.h"
#include "der/der.h"
#include <clinch/ocsp.h>
#include <jansson.h>
#include <stdio.h>

/*
 * A staple as JSON, as `clinch verify --json` prints it and `clinch check` puts into each chain member: present verdict
 * fresh reason detail produced_at this_update next_update revoked_at revocation_reason signer signer_name signature
 * cert_id_hash size age_s remaining_s findings[]. `der` empty: none was there. `subject` may be NULL. A new reference, or
 * NULL without memory.
 */
json_t *report_staple_json(gnutls_datum_t der, const clinch_subject_t *subject, const struct clinch_verdict *verdict,
			   int64_t now);
json_t *report_findings_json(uint64_t findings);

/* The reason as a sentence about this very response: "nextUpdate was 2026-11-20T10:00:00Z, 3 d 7 h ago". */
void report_detail(struct buf *out, const struct clinch_verdict *verdict, gnutls_datum_t der, int64_t now);

/* "good"; "revoked since 2026-11-20T10:00:00Z (keyCompromise)". */
#define REPORT_STATUS_SIZE 96
const char *report_status(char out[REPORT_STATUS_SIZE], const struct clinch_verdict *verdict);

/* What to do about it: the next step for whoever runs the server; NULL when there is none. Static. */
const char *report_next_step(int reason);

/* The exit status that a reason leads to (clinch(1)): 0 only for what is accepted. */
int report_exit(bool accepted, int reason, enum clinch_status status);

/*
 * A stranger's text made fit for a terminal and for JSON: valid UTF-8 in which no control character, line break or change of
 * direction is left; U+FFFD stands where something was. False: no room.
 */
bool report_printable(struct buf *out, const void *text, size_t len);
bool report_hex(struct buf *out, const void *bytes, size_t len); /* "0a1b"; long ones are cut, and say how long they are */
bool report_name(struct buf *out, struct der name);              /* a Name with its header, RFC 4514; "(no name)" */

/* Colour and bars: decided once, from isatty(stdout) and NO_COLOR. */
struct report_style {
	bool colour, utf8;
	int width; /* columns */
};
struct report_style report_style_of(FILE *stream);
/* The life of a response as a bar: how much is gone, how much remains. */
void report_life_bar(struct buf *out, const struct report_style *style, const struct clinch_verdict *verdict, int64_t now);

enum report_tone { REPORT_PLAIN, REPORT_FINE, REPORT_DOUBTFUL, REPORT_BAD, REPORT_FAINT };
/* `text` in the colour of a tone, or as it is. */
void report_tone(struct buf *out, const struct report_style *style, enum report_tone tone, const char *text);
enum report_tone report_tone_of(const struct clinch_verdict *verdict);

/*
 * One staple for a person: verdict and certificate, life, reason, times, signer, next step, findings. `der` empty: none was
 * there. False: no memory.
 */
bool report_staple_text(struct buf *out, const struct report_style *style, gnutls_datum_t der,
			const clinch_subject_t *subject, const struct clinch_verdict *verdict, int64_t now);
/* "  warning      id: sentence" and a line end. */
bool report_finding_line(struct buf *out, const struct report_style *style, const char *level, const char *name,
			 const char *text);

#endif
