/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading one certificate file: which of its certificates are rows, and what there is to say of those that are none. */
#include "base/cleanup.h"
#include "base/error.h"
#include "der/oid.h"
#include "fetch/url.h"
#include "keep/inside.h"
#include "keep/name.h"
#include "x509/chain.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#define SUBJECT_BYTES_MAX (2 * 1024 * 1024) /* as for responses, in holding.c */

struct member { /* one certificate of the file that is being read */
	const gnutls_datum_t *der;
	struct cert_view view;
	uint8_t fingerprint[FINGERPRINT_LEN];
	struct keep_row *row;      /* NULL: none */
	clinch_subject_t *subject; /* of a new row; owned */
};

struct reading {
	struct keeper *keeper;
	struct keep_file *file;
	const struct chain *chain;
	struct member member[CHAIN_MAX];
};

static void note(const struct reading *r, const struct member *m, enum keep_level level, const char *what)
{
	char name[NAME_TEXT_SIZE];

	tell_notice(r->keeper, level, NULL, file_path(r->file), "%s: %s",
		    name_of_certificate(name, &m->view, m->fingerprint), what);
}

static const struct keep_source *source_of(const struct keeper *keeper, const struct keep_file *file)
{
	return file->source < keeper->conf->n_sources ? &keeper->conf->source[file->source] : NULL;
}

/* The configured one is the leaf's; a CA's certificate has its own. */
static const char *responder_of(const struct reading *r, const struct member *m)
{
	const struct keep_source *source = source_of(r->keeper, r->file);

	return source && m == r->member ? source->responder : NULL;
}

/* No staple is a normal state: said once for a leaf, when its file is read, and not at all for a CA. */
static bool is_without_staple(const struct reading *r, const struct member *m)
{
	static const char *const words[] = {
		[CERT_SELF_ISSUED] = "is self-signed: it needs no response",
		[CERT_SHORT_LIVED] = "lives less than 7 days: no response is kept for it",
		[CERT_NO_RESPONDER] = "names no OCSP responder: no response is kept for it",
	};
	enum keep_level level = m == r->member ? KEEP_INFO : KEEP_DEBUG;
	const char *why = words[cert_view_response(&m->view, responder_of(r, m) || r->keeper->conf->fallback)];

	if (why)
		note(r, m, level, why);
	if (why && m == r->member)
		r->file->without_url = true;
	return why;
}

static struct issuer *find_issuer(const struct reading *r, const struct member *m)
{
	struct issuer *found;

	issuers_add_from_chain(&r->keeper->issuers, r->chain, &m->view);
	found = issuers_find(&r->keeper->issuers, &m->view);
	return found ? found : quest_for_issuer(r->keeper, r->file, m->der, &m->view);
}

const char *keeper_intern(struct keeper *keeper, const char *name)
{
	size_t len = strlen(name);
	uint32_t hash = 2166136261u;
	struct keep_lane *lane;

	for (const char *at = name; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	for (lane = keeper->lane[hash % LANES]; lane; lane = lane->next)
		if (strcmp(lane->name, name) == 0)
			return lane->name;
	lane = malloc(sizeof(*lane) + len + 1);
	if (!lane)
		return NULL;
	memcpy(lane->name, name, len + 1);
	lane->next = keeper->lane[hash % LANES];
	keeper->lane[hash % LANES] = lane;
	return lane->name;
}

/* Of the URL that is asked first. One that cannot be asked fails when it is, with its reason. */
static const char *lane_of(const struct reading *r, const struct member *m)
{
	const char *responder = responder_of(r, m), *why;
	struct der own;
	struct url url;
	bool fits;

	if (!responder)
		responder = r->keeper->conf->fallback;
	if (!responder_of(r, m) && cert_view_access_url(&m->view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, 0, &own))
		fits = url_vet(&url, own.at, der_len(own), &why);
	else
		fits = url_vet(&url, responder, strlen(responder), &why);
	return keeper_intern(r->keeper, fits ? url.lane : "");
}

static bool no_memory(const struct reading *r)
{
	r->file->seen = 0; /* once more at the next scan */
	tell_notice(r->keeper, KEEP_ERROR, NULL, file_path(r->file), "no memory to keep it");
	return false;
}

static void make_row(const struct reading *r, struct member *m, struct issuer *issuer)
{
	struct keeper *keeper = r->keeper;
	struct clinch_error err = { 0 };

	/* that the issuer signed it was found out when it was chosen */
	if (subject_new(&m->subject, m->der, issuer, false, &err) < 0) {
		note(r, m, KEEP_ERROR, err.text);
		return;
	}
	m->row = row_new(m->subject);
	if (!m->row) {
		no_memory(r);
		return;
	}
	m->row->lane = lane_of(r, m);
	m->row->found_s = (uint32_t)(keeper_mono_ms(keeper) / 1000);
	if (m->row->lane && heap_make_room(&keeper->due, keeper->rows.n + 1) && table_add(&keeper->rows, m->row))
		return;
	row_free(m->row);
	m->row = NULL;
	no_memory(r);
}

/* As a row where it is to be one: an old one, or (with its subject) a new one. */
static void adopt(const struct reading *r, struct member *m)
{
	struct issuer *issuer;

	if (!cert_view_parse(&m->view, der_of(m->der->data, m->der->size)) ||
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, m->der->data, m->der->size, m->fingerprint) < 0)
		return;
	if (is_without_staple(r, m))
		return;
	m->row = rows_find(&r->keeper->rows, m->fingerprint);
	if (m->row) { /* a reload may have named another responder */
		const char *lane = lane_of(r, m);
		m->row->lane = lane ? lane : m->row->lane;
		return;
	}
	issuer = find_issuer(r, m);
	if (issuer)
		make_row(r, m, issuer);
	else
		r->file->wants_issuer = true;
}

static void link_place(struct keep_place *place, struct keep_row *row)
{
	place->row = row;
	place->next = row->places;
	place->previous = NULL;
	if (place->next)
		place->next->previous = place;
	row->places = place;
}

/* Some files hold a certificate twice. */
static bool is_first(const struct reading *r, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (r->member[j].row == r->member[i].row)
			return false;
	return r->member[i].row;
}

/* The file's places are replaced as a whole, the new ones first: a row that is in both never stands nowhere. */
static bool replace_places(struct reading *r)
{
	struct keep_file *file;
	uint16_t n = 0;

	for (unsigned i = 0; i < r->chain->n; i++)
		n += is_first(r, i);
	file = file_again(r->file, n);
	if (!file)
		return no_memory(r);
	n = 0;
	for (unsigned i = 0; i < r->chain->n; i++) {
		if (!is_first(r, i))
			continue;
		file->place[n].at = (uint16_t)i;
		link_place(&file->place[n++], r->member[i].row);
	}
	file_become(r->keeper, r->file, file);
	r->file = file;
	return true;
}

static size_t size_of(const clinch_subject_t *subject)
{
	return sizeof(*subject) + clinch_subject_cert(subject).size;
}

/* As many certificates as a small budget allows: their files may be half written, or away, when a refresh is due. */
static void remember(struct keeper *keeper, struct keep_row *row, clinch_subject_t *subject)
{
	struct keep_side *side = keeper->subject_bytes + size_of(subject) > SUBJECT_BYTES_MAX ? NULL : row_side(row);

	if (!side)
		return;
	side->subject = clinch_subject_ref(subject);
	keeper->subject_bytes += size_of(subject);
}

void examine_forget(struct keeper *keeper, struct keep_row *row)
{
	if (!row->side->subject)
		return;
	keeper->subject_bytes -= size_of(row->side->subject);
	clinch_subject_unref(TAKE(row_side(row)->subject));
	row_tidy(row);
}

static void introduce(struct reading *r, struct member *m)
{
	if (!m->subject || !m->row)
		return;
	remember(r->keeper, m->row, m->subject);
	tell_row(r->keeper, KEEP_FOUND, m->row);
	holding_load(r->keeper, m->row, m->subject);
	attempts_plan_loaded(r->keeper, m->row);
	attempts_await(r->keeper, m->row);
}

static void read_chain(struct reading *r)
{
	bool placed;

	for (unsigned i = 0; i < r->chain->n; i++) {
		r->member[i].der = &r->chain->cert[i];
		adopt(r, &r->member[i]);
	}
	placed = replace_places(r);
	for (unsigned i = 0; i < r->chain->n; i++) {
		if (placed)
			introduce(r, &r->member[i]);
		clinch_subject_unref(r->member[i].subject);
	}
	r->keeper->may_have_orphans |= !placed;
}

/* What was known of it stays: a file that is being written is not one whose certificates are gone. */
static void refuse(struct keeper *keeper, struct keep_file *file, const struct clinch_error *err)
{
	enum keep_level level = file->is_bad ? KEEP_DEBUG : KEEP_WARNING; /* said once */

	file->is_bad = true;
	tell_notice(keeper, level, NULL, file_path(file), "%s; %s", err->text,
		    file->n_places ? "what is known of it stays in use" : "it is read again when it changes");
	if (clinch_is_temporary(err->code))
		file->seen = 0;
}

void examine_file(struct keeper *keeper, struct keep_file *file)
{
	struct reading *r;
	auto_chain chain = { .n = 0 };
	struct clinch_error err = { 0 };

	if (chain_read(&chain, file_path(file), &err)) {
		refuse(keeper, file, &err);
		return;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		file->seen = 0;
		return;
	}
	*r = (struct reading){ .keeper = keeper, .file = file, .chain = &chain };
	file->is_bad = file->wants_issuer = file->without_url = false;
	read_chain(r);
	free(r);
}

/* ---- a row's certificate, read again ---- */

const struct keep_source *row_source(const struct keeper *keeper, const struct keep_row *row)
{
	return row->places ? source_of(keeper, place_file(row->places)) : NULL;
}

static int subject_in(const struct keep_row *row, const struct keep_place *place, clinch_subject_t **out,
		      struct clinch_error *err)
{
	uint8_t fingerprint[FINGERPRINT_LEN];
	auto_chain chain = { .n = 0 };
	int rc = chain_read(&chain, file_path(place_file(place)), err);

	if (rc)
		return rc;
	if (place->at >= chain.n ||
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, chain.cert[place->at].data, chain.cert[place->at].size, fingerprint) < 0 ||
	    memcmp(fingerprint, row->fingerprint, FINGERPRINT_LEN) != 0)
		return error_set(err, CLINCH_E_MISSING, "%s: holds another certificate than before",
				 file_path(place_file(place)));
	return subject_new(out, &chain.cert[place->at], row->issuer, false, err);
}

int examine_subject(const struct keep_row *row, clinch_subject_t **out, struct clinch_error *err)
{
	unsigned tries = 8; /* a CA's certificate is in very many files */
	int rc;

	if (row->side->subject) {
		*out = clinch_subject_ref(row->side->subject);
		return 0;
	}
	rc = error_set(err, CLINCH_E_MISSING, "%s: no file holds it any more", row->name);
	for (const struct keep_place *place = row->places; place && tries-- > 0; place = place->next) {
		rc = subject_in(row, place, out, err);
		if (rc == 0 || rc == CLINCH_E_MEMORY)
			return rc;
	}
	return rc;
}
