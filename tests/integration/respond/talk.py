# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP by hand: bytes out, and answers read with no leniency (RFC 9112)."""
import email.utils
import re
import socket
import struct
import time

from harness import Failed

FAR_S = 40  # how long an answer may take before the test gives up


class Closed(Exception):
    """The peer ended the connection where an answer could have begun."""


class Answer:
    """status, fields (names in lower case, a list of values each), body, and the bytes of the head."""

    def __init__(self, head):
        self.head = head
        lines = head.decode("latin-1").split("\r\n")
        line = re.fullmatch(r"HTTP/1\.[01] (\d{3}) [^\r\n]*", lines[0])
        if not line:
            raise Failed(f"not a status line: {lines[0]!r}")
        self.status, self.fields, self.body = int(line.group(1)), {}, b""
        for field in lines[1:]:
            name, colon, value = field.partition(":")
            if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or "\n" in value:
                raise Failed(f"not a header field: {field!r}")
            self.fields.setdefault(name.lower(), []).append(value.strip())

    def field(self, name):
        """The one value of a field; None: it is not there."""
        values = self.fields.get(name.lower(), [])
        if len(values) > 1:
            raise Failed(f"{len(values)} fields {name}: {values}")
        return values[0] if values else None

    def date(self, name):
        value = self.field(name)
        if value is None or not re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", value):
            raise Failed(f"{name}: {value!r} is no date of RFC 9110 5.6.7")
        return int(email.utils.parsedate_to_datetime(value).timestamp())

    def directives(self):
        """Cache-Control as a dictionary."""
        pairs = (item.strip().partition("=") for item in (self.field("cache-control") or "").split(","))
        return {name.lower(): value for name, _, value in pairs if name}

    @property
    def max_age(self):
        return int(self.directives()["max-age"])

    def __str__(self):
        return self.head.decode("latin-1").replace("\r\n", "\n") + f"\n({len(self.body)} bytes: {self.body[:80]!r})"


class Talk:
    """One connection. `interim` collects the answers of 1xx."""

    def __init__(self, address, seconds=FAR_S):
        self.socket = socket.create_connection(address, timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seconds, self.buffer, self.interim = seconds, b"", []

    def send(self, data):
        self.socket.sendall(data)
        return self

    def send_what_fits(self, data):
        """For a peer that may have said its answer and closed before it has read all. Whether all went out."""
        try:
            self.socket.sendall(data)
            return True
        except (ConnectionError, socket.timeout):
            return False

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except socket.timeout as late:
            raise Failed(f"no answer in {self.seconds} s; so far: {self.buffer[:200]!r}") from late
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def _head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                if self.buffer:
                    raise Failed(f"the connection ended in the middle of a head: {self.buffer[:200]!r}")
                raise Closed()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return Answer(head)

    def read(self, to_head=False):
        """The next final answer; to_head: it answers a HEAD and has no body."""
        answer = self._head()
        while answer.status < 200:
            self.interim.append(answer)
            answer = self._head()
        if to_head or answer.status in (204, 304):
            return answer
        if answer.field("transfer-encoding"):
            raise Failed(f"chunked, though its length is known\n{answer}")
        length = answer.field("content-length")
        if length is None:
            while self._more():
                pass
            answer.body, self.buffer = self.buffer, b""
            return answer
        while len(self.buffer) < int(length):
            if not self._more():
                raise Failed(f"the connection ended in a body of {length} bytes\n{answer}")
        answer.body, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        return answer

    def drain(self):
        """Until the peer closes."""
        while self._more():
            pass

    def ended(self):
        """Whether the peer has closed, with nothing more said."""
        self.drain()
        return not self.buffer

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- requests -----------------------------------------------------------------------------------------------------------------


def message(method, target, *fields, body=None, version="1.1", host=True):
    """The bytes of a request; a Content-Length is added for a body."""
    lines = [f"{method} {target} HTTP/{version}"] + (["Host: responder.example"] if host else []) + list(fields)
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def get(target, *fields, **more):
    return message("GET", target, *fields, **more)


def head(target, *fields, **more):
    return message("HEAD", target, *fields, **more)


OCSP_REQUEST = "Content-Type: application/ocsp-request"


def post(body, *fields, target="/", content_type=OCSP_REQUEST, **more):
    return message("POST", target, *([content_type] if content_type else []), *fields, body=body, **more)


def chunked(body, size=1000):
    """A body in chunks."""
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def exchange(address, data, to_head=False):
    """One request on a connection of its own."""
    with Talk(address) as talk:
        talk.send_what_fits(data)
        return talk.read(to_head)


def http_date(at):
    return email.utils.formatdate(at, usegmt=True)


def seconds_until_ended(talk, limit):
    """How long the peer goes on with a connection on which nothing is said; None: longer than `limit`."""
    begun = time.monotonic()
    talk.socket.settimeout(limit)
    try:
        while talk.socket.recv(65536):
            pass
    except socket.timeout:
        return None
    except ConnectionResetError:
        pass
    return time.monotonic() - begun
