/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server half in real handshakes: which certificate, which staples, and what a session keeps while all of it is
 * replaced. */
#include "unit.h"
#include <clinch/client.h>
#include <clinch/stapler.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/* A handshake has the real clock alone: what is made here is made around now. */
static const char *instant(int64_t from_now)
{
	static char text[8][20];
	static unsigned next;
	time_t at = time(NULL) + from_now;
	struct tm tm;
	char *out = text[next++ % 8];
	strftime(out, sizeof(text[0]), "%Y%m%d%H%M%SZ", gmtime_r(&at, &tm));
	return out;
}

static struct blob pem(const char *label, struct blob der)
{
	gnutls_datum_t in = blob_datum(der), out;
	if (gnutls_pem_base64_encode2(label, &in, &out) < 0)
		abort();
	struct blob text = blob_of(out.data, out.size);
	gnutls_free(out.data);
	return text;
}

struct made {
	struct blob leaf, chain, key; /* DER; PEM with the CA; PEM */
	const char *serial;
};

static struct blob dns_names(const char *name)
{
	return extension("551d11", -1, SEQ(tlv(0x82, blob_text(name))));
}

static struct made make_leaf(enum key key, const char *serial, const char *name, struct blob more)
{
	struct cert_spec spec = leaf_spec();
	struct made made = { .serial = serial };
	spec.serial = blob_hex(serial);
	spec.subject = name;
	spec.key = key;
	spec.extensions = CAT(dns_names(name), access_info_ocsp("http://ocsp.test/"), more);
	made.leaf = make_cert(&spec);
	made.chain = CAT(pem("CERTIFICATE", made.leaf), pem("CERTIFICATE", world_ca()));
	made.key = blob_text(maker_key_pem[key]);
	return made;
}

static struct blob staple(const struct made *made, int64_t this_update, int64_t next_update, struct blob status)
{
	struct entry_spec entry = {
		.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(made->serial)),
		.status = status,
		.this_update = instant(this_update),
		.next_update = instant(next_update),
	};
	struct response_spec spec = response_with(make_entry(&entry));
	spec.produced_at = instant(this_update < 0 ? this_update : 0);
	return make_response(&spec);
}

static clinch_stapler_t *stapler_of(const struct clinch_stapler_options *options)
{
	struct clinch_error err = { .text = "" };
	clinch_stapler_t *stapler = NULL;
	if (clinch_stapler_new(&stapler, options, &err) != 0)
		fail_msg("%s", err.text);
	return stapler;
}

static void add(clinch_stapler_t *stapler, const struct made *made)
{
	struct clinch_error err = { .text = "" };
	gnutls_datum_t chain = blob_datum(made->chain), key = blob_datum(made->key);
	if (clinch_stapler_add_mem(stapler, &chain, &key, &err) != 0)
		fail_msg("%s", err.text);
}

static int offer(clinch_stapler_t *stapler, struct blob der)
{
	gnutls_datum_t datum = blob_datum(der);
	return clinch_stapler_offer(stapler, &datum, time(NULL), NULL);
}

/* ---- a handshake on a socket pair ---- */

struct talk {
	gnutls_session_t client, server;
	gnutls_certificate_credentials_t trust;
	int fd[2], client_rc, server_rc;
};

static void talk_begin(struct talk *talk, const char *priority, const char *name)
{
	const gnutls_datum_t ca = blob_datum(world_ca());
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, talk->fd), 0);
	gnutls_init(&talk->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_init(&talk->server, GNUTLS_SERVER | GNUTLS_NONBLOCK);
	assert_int_equal(gnutls_priority_set_direct(talk->client, priority, NULL), 0);
	gnutls_priority_set_direct(talk->server, "NORMAL", NULL);
	gnutls_certificate_allocate_credentials(&talk->trust);
	gnutls_certificate_set_x509_trust_mem(talk->trust, &ca, GNUTLS_X509_FMT_DER);
	gnutls_credentials_set(talk->client, GNUTLS_CRD_CERTIFICATE, talk->trust);
	if (name)
		gnutls_server_name_set(talk->client, GNUTLS_NAME_DNS, name, strlen(name));
	gnutls_transport_set_int(talk->client, talk->fd[0]);
	gnutls_transport_set_int(talk->server, talk->fd[1]);
	talk->client_rc = talk->server_rc = GNUTLS_E_AGAIN;
}

static void talk_on(struct talk *talk)
{
	for (unsigned i = 0; i < 100 && (talk->client_rc || talk->server_rc); i++) {
		if (talk->client_rc)
			talk->client_rc = gnutls_handshake(talk->client);
		if (talk->server_rc)
			talk->server_rc = gnutls_handshake(talk->server);
		if ((talk->client_rc && gnutls_error_is_fatal(talk->client_rc)) ||
		    (talk->server_rc && gnutls_error_is_fatal(talk->server_rc)))
			return;
	}
}

static void talk_end(struct talk *talk)
{
	gnutls_deinit(talk->client);
	gnutls_deinit(talk->server);
	gnutls_certificate_free_credentials(talk->trust);
	close(talk->fd[0]);
	close(talk->fd[1]);
}

static const struct clinch_report *shake(struct talk *talk, clinch_stapler_t *stapler, const char *priority,
					 const char *name, const struct clinch_policy *policy)
{
	talk_begin(talk, priority, name);
	assert_int_equal(clinch_stapler_attach(stapler, talk->server), 0);
	assert_int_equal(clinch_client_attach(talk->client, NULL, policy), 0);
	talk_on(talk);
	return clinch_client_report(talk->client);
}

static enum clinch_reason reason_seen(clinch_stapler_t *stapler, const char *priority, const char *name)
{
	struct talk talk;
	const struct clinch_report *report = shake(&talk, stapler, priority, name, NULL);
	assert_non_null(report);
	enum clinch_reason reason = report->member[0].verdict.reason;
	talk_end(&talk);
	return reason;
}

/* ---- tests ---- */

static void a_staple_goes_out_over_both_versions(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "51", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	add(stapler, &made);
	assert_int_equal(reason_seen(stapler, TLS12, "a.test"), CLINCH_REASON_NO_STAPLE);
	assert_int_equal(offer(stapler, staple(&made, -HOUR, 3 * DAY, status_good())), 0);
	assert_int_equal(reason_seen(stapler, TLS12, "a.test"), CLINCH_REASON_GOOD);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	clinch_stapler_free(stapler);
}

/* Near its end a staple is still to be believed, and is no longer sent: five minutes, or a tenth of its life. */
static void a_staple_stops_being_sent_before_it_ends(void **state)
{
	(void)state;
	const struct {
		const char *row;
		int64_t this_update, next_update;
		enum clinch_reason reason;
	} rows[] = {
		{ "ten minutes left", -DAY, 600, CLINCH_REASON_GOOD },
		{ "four minutes left of a day", -DAY, 240, CLINCH_REASON_NO_STAPLE },
		{ "a minute left of two", -60, 60, CLINCH_REASON_GOOD },
		{ "a second left of a hundred", -99, 1, CLINCH_REASON_NO_STAPLE },
	};
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct made made = make_leaf(KEY_LEAF, "52", "a.test", BLOB_NONE);
		clinch_stapler_t *stapler = stapler_of(NULL);
		struct clinch_stapler_state seen;
		add(stapler, &made);
		check_int(rows[i].row,
			  offer(stapler, staple(&made, rows[i].this_update, rows[i].next_update, status_good())), 0);
		check_int(rows[i].row, reason_seen(stapler, TLS13, "a.test"), rows[i].reason);
		check_int(rows[i].row, clinch_stapler_state(stapler, 0, time(NULL), &seen), 0);
		check_int(rows[i].row, seen.is_stapled, rows[i].reason == CLINCH_REASON_GOOD);
		clinch_stapler_free(stapler);
	}
}

static void only_what_is_believed_and_newer_gets_in(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "53", "a.test", BLOB_NONE),
		    other = make_leaf(KEY_LEAF, "54", "b.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct blob good = staple(&made, -HOUR, 3 * DAY, status_good());
	add(stapler, &made);
	assert_int_equal(offer(stapler, blob_hex("30030a0103")), CLINCH_E_FORMAT);                       /* tryLater */
	assert_int_equal(offer(stapler, staple(&made, -2 * DAY, -DAY, status_good())), CLINCH_E_FORMAT); /* expired */
	assert_int_equal(offer(stapler, staple(&made, -HOUR, DAY, status_unknown())), CLINCH_E_FORMAT);
	assert_int_equal(offer(stapler, staple(&other, -HOUR, DAY, status_good())), CLINCH_E_MISSING);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_NO_STAPLE);
	assert_int_equal(offer(stapler, good), 0);
	assert_int_equal(offer(stapler, good), 0); /* the same again */
	assert_int_equal(offer(stapler, staple(&made, -2 * HOUR, 9 * DAY, status_good())), CLINCH_E_ARGUMENT); /* a replay */
	((uint8_t *)(uintptr_t)good.data)[good.len - 1] ^= 1;
	assert_int_equal(offer(stapler, good), CLINCH_E_FORMAT);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	clinch_stapler_free(stapler);
}

static void revoked_is_sent_or_dropped_as_the_operator_says(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "55", "a.test", BLOB_NONE);
	for (int drop = 0; drop < 2; drop++) {
		const struct clinch_stapler_options options = { .drop_revoked = drop };
		clinch_stapler_t *stapler = stapler_of(&options);
		add(stapler, &made);
		assert_int_equal(offer(stapler, staple(&made, -HOUR, DAY, status_good())), 0);
		assert_int_equal(offer(stapler, staple(&made, -60, DAY, status_revoked(instant(-120), 1))), 0);
		assert_int_equal(reason_seen(stapler, TLS13, "a.test"),
				 drop ? CLINCH_REASON_NO_STAPLE : CLINCH_REASON_REVOKED);
		clinch_stapler_free(stapler);
	}
}

static void a_must_staple_certificate_without_a_staple_can_be_refused(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "56", "a.test", must_staple()),
		    plain = make_leaf(KEY_OTHER, "57", "b.test", BLOB_NONE);
	const struct clinch_stapler_options options = { .refuse_unstapled = true };
	clinch_stapler_t *stapler = stapler_of(&options);
	struct talk talk;
	add(stapler, &made);
	add(stapler, &plain);
	shake(&talk, stapler, TLS13, "a.test", NULL);
	assert_true(talk.server_rc < 0 && gnutls_error_is_fatal(talk.server_rc));
	talk_end(&talk);
	assert_int_equal(reason_seen(stapler, TLS13, "b.test"), CLINCH_REASON_NO_STAPLE);
	assert_int_equal(offer(stapler, staple(&made, -HOUR, DAY, status_good())), 0);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	clinch_stapler_free(stapler);
}

/* ---- the choice, beside GnuTLS's own credentials ---- */

static const char *const priorities[] = {
	TLS12,
	TLS13,
	TLS12 ":-ECDHE-ECDSA",
	TLS12 ":-ECDHE-RSA:-DHE-RSA:-RSA",
	TLS12 ":-KX-ALL:+RSA",
	TLS12 ":-KX-ALL:+DHE-RSA:+ECDHE-ECDSA",
	TLS12 ":-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA",
	TLS12 ":-SIGN-ALL:+SIGN-RSA-SHA256",
	TLS12 ":-SIGN-ALL:+SIGN-ECDSA-SHA256",
	TLS13 ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256:+SIGN-ECDSA-SHA256",
	TLS13 ":-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256",
	TLS13 ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256",
	"NORMAL",
	"SECURE256",
};

/* The key of the certificate that came: GNUTLS_PK_...; 0: the handshake failed. */
static int key_seen(struct talk *talk)
{
	int kind = 0;
	const gnutls_datum_t *peer = gnutls_certificate_get_peers(talk->client, NULL);
	if (talk->client_rc == 0 && talk->server_rc == 0 && peer) {
		gnutls_x509_crt_t cert = import_cert(blob_of(peer->data, peer->size));
		kind = gnutls_x509_crt_get_pk_algorithm(cert, NULL);
		gnutls_x509_crt_deinit(cert);
	}
	talk_end(talk);
	return kind;
}

/* Nobody verifies here: which certificate comes is the question. */
static int choice(clinch_stapler_t *stapler, gnutls_certificate_credentials_t native, const char *priority)
{
	struct talk talk;
	talk_begin(&talk, priority, "a.test");
	if (stapler)
		assert_int_equal(clinch_stapler_attach(stapler, talk.server), 0);
	else
		gnutls_credentials_set(talk.server, GNUTLS_CRD_CERTIFICATE, native);
	talk_on(&talk);
	return key_seen(&talk);
}

static void add_native(gnutls_certificate_credentials_t native, const struct made *made)
{
	gnutls_datum_t chain = blob_datum(made->chain), key = blob_datum(made->key);
	assert_true(gnutls_certificate_set_x509_key_mem(native, &chain, &key, GNUTLS_X509_FMT_PEM) >= 0);
}

static void the_choice_is_the_one_of_gnutls_own_credentials(void **state)
{
	(void)state;
	struct made ec = make_leaf(KEY_LEAF, "58", "a.test", BLOB_NONE), rsa = make_leaf(KEY_RSA, "59", "a.test", BLOB_NONE);
	for (int rsa_first = 0; rsa_first < 2; rsa_first++) {
		gnutls_certificate_credentials_t native;
		clinch_stapler_t *stapler = stapler_of(NULL);
		gnutls_certificate_allocate_credentials(&native);
		add(stapler, rsa_first ? &rsa : &ec);
		add(stapler, rsa_first ? &ec : &rsa);
		add_native(native, rsa_first ? &rsa : &ec);
		add_native(native, rsa_first ? &ec : &rsa);
		for (size_t i = 0; i < ROWS(priorities); i++)
			check_int(priorities[i], choice(stapler, NULL, priorities[i]), choice(NULL, native, priorities[i]));
		gnutls_certificate_free_credentials(native);
		clinch_stapler_free(stapler);
	}
}

/*
 * Here GnuTLS's own credentials send the key on P-256 all the same. RFC 8422 5.1.1 wants the key's curve among the groups
 * that the client supports, and clients break off that take it at its word: the RSA key is the one that works with all.
 */
static void a_curve_that_the_client_has_not_is_not_chosen(void **state)
{
	(void)state;
	static const char p384_only[] = TLS12 ":-GROUP-ALL:+GROUP-SECP384R1";
	struct made ec = make_leaf(KEY_LEAF, "65", "a.test", BLOB_NONE), rsa = make_leaf(KEY_RSA, "66", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	add(stapler, &ec);
	assert_int_equal(choice(stapler, NULL, p384_only), GNUTLS_PK_ECDSA); /* there is no other */
	add(stapler, &rsa);
	assert_int_equal(choice(stapler, NULL, p384_only), GNUTLS_PK_RSA);
	clinch_stapler_free(stapler);
}

static void a_name_finds_its_certificate_whatever_its_case(void **state)
{
	(void)state;
	struct made a = make_leaf(KEY_LEAF, "5a", "a.test", BLOB_NONE), b = make_leaf(KEY_LEAF, "5b", "b.test", BLOB_NONE),
		    wild = make_leaf(KEY_LEAF, "5c", "*.wild.test", BLOB_NONE);
	const struct {
		const char *host;
		const struct made *made;
	} rows[] = { { "a.test", &a },    { "b.test", &b },        { "B.Test", &b },      { "x.wild.test", &wild },
		     { "wild.test", &a }, { "y.x.wild.test", &a }, { "nobody.test", &a }, { NULL, &a } };
	clinch_stapler_t *stapler = stapler_of(NULL);
	add(stapler, &a);
	add(stapler, &b);
	add(stapler, &wild);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct talk talk;
		const char *row = rows[i].host ? rows[i].host : "no name";
		shake(&talk, stapler, i % 2 ? TLS12 : TLS13, rows[i].host, NULL);
		const gnutls_datum_t *peer = gnutls_certificate_get_peers(talk.client, NULL);
		check(row, peer && peer->size == rows[i].made->leaf.len &&
				   memcmp(peer->data, rows[i].made->leaf.data, peer->size) == 0);
		talk_end(&talk);
	}
	clinch_stapler_free(stapler);
}

/* ---- what a session keeps ---- */

static int stop_at_hello(gnutls_session_t session)
{
	bool *stopped = gnutls_session_get_ptr(session);
	if (*stopped)
		return 0;
	*stopped = true;
	return GNUTLS_E_INTERRUPTED;
}

static void swap_everything(clinch_stapler_t *stapler, const struct made *made, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		if (i % 100 == 0)
			add(stapler, made);
		assert_int_equal(offer(stapler, staple(made, -HOUR + (int64_t)i, 3 * DAY, status_good())), 0);
	}
}

/* One session stands between ClientHello and Certificate, another is open, while a thousand sets are published and freed. */
static void sessions_keep_what_they_began_with(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "5d", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct talk open, held;
	bool stopped = false;
	add(stapler, &made);
	assert_int_equal(offer(stapler, staple(&made, -2 * HOUR, 3 * DAY, status_good())), 0);
	assert_true(shake(&open, stapler, TLS13, "a.test", NULL)->accepted);
	talk_begin(&held, TLS13, "a.test");
	assert_int_equal(clinch_stapler_attach(stapler, held.server), 0);
	assert_int_equal(clinch_client_attach(held.client, NULL, NULL), 0);
	gnutls_session_set_ptr(held.server, &stopped);
	gnutls_handshake_set_post_client_hello_function(held.server, stop_at_hello);
	gnutls_handshake(held.client);
	assert_int_equal(gnutls_handshake(held.server), GNUTLS_E_INTERRUPTED);
	swap_everything(stapler, &made, 1000);
	clinch_stapler_free(stapler);
	talk_on(&held);
	assert_int_equal(held.server_rc, 0);
	assert_true(clinch_client_report(held.client)->accepted);
	const gnutls_datum_t *ours[2] = { gnutls_certificate_get_ours(open.server),
					  gnutls_certificate_get_ours(held.server) };
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ours[i]->size, made.leaf.len);
		assert_memory_equal(ours[i]->data, made.leaf.data, made.leaf.len);
	}
	talk_end(&open);
	talk_end(&held);
}

static void a_client_staples_for_itself_in_tls13_alone(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "5e", "a.test", BLOB_NONE);
	const gnutls_datum_t ca = blob_datum(world_ca());
	clinch_stapler_t *stapler = stapler_of(NULL);
	add(stapler, &made);
	assert_int_equal(offer(stapler, staple(&made, -HOUR, 3 * DAY, status_good())), 0);
	gnutls_certificate_set_x509_trust_mem(clinch_stapler_credentials(stapler), &ca, GNUTLS_X509_FMT_DER);
	for (int i = 0; i < 2; i++) {
		struct talk talk;
		talk_begin(&talk, i ? TLS13 : TLS12, "a.test");
		gnutls_certificate_server_set_request(talk.server, GNUTLS_CERT_REQUIRE);
		assert_int_equal(clinch_stapler_attach(stapler, talk.server), 0);
		assert_int_equal(clinch_client_attach(talk.server, NULL, NULL), 0);
		assert_int_equal(clinch_client_attach(talk.client, NULL, NULL), 0);
		assert_int_equal(clinch_stapler_attach(stapler, talk.client), 0);
		talk_on(&talk);
		assert_int_equal(talk.client_rc, 0);
		assert_int_equal(talk.server_rc, 0);
		const struct clinch_report *report = clinch_client_report(talk.server);
		assert_int_equal(report->reason, i ? CLINCH_REASON_GOOD : CLINCH_REASON_NO_STAPLE);
		talk_end(&talk);
	}
	clinch_stapler_free(stapler);
}

static void attaching_says_what_is_wrong_with_it(void **state)
{
	(void)state;
	struct made made = make_leaf(KEY_LEAF, "5f", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct talk talk;
	talk_begin(&talk, TLS13, NULL);
	assert_int_equal(clinch_stapler_attach(stapler, talk.server), CLINCH_E_MISSING);
	assert_int_equal(clinch_stapler_sent(talk.server), -1);
	add(stapler, &made);
	assert_int_equal(clinch_stapler_attach(stapler, talk.server), 0);
	assert_int_equal(clinch_stapler_attach(stapler, talk.server), CLINCH_E_ARGUMENT);
	assert_int_equal(clinch_stapler_sent(talk.server), -1);
	talk_end(&talk);
	clinch_stapler_free(stapler);
	clinch_stapler_free(NULL);
}

/* ---- files ---- */

static char dir[256], chain_path[300], key_path[300];

static int make_dir(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/clinch-stapler-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(chain_path, sizeof(chain_path), "%s/chain.pem", dir);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	maker_reset();
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(chain_path);
	unlink(key_path);
	return rmdir(dir);
}

static void put(const char *path, struct blob text)
{
	char temporary[320];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	FILE *file = fopen(temporary, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, path), 0);
}

static void expect_leaf(clinch_stapler_t *stapler, const struct made *made)
{
	struct clinch_stapler_state seen;
	uint8_t fingerprint[32];
	assert_int_equal(clinch_stapler_state(stapler, 0, time(NULL), &seen), 0);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, made->leaf.data, made->leaf.len, fingerprint);
	assert_memory_equal(seen.fingerprint, fingerprint, sizeof(fingerprint));
	assert_int_equal(clinch_stapler_state(stapler, 1, time(NULL), &seen), CLINCH_E_MISSING);
}

static void a_pair_is_taken_only_when_it_fits(void **state)
{
	(void)state;
	struct made old = make_leaf(KEY_LEAF, "60", "a.test", BLOB_NONE),
		    renewed = make_leaf(KEY_OTHER, "61", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	struct clinch_error err = { .text = "" };
	put(chain_path, old.chain);
	put(key_path, renewed.key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, &err), CLINCH_E_FORMAT);
	assert_non_null(strstr(err.text, chain_path));
	put(key_path, old.key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, &err), 0);
	put(chain_path, renewed.chain);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), CLINCH_E_FORMAT);
	expect_leaf(stapler, &old);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), 0); /* said once */
	put(key_path, renewed.key);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), 0);
	expect_leaf(stapler, &renewed);
	assert_int_equal(unlink(chain_path), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, time(NULL), &err), CLINCH_E_FILE);
	expect_leaf(stapler, &renewed);
	put(chain_path, renewed.chain);
	clinch_stapler_free(stapler);
}

/* No unstapled gap: what is stapled stays until the renewed certificate has its staple, or five minutes have passed. */
static void a_renewed_certificate_waits_for_its_staple(void **state)
{
	(void)state;
	struct made old = make_leaf(KEY_LEAF, "62", "a.test", BLOB_NONE),
		    renewed = make_leaf(KEY_LEAF, "63", "a.test", BLOB_NONE),
		    third = make_leaf(KEY_LEAF, "64", "a.test", BLOB_NONE);
	clinch_stapler_t *stapler = stapler_of(NULL);
	int64_t now = time(NULL);
	put(chain_path, old.chain);
	put(key_path, old.key);
	assert_int_equal(clinch_stapler_add_file(stapler, chain_path, key_path, NULL), 0);
	assert_int_equal(offer(stapler, staple(&old, -HOUR, 3 * DAY, status_good())), 0);
	put(chain_path, renewed.chain);
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	expect_leaf(stapler, &old);
	assert_int_equal(offer(stapler, staple(&renewed, -HOUR, 3 * DAY, status_good())), 0);
	expect_leaf(stapler, &renewed);
	assert_int_equal(reason_seen(stapler, TLS13, "a.test"), CLINCH_REASON_GOOD);
	put(chain_path, third.chain);
	assert_int_equal(clinch_stapler_refresh(stapler, now, NULL), 0);
	assert_int_equal(clinch_stapler_refresh(stapler, now + 299, NULL), 0);
	expect_leaf(stapler, &renewed);
	assert_int_equal(clinch_stapler_refresh(stapler, now + 300, NULL), 0);
	expect_leaf(stapler, &third);
	clinch_stapler_free(stapler);
}

#define F(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

static int done(void **state)
{
	(void)state;
	maker_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_staple_goes_out_over_both_versions),
		T(a_staple_stops_being_sent_before_it_ends),
		T(only_what_is_believed_and_newer_gets_in),
		T(revoked_is_sent_or_dropped_as_the_operator_says),
		T(a_must_staple_certificate_without_a_staple_can_be_refused),
		T(the_choice_is_the_one_of_gnutls_own_credentials),
		T(a_curve_that_the_client_has_not_is_not_chosen),
		T(a_name_finds_its_certificate_whatever_its_case),
		T(sessions_keep_what_they_began_with),
		T(a_client_staples_for_itself_in_tls13_alone),
		T(attaching_says_what_is_wrong_with_it),
		F(a_pair_is_taken_only_when_it_fits),
		F(a_renewed_certificate_waits_for_its_staple),
	};
	return cmocka_run_group_tests_name("stapler", tests, NULL, done);
}
