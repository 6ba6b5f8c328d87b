/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The judge, rule by rule (docs/verification.md, "Belief"): one rule broken a row, well signed all the same. */
#include "ocsp/names.h"
#include "subject.h"
#include <string.h>

static struct clinch_verdict judge_at(struct blob response, int64_t now, const struct clinch_policy *policy)
{
	struct clinch_verdict verdict;
	const gnutls_datum_t der = blob_datum(response);
	clinch_response_t *out = (clinch_response_t *)(uintptr_t)1;
	clinch_verify(&out, &verdict, &der, subject, now, policy);
	bool believed = verdict.fresh && (verdict.status == CLINCH_GOOD || verdict.status == CLINCH_REVOKED);
	assert_int_equal(out != NULL, believed);
	assert_int_equal(verdict.status, reason_status(verdict.reason));
	clinch_response_unref(out);
	return verdict;
}

static void expect(const char *row, struct blob response, const struct clinch_policy *policy, enum clinch_reason reason)
{
	const struct clinch_verdict verdict = judge_at(response, NOW, policy);
	check_str(row, clinch_reason_name(verdict.reason), clinch_reason_name(reason));
}

static struct blob entry_good(void)
{
	const struct entry_spec spec = good_entry();
	return make_entry(&spec);
}

static struct blob of_issuer(struct blob entries)
{
	const struct response_spec spec = response_with(entries);
	return make_response(&spec);
}

static struct blob of_delegate(struct blob cert)
{
	struct response_spec spec = delegated_with(entry_good());
	spec.certs = cert;
	return make_response(&spec);
}

static void a_good_response_is_good_and_fresh_and_kept(void **state)
{
	(void)state;
	struct blob bytes = of_issuer(entry_good());
	const gnutls_datum_t der = blob_datum(bytes);
	clinch_response_t *out = NULL;
	struct clinch_verdict verdict;
	clinch_verify(&out, &verdict, &der, subject, NOW, NULL);
	assert_int_equal(verdict.status, CLINCH_GOOD);
	assert_true(verdict.fresh);
	assert_int_equal(verdict.reason, CLINCH_REASON_GOOD);
	assert_int_equal(verdict.produced_at, NOW - DAY);
	assert_int_equal(verdict.this_update, NOW - DAY);
	assert_int_equal(verdict.next_update, NOW + 3 * DAY);
	assert_int_equal(verdict.fresh_until, NOW + 3 * DAY);
	assert_int_equal(verdict.revoked_at, 0);
	assert_int_equal(verdict.revocation_reason, -1);
	assert_int_equal(clinch_response_der(out).size, bytes.len);
	assert_memory_equal(clinch_response_der(out).data, bytes.data, bytes.len);
	assert_memory_equal(clinch_response_verdict(out), &verdict, sizeof(verdict));
	clinch_response_t *again = clinch_response_ref(out);
	clinch_response_unref(out);
	assert_int_equal(clinch_response_verdict(again)->status, CLINCH_GOOD);
	clinch_response_unref(again);
	clinch_response_unref(NULL);
	assert_null(clinch_response_ref(NULL));
}

static void a_delegate_of_the_issuer_is_as_good(void **state)
{
	(void)state;
	struct response_spec by_name = delegated_with(entry_good());
	by_name.responder = responder_by_name(DELEGATE_NAME);
	expect("byKey", of_delegate(world_delegate()), NULL, CLINCH_REASON_GOOD);
	expect("byName", make_response(&by_name), NULL, CLINCH_REASON_GOOD);
}

static void nothing_was_asked_to_be_kept(void **state)
{
	(void)state;
	struct clinch_verdict verdict;
	const gnutls_datum_t der = blob_datum(of_issuer(entry_good()));
	clinch_verify(NULL, &verdict, &der, subject, NOW, NULL);
	assert_int_equal(verdict.status, CLINCH_GOOD);
}

static void the_size_comes_first(void **state)
{
	(void)state;
	struct blob good = of_issuer(entry_good()), huge = blob_fill(0x30, 65537), at_limit = blob_fill(0x30, 65536);
	const struct clinch_policy exact = { .max_len = (uint32_t)good.len }, less = { .max_len = (uint32_t)good.len - 1 };
	expect("no bytes", blob_of("", 0), NULL, CLINCH_REASON_RESPONSE_EMPTY);
	expect("64 KiB and one", huge, NULL, CLINCH_REASON_RESPONSE_TOO_LARGE);
	expect("64 KiB", at_limit, NULL, CLINCH_REASON_RESPONSE_MALFORMED);
	expect("at a limit of one's own", good, &exact, CLINCH_REASON_GOOD);
	expect("above it", good, &less, CLINCH_REASON_RESPONSE_TOO_LARGE);
}

/* A later header's field asks for something that this library cannot obey. */
static void a_policy_with_something_unknown_in_it_judges_nothing(void **state)
{
	(void)state;
	struct blob good = of_issuer(entry_good());
	for (size_t i = 0; i < ROWS(((struct clinch_policy *)0)->reserved); i++) {
		struct clinch_policy policy = { 0 };
		policy.reserved[i] = 1;
		expect("a reserved field", good, &policy, CLINCH_REASON_INTERNAL);
	}
}

/* Belief 2: the issuer itself, or a certificate that exactly that issuer made for it. */
static void nobody_else_may_vouch(void **state)
{
	(void)state;
	struct response_spec other = response_with(entry_good()), claims = other, impostor = other;
	other.signer = KEY_OTHER;
	other.responder = responder_by_key(KEY_OTHER);
	claims.responder = responder_by_name("Somebody");
	impostor.signer = KEY_OTHER;
	struct response_spec wrong_name = delegated_with(entry_good()), none = wrong_name, wrong_key = wrong_name;
	wrong_name.responder = responder_by_name("Somebody");
	none.certs = BLOB_NONE;
	wrong_key.responder = responder_by_key(KEY_OTHER);
	struct response_spec hashed_spki = response_with(entry_good());
	hashed_spki.responder = tlv(0xa2, OCTETS(digest(GNUTLS_DIG_SHA1, key_spki(KEY_CA))));
	expect("a stranger", make_response(&other), NULL, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("under a stranger's name", make_response(&claims), NULL, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("under the issuer's name", make_response(&impostor), NULL, CLINCH_REASON_SIGNATURE_BAD);
	expect("the delegate under another name", make_response(&wrong_name), NULL, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("the delegate under another key", make_response(&wrong_key), NULL, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("the delegate without its certificate", make_response(&none), NULL, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("the hash of the whole SubjectPublicKeyInfo", make_response(&hashed_spki), NULL,
	       CLINCH_REASON_SIGNER_UNKNOWN);
}

struct delegate_row {
	const char *row;
	struct cert_spec spec;
	enum clinch_reason reason;
};

static struct cert_spec with(struct blob extensions)
{
	struct cert_spec spec = delegate_spec();
	spec.extensions = extensions;
	return spec;
}

static struct cert_spec signed_by(const char *issuer, enum key key, enum scheme scheme)
{
	struct cert_spec spec = delegate_spec();
	spec.issuer = issuer;
	spec.signer = key;
	spec.scheme = scheme;
	return spec;
}

static struct cert_spec valid(const char *from, const char *to)
{
	struct cert_spec spec = delegate_spec();
	spec.not_before = from;
	spec.not_after = to;
	return spec;
}

static void a_delegate_is_what_rfc_6960_says(void **state)
{
	(void)state;
	struct blob eku = eku_ocsp_signing();
	const struct delegate_row rows[] = {
		{ "right", delegate_spec(), CLINCH_REASON_GOOD },
		{ "issued by a stranger", signed_by("Somebody", KEY_OTHER, ECDSA_SHA256), CLINCH_REASON_DELEGATE_ISSUER },
		{ "issued by a namesake", signed_by(CA_NAME, KEY_OTHER, ECDSA_SHA256), CLINCH_REASON_DELEGATE_SIGNATURE },
		{ "signed by a key of another kind", signed_by(CA_NAME, KEY_RSA, RSA_SHA256),
		  CLINCH_REASON_DELEGATE_SIGNATURE },
		{ "signed with SHA-1", signed_by(CA_NAME, KEY_CA, ECDSA_SHA1), CLINCH_REASON_DELEGATE_WEAK_SIGNATURE },
		{ "no purpose", with(extension(X_NOCHECK, -1, null_value())), CLINCH_REASON_DELEGATE_EKU },
		{ "serverAuth", with(extension(X_EXTENDED_KEY_USAGE, -1, SEQ(oid("2b06010505070301")))),
		  CLINCH_REASON_DELEGATE_EKU },
		{ "anyExtendedKeyUsage", with(extension(X_EXTENDED_KEY_USAGE, -1, SEQ(oid("551d2500")))),
		  CLINCH_REASON_DELEGATE_EKU },
		{ "a longer arc", with(extension(X_EXTENDED_KEY_USAGE, -1, SEQ(oid("2b0601050507030901")))),
		  CLINCH_REASON_DELEGATE_EKU },
		{ "a shorter arc", with(extension(X_EXTENDED_KEY_USAGE, -1, SEQ(oid("2b060105050703")))),
		  CLINCH_REASON_DELEGATE_EKU },
		{ "purposes without a list", with(extension(X_EXTENDED_KEY_USAGE, -1, oid("2b06010505070309"))),
		  CLINCH_REASON_DELEGATE_EKU },
		{ "behind the purposes",
		  with(extension(X_EXTENDED_KEY_USAGE, -1, CAT(SEQ(oid("2b06010505070309")), null_value()))),
		  CLINCH_REASON_DELEGATE_EKU },
		{ "nonsense among the purposes",
		  with(extension(X_EXTENDED_KEY_USAGE, -1, SEQ(oid("2b06010505070309"), null_value()))),
		  CLINCH_REASON_DELEGATE_EKU },
		{ "several purposes",
		  with(extension(X_EXTENDED_KEY_USAGE, 1, SEQ(oid("2b06010505070301"), oid("2b06010505070309")))),
		  CLINCH_REASON_GOOD },
		{ "digitalSignature", with(CAT(eku, extension(X_KEY_USAGE, 1, blob_hex("03020780")))), CLINCH_REASON_GOOD },
		{ "nonRepudiation", with(CAT(eku, extension(X_KEY_USAGE, 1, blob_hex("03020640")))), CLINCH_REASON_GOOD },
		{ "keyEncipherment", with(CAT(eku, extension(X_KEY_USAGE, 1, blob_hex("03020520")))),
		  CLINCH_REASON_DELEGATE_KEY_USAGE },
		{ "no use", with(CAT(eku, extension(X_KEY_USAGE, 1, blob_hex("030100")))),
		  CLINCH_REASON_DELEGATE_KEY_USAGE },
		{ "a broken use", with(CAT(eku, extension(X_KEY_USAGE, 1, blob_hex("03020880")))),
		  CLINCH_REASON_DELEGATE_KEY_USAGE },
		{ "behind the use", with(CAT(eku, extension(X_KEY_USAGE, 1, blob_hex("030207800500")))),
		  CLINCH_REASON_DELEGATE_KEY_USAGE },
		{ "a use that is no BIT STRING", with(CAT(eku, extension(X_KEY_USAGE, 1, blob_hex("04020780")))),
		  CLINCH_REASON_DELEGATE_KEY_USAGE },
		{ "a critical extension of nobody's", with(CAT(eku, extension(X_MADE_UP, 1, BLOB_NONE))),
		  CLINCH_REASON_DELEGATE_CRITICAL },
		{ "nameConstraints, critical", with(CAT(eku, extension("551d1e", 1, SEQ(BLOB_NONE)))),
		  CLINCH_REASON_DELEGATE_CRITICAL },
		{ "an extension of nobody's", with(CAT(eku, extension(X_MADE_UP, -1, BLOB_NONE))), CLINCH_REASON_GOOD },
		{ "not valid yet", valid("260616000000Z", "270101000000Z"), CLINCH_REASON_DELEGATE_NOT_YET },
		{ "expired", valid("250101000000Z", "260615115959Z"), CLINCH_REASON_DELEGATE_EXPIRED },
		{ "in its first second", valid("260615120000Z", "270101000000Z"), CLINCH_REASON_GOOD },
		{ "in its last second", valid("250101000000Z", "260615120000Z"), CLINCH_REASON_GOOD },
	};
	for (size_t i = 0; i < ROWS(rows); i++)
		expect(rows[i].row, of_delegate(make_cert(&rows[i].spec)), NULL, rows[i].reason);
}

static struct blob delegated_by_key(enum key key, enum scheme scheme)
{
	struct cert_spec cert = delegate_spec();
	struct response_spec spec = delegated_with(entry_good());
	cert.key = key;
	spec.signer = key;
	spec.scheme = scheme;
	spec.responder = responder_by_key(key);
	spec.certs = make_cert(&cert);
	return make_response(&spec);
}

static void a_delegates_key_is_strong_and_of_the_kind_that_signed(void **state)
{
	(void)state;
	struct response_spec lies = delegated_with(entry_good());
	lies.scheme = ED25519_PURE;
	struct blob tbs = make_tbs(&lies);
	struct blob mixed = wrap_basic(make_basic(tbs, algorithm_of(ED25519_PURE), blob_fill(0, 64), world_delegate()));
	expect("RSA 2048", delegated_by_key(KEY_RSA, RSA_SHA256), NULL, CLINCH_REASON_GOOD);
	expect("RSASSA-PSS", delegated_by_key(KEY_RSA, PSS_SHA256), NULL, CLINCH_REASON_GOOD);
	expect("Ed25519", delegated_by_key(KEY_ED25519, ED25519_PURE), NULL, CLINCH_REASON_GOOD);
	expect("RSA 1024", delegated_by_key(KEY_RSA_1024, RSA_SHA256), NULL, CLINCH_REASON_DELEGATE_WEAK_KEY);
	expect("an Ed25519 signature of an ECDSA key", mixed, NULL, CLINCH_REASON_SIGNATURE_KEY);
}

static void a_delegate_that_is_no_certificate_is_said_to_be(void **state)
{
	(void)state;
	expect("an empty SEQUENCE", of_delegate(SEQ(BLOB_NONE)), NULL, CLINCH_REASON_DELEGATE_MALFORMED);
	expect("and a right one behind it", of_delegate(CAT(SEQ(BLOB_NONE), world_delegate())), NULL, CLINCH_REASON_GOOD);
}

static struct blob namesakes(unsigned n)
{
	struct blob all = BLOB_NONE;
	for (unsigned i = 0; i < n; i++) {
		struct cert_spec spec = delegate_spec();
		uint8_t serial = (uint8_t)(0x40 + i);
		spec.serial = blob_of(&serial, 1);
		spec.signer = KEY_OTHER;
		all = CAT(all, make_cert(&spec));
	}
	return all;
}

/* Each one that the ResponderID names is a candidate, 8 at most; those it does not name cost nothing. */
static void each_embedded_certificate_is_a_candidate_but_eight_at_most(void **state)
{
	(void)state;
	struct blob leaf = world_leaf(), leaves = BLOB_NONE;
	for (unsigned i = 0; i < 20; i++)
		leaves = CAT(leaves, leaf);
	expect("the right one is the second", of_delegate(CAT(world_leaf(), world_delegate())), NULL, CLINCH_REASON_GOOD);
	expect("the eighth of its name", of_delegate(CAT(namesakes(7), world_delegate())), NULL, CLINCH_REASON_GOOD);
	expect("the ninth of its name", of_delegate(CAT(namesakes(8), world_delegate())), NULL,
	       CLINCH_REASON_DELEGATE_SIGNATURE);
	expect("behind twenty strangers", of_delegate(CAT(leaves, world_delegate())), NULL, CLINCH_REASON_GOOD);
}

/* The reason is that of the candidate that came furthest, whatever the order. */
static void the_reason_is_of_the_candidate_that_came_furthest(void **state)
{
	(void)state;
	const struct cert_spec old = valid("250101000000Z", "260101000000Z"),
			       no_purpose = with(extension(X_NOCHECK, -1, null_value()));
	struct blob a = make_cert(&old), b = make_cert(&no_purpose), c = SEQ(BLOB_NONE);
	expect("far first", of_delegate(CAT(a, b, c)), NULL, CLINCH_REASON_DELEGATE_EXPIRED);
	expect("far last", of_delegate(CAT(c, b, a)), NULL, CLINCH_REASON_DELEGATE_EXPIRED);
}

/* RFC 6960 4.2.2.2 (1) */
static void a_signer_is_trusted_only_when_told_to(void **state)
{
	(void)state;
	struct cert_spec own = delegate_spec();
	own.issuer = "Own";
	own.subject = "Own";
	own.signer = own.key = KEY_OTHER;
	struct blob cert = make_cert(&own);
	struct response_spec spec = response_with(entry_good());
	spec.signer = KEY_OTHER;
	spec.responder = responder_by_key(KEY_OTHER);
	struct blob response = make_response(&spec);
	const gnutls_datum_t trusted = blob_datum(cert), junk = blob_datum(blob_hex("3000")),
			     leaf = blob_datum(world_leaf());
	const struct clinch_policy yes = { .trusted = &trusted }, nonsense = { .trusted = &junk },
				   other = { .trusted = &leaf };
	expect("not told", response, NULL, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("told", response, &yes, CLINCH_REASON_GOOD);
	expect("told of nonsense", response, &nonsense, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("told of another", response, &other, CLINCH_REASON_SIGNER_UNKNOWN);
	expect("the issuer still may", of_issuer(entry_good()), &yes, CLINCH_REASON_GOOD);
	spec.signer = KEY_LEAF;
	expect("told, and signed by another", make_response(&spec), &yes, CLINCH_REASON_SIGNATURE_BAD);
	own.signer = own.key = KEY_RSA_1024;
	own.scheme = RSA_SHA256;
	const gnutls_datum_t small = blob_datum(make_cert(&own));
	const struct clinch_policy weak = { .trusted = &small };
	spec.signer = KEY_RSA_1024;
	spec.scheme = RSA_SHA256;
	spec.responder = responder_by_key(KEY_RSA_1024);
	struct clinch_verdict verdict = judge_at(make_response(&spec), NOW, &weak);
	assert_int_equal(verdict.status, CLINCH_INVALID);
}

/* Belief 3 */
static void what_signs_is_judged_before_what_is_signed(void **state)
{
	(void)state;
	struct response_spec sha1 = response_with(entry_good());
	sha1.scheme = ECDSA_SHA1;
	struct blob weak = make_response(&sha1), tbs = make_tbs(&sha1), none = blob_fill(0, 70);
	const struct clinch_policy allow = { .allow_sha1_signature = true };
	struct blob md5 = SEQ(oid("2a864886f70d010104"), null_value()), made_up = SEQ(oid(X_MADE_UP));
	struct blob with_null = SEQ(oid("2a8648ce3d040302"), null_value());
	expect("SHA-1", weak, NULL, CLINCH_REASON_SIGNATURE_WEAK);
	expect("SHA-1, allowed", weak, &allow, CLINCH_REASON_GOOD);
	expect("MD5, SHA-1 allowed", wrap_basic(make_basic(tbs, md5, none, BLOB_NONE)), &allow,
	       CLINCH_REASON_SIGNATURE_WEAK);
	expect("nobody's algorithm", wrap_basic(make_basic(tbs, made_up, none, BLOB_NONE)), NULL,
	       CLINCH_REASON_SIGNATURE_UNKNOWN);
	expect("parameters", wrap_basic(make_basic(tbs, with_null, none, BLOB_NONE)), NULL,
	       CLINCH_REASON_SIGNATURE_PARAMETERS);
	expect("RSA by an ECDSA key", wrap_basic(make_basic(tbs, algorithm_of(RSA_SHA256), none, BLOB_NONE)), NULL,
	       CLINCH_REASON_SIGNATURE_KEY);
	expect("nothing", wrap_basic(make_basic(tbs, algorithm_of(ECDSA_SHA256), BLOB_NONE, BLOB_NONE)), NULL,
	       CLINCH_REASON_SIGNATURE_BAD);
}

static void an_issuer_with_a_small_key_cannot_be_believed(void **state)
{
	(void)state;
	struct cert_spec ca = { .serial = blob_hex("01"),
				.issuer = "Small",
				.subject = "Small",
				.key = KEY_RSA_1024,
				.signer = KEY_RSA_1024,
				.scheme = RSA_SHA256,
				.not_before = "250101000000Z",
				.not_after = "350101000000Z",
				.extensions = ca_constraints() };
	struct cert_spec leaf = leaf_spec();
	leaf.issuer = "Small";
	leaf.signer = KEY_RSA_1024;
	leaf.scheme = RSA_SHA256;
	clinch_subject_t *kept = subject;
	subject = subject_of(make_cert(&leaf), make_cert(&ca));
	struct entry_spec entry = good_entry();
	entry.cert_id = cert_id(GNUTLS_DIG_SHA1, "Small", KEY_RSA_1024, blob_hex(LEAF_SERIAL));
	struct response_spec spec = response_with(make_entry(&entry));
	spec.signer = KEY_RSA_1024;
	spec.scheme = RSA_SHA256;
	spec.responder = responder_by_key(KEY_RSA_1024);
	const struct clinch_verdict verdict = judge_at(make_response(&spec), NOW, NULL);
	clinch_subject_unref(subject);
	subject = kept;
	assert_string_equal(clinch_reason_name(verdict.reason), "issuer-weak-key");
}

/* Every byte, one bit each: nothing that was tampered with is good. */
static void no_flipped_bit_makes_a_revoked_response_good(void **state)
{
	(void)state;
	struct entry_spec revoked = good_entry();
	revoked.status = status_revoked("20260601000000Z", 1);
	struct blob bytes = of_issuer(make_entry(&revoked));
	uint8_t *at = (uint8_t *)(uintptr_t)bytes.data;
	assert_int_equal(judge_at(bytes, NOW, NULL).status, CLINCH_REVOKED);
	for (size_t i = 0; i < bytes.len; i++) {
		at[i] ^= (uint8_t)(1 << (i % 8));
		assert_int_not_equal(judge_at(bytes, NOW, NULL).status, CLINCH_GOOD);
		at[i] ^= (uint8_t)(1 << (i % 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_response_is_good_and_fresh_and_kept),
		T(a_delegate_of_the_issuer_is_as_good),
		T(nothing_was_asked_to_be_kept),
		T(the_size_comes_first),
		T(a_policy_with_something_unknown_in_it_judges_nothing),
		T(nobody_else_may_vouch),
		T(a_delegate_is_what_rfc_6960_says),
		T(a_delegates_key_is_strong_and_of_the_kind_that_signed),
		T(a_delegate_that_is_no_certificate_is_said_to_be),
		T(each_embedded_certificate_is_a_candidate_but_eight_at_most),
		T(the_reason_is_of_the_candidate_that_came_furthest),
		T(a_signer_is_trusted_only_when_told_to),
		T(what_signs_is_judged_before_what_is_signed),
		T(an_issuer_with_a_small_key_cannot_be_believed),
		T(no_flipped_bit_makes_a_revoked_response_good),
	};
	return cmocka_run_group_tests_name("verify", tests, make_subject, drop_subject);
}
