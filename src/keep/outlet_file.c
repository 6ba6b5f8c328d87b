/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file a certificate, DER or PEM. A batch is written in slices, so that ten thousand of them hold nobody up; the directory
 * is synced, and `.changed` in it touched, once a batch. */
#include "base/cleanup.h"
#include "base/file.h"
#include "keep/outlet_inside.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_MS 20
#define FILE_LEN_MAX (256 * 1024)
#define OWNER_SLOTS_MIN 64

struct batch {
	bool changed;
};

/* ---- which file ---- */

static bool add_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!buf_printf(out, "%02x", bytes[i]))
			return false;
	return true;
}

/* The file's name of `view`, with its NUL; the directory is outlet->conf->target up to the last slash. */
static bool expand(struct buf *out, const struct outlet *outlet, const struct keep_view *view)
{
	const char *at = strrchr(outlet->conf->target, '/') + 1;
	bool fits = true;

	while (*at && fits) {
		size_t plain = strcspn(at, "{");

		fits = buf_add(out, at, plain);
		at += plain;
		if (!*at)
			break;
		if (!strncmp(at, "{name}", 6))
			fits = fits && buf_add(out, view->name, strlen(view->name));
		else if (!strncmp(at, "{key_type}", 10))
			fits = fits && buf_add(out, view->key_type, strlen(view->key_type));
		else
			fits = fits && add_hex(out, view->fingerprint, FINGERPRINT_LEN);
		at += strcspn(at, "}") + 1;
	}
	return fits && buf_add(out, "", 1) && out->len <= NAME_MAX;
}

/* ---- whose file: FNV-1a of the name; two names with one hash would share an owner, and one in 2^64 would wait ---- */

static uint64_t hash_of(const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

static struct outlet_owner *owner_slot(struct outlet_owner *owners, size_t n_slots, uint64_t hash)
{
	size_t at = hash & (n_slots - 1);

	while (owners[at].path_hash && owners[at].path_hash != hash)
		at = (at + 1) & (n_slots - 1);
	return &owners[at];
}

static struct outlet_owner *owner_of(struct outlet *outlet, uint64_t hash)
{
	if ((outlet->n_owners + 1) * 4 > outlet->n_owner_slots * 3) {
		size_t n_slots = outlet->n_owner_slots ? outlet->n_owner_slots * 2 : OWNER_SLOTS_MIN;
		struct outlet_owner *owners = calloc(n_slots, sizeof(*owners));

		if (!owners)
			return NULL;
		for (size_t i = 0; i < outlet->n_owner_slots; i++)
			if (outlet->owners[i].path_hash)
				*owner_slot(owners, n_slots, outlet->owners[i].path_hash) = outlet->owners[i];
		free(outlet->owners);
		outlet->owners = owners;
		outlet->n_owner_slots = n_slots;
	}
	return owner_slot(outlet->owners, outlet->n_owner_slots, hash);
}

/* Of two certificates with one file the one that ends later has it: it is the renewed one. */
static bool may_have(struct outlet *outlet, const struct keep_view *view, const char *name)
{
	struct outlet_owner *owner = owner_of(outlet, hash_of(name));
	const struct keep_row *row;
	struct keep_view other;

	if (!owner)
		return false;
	if (!owner->path_hash)
		outlet->n_owners++;
	else if (memcmp(owner->fingerprint, view->fingerprint, FINGERPRINT_LEN) != 0 &&
		 (row = keeper_find(outlet->all->keeper, owner->fingerprint)) != NULL) {
		keep_row_view(outlet->all->keeper, row, &other);
		if (other.state != KEEP_MISSING && strcmp(other.key_type, view->key_type) != 0)
			outlet_say(outlet, KEEP_WARNING, outlet->conf->target,
				   "an %s and an %s certificate of %s have one file: {key_type} tells them apart",
				   other.key_type, view->key_type, view->name);
		if (other.state != KEEP_MISSING && other.not_after > view->not_after)
			return false;
	}
	owner->path_hash = hash_of(name);
	memcpy(owner->fingerprint, view->fingerprint, FINGERPRINT_LEN);
	return true;
}

/* ---- one file ---- */

static bool is_there(int dir, const char *name, const gnutls_datum_t *bytes, mode_t mode)
{
	auto_buf held = { .max = FILE_LEN_MAX };
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == mode &&
	       file_read_at(dir, name, &held, name, NULL) == 0 && held.len == bytes->size &&
	       (!held.len || memcmp(held.data, bytes->data, held.len) == 0);
}

static void write_one(struct outlet *outlet, int dir, const char *name, const clinch_response_t *response,
		      const struct keep_row *row, const uint8_t *fingerprint)
{
	gnutls_datum_t der = clinch_response_der(response);
	struct batch *batch = outlet->kind;
	struct clinch_error err;
	auto_datum pem = { 0 };

	if (outlet->conf->kind == OUTLET_PEM && gnutls_pem_base64_encode2("OCSP RESPONSE", &der, &pem) < 0) {
		outlet_fail(outlet, "no memory for the PEM of %s", name);
		outlet_again(outlet, fingerprint);
		return;
	}
	const gnutls_datum_t *bytes = outlet->conf->kind == OUTLET_PEM ? &pem : &der;
	if (is_there(dir, name, bytes, outlet->conf->mode))
		return;
	outlet_file_changes(outlet->all, row);
	if (file_replace_at(dir, name, bytes->data, bytes->size, outlet->conf->mode, false, name, &err) < 0) {
		outlet_fail(outlet, "%s", err.text);
		outlet_again(outlet, fingerprint);
		return;
	}
	batch->changed = true;
	outlet_file_changed(outlet->all, row);
}

static void remove_one(struct outlet *outlet, int dir, const char *name, const struct keep_row *row,
		       const struct keep_view *view, const char *why)
{
	struct batch *batch = outlet->kind;

	if (!outlet->conf->remove_expired || faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	outlet_file_changes(outlet->all, row);
	if (unlinkat(dir, name, 0) < 0) {
		outlet_fail(outlet, "%s cannot be removed: %s", name, strerror(errno));
		outlet_again(outlet, view->fingerprint);
		return;
	}
	batch->changed = true;
	outlet_say(outlet, KEEP_WARNING, outlet->conf->target, "%s is removed: %s", name, why);
	outlet_file_changed(outlet->all, row);
}

/* on_revoked: drop. What says "good" must not stay there, and where there has to be a file, the truth takes its place. */
static bool is_dropped(struct outlet *outlet, int dir, const char *name, const struct keep_row *row,
		       const struct keep_view *view)
{
	if (view->state != KEEP_REVOKED || !view->drop_revoked)
		return false;
	remove_one(outlet, dir, name, row, view, "its certificate is revoked");
	return outlet->conf->remove_expired || faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* keeper_response() judges it anew: what is written was believed a moment ago. */
static void put_out_one(struct outlet *outlet, int dir, const char *name, const struct keep_row *row,
			const struct keep_view *view)
{
	int64_t now = outlet_now();
	clinch_response_t *response;

	if (view->state == KEEP_MISSING || is_dropped(outlet, dir, name, row, view))
		return;
	if (view->state == KEEP_EXPIRED || now >= view->fresh_until) {
		remove_one(outlet, dir, name, row, view, "its response has ended");
		return;
	}
	response = keeper_response(outlet->all->keeper, row, now);
	if (response) {
		write_one(outlet, dir, name, response, row, view->fingerprint);
	} else {
		outlet_fail(outlet, "%s: its response cannot be had from the store", view->name);
		outlet_again(outlet, view->fingerprint);
	}
	clinch_response_unref(response);
}

static void put_out(struct outlet *outlet, int dir, const uint8_t *fingerprint)
{
	const struct keep_row *row = keeper_find(outlet->all->keeper, fingerprint);
	auto_buf name = { .max = 2 * PATH_MAX };
	struct keep_view view;

	if (!row)
		return;
	keep_row_view(outlet->all->keeper, row, &view);
	if (!expand(&name, outlet, &view))
		outlet_fail(outlet, "%s: the file's name would be too long", view.name);
	else if (may_have(outlet, &view, (char *)name.data))
		put_out_one(outlet, dir, (char *)name.data, row, &view);
}

/* ---- a batch ---- */

static int open_dir(struct outlet *outlet)
{
	size_t len = (size_t)(strrchr(outlet->conf->target, '/') - outlet->conf->target);
	char path[PATH_MAX];
	int dir;

	snprintf(path, sizeof(path), "%.*s", len ? (int)len : 1, outlet->conf->target);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		outlet_fail(outlet, "the directory %s cannot be opened: %s", path, strerror(errno));
	return dir;
}

/* For systemd.path(5): PathChanged= waits for a file that was opened for writing to be closed. */
static void touch_changed(struct outlet *outlet, int dir)
{
	auto_fd fd = openat(dir, ".changed", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || futimens(fd, NULL) < 0)
		outlet_fail(outlet, ".changed in its directory cannot be touched: %s", strerror(errno));
}

static void end(struct outlet *outlet, int dir)
{
	struct batch *batch = outlet->kind;

	if (batch->changed && fsync(dir) < 0)
		outlet_fail(outlet, "its directory cannot be synced: %s", strerror(errno));
	if (batch->changed)
		touch_changed(outlet, dir);
	batch->changed = false;
	outlet_ended(outlet);
}

static void on_slice(uv_timer_t *timer)
{
	struct outlet *outlet = timer->data;
	uint64_t until = uv_hrtime() + SLICE_MS * UINT64_C(1000000);
	auto_fd dir = open_dir(outlet);

	if (dir < 0) {
		while (outlet->batch_at < outlet->n_batch)
			outlet_again(outlet, outlet->batch[outlet->batch_at++]);
		outlet_ended(outlet);
		return;
	}
	while (outlet->batch_at < outlet->n_batch && uv_hrtime() < until)
		put_out(outlet, dir, outlet->batch[outlet->batch_at++]);
	if (outlet->batch_at == outlet->n_batch)
		end(outlet, dir);
	else
		uv_timer_start(timer, on_slice, 0, 0);
}

static void begin(struct outlet *outlet)
{
	if (!outlet->kind)
		outlet->kind = calloc(1, sizeof(struct batch));
	if (!outlet->kind) {
		outlet_fail(outlet, "no memory");
		for (size_t i = 0; i < outlet->n_batch; i++)
			outlet_again(outlet, outlet->batch[i]);
		outlet_ended(outlet);
		return;
	}
	uv_timer_start(&outlet->timer, on_slice, 0, 0);
}

const struct outlet_ops outlet_file_ops = { begin, NULL, NULL };
