# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of reasons and findings: each row is tested from both sides, and its source exists.

From the one side: a test expects that very id: `want STATUS id` or `findings +id` in a table of cases, or the constant
(CLINCH_REASON_...) or the quoted id in a test program. From the other: a case that stands right beside it and does not get it:
`near id` in a table, or a comment `near: id` in a test program.
"""
import re

from harness import Failed, case, expect, expect_equal, main, source_path
from tree import project

ROW = re.compile(r'^(REASON|FINDING)\((\w+), "([a-z0-9-]+)", \w+, "(?:[^"\\]|\\.)*", "([^"]+)"\)', re.M)


def read(*parts):
    with open(source_path(*parts), encoding="utf-8") as f:
        return f.read()


def rows():
    """(constant, id, source) of every row of both tables."""
    text = read("include", "clinch", "reasons.def") + read("include", "clinch", "findings.def")
    return [(f"CLINCH_{kind}_{name}", identity, source) for kind, name, identity, source in ROW.findall(text)]


def test_texts():
    tree = project()
    tables = [tree.text(p) for p in tree.matching(r"^tests/data/cases/.*\.cases$")]
    programs = [tree.text(p) for p in tree.matching(r"^tests/(unit|oom|integration)/.*\.(c|py)$")]
    return tables, programs


def sides(tables, programs):
    """The ids and constants that some test expects, and the ids that some test stands beside."""
    expected, beside = set(), set()
    for text in tables:
        expected |= set(re.findall(r"^want \w+ ([a-z0-9-]+)", text, re.M))
        for words in re.findall(r"^findings (.*)$", text, re.M):
            names = re.findall(r"([=+,-]*)([a-z0-9]+(?:-[a-z0-9]+)*)", words)
            expected |= {name for sign, name in names if "-" not in sign}
            beside |= {name for sign, name in names if "-" in sign}
        for words in re.findall(r"^near (.*)$", text, re.M):
            beside |= set(words.split())
    for text in programs:
        for words in re.findall(r"\bnear: ([a-z0-9, -]+)", text):
            beside |= set(re.split(r"[, ]+", words))
        expected |= set(re.findall(r"CLINCH_(?:REASON|FINDING)_\w+", text)) | set(re.findall(r"[\"']([a-z0-9-]+)[\"']", text))
    return expected, beside


def gaps(table, expected, beside):
    found = [f"{name}: no test expects it" for constant, name, _ in table if name not in expected and constant not in expected]
    return found + [f"{name}: no test stands beside it without getting it" for _, name, _ in table if name not in beside]


# What has no other side, or no place where a test could stand.
ONE_SIDED = {
    "unjudged",  # what zeroed memory says; a judgement never says it
    "good",  # its other side are all the refusals
}


@case
def every_row_is_tested_from_both_sides():
    expected, beside = sides(*test_texts())
    found = gaps(rows(), expected, beside | ONE_SIDED)
    if found:
        raise Failed("\n".join(found))


@case
def a_row_without_a_test_is_noticed():
    table = [("CLINCH_REASON_A", "a-a", ""), ("CLINCH_REASON_B", "b", ""), ("CLINCH_FINDING_C", "c-c", ""), ("CLINCH_REASON_D", "d", "")]
    cases = ["want invalid a-a\nfindings +e,-c-c\nnear b\n# near d\n"]
    programs = ["assert(CLINCH_REASON_B); /* near: a-a */", 'expect(row["reason"], "d")']
    expected, beside = sides(cases, programs)
    expect_equal(gaps(table, expected, beside), ["c-c: no test expects it", "d: no test stands beside it without getting it"], "gaps")


@case
def every_id_a_table_of_cases_names_is_a_row():
    known = {name for _, name, _ in rows()}
    tables, _ = test_texts()
    expected, beside = sides(tables, [])
    expect_equal(sorted((expected | beside) - known), [], "ids that are no rows")


@case
def every_row_is_read_and_no_id_is_used_twice():
    text = read("include", "clinch", "reasons.def") + read("include", "clinch", "findings.def")
    names = [name for _, name, _ in rows()]
    expect_equal(len(names), len(re.findall(r"^(?:REASON|FINDING)\(", text, re.M)), "rows that were read")
    expect_equal(sorted({n for n in names if names.count(n) > 1}), [], "ids used twice")


# --- the sources ------------------------------------------------------------------------------------------------------------------


def sections(text):
    """The headings of docs/verification.md, and for one with lettered rules `Belief 2c` beside `Belief 2`."""
    found = set()
    for part in re.split(r"^##+ ", text, flags=re.M)[1:]:
        title = part.split("\n")[0].strip()
        name = re.match(r"Belief \d+", title)
        found.add(name.group(0) if name else title.lower())
        found |= {f"{name.group(0)}{letter}" for letter in re.findall(r"^\s*[-*] \(([a-z])\)", part, re.M)} if name else set()
    return found


def unwritten(table, written):
    found = []
    for _, name, source in table:
        for part in re.findall(r"Verify: ([^;(]+)", source):
            wanted = part.split(",")[0].strip()
            if wanted not in written and wanted.lower() not in written:
                found.append(f"{name}: docs/verification.md has no section {wanted}")
    return found


@case
def every_source_in_the_rules_is_a_section_there():
    table = rows()
    expect(any("Verify: " in source for _, _, source in table), "no row names the rules")
    found = unwritten(table, sections(read("docs", "verification.md")))
    if found:
        raise Failed("\n".join(found))


@case
def a_source_that_is_no_section_is_noticed():
    written = sections("# Rules\n\n## Parsing\nx\n### Belief 2. The signer\n- (a) x\n- (c) y\n### Belief 3. The signature\n")
    expect_equal(written, {"parsing", "Belief 2", "Belief 2a", "Belief 2c", "Belief 3"}, "sections")
    table = [("", "fine", "RFC 6960 3.2; Verify: Belief 2c"), ("", "lost", "Verify: Belief 2d"), ("", "gone", "Verify: The path (x)")]
    expect_equal(unwritten(table, written), ["lost: docs/verification.md has no section Belief 2d",
                                             "gone: docs/verification.md has no section The path"], "what is noticed")


main()
