# SPDX-License-Identifier: LGPL-2.1-or-later
"""What holds for files as such: the licence line, paths of somebody's machine, form, scripts."""
import os
import re
import subprocess

from harness import case, expect, main, new_tempdir, run, skip
from tree import Tree, expect_none, lint, numbered, project

# --- the licence line -------------------------------------------------------------------------------------------------------------

SPDX = "SPDX-License-Identifier: LGPL-2.1-or-later"
OURS = r"(\.(c|h|def|py|sh)|/meson\.build|^Makefile|^\.ci/run|^tools/[^.]+|^bench/[^.]+)$"


def licence(tree):
    return [(p, 1, "no SPDX line in the first three") for p in tree.matching(OURS)
            if tree.text(p).strip() and SPDX not in "\n".join(tree.text(p).split("\n")[:3]) and not p.endswith("meson.build")]


lint("licence", licence)

# --- what only one machine has ------------------------------------------------------------------------------------------------------

# Written so that this file does not hold what it looks for.
MACHINE = re.compile("|".join(("/wor" + r"k/\w", "/hom" + r"e/\w", "/User" + r"s/\w", "/tmp/" + r"core-", r"\.py" + "env/")))


def machine_paths(tree):
    return [(path, number, f"{found.group(0)}: a path of one machine") for path in tree.paths
            for number, line in numbered(tree.text(path)) for found in MACHINE.finditer(line)]


lint("machine-paths", machine_paths)

# --- the one form -------------------------------------------------------------------------------------------------------------------

FORMATTER = "clang-format-14"


def form(tree):
    style = "--style=file:" + os.path.join(project().root, ".clang-format")
    done = subprocess.run([FORMATTER, style, "--dry-run", *tree.matching(r"\.[ch]$")], cwd=tree.root, capture_output=True, text=True,
                          timeout=300)
    rows = re.findall(r"^([^:\n]+):(\d+):\d+: warning: ", done.stderr, re.M)
    first = {path: int(line) for path, line in reversed(rows)}
    return [(path, line, "not as .clang-format has it: make format") for path, line in first.items()]


def needs_the_formatter():
    try:
        subprocess.run([FORMATTER, "--version"], capture_output=True, check=True, timeout=30)
    except OSError:
        skip(f"{FORMATTER} is not here: other versions have other forms")


@case
def the_tree_is_formatted():
    needs_the_formatter()
    expect_none(form(project()))


@case
def a_file_out_of_form_is_noticed():
    needs_the_formatter()
    root = new_tempdir()
    with open(os.path.join(root, "ugly.c"), "w") as f:
        f.write("int ugly(void)\n{\n    return 1 ;\n}\n")
    expect([p for p, _, _ in form(Tree(root, ["ugly.c"]))] == ["ugly.c"], "ugly.c was not noticed")


# --- tests that nobody runs, links that lead nowhere --------------------------------------------------------------------------------


def registered(tree):
    found = []
    for path in tree.matching(r"^tests/.*/test_\w+\.(c|py)$"):
        build = os.path.join(os.path.dirname(path), "meson.build")
        name = re.match(r"test_(\w+)\.", os.path.basename(path)).group(1)
        if not (build in tree.paths and re.search(rf"\b(test_)?{name}\b", tree.text(build))):
            found.append((path, 1, f"no meson.build runs it: {build} does not name it"))
    return found


lint("registered", registered)


def scratch(tree):
    """Temporary files of tests are where `make check` looks for what is left behind."""
    return [(path, number, "not in $TMPDIR: scratch_template(), tempdir()") for path in tree.matching(r"^tests/.*\.(c|h|py)$")
            for number, line in numbered(tree.text(path)) if re.search(r"[\"']/(var/)?tmp/[^\"']*XXXXXX", line)]


lint("scratch", scratch)


def links(tree):
    found = []
    for path in tree.matching(r"\.md$"):
        for number, line in numbered(tree.text(path)):
            for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
                if not os.path.exists(os.path.join(tree.root, os.path.dirname(path), target)):
                    found.append((path, number, f"{target} is not there"))
    return found


lint("links", links)

# --- scripts ------------------------------------------------------------------------------------------------------------------------


def scripts(tree):
    shells = [p for p in tree.paths if re.match(r"#!/(usr/)?bin/(env )?(ba|da)?sh\b", tree.text(p))]
    done = run(["shellcheck", "--format=gcc", *(os.path.join(tree.root, p) for p in shells)], timeout=300)
    rows = re.findall(r"^(.*?):(\d+):\d+: (.*)$", done.out, re.M)
    return [(os.path.relpath(path, tree.root), int(number), sentence) for path, number, sentence in rows]


lint("scripts", scripts)


@case
def the_front_doors_scripts_are_among_those_checked():
    tree = project()
    for path in ("tools/packages", "tools/check", "tools/check-fresh", ".ci/run"):
        expect(path in tree.paths and tree.text(path).startswith("#!"), f"{path} is not a script of the tree")


main()
