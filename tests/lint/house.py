# SPDX-License-Identifier: LGPL-2.1-or-later
"""The house's own tools: a failing test is seen, counted and shown; nothing is left behind; packages are asked for, not guessed."""
import json
import os
import re
import stat
import sys

from harness import case, expect, expect_equal, expect_in, expect_not_in, main, new_tempdir, run, source_path, wait_for

# --- the harness ------------------------------------------------------------------------------------------------------------------


def program(body):
    """Runs a test program made of `body`."""
    path = os.path.join(new_tempdir(), "program.py")
    with open(path, "w", encoding="utf-8") as f:
        f.write("from harness import *\n" + body + "\nmain()\n")
    return path


def run_program(body, *words, env=None):
    """Its deadlines are those that it says."""
    return run([sys.executable, program(body), *words], env={"CLINCH_PATIENCE_S": "0", **(env or {})})


@case
def a_program_passes_when_its_cases_pass():
    done = run_program("@case\ndef adds_up():\n    expect_equal(1 + 1, 2)\n@case\ndef waits():\n    skip('not today')\n")
    expect_equal(done.out, "ok 1 - adds up\nok 2 - waits # SKIP not today\n1..2\n", "TAP")
    expect_equal(done.rc, 0, "exit status")


@case
def each_expectation_can_fail():
    for body in ("expect(False, 'why')", "expect_equal(1, 2)", "expect_in('a', 'b')", "expect_not_in('a', 'a')",
                 "expect_match('a', 'b')", "raise KeyError('x')", "run(['false']).json", "wait_for(lambda: 0, 0.01, 'it')",
                 "run(['sleep', '60'], timeout=0.1)", "start(['false'], ready='x')", "start(['sleep', '60'], ready='x', seconds=0.1)",
                 "start(['sleep', '60']).wait(0.1)"):
        done = run_program(f"@case\ndef fails():\n    {body}\n@case\ndef goes_on():\n    pass\n")
        expect_equal((done.rc, done.out.startswith("not ok 1 - fails\n# "), "ok 2 - goes on" in done.out), (1, True, True), body)


@case
def a_failure_shows_the_logs():
    done = run_program("@case\ndef fails():\n    start(['sh', '-c', 'echo spoken; sleep 60'], ready='spoken')\n    expect(0, 'no')\n")
    expect_in("# spoken", done.out, "diagnostics")


@case
def a_program_without_a_case_to_run_fails():
    expect_equal(run_program("").rc, 1, "no case")
    expect_equal(run_program("@case\ndef a():\n    pass", "zebra").rc, 1, "no case of that name")


@case
def nothing_outlives_a_program_that_failed():
    scratch = new_tempdir()
    body = f"""@case
def fails():
    start(['sh', '-c', 'trap "" TERM; sleep 300 & echo $! > {scratch}/pid; echo up; wait; sleep 300'], ready='up')
    open(os.path.join(tempdir(), 'x'), 'w')
    raise KeyError
"""
    run_program("import os\n" + body, env={"TMPDIR": scratch})
    with open(os.path.join(scratch, "pid"), encoding="utf-8") as f:
        pid = f.read().strip()
    wait_for(lambda: not os.path.exists(f"/proc/{pid}/exe"), 5, "the child's child to be gone")
    expect_equal(os.listdir(scratch), ["pid"], "what is left in TMPDIR")


# --- the count --------------------------------------------------------------------------------------------------------------------


def count(*tests, trouble=()):
    path = os.path.join(new_tempdir(), "testlog.json")
    with open(path, "w", encoding="utf-8") as f:
        for name, result, stdout in tests:
            f.write(json.dumps({"name": name, "result": result, "stdout": stdout, "returncode": 0, "command": ["x"]}) + "\n")
    done = run([source_path("tools", "count-tests"), path, *trouble])
    return done.rc, done.out.splitlines()[-1], done.out


@case
def the_last_line_counts_every_case():
    tap = "ok 1 - a\nok 2 - b # SKIP why\nnot ok 3 - c\nok\n1..4\n"
    expect_equal(count(("t", "FAIL", tap))[:2], (1, "2 passed, 1 failed, 1 skipped"), "a failure")
    expect_in("not ok 3 - c", count(("t", "FAIL", tap))[2], "the log")
    expect_equal(count(("t", "OK", "ok 1\nok 2\n1..2"), ("plain", "OK", ""))[:2], (0, "3 passed, 0 failed"), "all passed")


@case
def a_failure_is_shown_however_long_the_log():
    tap = "ok 1\nnot ok 2 - b\n# why it failed\n" + "".join(f"ok {n}\n" for n in range(3, 2000)) + "1..1999\n"
    shown = count(("t", "FAIL", tap))[2]
    expect_in("not ok 2 - b\n# why it failed\n", shown, "the log")
    expect(len(shown.splitlines()) < 400, "all of the log is shown")


@case
def a_run_that_only_looks_good_is_a_failure():
    expect_equal(count()[:2], (1, "0 passed, 0 failed"), "no test")
    expect_equal(count(("t", "SKIP", "1..0 # SKIP"))[:2], (1, "0 passed, 0 failed, 1 skipped"), "all skipped")
    expect_equal(count(("t", "ERROR", "ok 1\n1..2"))[:2], (1, "1 passed, 1 failed"), "a broken plan")
    expect_equal(count(("t", "TIMEOUT", "ok 1\n"))[:2], (1, "1 passed, 1 failed"), "a time-out")
    expect_equal(count(("t", "OK", "ok 1\n1..1"), trouble=["files were left"])[:2], (1, "1 passed, 1 failed"), "something was left behind")
    expect_equal(run([source_path("tools", "count-tests"), "/nonexistent"]).rc, 1, "no log")


# --- the front door ---------------------------------------------------------------------------------------------------------------


@case
def every_program_that_make_calls_is_there():
    with open(source_path("Makefile"), encoding="utf-8") as f:
        called = set(re.findall(r"(?<=@)(?:tools|tests|bench)/[\w/-]+", f.read()))
    expect(len(called) >= 8, f"only these were found: {called}")
    missing = [c for c in sorted(called) if not (os.path.isfile(source_path(c)) and os.access(source_path(c), os.X_OK))]
    expect_equal(missing, [], "not there, or not executable")


@case
def make_reads_its_makefile_without_a_word():
    done = run(["make", "--no-print-directory", "-s", "-C", source_path(), "help"])
    expect_equal((done.rc, done.err), (0, ""), "make help")
    expect_in("make check", done.out, "make help")


# --- the packages -----------------------------------------------------------------------------------------------------------------


def machine(installed, known, sudo="exit 1"):
    """A directory for PATH in which dpkg-query and apt tell of such a machine; calls of apt-get are in its file "calls"."""
    where = new_tempdir()
    for name, body in (("dpkg-query", f'for p; do :; done\ncase " {installed} " in *" $p "*) printf installed ;; *) exit 1 ;; esac'),
                       ("apt-cache", f'for p; do :; done\ncase " {known} " in *" $p "*) ;; *) exit 100 ;; esac'),
                       ("apt-get", f'echo "$@" >>{where}/calls'), ("id", "echo 1000"), ("sudo", sudo)):
        path = os.path.join(where, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\n{body}\n")
        os.chmod(path, stat.S_IRWXU)
    return where


def rows(*sections):
    """The names in sections of the list, alternatives and all."""
    names, taken = [], False
    with open(source_path("packaging", "debian-packages"), encoding="utf-8") as f:
        for line in (line.split("#")[0].strip() for line in f):
            if line.startswith("["):
                taken = line.strip("[]") in sections
            elif line and taken:
                names += [word.split("(")[0].strip() for word in line.split("|")]
    return names


def packages(where, *args):
    return run([source_path("tools", "packages"), *args], env={"PATH": f"{where}:/usr/bin:/bin"})


@case
def apt_is_not_called_when_nothing_is_missing():
    where = machine(" ".join(rows("build", "demo")), "")
    for mode in ("check", "install"):
        done = packages(where, mode, "build", "demo")
        expect_equal((done.rc, done.out, done.err), (0, "", ""), mode)
    expect(not os.path.exists(f"{where}/calls"), "apt-get was called")


@case
def an_ordinary_user_is_told_the_line_to_run():
    names = [n for n in rows("build") if n != "meson"]
    where = machine(" ".join(names), "meson")
    done = packages(where, "install", "build")
    expect_equal(done.rc, 2, "exit status")
    expect_in("apt-get install --no-install-recommends meson", done.err, "the line")
    expect(not os.path.exists(f"{where}/calls"), "apt-get was called")


@case
def sudo_is_used_where_it_needs_no_password():
    said = os.path.join(new_tempdir(), "said")
    done = packages(machine("", "", f'[ "$1" = -n ] || echo "$@" >>{said}'), "install", "build", "demo")
    expect_equal(done.rc, 0, "exit status")
    with open(said, encoding="utf-8") as f:
        expect_equal(f.read(), source_path("tools", "packages") + " install build demo\n", "what sudo was told")
    expect_in("installing by sudo what is missing:", done.err, "what is said")


@case
def of_alternatives_the_one_that_the_release_has_is_asked_for():
    newer = next(n for n in rows("clang") if n.startswith("libclang-rt-") and "14" not in n)
    others = [n for n in rows("clang") if not n.startswith("libclang-rt-")]
    done = packages(machine(" ".join(others), newer), "check", "clang")
    expect_in(newer, done.err, "the line")
    expect_not_in("libclang-rt-14", done.err, "the line")
    expect_equal(packages(machine(" ".join(others + [newer]), newer), "check", "clang").rc, 0, "with the other alternative installed")


@case
def every_row_of_the_list_says_why():
    with open(source_path("packaging", "debian-packages"), encoding="utf-8") as f:
        bare = [line.strip() for line in f if line.strip() and not line.startswith(("#", "[")) and "#" not in line]
    expect_equal(bare, [], "rows without a reason")


main()
