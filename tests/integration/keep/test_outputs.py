# SPDX-License-Identifier: LGPL-2.1-or-later
"""`keep.outputs`: files of DER and PEM, and commands after a change."""
import base64
import os
import re
import signal
import time

from authority import Authority
from harness import case, clinch, expect, expect_equal, expect_in, main, new_tempdir, wait_for
from scene import Clock, Keep, put


def outputs(*entries):
    return "ready_timeout: 60s\n  outputs:\n" + "".join(f"    - {entry}\n" for entry in entries)


def script(name, text):
    """An executable that appends to `log` beside it; its path and that of the log."""
    where = new_tempdir()
    path, log = os.path.join(where, name), os.path.join(where, "log")
    with open(path, "w") as f:
        f.write(f"#!/bin/sh\nlog='{log}'\n{text}\n")
    os.chmod(path, 0o755)
    return path, log


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def runs(log):
    return (read(log) or b"").decode().splitlines()


@case
def a_file_of_der_and_one_of_pem_are_what_the_store_has():
    with Authority() as ca:
        leaf, out = ca.leaf("www.example.org"), new_tempdir()
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            f'{{ der: "{out}/{{name}}.{{key_type}}.der", mode: "0640" }}', f'{{ pem: "{out}/{{fingerprint}}.pem" }}')).start()
        der = wait_for(lambda: read(f"{out}/www.example.org.ecdsa.der"), 5, "the file of DER")
        expect_equal(der, read(keep.path_of(leaf)), "bytes")
        expect_equal(os.stat(f"{out}/www.example.org.ecdsa.der").st_mode & 0o777, 0o640, "mode")
        pem = wait_for(lambda: read(os.path.join(out, os.path.basename(keep.path_of(leaf)).replace(".der", ".pem"))), 5, "PEM")
        lines = pem.decode().split("\n")
        expect_equal((lines[0], lines[-2]), ("-----BEGIN OCSP RESPONSE-----", "-----END OCSP RESPONSE-----"), "its frame")
        expect_equal(base64.b64decode("".join(lines[1:-2])), der, "what it encodes")
        wait_for(lambda: os.path.exists(f"{out}/.changed"), 5, ".changed")
        expect_equal([n for n in os.listdir(out) if n.endswith(".tmp")], [], "leftovers")


@case
def a_refresh_replaces_the_file_and_a_restart_leaves_it_alone():
    with Authority() as ca:
        ca.life_s = 8
        leaf, out = ca.leaf("www.example.org"), new_tempdir()
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(f'{{ der: "{out}/{{name}}.der" }}')).start()
        first = wait_for(lambda: read(f"{out}/www.example.org.der"), 5, "the file")
        ca.life_s = 3600
        keep.wait_event("refreshed")
        wait_for(lambda: read(f"{out}/www.example.org.der") == read(keep.path_of(leaf)) != first, 5, "the newer one")
        before = os.stat(f"{out}/www.example.org.der")
        keep.stop()
        keep.start()
        keep.wait_event("loaded")
        os.unlink(f"{out}/.changed")
        time.sleep(0.6)  # three times what a batch waits: nothing may come
        after = os.stat(f"{out}/www.example.org.der")
        expect_equal((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns), "the file after a restart")
        expect(not os.path.exists(f"{out}/.changed"), ".changed is not touched where nothing was written")


@case
def only_the_certificates_that_for_names_are_put_out():
    with Authority() as ca:
        here, there, out = new_tempdir(), new_tempdir(), new_tempdir()
        put(ca.leaf("one.example.org"), os.path.join(here, "a.pem"))
        put(ca.leaf("two.example.org"), os.path.join(here, "b.pem"))
        put(ca.leaf("three.example.org"), os.path.join(there, "c.pem"))
        Keep(here, there, settings=outputs(f'{{ der: "{out}/1-{{name}}", for: [ "{here}/a*.pem", {there} ] }}',
                                           f'{{ der: "{out}/2-{{name}}", for: [ "{here}/b.pem" ] }}')).start()
        wanted = {"1-one.example.org", "1-three.example.org", "2-two.example.org"}
        wait_for(lambda: set(os.listdir(out)) - {".changed"} >= wanted, 5, "the files")
        expect_equal(set(os.listdir(out)) - {".changed"}, wanted, "files")


@case
def of_two_certificates_with_one_file_the_one_that_ends_later_has_it():
    with Authority() as ca:
        where, out = new_tempdir(), new_tempdir()
        old, new = ca.leaf("www.example.org", days=20, label="old"), ca.leaf("www.example.org")
        put(new, os.path.join(where, "a.pem"))
        put(old, os.path.join(where, "b.pem"))
        keep = Keep(where, settings=outputs(f'{{ der: "{out}/{{name}}.der" }}')).start()
        wait_for(lambda: read(f"{out}/www.example.org.der") == read(keep.path_of(new)), 5, "that of the newer certificate")
        os.unlink(os.path.join(where, "a.pem"))
        keep.wait_event("gone", seconds=20)
        wait_for(lambda: read(f"{out}/www.example.org.der") == read(keep.path_of(old)), 5, "that of the other, once it is alone")


@case
def an_ended_response_is_removed_where_that_was_asked_for():
    with Authority() as ca:
        ca.life_s = 4
        leaf, out = ca.leaf("www.example.org"), new_tempdir()
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            f'{{ der: "{out}/removed", when_expired: remove }}', f'{{ der: "{out}/left", server: nginx }}')).start()
        wait_for(lambda: read(f"{out}/removed") and read(f"{out}/left"), 5, "both files")
        ca.mode[leaf.serial] = 500
        keep.wait_event("expired", seconds=10)
        wait_for(lambda: read(f"{out}/removed") is None, 5, "the removal")
        expect(read(f"{out}/left"), "the file of nginx is left")


@case
def a_good_one_does_not_outlive_revocation_where_that_is_dropped():
    with Authority() as ca:
        ca.life_s = 6
        leaf, late, out = ca.leaf("www.example.org"), ca.leaf("late.example.org"), new_tempdir()
        ca.mode[late.serial] = "revoked"
        ca.life_of[late.serial] = 3600
        paths = [put(c, os.path.join(new_tempdir(), "leaf.pem")) for c in (leaf, late)]
        keep = Keep(*[f'{{ path: "{path}", on_revoked: drop }}' for path in paths], settings=outputs(
            f'{{ der: "{out}/removed-{{name}}", when_expired: remove }}', f'{{ der: "{out}/left-{{name}}", server: nginx }}')).start()
        removed, left = f"{out}/removed-www.example.org", f"{out}/left-www.example.org"
        wait_for(lambda: read(removed) and read(left), 5, "both files")
        ca.life_s, ca.mode[leaf.serial] = 3600, "revoked"
        keep.wait_event("revoked", leaf.label)
        wait_for(lambda: read(removed) is None, 5, "the removal")
        wait_for(lambda: read(left) == read(keep.path_of(leaf)), 5, "the truth in the place of what says good")
        expect_equal(keep.held(leaf).certificate_status.name, "REVOKED", "what it says")
        keep.wait_event("revoked", late.label)
        expect_equal(sorted(os.listdir(out)), [".changed", "left-www.example.org"], "files")


@case
def a_revoked_one_that_has_ended_is_removed_too():
    with Authority() as ca:
        ca.life_s = 4
        leaf, out = ca.leaf("www.example.org"), new_tempdir()
        ca.mode[leaf.serial] = "revoked"
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            f'{{ der: "{out}/x.der", when_expired: remove }}')).start()
        wait_for(lambda: read(f"{out}/x.der"), 5, "the file")
        ca.mode[leaf.serial] = 500
        keep.wait_event("expired", seconds=10)
        wait_for(lambda: read(f"{out}/x.der") is None, 5, "the removal")


@case
def what_the_store_has_counts_again_once_a_wrong_clock_is_set():
    """A board that boots in 1970, and one whose clock was ahead; no responder answers."""
    with Authority() as ca:
        now, keeps = int(time.time()), []
        for year, wrong, word in ((1970, 600, "not believed"), (2036, 2083000000, None)):
            leaf, out, clock = ca.leaf(f"{year}.example.org", days=9000), new_tempdir(), Clock(wrong)
            keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
                f'{{ der: "{out}/x.der", when_expired: remove }}'))
            with open(os.path.join(new_tempdir(), "brought.der"), "wb") as f:
                f.write(ca.sign(leaf, age_s=60))
            expect_equal(clinch("put", "--store", keep.store, "--cert", leaf.chain_file, f.name).rc, 0, "exit status of put")
            ca.mode[leaf.serial] = 500
            keep.start(env=clock.env)
            if word:
                keep.wait_event("notice", text=word)
            expect(read(f"{out}/x.der") is None, f"nothing is put out in {year}")
            keeps.append((keep, leaf, out, clock))
        for keep, leaf, out, clock in keeps:
            clock.set(now)
        for keep, leaf, out, clock in keeps:
            keep.wait_event("loaded", leaf.label)
            expect_equal(wait_for(lambda: read(f"{out}/x.der"), 5, "the file"), read(keep.path_of(leaf)), "what is put out")


@case
def a_directory_that_comes_later_is_filled_then():
    with Authority() as ca:
        leaf, out = ca.leaf("www.example.org"), os.path.join(new_tempdir(), "later")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(f'{{ der: "{out}/x.der" }}')).start()
        keep.wait_event("notice", text="cannot be opened")
        os.mkdir(out)
        keep.process.popen.send_signal(1)  # SIGHUP: everything is put out again
        wait_for(lambda: read(f"{out}/x.der"), 5, "the file")


@case
def a_certificate_without_a_response_is_named_where_the_server_needs_the_file():
    with Authority() as ca:
        leaf, out = ca.leaf("dead.example.org"), new_tempdir()
        ca.mode[leaf.serial] = 500
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            f'{{ der: "{out}/{{name}}.der", server: nginx }}')).start()
        expect_in("dead.example.org", keep.wait_event("notice", text="leave out the line")["text"], "the sentence")


# --- commands ---------------------------------------------------------------------------------------------------------------------


@case
def one_run_is_for_all_that_changed_and_comes_after_the_files():
    with Authority() as ca:
        where, out = new_tempdir(), new_tempdir()
        for name in ("a", "b", "c"):
            put(ca.leaf(f"{name}.example.org"), os.path.join(where, f"{name}.pem"))
        program, log = script("reload", f'ls {out} | grep -c der >>"$log"; printf "%s|" "$@" >>"$log"; echo >>"$log"; echo reloaded')
        keep = Keep(where, settings=outputs(f'{{ run: [ {program}, "a b", "*", "$HOME" ], after: 3s }}',
                                            f'{{ der: "{out}/{{name}}.der" }}')).start()
        said = keep.wait_event("notice", text="ran for 3 certificates")
        expect_in("reloaded", said["text"], "the sentence")
        expect_equal(runs(log), ["3", "a b|*|$HOME|"], "what the command saw")


@case
def a_run_that_is_due_when_the_keeper_ends_is_made_by_the_next_one_and_once():
    """Ended while it waits, killed while it waits, and ended while the command runs. The files are written by then."""
    with Authority() as ca:
        keeps = []
        for how, after, command in (("SIGTERM", "1h", 'echo ran >>"$log"'), ("SIGKILL", "1h", 'echo ran >>"$log"'),
                                    ("SIGTERM", "10ms", 'echo ran >>"$log"; test -e "$log.go" || exec sleep 30')):
            leaf, out = ca.leaf(f"{len(keeps)}.example.org"), new_tempdir()
            program, log = script("reload", command)
            keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
                f'{{ der: "{out}/x.der" }}', f"{{ run: [ {program} ], after: {after} }}"))
            keep.start()
            wait_for(lambda: read(f"{out}/x.der"), 5, "the file")
            if after != "1h":
                wait_for(lambda: runs(log), 5, "the command")
            keep.process.popen.send_signal(getattr(signal, how))
            keep.process.wait()
            keeps.append((keep, log, len(runs(log))))
            with open(f"{log}.go", "w"), open(keep.conf) as conf:
                text = conf.read().replace("after: 1h", "after: 10ms")
            with open(keep.conf, "w") as conf:
                conf.write(text)
        for keep, log, before in keeps:
            keep.start()
            keep.wait_event("notice", text="ran for 1 certificates")
            expect_equal(len(runs(log)) - before, 1, "runs after the restart")
            wait_for(lambda: not [n for n in os.listdir(keep.store) if n.startswith(".due")], 5, "nothing to be due")
            keep.stop()
            keep.start()
            keep.wait_event("loaded")
        time.sleep(0.5)  # fifty times what is gathered: nothing may come
        for keep, log, before in keeps:
            expect_equal(len(runs(log)) - before, 1, "runs after a restart with nothing due")


@case
def commands_are_rate_limited_and_run_earlier_only_before_a_life_ends():
    with Authority() as ca:
        ca.life_s = 12
        leaf, path = ca.leaf("www.example.org"), os.path.join(new_tempdir(), "leaf.pem")
        program, log = script("reload", 'date +%s.%N >>"$log"')
        seldom, seldom_log = script("reload", 'date +%s.%N >>"$log"')
        keep = Keep(put(leaf, path), settings=outputs(
            f"{{ run: [ {program} ], after: 100ms, at_most_every: 1d }}",
            f"{{ run: [ {seldom} ], after: 100ms, at_most_every: 1d, for: [ /nowhere/else ] }}")).start()
        wait_for(lambda: len(runs(log)) == 1, 5, "the first run")
        ca.life_s = 3600  # the next one lives for long: what the server has ends in less than a minute, so it is told at once
        keep.wait_event("refreshed")
        wait_for(lambda: len(runs(log)) == 2, 5, "a run before the life ends")
        since = keep.mark()
        put(ca.leaf("other.example.org"), path)
        keep.wait_event("first-staple", "other.example.org", since=since)
        time.sleep(1)  # ten times what is gathered
        expect_equal(len(runs(log)), 2, "runs, the third being due tomorrow")
        expect_equal(runs(seldom_log), [], "runs for certificates that it is not for")


@case
def a_failed_command_is_said_and_run_again():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        program, log = script("reload", 'echo x >>"$log"; [ "$(wc -l <"$log")" -gt 1 ] || { echo "no such unit" >&2; exit 3; }')
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            f"{{ run: [ {program} ], after: 10ms, at_most_every: 1s }}")).start()
        failed = keep.wait_event("notice", text="ended with status 3")
        expect_in("no such unit", failed["text"], "the sentence")
        expect_equal(failed["level"], "error", "its level")
        keep.wait_event("notice", text="works again")
        expect_equal(len(runs(log)), 2, "runs")


@case
def a_command_that_hangs_is_killed_with_its_children_and_hangs_nobody():
    with Authority() as ca:
        where = new_tempdir()
        put(ca.leaf("www.example.org"), os.path.join(where, "a.pem"))
        program, log = script("reload", 'sleep 1000 & echo $! >>"$log"; wait')
        keep = Keep(where, settings=outputs(f"{{ run: [ {program} ], after: 10ms, timeout: 3s, at_most_every: 1h }}")).start()
        since = keep.mark()
        put(ca.leaf("new.example.org"), os.path.join(where, "b.pem"))
        keep.wait_event("first-staple", "new.example.org", since=since)
        keep.wait_event("notice", text="was killed after 3000 ms")
        child = int(runs(log)[0])
        wait_for(lambda: not os.path.exists(f"/proc/{child}") or " Z " in (read(f"/proc/{child}/stat") or b"").decode(), 5,
                 "the end of its child")


@case
def a_reload_neither_kills_a_command_nor_runs_it_twice():
    with Authority() as ca:
        program, log = script("reload", 'echo begun >>"$log"; while [ ! -e "$log.go" ]; do sleep 0.05; done; echo done >>"$log"')
        keep = Keep(put(ca.leaf("www.example.org"), os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            f"{{ run: [ {program} ], after: 10ms, at_most_every: 200ms }}")).start()
        wait_for(lambda: runs(log) == ["begun"], 5, "the run")
        for _ in range(2):
            since = keep.mark()
            keep.process.popen.send_signal(1)
            keep.wait_event("notice", since=since, text="reloaded")
        with open(log + ".go", "w"):
            pass
        keep.wait_event("notice", text="ran for 1 certificates")
        time.sleep(0.6)  # three times at_most_every
        expect_equal(runs(log), ["begun", "done"], "runs")


@case
def a_program_that_is_not_there_is_a_failure_that_names_it():
    with Authority() as ca:
        keep = Keep(put(ca.leaf("www.example.org"), os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            "{ run: [ /nonexistent/reload ], after: 10ms }")).start()
        said = keep.wait_event("notice", text="cannot be run")
        expect(re.search(r"no such file", said["text"]), f"the sentence is {said['text']!r}")
        expect_equal(said["path"], "/nonexistent/reload", "what is named")
        expect_equal(keep.stop(), 0, "exit status")


@case
def once_waits_for_files_and_commands_and_says_when_one_failed():
    with Authority() as ca:
        out = new_tempdir()
        program, log = script("reload", f'ls {out} >>"$log"')
        keep = Keep(put(ca.leaf("www.example.org"), os.path.join(new_tempdir(), "leaf.pem")), settings=outputs(
            f'{{ der: "{out}/{{name}}.der" }}', f"{{ run: [ {program} ], after: 1h }}"))
        expect_equal(keep.once().rc, 0, "exit status")
        expect_equal(runs(log), ["www.example.org.der"], "what the command saw")
        expect_equal(keep.once().rc, 0, "exit status of the second time")
        expect_equal(len(runs(log)), 1, "runs, nothing having changed")
        keep.settings = outputs("{ run: [ /bin/false ], after: 1h }")
        keep.configure(put(ca.leaf("new.example.org"), os.path.join(new_tempdir(), "leaf.pem")))
        expect_equal(keep.once().rc, 1, "exit status with a command that failed")


main()
