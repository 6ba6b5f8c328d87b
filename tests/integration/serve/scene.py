# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch serve` with a store of its own, backends, and clients that look at what was sent."""
import hashlib
import os
import signal
import socket
import ssl
import struct
import threading

from OpenSSL import SSL

from harness import build_path, clinch, expect_equal, new_tempdir, start, tempdir, wait_for
from pki import Pki

pki = Pki(os.path.join(tempdir(), "pki"))
NOWHERE = "http://127.0.0.1:9/"
leaf = pki.leaf("www.example.org", ocsp_url=NOWHERE)
plain = pki.leaf("plain.example.org")  # names no responder
SANITIZED = os.environ.get("CLINCH_SANITIZE", "none") != "none"  # freed memory is kept
counter = iter(range(100000))
CLEAN = {name: None for name in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID", "http_proxy", "all_proxy")}


def digest(identity):
    return hashlib.sha256(identity.der).hexdigest()


class Store:
    """A directory of responses, written as the keeper writes them."""

    def __init__(self, *identities):
        self.dir = os.path.join(new_tempdir(), "store")
        os.mkdir(self.dir)
        for identity in identities:
            self.put(identity)

    def put(self, identity, der=None):
        path = os.path.join(self.dir, digest(identity) + ".der")
        with open(path + ".new", "wb") as f:
            f.write(der or pki.response(identity))
        os.replace(path + ".new", path)

    def holds(self, identity):
        return os.path.exists(os.path.join(self.dir, digest(identity) + ".der"))

    def drop(self, identity):
        os.unlink(os.path.join(self.dir, digest(identity) + ".der"))


class Serve:
    """A running `clinch serve`. Certificates are Identities; it listens on a free port of 127.0.0.1."""

    def __init__(self, *options, certificates=(leaf,), backend=None, store=None, keeper=False, listen=("127.0.0.1:0",),
                 threads=2, conf=None, env=None, wait=True, more_environment=None, verbose=True):
        self.store = store or Store(leaf)
        self.ready_file = os.path.join(tempdir(), f"ready-{next(counter)}")
        self.backend = backend
        argv = [build_path("clinch"), "serve", "--allow-root", "--ready-file", self.ready_file, "--format", "json"]
        argv += ["-v"] if verbose else []
        if conf is None:
            argv += ["--backend", backend.address if backend else "127.0.0.1:9", "--store", self.store.dir, "--threads", threads]
            for address in listen:
                argv += ["--listen", address]
            for identity in certificates:
                argv += ["--cert", identity.chain_file, "--key", identity.key_file]
            argv += [] if keeper else ["--no-keeper"]
        else:
            argv += ["-c", conf]
        ready = f"path:{self.ready_file}" if wait else None
        self.process = start([*argv, *options], ready=ready, env={**CLEAN, **(env or {})})
        self.bound = self.addresses() if wait else []

    def addresses(self):
        with open(self.ready_file, encoding="ascii") as f:
            lines = f.read().split()
        return [(line.rpartition(":")[0].strip("[]"), int(line.rpartition(":")[2])) for line in lines]

    def wait_ready(self, seconds=15):
        wait_for(lambda: os.path.exists(self.ready_file), seconds, "the ready file")
        self.bound = self.addresses()

    @property
    def address(self):
        return self.bound[0]

    @property
    def place(self):
        return "%s:%d" % self.address

    def events(self, kind=None):
        return [row for row in self.process.log_objects() if kind is None or row["event"] == kind]

    def wait_event(self, kind, n=1, seconds=10):
        return wait_for(lambda: len(self.events(kind)) >= n and self.events(kind), seconds, f"{n} times the event {kind}")

    def hup(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def terminate(self):
        os.kill(self.process.pid, signal.SIGTERM)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * 4096

    def stop_well(self):
        """SIGTERM, and an exit status of 0."""
        self.terminate()
        expect_equal(self.process.wait(10), 0, "exit status")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """It ends well, leaks and races included where a sanitizer looks for them."""
        if kind is None and self.process.running():
            self.terminate()
            wait_for(lambda: self.events("draining") or not self.process.running(), 10, "the drain")
            if self.process.running():
                self.terminate()
            expect_equal(self.process.wait(10), 0, "exit status")
        self.process.stop()


def metrics_address(server):
    """What it says of it; there may be other notices."""
    def told():
        return [row["text"] for row in server.events("notice") if row.get("text", "").startswith("metrics at ")]

    host, port = wait_for(told, 10, "the address of the metrics")[0].rsplit(" ", 1)[1].rsplit(":", 1)
    return host.strip("[]"), int(port)


def configuration(store, backend, chains, more="", listen="127.0.0.1:0"):
    path = os.path.join(new_tempdir(), "clinch.yaml")
    write_configuration(path, store, backend, chains, more, listen)
    return path


def write_configuration(path, store, backend, chains, more="", listen="127.0.0.1:0"):
    entries = "".join(f'    - {{ chain: "{c.chain_file}", key: "{c.key_file}" }}\n' for c in chains)
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(f"store: {store.dir}\nserve:\n  listen: [ \"{listen}\" ]\n  backend: {backend.address}\n  threads: 2\n"
                f"  keeper: none\n  {more}\n  certificates:\n{entries}")
    os.replace(path + ".new", path)


# --- backends ---------------------------------------------------------------------------------------------------------------------


class Backend:
    """A plain server: handler(connection, self) in a thread a connection. `path`: a Unix socket instead of TCP."""

    def __init__(self, handler, path=None):
        self.handler, self.seen, self.over = handler, [], threading.Event()
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.socket.bind(path or ("127.0.0.1", 0))
        self.socket.listen(64)
        self.address = f"unix:{path}" if path else "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(30)
        with connection:
            try:
                self.handler(connection, self)
            except OSError as error:
                self.seen.append(error)

    def close(self):
        self.over.set()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def echo(connection, _):
    while data := connection.recv(65536):
        connection.sendall(data)


def read_all(connection):
    data = b""
    while more := connection.recv(65536):
        data += more
    return data


# --- clients ----------------------------------------------------------------------------------------------------------------------


def context(alpn=None, version=None):
    made = ssl.create_default_context(cafile=pki.root.cert_file)
    made.check_hostname = False
    made.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0x80)  # an end without close_notify is none
    if version:
        made.minimum_version = made.maximum_version = version
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


def connect(server, name="www.example.org", alpn=None, version=None, before=b"", made=None, session=None):
    """A TLS connection; `before` goes out in front of it."""
    raw = socket.create_connection(server.address, timeout=10)
    raw.sendall(before)
    return (made or context(alpn, version)).wrap_socket(raw, server_hostname=name, session=session,
                                                           suppress_ragged_eofs=False)


class Seen:
    """What a client of pyOpenSSL was sent: the leaf's DER, the staple (b"": none), the connection."""


def look(address, name="www.example.org", version=None, ciphers=None, stay=False):
    """One handshake that asks for a staple. The chain and the staple are the caller's to judge."""
    seen = Seen()
    seen.staple = None
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if version:
        made.set_min_proto_version(version)
        made.set_max_proto_version(version)
    if ciphers:
        made.set_cipher_list(ciphers)

    def on_staple(_, data, __):
        seen.staple = data
        return True

    made.set_ocsp_client_callback(on_staple)
    raw = socket.create_connection(address, timeout=10)
    raw.setblocking(True)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
    seen.connection = SSL.Connection(made, raw)
    seen.connection.set_tlsext_host_name(name.encode())
    seen.connection.request_ocsp()
    seen.connection.set_connect_state()
    try:
        seen.connection.do_handshake()
        seen.leaf = seen.connection.get_peer_certificate().to_cryptography().serial_number
        seen.cipher = seen.connection.get_cipher_name()
    finally:
        if not stay:
            raw.close()
    return seen


def accepts_tls(server, name="www.example.org"):
    """Whether a handshake succeeds."""
    try:
        look(server.address, name=name)
    except SSL.Error:
        return False
    return True


TLS12, TLS13 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


def check(server, *options, name="www.example.org"):
    """`clinch check` of it: the JSON."""
    done = clinch("check", "--ca", pki.root.cert_file, "--connect", server.place, "--json", *options, f"{name}:443")
    return done.json


def rst_on_close(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


__all__ = [name for name in dir() if not name.startswith("_")]
