# SPDX-License-Identifier: LGPL-2.1-or-later
"""A beginning and an end: what SIGTERM leaves to be done, and what happens when there is no more to be had of something."""
import os
import shutil
import signal
import socket
import time

import ask
from harness import case, expect, expect_equal, main, new_tempdir, skip, wait_for
from issuer import Ca, Index
from respond import Respond, read
from talk import Talk, exchange, post, seconds_until_ended

GOOD = 0x1001
ca = Ca(new_tempdir(), "ours")
delegate = ca.delegate()
index = Index(os.path.join(ca.dir, "index.txt")).add("V", GOOD).save()
FIXED = ["--ca", ca.cert_file, "--signer", delegate.cert_file, "--key", delegate.key_file, "--index", index.path]
plain = post(ask.request(ask.cert_id(ca, GOOD)))
nonced = post(ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(16)]))


def hold(address, number):
    """Connections that say nothing; some may wait to be accepted."""
    held = []
    for _ in range(number):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(address)
        held.append(sock)
    return held


def refuses(address):
    try:
        Talk(address, 1).close()
        return False
    except ConnectionRefusedError:
        return True


@case
def SIGTERM_lets_end_what_has_begun():
    ample = ["--request-timeout", "60", "--drain-timeout", "60"]
    with Respond(None, *FIXED, *ample) as one, one.talk() as begun, one.talk() as idle:
        begun.send(plain[:-10])
        expect_equal(idle.send(plain).read().status, 200, "status")
        os.kill(one.pid, signal.SIGTERM)
        wait_for(lambda: refuses(one.address), 5, "new connections to be refused")
        expect(idle.ended(), "more is said on an idle connection")
        expect_equal(read(begun.send(plain[-10:]).read()).single.status, "good", "the answer to what had begun")
        expect(begun.ended(), "the connection goes on")
        expect_equal(one.process.wait(5), 0, "exit status")


@case
def SIGTERM_waits_for_nobody_longer_than_the_drain():
    with Respond(None, *FIXED, "--request-timeout", "60", "--drain-timeout", "1") as one, one.talk() as begun:
        begun.send(plain[:-10])
        at = time.monotonic()
        os.kill(one.pid, signal.SIGTERM)
        expect_equal(one.process.wait(4), 0, "exit status")
        expect(time.monotonic() - at < 9, f"it took {time.monotonic() - at:.1f} s")  # 10 s by default


def others_wait_and_are_answered(one, held):
    for data in (plain, nonced):
        with Talk(one.address) as talk:
            expect_equal(read(talk.send(data).read()).single.status, "good", "status of who came last")
    for sock in held:
        sock.close()
    for _ in range(20):
        expect_equal(read(exchange(one.address, plain)).single.status, "good", "status when they are gone")


@case
def more_connections_than_are_allowed_wait():
    with Respond(None, *FIXED, "--connections", "20", "--request-timeout", "1", "--idle-timeout", "1") as one:
        before = one.descriptors()
        held = hold(one.address, 50)
        wait_for(lambda: one.descriptors() > before, 5, "connections")
        expect(one.descriptors() <= before + 20, f"{one.descriptors() - before} connections, of 20 that are allowed")
        others_wait_and_are_answered(one, held)


@case
def of_a_few_connections_one_is_not_nearly_all():
    with Respond(None, *FIXED, "--connections", "3", "--threads", "1", "--request-timeout", "30") as one, Talk(one.address) as talk:
        talk.send(plain[:10])
        expect_equal(seconds_until_ended(talk, 2.5), None, "how long it is left alone")
        expect_equal(read(talk.send(plain[10:]).read()).single.status, "good", "status")


@case
def too_few_descriptors_are_a_warning_for_who_asked_for_more_alone():
    if not shutil.which("prlimit"):
        skip("no prlimit")
    for options, level in (([], "info"), (["--connections", "4000"], "warning")):
        with Respond(None, *FIXED, *options, prefix=["prlimit", "--nofile=400:400"]) as one:
            said = wait_for(lambda: [e["level"] for e in one.events("notice") if "ulimit -n" in e["text"]], 5, "the notice")
            expect_equal(said, [level], f"how loudly it is said with {options}")


@case
def a_process_without_descriptors_goes_on_when_some_are_free():
    if not shutil.which("prlimit"):
        skip("no prlimit")
    few = ["--threads", "2", "--request-timeout", "1", "--idle-timeout", "1"]
    with Respond(None, *FIXED, *few, prefix=["prlimit", "--nofile=48:48"]) as one:
        held = hold(one.address, 100)
        wait_for(lambda: one.descriptors() >= 48, 5, "descriptors to run out")
        others_wait_and_are_answered(one, held)


main()
