# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files a lint looks at, and what every lint does with them.

A lint is a function from a Tree to problems, each `(path, line, sentence)`. It is proved on tests/lint/samples, a small tree that
is wrong on purpose: a line marked `WRONG(lint): words` has to be reported by that lint with those words, and no other line may be.
A lint that cannot fail is thus found out.
"""
import os
import re
import subprocess

from harness import SOURCE, Failed, add_case

SAMPLES = "tests/lint/samples"
MARK = re.compile(r"WRONG\(([a-z-]+)\):\s*(.*?)\s*(?:\*/|-->|$)")


class Tree:
    """A directory and the paths in it, relative to it."""

    def __init__(self, root, paths):
        self.root, self.paths = root, sorted(paths)

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def matching(self, pattern):
        return [p for p in self.paths if re.search(pattern, p)]


def project():
    """What git has or would take; what is in the directory when there is no git."""
    listed = subprocess.run(["git", "-C", SOURCE, "-c", "safe.directory=*", "ls-files", "--cached", "--others",
                             "--exclude-standard"], capture_output=True, text=True, timeout=30)
    paths = listed.stdout.splitlines() if listed.returncode == 0 else _walk(SOURCE)
    return Tree(SOURCE, [p for p in paths if not p.startswith(SAMPLES + "/") and os.path.isfile(os.path.join(SOURCE, p))])


def _walk(root):
    for where, directories, names in os.walk(root):
        directories[:] = [d for d in directories if d not in (".git", "__pycache__") and not d.startswith("build")]
        yield from (os.path.relpath(os.path.join(where, n), root) for n in names)


def samples():
    root = os.path.join(SOURCE, SAMPLES)
    return Tree(root, list(_walk(root)))


def lint(name, problems):
    """Adds the two cases of a lint: the tree has no problem, and the samples have exactly those that are marked."""
    clean(name, problems)
    add_case(f"{name}_finds_what_is_wrong_in_the_samples", lambda: _expect_marked(name, samples(), problems))


def clean(name, problems):
    """Adds the case that the tree has no problem, for a lint that is proved in another way."""
    add_case(f"{name}_finds_nothing_in_the_tree", lambda: expect_none(problems(project())))


def expect_none(found):
    if found:
        raise Failed("\n".join(f"{path}:{line}: {sentence}" for path, line, sentence in sorted(found)))


def _expect_marked(name, tree, problems):
    marked = {(path, number): words for path in tree.paths
              for number, line in enumerate(tree.text(path).splitlines(), 1)
              for lint_name, words in MARK.findall(line) if lint_name == name}
    found = problems(tree)
    trouble = [f"{p}:{n}: not noticed: {words}" for (p, n), words in marked.items()
               if not any((path, line) == (p, n) and words in sentence for path, line, sentence in found)]
    trouble += [f"{p}:{n}: noticed without a mark: {s}" for p, n, s in found if (p, n) not in marked]
    if not marked:
        trouble.append(f"no sample is marked WRONG({name})")
    if trouble:
        raise Failed("\n".join(trouble))


# --- C --------------------------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def bare_c(text):
    """C without what is in comments and literals; line numbers stay."""
    def blank(found):
        token = found.group(0)
        return '""' if token[0] == '"' else "' '" if token[0] == "'" else " " + "\n" * token.count("\n")
    return _TOKEN.sub(blank, text)


def numbered(text):
    return enumerate(text.splitlines(), 1)


def functions(tree, path):
    """(name, first line, last line) of each function of a C file."""
    done = subprocess.run(["ctags", "--language-force=C", "--kinds-C=f", "-x", "--_xformat=%N %n %e", "-f", "-", path],
                          cwd=tree.root, capture_output=True, text=True, check=True, timeout=30)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [(name, int(first), int(last)) for name, first, last in rows if last.isdigit()]
