/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys in tokens (SoftHSM): they sign, a token goes away, it comes back, and another one does not notice. */
#include "base/cleanup.h"
#include "desk.h"
#include "respond/authority.h"
#include "x509/private_key.h"
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define PIN "47%11"
#define PATIENCE_MS 20000 /* until it is back */

extern char **environ;

static struct party ca, delegate, second, rsa;

static void run(const char *const argv[])
{
	pid_t pid;
	int status = -1;
	posix_spawn_file_actions_t quiet;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawnp(&pid, argv[0], &quiet, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	posix_spawn_file_actions_destroy(&quiet);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void write_text(const char *name, const char *text)
{
	desk_write(name, text, strlen(text));
}

/* A token with a label, in a directory of its own below tokens/, and NAME.key in it, labelled NAME. */
static void fill_token(const char *label, bool make, const char *name)
{
	char key[32], id[8];

	snprintf(key, sizeof(key), "%s.key", name);
	snprintf(id, sizeof(id), "%02x", (unsigned char)name[0]);
	if (make)
		run((const char *[]){ "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin",
				      "0815", NULL });
	run((const char *[]){ "softhsm2-util", "--import", desk_path(key), "--token", label, "--label", name, "--id", id,
			      "--pin", PIN, NULL });
}

static int set_up(void **state)
{
	(void)state;
	char conf[2 * SCRATCH_SIZE];
	desk_open("token");
	assert_int_equal(mkdir(desk_path("tokens"), 0700), 0);
	snprintf(conf, sizeof(conf), "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n",
		 desk);
	write_text("softhsm2.conf", conf);
	write_text("pin", PIN "\n");
	write_text("wrong-pin", "0000\n");
	setenv("SOFTHSM2_CONF", desk_path("softhsm2.conf"), 1);
	party_make(&ca, PARTY_P256, PARTY_CA, NULL);
	party_make(&delegate, PARTY_P256, PARTY_DELEGATE, &ca);
	party_make(&second, PARTY_P384, PARTY_DELEGATE, &ca);
	party_make(&rsa, PARTY_RSA, PARTY_DELEGATE, &ca);
	desk_write_party("ca", &ca);
	desk_write_party("delegate", &delegate);
	desk_write_party("second", &second);
	desk_write_party("rsa", &rsa);
	fill_token("one", true, "delegate");
	fill_token("one", false, "rsa");
	fill_token("two", true, "second");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	party_drop(&rsa);
	party_drop(&second);
	party_drop(&delegate);
	party_drop(&ca);
	gnutls_pkcs11_deinit();
	run((const char *[]){ "rm", "-r", desk_path("tokens"), NULL });
	desk_close();
	maker_done();
	return 0;
}

/* ---- authorities ---- */

static char urls[16][SCRATCH_SIZE + 256];

static const char *url_of(const char *token, const char *object, const char *pin)
{
	static unsigned turn;
	char *url = urls[turn++ % 16];

	snprintf(url, sizeof(urls[0]), "pkcs11:token=%s;object=%s;type=private?pin-source=%s%s&module-name=softhsm2", token,
		 object, turn % 2 ? "file:" : "", desk_path(pin));
	return url;
}

static int load(struct authority **out, const struct signer_conf *signers, size_t n, struct clinch_error *err)
{
	const struct authority_conf conf = {
		.ca = desk_path("ca.pem"), .signers = signers, .n_signers = n, .validity_s = DAY
	};

	return authority_load(out, &conf, NOW, NULL, NULL, err);
}

static struct authority *loaded(const struct signer_conf *signers, size_t n)
{
	struct authority *authority = NULL;
	struct clinch_error err = { 0 };

	if (load(&authority, signers, n, &err) < 0)
		fail_msg("%s", err.text);
	return authority;
}

static int sign_with(struct authority *authority, signer_id *id, struct clinch_error *err)
{
	auto_datum out = { NULL, 0 };
	uint8_t memory[256];
	size_t len = ocsp_cert_id_write(memory, sizeof(memory), authority->issuer, HASH_SHA1, der_of("\x4c", 1));
	struct ocsp_single single = {
		.cert_id = der_of(memory, len), .status = CLINCH_GOOD, .this_update = NOW, .next_update = NOW + DAY
	};

	return authority_sign(&out, authority, &single, 1, NOW, NULL, id, err);
}

/* ---- one token of the two goes away and comes back ---- */

static char at_home[SCRATCH_SIZE + 256], away[SCRATCH_SIZE + 256];

/* The directory of the first token is the one that has two keys: four objects where the other has two. */
static void find_home(void)
{
	DIR *tokens = opendir(desk_path("tokens"));
	unsigned most = 0;

	assert_non_null(tokens);
	for (struct dirent *entry; (entry = readdir(tokens));) {
		char path[SCRATCH_SIZE + 300];
		unsigned n = 0;
		snprintf(path, sizeof(path), "%s/%s", desk_path("tokens"), entry->d_name);
		DIR *token = entry->d_name[0] == '.' ? NULL : opendir(path);
		while (token && readdir(token))
			n++;
		if (token)
			closedir(token);
		if (n > most)
			snprintf(at_home, sizeof(at_home), "%.*s", (int)sizeof(at_home) - 1, path);
		most = n > most ? n : most;
	}
	closedir(tokens);
	snprintf(away, sizeof(away), "%s", desk_path("away"));
}

static void take_away(void)
{
	find_home();
	assert_int_equal(rename(at_home, away), 0);
}

static void bring_back(void)
{
	assert_int_equal(rename(away, at_home), 0);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_until_it_signs(struct authority *authority, signer_id by)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct clinch_error err = { 0 };
	signer_id id = 0;

	for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end; nanosleep(&pause, NULL))
		if (sign_with(authority, &id, &err) == 0 && (!by || id == by))
			return;
	fail_msg("it does not come back: %s", err.text);
}

static void a_key_in_a_token_signs(void **state)
{
	(void)state;
	const struct signer_conf rows[] = {
		{ .cert = desk_path("delegate.pem"), .key = url_of("one", "delegate", "pin") },
		{ .cert = desk_path("second.pem"), .key = url_of("two", "second", "pin") },
		{ .cert = desk_path("rsa.pem"), .key = url_of("one", "rsa", "pin") },
		{ .cert = desk_path("rsa.pem"), .key = url_of("one", "rsa", "pin"), .pss = true },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct authority *authority = loaded(&rows[i], 1); /* which verifies what the key signed */
		assert_int_equal(sign_with(authority, NULL, NULL), 0);
		authority_unref(authority);
	}
}

static void a_key_that_cannot_be_had_is_refused(void **state)
{
	(void)state;
	const struct {
		struct signer_conf signer;
		int code;
		const char *sentence;
	} rows[] = {
		{ { .key = url_of("one", "delegate", "wrong-pin") }, CLINCH_E_GNUTLS, "object=delegate" },
		{ { .key = url_of("one", "delegate", "no-pin") }, CLINCH_E_FILE, "no-pin" },
		{ { .key = url_of("none", "delegate", "pin") }, CLINCH_E_GNUTLS, "token=none" },
		{ { .key = url_of("one", "rsa", "pin") }, CLINCH_E_ARGUMENT, "another kind" },
		{ { .key = "pkcs11:token=one", .password_file = desk_path("pin") }, CLINCH_E_ARGUMENT, "?pin-source=file:" },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct signer_conf signer = rows[i].signer;
		struct authority *authority = NULL;
		struct clinch_error err = { 0 };
		signer.cert = desk_path("delegate.pem");
		check_int(rows[i].sentence, load(&authority, &signer, 1, &err), rows[i].code);
		if (!strstr(err.text, rows[i].sentence) || strstr(err.text, "pin-source=/"))
			fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].sentence);
	}
}

static void a_token_that_was_lost_signs_again_when_it_is_back(void **state)
{
	(void)state;
	const struct signer_conf signer = { .cert = desk_path("delegate.pem"), .key = url_of("one", "delegate", "pin") };
	struct authority *authority = loaded(&signer, 1);
	struct clinch_error err = { 0 };
	assert_int_equal(sign_with(authority, NULL, &err), 0);
	take_away();
	assert_int_equal(sign_with(authority, NULL, &err), CLINCH_E_GNUTLS);
	assert_non_null(strstr(err.text, "delegate.pem with the key pkcs11:token=one;object=delegate;type=private: "));
	assert_int_equal(sign_with(authority, NULL, &err), CLINCH_E_GNUTLS);
	bring_back();
	wait_until_it_signs(authority, 0);
	authority_unref(authority);
}

static void the_next_signer_stands_in_until_then(void **state)
{
	(void)state;
	const struct signer_conf signers[] = {
		{ .cert = desk_path("delegate.pem"), .key = url_of("one", "delegate", "pin") },
		{ .cert = desk_path("second.pem"), .key = desk_path("second.key") },
	};
	struct authority *authority = loaded(signers, 2);
	signer_id first = 0, id = 0;
	assert_int_equal(sign_with(authority, &first, NULL), 0);
	take_away();
	assert_int_equal(sign_with(authority, &id, NULL), 0);
	assert_true(id != first);
	bring_back();
	wait_until_it_signs(authority, first);
	authority_unref(authority);
}

struct busy {
	struct authority *authority;
	atomic_bool stop;
	atomic_uint failed, signed_ok;
};

static void *keep_signing(void *data)
{
	struct busy *busy = data;

	while (!atomic_load(&busy->stop))
		atomic_fetch_add(sign_with(busy->authority, NULL, NULL) == 0 ? &busy->signed_ok : &busy->failed, 1);
	return NULL;
}

static void another_token_goes_on_signing_meanwhile(void **state)
{
	(void)state;
	const struct signer_conf of_one = { .cert = desk_path("delegate.pem"), .key = url_of("one", "delegate", "pin") },
				 of_two = { .cert = desk_path("second.pem"), .key = url_of("two", "second", "pin") };
	struct authority *authority = loaded(&of_one, 1);
	struct busy busy = { .authority = loaded(&of_two, 1) };
	pthread_t threads[2];
	for (size_t i = 0; i < ROWS(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_signing, &busy), 0);
	take_away();
	assert_int_equal(sign_with(authority, NULL, NULL), CLINCH_E_GNUTLS);
	bring_back();
	wait_until_it_signs(authority, 0);
	unsigned before = atomic_load(&busy.signed_ok);
	for (int64_t end = now_ms() + PATIENCE_MS; atomic_load(&busy.signed_ok) == before;)
		assert_true(now_ms() < end);
	atomic_store(&busy.stop, true);
	for (size_t i = 0; i < ROWS(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&busy.failed), 0);
	authority_unref(busy.authority);
	authority_unref(authority);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key_in_a_token_signs),
		T(a_key_that_cannot_be_had_is_refused),
		T(a_token_that_was_lost_signs_again_when_it_is_back),
		T(the_next_signer_stands_in_until_then),
		T(another_token_goes_on_signing_meanwhile),
	};
	return cmocka_run_group_tests_name("token", tests, set_up, tear_down);
}
