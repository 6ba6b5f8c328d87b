# SPDX-License-Identifier: LGPL-2.1-or-later
"""One responder for all certificates at once, that lies about each in its own way, and counts what it delivered.

    liar = Liar()
    row = liar.subject("hang.serve.example", lie)    a certificate that names this responder
    row.enter("first")                               the lie is told; so it is in "refresh" and "over"
    row.enter("good")                                the truth is
    row.enter("dead")                                there is HTTP status 500 alone
    row.delivered["first"], row.sent                 what went out, and when

Lies are in lies.py. A subject knows what was sent as a response about it: bytes on a wire that are none of these are nobody's.
"""
import os
import socket
import threading
import time
from datetime import datetime, timedelta

from harness import new_tempdir
from pki import Pki
from responder import KEEP, head, read_request

SHORT_LIFE = 30 if os.environ.get("CLINCH_SANITIZE", "none") == "none" else 40  # seconds


class Sent:
    """A response that went out."""

    def __init__(self, der, phase, this_update, next_update, status):
        self.der, self.phase, self.this_update, self.next_update, self.status = der, phase, this_update, next_update, status
        self.at = time.monotonic()


class Subject:
    """A certificate, what is told about it, and what was."""

    def __init__(self, liar, name, lie, life):
        self.liar, self.name, self.lie, self.life = liar, name, lie, life
        self.phase, self.told_in, self.gate, self.identity = None, None, None, None
        self.delivered, self.first_delivery, self.sent = {}, {}, []
        self._lock = threading.Lock()

    def enter(self, phase):
        self.lie.enter(self, phase)
        self.phase = phase

    def count(self, phase):
        with self._lock:
            self.delivered[phase] = self.delivered.get(phase, 0) + 1
            self.first_delivery.setdefault(phase, time.monotonic())

    def remember(self, sign, status="good", this=0, life=None):
        """What sign(thisUpdate, nextUpdate) makes, as one that may be seen again. thisUpdate is `this` seconds from now, and lives for
        `life` seconds from then on. life=0: there is no nextUpdate."""
        now, life = int(time.time()), self.life if life is None else life
        begin = datetime.utcfromtimestamp(now + this)
        der = sign(begin, begin + timedelta(seconds=life) if life else None)
        with self._lock:
            self.sent.append(Sent(der, self.phase, now + this, now + this + life if life else None, status))
        return der

    def response(self, status="good", this=0, life=None, **more):
        pki = self.liar.pki
        return self.remember(lambda begin, end: pki.response(
            self.identity, status=status, this_update=begin - pki.now, next_update=end - pki.now if end else False, **more),
            status, this, life)

    def sent_in(self, phase):
        """The response that was delivered in a phase; of several the last."""
        return next((s for s in reversed(self.sent) if s.phase == phase), None)

    def which(self, der):
        return next((s for s in self.sent if s.der == der), None)


class Liar:
    def __init__(self):
        self.pki = Pki(os.path.join(new_tempdir(), "pki"))
        self.other = Pki(os.path.join(new_tempdir(), "other"), label="other ")
        self.names_dir = new_tempdir()  # of told names: see tests/integration/fetch/names.c
        self.subjects, self.over = {}, threading.Event()
        self.gate = Gate(self)
        self.url = f"http://127.0.0.1:{self.gate.port}/"

    def subject(self, name, lie, life=SHORT_LIFE, **more):
        subject = Subject(self, name, lie, life)
        self.subjects[name] = subject
        subject.identity = self.pki.leaf(name, ocsp_url=lie.urls(subject), **more)
        return subject

    def stop(self):
        self.over.set()
        self.gate.close()
        for subject in self.subjects.values():
            if subject.gate:
                subject.gate.close()

    def serve(self, connection, subject=None):
        """A connection; `subject`: the only one it can be about."""
        stream = None
        connection.settimeout(60)
        try:
            if subject and subject.gate.tls:
                connection = subject.gate.tls(connection)
            stream = connection.makefile("rb")
            while not self.over.is_set():
                request = read_request(stream)
                if request is None or self._answer(connection, request) != KEEP or subject:
                    return
        except (OSError, ValueError):
            pass  # the client went: what it made of it is in its log
        finally:
            for thing in (stream, connection):
                try:
                    if thing:
                        thing.close()
                except OSError:
                    pass

    def _answer(self, connection, request):
        parts = request.target.split("/")
        subject = self.subjects.get(parts[1] if len(parts) > 1 else "")
        if subject is None:
            connection.sendall(head(404, (), 0))
            return KEEP
        if subject.phase == "good":
            subject.count("good")
            return send(connection, subject.response())
        if subject.phase == "dead":
            connection.sendall(head(500, (), 0))
            return KEEP
        return subject.lie.tell(connection, request, subject)


def send(connection, body, fields=("Content-Type: application/ocsp-response",)):
    connection.sendall(head(200, fields, len(body)) + body)
    return KEEP


class Gate:
    """A listening port. `tls(connection)` wraps what is accepted."""

    def __init__(self, liar, subject=None, tls=None):
        self.liar, self.subject, self.tls = liar, subject, tls
        self.port, self.is_open = 0, False
        self._bind()
        self.open()

    def _bind(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self.port = self._socket.getsockname()[1]

    def open(self):
        self._socket.listen(512)
        self.is_open = True
        threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()

    def shut(self):
        """Connections are refused, and the port stays ours."""
        self.is_open = False
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._bind()

    def close(self):
        if self.is_open:
            self.shut()
        self._socket.close()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.liar.serve, args=(connection, self.subject), daemon=True).start()
