# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch respond` under ThreadSanitizer: clients on all its threads while an index, a CRL, the relay's store, keys and the whole
configuration change."""
import hashlib
import itertools
import os
import random
import sys

SOURCE = os.environ["CLINCH_SOURCE"]
sys.path[:0] = [os.path.join(SOURCE, part) for part in ("tests/data/gen", "tests/integration/keep", "tests/integration/respond")]
import ask  # noqa: E402
import told  # noqa: E402
from authority import Authority  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from harness import Failed, case, expect, expect_equal, expect_in, free_port, main, new_tempdir, wait_for  # noqa: E402
from issuer import Pair, write  # noqa: E402
from load import OPTIONS, Load, expect_no_race  # noqa: E402
from respond import Respond, authority, configuration  # noqa: E402
from revoking import APPEND, CRL, FIRST, INDEX, RENAME, REWRITE, SERIALS, STEADY, SYMLINK, WAYS, Scene  # noqa: E402
from scene import put  # noqa: E402
from talk import Closed, Talk, exchange, get, post  # noqa: E402

RELAYED, DELEGATES = 40, 6
HASHES = ("sha1", "sha256")


class Files(Pair):
    """A signer whose certificate and key are replaced, each by rename, one after the other."""

    def __init__(self, directory):
        self.cert_file, self.key_file = os.path.join(directory, "signer.pem"), os.path.join(directory, "signer.key")

    def put(self, delegate):
        for path, data in ((self.key_file, delegate.key_file), (self.cert_file, delegate.cert_file)):
            with open(data, "rb") as f:
                write(path, f.read())


class Source(Scene):
    """What changes of one CA: its source, and who signs."""

    def __init__(self, kind):
        super().__init__(kind)
        self.ways = [way for way in (RENAME, REWRITE, APPEND, SYMLINK) if (kind, way) in WAYS]  # they mix, the others do not
        self.delegates = [self.delegate] + [self.ca.delegate(f"delegate{i}", sort=("p256", "p384", "rsa")[i % 3]) for i in range(DELEGATES)]
        self.signer = Files(self.dir)
        self.signer.put(self.delegate)

    def entry(self, turn):
        at = {"index": self.path} if self.kind == INDEX else {"crl": [self.path], "crl_means": "good"}
        return authority(self.ca, self.signer, **at, prepare=("both", "none", "sha1")[turn % 3], validity=("5s", "4d")[turn % 2],
                         never_issued=("unknown", "unauthorized")[turn % 2], responder_id=("key", "name")[turn // 2 % 2])

    def revoke(self):
        serial, self.next_serial = self.next_serial, self.next_serial + 1
        expect(serial < FIRST + SERIALS, "all of them are revoked")
        self.change(random.choice(self.ways), serial)

    def any_serial(self):
        return random.choice((STEADY, random.randrange(FIRST, FIRST + SERIALS)))


class Relayed:
    """Certificates of others with their responses in a store."""

    def __init__(self, ca):
        self.ca, self.dir, self.store = ca, new_tempdir(), new_tempdir()
        self.leaves = [ca.leaf(f"h{i}.example.org") for i in range(RELAYED)]
        issuer = self.leaves[0].issuer
        self.name = issuer.cert.subject.public_bytes()
        self.key_bits = issuer.key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        for leaf in self.leaves:
            put(leaf, os.path.join(self.dir, leaf.label + ".pem"))
            self.write(leaf, ca.sign(leaf))

    def write(self, leaf, der):
        write(os.path.join(self.store, hashlib.sha256(leaf.der).hexdigest() + ".der"), der)


def checked(body, serial):
    answer = told.Told(body)
    expect_in(answer.outcome, ("successful", "tryLater"), "outcome")
    if answer.outcome == "successful":
        expect_equal(answer.single.serial, serial, "serial of the answer")
        expect(answer.single.status == "good" or serial != STEADY, "it was never revoked")
    return answer


def plain(source, serial):
    request = ask.request(ask.cert_id(source.ca, serial, random.choice(HASHES)))
    return random.choice((post(request), get(ask.path_escaped(request))))


def asks(one, sources):
    with Talk(one.address, 30) as talk:
        for _ in range(40):
            source = random.choice(sources)
            serial = source.any_serial()
            checked(talk.send(plain(source, serial)).read().body, serial)


def pipelines(one, sources):
    source = random.choice(sources)
    serials = [source.any_serial() for _ in range(30)]
    with Talk(one.address, 30) as talk:
        talk.send(b"".join(plain(source, serial) for serial in serials))
        for serial in serials:
            checked(talk.read().body, serial)


def asks_with_nonces(one, sources):
    with Talk(one.address, 30) as talk:
        for _ in range(10):
            nonce, source = os.urandom(16), random.choice(sources)
            request = ask.request(ask.cert_id(source.ca, STEADY), extensions=[ask.nonce(nonce)])
            answer = checked(talk.send(post(request)).read().body, STEADY)
            expect(answer.outcome == "tryLater" or answer.nonces == [nonce], "another's nonce")


def asks_for_several(one, sources):
    ids = [ask.cert_id(source.ca, STEADY) for source in sources]
    expect_in(told.Told(exchange(one.address, post(ask.request(ids[0], ids[0]))).body).outcome, ("successful", "tryLater"), "outcome of one twice")
    expect_in(told.Told(exchange(one.address, post(ask.request(*ids))).body).outcome, ("unauthorized", "tryLater"), "outcome of two CAs'")


def asks_what_changed(one, sources):
    target = ask.path_escaped(ask.request(ask.cert_id(sources[0].ca, STEADY)))
    tag = exchange(one.address, get(target)).field("etag")
    if tag:
        expect_in(exchange(one.address, get(target, f"If-None-Match: {tag}")).status, (200, 304), "status")


def asks_the_relay(one, relayed):
    leaf = random.choice(relayed.leaves)
    request = ask.request(ask.cert_id(relayed, leaf.cert.serial_number))
    expect_in(told.Told(exchange(one.address, post(request)).body).outcome, ("successful", "tryLater", "unauthorized"), "outcome")


def breaks_off(one, sources):
    """Before an answer, in the middle of a request, and with answers that nobody reads."""
    whole = plain(sources[0], STEADY)
    for data in (b"", whole[:len(whole) // 2], whole, whole * 40):
        Talk(one.address, 5).send(data).reset()


def scrapes(place):
    for path, part in (("/metrics", b"clinch_responses_total"), ("/status.json", b"authorities"), ("/readyz", b"")):
        expect_in(part, exchange(place, get(path, "Connection: close")).body, path)


def refreshes(relayed):
    leaf = random.choice(relayed.leaves)
    relayed.write(leaf, random.choice((relayed.ca.sign(leaf), relayed.ca.sign(leaf), relayed.ca.sign(leaf, status="revoked"), b"\x30\x03abc")))


def revokes(source):
    source.revoke()


@case
def respond_has_no_race_under_load_with_changes_of_all_it_reads():
    with Authority() as ca:
        ca.pki.new_key = lambda kind=None, key=ca.pki.new_key(): key
        sources, relayed, turns, place = [Source(INDEX), Source(CRL)], Relayed(ca), itertools.count(1), ("127.0.0.1", free_port())

        def configure(turn, path=None):
            return configuration(*(source.entry(turn) for source in sources), path=path,
                                 top=f"store: {relayed.store}\nkeep:\n  certificates:\n    - path: {relayed.dir}/*.pem\n",
                                 more=f"relay: true\nthreads: 3\nmetrics_listen: {place[0]}:{place[1]}\n"
                                      f"cache: {{ memory: 1MiB, max_age: {('1h', '1s')[turn % 2]} }}\n"
                                      "limits: { request: 20s }")

        conf = configure(0)
        one = Respond(conf, env=OPTIONS, wait=False)
        wait_for(lambda: os.path.exists(one.ready_file), 60, "the ready file")
        one.address = one.bound()

        def ends():
            return len(one.events("reloaded")) + len(one.events("reload-failed"))

        def reloads():
            for source in sources:
                source.signer.put(random.choice(source.delegates))
            configure(next(turns), conf)
            before = ends()
            one.hup()
            wait_for(lambda: ends() > before, 30, "the end of a reload")

        load = Load(Closed)
        for work in (asks, asks, pipelines, asks_with_nonces, asks_with_nonces):
            load.start(work, one, sources)
        load.start(asks_for_several, one, sources, pause=0.02)
        load.start(asks_what_changed, one, sources, pause=0.02)
        load.start(breaks_off, one, sources, pause=0.02)
        load.start(asks_the_relay, one, relayed, pause=0.01)
        load.start(refreshes, relayed, pause=0.03)
        load.start(scrapes, place, pause=0.2)
        for source in sources:
            load.start(revokes, source, pause=0.1)
        load.start(reloads, pause=0.4)
        load.join()
        for source in sources:
            one.wait_status(source.request(source.next_serial - 1), "revoked", 20)
        expect(one.events("reloaded"), "no reload was one")
        print(f"# {len(one.events('reloaded'))} reloads, {len(one.events('reload-failed'))} that failed", flush=True)
        last = Load(Closed, Failed)  # it ends under load: connections are refused, closed and cut off
        for work in (asks, pipelines, asks_with_nonces, breaks_off):
            last.start(work, one, sources)
        wait_for(lambda: min(last.done.values()) > 0, 20, "a load")
        expect_no_race(one.process)
        last.end = 0


main()
