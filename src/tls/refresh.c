/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stapler's changes: files that are others than before, responses that are newer than those held. */
#include "base/error.h"
#include "ocsp/certid.h"
#include "ocsp/response.h"
#include "tls/stapler.h"
#include <string.h>

/* A renewed certificate waits so long for its first staple while the old one is stapled; for as long as that holds, where
 * the new one says must-staple. */
#define PENDING_S 300

#define SKEW_S 300 /* as in clinch_verify() */

/* A file that was not believed is judged once more: it may have been the clock that was wrong. */
#define AGAIN_S 60

struct stamp stamp_from(const struct stat *st)
{
	return (struct stamp){ st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

struct stamp stamp_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? stamp_from(&st) : (struct stamp){ .size = 0 };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool stamp_equals(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

/* ---- staples ---- */

/* GnuTLS clients that were not sent the root cannot tell who signed such a staple, and break off. */
static bool puzzles_gnutls(const clinch_response_t *response)
{
	gnutls_datum_t der = clinch_response_der(response);
	struct ocsp_response parsed;

	return ocsp_response_parse(&parsed, der_of(der.data, der.size)) != CLINCH_REASON_GOOD ||
	       (parsed.by_key && parsed.n_certs == 0);
}

static bool may_staple(const clinch_stapler_t *stapler, unsigned place)
{
	return place == 0 || stapler->chain_staples != CLINCH_CHAIN_STAPLES_OFF;
}

/* What is held was believed; whether it still counts for the rule depends on the time alone, and clocks are set back too. */
static enum store_answer compare(const clinch_stapler_t *stapler, const clinch_response_t *offered,
				 const clinch_response_t *held, int64_t now)
{
	int64_t skew = stapler->policy.skew_s ? stapler->policy.skew_s : SKEW_S;

	if (!held)
		return STORE_TOOK;
	struct clinch_verdict verdict = *clinch_response_verdict(held);
	verdict.fresh = verdict.this_update <= now + skew && now < verdict.fresh_until;
	return store_rule(clinch_response_verdict(offered), &verdict);
}

int stapler_take(clinch_stapler_t *stapler, struct identity *identity, unsigned place, clinch_response_t *response,
		 int64_t now, enum store_answer *answer)
{
	/* Only writers publish, and the lock is held: what is taken here is what is replaced below. */
	struct staples *held = (struct staples *)counted_take(&identity->staples), *next;

	*answer = compare(stapler, response, held->response[place], now);
	if (*answer != STORE_TOOK || !may_staple(stapler, place) ||
	    (place > 0 && stapler->chain_staples == CLINCH_CHAIN_STAPLES_AUTO && puzzles_gnutls(response))) {
		counted_unref(&held->counted);
		return 0;
	}
	next = staples_with(held, place, clinch_response_ref(response));
	counted_unref(&held->counted);
	if (!next) {
		clinch_response_unref(response);
		return CLINCH_E_MEMORY;
	}
	counted_publish(&identity->staples, &next->counted);
	return 0;
}

static int load_staple(clinch_stapler_t *stapler, struct identity *identity, unsigned place, int64_t now,
		       struct clinch_error *err)
{
	clinch_response_t *response = NULL;
	struct clinch_verdict verdict;
	enum store_answer answer;
	const clinch_subject_t *subject = identity->subject[place];
	int code = store_load(stapler->store, subject, now, &stapler->policy, &response, &verdict, err);

	if (code < 0)
		return code == CLINCH_E_MISSING ? 0 : code;
	if (!response) {
		char path[PATH_MAX];
		store_path(stapler->store, subject, path);
		return error_set(err, CLINCH_E_FORMAT, "%s: the response held there is not believed: %s", path,
				 clinch_reason_text(verdict.reason));
	}
	code = stapler_take(stapler, identity, place, response, now, &answer);
	clinch_response_unref(response);
	return code < 0 ? error_set(err, code, "%s: no memory for a staple", stapler->store_dir) : 0;
}

bool stapler_has_store(clinch_stapler_t *stapler)
{
	if (stapler->store)
		store_follow(stapler->store);
	else if (stapler->store_dir)
		(void)store_open(&stapler->store, stapler->store_dir, false, NULL);
	return stapler->store != NULL;
}

static bool is_due_again(const struct looked_at *file, int64_t now)
{
	return file->refused && (now < file->refused_at || now - file->refused_at >= AGAIN_S);
}

/* What could not be read is tried again at once; what was read and is not believed was said the first time. */
static int look_at(clinch_stapler_t *stapler, struct identity *identity, unsigned place, struct looked_at *file,
		   const struct stat *st, int64_t now, struct clinch_error *err)
{
	struct stamp stamp = stamp_from(st);
	bool is_known = stamp_equals(&stamp, &file->stamp);

	if (is_known && !is_due_again(file, now))
		return 0;
	int code = load_staple(stapler, identity, place, now, is_known ? NULL : err);
	if (code == 0 || code == CLINCH_E_FORMAT)
		*file = (struct looked_at){ .stamp = stamp, .refused = code < 0, .refused_at = now };
	return is_known && code == CLINCH_E_FORMAT ? 0 : code;
}

int stapler_load_staples(clinch_stapler_t *stapler, struct identity *identity, struct looked_at *files, int64_t now,
			 struct clinch_error *err)
{
	struct stat st;
	int first = 0;

	if (!stapler->store)
		return 0;
	for (unsigned i = 0; i < identity->n; i++) {
		if (!identity->subject[i] || !may_staple(stapler, i) ||
		    !store_stat(stapler->store, identity->subject[i], &st))
			continue;
		int code = look_at(stapler, identity, i, &files[i], &st, now, first ? NULL : err);
		first = first ? first : code;
	}
	return first;
}

/* ---- pairs ---- */

static void drop_pending(struct entry *entry)
{
	if (entry->pending)
		counted_unref(&entry->pending->counted);
	entry->pending = NULL;
	memset(entry->staple_file[1], 0, sizeof(entry->staple_file[1]));
}

static bool lacks_issuer(const struct entry *entry)
{
	const struct identity *newest = entry->pending ? entry->pending : entry->identity;

	return entry->chain_file && !newest->subject[0] && newest->response != CERT_SELF_ISSUED &&
	       newest->response != CERT_SHORT_LIVED;
}

/* What may have come there since: where one is missing, and no directory is read for it that changes with each response. */
static struct stamp look_for_issuers(const clinch_stapler_t *stapler)
{
	char path[PATH_MAX];
	bool any = false;

	for (unsigned i = 0; i < stapler->n && !any; i++)
		any = lacks_issuer(stapler->entry[i]);
	return any && stapler->store_dir && store_issuers_path(stapler->store_dir, path) ? stamp_of(path)
											 : (struct stamp){ .size = 0 };
}

/* Times of files have a tick: what changed this moment may do so once more and look the same, and is looked at again. */
static struct stamp if_settled(const struct stamp *stamp, int64_t now)
{
	return now - stamp->modified.tv_sec > 1 || stamp->modified.tv_sec - now > 1 ? *stamp : (struct stamp){ .size = 0 };
}

/* Certificate and key change one after the other: until they fit, the old pair stays, and each change is looked at once. */
static int reload_pair(clinch_stapler_t *stapler, struct entry *entry, const struct stamp *kept, int64_t now,
		       struct clinch_error *err)
{
	if (!entry->chain_file)
		return 0;
	struct stamp chain = stamp_of(entry->chain_file), key = stamp_of(entry->key_file);
	bool more_issuers = lacks_issuer(entry) && !stamp_equals(kept, &entry->kept_stamp);
	if (!more_issuers && stamp_equals(&chain, &entry->chain_stamp) && stamp_equals(&key, &entry->key_stamp))
		return 0;
	struct identity *renewed;
	int code = stapler_load_pair(stapler, entry->chain_file, entry->key_file, &renewed, err);
	if (code == CLINCH_E_MEMORY)
		return code;
	entry->kept_stamp = if_settled(kept, now);
	entry->chain_stamp = chain;
	entry->key_stamp = key;
	if (code < 0)
		return code;
	drop_pending(entry);
	entry->pending = renewed;
	entry->pending_since = now;
	return 0;
}

/* Would anything be lost without it? A certificate that has ended, or is said to be revoked, is worth no staple. */
static bool is_worth_serving(struct identity *identity, int64_t now)
{
	struct staples *staples = (struct staples *)counted_take(&identity->staples);
	bool good = staples->response[0] && now < staples->until[0] &&
		    clinch_response_verdict(staples->response[0])->status == CLINCH_GOOD;

	counted_unref(&staples->counted);
	return good && now <= identity->not_after;
}

static bool is_waiting(const clinch_stapler_t *stapler, const struct entry *entry, int64_t now)
{
	if (!entry->pending->wants_staple || stapler_is_stapled(stapler, entry->pending, now))
		return false;
	if (!is_worth_serving(entry->identity, now))
		return false;
	return entry->pending->must_staple || now - entry->pending_since < PENDING_S;
}

bool stapler_promote_pending(clinch_stapler_t *stapler, struct entry *entry, int64_t now)
{
	if (!entry->pending)
		return false;
	if (now < entry->pending_since) /* the clock was set back: it waits once more, and not until it is that time again */
		entry->pending_since = now;
	if (is_waiting(stapler, entry, now))
		return false;
	counted_unref(&entry->identity->counted);
	entry->identity = entry->pending;
	entry->pending = NULL;
	memcpy(entry->staple_file[0], entry->staple_file[1], sizeof(entry->staple_file[0]));
	memset(entry->staple_file[1], 0, sizeof(entry->staple_file[1]));
	return true;
}

static int refresh_entry(clinch_stapler_t *stapler, struct entry *entry, const struct stamp *kept, int64_t now,
			 bool *changed, struct clinch_error *err)
{
	int first = reload_pair(stapler, entry, kept, now, err);
	int code = stapler_load_staples(stapler, entry->identity, entry->staple_file[0], now, first ? NULL : err);

	first = first ? first : code;
	if (entry->pending) {
		code = stapler_load_staples(stapler, entry->pending, entry->staple_file[1], now, first ? NULL : err);
		first = first ? first : code;
	}
	*changed |= stapler_promote_pending(stapler, entry, now);
	return first;
}

int clinch_stapler_refresh(clinch_stapler_t *stapler, int64_t now, struct clinch_error *err)
{
	bool changed = false;
	int first = 0;

	pthread_mutex_lock(&stapler->lock);
	stapler_has_store(stapler);
	struct stamp kept = look_for_issuers(stapler);
	for (unsigned i = 0; i < stapler->n; i++) {
		int code = refresh_entry(stapler, stapler->entry[i], &kept, now, &changed, first ? NULL : err);
		first = first ? first : code;
	}
	/* Without memory the set before stays published, and holds what it needs; the next change tries again. */
	if (changed && stapler_publish(stapler) < 0 && !first)
		first = error_set(err, CLINCH_E_MEMORY, "no memory for the changed certificates");
	pthread_mutex_unlock(&stapler->lock);
	return first;
}

/* ---- push ---- */

static bool is_about(const struct ocsp_response *response, const clinch_subject_t *subject)
{
	struct ocsp_entry entry;

	for (struct der left = response->entries; subject && ocsp_entry_next(&left, &entry);)
		if (cert_id_is_of(&entry.id, subject))
			return true;
	return false;
}

struct offer {
	const gnutls_datum_t *der;
	const struct ocsp_response *parsed;
	int64_t now;
	struct clinch_verdict *verdict;
	int code; /* CLINCH_E_MISSING until it was about one of them */
};

static int offer_to(clinch_stapler_t *stapler, struct identity *identity, unsigned place, const struct offer *offer)
{
	clinch_response_t *response = NULL;
	enum store_answer answer = STORE_OLDER;

	clinch_verify(&response, offer->verdict, offer->der, identity->subject[place], offer->now, &stapler->policy);
	if (!response)
		return CLINCH_E_FORMAT;
	int code = stapler_take(stapler, identity, place, response, offer->now, &answer);
	clinch_response_unref(response);
	if (code < 0)
		return code;
	return answer == STORE_OLDER ? CLINCH_E_ARGUMENT : 0;
}

static void offer_to_all(clinch_stapler_t *stapler, struct identity *identity, struct offer *offer)
{
	for (unsigned i = 0; identity && i < identity->n; i++)
		if (is_about(offer->parsed, identity->subject[i]))
			offer->code = offer_to(stapler, identity, i, offer);
}

int clinch_stapler_offer(clinch_stapler_t *stapler, const gnutls_datum_t *der, int64_t now, struct clinch_verdict *verdict)
{
	struct clinch_verdict unused;
	struct ocsp_response parsed;
	struct offer offer = { der, &parsed, now, verdict ? verdict : &unused, CLINCH_E_MISSING };
	uint32_t max_len = stapler->policy.max_len ? stapler->policy.max_len : 65536;

	*offer.verdict = (struct clinch_verdict){ .reason = CLINCH_REASON_RESPONSE_TOO_LARGE, .revocation_reason = -1 };
	if (der->size > max_len)
		return CLINCH_E_FORMAT;
	offer.verdict->reason = ocsp_response_parse(&parsed, der_of(der->data, der->size));
	if (offer.verdict->reason != CLINCH_REASON_GOOD)
		return CLINCH_E_FORMAT;
	offer.verdict->reason = CLINCH_REASON_NO_ENTRY;
	bool changed = false;
	pthread_mutex_lock(&stapler->lock);
	for (unsigned i = 0; i < stapler->n; i++) {
		offer_to_all(stapler, stapler->entry[i]->identity, &offer);
		offer_to_all(stapler, stapler->entry[i]->pending, &offer);
		changed |= stapler_promote_pending(stapler, stapler->entry[i], now);
	}
	if (changed && stapler_publish(stapler) < 0)
		offer.code = CLINCH_E_MEMORY;
	pthread_mutex_unlock(&stapler->lock);
	return offer.code;
}
