/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What strangers send the responder: the first byte says whether the rest is the path of a GET or the body of a POST.
 * Whatever it is, an answer is about what was asked, says what the source says, and is never good for what was not issued.
 */
#include "../support/scratch.h"
#include "fuzz.h"
#include "maker.h"
#include "respond/decide.h"
#include "respond/path.h"
#include <string.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define INDEX                                                                                                               \
	"V\t301231235959Z\t\t" LEAF_SERIAL "\tunknown\t/CN=leaf\n"                                                          \
	"R\t301231235959Z\t260601000000Z,keyCompromise\t02\tunknown\t/CN=two\n"                                             \
	"V\t260601000000Z\t\t04\tunknown\t/CN=four\n"

static struct snapshot *snapshot;
static char dir[SCRATCH_SIZE], path[4][SCRATCH_SIZE + 16];

static void clear(void)
{
	snapshot_unref(snapshot);
	maker_done();
}

static const char *put(int i, const char *name, const void *bytes, size_t len)
{
	FILE *file;

	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	file = fopen(path[i], "w");
	MUST(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
	return path[i];
}

static void make_snapshot(void)
{
	struct blob ca = world_ca(), delegate = world_delegate();
	struct signer_conf signer;
	struct authority_conf conf = { .signers = &signer, .n_signers = 1, .validity_s = DAY };
	struct snapshot_ca made = { .refresh_s = 0 };

	MUST(mkdtemp(scratch_template(dir, "responder")));
	conf.ca = put(0, "ca", ca.data, ca.len);
	signer = (struct signer_conf){ .cert = put(1, "cert", delegate.data, delegate.len) };
	signer.key = put(2, "key", maker_key_pem[KEY_DELEGATE], strlen(maker_key_pem[KEY_DELEGATE]));
	conf.source.index = put(3, "index", INDEX, strlen(INDEX));
	MUST(authority_load(&made.authority, &conf, NOW, NULL, NULL, NULL) == 0);
	MUST(source_load(&made.source, &conf.source, made.authority->issuer, NOW, NULL) == 0);
	MUST(snapshot_new(&snapshot, &(struct respond_conf){ .n_listen = 0 }, &made, 1, NULL, NULL) == 0);
	authority_unref(made.authority);
	source_unref(made.source);
	for (int i = 0; i < 4; i++)
		MUST(unlink(path[i]) == 0);
	MUST(rmdir(dir) == 0 && atexit(clear) == 0);
}

static void check_single(const struct ocsp_single *single, struct der request)
{
	struct der whole = single->cert_id;
	struct cert_id id;

	MUST(whole.at >= request.at && whole.end <= request.end && cert_id_take(&whole, &id) && der_at_end(&whole));
	MUST(authority_table_find(snapshot->table, &id) == 0 && der_len(id.serial) <= 64);
	struct source_status found = source_find(snapshot->ca[0].source, id.serial);
	MUST(single->status == (found.says == SOURCE_VALID ? CLINCH_GOOD : CLINCH_REVOKED) && found.not_after >= NOW);
	MUST(single->this_update <= NOW && single->next_update > NOW && single->revocation_reason != 8);
}

static void check_decision(struct der request)
{
	static struct decision decision;

	decide(&decision, snapshot, request, NOW);
	if (decision.act == DECIDE_REFUSE) {
		MUST(ocsp_refuse(decision.refusal).size == 5);
		return;
	}
	MUST(decision.act == DECIDE_ANSWER && decision.n >= 1 && decision.n <= RESPOND_IDS);
	MUST(!decision.is_plain || (decision.n == 1 && !decision.has_nonce));
	MUST(!decision.has_nonce || (der_len(decision.nonce) >= 1 && der_len(decision.nonce) <= 128));
	for (unsigned i = 0; i < decision.n; i++)
		check_single(&decision.single[i], request);
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[REQUEST_MAX];
	size_t len = 0;

	if (!snapshot)
		make_snapshot();
	if (size == 0)
		return 0;
	if (data[0] & 1)
		check_decision(der_of(data + 1, size - 1));
	else if (path_decode(bytes, sizeof(bytes), &len, (const char *)data + 1, size - 1) == PATH_REQUEST) {
		MUST(len <= sizeof(bytes));
		check_decision(der_of(bytes, len));
	}
	return 0;
}

FUZZ_API size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	if (size > 0 && data[0] & 1)
		return der_mutate_behind(1, data, size, max_size, seed);
	return LLVMFuzzerMutate(data, size, max_size);
}
