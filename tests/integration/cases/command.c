/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../../support/scratch.h"
#include "base/cleanup.h"
#include "ways.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define PATH_LEN 256
#define DEADLINE_MS 20000
#define ARGS_MAX 32

extern char **environ;
static char directory[SCRATCH_SIZE];
static bool is_made;

/* ---- files ---- */

static void write_file(const char *path, const gnutls_datum_t *bytes)
{
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes->data, bytes->size) != (ssize_t)bytes->size)
		broken("cannot write", path);
}

static void write_certificate(char path[PATH_LEN], const struct world *world, const char *name)
{
	auto_crt cert = world_certificate(world, name);
	auto_datum pem = { NULL, 0 };

	snprintf(path, PATH_LEN, "%s/%s-%s.pem", directory, world_kind(world), name);
	if (access(path, R_OK) == 0)
		return;
	if (gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem) < 0)
		broken("cannot export", name);
	write_file(path, &pem);
}

static void write_response(char path[PATH_LEN], const struct world *world, const char *name)
{
	snprintf(path, PATH_LEN, "%s/response.der", directory);
	write_file(path, world_item(world, "response", name));
}

void command_done(void)
{
	const char *const argv[] = { "rm", "-rf", directory, NULL };
	pid_t pid;

	if (is_made && posix_spawnp(&pid, "rm", NULL, NULL, (char *const *)argv, environ) == 0)
		waitpid(pid, NULL, 0);
	is_made = false;
}

/* ---- the program ---- */

struct args {
	const char *argv[ARGS_MAX];
	unsigned n;
	char program[PATH_LEN * 2], leaf[PATH_LEN], issuer[PATH_LEN], trusted[PATH_LEN], response[PATH_LEN];
	char at[32], numbers[3][16];
};

static void add(struct args *args, const char *option, const char *value)
{
	if (option)
		args->argv[args->n++] = option;
	if (value)
		args->argv[args->n++] = value;
}

static void add_number(struct args *args, unsigned place, const char *option, uint32_t value)
{
	if (!value)
		return;
	snprintf(args->numbers[place], sizeof(args->numbers[place]), "%u", value);
	add(args, option, args->numbers[place]);
}

static void add_instant(struct args *args, int64_t at)
{
	time_t seconds = (time_t)at;
	struct tm civil;

	strftime(args->at, sizeof(args->at), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &civil));
	add(args, "--at", args->at);
}

static void make_args(struct args *args, const struct test_case *one, const struct world *world)
{
	const char *build = getenv("CLINCH_BUILD");

	args->n = 0;
	snprintf(args->program, sizeof(args->program), "%s/clinch", build ? build : "build");
	add(args, args->program, "verify");
	write_certificate(args->leaf, world, one->leaf);
	add(args, "--cert", args->leaf);
	write_certificate(args->issuer, world, one->issuer);
	add(args, "--issuer", args->issuer);
	add_instant(args, one->at);
	add_number(args, 0, "--max-age", one->policy.max_age_s);
	add_number(args, 1, "--skew", one->policy.skew_s);
	add_number(args, 2, "--max-size", one->policy.max_len);
	add(args, one->policy.allow_sha1_signature ? "--allow-sha1" : NULL, NULL);
	if (one->trusted) {
		write_certificate(args->trusted, world, one->trusted);
		add(args, "--trust-signer", args->trusted);
	}
	write_response(args->response, world, one->name);
	add(args, "--json", args->response);
	args->argv[args->n] = NULL;
}

static pid_t spawn(const struct args *args, int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, out, 2);
	int rc = posix_spawn(&pid, args->program, &actions, NULL, (char *const *)args->argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc)
		broken(args->program, strerror(rc));
	return pid;
}

/* All that it prints, until it ends or the deadline passes. */
static void read_all(struct buf *out, int fd, pid_t pid)
{
	char bytes[4096];
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	for (;;) {
		if (poll(&ready, 1, DEADLINE_MS) <= 0) {
			kill(pid, SIGKILL);
			return;
		}
		ssize_t len = read(fd, bytes, sizeof(bytes));
		if (len <= 0 || !buf_add(out, bytes, (size_t)len))
			return;
	}
}

/* The exit status; -1 when it did not exit. What it printed, both streams, is added to `out`. */
static int run(const struct args *args, struct buf *out)
{
	int ends[2], status;

	if (pipe2(ends, O_CLOEXEC) < 0)
		broken("pipe", strerror(errno));
	pid_t pid = spawn(args, ends[1]);
	close(ends[1]);
	read_all(out, ends[0], pid);
	close(ends[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* ---- what it says ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "(none)";
}

static uint64_t findings_of(const json_t *object, struct buf *why)
{
	uint64_t findings = 0;
	size_t i;
	const json_t *one;

	json_array_foreach(json_object_get(object, "findings"), i, one)
	{
		int bit = 0;

		while (bit < CLINCH_FINDING_COUNT && strcmp(text_of(one, "id"), clinch_finding_name(bit)) != 0)
			bit++;
		if (bit == CLINCH_FINDING_COUNT)
			(void)buf_printf(why, "an unknown finding: %s\n", text_of(one, "id"));
		else
			findings |= UINT64_C(1) << bit;
	}
	return findings;
}

/* clinch(1): 0 accepted, 3 revoked, 4 not to be believed, 6 unknown. */
static bool exit_fits(int status, const char *verdict)
{
	static const struct {
		const char *verdict;
		int status;
	} exits[] = { { "good", 0 }, { "revoked", 3 }, { "invalid", 4 }, { "unknown", 6 } };

	for (unsigned i = 0; i < sizeof(exits) / sizeof(*exits); i++)
		if (strcmp(exits[i].verdict, verdict) == 0)
			return exits[i].status == status;
	return false;
}

bool go_command(const struct test_case *one, const struct world *world, struct buf *why)
{
	auto_buf printed = { .max = 1024 * 1024 };
	struct args args;

	if (!is_made && !mkdtemp(scratch_template(directory, "cases")))
		broken("mkdtemp", strerror(errno));
	is_made = true;
	make_args(&args, one, world);
	int status = run(&args, &printed);
	json_t *object = json_loadb((const char *)printed.data, printed.len, 0, NULL);
	struct found found = { text_of(object, "verdict"), text_of(object, "reason"),
			       json_is_true(json_object_get(object, "fresh")), findings_of(object, why) };
	bool passed = case_wants(one, &found, why);
	if (!exit_fits(status, found.status)) {
		(void)buf_printf(why, "exit status %d\n%.*s\n", status, (int)printed.len, (const char *)printed.data);
		passed = false;
	}
	json_decref(object);
	return passed;
}
