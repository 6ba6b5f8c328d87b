/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "respond/relay.h"
#include "base/error.h"
#include "ocsp/response.h"
#include "respond/chains.h"
#include "respond/watch.h"
#include "store/store.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

struct entry {
	uint8_t fingerprint[FINGERPRINT_LEN]; /* first: they are sorted by it */
	struct watch_stamp stamp;             /* of the file in the store */
	clinch_subject_t *subject;            /* NULL: its issuer is not known */
	clinch_response_t *response;          /* NULL: none that was believed */
	int64_t until;                        /* when it stops being handed on */
	bool is_older;                        /* than the file, which is not believed */
	unsigned hashes;                      /* of the CertIDs that it answers: bits, 1 << enum subject_hash */
};

struct relay {
	atomic_uint refs;
	struct chains *chains;
	clinch_signers_t *signers;
	struct entry *entry;
	size_t n, size, responses;
	uint32_t *slot; /* entry + 1; 0: empty; one for each hash of an entry */
	size_t mask;
};

struct loading {
	struct relay *relay;
	const struct relay *before;
	bool same_chains;
	struct store *store;
	const struct relay_files *files;
	const struct relay_hooks *hooks;
	int64_t now;
};

/* ---- what is in the store ---- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A name of the store's: <sha256>.der, in lower case. */
static bool fingerprint_of(uint8_t out[FINGERPRINT_LEN], const char *name)
{
	if (strlen(name) != 2 * FINGERPRINT_LEN + 4 || strcmp(name + 2 * (size_t)FINGERPRINT_LEN, ".der") != 0)
		return false;
	for (size_t i = 0; i < FINGERPRINT_LEN; i++) {
		int high = hex_value(name[2 * i]), low = hex_value(name[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static struct entry *new_entry(struct relay *relay)
{
	if (relay->n == relay->size) {
		size_t size = relay->size ? 2 * relay->size : 64;
		struct entry *grown = reallocarray(relay->entry, size, sizeof(*grown));
		if (!grown)
			return NULL;
		relay->entry = grown;
		relay->size = size;
	}
	relay->entry[relay->n] = (struct entry){ .subject = NULL };
	return &relay->entry[relay->n];
}

/* False: no memory. A name that no chain file has a certificate for is passed over: it may be of one that is gone. */
static bool take_name(struct relay *relay, int dir, const char *name)
{
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct timespec now;
	struct entry *entry;
	struct stat st;

	if (!fingerprint_of(fingerprint, name) || !chains_has(relay->chains, fingerprint) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	entry = new_entry(relay);
	if (!entry)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(entry->fingerprint, fingerprint, FINGERPRINT_LEN);
	entry->stamp = watch_stamp_of(&st, now);
	relay->n++;
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_LEN);
}

static int list_store(struct relay *relay, const char *path, struct clinch_error *err)
{
	DIR *dir = opendir(path);
	struct dirent *found;
	bool room = true;

	if (!dir)
		return error_errno(err, "%s: cannot be opened", path);
	while (room && (found = readdir(dir)))
		room = take_name(relay, dirfd(dir), found->d_name);
	closedir(dir);
	if (!room)
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for what it holds", path);
	if (relay->n)
		qsort(relay->entry, relay->n, sizeof(*relay->entry), compare_entries);
	return 0;
}

/* ---- believing ---- */

static const struct entry *entry_before(const struct loading *l, const struct entry *entry)
{
	const struct relay *before = l->before;

	return before && before->n ? bsearch(entry, before->entry, before->n, sizeof(*entry), compare_entries) : NULL;
}

/* The serving rule: the smaller of 5 minutes and a tenth of the life before its end. */
static int64_t stop_sending(const struct clinch_verdict *verdict)
{
	int64_t tenth = (verdict->fresh_until - verdict->this_update) / 10;

	return verdict->fresh_until - (tenth < 300 ? tenth : 300);
}

static void say(const struct loading *l, const char *sentence)
{
	if (l->hooks && l->hooks->told)
		l->hooks->told(sentence, l->hooks->user);
}

/* A client that asked by one hash does not find itself in an answer by another. */
static unsigned hashes_of(const clinch_response_t *response, const clinch_subject_t *subject)
{
	gnutls_datum_t der = clinch_response_der(response);
	struct ocsp_response parsed;
	struct ocsp_entry entry;
	unsigned hashes = 0;

	if (ocsp_response_parse(&parsed, der_of(der.data, der.size)) != CLINCH_REASON_GOOD)
		return 0;
	while (ocsp_entry_next(&parsed.entries, &entry))
		if (cert_id_is_of(&entry.id, subject))
			hashes |= 1U << cert_id_hash(entry.id.hash_oid);
	return hashes;
}

static void take_response(struct loading *l, struct entry *entry, bool said)
{
	const struct clinch_policy policy = { .signers = l->relay->signers };
	struct clinch_verdict verdict;
	struct clinch_error err;
	int code = store_load(l->store, entry->subject, l->now, &policy, &entry->response, &verdict, &err);

	if (code == 0 && entry->response) {
		entry->until = stop_sending(&verdict);
		entry->hashes = hashes_of(entry->response, entry->subject);
		return;
	}
	if (said || code == CLINCH_E_MISSING) /* removed just now */
		return;
	if (code == 0)
		error_set(&err, CLINCH_E_FORMAT, "%s: the response for certificate %02x%02x%02x%02x is not handed on: %s",
			  l->files->store, entry->fingerprint[0], entry->fingerprint[1], entry->fingerprint[2],
			  entry->fingerprint[3], clinch_reason_text(verdict.reason));
	say(l, err.text);
}

/* Its issuer may be in a file that has come since. */
static void take_subject(struct loading *l, struct entry *entry, const struct entry *before)
{
	struct clinch_error err;

	if (before && (before->subject || l->same_chains))
		entry->subject = clinch_subject_ref(before->subject);
	else if (chains_subject(l->relay->chains, entry->fingerprint, &entry->subject, &err) < 0)
		say(l, err.text);
}

static void keep_response(struct entry *entry, const struct entry *before)
{
	entry->response = clinch_response_ref(before->response);
	entry->until = before->until;
	entry->hashes = before->hashes;
}

static void fill(struct loading *l, struct entry *entry)
{
	const struct entry *before = entry_before(l, entry);
	bool same = before && !watch_stamp_differs(&before->stamp, &entry->stamp);

	entry->hashes = ~0U; /* there may be an answer by any of them, some day */
	take_subject(l, entry, before);
	if (!entry->subject)
		return;
	if (same && before->response && !before->is_older) {
		keep_response(entry, before);
		return;
	}
	take_response(l, entry, same);
	/* A file that was damaged: the last good one goes on until its own end. */
	entry->is_older = !entry->response && before && before->response && l->now < before->until;
	if (entry->is_older)
		keep_response(entry, before);
}

/* ---- the table ---- */

static uint64_t hash_of(const uint8_t *key_hash, struct der serial)
{
	uint64_t hash;

	memcpy(&hash, key_hash, sizeof(hash));
	for (const uint8_t *at = serial.at; at < serial.end; at++)
		hash = (hash ^ *at) * UINT64_C(1099511628211);
	return hash ^ hash >> 32;
}

static bool index_entries(struct relay *relay)
{
	size_t size = 16, wanted = relay->n * SUBJECT_HASHES;

	while (size / 4 * 3 < wanted)
		size *= 2;
	relay->slot = calloc(size, sizeof(*relay->slot));
	if (!relay->slot)
		return false;
	relay->mask = size - 1;
	for (size_t i = 0; i < relay->n; i++) {
		const clinch_subject_t *subject = relay->entry[i].subject;
		for (int j = 0; subject && j < SUBJECT_HASHES; j++) {
			if (!(relay->entry[i].hashes & 1U << j))
				continue;
			size_t at = hash_of(subject->issuer->key_hash[j], subject->view.serial) & relay->mask;
			while (relay->slot[at])
				at = (at + 1) & relay->mask;
			relay->slot[at] = (uint32_t)i + 1;
		}
	}
	return true;
}

/* ---- loading ---- */

static bool begin(struct loading *l)
{
	const struct relay *before = l->before;

	l->same_chains = before && chains_are_current(before->chains, l->files);
	l->relay->chains = l->same_chains ? chains_ref(before->chains) : chains_read(l->files, l->hooks);
	if (before)
		l->relay->signers = clinch_signers_ref(before->signers);
	else if (clinch_signers_new(&l->relay->signers, 0) < 0)
		return false;
	return l->relay->chains;
}

DEFINE_CLEANUP(struct store *, cleanup_store, store_close)
DEFINE_CLEANUP(struct relay *, cleanup_relay, relay_unref)

int relay_load(struct relay **out, const struct relay_files *files, const struct relay *before, int64_t now,
	       const struct relay_hooks *hooks, struct clinch_error *err)
{
	AUTO(cleanup_relay) struct relay *relay = calloc(1, sizeof(*relay));
	AUTO(cleanup_store) struct store *store = NULL;
	struct loading l = { .relay = relay, .before = before, .files = files, .hooks = hooks, .now = now };

	if (relay)
		atomic_init(&relay->refs, 1);
	if (!relay || !begin(&l))
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory to read it", files->store);
	int code = store_open(&store, files->store, false, err);
	if (code == 0)
		code = list_store(relay, files->store, err);
	if (code < 0)
		return code;
	l.store = store;
	for (size_t i = 0; i < relay->n; i++) {
		fill(&l, &relay->entry[i]);
		relay->responses += relay->entry[i].response != NULL;
	}
	if (!index_entries(relay))
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory for %zu responses", files->store, relay->n);
	*out = TAKE(relay);
	return 0;
}

struct relay *relay_ref(struct relay *relay)
{
	if (relay)
		atomic_fetch_add_explicit(&relay->refs, 1, memory_order_relaxed);
	return relay;
}

void relay_unref(struct relay *relay)
{
	if (!relay || atomic_fetch_sub_explicit(&relay->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < relay->n; i++) {
		clinch_subject_unref(relay->entry[i].subject);
		clinch_response_unref(relay->entry[i].response);
	}
	chains_unref(relay->chains);
	clinch_signers_unref(relay->signers);
	free(relay->entry);
	free(relay->slot);
	free(relay);
}

/* ---- finding ---- */

/* Of the entries about this CertID (there is one, unless a CA gave out a serial twice): the next at or after *at. */
static const struct entry *next_match(const struct relay *relay, const struct cert_id *id, size_t *at)
{
	unsigned hash = 1U << cert_id_hash(id->hash_oid);

	while (relay->slot[*at]) {
		const struct entry *entry = &relay->entry[relay->slot[*at] - 1];
		*at = (*at + 1) & relay->mask;
		if (entry->hashes & hash && cert_id_is_of(id, entry->subject))
			return entry;
	}
	return NULL;
}

static bool begin_search(const struct relay *relay, const struct cert_id *id, size_t *at)
{
	enum subject_hash hash = cert_id_hash(id->hash_oid);

	if (hash == SUBJECT_HASHES || der_len(id->key_hash) != subject_digests[hash].len)
		return false;
	*at = hash_of(id->key_hash.at, id->serial) & relay->mask;
	return true;
}

clinch_response_t *relay_find(const struct relay *relay, const struct cert_id *id, int64_t now)
{
	const struct entry *entry, *best = NULL;
	size_t at;

	if (!begin_search(relay, id, &at))
		return NULL;
	while ((entry = next_match(relay, id, &at))) {
		if (!entry->response || now >= entry->until)
			continue;
		if (!best || clinch_response_verdict(entry->response)->this_update >
				     clinch_response_verdict(best->response)->this_update)
			best = entry;
	}
	return best ? clinch_response_ref(best->response) : NULL;
}

bool relay_knows(const struct relay *relay, const struct cert_id *id)
{
	size_t at;

	return begin_search(relay, id, &at) && next_match(relay, id, &at);
}

size_t relay_size(const struct relay *relay)
{
	return relay->responses;
}
