/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/source.h"
#include "base/error.h"
#include "base/time.h"
#include "respond/crl_files.h"
#include "respond/index.h"
#include "respond/issued.h"
#include <stdio.h>
#include <string.h>

struct source {
	atomic_uint refs;
	char *name; /* of its first file, for messages */
	struct serials serials;
	bool others_valid; /* what is not among them was issued all the same */
	int64_t until, updated;
	size_t revoked;
	size_t n_crls;
	int64_t *this_update; /* of each CRL, in the order of the files; NULL: an index */
};

/* ---- loading ---- */

static int check_files(const struct source_files *files, struct clinch_error *err)
{
	if (files->kind == SOURCE_INDEX)
		return files->index && !files->n_crl && !files->issued && !files->crl_means_good
			       ? 0
			       : error_set(err, CLINCH_E_ARGUMENT,
					   "an index says itself what was issued: no CRL and no list goes beside it");
	if (!files->n_crl || files->index)
		return error_set(err, CLINCH_E_ARGUMENT, "an index, or at least one CRL is needed, not both");
	if (!files->issued && !files->crl_means_good)
		return error_set(
			err, CLINCH_E_ARGUMENT,
			"%s: a CRL does not say which serials were issued; give a list of them (--issued, issued:), "
			"or say that each one it does not name is good (--crl-means-good, crl_means: good)",
			files->crl[0]);
	if (files->issued && files->crl_means_good)
		return error_set(err, CLINCH_E_ARGUMENT,
				 "%s: with a list of what was issued, a serial that is in neither is not good: "
				 "one of the two must go",
				 files->issued);
	return 0;
}

static int check_scope(const struct source_files *files, const struct crl_files *crls, struct clinch_error *err)
{
	if (files->issued || crl_files_cover_all(crls))
		return 0;
	return error_set(
		err, CLINCH_E_UNSUPPORTED,
		"%s: is for the certificates of %s only; give the CRL for the others beside it, or a list of issued "
		"serials",
		crls->part[0].name, crls->part[0].crl.users_only ? "users" : "CAs");
}

/* What is in the list and is not theirs is good, whatever becomes of it. */
static void note_scope(struct serials *serials, const struct crl_files *crls)
{
	if (!crl_files_cover_all(crls))
		serials_note(
			serials,
			"%s: is for the certificates of %s only: of the others in the list, none is ever revoked; give the "
			"CRL for them beside it",
			crls->part[0].name, crls->part[0].crl.users_only ? "users" : "CAs");
}

static int take_times(struct source *source, const struct crl_files *crls, struct clinch_error *err)
{
	source->this_update = calloc(crls->n, sizeof(*source->this_update));
	if (!source->this_update)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory", crls->part[0].name);
	source->n_crls = crls->n;
	source->until = source->updated = INT64_MAX;
	for (size_t i = 0; i < crls->n; i++) {
		const struct crl *crl = &crls->part[i].crl;
		source->this_update[crls->part[i].place] = crl->this_update;
		source->until = crl->next_update < source->until ? crl->next_update : source->until;
		source->updated = crl->this_update < source->updated ? crl->this_update : source->updated;
	}
	return 0;
}

static int seal(struct source *source, const struct crl_files *crls, struct clinch_error *err)
{
	struct crl_judging judging = { crls, &source->serials };

	return serials_seal(&source->serials, crl_files_judge, &judging)
		       ? 0
		       : error_set(err, CLINCH_E_MEMORY, "%s: no memory for %zu serials", crls->part[0].name,
				   source->serials.n);
}

static void free_crls(struct crl_files *crls)
{
	crl_files_done(crls);
	free(crls);
}

DEFINE_CLEANUP(struct crl_files *, cleanup_crls, free_crls)

static int load_crls(struct source *source, const struct source_files *files, const struct issuer *ca, int64_t now,
		     struct clinch_error *err)
{
	AUTO(cleanup_crls) struct crl_files *crls = calloc(1, sizeof(*crls));
	int code = 0;

	if (!crls)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory", files->crl[0]);
	source->others_valid = files->crl_means_good;
	for (size_t i = 0; code == 0 && i < files->n_crl; i++)
		code = crl_files_read(crls, files->crl[i], ca, now, err);
	if (code == 0)
		code = check_scope(files, crls, err);
	if (code == 0)
		code = take_times(source, crls, err);
	if (code == 0)
		code = crl_files_add(crls, &source->serials, err);
	if (code == 0 && files->issued)
		code = issued_read(&source->serials, files->issued, err);
	if (code == 0 && files->issued)
		note_scope(&source->serials, crls);
	return code < 0 ? code : seal(source, crls, err);
}

static int load_index(struct source *source, const struct source_files *files, int64_t now, struct clinch_error *err)
{
	source->until = INT64_MAX;
	return index_read(&source->serials, files->index, now, &source->updated, err);
}

static void finish_note(struct serials *serials)
{
	size_t len = strlen(serials->odd);

	if (serials->n_odd > 1)
		snprintf(serials->odd + len, sizeof(serials->odd) - len, " (and %zu more)", serials->n_odd - 1);
}

int source_load(struct source **out, const struct source_files *files, struct issuer *ca, int64_t now,
		struct clinch_error *err)
{
	int code = check_files(files, err);

	if (code < 0)
		return code;
	auto_source *source = calloc(1, sizeof(*source));
	if (!source)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a CA's serials");
	atomic_init(&source->refs, 1);
	source->name = strdup(files->kind == SOURCE_INDEX ? files->index : files->crl[0]);
	if (!source->name)
		return error_set(err, CLINCH_E_MEMORY, "no memory for a CA's serials");
	if (files->kind == SOURCE_INDEX)
		code = load_index(source, files, now, err);
	else
		code = load_crls(source, files, ca, now, err);
	if (code < 0)
		return code;
	finish_note(&source->serials);
	for (size_t i = 0; i < source->serials.n; i++)
		source->revoked += source->serials.row[i].says == SOURCE_REVOKED;
	*out = TAKE(source);
	return 0;
}

struct source *source_ref(struct source *source)
{
	if (source)
		atomic_fetch_add_explicit(&source->refs, 1, memory_order_relaxed);
	return source;
}

void source_unref(struct source *source)
{
	if (!source || atomic_fetch_sub_explicit(&source->refs, 1, memory_order_acq_rel) != 1)
		return;
	serials_done(&source->serials);
	free(source->this_update);
	free(source->name);
	free(source);
}

/* ---- reading ---- */

static struct source_status status_of(const struct source *source, const struct serial_row *row)
{
	if (!row)
		return (struct source_status){ .says = source->others_valid ? SOURCE_VALID : SOURCE_NEVER_ISSUED,
					       .reason = -1 };
	return (struct source_status){ (enum source_says)row->says, row->revoked_at, row->reason, row->not_after };
}

struct source_status source_find(const struct source *source, struct der serial)
{
	struct serial_key key;

	/* A number that no source can name was never issued, whatever is said of what it does not name. */
	if (!serial_from_der(&key, serial))
		return (struct source_status){ .says = SOURCE_NEVER_ISSUED, .reason = -1 };
	return status_of(source, serials_find(&source->serials, &key));
}

int64_t source_until(const struct source *source)
{
	return source->until;
}

int64_t source_updated(const struct source *source)
{
	return source->updated;
}

size_t source_size(const struct source *source)
{
	return source->serials.n;
}

size_t source_revoked(const struct source *source)
{
	return source->revoked;
}

const char *source_odd(const struct source *source)
{
	return source->serials.n_odd ? source->serials.odd : NULL;
}

size_t source_serial(const struct source *source, size_t i, uint8_t *out, size_t size)
{
	struct serial_key key;

	if (i >= source->serials.n)
		return 0;
	serials_key(&source->serials, &source->serials.row[i], &key);
	if (key.len > size)
		return 0;
	memcpy(out, key.bytes, key.len);
	return key.len;
}

/* ---- going back ---- */

static bool is_accepted(const struct serial_key *key, const char *const *accepted, size_t n)
{
	struct serial_key one;

	for (size_t i = 0; i < n; i++)
		if (issued_number(&one, accepted[i]) && one.len == key->len && memcmp(one.bytes, key->bytes, one.len) == 0)
			return true;
	return false;
}

/* RFC 5280 5.3.1: certificateHold alone can be taken back; what is revoked for good does not become held on the way. */
static bool is_lost(const struct serial_row *row, const struct source *after, const struct serial_key *key, int64_t begin)
{
	const struct serial_row *found;

	if (row->says != SOURCE_REVOKED || row->reason == 6 || (row->not_after && row->not_after < begin))
		return false;
	found = serials_find(&after->serials, key);
	return !found || found->says != SOURCE_REVOKED || found->reason == 6;
}

static int check_order(const struct source *before, const struct source *after, struct clinch_error *err)
{
	char old[TIME_TEXT_SIZE], new[TIME_TEXT_SIZE];

	for (size_t i = 0; before->n_crls == after->n_crls && i < after->n_crls; i++)
		if (after->this_update[i] < before->this_update[i])
			return error_set(err, CLINCH_E_ARGUMENT,
					 "%s: the CRL of %s is older than the one in use, of %s; it is not taken",
					 after->name, time_format(new, after->this_update[i]),
					 time_format(old, before->this_update[i]));
	return 0;
}

static int check_not_stale(const struct source *before, const struct source *after, int64_t now, struct clinch_error *err)
{
	char text[TIME_TEXT_SIZE];

	if (after->until > now || before->until <= now)
		return 0;
	return error_set(err, CLINCH_E_ARGUMENT, "%s: ended at %s, and what is in use has not; it is not taken", after->name,
			 time_format(text, after->until));
}

/* One that is being written anew is empty at first: what it named was issued all the same. */
static int check_not_emptied(const struct source *before, const struct source *after, struct clinch_error *err)
{
	if (after->this_update || after->serials.n || before->this_update || !before->serials.n)
		return 0;
	return error_set(err, CLINCH_E_ARGUMENT, "%s: is empty, and named %zu serials before; it is not taken", after->name,
			 before->serials.n);
}

static int check_revoked(const struct source *before, const struct source *after, const struct source_succession *how,
			 struct clinch_error *err)
{
	struct serial_key key, first = { 0 };
	char text[SERIAL_TEXT];
	size_t lost = 0;

	for (size_t i = 0; i < before->serials.n; i++) {
		const struct serial_row *row = &before->serials.row[i];
		if (row->says != SOURCE_REVOKED)
			continue;
		serials_key(&before->serials, row, &key);
		if (!is_lost(row, after, &key, how->now - how->archive_s) ||
		    is_accepted(&key, how->accepted, how->n_accepted))
			continue;
		if (lost++ == 0)
			first = key;
	}
	if (lost == 0)
		return 0;
	return error_set(
		err, CLINCH_E_ARGUMENT,
		"%s: serial %s%s: revoked before, and not any more, or only held; it is not taken. If this is meant, "
		"say so for each (--accept-unrevoked %s, accept_unrevoked:)",
		after->name, serial_text(text, &first), lost > 1 ? " and others" : "", text);
}

int source_succeeds(const struct source *before, const struct source *after, const struct source_succession *how,
		    struct clinch_error *err)
{
	int code = check_order(before, after, err);

	if (code == 0)
		code = check_not_stale(before, after, how->now, err);
	if (code == 0)
		code = check_revoked(before, after, how, err);
	return code < 0 ? code : check_not_emptied(before, after, err);
}
