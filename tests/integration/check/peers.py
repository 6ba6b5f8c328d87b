# SPDX-License-Identifier: LGPL-2.1-or-later
"""The peers of the check tests: real TLS servers, and scripted ones that misbehave."""
import socket
import subprocess
import threading

from harness import expect, free_port, run, start, tempdir

HOST = "127.0.0.1"


def gnutls_serv(identity, staple=None, port=None, udp=False, priority=None):
    """GnuTLS's own server with the bytes of `staple`, whatever they are. Returns the port."""
    port = port or free_port(socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    argv = ["gnutls-serv", "--echo", "-p", port, "--x509certfile", identity.chain_file, "--x509keyfile", identity.key_file,
            "--ignore-ocsp-response-errors"]
    if staple is not None:
        argv += ["--ocsp-response", _file(staple)]
    if udp:
        argv.append("--udp")
    if priority:
        argv += ["--priority", priority]
    start(argv, ready=rf"on IPv4 0\.0\.0\.0 port {port}\.\.\.done")
    return port


def openssl_server(*args, **more):
    """As openssl_process(), for who needs no more than the port."""
    return openssl_process(*args, **more)[0]


def openssl_process(identity, *options, staple=None, port=None, address=None):
    """OpenSSL's server with the bytes of `staple`. Returns the port and the process."""
    port = port or free_port()
    argv = ["openssl", "s_server", "-accept", f"{address}:{port}" if address else port, "-cert", identity.cert_file, "-cert_chain", identity.chain_file,
            "-key", identity.key_file, *options]
    if staple is not None:
        argv += ["-status_file", _file(staple)]
    return port, start(argv, ready="ACCEPT", stdin=subprocess.PIPE)  # it ends when its standard input does


_files = 0


def _file(data):
    """A path as it is; bytes into a file of their own."""
    if isinstance(data, str):
        return data
    global _files
    _files += 1
    path = f"{tempdir()}/staple-{_files}.der"
    with open(path, "wb") as f:
        f.write(data)
    return path


def unknown_response(pki, leaf):
    """From `openssl ocsp` with an index that does not have the leaf."""
    index = pki.index([])
    request, response = (f"{tempdir()}/unknown.{what}" for what in ("req", "resp"))
    issuer = leaf.issuer
    for argv in (["-issuer", issuer.cert_file, "-cert", leaf.cert_file, "-reqout", request],
                 ["-index", index, "-CA", issuer.cert_file, "-rsigner", issuer.cert_file, "-rkey", issuer.key_file,
                  "-reqin", request, "-respout", response, "-ndays", "4"]):
        expect(run(["openssl", "ocsp", *argv]).rc == 0, "openssl ocsp made it")
    with open(response, "rb") as f:
        return f.read()


class Script:
    """A server in a thread that does `play(connection)` to each client. `.seen` has what the clients sent."""

    def __init__(self, play, address=HOST, port=0):
        self.play, self.seen, self.stopped = play, [], threading.Event()
        self.connections = []
        self.listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            self.play(Talk(connection, self))
        except OSError:
            pass
        finally:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # or accept() would keep the port
        self.thread.join(5)
        self.listener.close()
        for connection in self.connections:
            connection.close()


class Talk:
    """One client of a Script."""

    def __init__(self, connection, script):
        self.connection, self.script, self.rest = connection, script, b""

    def say(self, data):
        self.connection.sendall(data)

    def hear(self, end=b"\r\n"):
        """Until `end`, which must come."""
        while end not in self.rest:
            more = self.connection.recv(4096)
            if not more:
                raise OSError("the client is gone")
            self.rest += more
        line, self.rest = self.rest.split(end, 1)
        self.script.seen.append(line)
        return line

    def hear_bytes(self, count):
        while len(self.rest) < count:
            more = self.connection.recv(4096)
            if not more:
                raise OSError("the client is gone")
            self.rest += more
        data, self.rest = self.rest[:count], self.rest[count:]
        self.script.seen.append(data)
        return data

    def hang(self):
        """Silent until the client goes."""
        while self.connection.recv(4096):
            pass

    def drip(self, data, pause=0.02):
        """A byte at a time, for ever."""
        while not self.script.stopped.wait(pause):
            self.connection.sendall(data)

    def join(self, address):
        """What a proxy does: everything both ways."""
        other = socket.create_connection(address, timeout=10)
        if self.rest:
            other.sendall(self.rest)
        thread = threading.Thread(target=_copy, args=(other, self.connection), daemon=True)
        thread.start()
        _copy(self.connection, other)
        thread.join(5)
        other.close()


def _copy(source, target):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)
    except OSError:
        pass
