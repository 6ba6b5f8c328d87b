# SPDX-License-Identifier: LGPL-2.1-or-later
"""clinch demo: exits 0 when the whole loop held, 1 when a step did not, and leaves nothing behind however it ends."""
import os
import re
import signal

from harness import build_path, case, expect, expect_equal, expect_in, expect_match, expect_not_in, main, new_tempdir, run, start, wait_for

STEPS = 11


def command():
    return [build_path("clinch"), "demo"]


def play(until, then):
    """Starts the demo, waits until it said `until`, calls then(the process, its directory); what it said, and its exit status."""
    env = {"TMPDIR": new_tempdir()}
    process = start(command(), ready=lambda p: re.search(until, p.log_text(), re.M), seconds=90, env=env)
    then(process, os.path.join(env["TMPDIR"], os.listdir(env["TMPDIR"])[0]))
    status = process.wait(100)
    expect_equal(os.listdir(env["TMPDIR"]), [], "files it left")
    wait_for(lambda: not processes_of(env["TMPDIR"]), 5, "its programs to be gone")
    return process.log_text(), status


def processes_of(where):
    """{pid: its words} of what runs below this directory."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(where):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    found[int(pid)] = f.read().decode().split("\0")
        except OSError:
            pass  # gone meanwhile, or not ours
    return found


def the(name, where):
    return next(pid for pid, words in processes_of(where).items() if words[1:2] == [name])


@case
def shows_the_loop_and_leaves_nothing():
    env = {"TMPDIR": new_tempdir()}
    done = run(command(), env=env, timeout=150)
    expect_equal((done.rc, done.err), (0, ""), f"exit status, and what went wrong\n{done}")
    expect_in(f"all {STEPS} came out right", done.out)
    expect_not_in("\033", done.out, "output that is no terminal")
    expect_equal(os.listdir(env["TMPDIR"]), [], "files it left")
    for row in ("the first handshake .* new +good .* 0", "half a life later .* new +good .* 0", "the responder is dead .* good .* 0",
                "serve is restarted meanwhile .* good .* 0", "the responder is back .* new +good .* 0", "a forged response .* good .* 0",
                "an expired response .* good .* 0", "a replayed response .* good .* 0", "revoked .* new +revoked .* 3",
                "must-staple, and no staple .* - .* missing .* 5"):
        expect_match(r"^ *\[ok\] " + row + "$", done.out, "the summary")
    for line in (r"reason=delegate-signature", r"reason=expired", r"answer=older"):
        expect_match("^ *log: event=.*" + line, done.out, "what the keeper said of lies")
    for words in ("clinch respond --listen", "clinch serve --listen", "clinch check --ca root.pem"):
        expect_match(r"^\$ " + words, done.out, "the commands it shows")


@case
def fails_when_the_staple_is_not_renewed():
    """A responder that stands still: the hand of a lie that the demo itself could not tell."""
    said, status = play(r"^== 5", lambda _, where: os.kill(the("respond", where), signal.SIGSTOP))
    expect_equal(status, 1, f"exit status\n{said}")
    expect_match(r"waited in vain for a newer staple", said, "what it says")
    expect_not_in("came out right", said)


@case
def interrupted_it_ends_what_it_started():
    for number in (signal.SIGINT, signal.SIGTERM):
        said, status = play(r"^== 5", lambda process, _, n=number: os.kill(process.pid, n))
        expect_equal(status, 128 + number, f"exit status\n{said}")


@case
def killed_it_takes_its_programs_with_it():
    env = {"TMPDIR": new_tempdir()}
    process = start(command(), ready=lambda p: re.search(r"^== 5", p.log_text(), re.M), seconds=90, env=env)
    expect(len(processes_of(env["TMPDIR"])) >= 4, "the demo, respond, serve and its keeper run")
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not processes_of(env["TMPDIR"]), 15, "its programs to be gone")


@case
def takes_no_operand():
    done = run([*command(), "again"])
    expect_equal(done.rc, 2, "exit status")
    expect_in("clinch demo: ", done.err)


main()
