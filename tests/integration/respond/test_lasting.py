# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults and reloads under load: who asks has right answers all the while, and memory and descriptors stay flat. For seconds in
`make check`, for minutes in `make soak`."""
import os
import time

import ask
from abusing import Flood, Other, Rude, expect_well
from harness import case, expect, expect_equal, main, new_tempdir, wait_for
from issuer import Ca, Index, write
from respond import SANITIZED, SOAK, Respond, authority, configuration
from talk import post

SECONDS = 300 if SOAK else 5
OPEN_B = 24 << 10  # of a connection, at most: libmicrohttpd's 16 KiB, and ours
GOOD, REVOKED, HELD = 0x1001, 0x1002, 0x1003
ca, dir_ = Ca(new_tempdir(), "ours"), new_tempdir()
delegate, spare = ca.delegate(), ca.delegate("spare")
index = Index(os.path.join(dir_, "index.txt")).add("V", GOOD).add("R", REVOKED).add("V", HELD).save()
conf = configuration(authority(ca, delegate, index=index.path), path=os.path.join(dir_, "clinch.yaml"),
                     more="limits: { request: 8s, idle: 8s }" if SOAK else "limits: { request: 3s, idle: 3s }")


def content(path):
    with open(path, "rb") as f:
        return f.read()


RIGHT = {path: content(path) for path in (conf, delegate.cert_file, delegate.key_file)}
WRONG = {conf: b"respond: nonsense\n", delegate.cert_file: spare.pem, delegate.key_file: b"nonsense"}


def disturb(one, number):
    """Each file becomes wrong and right again; a certificate is put on hold, and taken off it. The index stays as long as it is."""
    good = index.bytes()
    for path, wrong, right in [(index.path, good[:-20], good), (index.path, b"", good)] + [(p, WRONG[p], RIGHT[p]) for p in WRONG]:
        for data in (wrong, right):
            write(path, data)
            one.hup()
            time.sleep(0.01)
    index.set("V" if number % 2 else "R", HELD, reason=None if number % 2 else "certificateHold").save()


def most(memory, since, until):
    """Bytes and descriptors; a round may take all of seconds."""
    rows = [(bytes_, open_) for at, bytes_, open_ in memory if since <= at < until] or [(0, 0)]
    return max(bytes_ for bytes_, _ in rows), max(open_ for _, open_ in rows)


@case
def faults_and_reloads_leave_nothing_behind():
    plain = ask.request(ask.cert_id(ca, GOOD))
    nonces = [ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(bytes([i]) * 16)]) for i in range(20)]
    memory, number = [], 0
    with Respond(conf) as one:
        descriptors = one.descriptors()
        with Other(one.address, plain, "good") as other, Flood(one.address, nonces, at_once=2) as flood, Rude(one.address, post(plain)) as rude:
            begun = time.monotonic()
            while time.monotonic() < begun + SECONDS:
                disturb(one, number)
                number += 1
                memory.append((time.monotonic() - begun, one.resident(), one.descriptors()))
        for serial, wanted in ((GOOD, "good"), (REVOKED, "revoked"), (HELD, "revoked" if number % 2 else "good")):
            one.wait_status(ask.request(ask.cert_id(ca, serial)), wanted)
        expect(one.events("reload-failed") or one.events("refused"), "no fault was noticed: they were none")
        wait_for(lambda: one.descriptors() <= descriptors, 15, f"{descriptors} descriptors; there are {one.descriptors()}")
    expect_well(other, flood, rude)
    expect_equal(set(flood.outcomes) - {"successful", "tryLater"}, set(), "other outcomes of nonces")
    early, open_early = most(memory, SECONDS / 3, SECONDS / 2)
    late, open_late = most(memory, SECONDS * 0.75, float("inf"))
    print(f"#| {number} rounds, {len(other.times_s)} answers; {early >> 10} KiB for {open_early} descriptors, then {late >> 10} KiB for {open_late}",
          flush=True)
    if SOAK and not SANITIZED:  # a busy machine has more connections open at once
        expect(late <= early * 1.1 + (1 << 20) + max(0, open_late - open_early) * OPEN_B, f"its memory grows: {early}, {late}")


main()
