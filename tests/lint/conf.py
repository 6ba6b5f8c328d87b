# SPDX-License-Identifier: LGPL-2.1-or-later
"""clinch.yaml(5) and the table that the reader goes by: the same keys, with the same defaults, bounds and words."""
import re

from harness import Failed, build_path, case, expect, expect_equal, main, run, source_path

PAGE = source_path("man", "clinch.yaml.5")


def table(text):
    """{path: (type, default, bounds, words)} of what conf_keys prints."""
    rows = [line.split("\t") for line in text.splitlines()]
    return {path: (kind, preset, bounds, words.split()) for path, kind, preset, bounds, words in rows}


def items(page):
    """{path: text} of the page's `.It Cm path ...`, macros taken out of the text."""
    found = {}
    for part in re.split(r"^\.It ", page, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        path = re.match(r"Cm ([a-z_.]+)", head)
        body = re.split(r"^\.(?:El|Sh|Ss)\b", body, flags=re.M)[0]
        words = re.sub(r"^\.[A-Z][a-z] ", "", re.sub(r" (?:Cm|Ar|Pa|Ns|Dq|Fl|Xr) ", " ", body), flags=re.M)
        if path:
            found[path.group(1)] = " ".join((head + "\n" + words).split()).replace(" ,", ",").replace(" .", ".")
    return found


def gaps(rows, written):
    found = [f"{path} is not in the page" for path in rows if path not in written]
    found += [f"{path} is in the page alone" for path in written if path not in rows]
    for path, (kind, preset, bounds, words) in rows.items():
        text = written.get(path, "")
        if not text:
            continue
        if preset == "(required)" and "Required." not in text:
            found.append(f"{path}: the page does not say \"Required.\"")
        elif preset and preset != "(required)" and f"Default: {preset}" not in text:
            found.append(f"{path}: the page does not say \"Default: {preset}\"")
        elif not preset and "Default:" in text:
            found.append(f"{path}: the page has a default, the table has none")
        if bounds and bounds not in text:
            found.append(f"{path}: the page does not say \"{bounds}\"")
        found += [f"{path}: the page does not have the word {w}" for w in words if not re.search(rf"\b{w}\b", text)]
    return found


@case
def the_page_says_what_the_table_says():
    with open(PAGE, encoding="utf-8") as f:
        written = items(f.read())
    done = run([build_path("tests", "lint", "conf_keys")])
    expect_equal(done.rc, 0, "the exit status of conf_keys")
    rows = table(done.out)
    expect(len(rows) > 50, f"only {len(rows)} keys were found")
    found = gaps(rows, written)
    if found:
        raise Failed("\n".join(found))


@case
def a_key_that_only_one_of_them_has_is_noticed():
    rows = table("a\tsection\t\t\t\na.b\tduration\t5s\t1s to 1m\t\na.c\tchoice\tx\t\tx y \na.d\ttext\t(required)\t\t\na.e\ttext\t\t\t\n")
    page = (".It Cm a\nx\n.Bl\n.It Cm a.b Ar duration\nText.\nDefault: 6s, 1s to 2m.\n.It Cm a.c Cm x\nDefault: x.\n"
            ".It Cm a.d Ar text\nText.\n.It Cm a.f\nText.\n.El\n")
    expect_equal(gaps(rows, items(page)), [
        "a.e is not in the page", "a.f is in the page alone", 'a.b: the page does not say "Default: 5s"',
        'a.b: the page does not say "1s to 1m"', "a.c: the page does not have the word y",
        'a.d: the page does not say "Required."'], "gaps")


main()
