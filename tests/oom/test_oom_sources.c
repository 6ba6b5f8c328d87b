/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same for what the responder reads: whichever allocation fails, a snapshot is whole or there is none, and what was
 * revoked is never valid.
 */
#include "../support/scratch.h"
#include "../unit/crls.h"
#include "respond/relay.h"
#include "respond/source.h"
#include "respond/watch.h"
#include "unit.h"
#include "until.h"
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char dir[SCRATCH_SIZE];
static struct issuer *ca;

/* ---- files ---- */

static const char *path_of(const char *name)
{
	static char path[8][SCRATCH_SIZE + 128];
	static unsigned next;
	char *out = path[next++ % 8];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static const char *put(const char *name, struct blob bytes)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
	return path;
}

static struct blob pem(const char *label, struct blob der)
{
	const gnutls_datum_t datum = blob_datum(der);
	gnutls_datum_t text;
	struct blob out;

	assert_int_equal(gnutls_pem_base64_encode2(label, &datum, &text), 0);
	out = blob_of(text.data, text.size);
	gnutls_free(text.data);
	return out;
}

static int make_world(void **state)
{
	const gnutls_datum_t der = blob_datum(world_ca());
	(void)state;
	return issuer_new(&ca, &der, NULL) == 0 && mkdtemp(scratch_template(dir, "oom")) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st, (void)kind, (void)place;
	return remove(path);
}

static int drop_world(void **state)
{
	(void)state;
	issuer_unref(ca);
	maker_done();
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- sources ---- */

static enum source_says ask(const struct source *source, uint8_t serial)
{
	return source_find(source, der_of(&serial, 1)).says;
}

static enum outcome load_source(const void *what)
{
	const struct source_files *files = what;
	struct clinch_error err = { .code = 0 };
	struct source *source = NULL, *next = NULL;
	int code = source_load(&source, files, ca, NOW, &err);
	bool good;

	/* GnuTLS does not always say that it was memory. */
	if (code < 0)
		return source || code != err.code ? WRONG : HONEST_FAILURE;
	good = ask(source, 0x0a) == SOURCE_REVOKED && ask(source, 0x0b) == SOURCE_VALID && source_size(source) == 3;
	code = source_load(&next, files, ca, NOW, &err);
	if (code == 0)
		good = good && source_succeeds(source, next, &(struct source_succession){ .now = NOW }, &err) == 0;
	source_unref(source);
	source_unref(next);
	return !good ? WRONG : code < 0 ? HONEST_FAILURE : SUCCEEDED;
}

static void an_index(void **state)
{
	static const char text[] = "R\t270101000000Z\t260601000000Z\t0A\tunknown\t/CN=x\n"
				   "V\t270101000000Z\t\t0B\tunknown\t/CN=x\n"
				   "V\t270101000000Z\t\t1122334455667788990011223344556677889900112233\tunknown\t/CN=x\n";
	const struct source_files files = { .kind = SOURCE_INDEX, .index = put("index.txt", blob_text(text)) };
	(void)state;
	until_it_succeeds(load_source, &files);
}

static void crls_and_a_list(void **state)
{
	struct crl_spec one = crl_of(crl_entry("0a")), two = crl_of(crl_entry("0c"));
	const char *path[] = { put("one.crl", pem("X509 CRL", make_whole_crl(&one))), put("two.crl", make_whole_crl(&two)) };
	const struct source_files files = {
		.kind = SOURCE_CRL, .crl = path, .n_crl = 2, .issued = put("issued", blob_text("0A\n0B\n0C\n"))
	};
	(void)state;
	until_it_succeeds(load_source, &files);
}

/* ---- relay ---- */

static struct cert_id wanted;

static enum outcome load_relay(const void *what)
{
	const struct relay_files *files = what;
	struct clinch_error err = { .code = 0 };
	struct relay *first = NULL, *second = NULL;
	clinch_response_t *response;
	bool good;
	int code = relay_load(&first, files, NULL, NOW, NULL, &err);

	if (code == 0)
		code = relay_load(&second, files, first, NOW, NULL, &err);
	relay_unref(first);
	if (code < 0)
		return second || code != err.code ? WRONG : HONEST_FAILURE;
	response = relay_find(second, &wanted, NOW);
	relay_unref(second);
	if (!response)
		return HONEST_FAILURE; /* what could not be read is not handed on */
	good = clinch_response_verdict(response)->status == CLINCH_REVOKED;
	clinch_response_unref(response);
	return good ? SUCCEEDED : WRONG;
}

static void a_relay(void **state)
{
	struct entry_spec entry = good_entry();
	struct blob hash = digest(GNUTLS_DIG_SHA256, world_leaf());
	struct der in = der_of(entry.cert_id.data, entry.cert_id.len);
	char name[80] = "store/";
	(void)state;
	entry.status = status_revoked("20260601000000Z", 1);
	struct response_spec spec = delegated_with(make_entry(&entry));
	for (size_t i = 0; i < 32; i++)
		snprintf(name + 6 + 2 * i, 3, "%02x", hash.data[i]);
	memcpy(name + 70, ".der", 5);
	assert_int_equal(mkdir(path_of("store"), 0755), 0);
	assert_int_equal(mkdir(path_of("chains"), 0755), 0);
	assert_int_equal(mkdir(path_of("issuers"), 0755), 0);
	put(name, make_response(&spec));
	put("chains/leaf.pem", pem("CERTIFICATE", world_leaf()));
	put("issuers/ca.pem", pem("CERTIFICATE", world_ca()));
	assert_true(cert_id_take(&in, &wanted));
	const char *chains = path_of("chains");
	const struct relay_files files = {
		.store = path_of("store"), .chain = &chains, .n_chains = 1, .issuers = path_of("issuers")
	};
	until_it_succeeds(load_relay, &files);
}

/* ---- watch ---- */

static enum outcome watch_files(const void *what)
{
	const char *const *path = what;
	struct watch *watch = watch_new();
	bool set = watch && watch_set(watch, 1, path, 2, 0) && watch_set(watch, 2, path, 1, 0) &&
		   watch_set(watch, 1, path, 2, 0);
	bool due = true;
	unsigned item;

	if (set) {
		watch_done(watch, 1, false, 0); /* so it is due again, at 2 s */
		due = watch_next(watch, 2000, &item) && item == 1;
	}
	watch_free(watch);
	return !due ? WRONG : set ? SUCCEEDED : HONEST_FAILURE;
}

static void a_watch(void **state)
{
	const char *path[] = { put("watched", blob_text("x")), path_of("not there/at all") };
	(void)state;
	until_it_succeeds(watch_files, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index),
		cmocka_unit_test(crls_and_a_list),
		cmocka_unit_test(a_relay),
		cmocka_unit_test(a_watch),
	};
	heap_spare_what_cannot_fail();
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
