/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the stapler says of a response that it does not take, and of a certificate without one. */
#include "unit.h"
#include <clinch/stapler.h>
#include <string.h>

static clinch_stapler_t *stapler;

static struct blob cert_pem(struct blob der)
{
	gnutls_datum_t out, in = blob_datum(der);
	assert_int_equal(gnutls_pem_base64_encode2("CERTIFICATE", &in, &out), 0);
	struct blob copy = blob_of(out.data, out.size);
	gnutls_free(out.data);
	return copy;
}

static int make_stapler(void **state)
{
	forget_blobs(state);
	const struct clinch_stapler_options options = { .policy = { .max_len = 5000 } };
	const gnutls_datum_t chain = blob_datum(CAT(cert_pem(world_leaf()), cert_pem(world_ca())));
	const gnutls_datum_t key = blob_datum(blob_text(maker_key_pem[KEY_LEAF]));
	struct clinch_error err;
	if (clinch_stapler_new(&stapler, &options, &err) < 0)
		return -1;
	return clinch_stapler_add_mem(stapler, &chain, &key, &err);
}

static int drop_stapler(void **state)
{
	(void)state;
	clinch_stapler_free(stapler);
	return 0;
}

static int offer(struct blob response, struct clinch_verdict *verdict)
{
	const gnutls_datum_t der = blob_datum(response);
	return clinch_stapler_offer(stapler, &der, NOW, verdict);
}

static struct blob response_for(const char *serial, size_t padding)
{
	struct entry_spec entry = good_entry();
	entry.cert_id = cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(serial));
	struct response_spec spec = response_with(make_entry(&entry));
	spec.extensions = padding ? extension(X_MADE_UP, -1, blob_fill('x', padding)) : BLOB_NONE;
	return make_response(&spec);
}

static struct clinch_verdict verdict_held(bool *is_stapled)
{
	struct clinch_stapler_state held;
	assert_int_equal(clinch_stapler_state(stapler, 0, NOW, &held), 0);
	*is_stapled = held.is_stapled;
	return held.verdict;
}

static void a_certificate_without_a_staple_says_that_it_has_none(void **state)
{
	(void)state;
	bool is_stapled;
	struct clinch_verdict verdict = verdict_held(&is_stapled);
	assert_int_equal(verdict.status, CLINCH_MISSING);
	assert_string_equal(clinch_reason_name(verdict.reason), "no-staple");
	assert_false(is_stapled);
	assert_int_equal(offer(response_for(LEAF_SERIAL, 0), &verdict), 0);
	assert_string_equal(clinch_reason_name(verdict.reason), "good");
	verdict = verdict_held(&is_stapled);
	assert_string_equal(clinch_reason_name(verdict.reason), "good");
	assert_true(is_stapled);
}

static void a_response_above_the_limit_is_not_read(void **state)
{
	(void)state;
	struct clinch_verdict verdict;
	bool is_stapled;
	assert_int_equal(offer(response_for(LEAF_SERIAL, 6000), &verdict), CLINCH_E_FORMAT);
	assert_int_equal(verdict.status, CLINCH_INVALID);
	assert_string_equal(clinch_reason_name(verdict.reason), "response-too-large");
	verdict_held(&is_stapled);
	assert_false(is_stapled);
}

static void a_response_for_nobodys_certificate_is_nobodys(void **state)
{
	(void)state;
	struct clinch_verdict verdict;
	assert_int_equal(offer(response_for("77", 0), &verdict), CLINCH_E_MISSING);
	assert_int_equal(verdict.status, CLINCH_INVALID);
	assert_string_equal(clinch_reason_name(verdict.reason), "no-entry");
}

static void bytes_that_are_no_response_say_why(void **state)
{
	(void)state;
	struct clinch_verdict verdict;
	assert_int_equal(offer(blob_text("<html>"), &verdict), CLINCH_E_FORMAT);
	assert_string_equal(clinch_reason_name(verdict.reason), "response-malformed");
	assert_int_equal(offer(SEQ(enumerated(3)), &verdict), CLINCH_E_FORMAT);
	assert_string_equal(clinch_reason_name(verdict.reason), "responder-try-later");
	const gnutls_datum_t junk = blob_datum(blob_text("x"));
	assert_int_equal(clinch_stapler_offer(stapler, &junk, NOW, NULL), CLINCH_E_FORMAT);
}

#define WITH_STAPLER(function) cmocka_unit_test_setup_teardown(function, make_stapler, drop_stapler)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STAPLER(a_certificate_without_a_staple_says_that_it_has_none),
		WITH_STAPLER(a_response_above_the_limit_is_not_read),
		WITH_STAPLER(a_response_for_nobodys_certificate_is_nobodys),
		WITH_STAPLER(bytes_that_are_no_response_say_why),
	};
	return cmocka_run_group_tests_name("offer", tests, NULL, drop_keys);
}
