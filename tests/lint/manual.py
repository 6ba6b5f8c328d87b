# SPDX-License-Identifier: LGPL-2.1-or-later
"""The man pages: sound, and telling what --help tells."""
import os
import re

from harness import Failed, build_path, case, clinch, expect, expect_equal, expect_in, main, new_tempdir, run, source_path
from tree import expect_none, project

OPTION = re.compile(r"^ {1,12}(?:-(\w)(?: [A-Z]\S*)?, )?--([a-z0-9][a-z0-9-]*)", re.M)


def commands(text):
    """The names in the table of `clinch --help`."""
    table = re.search(r"^Commands:\n((?: +\S.*\n)+)", text, re.M)
    return re.findall(r"^ {1,8}([a-z][a-z-]*) ", table.group(1), re.M) if table else []


def options(text):
    """(letter or "", name) of each option that a help text or a rendered page lists at the beginning of a line."""
    return {(letter or "", name) for letter, name in OPTION.findall(text)}


def rendered(path):
    """A page as a terminal shows it, without bold and underline."""
    done = run(["mandoc", "-T", "ascii", "-O", "width=160", path])
    expect_equal(done.rc, 0, f"mandoc's exit status for {path}")
    return re.sub(".\b", "", done.out)


def differences(name, in_help, in_page):
    written = [f"-{letter}, --{long}" if letter else f"--{long}" for letter, long in sorted(in_help - in_page)]
    extra = [f"-{letter}, --{long}" if letter else f"--{long}" for letter, long in sorted(in_page - in_help)]
    return [f"{name}(1) does not list {o}" for o in written] + [f"{name}(1) lists {o}, --help does not" for o in extra]


def lint(tree):
    pages = tree.matching(r"^man/.*\.[1-9]$")
    done = run(["mandoc", "-T", "lint", "-W", "warning", *(os.path.join(tree.root, p) for p in pages)])
    rows = re.findall(r"^mandoc: (.*?):(\d+):\d+: (.*)$", done.out, re.M)
    return [(os.path.relpath(path, tree.root), int(line), sentence) for path, line, sentence in rows]


@case
def every_page_is_sound():
    tree = project()
    expect(len(tree.matching(r"^man/.*\.[1-9]$")) >= 5, "fewer than five man pages")
    expect_none(lint(tree))


@case
def an_unsound_page_is_noticed():
    from tree import samples
    expect_equal([p for p, _, _ in lint(samples())][:1], ["man/unsound.1"], "pages that were noticed")


@case
def every_command_has_its_page_and_is_in_clinch_1():
    names = commands(clinch("--help").out)
    expect(len(names) >= 4, f"only these commands were found: {names}")
    front = rendered(source_path("man", "clinch.1"))
    for name in names:
        expect(os.path.exists(source_path("man", f"clinch-{name}.1")), f"clinch {name} has no man page")
        expect_in(name, front, "clinch(1)")


@case
def every_page_of_a_command_has_its_command():
    names = commands(clinch("--help").out)
    pages = [re.match(r"man/clinch-(\w+)\.1$", p) for p in project().paths]
    expect_equal([p.group(1) for p in pages if p and p.group(1) not in names], [], "pages without a command")


@case
def options_of_help_and_page_are_the_same():
    found = []
    for name in commands(clinch("--help").out):
        in_help = options(clinch(name, "--help").out)
        expect(in_help, f"no option was found in clinch {name} --help")
        found += differences(f"clinch-{name}", in_help - {("h", "help"), ("", "help")},
                             options(rendered(source_path("man", f"clinch-{name}.1"))) - {("h", "help"), ("", "help")})
    if found:
        raise Failed("\n".join(found))


@case
def an_option_that_only_one_of_them_has_is_noticed():
    page = os.path.join(new_tempdir(), "clinch-x.1")
    with open(page, "w", encoding="utf-8") as f:
        f.write(".Dd November 23, 2026\n.Dt CLINCH-X 1\n.Os\n.Sh NAME\n.Nm clinch-x\n.Nd x\n.Sh OPTIONS\n.Bl -tag -width Ds\n"
                ".It Fl o Ar FILE , Fl Fl output Ar FILE\nWritten there, see\n.Fl Fl nothing .\n.It Fl Fl only-here\nx\n.El\n")
    in_help = options("  -o, --output FILE  written there\n      --json         for programs\n")
    expect_equal(differences("clinch-x", in_help, options(rendered(page))),
                 ["clinch-x(1) does not list --json", "clinch-x(1) lists --only-here, --help does not"], "differences")


@case
def every_reason_and_finding_is_in_clinch_reasons_7():
    page = rendered(build_path("man", "clinch-reasons.7"))
    names = []
    for table in ("reasons.def", "findings.def"):
        with open(source_path("include/clinch", table), encoding="utf-8") as f:
            names += re.findall(r'^(?:REASON|FINDING)\(\w+, "([a-z0-9-]+)"', f.read(), re.M)
    expect(len(names) > 90, f"only {len(names)} rows were found")
    expect_equal([n for n in names if not re.search(rf"(?<![\w-]){n}(?![\w-])", page)], [], "missing in clinch-reasons(7)")


main()
