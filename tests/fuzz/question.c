/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines at the keeper's socket: each has one answer, a line of JSON; what is brought is not believed, and the store stays as
 * it is. The keeper has one certificate. */
#include "../support/scratch.h"
#include "base/buf.h"
#include "fuzz.h"
#include "keep/answer.h"
#include "keep/inside.h"
#include "maker.h"
#include "x509/subject.h"
#include <jansson.h>
#include <string.h>
#include <unistd.h>

static char dir[SCRATCH_SIZE];
static struct keeper *keeper;
static uv_loop_t loop;

static void clear(void)
{
	keeper_free(keeper);
	uv_loop_close(&loop);
	maker_done();
	MUST(chdir(dir) == 0 && unlink(".lock") == 0 && rmdir(dir) == 0); /* and nothing else was in it */
}

static clinch_subject_t *make_subject(void)
{
	clinch_subject_t *subject = NULL;
	gnutls_x509_crt_t issuer = import_cert(world_ca()), leaf = import_cert(world_leaf());

	MUST(clinch_subject_new(&subject, leaf, issuer, NULL) == 0);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(leaf);
	return subject;
}

static void make_keeper(void)
{
	const struct keep_conf conf = { .store = dir };
	clinch_subject_t *subject = make_subject();
	struct keep_row *row;

	MUST(mkdtemp(scratch_template(dir, "question")) && uv_loop_init(&loop) == 0);
	MUST(keeper_new(&keeper, &loop, &conf, NULL) == 0);
	/* known by a fingerprint that a line can have by chance */
	row = row_named((const uint8_t[FINGERPRINT_LEN]){ 0 }, LEAF_NAME);
	MUST(row && row_side(row) && table_add(&keeper->rows, row));
	row_side(row)->subject = subject;
	keeper->stopped = true; /* no timer is set */
	MUST(atexit(clear) == 0);
}

static void must_be_a_line(const struct buf *answer)
{
	json_error_t error;
	json_t *json = json_loadb((const char *)answer->data, answer->len, 0, &error);

	MUST(json && answer->data[answer->len - 1] == '\n');
	MUST(memchr(answer->data, '\n', answer->len) == answer->data + answer->len - 1);
	MUST(json_is_string(json_object_get(json, "schema")));
	MUST(strcmp(json_string_value(json_object_get(json, "schema")), "clinch-put-1") != 0);
	json_decref(json);
}

FUZZ_API int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf answer = { .max = 1 << 20 };
	struct status *status = NULL;

	if (!keeper)
		make_keeper();
	MUST(answer_question(&answer, &status, keeper, NULL, data, size));
	while (status && !status_is_whole(status))
		MUST(status_more(status, &answer));
	MUST(!status || buf_add(&answer, "\n", 1));
	status_free(status);
	must_be_a_line(&answer);
	return 0;
}
