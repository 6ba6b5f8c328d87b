/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What came of it, in sentences and in JSON. */
#include "base/cleanup.h"
#include "base/time.h"
#include "keep/fetch_command.h"
#include "report/json.h"
#include "report/report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SKEW_WORTH_A_WORD_S 300

static const struct {
	uint8_t exit; /* when it is not temporary */
	const char *change;
} advice[FETCH_FAILURES] = {
	[FETCH_OK] = { EXIT_NOT_FOUND_OUT, NULL }, /* without a response it is not */
	[FETCH_NO_URL] = { EXIT_NOT_FOUND_OUT, "name its responder with --url" },
	[FETCH_BAD_URL] = { EXIT_NOT_FOUND_OUT, "name its responder with --url" },
	[FETCH_NO_NAME] = { EXIT_NOT_FOUND_OUT, "is the name right? another responder is asked with --url" },
	[FETCH_NAME_TEMPORARY] = { EXIT_NOT_FOUND_OUT, "does name resolution work here? then try again later" },
	[FETCH_PRIVATE_ADDRESS] = { EXIT_NOT_FOUND_OUT, "--allow-private permits that" },
	[FETCH_REFUSED] = { EXIT_NOT_FOUND_OUT,
			    "does the responder run, is it reached by a proxy (--proxy)? then try again later" },
	[FETCH_TIMED_OUT] = { EXIT_NOT_FOUND_OUT, "try again later, or wait longer with --timeout" },
	[FETCH_UNTRUSTED] = { EXIT_NOT_BELIEVED, "the roots that it is trusted by are named with --ca" },
	[FETCH_TLS_FAILED] = { EXIT_NOT_FOUND_OUT, "another responder is asked with --url" },
	[FETCH_PROXY_FAILED] = { EXIT_NOT_FOUND_OUT, "look at the proxy (--proxy, http_proxy, https_proxy)" },
	[FETCH_BROKEN_OFF] = { EXIT_NOT_FOUND_OUT, "try again later" },
	[FETCH_NOT_HTTP] = { EXIT_NOT_FOUND_OUT, "is that a responder? another is asked with --url" },
	[FETCH_TOO_LARGE] = { EXIT_NOT_BELIEVED, "--max-size allows a larger body, another responder is asked with --url" },
	[FETCH_REDIRECTED] = { EXIT_NOT_FOUND_OUT, "another responder is asked with --url" },
	[FETCH_CLIENT_ERROR] = { EXIT_NOT_FOUND_OUT, "is that the certificate's responder? another is asked with --url" },
	[FETCH_SERVER_ERROR] = { EXIT_NOT_FOUND_OUT, "try again later" },
	[FETCH_TRY_LATER] = { EXIT_NOT_FOUND_OUT, "try again later" },
	[FETCH_NOT_BELIEVED] = { EXIT_NOT_BELIEVED, NULL },
	[FETCH_SAID_UNKNOWN] = { EXIT_UNKNOWN, NULL },
	[FETCH_STALE_REVOKED] = { EXIT_REVOKED, NULL },
	[FETCH_NO_ISSUER] = { EXIT_NOT_FOUND_OUT, NULL },
	[FETCH_NOT_ASKED] = { EXIT_NOT_FOUND_OUT, NULL },
	[FETCH_NO_MEMORY] = { EXIT_NOT_FOUND_OUT, NULL },
	[FETCH_INTERNAL] = { EXIT_NOT_FOUND_OUT, NULL },
};

int fetch_exit(enum fetch_failure failure)
{
	if (failure == FETCH_NO_MEMORY)
		return EXIT_NOT_FOUND_OUT;
	return fetch_failure_is_temporary(failure) ? EXIT_TEMPORARY : advice[failure].exit;
}

static gnutls_datum_t body_of(const struct fetch_run *run)
{
	return (gnutls_datum_t){ run->body.data, (unsigned)run->body.len };
}

/* A wrong clock makes a right answer look wrong: whose it may be is worth a word. */
static void add_skew(struct buf *out, const struct fetch_run *run)
{
	int64_t skew_s = run->outcome.skew_s;
	char span[TIME_SPAN_SIZE];

	if (!run->outcome.has_date || run->response || (skew_s >= -SKEW_WORTH_A_WORD_S && skew_s <= SKEW_WORTH_A_WORD_S))
		return;
	(void)buf_printf(out, " (the responder's clock is %s %s ours)", time_span(span, skew_s),
			 skew_s > 0 ? "ahead of" : "behind");
}

/* What happened: the verdict's detail where something was judged. */
static void detail(struct buf *out, const struct fetch_run *run)
{
	out->max = 1024;
	if (run->error.text[0]) {
		(void)buf_printf(out, "%s", run->error.text);
	} else if (run->verdict.reason != CLINCH_REASON_UNJUDGED) {
		report_detail(out, &run->verdict, body_of(run), time(NULL));
		add_skew(out, run);
	} else if (run->outcome.failure == FETCH_NO_URL) {
		(void)buf_printf(out, "the certificate names no OCSP responder");
	} else {
		(void)buf_printf(out, "%s", run->outcome.text);
	}
}

static const char *next_step(const struct fetch_run *run)
{
	const char *step = advice[run->outcome.failure].change;

	return step || run->verdict.reason == CLINCH_REASON_UNJUDGED ? step : report_next_step(run->verdict.reason);
}

void fetch_say_failure(const struct fetch_run *run, const char *what)
{
	const struct fetch_outcome *outcome = &run->outcome;
	auto_buf text = { 0 };
	char wait[TIME_SPAN_SIZE + 40] = "", span[TIME_SPAN_SIZE];
	const char *step = next_step(run);
	bool has_phase = outcome->phase != FETCH_NOWHERE;

	detail(&text, run);
	if (outcome->retry_after_s > 0 && fetch_failure_is_temporary(outcome->failure))
		snprintf(wait, sizeof(wait), " (it asks to wait %s)", time_span(span, outcome->retry_after_s));
	cli_say(run->self, "%s%s: %s%s%.*s%s%s%s", what, outcome->url[0] ? outcome->url : run->name,
		has_phase ? fetch_phase_name(outcome->phase) : "", has_phase ? ": " : "", (int)text.len,
		text.len ? (char *)text.data : "", step ? "; " : "", step ? step : "", wait);
}

void fetch_say_attempt(const struct fetch_run *run, const struct fetch_event *event)
{
	const struct fetch_outcome *outcome = event->outcome;

	cli_say(run->self, "%s %s: %s: %s%s%s (%lld ms)", outcome->method, outcome->url, fetch_phase_name(outcome->phase),
		fetch_failure_name(outcome->failure), outcome->text[0] ? ", " : "", outcome->text,
		(long long)outcome->took_ms);
}

void fetch_say_result(const struct fetch_run *run)
{
	const struct clinch_verdict *verdict = &run->verdict;
	char said[REPORT_STATUS_SIZE], until[TIME_TEXT_SIZE], left[TIME_SPAN_SIZE];
	const char *where = run->set.out && strcmp(run->set.out, "-") != 0 ? run->set.out : NULL;

	cli_say(run->self, "%s: %s, for use until %s (%s)%s%s%s", run->name, report_status(said, verdict),
		time_format(until, verdict->fresh_until), time_span(left, verdict->fresh_until - time(NULL)),
		run->unchanged          ? "; unchanged: "
		: where && run->written ? "; written: "
					: "",
		where ? where : "", !where && !run->written && !run->set.json ? "; -o OUT.der writes it" : "");
}

/* ---- JSON ---- */

static void put_seconds(struct json_maker *maker, const char *key, bool known, int64_t seconds)
{
	json_put(maker, key, known ? json_integer(seconds) : json_null());
}

static void put_outcome(struct json_maker *maker, const struct fetch_outcome *outcome)
{
	json_put_text(maker, "outcome", fetch_failure_name(outcome->failure));
	json_put_text(maker, "phase", outcome->phase == FETCH_NOWHERE ? NULL : fetch_phase_name(outcome->phase));
	json_put_text(maker, "url", outcome->url[0] ? outcome->url : NULL);
	json_put_text(maker, "method", outcome->method);
	put_seconds(maker, "http_status", outcome->http_status > 0, outcome->http_status);
	json_put_number(maker, "took_ms", outcome->took_ms);
}

json_t *fetch_attempt_json(const struct fetch_event *event)
{
	struct json_maker maker = json_maker_new();

	put_outcome(&maker, event->outcome);
	json_put_text(&maker, "detail", event->outcome->text);
	return json_maker_finish(&maker);
}

static json_t *whole_report(const struct fetch_run *run)
{
	struct json_maker maker = json_maker_new();
	const struct fetch_outcome *outcome = &run->outcome;
	bool judged = run->verdict.reason != CLINCH_REASON_UNJUDGED;
	auto_buf text = { 0 };

	detail(&text, run);
	json_put_text(&maker, "schema", "clinch-fetch-1");
	json_put_bytes(&maker, "file", run->set.chain, strlen(run->set.chain));
	json_put_text(&maker, "subject", run->name);
	json_put_number(&maker, "exit", run->status);
	put_outcome(&maker, outcome);
	json_put_bool(&maker, "temporary", fetch_failure_is_temporary(outcome->failure));
	json_put_text(&maker, "reason", judged ? clinch_reason_name(run->verdict.reason) : NULL);
	json_put_buf(&maker, "detail", &text);
	put_seconds(&maker, "retry_after_s", outcome->retry_after_s >= 0, outcome->retry_after_s);
	put_seconds(&maker, "max_age_s", outcome->max_age_s >= 0, outcome->max_age_s);
	put_seconds(&maker, "skew_s", outcome->has_date, outcome->skew_s);
	json_put_bool(&maker, "written", run->written);
	json_put_bool(&maker, "unchanged", run->unchanged);
	json_put(&maker, "staple",
		 judged ? report_staple_json(body_of(run), run->subject, &run->verdict, time(NULL)) : json_null());
	json_put(&maker, "attempts", json_incref(run->attempts));
	return json_maker_finish(&maker);
}

/* All of it: a pipe takes it in parts, and jansson's own writer gives up at the first short write. */
static bool write_out(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static bool to_descriptor(const struct fetch_run *run, const char *text)
{
	if (write_out(run->set.report_fd, text, strlen(text)) && write_out(run->set.report_fd, "\n", 1))
		return true;
	cli_say(run->self, "--report %d: the report cannot be written: %s", run->set.report_fd, strerror(errno));
	return false;
}

bool fetch_report(const struct fetch_run *run)
{
	json_t *report;
	char *text;
	bool written = true;

	if (!run->set.json && run->set.report_fd < 0)
		return true;
	report = whole_report(run);
	text = report && !run->no_memory ? json_dumps(report, JSON_COMPACT) : NULL;
	json_decref(report);
	if (!text) {
		cli_say(run->self, "no memory for the report");
		return false;
	}
	if (run->set.json)
		printf("%s\n", text);
	if (run->set.report_fd >= 0)
		written = to_descriptor(run, text);
	free(text);
	return written;
}
