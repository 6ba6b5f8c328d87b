/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificates that the application's trust list distrusts by name: GnuTLS verifies nothing then, and says REVOKED. */
#include "pair.h"
#include "unit.h"
#include <clinch/client.h>
#include <string.h>

static const char *const versions[] = { PAIR_TLS12, PAIR_TLS13 };
static struct pair pair;

static void distrust(gnutls_certificate_credentials_t cred, struct blob bad)
{
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t ca = import_cert(world_ca()), distrusted = import_cert(bad);
	assert_int_equal(gnutls_x509_trust_list_init(&list, 0), 0);
	assert_int_equal(gnutls_x509_trust_list_add_cas(list, &ca, 1, 0), 1);
	gnutls_x509_trust_list_remove_cas(list, &distrusted, 1);
	gnutls_x509_crt_deinit(distrusted);
	gnutls_certificate_set_trust_list(cred, list, 0);
}

static void whatever_came_with_a_distrusted_certificate_is_refused(void **state)
{
	(void)state;
	struct cert_spec stranger = leaf_spec(), unlucky = leaf_spec();
	stranger.issuer = "Nobody";
	stranger.signer = KEY_OTHER;
	unlucky.serial = blob_hex("77");
	const struct {
		const char *row;
		struct blob first, second, distrusted;
		enum clinch_reason reason;
	} rows[] = {
		{ "a distrusted leaf", world_leaf(), BLOB_NONE, world_leaf(), CLINCH_REASON_PATH_DISTRUSTED },
		{ "a stranger's leaf with a distrusted one behind", make_cert(&stranger), make_cert(&unlucky),
		  make_cert(&unlucky), CLINCH_REASON_PATH_DISTRUSTED },
		/* near: path-distrusted: another one is distrusted, which was not sent */
		{ "a leaf that is none of those", world_leaf(), BLOB_NONE, make_cert(&unlucky), CLINCH_REASON_NO_STAPLE },
	};
	for (size_t v = 0; v < ROWS(versions); v++) {
		for (size_t i = 0; i < ROWS(rows); i++) {
			struct pair_setup setup = { .priority = versions[v], .key = KEY_LEAF, .trust = world_ca() };
			const struct clinch_policy policy = { .at = NOW };
			setup.chain[0] = rows[i].first;
			setup.chain[1] = rows[i].second;
			pair_begin(&pair, &setup, NULL);
			distrust(pair.client_cred, rows[i].distrusted);
			assert_int_equal(clinch_client_attach(pair.client, NULL, &policy), 0);
			pair_handshake(&pair);
			const struct clinch_report *report = clinch_client_report(pair.client);
			check(rows[i].row, report);
			check_str(rows[i].row, clinch_reason_name(report->reason), clinch_reason_name(rows[i].reason));
			check_int(rows[i].row, report->accepted, rows[i].reason == CLINCH_REASON_NO_STAPLE);
			check_int(rows[i].row, pair.client_rc == 0, rows[i].reason == CLINCH_REASON_NO_STAPLE);
			pair_end(&pair);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(whatever_came_with_a_distrusted_certificate_is_refused),
	};
	return cmocka_run_group_tests_name("distrust", tests, NULL, drop_keys);
}
