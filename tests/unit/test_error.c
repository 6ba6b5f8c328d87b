/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "unit.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <string.h>

static void a_failure_is_filled_in_and_its_code_returned(void **state)
{
	(void)state;
	struct clinch_error err;
	memset(&err, 0x55, sizeof(err));
	assert_int_equal(error_set(&err, CLINCH_E_FORMAT, "%s: byte %d", "x.der", 7), CLINCH_E_FORMAT);
	assert_int_equal(err.code, CLINCH_E_FORMAT);
	assert_int_equal(err.gnutls, 0);
	assert_int_equal(err.sys_errno, 0);
	assert_string_equal(err.text, "x.der: byte 7");
}

static void nobody_needs_to_listen(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, CLINCH_E_TIMEOUT, "x"), CLINCH_E_TIMEOUT);
	errno = ENOENT;
	assert_int_equal(error_errno(NULL, "x"), CLINCH_E_FILE);
	assert_int_equal(error_gnutls(NULL, GNUTLS_E_INTERNAL_ERROR, "x"), CLINCH_E_GNUTLS);
}

static void errno_is_kept_and_said(void **state)
{
	(void)state;
	struct clinch_error err;
	errno = ENOENT;
	assert_int_equal(error_errno(&err, "/no/such"), CLINCH_E_FILE);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_int_equal(err.gnutls, 0);
	assert_non_null(strstr(err.text, "/no/such"));
	assert_non_null(strstr(err.text, strerror(ENOENT)));
}

static void gnutls_failures_keep_their_number_and_memory_is_memory(void **state)
{
	(void)state;
	struct clinch_error err;
	assert_int_equal(error_gnutls(&err, GNUTLS_E_ASN1_DER_ERROR, "x.pem"), CLINCH_E_GNUTLS);
	assert_int_equal(err.gnutls, GNUTLS_E_ASN1_DER_ERROR);
	assert_non_null(strstr(err.text, gnutls_strerror(GNUTLS_E_ASN1_DER_ERROR)));
	assert_int_equal(error_gnutls(&err, GNUTLS_E_MEMORY_ERROR, "x.pem"), CLINCH_E_MEMORY);
	assert_int_equal(err.gnutls, GNUTLS_E_MEMORY_ERROR);
}

static void a_long_sentence_is_cut_and_ended(void **state)
{
	(void)state;
	struct clinch_error err;
	char name[2000];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	error_set(&err, CLINCH_E_FILE, "%s", name);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	errno = EACCES;
	error_errno(&err, "%s", name);
	assert_true(strlen(err.text) < sizeof(err.text));
	error_gnutls(&err, GNUTLS_E_INTERNAL_ERROR, "%s", name);
	assert_true(strlen(err.text) < sizeof(err.text));
}

static void strangers_bytes_become_printable(void **state)
{
	(void)state;
	char out[8];
	assert_string_equal(error_printable(out, sizeof(out), "a\x1b[\0\x7f\xe9z", 7), "a?[???z");
	assert_string_equal(error_printable(out, sizeof(out), "abcdefghij", 10), "abcdefg");
	assert_string_equal(error_printable(out, 1, "abc", 3), "");
	assert_string_equal(error_printable(out, sizeof(out), "", 0), "");
	assert_string_equal(error_printable(out, sizeof(out), "a\nb", 3), "a?b");
}

static void every_code_has_words_and_the_rest_too(void **state)
{
	(void)state;
	for (int code = CLINCH_OK; code >= CLINCH_E_MISSING; code--)
		assert_true(strlen(clinch_strerror(code)) > 1);
	for (int code = CLINCH_OK; code > CLINCH_E_MISSING; code--)
		assert_string_not_equal(clinch_strerror(code), clinch_strerror(code - 1));
	assert_non_null(clinch_strerror(1));
	assert_non_null(clinch_strerror(-1000));
	assert_non_null(clinch_strerror(INT_MIN));
}

static void only_memory_network_and_time_outs_are_temporary(void **state)
{
	(void)state;
	for (int code = CLINCH_OK; code >= CLINCH_E_MISSING; code--) {
		bool expected = code == CLINCH_E_MEMORY || code == CLINCH_E_NETWORK || code == CLINCH_E_TIMEOUT;
		assert_int_equal(clinch_is_temporary(code), expected);
	}
	assert_false(clinch_is_temporary(-1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_failure_is_filled_in_and_its_code_returned),
		T(nobody_needs_to_listen),
		T(errno_is_kept_and_said),
		T(gnutls_failures_keep_their_number_and_memory_is_memory),
		T(a_long_sentence_is_cut_and_ended),
		T(strangers_bytes_become_printable),
		T(every_code_has_words_and_the_rest_too),
		T(only_memory_network_and_time_outs_are_temporary),
	};
	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
