/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenSSL's index.txt and lists of issued serials: what is taken, and the sentence for what is not. */
#include "../support/scratch.h"
#include "respond/index.h"
#include "respond/issued.h"
#include "respond/lines.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INDEX_NOW INT64_C(1781524800)
#define END "270101000000Z"
#define END_AT INT64_C(1798761600)
#define AT "260201000000Z"
#define AT_AT INT64_C(1769904000)
#define V(serial) "V\t" END "\t\t" serial "\tunknown\t/CN=x\n"
#define R_WHY(at, why) "R\t" END "\t" at why "\t0A\tunknown\t/CN=x\n"
#define R(serial) "R\t" END "\t" AT "\t" serial "\tunknown\t/CN=x\n"

static struct serials table;
static struct clinch_error err;

static int parse_bytes(const void *bytes, size_t len)
{
	serials_done(&table);
	err = (struct clinch_error){ .text = "" };
	return index_parse(&table, bytes, len, "index.txt", INDEX_NOW, &err);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void must_parse(const char *row, const char *text)
{
	if (parse(text) != 0)
		fail_msg("%s: %s", row, err.text);
}

static const struct serial_row *find(const char *hex)
{
	struct serial_key key;

	assert_true(serial_from_hex(&key, hex, strlen(hex)));
	return serials_find(&table, &key);
}

static int forget(void **state)
{
	(void)state;
	serials_done(&table);
	return 0;
}

/* ---- what is said of a serial ---- */

static const struct {
	const char *name, *line;
	enum source_says says;
	int64_t not_after, revoked_at;
	int reason;
} lines[] = {
	{ "valid", V("0A"), SOURCE_VALID, END_AT, 0, -1 },
	{ "revoked", R("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1 },
	{ "said to be expired", "E\t" END "\t\t0A\tunknown\t/CN=x\n", SOURCE_VALID, INDEX_NOW - 1, 0, -1 },
	{ "expired", "E\t260101000000Z\t\t0A\tunknown\t/CN=x\n", SOURCE_VALID, 1767225600, 0, -1 },
	{ "a GeneralizedTime", "V\t20610101000000Z\t\t0A\tunknown\t/CN=x\n", SOURCE_VALID, INT64_C(2871763200), 0, -1 },
	{ "the year 1950", "V\t500101000000Z\t\t0A\tunknown\t/CN=x\n", SOURCE_VALID, INT64_C(-631152000), 0, -1 },
	{ "the year 2049", "V\t490101000000Z\t\t0A\tunknown\t/CN=x\n", SOURCE_VALID, INT64_C(2493072000), 0, -1 },
	{ "revoked in a GeneralizedTime", "R\t" END "\t20260201000000Z\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT,
	  -1 },
	{ "a reason", "R\t" END "\t" AT ",keyCompromise\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT, 1 },
	{ "a reason in capitals", "R\t" END "\t" AT ",SUPERSEDED\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT, 4 },
	{ "unspecified", "R\t" END "\t" AT ",unspecified\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT, 0 },
	{ "CACompromise", "R\t" END "\t" AT ",CACompromise\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT, 2 },
	{ "affiliationChanged", "R\t" END "\t" AT ",affiliationChanged\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT,
	  3 },
	{ "cessation", "R\t" END "\t" AT ",cessationOfOperation\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT, 5 },
	{ "held", "R\t" END "\t" AT ",certificateHold\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT, AT_AT, 6 },
	{ "held, with what to do", "R\t" END "\t" AT ",holdInstruction,holdInstructionReject\t0A\tunknown\t/CN=x\n",
	  SOURCE_REVOKED, END_AT, AT_AT, 6 },
	{ "when its key was lost", "R\t" END "\t" AT ",keyTime,20260101000000Z\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED,
	  END_AT, AT_AT, 1 },
	{ "when the CA's was", "R\t" END "\t" AT ",CAkeyTime,20260101000000Z\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED, END_AT,
	  AT_AT, 2 },
	{ "small letters", V("0a"), SOURCE_VALID, END_AT, 0, -1 },
	{ "zeros in front", V("00000000000000000000000000000000000000000000000000000A"), SOURCE_VALID, END_AT, 0, -1 },
	{ "a tab in the subject", "V\t" END "\t\t0A\tunknown\t/CN=a\\\tb\n", SOURCE_VALID, END_AT, 0, -1 },
	{ "an empty subject", "V\t" END "\t\t0A\tunknown\t\n", SOURCE_VALID, END_AT, 0, -1 },
	{ "ends of Windows", "V\t" END "\t\t0A\tunknown\t/CN=x\r\n", SOURCE_VALID, END_AT, 0, -1 },
	{ "a remark before it", "# kept by hand\n" V("0A"), SOURCE_VALID, END_AT, 0, -1 },
	{ "the same line twice", R("0A") V("0B") R("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1 },
	{ "revoked by a line behind", V("0A") V("0B") R("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1 },
	{ "revoked by a line behind, twice", V("000A") R("0A") V("0B") R("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1 },
	{ "a subject twice", V("0B") V("0A"), SOURCE_VALID, END_AT, 0, -1 },
};

static void a_line_says_what_openssl_means_by_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(lines); i++) {
		must_parse(lines[i].name, lines[i].line);
		const struct serial_row *found = find("0A");
		check(lines[i].name, found);
		check_int(lines[i].name, found->says, lines[i].says);
		check_int(lines[i].name, found->not_after, lines[i].not_after);
		check_int(lines[i].name, found->revoked_at, lines[i].revoked_at);
		check_int(lines[i].name, found->reason, lines[i].reason);
		check_int(lines[i].name, table.n_odd, 0);
		check(lines[i].name, !find("0C"));
	}
}

static void what_is_odd_is_taken_at_its_worst_and_said(void **state)
{
	static const struct {
		const char *name, *text;
		enum source_says says;
		int64_t not_after, revoked_at;
		int reason;
		const char *sentence;
	} rows[] = {
		{ "no reason known", R_WHY(AT, ",boredom"), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "index.txt: line 1: \"boredom\" is not a reason for a revocation: it is revoked without one" },
		{ "an empty reason", R_WHY(AT, ","), SOURCE_REVOKED, END_AT, AT_AT, -1, "line 1: \"\" is not a reason" },
		{ "removeFromCRL", R_WHY(AT, ",removeFromCRL"), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "line 1: \"removeFromCRL\" is not" },
		{ "revoked, then valid", R("0A") V("0B") V("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "index.txt: lines 1 and 3 say different things of serial 0A: the worse counts" },
		{ "the same with another zero", "# x\n" V("0B") R("0A") V("000A"), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "lines 3 and 4" },
		{ "valid, revoked, and valid again", V("0A") R("0A") V("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "lines 2 and 3" },
		{ "revoked with another end", V("0A") "R\t280101000000Z\t" AT "\t0A\tunknown\t/CN=x\n", SOURCE_REVOKED,
		  1830297600, AT_AT, -1, "lines 1 and 2" },
		{ "two ends", "V\t280101000000Z\t\t0A\tunknown\t/CN=x\n" V("0A"), SOURCE_VALID, END_AT, 0, -1,
		  "lines 1 and 2" },
		{ "two ends, the sooner first", V("0A") "V\t280101000000Z\t\t0A\tunknown\t/CN=x\n", SOURCE_VALID, END_AT, 0,
		  -1, "lines 1 and 2" },
		{ "revoked at two times", R_WHY("260301000000Z", "") R("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "lines 1 and 2" },
		{ "the earlier one first", R("0A") R_WHY("260301000000Z", ""), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "lines 1 and 2" },
		{ "held, and then lost", R_WHY("260101000000Z", ",certificateHold") R_WHY(AT, ",keyCompromise"),
		  SOURCE_REVOKED, END_AT, AT_AT, 1, "lines 1 and 2" },
		{ "lost, and then held", R_WHY(AT, ",keyCompromise") R_WHY("260101000000Z", ",certificateHold"),
		  SOURCE_REVOKED, END_AT, AT_AT, 1, "lines 1 and 2" },
		{ "after one that is there twice", V("0B") V("0B") R("0A") V("0A"), SOURCE_REVOKED, END_AT, AT_AT, -1,
		  "lines 3 and 4" },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		must_parse(rows[i].name, rows[i].text);
		const struct serial_row *found = find("0A");
		check_int(rows[i].name, found->says, rows[i].says);
		check_int(rows[i].name, found->not_after, rows[i].not_after);
		check_int(rows[i].name, found->revoked_at, rows[i].revoked_at);
		check_int(rows[i].name, found->reason, rows[i].reason);
		check_int(rows[i].name, table.n_odd, 1);
		if (!strstr(table.odd, rows[i].sentence))
			fail_msg("%s: \"%s\" has not \"%s\"", rows[i].name, table.odd, rows[i].sentence);
	}
}

/* ---- what is refused ---- */

#define HEX_64                                                                                                              \
	"11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"

static const struct {
	const char *name, *text, *sentence;
} refused[] = {
	{ "another status", "X\t" END "\t\t0A\tunknown\t/CN=x\n", "index.txt: line 1: the status is \"X\", not V, R or E" },
	{ "a small letter", "v\t" END "\t\t0A\tunknown\t/CN=x\n", "line 1: the status is \"v\"" },
	{ "no status", "\t" END "\t\t0A\tunknown\t/CN=x\n", "line 1: the status is \"\"" },
	{ "an empty line", V("0A") "\n" V("0B"), "line 2: 1 fields with a tab between them, not 6" },
	{ "a field too few", "V\t" END "\t\t0A\tunknown\n", "line 1: 5 fields" },
	{ "a field too many", "V\t" END "\t\t0A\tunknown\t/CN=x\ty\n", "line 1: 7 fields" },
	{ "spaces for tabs", "V " END "  0A unknown /CN=x\n", "line 1: 1 fields" },
	{ "no end", "V\t\t\t0A\tunknown\t/CN=x\n", "line 1: \"\" is not the certificate's end" },
	{ "an end that is no date", "V\t261301000000Z\t\t0A\tunknown\t/CN=x\n",
	  "line 1: \"261301000000Z\" is not the certificate's end" },
	{ "a leap second", "V\t261231235960Z\t\t0A\tunknown\t/CN=x\n", "is not the certificate's end" },
	{ "an end without Z", "V\t270101000000+\t\t0A\tunknown\t/CN=x\n", "is not the certificate's end" },
	{ "an end with letters", "V\t27010100000xZ\t\t0A\tunknown\t/CN=x\n", "is not the certificate's end" },
	{ "valid and revoked", "V\t" END "\t" AT "\t0A\tunknown\t/CN=x\n",
	  "line 1: the status is V, and it has the time of a revocation" },
	{ "expired and revoked", "E\t" END "\t" AT "\t0A\tunknown\t/CN=x\n", "line 1: the status is E, and it has" },
	{ "revoked at no time", "R\t" END "\t\t0A\tunknown\t/CN=x\n", "line 1: \"\" is not when it was revoked" },
	{ "no serial", V(""), "line 1: \"\" is not a serial number" },
	{ "half a byte", V("0A1"), "line 1: \"0A1\" is not a serial number" },
	{ "a serial of letters", V("0G"), "line 1: \"0G\" is not a serial number" },
	{ "a negative serial", V("-80"), "is not a serial number" },
	{ "a serial of 65 bytes", V(HEX_64 "11"), "is not a serial number: pairs of hexadecimal digits, at most 64" },
	{ "a last line that is not finished", V("0A") "V\t" END "\t\t0B\tunknown\t/CN=x",
	  "index.txt: line 2, the last one, has no end" },
	{ "one line that is not finished", "V", "line 1, the last one, has no end" },
};

static void what_is_wrong_is_refused_by_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		check_int(refused[i].name, parse(refused[i].text), CLINCH_E_FORMAT);
		if (!strstr(err.text, refused[i].sentence))
			fail_msg("%s: \"%s\" has not \"%s\"", refused[i].name, err.text, refused[i].sentence);
	}
}

static void each_beginning_of_an_index_is_refused_unless_a_line_ends_there(void **state)
{
	static const char text[] = V("0A") R("0B") V("0C");
	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		bool whole = len == 0 || (len < sizeof(text) && text[len - 1] == '\n');
		check_int(text + len, parse_bytes(text, len) == 0, whole);
	}
}

static void an_empty_index_names_nothing(void **state)
{
	(void)state;
	must_parse("empty", "");
	assert_int_equal(table.n, 0);
	assert_null(find("00"));
}

static void a_line_may_be_long_but_not_endless(void **state)
{
	static char text[70000];
	int n = snprintf(text, sizeof(text), "V\t" END "\t\t0A\tunknown\t/CN=");
	(void)state;
	memset(text + n, 'x', 65536 - (size_t)n);
	text[65536] = '\n';
	assert_int_equal(parse_bytes(text, 65537), 0);
	text[65536] = 'x';
	text[65537] = '\n';
	assert_int_equal(parse_bytes(text, 65538), CLINCH_E_FORMAT);
	assert_non_null(strstr(err.text, "line 1 is longer than 65536 bytes"));
}

static void serials_of_each_length_are_told_apart(void **state)
{
	char text[64 * 2 * 256], hex[132];
	size_t at = 0;
	(void)state;
	for (int len = 1; len <= 64; len++) {
		memset(hex, 0, sizeof(hex));
		memset(hex, '7', (size_t)len * 2);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "V\t" END "\t\t%s\tunknown\t/CN=x\n", hex);
		memset(hex, 'F', (size_t)len * 2);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "R\t" END "\t" AT "\t%s\tunknown\t/CN=x\n", hex);
	}
	must_parse("all lengths", text);
	assert_int_equal(table.n, 128);
	for (int len = 1; len <= 64; len++) {
		memset(hex, 0, sizeof(hex));
		memset(hex, '7', (size_t)len * 2);
		check_int(hex, find(hex)->says, SOURCE_VALID);
		hex[len * 2 - 1] = '6';
		check(hex, !find(hex));
		memset(hex, 'F', (size_t)len * 2);
		check_int(hex, find(hex)->says, SOURCE_REVOKED);
	}
}

/* ---- numbers ---- */

static const struct {
	const char *content, *text; /* text NULL: refused */
} numbers[] = {
	{ "00", "00" },     { "0000", "00" },      { "01", "01" },        { "000001", "01" }, { "0080", "80" },
	{ "80", "-80" },    { "ff80", "-80" },     { "ff", "-01" },       { "ffff", "-01" },  { "ff7f", "-81" },
	{ "7f", "7F" },     { "00ff00", "FF00" },  { "ff0100", "-FF00" }, { "", NULL },       { "00" HEX_64, HEX_64 },
	{ HEX_64, HEX_64 }, { "11" HEX_64, NULL },
};

static void a_number_is_the_same_however_many_zeros_stand_before_it(void **state)
{
	char text[SERIAL_TEXT];
	(void)state;
	for (size_t i = 0; i < ROWS(numbers); i++) {
		struct blob content = blob_hex(numbers[i].content);
		struct serial_key key;
		bool taken = serial_from_der(&key, der_of(content.data, content.len));
		check_int(numbers[i].content, taken, numbers[i].text != NULL);
		if (taken)
			check_str(numbers[i].content, serial_text(text, &key), numbers[i].text);
	}
}

static void half_a_million_serials_are_all_found(void **state)
{
	struct source_status status = { .says = SOURCE_VALID, .reason = -1 };
	struct serial_key key;
	char hex[17];
	(void)state;
	for (uint32_t i = 0; i < 500000; i++) {
		snprintf(hex, sizeof(hex), "%08x", i);
		status.not_after = i;
		assert_true(serial_from_hex(&key, hex, 8) && serials_add(&table, &key, &status, i));
	}
	assert_true(serials_seal(&table, NULL, NULL));
	for (uint32_t i = 0; i < 500000; i++) {
		snprintf(hex, sizeof(hex), "%08x", i);
		assert_int_equal(find(hex)->not_after, i);
	}
	assert_null(find("0007A120"));
}

/* ---- lists of what was issued ---- */

static const char issued[] = "# issued by hand\n"
			     "0A\n"
			     "\n"
			     "  0xb  \n"
			     "serial=0C # openssl x509 -noout -serial\n"
			     "00:0d:0e\r\n"
			     "0X0f\n"
			     "0A\n";

static bool agree(const struct serial_row *first, uint32_t first_line, const struct serial_row *second, uint32_t second_line,
		  void *user)
{
	(void)user;
	assert_true(first_line < second_line && serial_rows_agree(first, second));
	return false;
}

static void a_list_is_read_as_tools_write_it(void **state)
{
	static const char *const there[] = { "0A", "0B", "0C", "0D0E", "0F" };
	(void)state;
	assert_int_equal(issued_parse(&table, issued, sizeof(issued) - 1, "issued", &err), 0);
	assert_true(serials_seal(&table, agree, NULL));
	assert_int_equal(table.n, 5);
	for (size_t i = 0; i < ROWS(there); i++)
		check(there[i], find(there[i]) && find(there[i])->says == SOURCE_VALID);
}

static void a_list_with_anything_else_is_refused_by_its_line(void **state)
{
	static const char *const wrong[] = { "0A\nserial\n", "0A\n0x\n", "0A\n:0B\n", "0A\n0B:\n",          "0A\n0B::0C\n",
					     "0A\n0B 0C\n",  "0A\n-1\n", "0A\n1.5\n", "0A\n" HEX_64 "11\n", "0A\n0B" };
	(void)state;
	for (size_t i = 0; i < ROWS(wrong); i++) {
		serials_done(&table);
		check_int(wrong[i], issued_parse(&table, wrong[i], strlen(wrong[i]), "issued", &err), CLINCH_E_FORMAT);
		check(err.text, strstr(err.text, "issued: line 2"));
	}
}

/* ---- a file that changes while it is read ---- */

struct writing {
	const char *path, *mode, *text;
	unsigned taken;
};

/* At the first line. */
static int write_meanwhile(const struct line *line, void *user, struct clinch_error *out)
{
	struct writing *writing = user;
	(void)line, (void)out;
	if (writing->taken++ == 0) {
		FILE *file = fopen(writing->path, writing->mode);
		assert_non_null(file);
		assert_true(fputs(writing->text, file) >= 0);
		assert_int_equal(fclose(file), 0);
	}
	return 0;
}

static void what_is_appended_while_it_is_read_is_left_for_the_next_time(void **state)
{
	char dir[SCRATCH_SIZE], path[SCRATCH_SIZE + 8];
	struct writing append = { path, "a", "three\n", 0 }, rewrite = { path, "w", "one\nanother\nthree\nfour\n", 0 },
		       half = { path, "a", "fi", 0 };
	int64_t modified_at;
	(void)state;
	assert_non_null(mkdtemp(scratch_template(dir, "index")));
	snprintf(path, sizeof(path), "%s/lines", dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("one\ntwo\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(lines_read(path, write_meanwhile, &append, &modified_at, &err), 0);
	assert_int_equal(append.taken, 2);
	assert_int_equal(lines_read(path, write_meanwhile, &rewrite, &modified_at, &err), CLINCH_E_FILE);
	check(err.text, strstr(err.text, "was changed while it was read"));
	assert_int_equal(lines_read(path, write_meanwhile, &half, &modified_at, &err), 0);
	assert_int_equal(half.taken, 4);
	assert_int_equal(lines_read(path, write_meanwhile, &half, &modified_at, &err), CLINCH_E_FORMAT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

#define C(function) cmocka_unit_test_setup_teardown(function, forget_blobs, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(a_line_says_what_openssl_means_by_it),
		C(what_is_odd_is_taken_at_its_worst_and_said),
		C(what_is_wrong_is_refused_by_its_line),
		C(each_beginning_of_an_index_is_refused_unless_a_line_ends_there),
		C(an_empty_index_names_nothing),
		C(a_line_may_be_long_but_not_endless),
		C(serials_of_each_length_are_told_apart),
		C(a_number_is_the_same_however_many_zeros_stand_before_it),
		C(half_a_million_serials_are_all_found),
		C(a_list_is_read_as_tools_write_it),
		C(a_list_with_anything_else_is_refused_by_its_line),
		C(what_is_appended_while_it_is_read_is_left_for_the_next_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
