/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demo/demo.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "demo/client.h"
#include "demo/play.h"
#include "demo/teller.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WHOLE_S 180

static const char picture[] = "\n"
			      "   An OCSP response is a CA's signed word: \"certificate 1003 is good, as of\n"
			      "   noon, until five past\". Stapling: the server fetches it ahead of time and\n"
			      "   hands it over with its certificate.\n"
			      "\n"
			      "   +----------------+   still good?  +--------------+           +--------------+\n"
			      "   | clinch respond | <------------- | clinch serve |  staple   | clinch check |\n"
			      "   |                |                |              | --------> |              |\n"
			      "   |  the CA's own  | -------------> |   a server   |           |   a client   |\n"
			      "   |   index.txt    |   good, until  |              |           |              |\n"
			      "   +----------------+      12:05     +--------------+           +--------------+\n"
			      "\n"
			      "   The client asks nobody: no delay, and no third party learns who visits whom.\n"
			      "   So it must judge what it was handed; and the server must never be without,\n"
			      "   and never hand over what proves nothing.\n";

static const struct expected good_and_newer = { 0, "good", "good", STAPLE_NEWER };
static const struct expected good_and_held = { 0, "good", "good", STAPLE_HELD };
static const struct expected good_of_either = { 0, "good", "good", STAPLE_ANY };
static const struct expected is_revoked = { 3, "revoked", "revoked", STAPLE_NEWER };
static const struct expected is_missing = { 5, "missing", "missing-must-staple", STAPLE_NONE };

#define SAY(play, ...) stage_say(&(play)->stage, REPORT_PLAIN, "   " __VA_ARGS__)

static int authority(struct play *play, struct clinch_error *err)
{
	SAY(play,
	    "Demo Root\n    `- Demo Issuing CA          its index.txt says what it issued and what it took back\n"
	    "        |- Demo OCSP Responder   a delegate: signs for the CA, so that the CA's key can stay in its safe\n"
	    "        `- server.example        its certificate says must-staple: no staple, no connection");
	return play_make_authority(play, err);
}

static int responder(struct play *play, struct clinch_error *err)
{
	int code = play_start_responder(play, err);

	if (code == 0)
		SAY(play, "it answers at http://%s/ ; each answer lives %d seconds here (four days by default)",
		    play->responder_at, PLAY_LIFE_S);
	return code == 0 ? play_make_server(play, err) : code;
}

static int server(struct play *play, struct clinch_error *err)
{
	static const char words[] = "the plain backend's words\n";
	int code =
		teller_start(&play->stage, STAGE_BACKEND, &play->backend_port, "text/plain", words, sizeof(words) - 1, err);

	if (code == 0)
		code = play_start_server(play, err);
	if (code == 0)
		SAY(play, "it does not listen before it has its staple. The very first client:");
	return code == 0 ? play_judge(play, "the first handshake", play->server_at, &good_and_newer, true, err) : code;
}

static int program(struct play *play, struct clinch_error *err)
{
	auto_buf answer = { .max = 65536 };
	int code = client_get(play->server_at, "root.pem", &answer, err);

	if (code == 0 && (!buf_add(&answer, "", 1) || !strstr((const char *)answer.data, "the plain backend's words")))
		code = CLINCH_E_FORMAT;
	SAY(play, "clinch_client_attach(session), gnutls_handshake(session), clinch_client_report(session): %s",
	    code == 0 ? "accepted" : "refused");
	if (code == 0)
		SAY(play, "and the page from the plain server behind: the plain backend's words");
	return code;
}

static int refresh(struct play *play, struct clinch_error *err)
{
	SAY(play, "at about half of its life serve's keeper asks again; the keeper is a process without keys");
	int code = play_wait_newer(play, err);

	return code == 0 ? play_judge(play, "half a life later", play->server_at, &good_and_newer, false, err) : code;
}

static int responder_dies(struct play *play, struct clinch_error *err)
{
	size_t since = stage_log_size(STAGE_SERVER);

	stage_say(&play->stage, REPORT_DOUBTFUL, "$ kill %d   # clinch respond", (int)play->stage.pid[STAGE_RESPONDER]);
	stage_stop(&play->stage, STAGE_RESPONDER);
	int code = play_wait_log(play, since, "event=failed cert=localhost .*", err);
	return code == 0 ? play_judge(play, "the responder is dead", play->server_at, &good_of_either, false, err) : code;
}

static int server_restarts(struct play *play, struct clinch_error *err)
{
	stage_say(&play->stage, REPORT_DOUBTFUL, "$ kill %d   # clinch serve", (int)play->stage.pid[STAGE_SERVER]);
	stage_stop(&play->stage, STAGE_SERVER);
	int code = play_start_server(play, err);
	return code == 0 ? play_judge(play, "serve is restarted meanwhile", play->server_at, &good_and_held, false, err)
			 : code;
}

static int responder_returns(struct play *play, struct clinch_error *err)
{
	int code = play_start_responder(play, err);

	if (code == 0)
		code = play_wait_newer(play, err);
	return code == 0 ? play_judge(play, "the responder is back", play->server_at, &good_and_newer, false, err) : code;
}

static const struct told {
	enum lie lie;
	const char *words, *what, *pattern;
} lies[] = {
	{ LIE_FORGED, "good, says a stranger who calls himself the responder", "a forged response",
	  "event=failed cert=localhost .*reason=delegate-signature.*" },
	{ LIE_EXPIRED, "good, said the responder itself, ten days ago", "an expired response",
	  "event=failed cert=localhost .*reason=expired.*" },
	{ LIE_REPLAYED, "good, said the responder itself, before its last answer: a replay", "a replayed response",
	  "event=unchanged cert=localhost .*answer=older.*" },
};

static int tell_lie(struct play *play, const struct told *told, struct clinch_error *err)
{
	auto_datum response = { NULL, 0 };
	size_t since = stage_log_size(STAGE_SERVER);
	int code = play_make_lie(play, told->lie, &response, err);

	SAY(play, "%s:", told->words);
	if (code == 0)
		code = teller_start(&play->stage, STAGE_RESPONDER, &play->responder_port, "application/ocsp-response",
				    response.data, response.size, err);
	if (code == 0)
		code = play_wait_log(play, since, told->pattern, err);
	stage_stop(&play->stage, STAGE_RESPONDER);
	return code == 0 ? play_judge(play, told->what, play->server_at, &good_and_held, false, err) : code;
}

static int liar(struct play *play, struct clinch_error *err)
{
	int code = 0;

	stage_stop(&play->stage, STAGE_RESPONDER);
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies) && code == 0; i++)
		code = tell_lie(play, &lies[i], err);
	return code;
}

static int revocation(struct play *play, struct clinch_error *err)
{
	int code = play_start_responder(play, err);
	int64_t began;

	if (code == 0)
		code = play_wait_newer(play, err);
	if (code == 0)
		code = play_judge(play, "the true responder again", play->server_at, &good_and_newer, false, err);
	SAY(play, "the key was stolen: the CA writes R, for revoked, into index.txt");
	began = time(NULL);
	if (code == 0)
		code = play_write_index(play, true, err);
	if (code == 0)
		code = play_wait_verdict(play, "revoked", err);
	if (code == 0)
		SAY(play, "a client sees it %d seconds later, and the honest server staples the truth about itself:",
		    (int)(time(NULL) - began));
	return code == 0 ? play_judge(play, "revoked", play->server_at, &is_revoked, true, err) : code;
}

static int careless(struct play *play, struct clinch_error *err)
{
	char backend[STAGE_ADDRESS], address[STAGE_ADDRESS];
	const char *words[] = { "serve",
				"--listen",
				"127.0.0.1:0",
				"--backend",
				backend,
				"--cert",
				"server.pem",
				"--key",
				"server.key",
				"--store",
				"another-store",
				"--responder",
				"http://127.0.0.1:1/",
				"--ready-timeout",
				"1",
				"--ready-file",
				"careless.ready",
				geteuid() ? NULL : "--allow-root",
				NULL };

	SAY(play, "a thief with the key has no use for the truth. He cannot make a \"good\" either, so he staples nothing:");
	snprintf(backend, sizeof(backend), "127.0.0.1:%u", play->backend_port);
	int code = stage_start(&play->stage, STAGE_CARELESS, words, "careless.ready", address, err);
	return code == 0 ? play_judge(play, "must-staple, and no staple", address, &is_missing, true, err) : code;
}

static const struct scene {
	const char *title;
	int (*play)(struct play *play, struct clinch_error *err);
} scenes[] = {
	{ "1. A certificate authority, made just now", authority },
	{ "2. Its responder: clinch respond", responder },
	{ "3. A server: clinch serve, in front of a plain one", server },
	{ "4. A program with a gnutls_session_t: libclinch", program },
	{ "5. The staple is renewed, and no client does anything", refresh },
	{ "6. The responder dies: what is held is stapled", responder_dies },
	{ "7. The server is restarted too: the staple is there at the first handshake", server_restarts },
	{ "8. The responder is back", responder_returns },
	{ "9. Somebody else answers in its place: nothing he says replaces what is held", liar },
	{ "10. Revoked", revocation },
	{ "11. Must-staple", careless },
};

static int summary(const struct play *play, int code)
{
	char at[TIME_TEXT_SIZE];

	stage_title(&play->stage, "What happened, and what a client was sent");
	for (unsigned i = 0; i < play->n_rows; i++) {
		const struct play_row *row = &play->row[i];

		stage_say(&play->stage, row->right ? REPORT_PLAIN : REPORT_BAD,
			  "   %s %-32s staple of %-8.8s %-4s %-8s exit status %d", row->right ? "[ok]" : "[!!]", row->what,
			  row->seen.this_update ? time_format(at, row->seen.this_update) + 11 : "-", row->newer ? "new" : "",
			  row->seen.verdict, row->seen.status);
	}
	if (code == 0)
		stage_say(&play->stage, REPORT_FINE,
			  "\n   all %u came out right: a staple at each handshake, and never one that proves nothing",
			  play->n_rows);
	return code;
}

static void play_done(struct play *play)
{
	stage_close(&play->stage);
	demo_identity_done(&play->root);
	demo_identity_done(&play->issuing);
	demo_identity_done(&play->delegate);
	demo_identity_done(&play->server);
	demo_identity_done(&play->stranger_ca);
	demo_identity_done(&play->stranger);
	issuer_unref(play->ca);
}

int demo_run(struct clinch_error *err)
{
	struct play play = { .n_rows = 0 };
	int code = stage_open(&play.stage, WHOLE_S, err);

	if (code == 0)
		stage_say(&play.stage, REPORT_PLAIN, "%s\n   Everything runs in %s on loopback; it goes when the demo ends.",
			  picture, play.stage.dir);
	for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes) && code == 0; i++) {
		stage_title(&play.stage, scenes[i].title);
		code = scenes[i].play(&play, err);
	}
	if (play.n_rows && !stage_signal())
		summary(&play, code);
	play_done(&play);
	return code;
}

int demo_signal(void)
{
	return stage_signal();
}
