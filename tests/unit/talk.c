/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "talk.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const char *instant(int64_t from_now)
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

static struct blob dns_names(const char *name)
{
	return extension("551d11", -1, SEQ(tlv(0x82, blob_text(name))));
}

static struct made made_of(struct cert_spec spec, enum key key, const char *serial, const char *name, struct blob more)
{
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

struct made make_leaf(enum key key, const char *serial, const char *name, struct blob more)
{
	return made_of(leaf_spec(), key, serial, name, more);
}

struct made make_leaf_until(enum key key, const char *serial, const char *name, const char *not_after)
{
	struct cert_spec spec = leaf_spec();
	spec.not_after = not_after;
	return made_of(spec, key, serial, name, BLOB_NONE);
}

struct blob staple(const struct made *made, int64_t this_update, int64_t next_update, struct blob status)
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

clinch_stapler_t *stapler_of(const struct clinch_stapler_options *options)
{
	struct clinch_error err = { .text = "" };
	clinch_stapler_t *stapler = NULL;
	if (clinch_stapler_new(&stapler, options, &err) != 0)
		fail_msg("%s", err.text);
	return stapler;
}

void stapler_add(clinch_stapler_t *stapler, const struct made *made)
{
	struct clinch_error err = { .text = "" };
	gnutls_datum_t chain = blob_datum(made->chain), key = blob_datum(made->key);
	if (clinch_stapler_add_mem(stapler, &chain, &key, &err) != 0)
		fail_msg("%s", err.text);
}

int offer(clinch_stapler_t *stapler, struct blob der)
{
	gnutls_datum_t datum = blob_datum(der);
	return clinch_stapler_offer(stapler, &datum, time(NULL), NULL);
}

/* ---- a handshake on a socket pair ---- */

void talk_begin(struct talk *talk, const char *priority, const char *name)
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

void talk_on(struct talk *talk)
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

void talk_end(struct talk *talk)
{
	gnutls_deinit(talk->client);
	gnutls_deinit(talk->server);
	gnutls_certificate_free_credentials(talk->trust);
	close(talk->fd[0]);
	close(talk->fd[1]);
}

const struct clinch_report *shake(struct talk *talk, clinch_stapler_t *stapler, const char *priority, const char *name,
				  const struct clinch_policy *policy)
{
	talk_begin(talk, priority, name);
	assert_int_equal(clinch_stapler_attach(stapler, talk->server), 0);
	assert_int_equal(clinch_client_attach(talk->client, NULL, policy), 0);
	talk_on(talk);
	return clinch_client_report(talk->client);
}

enum clinch_reason reason_seen(clinch_stapler_t *stapler, const char *priority, const char *name)
{
	struct talk talk;
	const struct clinch_report *report = shake(&talk, stapler, priority, name, NULL);
	assert_non_null(report);
	enum clinch_reason reason = report->member[0].verdict.reason;
	talk_end(&talk);
	return reason;
}
