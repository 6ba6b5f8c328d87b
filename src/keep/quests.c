/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Issuers that are missing from their files: asked for by the certificate's caIssuers URL, one quest an issuer. What was
 * found is kept beside the responses (issuers/<sha256>.crt): after a restart without a network, what the store holds could
 * not be verified without it.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "der/oid.h"
#include "keep/inside.h"
#include "keep/name.h"
#include <dirent.h>
#include <gnutls/crypto.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".crt"

struct quest {
	struct quest *next;
	struct keeper *keeper;
	struct fetch_job *job; /* NULL: it waits for its next try */
	uint8_t key[FINGERPRINT_LEN];
	int64_t next_ms;
	unsigned failures;
	bool for_ca;
	char name[NAME_TEXT_SIZE], issuer[NAME_TEXT_SIZE];
	char path[]; /* of the file that wants it */
};

/* Who is looked for: the issuer's name, and its key where the certificate says which. */
static bool key_of(uint8_t key[FINGERPRINT_LEN], const struct cert_view *view)
{
	struct der_extension extension;
	uint8_t part[2][FINGERPRINT_LEN] = { { 0 } };

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, view->issuer.at, der_len(view->issuer), part[0]) < 0)
		return false;
	if (cert_view_extension(view, OID_AUTHORITY_KEY_ID, sizeof(OID_AUTHORITY_KEY_ID) - 1, &extension) &&
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, extension.value.at, der_len(extension.value), part[1]) < 0)
		return false;
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, part, sizeof(part), key) >= 0;
}

/* Where a quest that has ended is taken from the list and freed. */
static void remove_quest(struct quest *quest)
{
	struct quest **at = &quest->keeper->quests;

	while (*at != quest)
		at = &(*at)->next;
	*at = quest->next;
	if (quest->job)
		quest->keeper->quests_running--;
	fetch_job_cancel(quest->job);
	free(quest);
}

/* What root finds before the keeper's first start is to be the keeper's, whose store it is. */
static void make_dir(const char *store, const char *path)
{
	struct stat owner;

	if (mkdir(path, 0755) < 0 || geteuid() != 0 || stat(store, &owner) < 0)
		return;
	if (lchown(path, owner.st_uid, owner.st_gid) < 0)
		return; /* as below */
}

static void save(const struct keeper *keeper, const gnutls_datum_t *issuer)
{
	char path[PATH_MAX];
	uint8_t fingerprint[FINGERPRINT_LEN];

	if (!store_issuers_path(keeper->conf->store, path) ||
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, issuer->data, issuer->size, fingerprint) < 0)
		return;
	make_dir(keeper->conf->store, path);
	size_t len = strlen(path);
	if (len + 1 + 2 * sizeof(fingerprint) + sizeof(SUFFIX) > sizeof(path))
		return;
	path[len++] = '/';
	for (size_t i = 0; i < sizeof(fingerprint); i++)
		len += (size_t)snprintf(path + len, 3, "%02x", fingerprint[i]);
	memcpy(path + len, SUFFIX, sizeof(SUFFIX));
	/* when it cannot be written, the next start asks for it again */
	if (file_replace(path, issuer->data, issuer->size, 0644, NULL) < 0)
		return;
}

static void say_in_vain(const struct quest *quest, const struct fetch_outcome *outcome)
{
	struct keeper *keeper = quest->keeper;
	const char *dir = keeper->conf->issuers;
	bool no_url = outcome->failure == FETCH_NO_URL;
	enum keep_level level = quest->failures > 1 ? KEEP_DEBUG : quest->for_ca ? KEEP_INFO : KEEP_ERROR;

	tell_notice(
		keeper, level, NULL, quest->path,
		"%s: its issuer, %s, is neither in the file, nor %s%s%s, nor a trusted root of the system, and %s%s%s%s; "
		"%s%s",
		quest->name, quest->issuer, dir ? "in " : "", dir ? dir : "",
		dir ? "" : "anywhere in keep.issuers (not set)",
		no_url ? "the certificate says no caIssuers URL" : "its caIssuers URL did not give it (",
		no_url ? "" : outcome->url, no_url ? "" : ": ", no_url ? "" : outcome->text, no_url ? "" : "); ",
		"no response can be kept for it until it is added to the file or to keep.issuers");
}

static void on_done(const struct fetch_event *event)
{
	struct quest *quest = event->user;
	struct keeper *keeper = quest->keeper;
	struct schedule_failure failure = { .retry_after_s = -1 };

	if (event->kind != FETCH_DONE)
		return;
	quest->job = NULL;
	keeper->quests_running--;
	if (event->issuer.size > 0 && issuers_add(&keeper->issuers, &event->issuer)) {
		save(keeper, &event->issuer);
		tell_notice(keeper, KEEP_INFO, NULL, quest->path, "%s: its issuer, %s, was found at %s", quest->name,
			    quest->issuer, event->outcome->url);
		remove_quest(quest);
		scan_again_where_issuers_lack(keeper);
		return;
	}
	failure.failures = ++quest->failures;
	say_in_vain(quest, event->outcome);
	quest->next_ms = keeper_mono_ms(keeper) +
			 schedule_after_failure((struct schedule_life){ 0 }, keeper_now(), &failure, UINT32_MAX / 2);
	keeper_check_ready(keeper);
}

static void start(struct quest *quest, const gnutls_datum_t *cert)
{
	struct keeper *keeper = quest->keeper;
	struct fetch_options options = keeper->conf->fetch;

	if (options.ca_file)
		options.ca_file = keeper_intern(keeper, options.ca_file);
	if (fetch_issuer_start(&quest->job, keeper->engine, cert, &options, on_done, quest, NULL) < 0) {
		remove_quest(quest);
		return;
	}
	keeper->quests_running++;
}

static struct quest *new_quest(struct keeper *keeper, const char *path, const struct cert_view *view)
{
	struct quest *quest = calloc(1, sizeof(*quest) + strlen(path) + 1);
	uint8_t none[FINGERPRINT_LEN] = { 0 };

	if (!quest)
		return NULL;
	quest->keeper = keeper;
	memcpy(quest->path, path, strlen(path) + 1);
	name_of_certificate(quest->name, view, none);
	name_of_issuer(quest->issuer, view);
	quest->for_ca = cert_view_is_ca(view);
	quest->next = keeper->quests;
	keeper->quests = quest;
	return quest;
}

struct issuer *quest_for_issuer(struct keeper *keeper, const struct keep_file *file, const gnutls_datum_t *cert,
				const struct cert_view *view)
{
	uint8_t key[FINGERPRINT_LEN];
	struct quest *quest;

	if (!key_of(key, view))
		return NULL;
	for (quest = keeper->quests; quest; quest = quest->next)
		if (memcmp(quest->key, key, sizeof(key)) == 0)
			break;
	if (quest && (quest->job || keeper_mono_ms(keeper) < quest->next_ms))
		return NULL;
	if (issuers_add_from_system(&keeper->issuers, cert)) /* dear: not for each of a thousand files */
		return issuers_find(&keeper->issuers, view);
	if (!quest)
		quest = new_quest(keeper, file_path(file), view);
	if (!quest)
		return NULL;
	memcpy(quest->key, key, sizeof(key));
	start(quest, cert);
	return NULL;
}

/* A quest is begun again by reading the files that want it. */
void quests_tick(struct keeper *keeper)
{
	for (const struct quest *quest = keeper->quests; quest; quest = quest->next)
		if (!quest->job && keeper_mono_ms(keeper) >= quest->next_ms) {
			scan_again_where_issuers_lack(keeper);
			return;
		}
}

static void load(struct keeper *keeper, int dir, const char *name)
{
	auto_buf bytes = { .max = CHAIN_FILE_MAX };

	if (sweep_is_temporary(name))
		unlinkat(dir, name, 0);
	if (*name == '.' || file_read_at(dir, name, &bytes, name, NULL) < 0)
		return;
	issuers_add(&keeper->issuers, &(gnutls_datum_t){ bytes.data, (unsigned)bytes.len });
}

/* Nothing is believed by them that their key did not sign: a damaged file is passed over. */
void quests_load(struct keeper *keeper)
{
	char path[PATH_MAX];
	DIR *dir = store_issuers_path(keeper->conf->store, path) ? opendir(path) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		load(keeper, dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
}

void quests_done(struct keeper *keeper)
{
	while (keeper->quests)
		remove_quest(keeper->quests);
}
