/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `clinch put`: a response that somebody brings, for a machine that reaches no responder. It is verified here, and enters by
 * the store rule: into the store itself, or by the keeper that holds it.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/time.h"
#include "cli/ask_keeper.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "conf/conf.h"
#include "report/report.h"
#include "store/store.h"
#include "x509/chain.h"
#include "x509/subject.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { CERT = 1, ISSUER, STORE, SOCKET, CONF };

static const struct cli_option options[] = {
	{ CERT, 0, "cert", "FILE", "the certificate; of a chain file, the first", "FILE" },
	{ ISSUER, 0, "issuer", "FILE", "its issuer; not needed when the chain file has it", "FILE" },
	{ STORE, 0, "store", "DIR", "the store (that of the configuration)", "DIR" },
	{ SOCKET, 0, "socket", "SOCKET", "the socket of the keeper that holds the store", "FILE" },
	{ CONF, 'c', "config", "FILE", "the configuration (/etc/clinch/clinch.yaml), for store and socket", "FILE" },
	{ 0 },
};

struct settings {
	const char *cert, *issuer, *store, *socket, *conf, *response;
};

struct put {
	const struct cli_command *self;
	struct settings set;
	struct conf conf; /* zeroed: none is there */
	clinch_subject_t *subject;
	clinch_response_t *response;
	struct clinch_verdict verdict;
	enum store_answer answer;
};

static int take(const struct cli *cli, int id, void *user)
{
	struct settings *set = user;
	const char **const where[] = { [CERT] = &set->cert,
				       [ISSUER] = &set->issuer,
				       [STORE] = &set->store,
				       [SOCKET] = &set->socket,
				       [CONF] = &set->conf };

	if (id == CLI_OPERAND)
		return cli_only(cli, "response", &set->response);
	*where[id] = cli->value;
	return -1;
}

/* -1: go on; else the exit status. */
static int parse(struct settings *set, int argc, char **argv, const struct cli_command *self)
{
	int status = cli_parse(self, argc, argv, take, set);

	if (status >= 0)
		return status;
	if (!set->cert)
		return cli_usage(self, "which certificate? --cert CHAIN.pem");
	if (!set->response)
		return cli_usage(self, "which response? a file, or - for standard input");
	return cli_one_stdin(self, set->cert, set->issuer, set->response);
}

static int fail(const struct put *put, const struct clinch_error *err)
{
	cli_say(put->self, "%s", err->text);
	switch (err->code) {
	case CLINCH_E_ARGUMENT:
	case CLINCH_E_NOT_ISSUER:
		return EXIT_USAGE;
	default:
		return EXIT_NOT_FOUND_OUT;
	}
}

/* ---- what is brought ---- */

static int load_subject(struct put *put, struct clinch_error *err)
{
	const struct settings *set = &put->set;
	auto_chain chain = { 0 };
	auto_chain issuers = { 0 };
	auto_issuer *issuer = NULL;
	const gnutls_datum_t *found;
	int rc = chain_read(&chain, set->cert, err);

	if (rc == 0 && set->issuer)
		rc = chain_read(&issuers, set->issuer, err);
	if (rc < 0)
		return rc;
	found = chain_find_issuer(set->issuer ? &issuers : &chain, &chain.cert[0]);
	if (!found && set->issuer)
		return error_set(err, CLINCH_E_NOT_ISSUER, "%s did not issue %s", set->issuer, set->cert);
	if (!found)
		return error_set(err, CLINCH_E_ARGUMENT, "%s: its issuer is not in it: name it with --issuer", set->cert);
	rc = issuer_new(&issuer, found, err);
	return rc ? rc : subject_new(&put->subject, &chain.cert[0], issuer, false, err);
}

/* EXIT_ACCEPTED: it is believed; else the exit status, which was said. */
static int judge(struct put *put, const struct buf *bytes)
{
	const struct clinch_policy policy = { 0 };
	gnutls_datum_t der = input_view(bytes);
	auto_buf detail = { .max = 4096 };
	int64_t now = time(NULL);

	clinch_verify(&put->response, &put->verdict, &der, put->subject, now, &policy);
	if (put->response)
		return EXIT_ACCEPTED;
	report_detail(&detail, &put->verdict, der, now);
	cli_say(put->self, "%s: refused: %.*s (%s)", put->set.response, (int)detail.len,
		detail.len ? (char *)detail.data : "", clinch_reason_name(put->verdict.reason));
	return EXIT_NOT_BELIEVED;
}

/* ---- where it goes ---- */

/* The configuration that was named, or that of the system where it is there. */
static int load_conf(struct put *put, struct clinch_error *err)
{
	const char *path = put->set.conf;

	if (!path && (put->set.socket || access(CONF_PATH, F_OK) < 0))
		return 0;
	return conf_read(&put->conf, path ? path : CONF_PATH, err);
}

static bool is_same_place(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return a && b && stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

static int by_store(struct put *put, const char *dir, struct clinch_error *err)
{
	const struct clinch_policy policy = { 0 };
	struct store *store = NULL;
	int rc;

	if (geteuid() == 0 && access(dir, F_OK) < 0 && errno == ENOENT)
		return error_set(err, CLINCH_E_MISSING,
				 "%s: is not there, and made by root it would be closed to the keeper; start that first, or "
				 "make the directory as its user",
				 dir);
	rc = store_open(&store, dir, true, err);
	if (rc < 0)
		return rc;
	rc = store_offer(store, put->subject, put->response, time(NULL), &policy, &put->answer, err);
	if (rc == 0)
		rc = store_sync(store, err);
	store_close(store);
	return rc;
}

static int read_answer(struct put *put, const json_t *answer, struct clinch_error *err)
{
	static const char *const words[] = { [STORE_TOOK] = "took", [STORE_SAME] = "same", [STORE_OLDER] = "older" };

	for (int i = STORE_TOOK; i <= STORE_OLDER; i++)
		if (!strcmp(ask_text(answer, "answer"), words[i])) {
			put->answer = (enum store_answer)i;
			return 0;
		}
	return error_set(err, CLINCH_E_FORMAT, "the keeper refuses it: %.250s", ask_text(answer, "text"));
}

static int by_keeper(struct put *put, const char *socket, struct clinch_error *err)
{
	const uint8_t *fingerprint = put->subject->fingerprint;
	gnutls_datum_t der = clinch_response_der(put->response);
	char digits[2 * FINGERPRINT_LEN + 1];
	auto_datum base64 = { 0 };
	json_t *answer = NULL;
	int rc;

	for (size_t i = 0; i < FINGERPRINT_LEN; i++)
		snprintf(digits + 2 * i, 3, "%02x", fingerprint[i]);
	if (gnutls_base64_encode2(&der, &base64) < 0)
		return error_set(err, CLINCH_E_MEMORY, "no memory for the question");
	json_t *question = json_pack("{ss ss ss%}", "ask", "put", "fingerprint", digits, "response", (char *)base64.data,
				     (size_t)base64.size);
	rc = ask_keeper(&answer, socket, question, err);
	if (rc == 0)
		rc = read_answer(put, answer, err);
	json_decref(answer);
	json_decref(question);
	return rc;
}

/* The store, unless a keeper has its lock: then by that keeper, where we know its socket. */
static int deliver(struct put *put, struct clinch_error *err)
{
	const char *store = put->set.store ? put->set.store : put->conf.store;
	const char *socket = put->set.socket;
	int rc;

	if (!store && socket)
		return by_keeper(put, socket, err);
	if (!socket && (!put->set.store || is_same_place(put->set.store, put->conf.store)))
		socket = put->conf.socket;
	rc = by_store(put, store ? store : CONF_STORE, err);
	if (rc != CLINCH_E_ARGUMENT)
		return rc;
	if (socket)
		return by_keeper(put, socket, err);
	size_t len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, "; name that keeper's socket with --socket");
	return rc;
}

static int say_answer(const struct put *put)
{
	char said[REPORT_STATUS_SIZE], until[TIME_TEXT_SIZE];

	report_status(said, &put->verdict);
	time_format(until, put->verdict.fresh_until);
	if (put->answer == STORE_OLDER) {
		cli_say(put->self, "%s: refused: it is older than what is held", put->set.response);
		return EXIT_NOT_BELIEVED;
	}
	printf("%s: %s, for use until %s, %s\n", put->set.cert, said, until,
	       put->answer == STORE_TOOK ? "taken" : "unchanged");
	return put->verdict.status == CLINCH_REVOKED ? EXIT_REVOKED : EXIT_ACCEPTED;
}

static int put_it(struct put *put)
{
	auto_buf bytes = { .max = INPUT_MAX };
	struct clinch_error err = { 0 };
	int status;

	if (load_conf(put, &err) < 0) {
		cli_say(put->self, "%s", err.text);
		return err.code == CLINCH_E_FORMAT ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
	}
	if (load_subject(put, &err) < 0 || input_read(&bytes, put->set.response, &err) < 0)
		return fail(put, &err);
	status = judge(put, &bytes);
	if (status != EXIT_ACCEPTED)
		return status;
	if (deliver(put, &err) < 0)
		return err.code == CLINCH_E_FORMAT ? (cli_say(put->self, "%s", err.text), EXIT_NOT_BELIEVED)
						   : fail(put, &err);
	return say_answer(put);
}

static int run(int argc, char **argv, const struct cli_command *self)
{
	struct put put = { .self = self };
	int status = parse(&put.set, argc, argv, self);

	if (status >= 0)
		return status;
	status = put_it(&put);
	clinch_subject_unref(put.subject);
	clinch_response_unref(put.response);
	conf_done(&put.conf);
	return status;
}

const struct cli_command cmd_put = {
	.name = "put",
	.summary = "bring a response into the store by hand, verified",
	.operands = "RESPONSE.der|-",
	.options = options,
	.run = run,
	.examples = "  clinch put --cert fullchain.pem response.der\n"
		    "  clinch put --store /var/lib/clinch/store --cert leaf.pem --issuer ca.pem response.der\n",
};
