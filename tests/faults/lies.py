# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lies: what each makes of an answer, and what a keeper must make of it.

A row of LIES is (name, lie, at the first fetch, at a refresh). TAKEN: what was sent is verified and is stapled. OLDER: it is
verified, and is older than what is held. Held(...): nothing of it may reach a client; its words are those of the log.
"""
import email.utils
import os
import socket
import ssl
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from liar import SHORT_LIFE, Gate, send
from responder import KEEP, head

HTML = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"
HOUR = 3600
TAKEN, OLDER = "taken", "older"
UNDATED_LIFE, UNDATED_LEFT = 86400, 300 + SHORT_LIFE + 4  # without nextUpdate it is believed for a day, stapled 300 s less


class Held:
    def __init__(self, phase, failure, reason=None):
        self.phase, self.failure, self.reason = phase, failure, reason

    def __str__(self):
        return f"held; {self.phase}: {self.reason or self.failure}"


class Lie:
    """`answer` writes an answer and gives KEEP where the connection goes on."""

    def urls(self, subject):
        return subject.liar.url + subject.name + "/"

    def enter(self, subject, phase):
        """Before anything is answered in this phase."""

    def delivered(self, subject, phase, attempts):
        """How often; `attempts` are the keeper's words about its questions, for a lie that no program of ours could count."""
        return subject.delivered.get(phase, 0)

    def tell(self, connection, request, subject):
        subject.count(subject.phase)
        return self.answer(connection, request, subject)


class Body(Lie):
    """An HTTP answer, whose body `make(subject)` gives."""

    def __init__(self, make, status=200, fields=("Content-Type: application/ocsp-response",), length=None):
        self.make, self.status, self.fields, self.length = make, status, fields, length

    def answer(self, connection, request, subject):
        body = self.make(subject)
        connection.sendall(head(self.status, self.fields, len(body) if self.length is None else self.length) + body)
        return KEEP if self.length is None else None


def good(**more):
    return lambda subject: subject.response(**more)


def error(name):
    return lambda subject: subject.liar.pki.error_response(name)


# --- what is signed --------------------------------------------------------------------------------------------------------


def delegated(subject):
    return subject.response(signer=subject.liar.pki.delegate())


def without_eku(subject):
    return subject.response(signer=subject.liar.pki.delegate(label="no-eku", eku=False))


def by_expired_delegate(subject):
    return subject.response(signer=subject.liar.pki.delegate(label="ended", days=-0.01))


def forged(subject):
    return subject.response(sign_as=subject.identity)


def about_another(subject):
    pki = subject.liar.pki
    return pki.response(pki.leaf("somebody.example"))


def of_another_ca(subject):
    other = subject.liar.other
    return other.response(other.leaf("somebody.example"))


def older_each_time(subject):
    """Valid, and about the time before what was sent last."""
    age = 40 + 10 * len(subject.sent)
    return subject.response(this=-age, life=age + subject.life)


def without_next_update(subject):
    """What comes at the refresh ends soon."""
    left = UNDATED_LEFT - (SHORT_LIFE // 2 + 4 if subject.sent else 0)
    return subject.response(this=left - UNDATED_LIFE, life=0)


def unknown(subject):
    return _built(subject, ocsp.OCSPCertStatus.UNKNOWN)


def padded(size):
    """Good, and of `size` bytes: an extension that means nothing."""

    def make(subject):
        value = b"\x04\x82" + (size - 300).to_bytes(2, "big") + bytes(size - 300)
        return _built(subject, ocsp.OCSPCertStatus.GOOD, value)

    return make


def _built(subject, status, padding=None):
    """What Pki.response() cannot say."""
    return subject.remember(lambda this, following: _sign(subject, status, this, following, padding))


def _sign(subject, status, this, following, padding):
    issuer = subject.identity.issuer
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=subject.identity.cert, issuer=issuer.cert, algorithm=hashes.SHA1(), cert_status=status, this_update=this,
        next_update=following, revocation_time=None, revocation_reason=None)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.cert)
    if padding:
        private = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1.9")
        builder = builder.add_extension(x509.UnrecognizedExtension(private, padding), False)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


# --- what is wrong below HTTP, or in it ------------------------------------------------------------------------------------


class Raw(Lie):
    def __init__(self, act):
        self.act = act

    def answer(self, connection, request, subject):
        return self.act(connection, request, subject)


def reset(connection, request, subject):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def hang(connection, request, subject):
    subject.liar.over.wait(60)


def drip(connection, request, subject):
    body = subject.response()
    connection.sendall(head(length=len(body)))
    for byte in body:
        if subject.liar.over.wait(1):
            return
        connection.sendall(bytes([byte]))


def endless(connection, request, subject):
    connection.sendall(head())
    while not subject.liar.over.is_set():
        connection.sendall(b"\x30" * 65536)


def never_closed(connection, request, subject):
    """Right, and the connection is never closed from here, whatever the client asks for."""
    return send(connection, subject.response(), ("Connection: keep-alive", "Keep-Alive: timeout=3600"))


class Dated(Body):
    def __init__(self, make, ahead):
        super().__init__(make)
        self.ahead = ahead

    def answer(self, connection, request, subject):
        date = email.utils.formatdate(time.time() + self.ahead, usegmt=True)
        return send(connection, self.make(subject), ("Content-Type: application/ocsp-response", f"Date: {date}"))


class Redirect(Lie):
    """To `where(subject)`; what is asked for there is a right answer."""

    def __init__(self, where):
        self.where = where

    def answer(self, connection, request, subject):
        if request.target.endswith("/there"):
            return send(connection, subject.response())
        connection.sendall(head(302, (f"Location: {self.where(subject)}",), 0))
        return KEEP


def to_the_truth(subject):
    return f"{subject.liar.url}{subject.name}/there"


def to_itself(subject):
    return f"{subject.liar.url}{subject.name}/again"


class FirstIsDead(Body):
    """Two URLs; nobody listens at the first."""

    def urls(self, subject):
        subject.gate = Gate(subject.liar, subject)
        subject.gate.shut()
        return [f"http://127.0.0.1:{subject.gate.port}/", super().urls(subject)]

    def delivered(self, subject, phase, attempts):
        return min(super().delivered(subject, phase, attempts), sum(a.get("failure") == "no-connection" for a in attempts))


class OwnGate(Lie):
    """A port of its own; a connection is for one question, so that the next one meets what then is."""

    def urls(self, subject):
        subject.gate = Gate(subject.liar, subject, tls=self.tls(subject))
        return f"{self.scheme}://127.0.0.1:{subject.gate.port}/{subject.name}/"

    scheme = "http"

    def tls(self, subject):
        return None


class Refused(OwnGate):
    """Nobody can count what is refused but who was: the keeper says so of each question."""

    def enter(self, subject, phase):
        if phase == "good" and not subject.gate.is_open:
            subject.gate.open()
        elif phase != "good" and subject.gate.is_open:
            subject.gate.shut()

    def delivered(self, subject, phase, attempts):
        return sum(a.get("failure") == "no-connection" for a in attempts)


class NoName(Lie):
    """A name that does not exist; the file that tells the resolver so grows with each question. At first it is the responder's own.
    libcurl remembers the address of a name for a minute, so at a refresh it is one that the responder redirects to."""

    def urls(self, subject):
        return f"http://{subject.name}.told.test:{subject.liar.gate.port}/{subject.name}/"

    def file(self, subject, phase):
        return os.path.join(subject.liar.names_dir, ("" if phase == "first" else "elsewhere.") + subject.name + ".told.test")

    def enter(self, subject, phase):
        if phase in ("first", "refresh"):
            open(self.file(subject, phase), "wb").close()
        elif phase == "good" and subject.phase == "first":
            subject.delivered["first"] = os.path.getsize(self.file(subject, "first"))
            os.unlink(self.file(subject, "first"))

    def answer(self, connection, request, subject):
        where = f"http://elsewhere.{subject.name}.told.test:{subject.liar.gate.port}/{subject.name}/"
        connection.sendall(head(302, (f"Location: {where}",), 0))
        return KEEP

    def delivered(self, subject, phase, attempts):
        return os.path.getsize(self.file(subject, phase)) if phase == "refresh" else subject.delivered.get(phase, 0)


class Untrusted(OwnGate):
    """https with a certificate of a CA that nobody knows; where it is to tell the truth, of one that the keeper was told."""

    scheme = "https"

    def tls(self, subject):
        liar = subject.liar
        contexts = {}
        for known, pki in ((True, liar.pki), (False, liar.other)):
            contexts[known] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            identity = pki.leaf("responder.example")
            contexts[known].load_cert_chain(identity.chain_file, identity.key_file)

        def wrap(connection):
            if subject.phase == "good":
                return contexts[True].wrap_socket(connection, server_side=True)
            subject.count(subject.phase)
            return contexts[False].wrap_socket(connection, server_side=True)

        return wrap


# --- the table -------------------------------------------------------------------------------------------------------------


def both(name, lie, outcome):
    return name, lie, outcome, outcome


def believed(reason):
    return Held("verify", "not-believed", reason)


UNPARSED = Held("parse", "not-believed", "response-malformed")
LIES = [
    both("good", Body(good()), TAKEN),
    both("delegated", Body(delegated), TAKEN),
    both("delegate-without-eku", Body(without_eku), believed("delegate-eku")),
    both("delegate-expired", Body(by_expired_delegate), believed("delegate-expired")),
    both("bad-signature", Body(forged), believed("signature-bad")),
    both("wrong-serial", Body(about_another), believed("no-entry")),
    both("other-ca", Body(of_another_ca), believed("signer-unknown")),
    both("revoked", Body(good(status="revoked")), TAKEN),
    both("unknown", Body(unknown), Held("verify", "unknown", "unknown")),
    both("expired", Body(good(this=-2 * HOUR, life=HOUR)), believed("expired")),
    both("from-the-future", Body(good(this=HOUR)), believed("this-update-in-future")),
    both("without-next-update", Body(without_next_update), TAKEN),
    ("older-than-held", Body(older_each_time), TAKEN, OLDER),
    both("try-later", Body(error("TRY_LATER")), Held("verify", "try-later", "responder-try-later")),
    both("internal-error", Body(error("INTERNAL_ERROR")), Held("verify", "try-later", "responder-internal-error")),
    both("unauthorized", Body(error("UNAUTHORIZED")), believed("responder-unauthorized")),
    both("http-500", Body(good(), status=500), Held("http", "http-server-error")),
    both("http-404", Body(good(), status=404), Held("http", "http-error")),
    both("http-503-retry-after", Body(good(), status=503, fields=("Retry-After: 1",)), Held("http", "http-server-error")),
    both("html-with-200", Body(lambda _: HTML, fields=("Content-Type: text/html",)), UNPARSED),
    both("wrong-content-type", Body(good(), fields=("Content-Type: text/html",)), TAKEN),
    both("garbage", Body(lambda _: bytes(range(256)) * 4), UNPARSED),
    both("empty", Body(lambda _: b""), Held("parse", "not-believed", "response-empty")),
    both("truncated", Body(lambda s: s.response()[:-20]), UNPARSED),
    both("cut-off", Body(good(), length=5000), Held("http", "broken-off")),
    both("trailing-bytes", Body(lambda s: s.response() + b"\0\0"), UNPARSED),
    both("reset", Raw(reset), Held("http", "broken-off")),
    both("refused", Refused(), Held("connect", "no-connection")),
    both("dns-failure", NoName(), Held("dns", "no-such-name")),
    both("redirect", Redirect(to_the_truth), TAKEN),
    both("redirect-loop", Redirect(to_itself), Held("http", "redirected")),
    both("redirect-to-file", Redirect(lambda _: "file:///etc/hosts"), Held("http", "redirected")),
    both("keep-alive", Raw(never_closed), TAKEN),
    both("one-byte-a-second", Raw(drip), Held("http", "timed-out")),
    both("hang", Raw(hang), Held("http", "timed-out")),
    both("9-kb", Body(padded(9000)), TAKEN),
    both("60-kb", Body(padded(60000)), TAKEN),
    both("1-mb", Body(lambda _: bytes(1000000)), Held("http", "too-large")),
    both("endless", Raw(endless), Held("http", "too-large")),
    both("first-url-dead", FirstIsDead(good()), TAKEN),
    both("https-unknown-ca", Untrusted(), Held("tls", "tls-untrusted")),
    both("date-10-minutes-off", Dated(good(), 600), TAKEN),
]
assert UNDATED_LEFT / 12 * 1.1 < UNDATED_LEFT - 300, 'it is refreshed before it ends'
