# SPDX-License-Identifier: LGPL-2.1-or-later
"""Abuse of HTTP while somebody else asks: each answer of the other is right, and who is slow is gone by the deadline.

Small numbers in `make check`, and no times of answers: those are printed by `make soak` and measured by `make bench`."""
import contextlib
import os
import resource
import time

import ask
import told
from abusing import Flood, Other, Pipeline, Rude, drip, expect_well, idle
from harness import case, expect, expect_equal, main, new_tempdir, wait_for
from issuer import Ca, Index
from respond import SOAK, Respond
from talk import Talk, exchange, get, message, post

DEADLINE_S, LATE_S = (10, 10) if SOAK else (3, 20)
IDLE, SLOW, FLOODS, FLOODED, PIPELINED = (10000, 1000, 100, 20000, 10000) if SOAK else (400, 160, 8, 100, 1500)
PIECES = 2000  # connections that one thread holds
GOOD = 0x1001
ca = Ca(new_tempdir(), "ours")
index = Index(os.path.join(ca.dir, "index.txt")).add("V", GOOD).save()
signer = ca.delegate()
OPTIONS = ["--ca", ca.cert_file, "--signer", signer.cert_file, "--key", signer.key_file, "--index", index.path,
           "--request-timeout", str(DEADLINE_S), "--idle-timeout", str(DEADLINE_S)]
plain = ask.request(ask.cert_id(ca, GOOD))
nonces = [ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(bytes([i]) * 16)]) for i in range(100)]
forms = [get(ask.path_escaped(plain)), post(plain)]
begun_forms = [(b"", forms[0]), (message("POST", "/", f"Content-Length: {len(plain)}"), plain),
               (message("POST", "/", "Transfer-Encoding: chunked") + b"50\r\n", plain), (bytes(4096) + b"\r\n\r\n", plain)]

limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def asked(other, more=20):
    """The other had so many more answers."""
    before = len(other.times_s)
    wait_for(lambda: len(other.times_s) >= before + more, 30, "answers to the other")


def tell(what, other):
    if SOAK:
        times = ", ".join(f"p{100 * part:g} {1000 * other.percentile(part):.1f} ms" for part in (0.5, 0.99, 0.999))
        print(f"#| {what}: {times} of {len(other.times_s)} answers, by clients in one process of Python", flush=True)


@case
def slow_and_idle_ones_are_gone_by_the_deadline_and_nobody_notices():
    with Respond(None, *OPTIONS) as one, Other(one.address, plain, "good") as other:
        asked(other)
        tell("alone", other)
        other.times_s.clear()
        before = one.descriptors()
        everyone = [idle(one.address, min(PIECES, IDLE)) for _ in range(max(1, IDLE // PIECES))]
        everyone += [drip(one.address, SLOW // len(begun_forms), *form) for form in begun_forms]
        with contextlib.ExitStack() as stack:
            for each in everyone:
                stack.enter_context(each)
            wait_for(lambda: all(len(each.ages) == each.number or each.wrong for each in everyone), 3 * DEADLINE_S + LATE_S,
                     "all of them to be gone")
            expect_well(*everyone)
            for each in everyone:
                expect(max(each.ages) < DEADLINE_S + LATE_S, f"one of them stayed {max(each.ages):.1f} s")
        for each in everyone[:-1]:  # the last is no HTTP, and may be sent away at once
            expect(min(each.ages) > DEADLINE_S - 1.5, f"one of them was sent away after {min(each.ages):.1f} s")
        tell(f"beside {IDLE} idle ones and {SLOW} of a byte a second", other)
        asked(other)
        wait_for(lambda: one.descriptors() <= before + 4, 10, "the descriptors to be closed")
    expect_well(other, *everyone)


@case
def floods_and_the_rude_are_nobody_elses_trouble():
    with Respond(None, *OPTIONS) as one, Other(one.address, plain, "good") as other:
        floods = [Flood(one.address, nonces) for _ in range(FLOODS)]
        rude = [Rude(one.address, data) for data in (forms[0], forms[1], post(nonces[0]))]
        for each in floods + rude:
            each.start()
        wait_for(lambda: sum(sum(f.outcomes.values()) for f in floods) > FLOODED, 60, "answers to the flood")
        asked(other, 60)
        for each in floods + rude:
            each.over.set()
        for each in floods + rude:
            each.join(60)
        expect_equal(sorted(set().union(*(f.outcomes for f in floods)) - {"successful", "tryLater"}), [], "other outcomes of the flood")
        expect(sum(f.outcomes.get("successful", 0) for f in floods) > FLOODED / 10, "nobody of the flood was answered")
        expect(all(r.count > 20 for r in rude), f"that was not rude: {[r.count for r in rude]}")
        outcomes = {name: sum(f.outcomes.get(name, 0) for f in floods) for name in ("successful", "tryLater")}
        tell(f"beside {FLOODS} floods of nonces ({outcomes}), connect-and-close, resets", other)
        asked(other)
    expect_well(other, *floods, *rude)


def outcomes_at_once(address, messages):
    """Each on a connection of its own, all of them before the first answer is read."""
    talks, outcomes = [], {}
    try:
        for data in messages:
            talks.append(Talk(address).send(data))
        for talk in talks:
            outcome = told.Told(talk.read().body).outcome
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    finally:
        for talk in talks:
            talk.close()
    return outcomes


@case
def more_nonces_than_can_be_signed_are_told_tryLater_and_nobody_else_is():
    slow = Ca(new_tempdir(), "slow", sort="rsa4096")
    rows = Index(os.path.join(slow.dir, "index.txt")).add("V", GOOD).save()
    request = ask.request(ask.cert_id(slow, GOOD))
    nonced = post(ask.request(ask.cert_id(slow, GOOD), extensions=[ask.nonce(32)]))
    fixed = ["--ca", slow.cert_file, "--signer", slow.cert_file, "--key", slow.key_file, "--index", rows.path, "--request-timeout", "3"]
    with Respond(None, *fixed) as one, Other(one.address, request, "good") as other:
        asked(other)
        for number in (400, 1600, 6400):  # until it is too much for this machine
            outcomes = outcomes_at_once(one.address, [nonced] * number)
            expect_equal(set(outcomes) - {"successful", "tryLater"}, set(), "other outcomes")
            expect(outcomes.get("successful", 0) > 0, f"nobody was answered: {outcomes}")
            if "tryLater" in outcomes:
                break
        expect("tryLater" in outcomes, f"{number} were not too much")
        asked(other)
        wait_for(lambda: one.events("shedding"), 5, "a line of the log about it")
        expect_equal(told.Told(exchange(one.address, nonced).body).outcome, "successful", "a nonce when it is over")
    expect_well(other)


@case
def a_long_pipeline_is_answered_to_its_end():
    with Respond(None, *OPTIONS) as one, Other(one.address, plain, "good") as other:
        pipelines = [Pipeline(one.address, data, PIPELINED) for data in (*forms, post(nonces[0]))]
        for each in pipelines:
            each.start()
        for each in pipelines:
            each.join(60)
        expect_well(*pipelines)
        for each in pipelines:
            expect_equal(each.count, each.number, "answers of a pipeline")
        tell(f"beside {len(pipelines)} pipelines of {PIPELINED}", other)
        asked(other)
    expect_well(other)


def is_held(server, client):
    """Whether some process has the server's end of this connection, by proc(5): an end that nobody has is of no inode."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    ends = tuple(f":{port:04X}" for _, port in (server, client))
    return any(row[1].endswith(ends[0]) and row[2].endswith(ends[1]) and row[9] != "0" for row in rows)


@case
def who_asks_and_does_not_read_is_sent_away():
    with Respond(None, *OPTIONS) as one, Other(one.address, plain, "good") as other:
        asked(other)
        deaf = one.talk(seconds=1)
        begun = time.monotonic()
        while deaf.send_what_fits(forms[0] * 200) and time.monotonic() < begun + 2:
            pass
        wait_for(lambda: not is_held(one.address, deaf.socket.getsockname()), DEADLINE_S + LATE_S, "its descriptor to be closed")
        asked(other)
    expect_well(other)


main()
