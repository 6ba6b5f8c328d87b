# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `clinch serve` does with bytes: both ways, each end by itself, slow and cut ones too."""
import contextlib
import ctypes
import os
import select
import socket
import ssl
import struct
import threading
import time

from OpenSSL import SSL

from harness import case, expect, expect_equal, expect_in, main, new_tempdir, wait_for
from scene import SANITIZED, Backend, Serve, connect, context, echo, look, read_all, rst_on_close

BIG = bytes(range(256)) * 16384  # 4 MiB


def exchange(stream, data):
    """Sends all of it while reading what comes; the bytes that came, until the other end's close_notify. In one thread: an SSL
    object of OpenSSL's is for one at a time."""
    stream.setblocking(False)
    got, sent = bytearray(), 0
    while len(got) < len(data):
        before = sent, len(got)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent += stream.send(data[sent:sent + 65536]) if sent < len(data) else 0
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            more = stream.recv(65536)
            if not more:
                break
            got += more
        if (sent, len(got)) == before:
            ready = select.select([stream], [stream] if sent < len(data) else [], [], 10)
            expect(any(ready), f"bytes go on; {sent} sent, {len(got)} came back")
    stream.settimeout(10)
    return bytes(got)


@case
def bytes_come_through_both_ways_to_a_port_and_to_a_unix_socket():
    for path in (None, os.path.join(new_tempdir(), "app.sock")):
        with Backend(echo, path) as backend, Serve(backend=backend) as server:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with connect(server, version=version) as stream:
                    expect(exchange(stream, BIG) == BIG, f"4 MiB came back changed by {path or 'TCP'}, {version}")


@case
def listens_on_ipv4_and_ipv6_at_once():
    with Backend(echo) as backend, Serve(backend=backend, listen=("127.0.0.1:0", "[::1]:0")) as server:
        expect_equal([host for host, _ in server.bound], ["127.0.0.1", "::1"], "the ready file")
        for address in server.bound:
            with context().wrap_socket(socket.create_connection(address, timeout=10), server_hostname="www.example.org") as stream:
                stream.sendall(b"hello")
                expect_equal(stream.recv(5), b"hello", f"the echo from {address}")


@case
def the_backend_may_speak_first():
    with Backend(lambda c, _: (c.sendall(b"220 ready\r\n"), read_all(c))) as backend, Serve(backend=backend) as server:
        with connect(server) as stream:
            expect_equal(stream.recv(100), b"220 ready\r\n", "the greeting")


@case
def the_clients_end_is_passed_on_while_the_backend_goes_on():
    def count(connection, _):
        data = read_all(connection)
        connection.sendall(b"%d" % len(data) + b"!" * 100000)

    with Backend(count) as backend, Serve(backend=backend) as server:
        got = half_closed(server, b"x" * 50000)
        expect_equal((got[:5], len(got)), (b"50000", 100005), "what the backend said after the client's end")


def half_closed(server, data):
    """Sends data and close_notify, then reads to the other end's close_notify, by pyOpenSSL."""
    seen = look(server.address, stay=True)
    connection = seen.connection
    connection.sendall(data)
    connection.shutdown()
    got = b""
    while True:
        try:
            got += connection.recv(65536)
        except SSL.ZeroReturnError:
            return got


@case
def the_backends_end_is_passed_on_while_the_client_goes_on():
    def answer_then_read(connection, backend):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        backend.seen.append(read_all(connection))

    with Backend(answer_then_read) as backend, Serve(backend=backend) as server:
        with connect(server) as stream:
            expect_equal(stream.recv(100), b"bye", "what the backend said")
            expect_equal(stream.recv(100), b"", "the end, by close_notify")
            stream.sendall(b"y" * 30000)
            stream.close()  # without close_notify, after all was sent: for the backend it may be an end
        wait_for(lambda: backend.seen, 10, "the backend to have read to the end")
        expect_equal(backend.seen, [b"y" * 30000], "what the backend was sent after its own end")


@case
def a_clients_stream_that_was_cut_is_cut_for_the_backend():
    def wait(connection, backend):
        backend.seen.append(connection.recv(100))
        backend.seen.append(connection.recv(100))

    with Backend(wait) as backend, Serve(backend=backend) as server:
        stream = connect(server)
        stream.sendall(b"half of i")
        wait_for(lambda: backend.seen, 10, "the first half")
        stream.close()  # no close_notify
        wait_for(lambda: len(backend.seen) == 2, 10, "the backend's end")
        expect(isinstance(backend.seen[1], ConnectionResetError), f"the backend took it for an end: {backend.seen[1]!r}")


@case
def a_backends_stream_that_was_reset_is_cut_for_the_client():
    arrived = threading.Event()

    def reset(connection, _):
        connection.recv(100)
        connection.sendall(b"part")
        arrived.wait(60)
        rst_on_close(connection)

    with Backend(reset) as backend, Serve(backend=backend) as server:
        with connect(server) as stream:
            stream.sendall(b"?")
            expect_equal(stream.recv(100), b"part", "what came before")
            arrived.set()
            try:
                got = stream.recv(100)
                raise AssertionError(f"the client took it for an end: {got!r}")
            except (ssl.SSLError, ConnectionResetError):
                pass


@case
def an_answer_to_half_a_request_is_read_to_its_end():
    def refuse(connection, _):
        connection.recv(10)
        connection.sendall(b"413 " + b"z" * 200000)
        # closed with bytes unread: the system resets it

    with Backend(refuse) as backend, Serve(backend=backend) as server:
        with connect(server) as stream:
            with contextlib.suppress(OSError):
                stream.sendall(b"x" * 300000)
            got = b""
            try:
                while more := stream.recv(65536):
                    got += more
            except (ssl.SSLError, ConnectionResetError):
                pass
            expect(got.startswith(b"413 "), f"the answer was lost: {len(got)} bytes came")


@case
def a_slow_client_slows_the_backend_down_and_memory_stays():
    sent = []

    def pour(connection, _):
        connection.settimeout(2)
        try:
            while True:
                sent.append(connection.send(b"p" * 65536))
        except OSError:
            sent.append(None)

    with Backend(pour) as backend, Serve(backend=backend) as server:
        streams = [connect(server) for _ in range(4)]
        before = server.resident()
        wait_for(lambda: sent.count(None) == 4, 15, "the backend to be stopped")
        expect(SANITIZED or server.resident() - before < 4 << 20, f"memory grew by {server.resident() - before} bytes")
        for stream in streams:
            expect(stream.recv(10) == b"p" * 10, "nothing came")
            stream.close()


@case
def a_slow_backend_slows_the_client_down_and_memory_stays():
    go_on = threading.Event()

    def sip(connection, backend):
        go_on.wait(20)
        backend.seen.append(len(read_all(connection)))

    with Backend(sip) as backend, Serve(backend=backend) as server:
        stream = connect(server)
        stream.settimeout(1)
        before, sent = server.resident(), 0
        try:
            while True:
                sent += stream.send(b"c" * 16384)
        except (TimeoutError, socket.timeout):
            pass
        expect(SANITIZED or server.resident() - before < 2 << 20, f"memory grew by {server.resident() - before} bytes")
        go_on.set()
        stream.close()
        wait_for(lambda: backend.seen, 10, "the backend to be done")


@case
def a_backend_that_is_down_does_not_make_the_handshake_fail():
    class Down:
        address = "127.0.0.1:9"

    with Serve(backend=Down) as server:
        for _ in range(3):
            seen = look(server.address, stay=True)
            expect(seen.staple, "no staple was sent")
            try:
                seen.connection.recv(10)
                raise AssertionError("the client took it for an end")
            except SSL.ZeroReturnError:
                raise AssertionError("the client got close_notify")
            except SSL.Error:
                pass
        expect_equal(len(server.wait_event("backend-down")), 1, "lines about it")


@case
def a_backend_that_comes_back_is_said():
    path = os.path.join(new_tempdir(), "app.sock")

    class Later:
        address = f"unix:{path}"

    with Serve(backend=Later) as server:
        look(server.address, stay=True)
        server.wait_event("backend-down")
        with Backend(echo, path):
            with connect(server) as stream:
                stream.sendall(b"back")
                expect_equal(stream.recv(10), b"back", "the echo")
            expect_equal(len(server.wait_event("backend-up")), 1, "lines about it")


@case
def a_unix_socket_with_a_full_queue_is_waited_for():
    path = os.path.join(new_tempdir(), "app.sock")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(0)

    class Full:
        address = f"unix:{path}"

    with listening, Serve(backend=Full) as server:
        streams = [connect(server) for _ in range(6)]
        for stream in streams:
            stream.sendall(b"q")
        for _ in streams:
            listening.settimeout(10)
            connection, _ = listening.accept()
            connection.sendall(connection.recv(1))
            connection.close()
        expect_equal(sorted(stream.recv(1) for stream in streams), [b"q"] * 6, "the echoes")
        expect_equal(server.events("backend-down"), [], "lines about a backend that is down")


@case
def alpn_is_the_servers_first_that_the_client_has():
    with Backend(echo) as backend, Serve("--alpn", "h2,http/1.1", backend=backend) as server:
        for offered, wanted in ((["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), (None, None)):
            with connect(server, alpn=offered) as stream:
                expect_equal(stream.selected_alpn_protocol(), wanted, f"the protocol for {offered}")
        try:
            connect(server, alpn=["imap"])
            raise AssertionError("a handshake without a protocol in common succeeded")
        except ssl.SSLError as error:
            expect_in("no application protocol", str(error).lower().replace("_", " "), "the alert")


@case
def a_client_of_http_that_says_nothing_is_nothing_to_the_backend():
    with Backend(echo) as backend, Serve("--alpn", "h2,http/1.1", backend=backend) as server:
        with connect(server, alpn=["http/1.1"]) as spoken, connect(server, alpn=["h2"]) as silent:
            spoken.sendall(b"first")
            expect_equal(spoken.recv(10), b"first", "the echo")
            expect_equal(backend.connections, 1, "connections to the backend")
            try:
                silent.unwrap()  # close_notify both ways
            except OSError:
                pass
            with Serve("--alpn", "h2,http/1.1", "--idle-timeout", 1, backend=backend) as brief, connect(brief, alpn=["h2"]) as idle:
                idle.settimeout(60)
                try:
                    idle.recv(10)
                except (ssl.SSLError, ConnectionError):
                    pass
        with connect(server) as stream:  # not known to be HTTP: the backend may speak first
            wait_for(lambda: backend.connections == 2, 5, "the backend to hear of a client that says nothing")
            stream.close()


def shake_hands_and_go(server):
    """The client's Finished and its close_notify in one segment; what the server says after them."""
    inbox, outbox = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(version=ssl.TLSVersion.TLSv1_3).wrap_bio(inbox, outbox, server_hostname="www.example.org")
    with socket.create_connection(server.address, timeout=10) as stream:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                stream.sendall(outbox.read())
                inbox.write(stream.recv(65536))
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        stream.sendall(outbox.read())
        while bytes_ := stream.recv(65536):
            inbox.write(bytes_)
        return tls.unwrap


@case
def a_client_that_ends_before_its_first_byte_is_nothing_to_the_backend():
    with Backend(echo) as backend, Serve(backend=backend) as server:
        for _ in range(5):
            shake_hands_and_go(server)()  # close_notify came back: unwrap() has nothing to object to
        with connect(server) as stream:
            stream.sendall(b"hello")
            expect_equal(stream.recv(10), b"hello", "the echo")
        expect_equal(backend.connections, 1, "connections to the backend")


@case
def sessions_are_resumed_on_every_thread_until_the_ticket_key_changes():
    began = time.monotonic()
    with Backend(echo) as backend, Serve("--ticket-key-life", 3, backend=backend, threads=4) as server:
        made = context(version=ssl.TLSVersion.TLSv1_2)
        with connect(server, made=made) as stream:
            session = stream.session
        reused = []
        for _ in range(8):
            with connect(server, made=made, session=session) as stream:
                reused.append(stream.session_reused)
        if time.monotonic() - began < 2.5:
            expect_equal(reused, [True] * 8, "resumed")

        def is_over():
            with connect(server, made=made, session=session) as stream:
                return not stream.session_reused

        wait_for(is_over, 10, "the old ticket to be worth nothing")
    with Backend(echo) as backend, Serve("--no-tickets", backend=backend) as server:
        with connect(server, made=made) as stream:
            session = stream.session
        with connect(server, made=made, session=session) as stream:
            expect_equal(stream.session_reused, False, "resumed without tickets")


PUSH = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Warner:
    """A client by GnuTLS itself, in TLS 1.2, that sends warning alerts and then a byte, all in one piece: neither OpenSSL nor a
    command line does."""

    def __init__(self, server):
        self.gnutls = ctypes.CDLL("libgnutls.so.30")
        self.gnutls.gnutls_record_send.restype = ctypes.c_ssize_t
        self.session, self.trust = ctypes.c_void_p(), ctypes.c_void_p()
        self.socket = socket.create_connection(server.address, timeout=10)
        self.socket.setblocking(True)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
        self.gathered, self.gathers = bytearray(), False
        self.push = PUSH(self._push)
        self._call("gnutls_init", ctypes.byref(self.session), 2, to=None)  # a client
        self._call("gnutls_certificate_allocate_credentials", ctypes.byref(self.trust), to=None)
        self._call("gnutls_priority_set_direct", b"NORMAL:-VERS-ALL:+VERS-TLS1.2", None)
        self._call("gnutls_credentials_set", 1, self.trust)
        self.gnutls.gnutls_transport_set_int2(self.session, self.socket.fileno(), self.socket.fileno())
        self.gnutls.gnutls_transport_set_push_function(self.session, self.push)
        self._call("gnutls_handshake")

    def _call(self, name, *arguments, to=True):
        rc = getattr(self.gnutls, name)(*([self.session] if to else []), *arguments)
        expect(rc >= 0, f"{name}: {rc}")

    def _push(self, _, data, size):
        if self.gathers:
            self.gathered += ctypes.string_at(data, size)
        else:
            self.socket.sendall(ctypes.string_at(data, size))
        return size

    def answer(self, warnings):
        """What came back, or the error."""
        self.gathers = True
        for _ in range(warnings):
            self._call("gnutls_alert_send", 1, 90)  # warning, user_canceled
        self._call("gnutls_record_send", b"x", 1)
        self.gathers = False
        self.socket.sendall(self.gathered)
        self.gathered = bytearray()
        buffer = ctypes.create_string_buffer(16)
        n = self.gnutls.gnutls_record_recv(self.session, buffer, 16)
        return buffer.raw[:n] if n > 0 else n

    def close(self):
        self.gnutls.gnutls_deinit(self.session)
        self.gnutls.gnutls_certificate_free_credentials(self.trust)
        self.socket.close()


@case
def warnings_without_an_end_are_cut_off():
    with Backend(echo) as backend, Serve(backend=backend, threads=1) as server, contextlib.closing(Warner(server)) as client:
        expect_equal(client.answer(0), b"x", "the echo")
        for _ in range(3):
            expect_equal(client.answer(16), b"x", "the echo after 16 warnings")
        failed = client.answer(17)
        expect(isinstance(failed, int) and failed < 0, f"17 warnings in a row were borne: {failed!r}")
        expect_in("alert", server.wait_event("connection-failed")[0]["text"], "why")


main()
