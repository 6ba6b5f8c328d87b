# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests of which one byte is another, and what may be said to each of them.

The index has a row for every serial that a change of one byte makes: a third valid, a third revoked, a third not there, which is
`unknown` to this responder. So the status of each is known, and a table mixed up would be seen.
"""
import hashlib
import os

import ask
import told
from cryptography.exceptions import InvalidSignature
from harness import Failed, expect, expect_equal, new_tempdir
from issuer import Ca, Index
from respond import authority, configuration
from talk import post
from told import GOOD, REVOKED, UNKNOWN

TRUTHS = (GOOD, REVOKED, UNKNOWN)
TAGS = (0x02, 0x03, 0x04, 0x05, 0x06, 0x30, 0x31, 0x80, 0xA0, 0xA2)
SERIALS = (bytes.fromhex("1f2e3d4c5b6a7988"), bytes.fromhex("00b7c8d9eafb0c1d2e"))
PIPELINE = 48


class Scene:
    def __init__(self):
        self.ca = Ca(new_tempdir(), "mutants")
        self.delegate = self.ca.delegate()
        self.truth = {int.from_bytes(s, "big"): GOOD for s in SERIALS}
        for base in SERIALS:
            for at in range(len(base)):
                for value in range(256):
                    changed = int.from_bytes(base[:at] + bytes([value]) + base[at + 1:], "big", signed=True)
                    self.truth.setdefault(changed, TRUTHS[(at + value + value // 3) % 3])
        index = Index(os.path.join(self.ca.dir, "index.txt"))
        for serial, truth in self.truth.items():
            if truth != UNKNOWN and serial >= 0:
                index.add("V" if truth == GOOD else "R", serial)
        index.save()
        self.conf = configuration(authority(self.ca, self.delegate, index=index.path, never_issued="unknown"),
                                  more="limits: { request: 2s }")
        self.requests = self._requests()

    def _requests(self):
        first, second = (ask.cert_id(self.ca, s) for s in SERIALS)
        return {"the smallest": ask.request(first),
                "sha256 with a nonce": ask.request(ask.cert_id(self.ca, SERIALS[1], "sha256"), extensions=[ask.nonce(9)]),
                "all there is": ask.request(first, ask.single(second, ask.extension()), version=None,
                                            requestor=ask.directory_name("x"), extensions=[ask.extension(), ask.nonce(5)])}

    def true_status(self, cert_id):
        """None: it is not of this CA."""
        parts = [e for e in told.only(cert_id, 0x30).children()]
        algorithm = parts[0].children()
        names = [n for n, dotted in ask.HASHES.items() if n in ("sha1", "sha256", "sha384", "sha512")
                 and ask.der.oid("", dotted).encode() == algorithm[0].raw]
        if not names or len(algorithm) > 2 or (len(algorithm) == 2 and algorithm[1].raw != b"\x05\x00"):
            return None
        if [p.content for p in parts[1:3]] != [hashlib.new(names[0], x).digest() for x in (self.ca.name, self.ca.key_bits)]:
            return None
        serial = told.integer(parts[3])
        return UNKNOWN if serial < 0 else self.truth.get(serial, UNKNOWN)

    def judge(self, sent, answer):
        """Raises Failed when `answer` (of HTTP) is not one that may be given to these bytes."""
        expect_equal(answer.status, 200, "HTTP status")
        response = told.Told(answer.body)
        if response.outcome != "successful":
            expect(response.outcome in ("malformedRequest", "unauthorized"), f"{response.outcome} for a request")
            return response.outcome
        try:
            ids, nonces = told.asked(sent)
        except told.Wrong as wrong:
            raise Failed(f"answered, though it is no request: {wrong}") from wrong
        expect_equal([s.cert_id.hex() for s in response.singles], [i.hex() for i in ids], "CertIDs")
        expect_equal([s.status for s in response.singles], [self.true_status(i) for i in ids], "status")
        expect_equal(response.nonces, nonces, "nonces")
        try:
            response.check_signature(self.delegate.cert)
        except InvalidSignature as error:
            raise Failed("a signature that is none") from error
        return "successful"

    def ask_all(self, talk, messages):
        """All of them pipelined on one connection; returns how often each outcome came, and what was wrong."""
        counts, wrong = {}, []
        messages = list(messages)
        for at in range(0, len(messages), PIPELINE):
            some = messages[at:at + PIPELINE]
            talk.send(b"".join(post(m) for _, m in some))
            for label, message in some:
                answer = talk.read()
                try:
                    outcome = self.judge(message, answer)
                    counts[outcome] = counts.get(outcome, 0) + 1
                except (Failed, told.Wrong) as failed:
                    wrong.append(f"{label}: {message.hex()}: {failed}")
        return counts, wrong


def values(byte, every=False):
    """Other values of a byte: each bit flipped, the borders, its neighbours, tags."""
    if every:
        return [v for v in range(256) if v != byte]
    some = {byte ^ (1 << bit) for bit in range(8)} | {0, 1, 0x7F, 0x80, 0x81, 0xFF, byte + 1 & 0xFF, byte - 1 & 0xFF, *TAGS}
    return sorted(some - {byte})


def mutants(name, message, every=False):
    for at, byte in enumerate(message):
        for value in values(byte, every):
            yield f"{name}, byte {at} is {value:#04x}", message[:at] + bytes([value]) + message[at + 1:]


def of_the_serial(scene, every=True):
    """All changes of the serial of the smallest request that leave it an INTEGER: each has to be answered."""
    message = scene.requests["the smallest"]
    begin = len(message) - len(SERIALS[0])
    for label, changed in mutants("the serial", message[begin:], every):
        whole = message[:begin] + changed
        try:
            told.asked(whole)
        except told.Wrong:
            continue
        yield label, whole
