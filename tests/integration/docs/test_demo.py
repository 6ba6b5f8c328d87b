# SPDX-License-Identifier: LGPL-2.1-or-later
"""tools/demo, the second part of make demo: exits 0 when each verdict is right, 1 when one is not, and leaves nothing behind however it ends."""
import json
import os
import re
import signal

import faketime
from harness import (build_path, case, expect, expect_equal, expect_in, expect_match, expect_not_in, main, new_tempdir, run,
                     source_path, start, wait_for)

DEMO = source_path("tools", "demo")
CHECKS = 10


def environment(command):
    """The demo's, with a TMPDIR of its own, so that what it leaves is seen."""
    return {"CLINCH": command, "TMPDIR": new_tempdir()}


def lying(body):
    """A clinch that lies in one place: a script around the real one, which it finds in $REAL."""
    path = os.path.join(new_tempdir(), "clinch")
    with open(path, "w") as f:
        f.write(f'#!/bin/sh\nREAL={build_path("clinch")}\n{body}\nexec "$REAL" "$@"\n')
    os.chmod(path, 0o755)
    return path


def demo(command, timeout=130):
    env = environment(command)
    faketime.forget_the_dead()  # it makes a response of ten days ago
    began = seconds_of_children()
    done = run([DEMO], env=env, timeout=timeout)
    expect_equal(os.listdir(env["TMPDIR"]), [], "files it left")
    return done, seconds_of_children() - began


def seconds_of_children():
    """Of work: what they wait for, and for other tests, is not in it."""
    return sum(os.times()[2:4])


@case
def comes_out_right_in_under_a_minute_and_leaves_nothing():
    done, took = demo(build_path("clinch"))
    expect(done.rc == 0, str(done))
    expect_in(f"all {CHECKS} came out right", done.out)
    expect_equal(done.err, "", "stderr")
    expect_not_in("\033", done.out, "output that is no terminal")
    expect(took < 60, f"it took {took:.0f} s of work")
    expect_equal(processes_in(done.out), [], "processes it left")


def processes_in(output):
    """The processes that still run in the directory of the demo that said where it was."""
    where = expect_match(r"runs in (\S+)", output).group(1)
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(where):
                found.append(pid)
        except OSError:
            pass  # gone meanwhile, or not ours
    return found


@case
def shows_each_command_with_its_exit_status():
    done, _ = demo(build_path("clinch"))
    for command in ("clinch fetch -o rsa.der rsa.chain.pem", "clinch check --ca root.pem 127.0.0.1:", "openssl s_server -accept ",
                    "gnutls-serv -q ", "openssl ca -config ca.conf -revoke ", "faketime '-10 days' openssl ocsp "):
        expect_match(r"^ *\$ " + command.replace("(", r"\("), done.out, "commands")
    for line in ("good .* 0, as expected", "revoked .* 3, as expected", "invalid .* expired .* 4, as expected",
                 "invalid .* responder-try-later .* 4, as expected", "missing .* missing-must-staple .* 5, as expected",
                 "unknown .* 6, as expected", "invalid .* signature-bad .* 4, as expected",
                 "invalid .* delegate-issuer .* 4, as expected"):
        expect_match(r"\[ok\].*" + line, done.out, "table")


@case
def fails_when_an_expired_staple_is_called_good():
    good = json.dumps({"verdict": "good", "reason": "good"})
    done, _ = demo(lying(f"""
"$REAL" "$@" >out.$$; rc=$?
if grep -q expired out.$$; then rc=0; echo '{good}' >out.$$; fi
cat out.$$; rm out.$$; exit $rc"""))
    expect_equal(done.rc, 1, "exit status")
    expect_match(r"^ *\[!!\] .*EXPECTED 4$", done.out, "table")
    expect_in(f"1 of {CHECKS} came out WRONG", done.out)


@case
def fails_when_only_the_exit_status_is_wrong():
    done, _ = demo(lying('if [ "$1" = check ]; then "$REAL" "$@"; rc=$?; [ $rc = 5 ] && exit 0; exit $rc; fi'))
    expect_equal(done.rc, 1, "exit status")
    expect_in(f"1 of {CHECKS} came out WRONG", done.out)


@case
def fails_when_only_the_reason_is_wrong():
    done, _ = demo(lying('if [ "$1" = check ]; then "$REAL" "$@" >out.$$; rc=$?; sed s/delegate-issuer/expired/ out.$$; '
                         'rm out.$$; exit $rc; fi'))
    expect_equal(done.rc, 1, "exit status")
    expect_in("expected: invalid, because delegate-issuer", done.out)


@case
def fails_when_fetch_calls_a_revoked_certificate_good():
    done, _ = demo(lying('if [ "$1" = fetch ]; then "$REAL" "$@"; rc=$?; [ $rc = 3 ] && exit 0; exit $rc; fi'))
    expect_equal(done.rc, 1, "exit status")
    expect_in("exited with 0 instead of 3", done.out)


# --- how it ends ------------------------------------------------------------------------------------------------------------------


@case
def says_what_is_missing_when_clinch_is_not_built():
    done, _ = demo("/nonexistent/clinch")
    expect_equal(done.rc, 1, "exit status")
    expect_in("/nonexistent/clinch is not there", done.out)


def interrupted_by(number):
    env = environment(lying('if [ "$1" = check ]; then : >"$TMPDIR/reached"; exec sleep 30; fi'))
    process = start([DEMO], ready=lambda _: os.path.exists(os.path.join(env["TMPDIR"], "reached")), seconds=60, env=env)
    os.kill(process.pid, number)
    expect_equal(process.wait(15), 128 + number, "exit status")
    expect_equal(os.listdir(env["TMPDIR"]), ["reached"], "files it left")
    wait_for(lambda: not processes_in(process.log_text()), 5, "its servers to be gone")


@case
def interrupted_it_ends_what_it_started():
    interrupted_by(signal.SIGINT)


@case
def terminated_it_ends_what_it_started():
    interrupted_by(signal.SIGTERM)


main()
