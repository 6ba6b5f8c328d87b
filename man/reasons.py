# SPDX-License-Identifier: LGPL-2.1-or-later
"""clinch-reasons(7) from its frame and the two tables: a row is written once, in include/clinch/*.def.

usage: reasons.py clinch-reasons.7.in reasons.def findings.def clinch-reasons.7
"""
import re
import sys
import textwrap

STRING = r'"((?:[^"\\]|\\.)*)"'
REASON = re.compile(rf"^REASON\(\w+, {STRING}, (\w+), {STRING}, {STRING}\)$", re.M)
FINDING = re.compile(rf"^FINDING\(\w+, {STRING}, (\w+), {STRING}, {STRING}\)$", re.M)
GROUP = re.compile(r"^/\* (.*?) \*/$", re.M)


def roff(text):
    """Plain text for roff: no escapes, no control line, a hyphen that stays one, lines of at most 80 bytes."""
    lines = textwrap.wrap(text.replace("\\", "\\e").replace("-", "\\-"), 78, break_long_words=False, break_on_hyphens=False)
    return "\n".join("\\&" + line if line[0] in ".'" else line for line in lines)


def sentence(text):
    """With a capital, except where the first word is spelled by an RFC (responseStatus), and a full stop."""
    first = text.split()[0]
    text = text if re.search("[A-Z]", first) else text[0].upper() + text[1:]
    return roff(text if text.endswith(".") else text + ".")


def item(name, word, text, source):
    return f".It Li {roff(name)} Pq {word}\n{sentence(text)}\n.br\n{roff('Source: ' + source + '.')}\n"


def groups(text):
    """(heading, rows) of the table of reasons: a comment of one line begins a group."""
    parts = GROUP.split(text)
    return [(parts[i], REASON.findall(parts[i + 1])) for i in range(1, len(parts), 2)]


def reasons_text(text):
    out = []
    for heading, rows in groups(text):
        if not rows:
            continue
        out.append(f".Ss {heading[0].upper()}{roff(heading[1:])}\n.Bl -tag -width Ds\n")
        out += [item(name, status.lower(), words, source) for name, status, words, source in rows]
        out.append(".El\n")
    return "".join(out)


def findings_text(text):
    return ".Bl -tag -width Ds\n" + "".join(item(*row) for row in FINDING.findall(text)) + ".El\n"


def check(text, macro, found):
    written = len(re.findall(rf"^{macro}\(", text, re.M))
    if found != written:
        sys.exit(f"reasons.py: {written} rows begin with {macro}, {found} of them can be read")


def main(frame_path, reasons_path, findings_path, out_path):
    with open(frame_path, encoding="utf-8") as frame, open(reasons_path, encoding="utf-8") as reasons, \
            open(findings_path, encoding="utf-8") as findings:
        page, reason_table, finding_table = frame.read(), reasons.read(), findings.read()
    check(reason_table, "REASON", sum(len(rows) for _, rows in groups(reason_table)))
    check(finding_table, "FINDING", len(FINDING.findall(finding_table)))
    page = page.replace("@REASONS@\n", reasons_text(reason_table)).replace("@FINDINGS@\n", findings_text(finding_table))
    with open(out_path, "w", encoding="utf-8") as out:
        out.write(page)


main(*sys.argv[1:])
