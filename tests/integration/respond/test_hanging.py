# SPDX-License-Identifier: LGPL-2.1-or-later
"""A module for tokens that does not come back from a call: who waits is told tryLater, others go on, and SIGTERM ends it all the same."""
import os
import signal
import time

import ask
from harness import case, expect, expect_equal, main, new_tempdir, skip, wait_for
from issuer import Ca, Index
from respond import Respond, authority, configuration, read
from talk import Closed, post
from tokens import Hanging

GOOD, OTHER, REQUEST_S = 0x1001, 0x1002, 6


class Scene:
    """CAs with an index each; the first has its delegate's key in the token, the others as `in_token` says."""

    def __init__(self, *in_token, **options):
        self.token = Hanging()
        self.cas = [Ca(new_tempdir(), f"ours-{n}") for n in range(len(in_token))]
        entries = []
        for ca, moves in zip(self.cas, in_token):
            delegate = ca.delegate()
            if moves:
                self.token.put(delegate)
            index = Index(os.path.join(ca.dir, "index.txt")).add("V", GOOD).add("V", OTHER).save()
            entries.append(authority(ca, delegate, index=index.path))
        self.one = Respond(configuration(*entries, more=f"limits: {{ request: {REQUEST_S}s }}"), env=self.token.env, **options)

    def __enter__(self):
        self.one.__enter__()
        return self

    def __exit__(self, *what):
        for name in ("sign-hangs", "open-hangs", "sign-fails"):
            self.token.let(name, False)
        self.one.__exit__(*what)

    def nonced(self, which=0):
        return ask.request(ask.cert_id(self.cas[which], GOOD), extensions=[ask.nonce(16)])

    def send(self, request):
        talk = self.one.talk()
        talk.send(post(request))
        return talk


def outcome(talk):
    """The name of the outcome; None: the connection was cut."""
    try:
        return read(talk.read()).outcome
    except Closed:
        return None


def one_processor():
    return ("taskset", "-c", str(min(os.sched_getaffinity(0))))


@case
def who_waits_behind_a_signature_that_hangs_is_told_to_try_later():
    with Scene(True, prefix=one_processor()) as scene:
        plain = ask.request(ask.cert_id(scene.cas[0], OTHER))
        expect_equal([scene.one.status(scene.nonced()), scene.one.status(plain)], ["good"] * 2, "at first")
        scene.token.let("sign-hangs")
        stuck = scene.send(scene.nonced())
        wait_for(scene.token.is_hung, 10, "a signature under way")
        begun = time.monotonic()
        waiting = [scene.send(scene.nonced()) for _ in range(5)] + [scene.send(ask.request(ask.cert_id(scene.cas[0], GOOD)))]
        expect_equal([outcome(talk) for talk in waiting], ["tryLater"] * 6, "of those that wait")
        took = time.monotonic() - begun
        expect(took < REQUEST_S, f"tryLater after {took:.1f} s")
        expect_equal(outcome(stuck), None, "of the one whose signature hangs")
        expect_equal(scene.one.status(plain), "good", "what is prepared")
        scene.token.let("sign-hangs", False)
        scene.one.wait_status(scene.nonced(), "good")


@case
def a_key_that_is_not_got_back_does_not_keep_others_from_signing():
    """Getting it back hangs, which keeps the module's other keys from signing, but no thread for long."""
    if len(os.sched_getaffinity(0)) < 2:
        skip("one processor is one thread that signs")
    with Scene(True, True, False) as scene:
        expect_equal([scene.one.status(scene.nonced(n)) for n in range(3)], ["good"] * 3, "at first")
        scene.token.let("open-hangs")
        scene.token.let("sign-fails")
        scene.send(scene.nonced(0))
        wait_for(scene.token.is_hung, 10, "a key to be got back")
        waiting = [scene.send(scene.nonced(1)) for _ in range(2 * os.cpu_count())]
        wait_for(lambda: scene.one.status(scene.nonced(2)) == "good", 20, "a key in a file to sign")
        expect_equal([outcome(talk) for talk in waiting], ["tryLater"] * len(waiting), "of the other key in the token")
        for _ in range(5):
            begun = time.monotonic()
            expect_equal([scene.one.status(scene.nonced(1)), scene.one.status(scene.nonced(2))], ["tryLater", "good"], "after that")
            expect(time.monotonic() - begun < 3, "it is waited for again")
        scene.token.let("sign-fails", False)
        scene.token.let("open-hangs", False)
        wait_for(lambda: scene.one.status(scene.nonced(1)) == "good", 10, "the other key to sign again")


@case
def SIGTERM_while_a_key_that_is_loaded_hangs():
    with Scene(True) as scene:
        scene.token.let("sign-hangs")
        scene.one.hup()
        wait_for(scene.token.is_hung, 10, "a key to be tried")
        os.kill(scene.one.pid, signal.SIGTERM)
        expect_equal(scene.one.process.wait(15), 0, "exit status")
        expect(scene.one.events("stopped"), "the end was not said")


main()
