# SPDX-License-Identifier: LGPL-2.1-or-later
"""A responder that does what it is told, byte by byte, and counts who came.

    with Responder(answer(der)) as responder:
        clinch("fetch", "--url", responder.url, chain)
        responder.requests[0].method

The n-th request is met by the n-th behaviour, all further ones by the last. A behaviour is a function of (connection, request,
responder) that writes what it likes; the connection is closed when it returns, unless it returns KEEP.
"""
import base64
import socket
import ssl
import threading
import urllib.parse

from harness import wait_for

KEEP = "keep the connection"


class Request:
    def __init__(self, method, target, fields, body):
        self.method, self.target, self.fields, self.body = method, target, fields, body

    @property
    def der(self):
        """The OCSP request, from the body or the path."""
        if self.method == "POST":
            return self.body
        return base64.b64decode(urllib.parse.unquote(self.target.rsplit("/", 1)[1]))


class Responder:
    def __init__(self, *behaviours, address="127.0.0.1", tls=None, greeting=b"", deaf=False):
        """tls: (chain file, key file). greeting: what it says before it is asked. deaf: it reads nothing and says nothing."""
        self.behaviours, self.requests, self.connections = behaviours, [], 0
        self.greeting, self.deaf = greeting, deaf
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.bind((address, 0))
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]
        host = f"[{address}]" if ":" in address else address
        self.place = f"{host}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.place}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.over.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def wait_requests(self, n, seconds=10):
        wait_for(lambda: len(self.requests) >= n, seconds, f"{n} requests, {len(self.requests)} came")

    def _accept(self):
        while not self.over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(60)
        stream = None
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            if self.deaf:
                self.over.wait(60)
                return
            connection.sendall(self.greeting)
            stream = connection.makefile("rb")
            while not self.over.is_set():
                request = read_request(stream)
                if request is None:
                    return
                with self._lock:
                    self.requests.append(request)
                    behaviour = self.behaviours[min(len(self.requests), len(self.behaviours)) - 1]
                if behaviour(connection, request, self) != KEEP:
                    return
        except (OSError, ValueError):
            pass  # the client went: what it saw is the test's to say
        finally:
            for thing in (stream, connection):
                try:
                    if thing:
                        thing.close()
                except OSError:
                    pass


def read_request(stream):
    line = stream.readline(65536).decode("latin-1").split()
    if len(line) < 2:
        return None
    fields = {}
    while True:
        field = stream.readline(65536).decode("latin-1").strip()
        if not field:
            break
        name, _, value = field.partition(":")
        fields[name.lower()] = value.strip()
    body = stream.read(int(fields.get("content-length", 0)))
    return Request(line[0], line[1], fields, body)


# --- behaviours -------------------------------------------------------------------------------------------------------------


def raw(data):
    def behave(connection, request, responder):
        connection.sendall(data)

    return behave


def head(status=200, fields=(), length=None):
    lines = [f"HTTP/1.1 {status} Whatever", *fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(body=b"", status=200, fields=("Content-Type: application/ocsp-response",), length=None):
    return raw(head(status, fields, len(body) if length is None else length) + body)


def keep_alive(body):
    """A right answer on a connection that is never closed from here."""

    def behave(connection, request, responder):
        connection.sendall(head(200, (), len(body)) + body)
        return KEEP

    return behave


def redirect(where, status=302):
    return answer(b"", status, (f"Location: {where}",))


def hang(connection, request, responder):
    responder.over.wait(60)


def drip(connection, request, responder):
    """One byte, and one more whenever a second has passed."""
    connection.sendall(head(length=4000))
    while not responder.over.wait(1):
        connection.sendall(b"0")


def hang_after(data):
    def behave(connection, request, responder):
        connection.sendall(data)
        responder.over.wait(60)

    return behave


def endless(connection, request, responder):
    connection.sendall(head())
    while not responder.over.is_set():
        connection.sendall(b"\x30" * 65536)


def endless_header(connection, request, responder):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not responder.over.is_set():
        connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def endless_line(connection, request, responder):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-More: ")
    while not responder.over.is_set():
        connection.sendall(b"x" * 65536)


def endless_interim(connection, request, responder):
    while not responder.over.is_set():
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n")


def reset(connection, request, responder):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def only_post(body, status=405):
    """GET is refused."""

    def behave(connection, request, responder):
        good = request.method == "POST"
        connection.sendall(head(200 if good else status, (), len(body if good else b"")) + (body if good else b""))

    return behave


def tunnel(connection, request, responder):
    """CONNECT, as a proxy does it."""
    host, _, port = request.target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=30) as there:
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = threading.Thread(target=_pump, args=(there, connection), daemon=True)
        back.start()
        _pump(connection, there)
        back.join(30)


def _pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
