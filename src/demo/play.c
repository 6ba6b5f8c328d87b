/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demo/play.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "ocsp/signer.h"
#include <jansson.h>
#include <string.h>
#include <time.h>

#define DAY 86400
#define SERIAL 0x03 /* of the server: 1003 */
#define WAIT_S 40
#define JSON_MAX (1 << 20)
#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* ---- the certificates ---- */

static int make_pair(struct demo_identity *ca, struct demo_identity *delegate, const struct demo_identity *above,
		     int64_t now, struct clinch_error *err)
{
	const struct demo_request issuing = { .name = "Demo Issuing CA", .ca = true, .serial = 1, .days = 365 };
	const struct demo_request signing = {
		.name = "Demo OCSP Responder",
		.ocsp_signing = true,
		.serial = 2,
		.days = 60,
	};
	int code = demo_issue(ca, above, &issuing, now, err);

	return code == 0 ? demo_issue(delegate, ca, &signing, now, err) : code;
}

static int prepare_issuer(struct play *play, struct clinch_error *err)
{
	auto_datum der = { NULL, 0 };
	int rc = gnutls_x509_crt_export2(play->issuing.crt, GNUTLS_X509_FMT_DER, &der);

	return rc < 0 ? error_gnutls(err, rc, "the issuing CA") : issuer_new(&play->ca, &der, err);
}

int play_make_authority(struct play *play, struct clinch_error *err)
{
	const struct demo_request root = { .name = "Demo Root", .ca = true, .serial = 0, .days = 3650 };
	int64_t now = time(NULL);
	int code = demo_issue(&play->root, NULL, &root, now, err);

	if (code == 0)
		code = make_pair(&play->issuing, &play->delegate, &play->root, now, err);
	if (code == 0)
		code = make_pair(&play->stranger_ca, &play->stranger, NULL, now, err);
	if (code == 0)
		code = prepare_issuer(play, err);
	if (code == 0)
		code = demo_write_chain("root.pem", (gnutls_x509_crt_t[]){ play->root.crt, NULL }, err);
	if (code == 0)
		code = demo_write_chain("issuing.pem", (gnutls_x509_crt_t[]){ play->issuing.crt, NULL }, err);
	if (code == 0)
		code = demo_write_chain("responder.pem", (gnutls_x509_crt_t[]){ play->delegate.crt, NULL }, err);
	if (code == 0)
		code = demo_write_key("responder.key", play->delegate.key, err);
	return code == 0 ? play_write_index(play, false, err) : code;
}

int play_make_server(struct play *play, struct clinch_error *err)
{
	char url[STAGE_ADDRESS + 16];
	const struct demo_request server = {
		.name = "server.example", .must_staple = true, .ocsp_url = url, .serial = SERIAL, .days = 90
	};

	snprintf(url, sizeof(url), "http://%s/", play->responder_at);
	int code = demo_issue(&play->server, &play->issuing, &server, time(NULL), err);
	if (code == 0)
		code = demo_write_chain("server.pem", (gnutls_x509_crt_t[]){ play->server.crt, play->issuing.crt, NULL },
					err);
	return code == 0 ? demo_write_key("server.key", play->server.key, err) : code;
}

/* UTCTime, as openssl ca writes it. */
static const char *utc_time(char out[16], int64_t at)
{
	char text[TIME_TEXT_SIZE];

	time_format(text, at);
	snprintf(out, 16, "%.2s%.2s%.2s%.2s%.2s%.2sZ", text + 2, text + 5, text + 8, text + 11, text + 14, text + 17);
	return out;
}

int play_write_index(struct play *play, bool revoked, struct clinch_error *err)
{
	auto_buf text = { .max = 4096 };
	char ends[16], at[16];
	int64_t now = time(NULL);

	(void)play;
	buf_printf(&text, "%c\t%s\t%s%s\t10%02X\tunknown\t/CN=server.example\n", revoked ? 'R' : 'V',
		   utc_time(ends, now + (int64_t)90 * DAY), revoked ? utc_time(at, now) : "",
		   revoked ? ",keyCompromise" : "", SERIAL);
	return file_replace("index.txt", text.data, text.len, 0644, err);
}

/* ---- the programs ---- */

static const char *as_root(void)
{
	return geteuid() == 0 ? "--allow-root" : NULL;
}

int play_start_responder(struct play *play, struct clinch_error *err)
{
	char listen[STAGE_ADDRESS];
	const char *words[] = { "respond",
				"--listen",
				listen,
				"--ca",
				"issuing.pem",
				"--signer",
				"responder.pem",
				"--key",
				"responder.key",
				"--index",
				"index.txt",
				"--validity",
				TEXT_OF(PLAY_LIFE_S) "s",
				"--ready-file",
				"responder.ready",
				as_root(),
				NULL };

	snprintf(listen, sizeof(listen), "127.0.0.1:%u", play->responder_port);
	int code = stage_start(&play->stage, STAGE_RESPONDER, words, "responder.ready", play->responder_at, err);
	const char *colon = code == 0 ? strrchr(play->responder_at, ':') : NULL;
	if (colon)
		play->responder_port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return code;
}

int play_start_server(struct play *play, struct clinch_error *err)
{
	char backend[STAGE_ADDRESS];
	const char *words[] = { "serve",        "--listen", "127.0.0.1:0", "--backend", backend, "--cert",
				"server.pem",   "--key",    "server.key",  "--store",   "store", "--ready-file",
				"server.ready", "-v",       as_root(),     NULL };

	snprintf(backend, sizeof(backend), "127.0.0.1:%u", play->backend_port);
	return stage_start(&play->stage, STAGE_SERVER, words, "server.ready", play->server_at, err);
}

/* ---- what a client sees ---- */

static void copy_text(char *out, size_t size, const json_t *from, const char *key)
{
	const char *text = json_string_value(json_object_get(from, key));

	snprintf(out, size, "%s", text ? text : "-");
}

static void cleanup_json(json_t **held)
{
	json_decref(*held);
}

int play_look(struct play *play, const char *address, struct seen *out, struct clinch_error *err)
{
	const char *words[] = { "check", "--ca", "root.pem", "--json", address, NULL };
	auto_buf text = { .max = JSON_MAX };
	const char *at;

	*out = (struct seen){ .status = -1 };
	int code = stage_run(&play->stage, words, &text, &out->status, err);
	if (code < 0)
		return code;
	AUTO(cleanup_json) json_t *found = json_loadb((const char *)text.data, text.len, JSON_DISABLE_EOF_CHECK, NULL);
	copy_text(out->verdict, sizeof(out->verdict), found, "verdict");
	copy_text(out->reason, sizeof(out->reason), found, "reason");
	json_t *staple = json_object_get(json_array_get(json_object_get(found, "chain"), 0), "staple");
	at = json_string_value(json_object_get(staple, "this_update"));
	if (at && !time_parse(&out->this_update, at))
		return error_set(err, CLINCH_E_FORMAT, "clinch check wrote a time that is none: %s", at);
	return 0;
}

static bool staple_fits(const struct play *play, const struct seen *seen, enum staple_is wanted)
{
	switch (wanted) {
	case STAPLE_HELD:
		return seen->this_update == play->held;
	case STAPLE_NEWER:
		return seen->this_update > play->held;
	case STAPLE_NONE:
		return seen->this_update == 0;
	default:
		return true;
	}
}

static void tell(const struct play *play, const struct play_row *row)
{
	char at[TIME_TEXT_SIZE] = "";
	const struct seen *seen = &row->seen;

	stage_say(&play->stage, row->right ? REPORT_FINE : REPORT_BAD, "%s %s (%s), exit status %d%s%.8s",
		  row->right ? "[ok] " : "[!!] ", seen->verdict, seen->reason, seen->status,
		  seen->this_update ? "; the staple is of " : "; no staple",
		  seen->this_update ? time_format(at, seen->this_update) + 11 : "");
}

int play_judge(struct play *play, const char *what, const char *address, const struct expected *expected, bool shown,
	       struct clinch_error *err)
{
	const char *words[] = { "check", "--ca", "root.pem", address, NULL };
	struct play_row *row = &play->row[play->n_rows];
	int status, code = 0;

	if (play->n_rows == PLAY_ROWS)
		return error_set(err, CLINCH_E_TOO_LARGE, "the play is too long");
	if (shown)
		code = stage_run(&play->stage, words, NULL, &status, err);
	if (code == 0)
		code = play_look(play, address, &row->seen, err);
	if (code < 0)
		return code;
	row->what = what;
	row->newer = row->seen.this_update > play->held;
	row->right = row->seen.status == expected->status && !strcmp(row->seen.verdict, expected->verdict) &&
		     !strcmp(row->seen.reason, expected->reason) && staple_fits(play, &row->seen, expected->staple);
	play->n_rows++;
	tell(play, row);
	if (!row->right)
		return error_set(err, CLINCH_E_FORMAT, "expected: %s (%s), exit status %d", expected->verdict,
				 expected->reason, expected->status);
	if (row->seen.this_update)
		play->held = row->seen.this_update;
	return 0;
}

struct awaited {
	struct play *play;
	const char *verdict; /* NULL: a newer staple */
};

static bool is_seen(void *user)
{
	const struct awaited *awaited = user;
	struct seen seen;
	struct clinch_error err;

	if (play_look(awaited->play, awaited->play->server_at, &seen, &err) < 0)
		return false;
	return awaited->verdict ? !strcmp(seen.verdict, awaited->verdict) : seen.this_update > awaited->play->held;
}

int play_wait_newer(struct play *play, struct clinch_error *err)
{
	struct awaited awaited = { play, NULL };

	return stage_wait(&play->stage, is_seen, &awaited, WAIT_S, "a newer staple", err);
}

int play_wait_verdict(struct play *play, const char *verdict, struct clinch_error *err)
{
	struct awaited awaited = { play, verdict };

	return stage_wait(&play->stage, is_seen, &awaited, WAIT_S, verdict, err);
}

/* key=value, or key="value with blanks": the length of the first one. */
static size_t field_len(const char *text)
{
	size_t plain = strcspn(text, " \"");
	const char *close = text[plain] == '"' ? strchr(text + plain + 1, '"') : NULL;

	return close ? (size_t)(close + 1 - text) : plain;
}

/* What a person needs of a line of the log. */
static void show_line(const struct play *play, const char *line)
{
	static const char *const wanted[] = { "event=",  "phase=",       "failure=", "reason=",
					      "answer=", "this_update=", "next_try=" };
	auto_buf brief = { .max = 4096 };

	for (size_t len; *line; line += len + (line[len] == ' ')) {
		len = field_len(line);
		for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
			if (!strncmp(line, wanted[i], strlen(wanted[i])))
				buf_printf(&brief, " %.*s", (int)len, line);
	}
	stage_say(&play->stage, REPORT_FAINT, "   log:%.*s", (int)brief.len, (const char *)brief.data);
}

int play_wait_log(struct play *play, size_t since, const char *pattern, struct clinch_error *err)
{
	auto_buf line = { .max = 1 << 16 };
	int code = stage_wait_log(&play->stage, STAGE_SERVER, since, pattern, &line, err);

	if (code == 0)
		show_line(play, (const char *)line.data);
	return code;
}

/* ---- lies ---- */

static int signer_of(struct ocsp_signer **out, const struct demo_identity *delegate, struct issuer *ca,
		     struct clinch_error *err)
{
	auto_datum der = { NULL, 0 };
	gnutls_privkey_t key = NULL;
	int rc = gnutls_x509_crt_export2(delegate->crt, GNUTLS_X509_FMT_DER, &der);

	if (rc >= 0)
		rc = gnutls_privkey_init(&key);
	if (rc >= 0)
		rc = gnutls_privkey_import_x509(key, delegate->key, GNUTLS_PRIVKEY_IMPORT_COPY);
	if (rc < 0) {
		gnutls_privkey_deinit(key);
		return error_gnutls(err, rc, "a responder's key");
	}
	return ocsp_signer_new(out, &der, ca, key, 0, err);
}

DEFINE_CLEANUP(struct ocsp_signer *, cleanup_signer, ocsp_signer_unref)

static int stranger_signer(struct play *play, struct ocsp_signer **out, struct clinch_error *err)
{
	auto_datum der = { NULL, 0 };
	auto_issuer *ca = NULL;
	int rc = gnutls_x509_crt_export2(play->stranger_ca.crt, GNUTLS_X509_FMT_DER, &der);
	int code = rc < 0 ? error_gnutls(err, rc, "the stranger") : issuer_new(&ca, &der, err);

	return code == 0 ? signer_of(out, &play->stranger, ca, err) : code;
}

int play_make_lie(struct play *play, enum lie lie, gnutls_datum_t *out, struct clinch_error *err)
{
	const uint8_t serial[] = { 0x10, SERIAL };
	uint8_t id[256];
	AUTO(cleanup_signer) struct ocsp_signer *signer = NULL;
	size_t len = ocsp_cert_id_write(id, sizeof(id), play->ca, HASH_SHA1, der_of(serial, sizeof(serial)));
	int64_t now = time(NULL), at = lie == LIE_EXPIRED ? now - 10 * DAY : play->held - (lie == LIE_REPLAYED ? 9 : -1);
	const struct ocsp_single single = { .cert_id = der_of(id, len),
					    .status = CLINCH_GOOD,
					    .this_update = at,
					    .next_update = lie == LIE_EXPIRED ? at + 4 * DAY : now + DAY };
	int code =
		lie == LIE_FORGED ? stranger_signer(play, &signer, err) : signer_of(&signer, &play->delegate, play->ca, err);

	return code == 0 ? ocsp_sign(out, signer, &single, 1, at, NULL, err) : code;
}
