/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HAProxy's runtime socket. `set ssl ocsp-response` replaces a response that HAProxy has; where it has none, the file that
 * it loaded the certificate from is looked for by its SHA-1, and gets one by `set ssl cert FILE.ocsp` and `commit ssl cert
 * FILE`. HAProxy that was started anew has forgotten all of it: its pid is looked at before each batch, and every now and
 * then.
 */
#include "base/cleanup.h"
#include "keep/outlet_inside.h"
#include "keep/talk.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHA1_LEN 20
#define FILES_MAX 100000
#define QUESTION_MAX (256 * 1024)

struct certificate { /* that HAProxy has loaded */
	char *file;
	uint8_t sha1[SHA1_LEN];
	bool known; /* sha1 is filled */
};

struct haproxy { /* outlet->kind */
	struct outlet *outlet;
	struct talk *talk; /* what is being asked; NULL: nothing */
	long pid;          /* 0: not known yet */

	/* of one batch */
	struct certificate *certificate;
	size_t n_certificates, asked;
	bool listed;
	const struct certificate *current;
	uint8_t sha1[SHA1_LEN]; /* of the row at work */
	gnutls_datum_t base64;  /* its response */
	char name[64];
	bool replace_only; /* nothing is to come where there is nothing */
};

static void next(struct haproxy *haproxy);

static void forget_batch(struct haproxy *haproxy)
{
	for (size_t i = 0; i < haproxy->n_certificates; i++)
		free(haproxy->certificate[i].file);
	free(haproxy->certificate);
	gnutls_free(haproxy->base64.data);
	haproxy->base64 = (gnutls_datum_t){ 0 };
	haproxy->certificate = NULL;
	haproxy->n_certificates = haproxy->asked = 0;
	haproxy->listed = false;
	haproxy->current = NULL;
}

/* The rest of the batch is for later, from the one at work on when `also_this`. */
static void give_up(struct haproxy *haproxy, bool also_this)
{
	struct outlet *outlet = haproxy->outlet;

	if (also_this && outlet->batch_at > 0)
		outlet->batch_at--;
	while (outlet->batch_at < outlet->n_batch)
		outlet_again(outlet, outlet->batch[outlet->batch_at++]);
	forget_batch(haproxy);
	outlet_ended(outlet);
}

/* The first line that says something; for messages. */
static const char *first_line(char *answer)
{
	answer += strspn(answer, "\n");
	answer[strcspn(answer, "\n")] = '\0';
	for (char *at = answer; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f)
			*at = '?';
	return *answer ? answer : "no answer";
}

static void ask(struct haproxy *haproxy, struct buf *question, talk_answer *call)
{
	struct outlet *outlet = haproxy->outlet;

	haproxy->talk =
		talk_start(outlet->all->loop, outlet->conf->target, question, outlet->conf->timeout_ms, call, haproxy);
	if (!haproxy->talk) {
		outlet_fail(outlet, "no memory to ask HAProxy");
		give_up(haproxy, true);
	}
}

__attribute__((format(printf, 3, 4))) static void ask_text(struct haproxy *haproxy, talk_answer *call, const char *format,
							   ...)
{
	auto_buf question = { .max = QUESTION_MAX };
	char text[4096 + 64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (buf_add(&question, text, strlen(text)))
		ask(haproxy, &question, call);
	else
		give_up(haproxy, true);
}

/* False: nobody answers, and the batch is over. */
static bool has_answer(struct haproxy *haproxy, const char *answer, const char *trouble)
{
	haproxy->talk = NULL;
	if (answer)
		return true;
	outlet_fail(haproxy->outlet, "%s", trouble);
	give_up(haproxy, true);
	return false;
}

/* ---- where HAProxy has none yet ---- */

static void on_aborted(char *answer, const char *trouble, void *user)
{
	if (has_answer(user, answer, trouble))
		next(user);
}

static void refuse(struct haproxy *haproxy, char *answer, const char *what)
{
	struct outlet *outlet = haproxy->outlet;

	outlet_fail(outlet, "%s: %s of %s: HAProxy says \"%.160s\"", haproxy->name, what, haproxy->current->file,
		    first_line(answer));
	outlet_again(outlet, outlet->batch[outlet->batch_at - 1]);
	ask_text(haproxy, on_aborted, "abort ssl cert %s\n", haproxy->current->file);
}

static void on_committed(char *answer, const char *trouble, void *user)
{
	struct haproxy *haproxy = user;

	if (!has_answer(haproxy, answer, trouble))
		return;
	if (strstr(answer, "Success!"))
		next(haproxy);
	else
		refuse(haproxy, answer, "commit ssl cert");
}

static void on_prepared(char *answer, const char *trouble, void *user)
{
	struct haproxy *haproxy = user;

	if (!has_answer(haproxy, answer, trouble))
		return;
	if (strstr(answer, "Transaction created") || strstr(answer, "Transaction updated"))
		ask_text(haproxy, on_committed, "commit ssl cert %s\n", haproxy->current->file);
	else
		refuse(haproxy, answer, "set ssl cert");
}

/* A certificate that this HAProxy does not have is not its business. */
static void set_certificate(struct haproxy *haproxy)
{
	auto_buf question = { .max = QUESTION_MAX };

	haproxy->current = NULL;
	for (size_t i = 0; i < haproxy->n_certificates && !haproxy->current; i++)
		if (haproxy->certificate[i].known && !memcmp(haproxy->certificate[i].sha1, haproxy->sha1, SHA1_LEN))
			haproxy->current = &haproxy->certificate[i];
	if (!haproxy->current)
		next(haproxy);
	else if (buf_printf(&question, "set ssl cert %s.ocsp <<\n%.*s\n\n", haproxy->current->file,
			    (int)haproxy->base64.size, haproxy->base64.data))
		ask(haproxy, &question, on_prepared);
	else
		give_up(haproxy, true);
}

/* ---- which certificates HAProxy has ---- */

static bool read_sha1(const char *answer, uint8_t out[SHA1_LEN])
{
	static const char label[] = "SHA1 FingerPrint: ";
	const char *at = strstr(answer, label);

	for (unsigned i = 0; at && i < SHA1_LEN; i++) {
		unsigned byte;

		if (sscanf(at + sizeof(label) - 1 + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return at;
}

static void show_next(struct haproxy *haproxy);

static void on_shown(char *answer, const char *trouble, void *user)
{
	struct haproxy *haproxy = user;
	struct certificate *shown = &haproxy->certificate[haproxy->asked];

	if (!has_answer(haproxy, answer, trouble))
		return;
	shown->known = read_sha1(answer, shown->sha1);
	haproxy->asked++;
	show_next(haproxy);
}

static void show_next(struct haproxy *haproxy)
{
	if (haproxy->asked == haproxy->n_certificates)
		set_certificate(haproxy);
	else
		ask_text(haproxy, on_shown, "show ssl cert %s\n", haproxy->certificate[haproxy->asked].file);
}

/* One name; of those that would be taken for two words none is asked for. */
static bool add_file(struct haproxy *haproxy, const char *name, size_t len)
{
	size_t n = haproxy->n_certificates;

	if (!len || len > 4000 || name[0] == '#' || name[0] == '*' || memchr(name, ' ', len) || memchr(name, ';', len) ||
	    n >= FILES_MAX)
		return true;
	if ((n & (n - 1)) == 0) {
		struct certificate *more = realloc(haproxy->certificate, (n ? 2 * n : 1) * sizeof(*more));

		if (!more)
			return false;
		haproxy->certificate = more;
	}
	haproxy->certificate[n] = (struct certificate){ .file = strndup(name, len) };
	haproxy->n_certificates += haproxy->certificate[n].file != NULL;
	return haproxy->certificate[n].file;
}

static void on_listed(char *answer, const char *trouble, void *user)
{
	struct haproxy *haproxy = user;
	char *at;

	if (!has_answer(haproxy, answer, trouble))
		return;
	haproxy->listed = true;
	at = strstr(answer, "# filename\n");
	for (at = at ? at + 11 : answer; *at; at += strspn(at, "\n")) {
		size_t len = strcspn(at, "\n");

		if (!add_file(haproxy, at, len)) {
			outlet_fail(haproxy->outlet, "no memory for the names of HAProxy's certificates");
			give_up(haproxy, true);
			return;
		}
		at += len;
	}
	show_next(haproxy);
}

/* ---- one certificate after the other ---- */

static void on_set(char *answer, const char *trouble, void *user)
{
	struct haproxy *haproxy = user;
	struct outlet *outlet = haproxy->outlet;

	if (!has_answer(haproxy, answer, trouble))
		return;
	if (strstr(answer, "OCSP Response updated!")) {
		next(haproxy);
	} else if (strstr(answer, "does not match any certificate")) {
		if (haproxy->replace_only)
			next(haproxy);
		else if (haproxy->listed)
			set_certificate(haproxy);
		else
			ask_text(haproxy, on_listed, "show ssl cert\n");
	} else {
		outlet_fail(outlet, "%s: HAProxy says \"%.160s\"", haproxy->name, first_line(answer));
		outlet_again(outlet, outlet->batch[outlet->batch_at - 1]);
		next(haproxy);
	}
}

static bool read_subject(struct haproxy *haproxy, const struct keep_row *row, clinch_response_t *response)
{
	gnutls_datum_t der = clinch_response_der(response), cert;
	auto_subject *subject = NULL;

	if (keeper_subject(haproxy->outlet->all->keeper, row, &subject, NULL) < 0)
		return false;
	cert = clinch_subject_cert(subject);
	return gnutls_base64_encode2(&der, &haproxy->base64) == 0 &&
	       gnutls_hash_fast(GNUTLS_DIG_SHA1, cert.data, cert.size, haproxy->sha1) == 0;
}

/* Fills in what the questions are made of. False: there is nothing to put out. Of a certificate that is revoked nothing is
 * put in by on_revoked: drop, but HAProxy cannot be made to forget what it has, so the truth takes its place. */
static bool prepare(struct haproxy *haproxy, const uint8_t *fingerprint)
{
	const struct keeper *keeper = haproxy->outlet->all->keeper;
	const struct keep_row *row = keeper_find(keeper, fingerprint);
	int64_t now = outlet_now();
	clinch_response_t *response;
	struct keep_view view;
	bool fits;

	gnutls_free(haproxy->base64.data);
	haproxy->base64 = (gnutls_datum_t){ 0 };
	if (!row)
		return false;
	keep_row_view(keeper, row, &view);
	if ((view.state != KEEP_GOOD && view.state != KEEP_REVOKED) || now >= view.fresh_until)
		return false;
	snprintf(haproxy->name, sizeof(haproxy->name), "%s", view.name);
	haproxy->replace_only = view.state == KEEP_REVOKED && view.drop_revoked;
	response = keeper_response(keeper, row, now);
	fits = response && read_subject(haproxy, row, response);
	if (!fits) {
		outlet_fail(haproxy->outlet, "%s: its response cannot be had from the store, or its file has changed",
			    view.name);
		outlet_again(haproxy->outlet, fingerprint);
	}
	clinch_response_unref(response);
	return fits;
}

static void next(struct haproxy *haproxy)
{
	struct outlet *outlet = haproxy->outlet;
	auto_buf question = { .max = QUESTION_MAX };

	while (outlet->batch_at < outlet->n_batch)
		if (prepare(haproxy, outlet->batch[outlet->batch_at++])) {
			if (buf_printf(&question, "set ssl ocsp-response <<\n%.*s\n\n", (int)haproxy->base64.size,
				       haproxy->base64.data))
				ask(haproxy, &question, on_set);
			else
				give_up(haproxy, true);
			return;
		}
	forget_batch(haproxy);
	outlet_ended(outlet);
}

static void on_info(char *answer, const char *trouble, void *user)
{
	struct haproxy *haproxy = user;
	const char *at;
	long pid;

	if (!has_answer(haproxy, answer, trouble))
		return;
	at = strstr(answer, "\nPid: ");
	pid = at ? strtol(at + 6, NULL, 10) : 0;
	if (!pid) {
		outlet_fail(haproxy->outlet, "this is not HAProxy's runtime socket: it says \"%.160s\"", first_line(answer));
		give_up(haproxy, false);
		return;
	}
	if (haproxy->pid && pid != haproxy->pid)
		outlet_look_at_all(haproxy->outlet);
	haproxy->pid = pid;
	next(haproxy);
}

static void begin(struct outlet *outlet)
{
	struct haproxy *haproxy = outlet->kind;

	if (!haproxy)
		haproxy = outlet->kind = calloc(1, sizeof(*haproxy));
	if (!haproxy) {
		outlet_fail(outlet, "no memory");
		for (size_t i = 0; i < outlet->n_batch; i++)
			outlet_again(outlet, outlet->batch[i]);
		outlet_ended(outlet);
		return;
	}
	haproxy->outlet = outlet;
	ask_text(haproxy, on_info, "show info\n");
}

static void cancel(struct outlet *outlet)
{
	struct haproxy *haproxy = outlet->kind;

	if (!haproxy)
		return;
	talk_cancel(TAKE(haproxy->talk));
	forget_batch(haproxy);
}

const struct outlet_ops outlet_haproxy_ops = { begin, cancel, NULL };
