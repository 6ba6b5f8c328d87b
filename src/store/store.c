/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "ocsp/verify.h"
#include "x509/subject.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define NAME_SIZE (2 * FINGERPRINT_LEN + sizeof(".der"))

#define FEW 8 /* files are synced one by one; more than that by their file system as a whole */

struct gathered { /* written, and not renamed yet */
	uint8_t fingerprint[FINGERPRINT_LEN];
	char temp[FILE_TEMPORARY_SIZE];
};

struct store {
	int dir, lock; /* lock: -1 where it is only read, or the disk takes no file */
	bool writes;
	struct gathered *gathered; /* NULL: nothing was yet; else STORE_GATHERED_MAX of them */
	size_t n_gathered;
	char path[]; /* for messages */
};

static void give_up_gathered(struct store *store)
{
	while (store->n_gathered > 0)
		unlinkat(store->dir, store->gathered[--store->n_gathered].temp, 0);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	give_up_gathered(store);
	free(store->gathered);
	if (store->dir >= 0)
		close(store->dir);
	if (store->lock >= 0)
		close(store->lock);
	free(store);
}

DEFINE_CLEANUP(struct store *, cleanup_store, store_close)

static int refuse_second_writer(const struct store *store, struct clinch_error *err)
{
	char pid[16] = "";
	auto_fd fd = openat(store->dir, ".lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? 0 : read(fd, pid, sizeof(pid) - 1);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	return error_set(err, CLINCH_E_ARGUMENT,
			 "%s: process %s writes to this store already; stop it, or give another directory", store->path,
			 *pid ? pid : "of another machine or container");
}

/* The pid is for the message above alone, so it does not matter whether there is room for it: the lock is the kernel's, and
 * goes with the process. */
static void leave_pid(int lock)
{
	char pid[16];
	int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	if (ftruncate(lock, 0) < 0 || pwrite(lock, pid, (size_t)len, 0) != len)
		return;
}

/* Root may bring a response before the keeper's first start, and must not lock it out. */
static void give_to_owner(const struct store *store)
{
	struct stat dir, lock;

	if (geteuid() != 0 || fstat(store->dir, &dir) < 0 || fstat(store->lock, &lock) < 0 ||
	    (lock.st_uid == dir.st_uid && lock.st_gid == dir.st_gid))
		return;
	if (fchown(store->lock, dir.st_uid, dir.st_gid) < 0)
		return; /* the lock of the directory does where that of the file cannot be had */
}

/* That of the directory needs no room on the disk, and no disk that can be written; that of the file is for file systems
 * that do not lock directories (NFS). Who can have both has both. */
static int take_lock(struct store *store, struct clinch_error *err)
{
	bool has_directory = flock(store->dir, LOCK_EX | LOCK_NB) == 0;

	if (!has_directory && errno == EWOULDBLOCK)
		return refuse_second_writer(store, err);
	store->lock = openat(store->dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (store->lock < 0 && has_directory && (errno == EROFS || errno == ENOSPC || errno == EDQUOT || errno == EACCES))
		return 0; /* what is held is of use; what is offered will be refused, and why is said then */
	if (store->lock < 0)
		return error_errno(err, "%s/.lock: cannot be opened", store->path);
	if (flock(store->lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? refuse_second_writer(store, err)
					    : error_errno(err, "%s/.lock: cannot be locked", store->path);
	give_to_owner(store);
	leave_pid(store->lock);
	return 0;
}

int store_open(struct store **out, const char *dir, bool for_writing, struct clinch_error *err)
{
	size_t len = strlen(dir);
	AUTO(cleanup_store) struct store *store = calloc(1, sizeof(*store) + len + 1);

	if (!store)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory", dir);
	store->lock = -1;
	store->writes = for_writing;
	memcpy(store->path, dir, len + 1);
	if (for_writing && mkdir(dir, 0755) < 0 && errno != EEXIST) {
		store->dir = -1;
		return error_errno(err, "%s: cannot be made", dir);
	}
	store->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir < 0)
		return error_errno(err, "%s: cannot be opened", dir);
	int code = for_writing ? take_lock(store, err) : 0;
	if (code == 0)
		*out = TAKE(store);
	return code;
}

/* dup3() puts the new directory in the old one's place at once: who reads in another thread reads from one of the two. */
void store_follow(struct store *store)
{
	struct stat then, now;

	if (fstat(store->dir, &then) < 0 || stat(store->path, &now) < 0 ||
	    (then.st_dev == now.st_dev && then.st_ino == now.st_ino))
		return;
	auto_fd fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dup3(fd, store->dir, O_CLOEXEC) < 0)
		return; /* the next call tries again */
}

static void name_of_fingerprint(char name[NAME_SIZE], const uint8_t *fingerprint)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < FINGERPRINT_LEN; i++) {
		name[2 * i] = digits[fingerprint[i] >> 4];
		name[2 * i + 1] = digits[fingerprint[i] & 15];
	}
	memcpy(name + 2 * (size_t)FINGERPRINT_LEN, ".der", sizeof(".der"));
}

static struct gathered *find_gathered(const struct store *store, const clinch_subject_t *subject)
{
	for (size_t i = 0; i < store->n_gathered; i++)
		if (memcmp(store->gathered[i].fingerprint, subject->fingerprint, FINGERPRINT_LEN) == 0)
			return &store->gathered[i];
	return NULL;
}

/* The file's name, and its path for messages. */
static void name_of(const struct store *store, const clinch_subject_t *subject, char name[NAME_SIZE], char path[PATH_MAX])
{
	name_of_fingerprint(name, subject->fingerprint);
	snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - (int)NAME_SIZE - 2, store->path, name);
}

int store_load(const struct store *store, const clinch_subject_t *subject, int64_t now, const struct clinch_policy *policy,
	       clinch_response_t **out, struct clinch_verdict *verdict, struct clinch_error *err)
{
	char name[NAME_SIZE], path[PATH_MAX];
	auto_buf buf = { .max = policy && policy->max_len ? policy->max_len : 65536 };

	if (out)
		*out = NULL;
	*verdict = (struct clinch_verdict){ .revocation_reason = -1 };
	name_of(store, subject, name, path);
	const struct gathered *gathered = find_gathered(store, subject);
	int code = file_read_at(store->dir, gathered ? gathered->temp : name, &buf, path, err);
	if (code < 0)
		return code;
	const gnutls_datum_t der = { buf.data, (unsigned)buf.len };
	clinch_verify(out, verdict, &der, subject, now, policy);
	return 0;
}

bool store_issuers_path(const char *store_dir, char out[PATH_MAX])
{
	int len = snprintf(out, PATH_MAX, "%s/issuers", store_dir);

	return len > 0 && len < PATH_MAX;
}

void store_path(const struct store *store, const clinch_subject_t *subject, char out[PATH_MAX])
{
	char name[NAME_SIZE];

	name_of(store, subject, name, out);
}

bool store_stat(const struct store *store, const clinch_subject_t *subject, struct stat *out)
{
	char name[NAME_SIZE], path[PATH_MAX];

	name_of(store, subject, name, path);
	return fstatat(store->dir, name, out, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A second one for the same certificate takes the place of the first. */
static int write_gathered(struct store *store, const clinch_subject_t *subject, gnutls_datum_t der, const char *path,
			  struct clinch_error *err)
{
	struct gathered *at = find_gathered(store, subject);
	char temp[FILE_TEMPORARY_SIZE];
	int code = file_write_temporary_at(store->dir, temp, der.data, der.size, 0644, false, path, err);

	if (code < 0)
		return code;
	if (at)
		unlinkat(store->dir, at->temp, 0);
	else
		at = &store->gathered[store->n_gathered++];
	memcpy(at->fingerprint, subject->fingerprint, FINGERPRINT_LEN);
	memcpy(at->temp, temp, sizeof(temp));
	return 0;
}

static bool can_gather(struct store *store)
{
	if (!store->gathered)
		store->gathered = calloc(STORE_GATHERED_MAX, sizeof(*store->gathered));
	return store->gathered && store->n_gathered < STORE_GATHERED_MAX;
}

static int take(struct store *store, const clinch_subject_t *subject, const clinch_response_t *response, bool gather,
		struct clinch_error *err)
{
	char name[NAME_SIZE], path[PATH_MAX];
	gnutls_datum_t der = clinch_response_der(response);

	name_of(store, subject, name, path);
	if (find_gathered(store, subject) || (gather && can_gather(store)))
		return write_gathered(store, subject, der, path, err);
	return file_replace_at(store->dir, name, der.data, der.size, 0644, false, path, err);
}

static int offer(struct store *store, const clinch_subject_t *subject, const clinch_response_t *response, int64_t now,
		 const struct clinch_policy *policy, bool gather, enum store_answer *answer, struct clinch_error *err)
{
	struct clinch_verdict held;

	if (!store->writes || !response_is_about(response, subject))
		return error_set(err, CLINCH_E_ARGUMENT, "%s: not open for writing, or offered for another certificate",
				 store->path);
	/* What is there and cannot be read counts as nothing: a damaged file must not keep a good one out. */
	int code = store_load(store, subject, now, policy, NULL, &held, NULL);
	if (code == CLINCH_E_MEMORY)
		return error_set(err, code, "%s: no memory to read what is held", store->path);
	enum store_answer found = store_rule(clinch_response_verdict(response), code == 0 ? &held : NULL);
	code = found == STORE_TOOK ? take(store, subject, response, gather, err) : 0;
	if (code == 0)
		*answer = found;
	return code;
}

int store_offer(struct store *store, const clinch_subject_t *subject, const clinch_response_t *response, int64_t now,
		const struct clinch_policy *policy, enum store_answer *answer, struct clinch_error *err)
{
	return offer(store, subject, response, now, policy, false, answer, err);
}

int store_gather(struct store *store, const clinch_subject_t *subject, const clinch_response_t *response, int64_t now,
		 const struct clinch_policy *policy, enum store_answer *answer, struct clinch_error *err)
{
	return offer(store, subject, response, now, policy, true, answer, err);
}

/* ---- the end of a batch ---- */

static bool sync_each(const struct store *store)
{
	for (size_t i = 0; i < store->n_gathered; i++) {
		auto_fd fd = openat(store->dir, store->gathered[i].temp, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0)
			return false;
	}
	return true;
}

/* No name leads to bytes that are not on disk. */
static bool sync_gathered(const struct store *store)
{
	return store->n_gathered > FEW ? syncfs(store->dir) == 0 : sync_each(store);
}

static bool rename_gathered(struct store *store)
{
	char name[NAME_SIZE];

	for (; store->n_gathered > 0; store->n_gathered--) {
		const struct gathered *last = &store->gathered[store->n_gathered - 1];
		name_of_fingerprint(name, last->fingerprint);
		if (renameat(store->dir, last->temp, store->dir, name) < 0)
			return false;
	}
	return true;
}

int store_sync(struct store *store, struct clinch_error *err)
{
	if (sync_gathered(store) && rename_gathered(store) && fsync(store->dir) == 0)
		return 0;
	int code = error_errno(err, "%s: cannot be synced", store->path);
	give_up_gathered(store);
	return code;
}
