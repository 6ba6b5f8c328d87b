/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot to answer from, in the world of maker.h, and requests about it. */
#ifndef UNIT_ANSWERING_H
#define UNIT_ANSWERING_H

#include "desk.h"
#include "respond/snapshot.h"

/* OpenSSL's index.txt: valid, revoked with and without a reason, one whose notAfter has been. */
#define INDEX_ROWS                                                                                                          \
	"V\t301231235959Z\t\t0A0B0C0D\tunknown\t/CN=leaf.test\n"                                                            \
	"R\t301231235959Z\t260601000000Z,keyCompromise\t02\tunknown\t/CN=two\n"                                             \
	"R\t301231235959Z\t260602000000Z\t03\tunknown\t/CN=three\n"                                                         \
	"V\t260601000000Z\t\t04\tunknown\t/CN=four\n"
#define OTHER_ROWS "R\t301231235959Z\t260603000000Z\t0A0B0C0D\tunknown\t/CN=leaf.test\n"

static struct clinch_error answering_error;

static inline void desk_write_blob(const char *name, struct blob blob)
{
	desk_write(name, blob.data, blob.len);
}

/* The world's CA with its delegate, and another CA of the same name with the same serial. */
static inline void answering_write(void)
{
	struct cert_spec other = ca_spec();

	other.key = other.signer = KEY_OTHER;
	desk_write_blob("ca.der", world_ca());
	desk_write_blob("ca.key", blob_text(maker_key_pem[KEY_CA]));
	desk_write_blob("delegate.der", world_delegate());
	desk_write_blob("delegate.key", blob_text(maker_key_pem[KEY_DELEGATE]));
	desk_write_blob("other.der", make_cert(&other));
	desk_write_blob("other.key", blob_text(maker_key_pem[KEY_OTHER]));
	desk_write_blob("index", blob_text(INDEX_ROWS));
	desk_write_blob("other-index", blob_text(OTHER_ROWS));
}

/* Of the first CA what `conf` says beside its files. */
static inline struct snapshot *answering_snapshot(const struct authority_conf *wish, const struct respond_conf *respond)
{
	struct signer_conf signer[2] = { { .cert = desk_path("delegate.der"), .key = desk_path("delegate.key") },
					 { .cert = desk_path("other.der"), .key = desk_path("other.key") } };
	struct authority_conf conf[2] = { *wish, { .validity_s = AUTHORITY_VALIDITY_S } };
	struct snapshot_ca ca[2] = { { .refresh_s = 0 } };
	struct snapshot *snapshot = NULL;

	conf[0].ca = desk_path("ca.der");
	conf[1].ca = desk_path("other.der");
	conf[0].source.index = conf[0].source.kind == SOURCE_INDEX ? desk_path("index") : NULL;
	conf[1].source.index = desk_path("other-index");
	for (int i = 0; i < 2; i++) {
		conf[i].signers = &signer[i];
		conf[i].n_signers = 1;
		if (authority_load(&ca[i].authority, &conf[i], NOW, NULL, NULL, &answering_error) < 0 ||
		    source_load(&ca[i].source, &conf[i].source, ca[i].authority->issuer, NOW, &answering_error) < 0)
			fail_msg("%s", answering_error.text);
		ca[i].id = snapshot_ca_id(ca[i].authority, 0);
	}
	assert_int_equal(snapshot_new(&snapshot, respond, ca, 2, NULL, &answering_error), 0);
	for (int i = 0; i < 2; i++) {
		authority_unref(ca[i].authority);
		source_unref(ca[i].source);
	}
	return snapshot;
}

static inline struct snapshot *answering_default(void)
{
	return answering_snapshot(&(struct authority_conf){ .validity_s = AUTHORITY_VALIDITY_S },
				  &(struct respond_conf){ .n_listen = 0 });
}

/* ---- requests ---- */

static inline struct blob ask_entry(struct blob id)
{
	return SEQ(id);
}

/* `entries`: Requests one after the other; `extensions`: content of requestExtensions, empty: none. */
static inline struct blob ask_of(struct blob entries, struct blob extensions)
{
	struct blob tail = extensions.len ? tlv(0xa2, SEQ(extensions)) : BLOB_NONE;

	return SEQ(SEQ(SEQ(entries), tail));
}

static inline struct blob id_of(const char *serial)
{
	return cert_id(GNUTLS_DIG_SHA1, CA_NAME, KEY_CA, blob_hex(serial));
}

static inline struct blob ask_about(const char *serial)
{
	return ask_of(ask_entry(id_of(serial)), BLOB_NONE);
}

static inline struct blob nonce_of(struct blob content)
{
	return extension(X_NONCE, -1, content);
}

#endif
