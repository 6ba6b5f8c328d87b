/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls/identity.h"
#include "base/error.h"
#include "base/file.h"
#include "der/oid.h"
#include "store/store.h"
#include "tls/hello.h"
#include <ctype.h>
#include <dirent.h>
#include <gnutls/crypto.h>
#include <string.h>

/* ---- staples ---- */

static void staples_destroy(struct counted *counted)
{
	struct staples *staples = (struct staples *)counted;

	for (unsigned i = 0; i < IDENTITY_CHAIN_MAX; i++)
		clinch_response_unref(staples->response[i]);
	free(staples);
}

struct staples *staples_new(void)
{
	struct staples *staples = calloc(1, sizeof(*staples));

	if (staples)
		counted_init(&staples->counted, staples_destroy);
	return staples;
}

/* The serving rule: the smaller of 5 minutes and a tenth of the life before its end. */
static int64_t stop_sending(const struct clinch_verdict *verdict)
{
	int64_t tenth = (verdict->fresh_until - verdict->this_update) / 10;

	return verdict->fresh_until - (tenth < 300 ? tenth : 300);
}

struct staples *staples_with(const struct staples *from, unsigned place, clinch_response_t *response)
{
	struct staples *staples = staples_new();

	if (!staples)
		return NULL;
	for (unsigned i = 0; i < IDENTITY_CHAIN_MAX; i++) {
		staples->response[i] = i == place ? response : clinch_response_ref(from->response[i]);
		staples->until[i] = from->until[i];
	}
	staples->until[place] = response ? stop_sending(clinch_response_verdict(response)) : 0;
	return staples;
}

/* ---- names ---- */

#define NAME_MAX_LEN 256 /* longer than any host name */

static bool add_name(struct identity *identity, const char *text, size_t len)
{
	char **grown = realloc(identity->name, (identity->n_names + 1) * sizeof(*grown));

	if (!grown)
		return false;
	identity->name = grown;
	char *name = strndup(text, len);
	if (!name)
		return false;
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	identity->name[identity->n_names++] = name;
	return true;
}

/* As GnuTLS's own credentials have it. */
static int take_common_name(struct identity *identity, const gnutls_datum_t *der)
{
	auto_crt leaf = NULL;
	char text[256];
	size_t len = sizeof(text);

	if (gnutls_x509_crt_init(&leaf) < 0)
		return CLINCH_E_MEMORY;
	if (gnutls_x509_crt_import(leaf, der, GNUTLS_X509_FMT_DER) < 0 ||
	    gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &len) < 0)
		return 0;
	return add_name(identity, text, len) ? 0 : CLINCH_E_MEMORY;
}

static bool is_name(struct der name)
{
	return der_len(name) > 0 && der_len(name) < NAME_MAX_LEN && !memchr(name.at, '\0', der_len(name));
}

/* DNS names of subjectAltName; the common name where there are none. */
static int take_names(struct identity *identity, const struct cert_view *view, const gnutls_datum_t *der)
{
	struct der name;

	for (unsigned i = 0; cert_view_dns_name(view, i, &name); i++)
		if (is_name(name) && !add_name(identity, (const char *)name.at, der_len(name)))
			return CLINCH_E_MEMORY;
	return identity->n_names ? 0 : take_common_name(identity, der);
}

/* ---- the key ---- */

static unsigned kind_of(gnutls_pubkey_t public)
{
	gnutls_ecc_curve_t curve;

	switch (gnutls_pubkey_get_pk_algorithm(public, NULL)) {
	case GNUTLS_PK_RSA:
		return HELLO_RSA;
	case GNUTLS_PK_RSA_PSS:
		return HELLO_RSA_PSS;
	case GNUTLS_PK_EDDSA_ED25519:
		return HELLO_ED25519;
	case GNUTLS_PK_EDDSA_ED448:
		return HELLO_ED448;
	case GNUTLS_PK_ECDSA:
		break;
	default:
		return 0;
	}
	if (gnutls_pubkey_export_ecc_raw2(public, &curve, NULL, NULL, 0) < 0)
		return 0;
	return curve == GNUTLS_ECC_CURVE_SECP256R1   ? HELLO_P256
	       : curve == GNUTLS_ECC_CURVE_SECP384R1 ? HELLO_P384
	       : curve == GNUTLS_ECC_CURVE_SECP521R1 ? HELLO_P521
						     : 0;
}

/* The numbers of a key: what is compared instead of a hash of its encoding, which costs more than reading a certificate. */
struct numbers {
	int curve;
	gnutls_datum_t first, second;
};

static void numbers_done(struct numbers *numbers)
{
	gnutls_free(numbers->first.data);
	gnutls_free(numbers->second.data);
}

static int export_numbers(gnutls_pubkey_t key, struct numbers *out)
{
	gnutls_ecc_curve_t curve;

	*out = (struct numbers){ .curve = 0 };
	if (gnutls_pubkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_RSA)
		return gnutls_pubkey_export_rsa_raw2(key, &out->first, &out->second, 0);
	int rc = gnutls_pubkey_export_ecc_raw2(key, &curve, &out->first, &out->second, 0);
	out->curve = (int)curve;
	return rc;
}

static bool same_datum(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static int compare_numbers(gnutls_pubkey_t a, gnutls_pubkey_t b, bool *same)
{
	AUTO(numbers_done) struct numbers of_a = { 0 };
	AUTO(numbers_done) struct numbers of_b = { 0 };
	int rc = export_numbers(a, &of_a);

	if (rc >= 0)
		rc = export_numbers(b, &of_b);
	*same = of_a.curve == of_b.curve && same_datum(&of_a.first, &of_b.first) && same_datum(&of_a.second, &of_b.second);
	return rc;
}

/* Of keys that have parameters beside their numbers. */
static int compare_ids(gnutls_pubkey_t a, gnutls_pubkey_t b, bool *same)
{
	unsigned char id[2][32];
	size_t len[2] = { sizeof(id[0]), sizeof(id[1]) };
	int rc = gnutls_pubkey_get_key_id(a, GNUTLS_KEYID_USE_SHA256, id[0], &len[0]);

	if (rc >= 0)
		rc = gnutls_pubkey_get_key_id(b, GNUTLS_KEYID_USE_SHA256, id[1], &len[1]);
	*same = rc >= 0 && memcmp(id[0], id[1], sizeof(id[0])) == 0;
	return rc;
}

static int compare_keys(gnutls_pubkey_t a, gnutls_pubkey_t b, bool *same)
{
	int kind = gnutls_pubkey_get_pk_algorithm(a, NULL);

	*same = false;
	if (kind != gnutls_pubkey_get_pk_algorithm(b, NULL))
		return 0;
	bool is_numbers = kind == GNUTLS_PK_RSA || kind == GNUTLS_PK_ECDSA || kind == GNUTLS_PK_EDDSA_ED25519 ||
			  kind == GNUTLS_PK_EDDSA_ED448;
	return is_numbers ? compare_numbers(a, b, same) : compare_ids(a, b, same);
}

static int take_key(struct identity *identity, gnutls_privkey_t key, const char *name, struct clinch_error *err)
{
	auto_pubkey public = NULL;
	bool same = false;
	int rc = gnutls_pubkey_init(&public);

	if (rc >= 0)
		rc = gnutls_pubkey_import_privkey(public, key, 0, 0);
	if (rc >= 0)
		rc = compare_keys(identity->pcert[0].pubkey, public, &same);
	if (rc < 0)
		return error_gnutls(err, rc, "%s: the key cannot be compared with the certificate", name);
	if (!same)
		return error_set(err, CLINCH_E_FORMAT, "%s: the private key does not belong to the first certificate", name);
	identity->kind = kind_of(public);
	return 0;
}

/* ---- the chain ---- */

/* The system's trust store, where the root of the last intermediate normally is. Asked only when the files lack an issuer.
 */
static int find_in_system(gnutls_datum_t *out, const gnutls_datum_t *der)
{
	gnutls_x509_trust_list_t trust;
	auto_crt cert = NULL;
	gnutls_x509_crt_t issuer = NULL;
	int rc = gnutls_x509_crt_init(&cert);

	if (rc >= 0)
		rc = gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER);
	if (rc < 0 || gnutls_x509_trust_list_init(&trust, 0) < 0)
		return -1;
	rc = gnutls_x509_trust_list_add_system_trust(trust, 0, 0);
	if (rc >= 0)
		rc = gnutls_x509_trust_list_get_issuer(trust, cert, &issuer, 0);
	if (rc >= 0)
		rc = gnutls_x509_crt_export2(issuer, GNUTLS_X509_FMT_DER, out);
	gnutls_x509_trust_list_deinit(trust, 1);
	return rc < 0 ? -1 : 0;
}

#define KEPT_MAX 4096 /* issuers that a keeper may have found */

static bool copy_datum(gnutls_datum_t *out, const gnutls_datum_t *from)
{
	unsigned char *copy = gnutls_malloc(from->size);

	if (!copy)
		return false;
	memcpy(copy, from->data, from->size);
	*out = (gnutls_datum_t){ copy, from->size };
	return true;
}

/* Does this file hold the issuer? By its signature: a store is not what makes a certificate an issuer. */
static bool holds_issuer(int dir, const char *name, const gnutls_datum_t *cert, gnutls_datum_t *out)
{
	auto_buf bytes = { .max = CHAIN_FILE_MAX };
	auto_chain chain = { .n = 0 };

	if (file_read_at(dir, name, &bytes, name, NULL) < 0 || chain_parse(&chain, bytes.data, bytes.len, name, NULL) < 0)
		return false;
	const gnutls_datum_t *found = chain_find_issuer(&chain, cert);
	return found && copy_datum(out, found);
}

/* What a keeper found by the certificate's caIssuers URL. */
static int find_in_store(gnutls_datum_t *out, const char *store_dir, const gnutls_datum_t *cert)
{
	char path[PATH_MAX];
	DIR *dir = store_dir && store_issuers_path(store_dir, path) ? opendir(path) : NULL;
	struct dirent *entry;
	bool found = false;
	unsigned n = 0;

	while (dir && !found && n < KEPT_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		found = holds_issuer(dirfd(dir), entry->d_name, cert, out);
		n++;
	}
	if (dir)
		closedir(dir);
	return found ? 0 : -1;
}

static bool has_responder(const struct cert_view *view)
{
	struct der url;

	return cert_view_access_url(view, OID_AD_OCSP, sizeof(OID_AD_OCSP) - 1, 0, &url);
}

/* The only one with the name of cert's issuer; *n: how many there are. */
static const gnutls_datum_t *find_by_name(const struct chain *pool, const struct cert_view *cert, unsigned *n)
{
	const gnutls_datum_t *found = NULL;
	struct cert_view view;

	for (unsigned i = 0; i < pool->n; i++) {
		if (!cert_view_parse(&view, der_of(pool->cert[i].data, pool->cert[i].size)) ||
		    !der_equals(view.subject, cert->issuer))
			continue;
		found = found ? found : &pool->cert[i];
		(*n)++;
	}
	return found;
}

static const gnutls_datum_t *find_issuer(const struct chain *chain, const struct chain *extra, const gnutls_datum_t *cert,
					 const struct cert_view *view)
{
	unsigned n = 0;
	const gnutls_datum_t *sent = find_by_name(chain, view, &n), *other = find_by_name(extra, view, &n);

	if (n <= 1)
		return sent ? sent : other;
	const gnutls_datum_t *found = chain_find_issuer(chain, cert);
	return found ? found : chain_find_issuer(extra, cert);
}

/* An issuer is looked for only where a staple may come to be. Without one the certificate is served, and never stapled. */
static int prepare_subject(struct identity *identity, unsigned place, const struct chain *chain, struct issuers *issuers)
{
	auto_issuer *issuer = NULL;
	auto_datum from_store = { NULL, 0 };
	auto_datum from_system = { NULL, 0 };
	const gnutls_datum_t *cert = &chain->cert[place], *found;
	struct cert_view view;

	if (!cert_view_parse(&view, der_of(cert->data, cert->size)) || cert_view_self_issued(&view))
		return 0;
	found = find_issuer(chain, &issuers->extra, cert, &view);
	if (!found && place == 0 && find_in_store(&from_store, issuers->store_dir, cert) == 0)
		found = &from_store;
	if (!found && (has_responder(&view) || cert_view_must_staple(&view)) && find_in_system(&from_system, cert) == 0)
		found = &from_system;
	if (!found)
		return 0;
	int code = known_issuer(&issuers->known, found, &issuer);
	if (code == 0 && place > 0)
		code = known_subject(&issuers->known, cert, issuer, &identity->subject[place]);
	else if (code == 0)
		code = subject_new(&identity->subject[place], cert, issuer, false, NULL);
	return code == CLINCH_E_MEMORY ? code : 0;
}

static void identity_destroy(struct counted *counted)
{
	struct identity *identity = (struct identity *)counted;

	for (unsigned i = 0; i < identity->n; i++)
		gnutls_pcert_deinit(&identity->pcert[i]);
	for (unsigned i = 0; i < IDENTITY_CHAIN_MAX; i++)
		clinch_subject_unref(identity->subject[i]);
	for (unsigned i = 0; i < identity->n_names; i++)
		free(identity->name[i]);
	free(identity->name);
	if (identity->key)
		gnutls_privkey_deinit(identity->key);
	counted_publish(&identity->staples, NULL);
	free(identity);
}

/* What gnutls_pcert_import_x509_raw() makes, without reading all of the certificate for it. */
static int make_pcert(gnutls_pcert_st *out, const struct cert_view *view, const gnutls_datum_t *der)
{
	const gnutls_datum_t spki = { (unsigned char *)(uintptr_t)view->spki.at, (unsigned)der_len(view->spki) };
	auto_pubkey key = NULL;
	int rc = gnutls_pubkey_init(&key);

	if (rc >= 0)
		rc = gnutls_pubkey_import(key, &spki, GNUTLS_X509_FMT_DER);
	unsigned usage = cert_view_key_usage(view);
	if (rc >= 0 && usage)
		rc = gnutls_pubkey_set_key_usage(key, usage);
	if (rc < 0)
		return rc;
	unsigned char *copy = gnutls_malloc(der->size);
	if (!copy)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(copy, der->data, der->size);
	*out = (gnutls_pcert_st){ .pubkey = TAKE(key), .cert = { copy, der->size }, .type = GNUTLS_CRT_X509 };
	return 0;
}

static int fill(struct identity *identity, const struct chain *chain, const char *name, struct clinch_error *err)
{
	struct cert_view view;

	for (unsigned i = 0; i < chain->n; i++) {
		if (!cert_view_parse(&view, der_of(chain->cert[i].data, chain->cert[i].size)))
			return error_set(err, CLINCH_E_FORMAT, "%s: certificate %u cannot be read", name, i + 1);
		int rc = make_pcert(&identity->pcert[i], &view, &chain->cert[i]);
		if (rc < 0)
			return error_gnutls(err, rc, "%s: certificate %u", name, i + 1);
		identity->n++;
	}
	return 0;
}

static int fill_from_leaf(struct identity *identity, const struct chain *chain, gnutls_privkey_t key, const char *name,
			  struct clinch_error *err)
{
	const gnutls_datum_t *leaf = &chain->cert[0];
	struct cert_view view;

	if (!cert_view_parse(&view, der_of(leaf->data, leaf->size)))
		return error_set(err, CLINCH_E_FORMAT, "%s: the first certificate cannot be read", name);
	int rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, leaf->data, leaf->size, identity->fingerprint);
	if (rc < 0)
		return error_gnutls(err, rc, "%s: the first certificate cannot be hashed", name);
	identity->not_after = view.not_after;
	identity->must_staple = cert_view_must_staple(&view);
	identity->response = cert_view_response(&view, false);
	identity->wants_staple = identity->must_staple || identity->response == CERT_RESPONSE_TO_HAVE;
	int code = take_key(identity, key, name, err);
	if (code < 0)
		return code;
	return take_names(identity, &view, leaf) < 0 ? error_set(err, CLINCH_E_MEMORY, "%s: no memory", name) : 0;
}

static int fill_subjects(struct identity *identity, const struct chain *chain, struct issuers *issuers, const char *name,
			 struct clinch_error *err)
{
	for (unsigned i = 0; i < chain->n; i++) {
		int code = prepare_subject(identity, i, chain, issuers);
		if (code < 0)
			return error_set(err, code, "%s: no memory", name);
	}
	return 0;
}

int identity_new(struct identity **out, const struct chain *chain, gnutls_privkey_t key, struct issuers *issuers,
		 const char *name, struct clinch_error *err)
{
	struct identity *identity;
	struct staples *none;

	if (chain->n > IDENTITY_CHAIN_MAX)
		return error_set(err, CLINCH_E_TOO_LARGE, "%s: holds %u certificates, a chain has %d at most", name,
				 chain->n, IDENTITY_CHAIN_MAX);
	none = staples_new();
	identity = none ? calloc(1, sizeof(*identity)) : NULL;
	if (!identity) {
		free(none);
		return error_set(err, CLINCH_E_MEMORY, "%s: no memory", name);
	}
	counted_init(&identity->counted, identity_destroy);
	counted_publish(&identity->staples, &none->counted);
	int code = fill(identity, chain, name, err);
	if (code == 0)
		code = fill_from_leaf(identity, chain, key, name, err);
	if (code == 0)
		code = fill_subjects(identity, chain, issuers, name, err);
	if (code < 0) {
		counted_unref(&identity->counted);
		return code;
	}
	identity->key = key;
	*out = identity;
	return 0;
}
