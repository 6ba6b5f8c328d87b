/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A CA's serials as a whole, from an index or CRLs, read from files; and one after another. */
#include "../support/scratch.h"
#include "crls.h"
#include "respond/source.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[SCRATCH_SIZE];
static struct issuer *ca;
static struct clinch_error err;

/* ---- files ---- */

static const char *path_of(const char *name)
{
	static char path[8][SCRATCH_SIZE + 32];
	static unsigned next;
	char *out = path[next++ % 8];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static const char *put(const char *name, struct blob bytes)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	if (bytes.len)
		assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
	return path;
}

static int load(struct source **out, const struct source_files *files)
{
	err = (struct clinch_error){ .text = "" };
	return source_load(out, files, ca, NOW, &err);
}

static struct source *loaded(const struct source_files *files)
{
	struct source *source = NULL;

	if (load(&source, files) != 0)
		fail_msg("%s", err.text);
	return source;
}

static int succeeds(const struct source *before, const struct source *after)
{
	return source_succeeds(before, after, &(struct source_succession){ .now = NOW }, &err);
}

static struct source *index_of(const char *text)
{
	const struct source_files files = { .kind = SOURCE_INDEX, .index = put("index.txt", blob_text(text)) };

	return loaded(&files);
}

static struct source *crl_source(const struct crl_spec *spec, bool good)
{
	const char *path = put("ca.crl", make_whole_crl(spec));
	const char *issued = put("issued", blob_text("0A\n0B\n0C\n"));
	const struct source_files files = {
		.kind = SOURCE_CRL, .crl = &path, .n_crl = 1, .crl_means_good = good, .issued = good ? NULL : issued
	};

	return loaded(&files);
}

static struct source_status ask(const struct source *source, const char *serial)
{
	struct blob content = blob_hex(serial);

	return source_find(source, der_of(content.data, content.len));
}

static int make_world(void **state)
{
	const gnutls_datum_t der = blob_datum(world_ca());
	(void)state;
	if (issuer_new(&ca, &der, NULL) < 0)
		return -1;
	return mkdtemp(scratch_template(dir, "source")) ? 0 : -1;
}

static int drop_world(void **state)
{
	static const char *const names[] = { "index.txt", "ca.crl", "second.crl", "issued" };
	(void)state;
	for (size_t i = 0; i < ROWS(names); i++)
		unlink(path_of(names[i]));
	issuer_unref(ca);
	maker_done();
	return rmdir(dir);
}

/* ---- what a CRL says ---- */

static void a_crl_revokes_what_it_names(void **state)
{
	struct crl_spec spec = crl_of(CAT(
		crl_entry("0a"), crl_entry_with("0080", crl_reason(1)),
		crl_entry_with("11223344556677889900112233445566778899aa", crl_reason(6)),
		crl_entry_with("0b", CAT(crl_reason(0), extension(X_INVALIDITY_DATE, -1, generalized("20260101000000Z"))))));
	struct source *source = crl_source(&spec, true);
	(void)state;
	assert_int_equal(source_size(source), 4);
	assert_int_equal(source_revoked(source), 4);
	assert_int_equal(source_updated(source), NOW - DAY);
	assert_int_equal(source_until(source), NOW + 2 * DAY);
	assert_int_equal(ask(source, "0a").says, SOURCE_REVOKED);
	assert_int_equal(ask(source, "0a").reason, -1);
	assert_int_equal(ask(source, "0a").revoked_at, 1780272000);
	assert_int_equal(ask(source, "00000a").says, SOURCE_REVOKED);
	assert_int_equal(ask(source, "0080").reason, 1);
	assert_int_equal(ask(source, "80").says, SOURCE_VALID);
	assert_int_equal(ask(source, "11223344556677889900112233445566778899aa").reason, 6);
	assert_int_equal(ask(source, "0b").reason, 0);
	assert_int_equal(ask(source, "0c").says, SOURCE_VALID);
	assert_int_equal(ask(source, "").says, SOURCE_NEVER_ISSUED);
	source_unref(source);
}

static void with_a_list_only_what_was_issued_is_valid(void **state)
{
	struct crl_spec spec = crl_of(CAT(crl_entry("0a"), crl_entry("0d")));
	struct source *source = crl_source(&spec, false);
	(void)state;
	assert_int_equal(source_size(source), 4);
	assert_int_equal(ask(source, "0a").says, SOURCE_REVOKED);
	assert_int_equal(ask(source, "0b").says, SOURCE_VALID);
	assert_int_equal(ask(source, "0d").says, SOURCE_REVOKED);
	assert_int_equal(ask(source, "0e").says, SOURCE_NEVER_ISSUED);
	source_unref(source);
}

static void a_crl_without_entries_revokes_nothing(void **state)
{
	struct crl_spec spec = crl_of(BLOB_NONE);
	struct source *source = crl_source(&spec, false);
	(void)state;
	assert_int_equal(source_revoked(source), 0);
	assert_int_equal(ask(source, "0a").says, SOURCE_VALID);
	source_unref(source);
}

static void a_crl_past_its_end_is_read_and_says_so(void **state)
{
	struct crl_spec spec = crl_of(crl_entry("0a"));
	struct source *source;
	(void)state;
	spec.next_update = utc("260614130000Z");
	source = crl_source(&spec, true);
	assert_int_equal(source_until(source), NOW - DAY + HOUR);
	source_unref(source);
}

/* ---- files ---- */

static struct blob pem_of(struct blob der)
{
	const gnutls_datum_t datum = blob_datum(der);
	gnutls_datum_t pem;
	struct blob out;

	assert_int_equal(gnutls_pem_base64_encode2("X509 CRL", &datum, &pem), 0);
	out = blob_of(pem.data, pem.size);
	gnutls_free(pem.data);
	return out;
}

static void crls_are_read_as_pem_several_in_a_file_too(void **state)
{
	struct crl_spec spec = crl_of(crl_entry("0a")),
			newer = crl_of(CAT(crl_entry("0b"), crl_entry_with("0a", crl_reason(4))));
	(void)state;
	newer.this_update = utc("260615110000Z");
	struct blob both = CAT(blob_text("first\n"), pem_of(make_whole_crl(&spec)), blob_text("second\n"),
			       pem_of(make_whole_crl(&newer)));
	const char *path = put("ca.crl", both);
	const struct source_files files = { .kind = SOURCE_CRL, .crl = &path, .n_crl = 1, .crl_means_good = true };
	struct source *source = loaded(&files);
	assert_int_equal(source_size(source), 2);
	assert_int_equal(ask(source, "0a").reason, 4); /* the newer one's */
	assert_int_equal(ask(source, "0b").says, SOURCE_REVOKED);
	assert_int_equal(source_updated(source), NOW - DAY);
	source_unref(source);
	for (size_t cut = 1; cut < 40; cut++) {
		put("ca.crl", blob_of(both.data, both.len - cut));
		check("cut off", cut == 1 || load(&source, &files) == CLINCH_E_FORMAT);
	}
	check(err.text, strstr(err.text, "CRL 2 has no end line"));
}

static void one_crl_of_two_that_is_foreign_refuses_both(void **state)
{
	struct crl_spec spec = crl_of(crl_entry("0a")), foreign = crl_of(crl_entry("0b"));
	struct source *source = NULL;
	(void)state;
	foreign.issuer = "Another CA";
	const char *path[] = { put("ca.crl", make_whole_crl(&spec)), put("second.crl", make_whole_crl(&foreign)) };
	const struct source_files files = { .kind = SOURCE_CRL, .crl = path, .n_crl = 2, .crl_means_good = true };
	assert_int_equal(load(&source, &files), CLINCH_E_NOT_ISSUER);
	check(err.text, strstr(err.text, "second.crl: is the CRL of another CA"));
	put("second.crl", pem_of(make_whole_crl(&foreign)));
	assert_int_equal(load(&source, &files), CLINCH_E_NOT_ISSUER);
}

static void crls_for_some_certificates_need_the_others(void **state)
{
	struct crl_spec users = crl_of(crl_entry("0a")), cas = crl_of(crl_entry("0b"));
	struct source *source = NULL;
	(void)state;
	users.extensions = extension(X_SCOPE, 1, blob_hex("30038101ff"));
	cas.extensions = extension(X_SCOPE, 1, blob_hex("30038201ff"));
	const char *path[] = { put("ca.crl", make_whole_crl(&users)), put("second.crl", make_whole_crl(&cas)) };
	struct source_files files = { .kind = SOURCE_CRL, .crl = path, .n_crl = 1, .crl_means_good = true };
	assert_int_equal(load(&source, &files), CLINCH_E_UNSUPPORTED);
	check(err.text, strstr(err.text, "ca.crl: is for the certificates of users only"));
	files.n_crl = 2;
	source_unref(loaded(&files));
	files = (struct source_files){
		.kind = SOURCE_CRL, .crl = path, .n_crl = 1, .issued = put("issued", blob_text("0A\n"))
	};
	struct source *listed = loaded(&files);
	check(source_odd(listed),
	      strstr(source_odd(listed), "ca.crl: is for the certificates of users only: of the others in the list"));
	source_unref(listed);
	files.crl = path, files.n_crl = 2;
	listed = loaded(&files);
	assert_null(source_odd(listed));
	source_unref(listed);
}

static void settings_that_leave_a_serial_unsaid_are_refused(void **state)
{
	const char *path = "x.crl";
	const struct source_files rows[] = {
		{ .kind = SOURCE_CRL, .crl = &path, .n_crl = 1 },
		{ .kind = SOURCE_CRL, .crl = &path, .n_crl = 1, .crl_means_good = true, .issued = "issued" },
		{ .kind = SOURCE_CRL, .crl_means_good = true },
		{ .kind = SOURCE_CRL, .crl = &path, .n_crl = 1, .crl_means_good = true, .index = "index.txt" },
		{ .kind = SOURCE_INDEX },
		{ .kind = SOURCE_INDEX, .index = "index.txt", .issued = "issued" },
		{ .kind = SOURCE_INDEX, .index = "index.txt", .crl_means_good = true },
	};
	struct source *source = NULL;
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(load(&source, &rows[i]), CLINCH_E_ARGUMENT);
		check("nothing was made", !source);
		check(err.text, i > 0 || strstr(err.text, "x.crl: a CRL does not say which serials were issued"));
	}
}

static void files_that_cannot_be_read_are_named(void **state)
{
	struct source_files files = { .kind = SOURCE_INDEX, .index = path_of("none") };
	const char *path = dir;
	struct source *source = NULL;
	(void)state;
	assert_int_equal(load(&source, &files), CLINCH_E_FILE);
	check(err.text, strstr(err.text, "none: cannot be opened: No such file"));
	files.index = dir;
	assert_int_equal(load(&source, &files), CLINCH_E_FILE);
	check(err.text, strstr(err.text, "is not a regular file"));
	files = (struct source_files){ .kind = SOURCE_CRL, .crl = &path, .n_crl = 1, .crl_means_good = true };
	assert_int_equal(load(&source, &files), CLINCH_E_FILE);
	path = put("ca.crl", BLOB_NONE);
	assert_int_equal(load(&source, &files), CLINCH_E_FORMAT);
	check(err.text, strstr(err.text, "ca.crl: is empty"));
	path = put("ca.crl", blob_text("not a CRL\n"));
	assert_int_equal(load(&source, &files), CLINCH_E_FORMAT);
	check(err.text, strstr(err.text, "ca.crl: holds no CRL"));
}

static void an_index_is_as_old_as_its_file(void **state)
{
	struct source *source = index_of("V\t270101000000Z\t\t0A\tunknown\t/CN=x\n");
	struct stat st;
	(void)state;
	assert_int_equal(stat(path_of("index.txt"), &st), 0);
	assert_int_equal(source_updated(source), st.st_mtim.tv_sec);
	assert_true(source_until(source) == INT64_MAX);
	assert_int_equal(ask(source, "0b").says, SOURCE_NEVER_ISSUED);
	source_unref(source);
}

static void an_odd_reason_does_not_hide_a_revocation(void **state)
{
	struct crl_spec spec = crl_of(CAT(crl_entry_with("0a", crl_reason(8)), crl_entry_with("0b", crl_reason(7))));
	struct source *source = crl_source(&spec, true);
	(void)state;
	assert_int_equal(ask(source, "0a").says, SOURCE_REVOKED);
	assert_int_equal(ask(source, "0a").reason, -1);
	assert_int_equal(ask(source, "0b").reason, -1);
	check(source_odd(source),
	      strstr(source_odd(source), "ca.crl: entry 1: removeFromCRL") && strstr(source_odd(source), "(and 1 more)"));
	source_unref(source);
	source = index_of("V\t270101000000Z\t\t0A\tunknown\t/CN=x\n");
	assert_null(source_odd(source));
	source_unref(source);
}

static void serials_are_counted_out_one_by_one(void **state)
{
	struct source *source = index_of("V\t270101000000Z\t\t80\tunknown\t/CN=x\nV\t270101000000Z\t\t00\tunknown\t/CN=x\n");
	uint8_t serial[2] = { 0xff, 0xff };
	(void)state;
	assert_int_equal(source_size(source), 2);
	assert_int_equal(source_serial(source, 0, serial, 1), 0);
	assert_int_equal(source_serial(source, 0, serial, 2), 2);
	assert_memory_equal(serial, "\x00\x80", 2);
	assert_int_equal(source_serial(source, 1, serial, 2), 1);
	assert_int_equal(serial[0], 0);
	assert_int_equal(source_serial(source, 2, serial, 2), 0);
	source_unref(source);
}

/* ---- one after the other ---- */

#define V(serial) "V\t270101000000Z\t\t" serial "\tunknown\t/CN=x\n"
#define R(serial, why) "R\t270101000000Z\t260601000000Z" why "\t" serial "\tunknown\t/CN=x\n"
#define ENDED(serial) "R\t260101000000Z\t250601000000Z\t" serial "\tunknown\t/CN=x\n"

static void a_revocation_is_not_taken_back(void **state)
{
	static const char *const one[] = { "0x0a" }, *const two[] = { "0b", "00:0A" };
	static const struct {
		const char *name, *before, *after;
		const char *const *accepted;
		size_t n_accepted;
		const char *sentence; /* NULL: it may */
	} rows[] = {
		{ "the same", R("0A", "") V("0B"), R("0A", "") V("0B"), NULL, 0, NULL },
		{ "one more", V("0A"), R("0A", ""), NULL, 0, NULL },
		{ "another reason", R("0A", ",superseded"), R("0A", ",keyCompromise"), NULL, 0, NULL },
		{ "valid again", R("0A", "") V("0B"), V("0A") V("0B"), NULL, 0,
		  "index.txt: serial 0A: revoked before, and not any more" },
		{ "gone", R("0A", ""), V("0B"), NULL, 0, "--accept-unrevoked 0A" },
		{ "two gone", R("0A", "") R("0B", ""), V("0C"), NULL, 0, "serial 0A and others: revoked before" },
		{ "an empty index", V("0A") V("0B"), "", NULL, 0, "index.txt: is empty, and named 2 serials before" },
		{ "empty as it was", "", "", NULL, 0, NULL },
		{ "no longer empty", "", V("0A"), NULL, 0, NULL },
		{ "no longer held", R("0A", ",certificateHold"), V("0A"), NULL, 0, NULL },
		{ "no longer held, and gone", R("0A", ",holdInstruction,x"), V("0B"), NULL, 0, NULL },
		{ "from held to lost", R("0A", ",certificateHold"), R("0A", ",keyCompromise"), NULL, 0, NULL },
		{ "from lost to held", R("0A", ",keyCompromise"), R("0A", ",certificateHold"), NULL, 0,
		  "serial 0A: revoked before, and not any more, or only held" },
		{ "from no reason to held", R("0A", ""), R("0A", ",certificateHold"), NULL, 0, "serial 0A" },
		{ "held on", R("0A", ",certificateHold"), R("0A", ",certificateHold"), NULL, 0, NULL },
		{ "held, and accepted", R("0A", ""), R("0A", ",certificateHold"), one, 1, NULL },
		{ "accepted", R("0A", ""), V("0A"), one, 1, NULL },
		{ "both accepted", R("0A", "") R("0B", ""), V("0C"), two, 2, NULL },
		{ "one accepted", R("0A", "") R("0B", ""), V("0C"), one, 1, "serial 0B: revoked before" },
		{ "ended, and gone", ENDED("0A"), V("0B"), NULL, 0, NULL },
		{ "a valid one is gone", V("0A"), V("0B"), NULL, 0, NULL },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct source *before = index_of(rows[i].before), *after = index_of(rows[i].after);
		const struct source_succession how = { NOW, 0, rows[i].accepted, rows[i].n_accepted };
		int code = source_succeeds(before, after, &how, &err);
		check_int(rows[i].name, code, rows[i].sentence ? CLINCH_E_ARGUMENT : 0);
		if (rows[i].sentence && !strstr(err.text, rows[i].sentence))
			fail_msg("%s: \"%s\" has not \"%s\"", rows[i].name, err.text, rows[i].sentence);
		source_unref(before);
		source_unref(after);
	}
}

/* Answers are given for it from the archive. */
static void what_ended_is_not_taken_back_while_the_archive_has_it(void **state)
{
	struct source *before = index_of(ENDED("0A")), *after = index_of(V("0B"));
	const int64_t since_end = NOW - INT64_C(1767225600);
	struct source_succession how = { .now = NOW, .archive_s = since_end };
	(void)state;
	assert_int_equal(source_succeeds(before, after, &how, &err), CLINCH_E_ARGUMENT);
	check(err.text, strstr(err.text, "serial 0A"));
	how.archive_s = since_end - 1;
	assert_int_equal(source_succeeds(before, after, &how, &err), 0);
	source_unref(before);
	source_unref(after);
}

static void a_crl_past_its_end_is_not_taken_for_one_that_is_not(void **state)
{
	struct crl_spec spec = crl_of(crl_entry("0a"));
	struct source *held = crl_source(&spec, true), *over;
	(void)state;
	spec.this_update = utc("260615110000Z");
	spec.next_update = utc("260615115959Z");
	over = crl_source(&spec, true);
	assert_int_equal(succeeds(held, over), CLINCH_E_ARGUMENT);
	check(err.text,
	      strstr(err.text, "ca.crl: ended at 2026-06-15T11:59:59Z, and what is in use has not; it is not taken"));
	assert_int_equal(succeeds(over, over), 0);
	source_unref(held);
	source_unref(over);
}

static void an_older_crl_is_not_taken(void **state)
{
	struct crl_spec spec = crl_of(crl_entry("0a"));
	struct source *held = crl_source(&spec, true), *same = crl_source(&spec, true), *older;
	(void)state;
	spec.this_update = utc("260614115959Z");
	older = crl_source(&spec, true);
	assert_int_equal(succeeds(held, same), 0);
	assert_int_equal(succeeds(older, held), 0);
	assert_int_equal(succeeds(held, older), CLINCH_E_ARGUMENT);
	check(err.text,
	      strstr(err.text,
		     "ca.crl: the CRL of 2026-06-14T11:59:59Z is older than the one in use, of 2026-06-14T12:00:00Z"));
	source_unref(held);
	source_unref(same);
	source_unref(older);
}

static void what_it_does_not_name_is_not_what_it_revoked(void **state)
{
	struct crl_spec spec = crl_of(CAT(crl_entry("0a"), crl_entry("0b"))), newer = crl_of(crl_entry("0b"));
	struct source *before = crl_source(&spec, true), *after;
	(void)state;
	newer.this_update = utc("260615110000Z");
	after = crl_source(&newer, true);
	assert_int_equal(succeeds(before, after), CLINCH_E_ARGUMENT);
	check(err.text, strstr(err.text, "serial 0A"));
	source_unref(before);
	source_unref(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_crl_revokes_what_it_names),
		T(with_a_list_only_what_was_issued_is_valid),
		T(a_crl_without_entries_revokes_nothing),
		T(a_crl_past_its_end_is_read_and_says_so),
		T(crls_are_read_as_pem_several_in_a_file_too),
		T(one_crl_of_two_that_is_foreign_refuses_both),
		T(crls_for_some_certificates_need_the_others),
		T(settings_that_leave_a_serial_unsaid_are_refused),
		T(files_that_cannot_be_read_are_named),
		T(an_index_is_as_old_as_its_file),
		T(an_odd_reason_does_not_hide_a_revocation),
		T(serials_are_counted_out_one_by_one),
		T(a_revocation_is_not_taken_back),
		T(what_ended_is_not_taken_back_while_the_archive_has_it),
		T(a_crl_past_its_end_is_not_taken_for_one_that_is_not),
		T(an_older_crl_is_not_taken),
		T(what_it_does_not_name_is_not_what_it_revoked),
	};
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
