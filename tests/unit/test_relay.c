/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Relay: what of the store is handed on for which CertID, and when it stops. */
#include "../support/scratch.h"
#include "respond/relay.h"
#include "store/store.h"
#include "unit.h"
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[SCRATCH_SIZE], store_dir[SCRATCH_SIZE + 8], chains[SCRATCH_SIZE + 8];
static const char *chain_path;
static struct relay_files files;
static char said[4096];

/* ---- making ---- */

static const char *path_of(const char *in, const char *name)
{
	static char path[8][SCRATCH_SIZE + 128];
	static unsigned next;
	char *out = path[next++ % 8];

	snprintf(out, sizeof(path[0]), "%s/%s", in, name);
	return out;
}

static void put(const char *path, struct blob bytes)
{
	FILE *file;

	unlink(path); /* another file, as a rename makes it */
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
}

static struct blob pem(struct blob der)
{
	const gnutls_datum_t datum = blob_datum(der);
	gnutls_datum_t text;
	struct blob out;

	assert_int_equal(gnutls_pem_base64_encode2("CERTIFICATE", &datum, &text), 0);
	out = blob_of(text.data, text.size);
	gnutls_free(text.data);
	return out;
}

static struct blob leaf(const char *serial)
{
	struct cert_spec spec = leaf_spec();

	spec.serial = blob_hex(serial);
	return make_cert(&spec);
}

static void put_chain(const char *name, struct blob cert)
{
	put(path_of(chains, name), CAT(pem(cert), pem(world_ca())));
}

static const char *name_in_store(struct blob cert)
{
	static char name[80];
	struct blob hash = digest(GNUTLS_DIG_SHA256, cert);

	for (size_t i = 0; i < 32; i++)
		snprintf(name + 2 * i, 3, "%02x", hash.data[i]);
	memcpy(name + 64, ".der", 5);
	return name;
}

static struct blob response(const char *serial, struct blob status, const char *this_update, const char *next_update)
{
	struct entry_spec entry = good_entry();
	struct response_spec spec;

	entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(serial));
	entry.status = status;
	entry.this_update = this_update;
	entry.next_update = next_update;
	spec = response_with(make_entry(&entry));
	return make_response(&spec);
}

#define YESTERDAY "20260614120000Z"
#define THURSDAY "20260618120000Z"

static void hold(const char *serial, struct blob bytes)
{
	put(path_of(store_dir, name_in_store(leaf(serial))), bytes);
}

static struct blob good(const char *serial)
{
	return response(serial, status_good(), YESTERDAY, THURSDAY);
}

/* ---- the relay ---- */

static void note(const char *sentence, void *user)
{
	size_t len = strlen(said);

	(void)user;
	snprintf(said + len, sizeof(said) - len, "%s\n", sentence);
}

static struct relay *load_at(const struct relay *before, int64_t now)
{
	static const struct relay_hooks hooks = { note, NULL };
	struct clinch_error err = { .text = "" };
	struct relay *relay = NULL;

	said[0] = '\0';
	if (relay_load(&relay, &files, before, now, &hooks, &err) != 0)
		fail_msg("%s", err.text);
	return relay;
}

static struct relay *load(const struct relay *before)
{
	return load_at(before, NOW);
}

static struct cert_id id_of(struct blob whole)
{
	struct der in = der_of(whole.data, whole.len);
	struct cert_id id;

	assert_true(cert_id_take(&in, &id));
	return id;
}

static struct cert_id id(const char *serial)
{
	return id_of(cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(serial)));
}

/* What is handed on for it: CLINCH_MISSING, or the status. */
static enum clinch_status found_at(const struct relay *relay, struct cert_id cert_id, int64_t now)
{
	clinch_response_t *response = relay_find(relay, &cert_id, now);
	enum clinch_status status = response ? clinch_response_verdict(response)->status : CLINCH_MISSING;

	clinch_response_unref(response);
	return status;
}

static enum clinch_status found(const struct relay *relay, const char *serial)
{
	return found_at(relay, id(serial), NOW);
}

static int begin(void **state)
{
	(void)state;
	maker_reset();
	if (!mkdtemp(scratch_template(dir, "relay")))
		return -1;
	snprintf(store_dir, sizeof(store_dir), "%s/store", dir);
	snprintf(chains, sizeof(chains), "%s/chains", dir);
	chain_path = chains;
	files = (struct relay_files){ .store = store_dir, .chain = &chain_path, .n_chains = 1 };
	return mkdir(store_dir, 0755) || mkdir(chains, 0755) ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st, (void)kind, (void)place;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- tests ---- */

static void a_response_is_found_by_the_hash_of_its_cert_id_alone(void **state)
{
	static const gnutls_digest_algorithm_t hashes[] = { GNUTLS_DIG_SHA1, GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA384,
							    GNUTLS_DIG_SHA512 };
	(void)state;
	put_chain("one.pem", leaf("0a"));
	for (size_t i = 0; i < ROWS(hashes); i++) {
		struct entry_spec entry = good_entry();
		entry.cert_id = cert_id(hashes[i], CA_NAME, KEY_CA, blob_hex("0a"));
		struct response_spec spec = response_with(make_entry(&entry));
		hold("0a", make_response(&spec));
		struct relay *relay = load(NULL);
		assert_int_equal(relay_size(relay), 1);
		for (size_t j = 0; j < ROWS(hashes); j++) {
			struct cert_id wanted = id_of(cert_id(hashes[j], CA_NAME, KEY_CA, blob_hex("0a")));
			assert_int_equal(found_at(relay, wanted, NOW), i == j ? CLINCH_GOOD : CLINCH_MISSING);
			assert_int_equal(relay_knows(relay, &wanted), i == j);
		}
		relay_unref(relay);
	}
}

static void the_bytes_handed_on_are_those_that_were_held(void **state)
{
	struct blob bytes;
	struct cert_id wanted;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	bytes = good("0a");
	hold("0a", bytes);
	struct relay *relay = load(NULL);
	wanted = id("0a");
	clinch_response_t *response = relay_find(relay, &wanted, NOW);
	relay_unref(relay); /* it lives on */
	assert_non_null(response);
	assert_int_equal(clinch_response_der(response).size, bytes.len);
	assert_memory_equal(clinch_response_der(response).data, bytes.data, bytes.len);
	clinch_response_unref(response);
}

static void nothing_is_found_for_another_certificate(void **state)
{
	struct relay *relay;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	hold("0a", good("0a"));
	relay = load(NULL);
	assert_int_equal(found(relay, "0b"), CLINCH_MISSING);
	assert_int_equal(found(relay, "000a"), CLINCH_MISSING);
	assert_int_equal(found_at(relay, id_of(cert_id(GNUTLS_DIG_SHA1, "Another CA", KEY_CA, blob_hex("0a"))), NOW),
			 CLINCH_MISSING);
	assert_int_equal(found_at(relay, id_of(cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_OTHER, blob_hex("0a"))), NOW),
			 CLINCH_MISSING);
	struct blob other = SEQ(SEQ(oid("2a8648"), null_value()), OCTETS(blob_fill(1, 20)), OCTETS(blob_fill(2, 20)),
				blob_hex("02010a"));
	assert_int_equal(found_at(relay, id_of(other), NOW), CLINCH_MISSING);
	struct blob cut = SEQ(SEQ(oid("2b0e03021a"), null_value()), OCTETS(blob_fill(1, 20)), OCTETS(blob_fill(2, 3)),
			      blob_hex("02010a"));
	assert_int_equal(found_at(relay, id_of(cut), NOW), CLINCH_MISSING);
	relay_unref(relay);
}

static void it_stops_before_its_end(void **state)
{
	static const struct {
		const char *name, *this_update, *next_update;
		int64_t last; /* from NOW */
	} rows[] = {
		{ "a long life: 5 minutes", YESTERDAY, THURSDAY, 3 * DAY - 301 },
		{ "a short one: a tenth", "20260615114000Z", "20260615122000Z", 20 * 60 - 241 },
	};
	(void)state;
	put_chain("one.pem", leaf("0a"));
	for (size_t i = 0; i < ROWS(rows); i++) {
		hold("0a", response("0a", status_good(), rows[i].this_update, rows[i].next_update));
		struct relay *relay = load(NULL);
		struct cert_id wanted = id("0a");
		check_int(rows[i].name, found_at(relay, wanted, NOW + rows[i].last), CLINCH_GOOD);
		check_int(rows[i].name, found_at(relay, wanted, NOW + rows[i].last + 1), CLINCH_MISSING);
		check(rows[i].name, relay_knows(relay, &wanted));
		relay_unref(relay);
	}
}

static void a_revoked_one_is_handed_on_too(void **state)
{
	struct relay *relay;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	hold("0a", response("0a", status_revoked("20260601000000Z", 1), YESTERDAY, THURSDAY));
	relay = load(NULL);
	assert_int_equal(found(relay, "0a"), CLINCH_REVOKED);
	relay_unref(relay);
}

static void what_is_not_believed_is_said_once_and_not_handed_on(void **state)
{
	struct relay *relay, *again;
	struct cert_id wanted;
	struct blob bytes;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	put_chain("two.pem", leaf("0b"));
	put_chain("three.pem", leaf("0c"));
	bytes = good("0a");
	((uint8_t *)bytes.data)[bytes.len - 1] ^= 1;
	hold("0a", bytes);
	hold("0b", good("0a")); /* somebody else's, under its name */
	hold("0c", good("0c"));
	relay = load(NULL);
	assert_int_equal(found(relay, "0a"), CLINCH_MISSING);
	assert_int_equal(found(relay, "0b"), CLINCH_MISSING);
	assert_int_equal(found(relay, "0c"), CLINCH_GOOD);
	wanted = id("0a");
	assert_true(relay_knows(relay, &wanted));
	check(said, strstr(said, "is not handed on: "));
	usleep(60000); /* a file is taken to be the same when it is older than a tick of its clock */
	again = load(relay);
	relay_unref(relay);
	relay = load(again);
	check_str("said again", said, "");
	assert_int_equal(found(relay, "0c"), CLINCH_GOOD);
	relay_unref(again);
	relay_unref(relay);
}

static void a_response_goes_on_when_its_file_is_damaged(void **state)
{
	struct relay *relay, *next;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	hold("0a", good("0a"));
	relay = load(NULL);
	hold("0a", blob_text("nonsense"));
	next = load(relay);
	relay_unref(relay);
	check(said, strstr(said, "is not handed on: "));
	assert_int_equal(found(next, "0a"), CLINCH_GOOD);
	assert_int_equal(found_at(next, id("0a"), NOW + 3 * DAY - 300), CLINCH_MISSING);
	relay = load_at(next, NOW + 3 * DAY - 300); /* its own end */
	assert_int_equal(relay_size(relay), 0);
	relay_unref(relay);
	hold("0a", response("0a", status_revoked("20260601000000Z", 1), "20260615110000Z", THURSDAY));
	relay = load(next);
	assert_int_equal(found(relay, "0a"), CLINCH_REVOKED);
	relay_unref(next);
	relay_unref(relay);
}

static void names_that_are_not_the_stores_are_left_alone(void **state)
{
	struct relay *relay;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	put(path_of(store_dir, "note.txt"), blob_text("x"));
	put(path_of(store_dir, ".lock"), blob_text("1"));
	put(path_of(store_dir, name_in_store(leaf("0b"))), good("0b")); /* of no certificate in a chain file */
	relay = load(NULL);
	assert_int_equal(relay_size(relay), 0);
	assert_int_equal(found(relay, "0b"), CLINCH_MISSING);
	check_str("nothing is said", said, "");
	relay_unref(relay);
}

static void what_comes_and_goes_is_seen_at_the_next_look(void **state)
{
	struct relay *relay, *next;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	relay = load(NULL);
	assert_int_equal(found(relay, "0a"), CLINCH_MISSING);
	hold("0a", good("0a"));
	next = load(relay);
	relay_unref(relay);
	assert_int_equal(found(next, "0a"), CLINCH_GOOD);
	hold("0a", response("0a", status_revoked("20260601000000Z", -1), "20260615110000Z", THURSDAY));
	relay = load(next);
	assert_int_equal(found(relay, "0a"), CLINCH_REVOKED);
	assert_int_equal(found(next, "0a"), CLINCH_GOOD); /* a snapshot */
	relay_unref(next);
	put_chain("two.pem", leaf("0b"));
	hold("0b", good("0b"));
	next = load(relay);
	assert_int_equal(found(next, "0b"), CLINCH_GOOD);
	relay_unref(relay);
	assert_int_equal(unlink(path_of(chains, "one.pem")), 0);
	assert_int_equal(unlink(path_of(store_dir, name_in_store(leaf("0b")))), 0);
	relay = load(next);
	assert_int_equal(relay_size(relay), 0);
	relay_unref(next);
	relay_unref(relay);
}

static void an_issuer_is_taken_from_its_directory(void **state)
{
	struct relay *relay, *next;
	(void)state;
	put(path_of(chains, "one.pem"), pem(leaf("0a")));
	hold("0a", good("0a"));
	relay = load(NULL);
	assert_int_equal(found(relay, "0a"), CLINCH_MISSING);
	check(said, strstr(said, "one.pem: holds a certificate whose issuer is not known"));
	files.issuers = path_of(dir, "issuers");
	assert_int_equal(mkdir(files.issuers, 0755), 0);
	put(path_of(files.issuers, "ca.pem"), pem(world_ca()));
	next = load(relay);
	assert_int_equal(found(next, "0a"), CLINCH_GOOD);
	relay_unref(relay);
	relay_unref(next);
}

static void chain_files_that_are_none_are_said_and_passed_over(void **state)
{
	const char *sources[] = { path_of(chains, "*.pem"), path_of(chains, "none.crt") };
	struct relay *relay;
	(void)state;
	files.chain = sources;
	files.n_chains = 2;
	put(path_of(chains, "bad.pem"), blob_text("nothing\n"));
	put_chain("one.pem", leaf("0a"));
	hold("0a", good("0a"));
	relay = load(NULL);
	assert_int_equal(found(relay, "0a"), CLINCH_GOOD);
	check(said, strstr(said, "bad.pem: holds no certificate"));
	check(said, strstr(said, "none.crt: cannot be opened"));
	relay_unref(relay);
}

static void a_store_that_cannot_be_read_is_an_error(void **state)
{
	struct clinch_error err = { .text = "" };
	struct relay *relay = NULL;
	(void)state;
	files.store = path_of(dir, "none");
	assert_int_equal(relay_load(&relay, &files, NULL, NOW, NULL, &err), CLINCH_E_FILE);
	assert_null(relay);
	check(err.text, strstr(err.text, "none: cannot be opened"));
}

static void what_is_to_be_watched_is_the_store_the_files_and_where_they_come(void **state)
{
	struct relay_paths paths;
	bool store = false, directory = false, file = false;
	(void)state;
	put_chain("one.pem", leaf("0a"));
	assert_true(relay_paths(&paths, &files));
	for (size_t i = 0; i < paths.n; i++) {
		store |= strcmp(paths.path[i], store_dir) == 0;
		directory |= strcmp(paths.path[i], chains) == 0;
		file |= strcmp(paths.path[i], path_of(chains, "one.pem")) == 0;
	}
	assert_true(store && directory && file);
	relay_paths_done(&paths);
}

static void two_hundred_of_one_ca_are_told_apart(void **state)
{
	struct relay *relay;
	char serial[5], name[16];
	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(serial, sizeof(serial), "%04x", 0x1000 + i);
		snprintf(name, sizeof(name), "%d.pem", i);
		put_chain(name, leaf(serial));
		hold(serial,
		     i % 2 ? good(serial) : response(serial, status_revoked("20260601000000Z", 1), YESTERDAY, THURSDAY));
	}
	relay = load(NULL);
	assert_int_equal(relay_size(relay), 200);
	for (int i = 0; i < 200; i++) {
		snprintf(serial, sizeof(serial), "%04x", 0x1000 + i);
		check_int(serial, found(relay, serial), i % 2 ? CLINCH_GOOD : CLINCH_REVOKED);
	}
	relay_unref(relay);
}

#define F(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(a_response_is_found_by_the_hash_of_its_cert_id_alone),
		F(the_bytes_handed_on_are_those_that_were_held),
		F(nothing_is_found_for_another_certificate),
		F(it_stops_before_its_end),
		F(a_revoked_one_is_handed_on_too),
		F(what_is_not_believed_is_said_once_and_not_handed_on),
		F(a_response_goes_on_when_its_file_is_damaged),
		F(names_that_are_not_the_stores_are_left_alone),
		F(what_comes_and_goes_is_seen_at_the_next_look),
		F(an_issuer_is_taken_from_its_directory),
		F(chain_files_that_are_none_are_said_and_passed_over),
		F(a_store_that_cannot_be_read_is_an_error),
		F(what_is_to_be_watched_is_the_store_the_files_and_where_they_come),
		F(two_hundred_of_one_ca_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, drop_keys);
}
